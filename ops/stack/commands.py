"""Runs a command that ends by itself (a package installation, a build) as a step: logged, shown, interruptible."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .failure import Failure
from .progress import Step

# How long an interrupted command may take to end by itself before it is killed.
SECONDS_TO_END = 30.0


def run(command: Sequence[str], step: Step, log: Path, remedy: str, **options: object) -> None:
    """Runs a command as `follow` does and raises `Failure` with the remedy if it fails."""
    code = follow(command, step, log, **options)
    if code != 0:
        raise Failure(f"{' '.join(command[:3])} … ended with code {code}", remedy, log)


def follow(
    command: Sequence[str],
    step: Step,
    log: Path,
    environment: dict[str, str] | None = None,
    folder: Path | None = None,
    own_session: bool = True,
    on_line: Callable[[str], None] | None = None,
    most_seconds: float | None = None,
) -> int:
    """Runs a command to its end; its output goes to `log`, line by line also to `on_line`. Returns its exit code.

    `environment` is added to ours. With `own_session` false the command keeps the terminal, as sudo needs it to ask for
    a password; such a command is only waited for, never killed, because half a package installation is worse than a
    late one. A command that takes longer than `most_seconds` is ended and counts as failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    deadline = None if most_seconds is None else time.monotonic() + most_seconds
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
            for line in _lines(child, step, deadline):
                output.write(line + b"\n")
                output.flush()
                if on_line is not None:
                    on_line(line.decode(errors="replace"))
        except BaseException:
            _end(child, step, own_session)
            raise
        finally:
            child.stdout.close()
        return child.wait()


def _lines(child: subprocess.Popen[bytes], step: Step, deadline: float | None) -> Iterator[bytes]:
    """What a command prints, until it has ended. Waits so that the step stays alive and interruptible.

    The end of the command is what counts, not the end of its output: something that it left behind may hold that open.
    """
    assert child.stdout is not None
    output = child.stdout.fileno()
    os.set_blocking(output, False)
    ended = os.pidfd_open(child.pid)
    watched = [output, ended]
    pending = b""
    try:
        while True:
            if deadline is not None and time.monotonic() > deadline:
                name = " ".join(child.args[:3])
                raise Failure(f"{name} … took too long and was ended", "does something hang in it?")
            ready = step.wait(1.0, watched)
            block = os.read(output, 64 * 1024) if output in ready else b""
            # A carriage return redraws a line on a terminal: each drawing counts as a line of its own here.
            *whole, pending = (pending + block).replace(b"\r", b"\n").split(b"\n")
            yield from (line for line in whole if line.strip())
            if ended in ready and not block:
                break
            if output in ready and not block:
                watched.remove(output)
    finally:
        os.close(ended)
    if pending:
        yield pending


def _end(child: subprocess.Popen[bytes], step: Step, own_session: bool) -> None:
    """Ends an interrupted command and all of its process group; at once when another signal comes."""
    step.interrupts.begin_stopping()
    if not own_session:
        child.wait()
        return
    for number in (signal.SIGINT, signal.SIGKILL):
        if child.poll() is not None:
            return
        os.killpg(child.pid, number)
        deadline = time.monotonic() + SECONDS_TO_END
        while child.poll() is None and time.monotonic() < deadline:
            if step.interrupts.hurry and number != signal.SIGKILL:
                break
            step.wait(0.1)


def output_of(command: Sequence[str], folder: Path | None = None) -> str:
    """The standard output of a short command, empty if it fails or does not exist."""
    try:
        finished = subprocess.run(
            list(command), cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return finished.stdout.strip()
