"""The note of what was started, kept on disk from the moment of each start, so that any later command can end it."""

from __future__ import annotations

import json
import os
import shlex
import time
from pathlib import Path

from .layout import Layout
from .processes import Process, identity

# Ended in this order: those who ask before those who answer, and the servers last.
STOP_ORDER = ("video-streaming", "video-storage", "video-metadata", "guarded-mongod", "mongod", "rabbitmq", "epmd")


def kind_of(name: str) -> str:
    """The kind of a process: "video-storage" of "video-storage-2"."""
    stem, _, number = name.rpartition("-")
    return stem if number.isdigit() else name


def write_privately(path: Path, text: str) -> None:
    """Replaces a file in one move, readable by its owner only: these files hold passwords."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


class State:
    """The processes of one stack, and who looks after them in the foreground, if anybody."""

    def __init__(self, layout: Layout):
        self.layout = layout
        self._path = layout.processes
        self._stack_environment = layout.stack_environment
        self.processes: list[Process] = []
        self.keeper: tuple[int, str] | None = None
        self.load()

    def load(self) -> None:
        """Reads the note again; a missing or damaged one is an empty one."""
        try:
            note = json.loads(self._path.read_text())
            self.processes = [Process(**record) for record in note["processes"]]
            self.keeper = tuple(note["keeper"]) if note["keeper"] else None
        except (OSError, ValueError, TypeError, KeyError):
            self.processes, self.keeper = [], None

    def save(self) -> None:
        note = {"keeper": self.keeper, "processes": [process.as_record() for process in self.processes]}
        write_privately(self._path, json.dumps(note, indent=2) + "\n")

    def add(self, process: Process) -> Process:
        """Notes a process that has just been started, in the place of an earlier one of the same name."""
        self.processes = [other for other in self.processes if other.name != process.name] + [process]
        self.save()
        return process

    def keep(self) -> None:
        """Notes that this very process looks after the stack, so that ops/down can ask it to stop."""
        self.keeper = (os.getpid(), identity(os.getpid()))
        self.save()

    def release(self) -> None:
        """Nobody looks after the stack from now on; it runs by itself."""
        self.keeper = None
        self.save()

    @property
    def living_keeper(self) -> int | None:
        """Process id of the ops/up that starts or watches the stack, if there is one other than us."""
        if self.keeper is None or self.keeper[0] == os.getpid():
            return None
        pid, known_identity = self.keeper
        return pid if identity(pid) == known_identity else None

    @property
    def running(self) -> list[Process]:
        return [process for process in self.processes if process.runs]

    def named(self, kind: str) -> list[Process]:
        return [process for process in self.processes if kind_of(process.name) == kind]

    def in_stop_order(self) -> list[list[Process]]:
        """Living processes in groups that are ended one after the other; a kind that we do not know comes first."""
        groups: dict[int, list[Process]] = {}
        for process in self.running:
            kind = kind_of(process.name)
            place = STOP_ORDER.index(kind) if kind in STOP_ORDER else -1
            groups.setdefault(place, []).append(process)
        return [groups[place] for place in sorted(groups)]

    def clear(self) -> None:
        """Forgets everything: the stack is stopped."""
        self.processes, self.keeper = [], None
        for path in (self._path, self._stack_environment):
            path.unlink(missing_ok=True)


def shell_lines(values: dict[str, str]) -> str:
    """KEY=value lines that a shell can source and that a reader of plain lines understands where no quoting is due."""
    return "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items())


def since(moment: float) -> str:
    """How long ago, in one unit or two: "42 s", "3 min", "2 h 05 min"."""
    seconds = int(time.time() - moment)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
