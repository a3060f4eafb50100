"""Drives an HTTP server with wrk and reads what it has measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stack import processes
from stack.failure import Failure
from stack.layout import Layout
from stack.progress import Step
from stack.state import State

SCRIPT = Path(__file__).parent / "wrk.lua"


@dataclass(frozen=True)
class Load:
    """What is asked for: whole objects, or ranges at random offsets; over how many connections."""

    connections: int
    range_bytes: int = 0
    object_bytes: int = 0
    counts_sources: bool = False


@dataclass(frozen=True)
class Measured:
    """What one run has shown. `p50` and `p99` are microseconds from a request to the end of its answer."""

    requests: int
    bytes: float
    seconds: float
    errors: int
    cached: int
    others: int
    p50: int
    p99: int

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds

    @property
    def bytes_per_second(self) -> float:
        return self.bytes / self.seconds


def command(url: str, load: Load, seconds: float) -> list[str]:
    # One thread takes what one nginx worker gives; a second one would only take a core from the server.
    return [
        "wrk", "--threads", "1", "--connections", str(load.connections), "--duration", f"{seconds:.0f}s",
        "--timeout", "30s", "--script", str(SCRIPT), url,
    ]  # fmt: skip


def start(url: str, load: Load, seconds: float, layout: Layout, state: State) -> processes.Process:
    environment = {
        "RANGE_BYTES": str(load.range_bytes),
        "OBJECT_BYTES": str(load.object_bytes),
        "COUNT_SOURCES": "1" if load.counts_sources else "0",
    }
    return state.add(processes.start("wrk", command(url, load, seconds), environment, layout.log("wrk")))


def wait(process: processes.Process, step: Step, beside: Callable[[], None] = lambda: None) -> Measured:
    """Waits until wrk has ended, and calls `beside` meanwhile."""
    while process.ending() == "ended":
        beside()
        step.wait(0.05)
    lines = process.log_path.read_text(errors="replace").splitlines()
    figures = next((line for line in reversed(lines) if line.startswith("{")), None)
    if process.ending() != "exit code 0" or figures is None:
        raise Failure(f"wrk failed ({process.ending()})", "look at its log", process.log_path)
    return Measured(**json.loads(figures))
