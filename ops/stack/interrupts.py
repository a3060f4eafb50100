"""Ctrl-C without surprises: a signal is noted, and acted upon at the next wait.

An exception raised in the middle of anything could strike between the start of a process and the note of its id, and
leave that process behind. So the handlers only count, and every wait in ops goes through `wait`, which wakes up at
once.
"""

from __future__ import annotations

import os
import select
import signal


class Stopped(BaseException):
    """Someone asked us to stop (Ctrl-C, SIGTERM, or the terminal went away)."""


class Interrupts:
    """Counts requests to stop. Make one per process, in the main thread, before anything is started."""

    def __init__(self) -> None:
        self._count = 0
        self._seen_when_stopping_began: int | None = None
        self._wake_up, written_by_signals = os.pipe()
        for end in (self._wake_up, written_by_signals):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(written_by_signals, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: object) -> None:
        self._count += 1

    def begin_stopping(self) -> None:
        """From here on a further signal means `hurry`, and no wait raises any more."""
        if self._seen_when_stopping_began is None:
            self._seen_when_stopping_began = self._count

    @property
    def hurry(self) -> bool:
        """True when another signal came after stopping had begun: do not wait for anybody's manners."""
        began = self._seen_when_stopping_began
        return began is not None and self._count > began

    def wait(self, seconds: float, readable: list[int] | None = None) -> list[int]:
        """Waits until a descriptor is readable, a signal comes, or the time is over; returns what is readable."""
        poller = select.poll()
        poller.register(self._wake_up, select.POLLIN)
        for descriptor in readable or []:
            poller.register(descriptor, select.POLLIN)
        ready = [descriptor for descriptor, _ in poller.poll(max(0.0, seconds) * 1000)]
        if self._wake_up in ready:
            ready.remove(self._wake_up)
            try:
                os.read(self._wake_up, 512)
            except BlockingIOError:
                pass
        self.check()
        return ready

    def check(self) -> None:
        """Raises `Stopped` if a signal came and stopping has not begun yet."""
        if self._count and self._seen_when_stopping_began is None:
            raise Stopped
