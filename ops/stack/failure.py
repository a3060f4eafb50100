"""One shape for everything that can go wrong in ops: what happened, how to mend it, and where to read more."""

from __future__ import annotations

from pathlib import Path


class Failure(Exception):
    """A step that did not work. `remedy` says what the reader can do; `log` is the file whose end explains it."""

    def __init__(self, message: str, remedy: str = "", log: Path | None = None):
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.log = log

    def report(self, lines: int = 15) -> str:
        """The text for a terminal: one line of error, one of remedy, and the tail of the log."""
        parts = [f"error: {self.message}"]
        if self.remedy:
            parts.append(f"  remedy: {self.remedy}")
        if self.log is not None:
            tail = last_lines(self.log, lines)
            if tail:
                parts.append(f"  the end of {self.log}:")
                parts.extend(f"    | {line}" for line in tail)
        return "\n".join(parts)


def last_lines(path: Path, count: int, at_most_bytes: int = 64 * 1024) -> list[str]:
    """The last lines of a log, without reading a long one whole. Empty when there is no such file."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - at_most_bytes))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]
