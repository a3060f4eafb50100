"""A private virtual environment for a program of ours, with pinned packages from PyPI."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from . import commands, database
from .layout import Layout
from .progress import Step


@dataclass(frozen=True)
class PythonEnvironment:
    """Where it is, and what has to be in it."""

    name: str
    # Pinned, with everything that the packages need in turn: nothing else is installed.
    requirements: Path
    # What is told while it is made.
    contents: str

    def folder(self, layout: Layout) -> Path:
        return layout.tools / self.name

    def python(self, layout: Layout) -> str:
        return str(self.folder(layout) / "bin" / "python")

    def is_installed(self, layout: Layout) -> bool:
        """Whether the environment is there and holds what is wanted now."""
        try:
            return self._mark(layout).read_text() == self.requirements.read_text()
        except OSError:
            return False

    def install(self, layout: Layout, step: Step) -> None:
        """Makes the environment anew."""
        folder = self.folder(layout)
        log = layout.log(f"install-{self.name}")
        remedy = "look at the log; it needs PyPI"
        shutil.rmtree(folder, ignore_errors=True)
        step.detail = "making a virtual environment"
        commands.run([database.python_with_venv(layout, step), "-m", "venv", str(folder)], step, log, remedy)
        step.detail = f"{self.contents} from PyPI"
        arguments = ["install", "--quiet", "--no-deps", "--only-binary", ":all:"]
        commands.run(
            [self.python(layout), "-m", "pip", *arguments, "--requirement", str(self.requirements)], step, log, remedy
        )
        self._mark(layout).write_text(self.requirements.read_text())

    def _mark(self, layout: Layout) -> Path:
        return self.folder(layout) / "installed.txt"
