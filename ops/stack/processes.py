"""Starting, recognising and ending processes.

A process id alone proves nothing: after a crash or a reboot the number may belong to another program. A process is
therefore recognised by its id together with the moment of its start, and signalled through a descriptor of that very
process (pidfd), so that nothing else can ever be hit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

# How long a process that was killed may take to vanish: it only has to release its memory.
SECONDS_AFTER_KILL = 20.0

_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass
class Process:
    """A started process, with all that is needed to recognise it, to look after it and to start it again."""

    name: str
    pid: int
    identity: str
    command: list[str]
    environment: dict[str, str]
    log: str
    since: float
    port: int | None = None
    health: str | None = None
    drain_seconds: float = 20.0
    details: dict[str, str] = field(default_factory=dict)

    def as_record(self) -> dict[str, object]:
        return asdict(self)

    @property
    def log_path(self) -> Path:
        return Path(self.log)

    @property
    def runs(self) -> bool:
        return self.identity != "" and identity(self.pid) == self.identity

    def ending(self) -> str:
        """How it ended, as far as a parent can know: "exit code 1", "signal 9"; "ended" if it is no child of ours."""
        child = _children.get(self.pid)
        code = child.poll() if child is not None else None
        if code is None:
            return "ended"
        return f"signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit code {code}"


def identity(pid: int) -> str:
    """Boot id and start time of a living process; empty if there is none (a zombie counts as none)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    state, start_ticks = fields[0], fields[19]
    return "" if state in "ZX" else f"{boot}/{start_ticks}"


def children_of(parent: int) -> list[int]:
    """Process ids of the children of a process, zombies included."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and _parent(int(entry)) == parent:
            found.append(int(entry))
    return found


def _parent(pid: int) -> int | None:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def memory_bytes(pid: int) -> int:
    """Resident memory of a process, 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def start(
    name: str,
    command: Sequence[str],
    additions: dict[str, str],
    log: Path,
    base_environment: dict[str, str] | None = None,
) -> Process:
    """Starts a process in a session of its own, so that a terminal's Ctrl-C reaches only us and we decide the order.

    The log of the run before is kept beside the new one as `NAME.log.before`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(log.name + ".before"))
    base = dict(os.environ) if base_environment is None else base_environment
    with log.open("wb") as output:
        child = subprocess.Popen(
            list(command),
            env=base | additions,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _children[child.pid] = child
    return Process(
        name=name,
        pid=child.pid,
        identity=identity(child.pid),
        command=list(command),
        environment=dict(additions),
        log=str(log),
        since=time.time(),
    )


def open_descriptor(process: Process) -> int | None:
    """A pidfd of exactly this process (readable when it has ended), or None if it does not run any more."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return None
    # Only now: had the number been taken over before the descriptor was opened, the identity would differ.
    if process.runs:
        return descriptor
    os.close(descriptor)
    return None


def stop(
    processes: Sequence[Process],
    wait: Callable[[float, list[int]], list[int]],
    hurry: Callable[[], bool],
) -> list[str]:
    """Ends processes together and returns when all are gone: SIGTERM first, SIGKILL after the drain time or in a hurry.

    Returns the names of those that had to be killed. A process that has ended already is no error.
    """
    open_ones = {process.name: (process, open_descriptor(process)) for process in processes}
    remaining = {name: (p, fd) for name, (p, fd) in open_ones.items() if fd is not None}
    killed: list[str] = []

    def signal_all(number: signal.Signals) -> None:
        for _, descriptor in remaining.values():
            try:
                signal.pidfd_send_signal(descriptor, number)
            except ProcessLookupError:
                pass

    def wait_until(deadline: float, may_hurry: bool) -> None:
        while remaining and time.monotonic() < deadline and not (may_hurry and hurry()):
            left = max(0.0, deadline - time.monotonic())
            ready = wait(min(left, 0.5), [descriptor for _, descriptor in remaining.values()])
            for name, (process, descriptor) in list(remaining.items()):
                if descriptor in ready:
                    os.close(descriptor)
                    _reap(process)
                    del remaining[name]

    if not hurry():
        signal_all(signal.SIGTERM)
        patience = max((process.drain_seconds for process, _ in remaining.values()), default=0.0)
        wait_until(time.monotonic() + patience, may_hurry=True)
    if remaining:
        killed = list(remaining)
        signal_all(signal.SIGKILL)
        wait_until(time.monotonic() + SECONDS_AFTER_KILL, may_hurry=False)
    return killed


def _reap(process: Process) -> None:
    child = _children.get(process.pid)
    if child is not None:
        child.wait()
