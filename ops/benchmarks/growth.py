"""What ops/bench delivery measures of growth: many viewers at the pace of a film, idle connections, more workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stack import network, processes, services
from stack.failure import Failure
from stack.progress import Step
from stack.servers import wait_until
from stack.throwaway import RunningStack

from . import seeks
from .delivery_stack import Film, Gateways
from .figures import Goal, Row, percentile
from .processors import seconds_of
from .usage import Meter
from .viewers import Seen, Viewers
from .wrk import Load, Measured

MOST_VIEWERS = 2_000
# Tried from the top, until none of them stalls.
FEWER_VIEWERS = (1_800, 1_600, 1_400, 1_200, 1_000, 800, 600, 400, 200)
IDLE = 10_000
BESIDE_IDLE = 20
MEMORY_LIMIT_BYTES = 512 * 1_000_000
VIEWER_COUNTS = (1, 10, 100, 500, 1_000, 2_000)
WORKER_COUNTS = (1, 2, 4)
SEEKS = 200

# Drives wrk: address, load, seconds.
Drive = Callable[[Step, str, Load, float], Measured]


@dataclass
class Smooth:
    """The most viewers that were seen not to stall, and what they cost."""

    seen: Seen
    cpu_seconds: float
    peak_bytes: int

    @property
    def viewers(self) -> float:
        """How many; 0 where even the fewest stalled."""
        return float(self.seen.viewers) if self.seen.is_smooth else 0.0

    @property
    def cpu_seconds_per_gigabyte(self) -> float:
        return self.cpu_seconds / self.seen.bytes * 1e9


@dataclass
class Growth:
    running: RunningStack
    gateways: Gateways
    viewers: Viewers
    seconds: float
    drive: Drive

    # Paced viewers

    def smooth(self, url: str, film: Film, pids: Sequence[int], step: Step) -> Smooth:
        """The most viewers at 4 Mbit/s without a stall, of a server that is these processes."""
        for count in (MOST_VIEWERS, *FEWER_VIEWERS):
            step.detail = f"{count:,} viewers at 4 Mbit/s"
            meter = Meter({str(pid): pid for pid in pids})
            seen = self.viewers.watch(url, film.size, count, self.seconds, step)
            uses = meter.uses().values()
            found = Smooth(seen, sum(use.cpu_seconds for use in uses), sum(use.peak_bytes for use in uses))
            if seen.is_smooth:
                break
        return found

    def paced(self, film: Film, nginx_url: str, nginx: Sequence[int], step: Step) -> list[Row]:
        gateway = self.gateways.start(step, {})
        self.drive(step, gateway.address(film), Load(4), 2.0)
        ours = self.smooth(gateway.address(film), film, [gateway.process.pid], step)
        self.gateways.stop(gateway, step)
        peer = self.smooth(f"{nginx_url}/{film.name}", film, nginx, step)
        counts = ours.viewers, peer.viewers
        cost = ours.cpu_seconds_per_gigabyte, peer.cpu_seconds_per_gigabyte
        memory = ours.peak_bytes / MEMORY_LIMIT_BYTES
        return [
            Row("viewers at 4 Mbit/s, none of whom stalls", "viewers", *counts, counts[0] / max(counts[1], 1.0)),
            Row(
                "these viewers (peer: what is wanted)", "viewers", counts[0], float(MOST_VIEWERS), counts[0] / MOST_VIEWERS,
                Goal(">=", 1.0),
            ),
            Row("these viewers, processor time", "CPU s per GB", *cost, cost[0] / cost[1]),
            Row(
                "these viewers, memory (peer: the limit)", "bytes", float(ours.peak_bytes), float(MEMORY_LIMIT_BYTES), memory,
                Goal("<=", 1.0),
            ),
        ]  # fmt: skip

    # Connections that do nothing

    def idle(self, film: Film, nginx_url: str, nginx: Sequence[int], step: Step) -> list[Row]:
        gateway = self.gateways.start(step, {})
        self.drive(step, gateway.address(film), Load(4), 2.0)
        ours, beside = self._memory_of_idle(gateway.address(film), film, [gateway.process.pid], step)
        self.gateways.stop(gateway, step)
        peer, peer_beside = self._memory_of_idle(f"{nginx_url}/{film.name}", film, nginx, step)
        return [
            Row(f"{IDLE:,} idle connections, memory of each", "bytes", ours, peer, ours / max(peer, 1.0)),
            Row(f"first byte beside them, p99 of {BESIDE_IDLE}", "µs", beside.p99, peer_beside.p99),
        ]

    def _memory_of_idle(self, url: str, film: Film, pids: Sequence[int], step: Step) -> tuple[float, Seen]:
        step.detail = f"{IDLE:,} idle connections"
        before = sum(resident_bytes(pid) for pid in pids)
        meter = Meter({str(pid): pid for pid in pids})
        seen = self.viewers.watch(url, film.size, BESIDE_IDLE, 3.0, step, idle=IDLE)
        if seen.errors:
            raise Failure(f"{seen.errors} of {IDLE:,} idle connections had no answer", "look at the servers' logs")
        peak = sum(use.peak_bytes for use in meter.uses().values())
        return (peak - before) / IDLE, seen

    # More of everything

    def more_workers(self, film: Film, step: Step) -> list[Row]:
        rows, started = [], []
        for count in WORKER_COUNTS:
            while len(started) + 1 < count:
                port = network.free_ports(1)[0]
                name = f"{services.STORAGE}-{len(started) + 2}"
                process = self.running.family.start(name, services.STORAGE, port)
                wait_until(step, process, lambda process=process: services.is_ready(process), services.SECONDS_TO_READY)
                started.append(process)
            step.detail = f"{count} storage workers"
            gateway = self.gateways.start(step, {"CACHE_BYTES": "0"})
            carried = self.drive(step, gateway.address(film), Load(8), self.seconds)
            times = seeks.seek(gateway.process.port or 0, f"/video?id={film.id}", film.size, SEEKS)
            self.gateways.stop(gateway, step)
            name = f"{count} storage worker{'s' if count > 1 else ''}"
            rows += [
                Row(f"{name}: cold whole file, 8 connections", "bytes/s", carried.bytes_per_second),
                Row(f"{name}: first byte of a cold seek, p99", "µs", float(percentile(times, 99))),
            ]
        processes.stop(started, step.wait, lambda: step.interrupts.hurry)
        return rows

    def more_viewers(self, film: Film, step: Step) -> list[Row]:
        gateway = self.gateways.start(step, {})
        self.drive(step, gateway.address(film), Load(4), 2.0)
        rows = []
        for count in VIEWER_COUNTS:
            step.detail = f"{count:,} viewers at 4 Mbit/s"
            cpu = seconds_of(gateway.process.pid)
            seen = self.viewers.watch(gateway.address(film), film.size, count, self.seconds, step)
            cpu = seconds_of(gateway.process.pid) - cpu
            name = f"{count:,} viewer{'s' if count > 1 else ''} at 4 Mbit/s"
            rows += [
                Row(f"{name}: delivered (peer: asked for)", "bytes/s", seen.bytes_per_second, count * 500_000.0,
                    seen.bytes_per_second / (count * 500_000.0)),
                Row(f"{name}: first byte, p99", "µs", seen.p99),
                Row(f"{name}: processor time", "CPU s per GB", cpu / seen.bytes * 1e9),
            ]  # fmt: skip
        self.gateways.stop(gateway, step)
        return rows


def resident_bytes(pid: int) -> int:
    """Resident memory of a process (proc(5), /proc/PID/status)."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1_024
