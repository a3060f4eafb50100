"""Drives a server with many viewers of one film, each at the pace of the film (viewers_client/viewers.c)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stack import commands, processes
from stack.failure import Failure
from stack.layout import Layout
from stack.progress import Progress, Step
from stack.state import State

SOURCE = Path(__file__).parent / "viewers_client" / "viewers.c"
# 4 Mbit/s.
BYTES_PER_SECOND = 500_000


@dataclass(frozen=True)
class Seen:
    """What the viewers have seen. `p50` and `p99` are microseconds from a request to its first byte, `late_seconds` how far
    the worst of them was behind the film (below 0: ahead of it)."""

    viewers: int
    bytes: int
    seconds: float
    answers: int
    errors: int
    stalled: int
    late_seconds: float
    p50: float
    p99: float
    client_cpu_seconds: float

    @property
    def bytes_per_second(self) -> float:
        return self.bytes / self.seconds

    @property
    def is_smooth(self) -> bool:
        return self.stalled == 0 and self.errors == 0


@dataclass(frozen=True)
class Viewers:
    """The compiled client, and where it runs."""

    program: Path
    layout: Layout
    state: State

    @staticmethod
    def compiled(layout: Layout, state: State, root: Path, step: Step) -> Viewers:
        program = root / ".build" / "bench" / "viewers"
        program.parent.mkdir(parents=True, exist_ok=True)
        command = ["gcc", "-O2", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(SOURCE)]
        commands.run(command, step, layout.log("viewers-build"), "mend ops/benchmarks/viewers_client")
        return Viewers(program, layout, state)

    def watch(self, url: str, object_bytes: int, viewers: int, seconds: float, step: Step, idle: int = 0) -> Seen:
        """So many viewers for so long, beside so many connections that do nothing."""
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        command = [
            str(self.program), "--port", str(parts.port), "--target", target, "--object-bytes", str(object_bytes),
            "--viewers", str(viewers), "--idle", str(idle), "--bytes-per-second", str(BYTES_PER_SECOND),
            "--seconds", str(seconds),
        ]  # fmt: skip
        process = self.state.add(processes.start("viewers", command, {}, self.layout.log("viewers")))
        while process.ending() == "ended":
            step.wait(0.05)
        lines = process.log_path.read_text(errors="replace").splitlines()
        figures = next((line for line in reversed(lines) if line.startswith("{")), None)
        if process.ending() != "exit code 0" or figures is None:
            raise Failure(f"the viewers failed ({process.ending()})", "look at their log", process.log_path)
        return Seen(**json.loads(figures))
