"""docker-compose.yaml, under a project name of its own."""

from __future__ import annotations

import json
import shutil

from . import commands
from .images import NO_ENGINE, Docker
from .failure import Failure
from .layout import ROOT, Layout
from .progress import Step

# With every combination in which the files are meant to be used.
FILES = ("docker-compose.yaml", "ops/compose.production.yaml")
COMBINATIONS = (
    ["--file", FILES[0]],
    ["--file", FILES[0], "--file", FILES[1]],
    ["--file", FILES[0], "--profile", "observe"],
    ["--file", FILES[0], "--profile", "azurite", "--env-file", "ops/azurite.env"],
    ["--file", FILES[0], "--file", FILES[1], "--profile", "observe", "--profile", "tool"],
)


def program() -> list[str]:
    """docker-compose (1.29 or 2), or docker's own plugin."""
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    if commands.output_of(["docker", "compose", "version"]):
        return ["docker", "compose"]
    raise Failure("there is no docker-compose", "Debian: apt-get install docker-compose")


def check_files(layout: Layout, step: Step) -> None:
    """Has docker-compose read the files. Needs no engine."""
    for arguments in COMBINATIONS:
        step.detail = " ".join(arguments)
        commands.run(
            [*program(), *arguments, "config", "--quiet"], step, layout.log("compose-config"), "mend the file",
            folder=ROOT,
        )
    step.detail = f"{len(COMBINATIONS)} combinations of files and profiles"


class Project:
    """A stack of containers that belongs to one run."""

    def __init__(self, name: str, port: int, layout: Layout):
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self._layout = layout
        # Without a cache: with one, the second play would need no worker at all.
        self._environment = {"GATEWAY_PORT": str(port), "CACHE_BYTES": "0"}
        self._environment |= {"DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}

    def run(self, step: Step, *arguments: str, remedy: str = "", log: str | None = None) -> None:
        """Runs docker-compose to its end."""
        commands.run(
            [*program(), "--project-name", self.name, "--file", FILES[0], *arguments],
            step,
            self._layout.log(log or f"compose-{arguments[0]}"),
            remedy or NO_ENGINE,
            environment=self._environment,
            folder=ROOT,
            on_line=lambda line: _show(step, line),
        )

    def containers(self, docker: Docker, service: str) -> list[str]:
        """Ids of a service's containers, those that have ended included."""
        labels = [f"label=com.docker.compose.project={self.name}", f"label=com.docker.compose.service={service}"]
        filters = [word for label in labels for word in ("--filter", label)]
        return docker.output("ps", "--all", "--quiet", "--no-trunc", *filters).split()

    def left(self, docker: Docker) -> list[str]:
        """Names of all containers that are there."""
        label = f"label=com.docker.compose.project={self.name}"
        return docker.output("ps", "--all", "--filter", label, "--format", "{{.Names}}").split()


def state(docker: Docker, container: str) -> str:
    """ "healthy", "starting", "unhealthy", or, where no health is looked after, "running" or "exited 0"."""
    answer = docker.ask("container", "inspect", "--format", "{{json .State}}", container)
    if answer.returncode != 0:
        return "gone"
    found = json.loads(answer.stdout)
    if found["Status"] != "running":
        return f"{found['Status']} {found['ExitCode']}"
    return str(found["Health"]["Status"]) if "Health" in found else "running"


def _show(step: Step, line: str) -> None:
    if line.strip():
        step.detail = line.strip()[:100]


