"""How busy the processors are, and with whom, from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1
# Below this, a core or so is idle for part of the time, and something else is what everyone waits for.
FULL = 0.9
OTHERS = "others"


def seconds_of(pid: int) -> float:
    """User and system time of a process (proc(5), /proc/PID/stat, fields 14 and 15); 0 if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def seconds_of_machine() -> float:
    """The time that all cores together have worked for anybody (/proc/stat without idle, iowait and guests)."""
    user, nice, system, _, _, irq, soft_irq, steal, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + irq + soft_irq + steal) / TICKS_A_SECOND


class Watch:
    """Tells how many cores groups of processes keep busy between its making and `shares`."""

    def __init__(self, groups: Mapping[str, Sequence[int]]):
        self._groups = groups
        self._before = self._times()

    def _times(self) -> dict[str, float]:
        times = {name: sum(map(seconds_of, pids)) for name, pids in self._groups.items()}
        times[OTHERS] = seconds_of_machine() - sum(times.values())
        times[""] = time.monotonic()
        return times

    def shares(self) -> dict[str, float]:
        now = self._times()
        wall = now[""] - self._before[""]
        return {name: max(0.0, now[name] - self._before[name]) / wall for name in now if name}


def bound(shares: Mapping[str, float], cores: int = CORES) -> str:
    """What keeps more from being done, in words: "both cores busy: broker 1.10, caller 0.51, workers 0.33"."""
    total = sum(shares.values())
    by_size = sorted(shares.items(), key=lambda share: -share[1])
    listed = ", ".join(f"{name} {share:.2f}" for name, share in by_size)
    if total >= FULL * cores:
        every = {1: "the core", 2: "both cores"}.get(cores, f"all {cores} cores")
        return f"{every} busy: {listed}"
    return f"waiting, {total:.1f} of {cores} cores busy: {listed}"
