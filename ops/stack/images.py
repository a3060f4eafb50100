"""Building, naming and measuring the images of ops/Dockerfile."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import commands
from .failure import Failure
from .layout import ROOT, Layout
from .progress import Step

SERVICES = ("video-streaming", "video-metadata", "video-storage")
TOOL, SETUP = "millrace", "millrace-setup"
# Target of the Dockerfile by image.
TARGETS = {name: name for name in (*SERVICES, TOOL)} | {SETUP: "setup"}
# What others may put in the place of the official images, for all that is built.
BASES = ("SWIFT_IMAGE", "RUNTIME_IMAGE")
NO_ENGINE = "start Docker (Debian: apt-get install docker.io), and see whether `docker info` works for you"


def demand_engine() -> None:
    """Fails, and says so, where no container can be run."""
    if shutil.which("docker") is None:
        raise Failure("there is no docker on the PATH", NO_ENGINE)
    finished = subprocess.run(["docker", "info"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if finished.returncode != 0:
        lines = (finished.stderr or finished.stdout).strip().splitlines()
        raise Failure(f"no container engine answers: {lines[-1] if lines else 'docker info failed'}", NO_ENGINE)


@dataclass(frozen=True)
class Docker:
    """The docker client, with a configuration (credentials) of its own where that is wanted."""

    step: Step
    layout: Layout
    configuration: Path | None = None

    def run(self, *arguments: str, remedy: str = "", log: str = "docker", **options: object) -> None:
        commands.run(
            ["docker", *arguments],
            self.step,
            self.layout.log(log),
            remedy or "read the end of its output",
            environment=self.environment,
            folder=ROOT,
            **options,
        )

    @property
    def environment(self) -> dict[str, str]:
        found = {"DOCKER_BUILDKIT": "1"}
        if self.configuration is not None:
            found["DOCKER_CONFIG"] = str(self.configuration)
        return found

    def output(self, *arguments: str) -> str:
        return self.ask(*arguments).stdout.strip()

    def ask(self, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs a short command to its end, whatever that is; `text` is its standard input."""
        return subprocess.run(
            ["docker", *arguments],
            input=text if text is not None else "",
            capture_output=True,
            text=True,
            env=dict(os.environ) | self.environment,
            cwd=ROOT,
        )

    def build(self, image: str, tag: str, names: Sequence[str] = ()) -> None:
        """Builds one image. Layers that are there already are used again."""
        arguments = ["build", "--file", "ops/Dockerfile", "--target", TARGETS[image], "--tag", f"{image}:{tag}"]
        for name in names:
            arguments += ["--tag", name]
        for base in BASES:
            if os.environ.get(base):
                arguments += ["--build-arg", base]
        arguments += ["--build-arg", f"VERSION={tag}", "--build-arg", f"REVISION={revision()}", "."]
        self.run(*arguments, log=f"build-{image}", on_line=self._show)

    def _show(self, line: str) -> None:
        # "#12 [build 2/2] RUN …" of BuildKit, "Step 3/9 : RUN …" of the older builder; "#12 34.5 [6/50] Compiling …".
        if "Compiling" in line or line.startswith("Step ") or " [" in line[:6]:
            self.step.detail = line[:100]

    def megabytes(self, image: str) -> float:
        """The size of an image on this machine, unpacked."""
        return int(self.output("image", "inspect", "--format", "{{.Size}}", image) or 0) / 1_000_000


def revision() -> str:
    """The commit that the images are made of, with a mark when files differ from it."""
    commit = commands.output_of(["git", "rev-parse", "HEAD"], ROOT) or "unknown"
    changed = commands.output_of(["git", "status", "--porcelain", "--untracked-files=no"], ROOT)
    return f"{commit}-changed" if changed else commit
