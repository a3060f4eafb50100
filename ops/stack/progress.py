"""Shows what is being done: one line a step, alive on a terminal, plain and sparse everywhere else."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .interrupts import Interrupts

SPINNER = "|/-\\"
SECONDS_BETWEEN_FRAMES = 0.1
# A log that says nothing for minutes looks hung; one line in half a minute does not flood it.
SECONDS_BETWEEN_PLAIN_LINES = 30.0
TITLE_COLUMNS = 34


def duration(seconds: float) -> str:
    """"4.2 s" or "3 min 05 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


class Step:
    """One thing that is being done. `detail` may change while it runs; it is also where every wait happens."""

    def __init__(self, progress: Progress, title: str):
        self.title = title
        self.detail = ""
        self._progress = progress
        self._started = time.monotonic()
        self._last_shown = self._started

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    @property
    def interrupts(self) -> Interrupts:
        return self._progress.interrupts

    def wait(self, seconds: float, readable: list[int] | None = None) -> list[int]:
        """Waits as `Interrupts.wait` does, at most a spinner's frame at a time, and shows that we are alive."""
        self._show()
        at_most = SECONDS_BETWEEN_FRAMES if self._progress.interactive else 1.0
        return self._progress.interrupts.wait(min(seconds, at_most), readable)

    def _show(self) -> None:
        now = time.monotonic()
        pause = SECONDS_BETWEEN_FRAMES if self._progress.interactive else SECONDS_BETWEEN_PLAIN_LINES
        if now - self._last_shown < pause:
            return
        self._last_shown = now
        frame = SPINNER[int(self.seconds / SECONDS_BETWEEN_FRAMES) % len(SPINNER)]
        self._progress.show(frame, self)


class Progress:
    """Prints steps to standard error, so that standard output carries results only."""

    def __init__(self, interrupts: Interrupts):
        self.interrupts = interrupts
        self._stream = sys.stderr
        self._stream.reconfigure(errors="replace")
        self.interactive = self._stream.isatty()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Runs one step and prints how it ended and how long it took."""
        step = Step(self, title)
        if self.interactive:
            self.show(SPINNER[0], step)
        try:
            yield step
        except BaseException:
            self._finish("✗", step)
            raise
        self._finish("✓", step)

    def say(self, text: str) -> None:
        """A line of its own, above the one that is being redrawn, if any."""
        clear = "\r\x1b[K" if self.interactive else ""
        print(f"{clear}{text}", file=self._stream, flush=True)

    def show(self, mark: str, step: Step) -> None:
        """The present state of a step: rewritten in place on a terminal, a line elsewhere."""
        line = f"{mark} {step.title:<{TITLE_COLUMNS}} {duration(step.seconds):>12}  {step.detail}".rstrip()
        if self.interactive:
            columns = shutil.get_terminal_size().columns
            self._stream.write(f"\r\x1b[K{line[: columns - 1]}")
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()

    def _finish(self, mark: str, step: Step) -> None:
        self.show(mark, step)
        if self.interactive:
            self._stream.write("\n")
            self._stream.flush()
