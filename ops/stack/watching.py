"""Looks after a running stack in the foreground: says which process has ended, until a signal comes."""

from __future__ import annotations

import os

from .failure import last_lines
from .processes import Process, open_descriptor
from .progress import Progress
from .services import KINDS
from .state import State, kind_of

SECONDS_BETWEEN_LOOKS_AT_THE_NOTE = 1.0
LOG_LINES_SHOWN = 5


def watch(state: State, progress: Progress) -> None:
    """Reports every process that ends. Restarts none: a restart would hide the fault. Ends only by `Stopped`.

    The note is read again each second, so that a process started by `ops/up --restart` is looked after, too.
    """
    watched: dict[int, Process] = {}
    reported: set[str] = set()
    try:
        while True:
            state.load()
            known = {process.identity for process in watched.values()} | reported
            for process in state.processes:
                if process.identity not in known:
                    _look_after(process, watched, reported, progress)
            for descriptor in progress.interrupts.wait(SECONDS_BETWEEN_LOOKS_AT_THE_NOTE, list(watched)):
                process = watched.pop(descriptor)
                os.close(descriptor)
                reported.add(process.identity)
                report(process, progress)
    finally:
        for descriptor in watched:
            os.close(descriptor)


def _look_after(process: Process, watched: dict[int, Process], reported: set[str], progress: Progress) -> None:
    descriptor = open_descriptor(process)
    if descriptor is None:
        reported.add(process.identity)
        report(process, progress)
    else:
        watched[descriptor] = process


def report(process: Process, progress: Progress) -> None:
    """Says that a process has ended, why if we know, and what to do."""
    progress.say(f"\n{process.name} (process {process.pid}) is gone: {process.ending()}. The rest goes on.")
    for line in last_lines(process.log_path, LOG_LINES_SHOWN):
        progress.say(f"  | {line}")
    if kind_of(process.name) in KINDS:
        progress.say(f"  log: {process.log}\n  start it again: ops/up --restart {process.name}")
    else:
        progress.say(f"  log: {process.log}\n  start again with Ctrl-C and ops/up; the data are kept")
