"""Has the machine's memory used before something is measured, as it is on a server that has run for a day."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.progress import Progress

PIECE_BYTES = 4 << 20
MEBIBYTE = 1 << 20


def free_bytes() -> int:
    """The memory that nobody uses, not even as page cache (proc(5), /proc/meminfo)."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    figures = {name: rest for name, _, rest in (line.partition(":") for line in lines)}
    return int(figures["MemFree"].split()[0]) * 1024


@contextmanager
def filled(folder: Path, progress: Progress, byte_count: int | None = None) -> Iterator[Path]:
    """Fills free memory with page cache that the kernel may take back at any time, until the block ends.

    It reads a file that is one hole, so no disk is read. What is written to files afterwards goes into memory that is taken back
    from it. On a virtual machine, memory that is free is often not there: its host has to find each page when it is touched, and
    whether a run met such memory would depend on what had run before it.
    """
    size = free_bytes() if byte_count is None else byte_count
    with tempfile.NamedTemporaryFile(dir=folder, prefix="millrace-bench-hole-") as file:
        file.truncate(size)
        piece = bytearray(PIECE_BYTES)
        with progress.step("fill the page cache") as step:
            for first in range(0, size, PIECE_BYTES):
                os.preadv(file.fileno(), [piece], first)
                step.detail = f"{min(size, first + PIECE_BYTES) // MEBIBYTE} of {size // MEBIBYTE} MiB"
                step.wait(0)
        yield Path(file.name)
