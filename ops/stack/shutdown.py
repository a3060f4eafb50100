"""Ends a stack in order and leaves nothing behind."""

from __future__ import annotations

from .processes import stop
from .progress import Progress
from .state import State, kind_of


def shut_down(state: State, progress: Progress) -> None:
    """Ends every living process of a stack, those who ask before those who answer. A further signal kills the rest.

    Reads the note again first: another command may have started a process in the meantime. Call
    `Interrupts.begin_stopping` before, unless the stack is somebody else's remains.
    """
    interrupts = progress.interrupts
    state.load()
    for group in state.in_stop_order():
        names = ", ".join(process.name for process in group)
        with progress.step(f"stop {kind_of(group[0].name)}") as step:
            step.detail = names if len(group) > 1 else ""
            killed = stop(group, step.wait, lambda: interrupts.hurry)
            if killed and not interrupts.hurry:
                step.detail = f"{', '.join(killed)} did not end in time and was killed"
            elif killed:
                step.detail = "killed"
    state.clear()
