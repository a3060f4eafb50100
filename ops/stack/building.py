"""Builds the Swift package and shows how far it is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from . import commands
from .failure import Failure
from .layout import Layout
from .progress import Progress

# "[12/345] Compiling Domain Video.swift", as swift build prints it.
PROGRESS_LINE = re.compile(r"^\[(\d+)/(\d+)\] (.*)")
ERROR_LINE = re.compile(r"^(.*: )?error: ")
# A first build is a thousand compiler runs; its errors can be many, and the first ones matter.
MOST_ERRORS_SHOWN = 5


def build(layout: Layout, progress: Progress, title: str, arguments: list[str]) -> None:
    """Runs `swift build` with these arguments. Does only what changes since the last build made necessary."""
    if shutil.which("swift") is None:
        raise Failure("swift is not on the PATH", "install the Swift 6.3 toolchain from https://swift.org/install")
    log = layout.log("build-tests" if "--build-tests" in arguments else "build")
    errors: list[str] = []

    def read(line: str) -> None:
        if ERROR_LINE.match(line) and line not in errors:
            errors.append(line)
        step.detail = shown(line) or step.detail

    with progress.step(title) as step:
        try:
            commands.run(["swift", "build", *arguments], step, log, "", folder=layout.root, on_line=read)
        except Failure as failure:
            raise _explained(errors, log) from failure
        step.detail = ""


def shown(line: str) -> str:
    """What a line of the build says about its progress, empty for a line that says nothing."""
    match = PROGRESS_LINE.match(line)
    if match:
        return f"[{match[1]}/{match[2]}] {match[3]}"
    return line if line.startswith(("Fetching", "Cloning", "Computing", "Creating working copy")) else ""


def _explained(errors: list[str], log: Path) -> Failure:
    if not errors:
        return Failure("swift build failed", "read the end of its output below", log)
    first = "\n  ".join(errors[:MOST_ERRORS_SHOWN])
    return Failure(f"swift build failed:\n  {first}", f"mend the source; the whole output is in {log}")


def products(layout: Layout, arguments: list[str]) -> Path:
    """The folder of the executables that `build` makes with these arguments."""
    found = commands.output_of(["swift", "build", *arguments, "--show-bin-path"], layout.root)
    if not found:
        raise Failure("swift build --show-bin-path says nothing", "does `swift build` work in the clone?")
    return Path(found)
