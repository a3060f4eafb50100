"""Whatever a test run started and forgot: found as our own descendants, and ended.

A test process that crashes cannot end the services that it had started. Here this process takes over such orphans, as
an init process would, so that each of them is surely known to be ours.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

from .processes import children_of, identity

PR_SET_CHILD_SUBREAPER = 36


def adopt() -> None:
    """From now on, descendants whose parent has died become our children."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end(known: set[int]) -> list[str]:
    """Kills every child of ours that is not among the known; returns the names of those that were still alive.

    Killing one may hand us its own children, so this goes on until there are none. A child's id cannot be reused before
    we have collected the child, so nothing else can be hit.
    """
    ended: list[str] = []
    while True:
        strangers = [pid for pid in children_of(os.getpid()) if pid not in known]
        if not strangers:
            return ended
        for pid in strangers:
            if identity(pid):
                ended.append(f"{_name(pid)} ({pid})")
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"
