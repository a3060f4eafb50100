"""Runs a command that ends by itself (a package installation, a build) as a step: logged, shown, interruptible."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .failure import Failure
from .interrupts import Stopped
from .progress import Step

# How long an interrupted command may take to end by itself before it is killed.
SECONDS_TO_END = 30.0


def run(
    command: Sequence[str],
    step: Step,
    log: Path,
    remedy: str,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
    own_session: bool = True,
    on_line: Callable[[str], None] | None = None,
) -> None:
    """Runs a command; its output goes to `log`, line by line also to `on_line`. Raises `Failure` if it fails.

    With `own_session` false the command keeps the terminal, as sudo needs it to ask for a password; such a command is
    only asked to end, never killed, because half a package installation is worse than a late one.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            list(command),
            env=dict(os.environ) | (environment or {}),
            cwd=folder,
            stdin=subprocess.DEVNULL if own_session else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=own_session,
        )
        assert child.stdout is not None
        try:
            for line in _lines(child.stdout.fileno(), step):
                output.write(line + b"\n")
                output.flush()
                if on_line is not None:
                    on_line(line.decode(errors="replace"))
            while child.poll() is None:
                step.wait(0.05)
        except Stopped:
            _end(child, own_session)
            raise
        finally:
            child.stdout.close()
    if child.returncode != 0:
        raise Failure(f"{' '.join(command[:3])} … ended with code {child.returncode}", remedy, log)


def _lines(descriptor: int, step: Step):
    """The lines that come out of a descriptor until its end, waiting so that the step stays alive and interruptible."""
    os.set_blocking(descriptor, False)
    pending = b""
    while True:
        if descriptor not in step.wait(1.0, [descriptor]):
            continue
        block = os.read(descriptor, 64 * 1024)
        if not block:
            if pending:
                yield pending
            return
        # A carriage return redraws a line on a terminal: each drawing counts as a line of its own here.
        *whole, pending = (pending + block).replace(b"\r", b"\n").split(b"\n")
        yield from (line for line in whole if line.strip())


def _end(child: subprocess.Popen[bytes], own_session: bool) -> None:
    """Ends an interrupted command and everything that it started in its own session."""
    if not own_session:
        child.wait()
        return
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        deadline = time.monotonic() + SECONDS_TO_END
        try:
            child.wait(timeout=max(0.1, deadline - time.monotonic()))
            break
        except subprocess.TimeoutExpired:
            continue


def output_of(command: Sequence[str], folder: Path | None = None) -> str:
    """The standard output of a short command, empty if it fails or does not exist."""
    try:
        finished = subprocess.run(
            list(command), cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return finished.stdout.strip()
