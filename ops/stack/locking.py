"""One command at a time may change a stack."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from .failure import Failure
from .layout import Layout


@contextmanager
def exclusively(layout: Layout) -> Iterator[None]:
    """Holds the stack's lock; the kernel takes it back from a process that dies."""
    with layout.lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure("another ops/up is starting this stack", "wait for it, or end it with ops/down") from None
        yield
