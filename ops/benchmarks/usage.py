"""What processes use in the time that something takes: processor time and the most resident memory, from /proc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .processors import seconds_of

# Writing this to /proc/PID/clear_refs makes VmHWM count from now on (proc(5)).
FORGET_PEAK = "5"
UNIT = {"kB": 1_024}


@dataclass(frozen=True)
class Use:
    cpu_seconds: float
    peak_bytes: int


class Meter:
    """Tells what each process has used since the meter was made."""

    def __init__(self, processes: Mapping[str, int]):
        self._processes = processes
        for pid in processes.values():
            Path(f"/proc/{pid}/clear_refs").write_text(FORGET_PEAK)
        self._before = {name: seconds_of(pid) for name, pid in processes.items()}

    def uses(self) -> dict[str, Use]:
        return {
            name: Use(seconds_of(pid) - self._before[name], peak_bytes(Path(f"/proc/{pid}/status").read_text()))
            for name, pid in self._processes.items()
        }


def peak_bytes(status: str) -> int:
    """The peak of resident memory in the text of /proc/PID/status."""
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    _, number, unit = line.split()
    return int(number) * UNIT[unit]
