"""Puts the images into a registry, and sees that what comes back from there starts."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from .failure import Failure
from .images import SERVICES, TARGETS, TOOL, Docker
from .layout import Layout
from .progress import Progress, Step

# Long enough for a service to fail because something is missing in its image: it would end within a fraction of a second.
SECONDS_TO_WATCH = 3.0
# A service that is alone waits for its broker and its database. These lead nowhere.
NOWHERE = {"RABBIT": "amqp://nobody:nothing@127.0.0.1:9", "DBHOST": "mongodb://127.0.0.1:9", "DBNAME": "nothing"}
# What a health check may answer: all is well, or something (the broker) is missing. Others: it could not be run.
HEALTH_CODES = (0, 1)


class Publisher:
    """One run of ops/publish."""

    def __init__(self, place: str, tag: str, credentials: Path, layout: Layout, progress: Progress):
        self._place = place
        self._tag = tag
        self._credentials = credentials
        self._layout = layout
        self._progress = progress

    def log_in(self, user: str, password: str) -> None:
        registry = self._place.split("/")[0]
        with self._progress.step("log in") as step:
            step.detail = f"{user} at {registry}"
            answer = Docker(step, self._layout, self._credentials).ask(
                "login", "--username", user, "--password-stdin", registry, text=password
            )
            if answer.returncode != 0:
                lines = [line for line in answer.stderr.splitlines() if "WARNING" not in line]
                reason = lines[-1] if lines else "docker login failed"
                raise Failure(f"{registry} does not let {user} in: {reason}", "are user and password right?")

    def publish(self) -> dict[str, str]:
        """Builds, pushes, pulls and runs all images. Gives their digests in the registry, by name."""
        names = {image: f"{self._place}/{image}:{self._tag}" for image in TARGETS}
        for image, name in names.items():
            with self._progress.step(f"build {image}") as step:
                docker = Docker(step, self._layout)
                docker.build(image, self._tag, [name])
                step.detail = f"{docker.megabytes(name):.1f} MB"
        for image, name in names.items():
            with self._progress.step(f"push {image}") as step:
                self._docker(step).run(
                    "push", name, log=f"push-{image}", remedy="does the registry let this user push there?"
                )
                step.detail = name
        for name in names.values():
            with self._progress.step("remove it and pull it back") as step:
                step.detail = name
                self._fetch_back(self._docker(step), name)
        for image, name in names.items():
            self._try(image, name)
        with self._progress.step("note the digests") as step:
            return {name: self._digest(self._docker(step), name) for name in names.values()}

    def _docker(self, step: Step) -> Docker:
        return Docker(step, self._layout, self._credentials)

    def _fetch_back(self, docker: Docker, name: str) -> None:
        """Deletes the image under all of its names; layers that another image needs stay."""
        identifier = docker.output("image", "inspect", "--format", "{{.Id}}", name)
        docker.run("image", "rm", "--force", identifier)
        docker.run("pull", name, remedy="it was pushed; can this user read there?")

    def _digest(self, docker: Docker, name: str) -> str:
        found = docker.output("image", "inspect", "--format", "{{index .RepoDigests 0}}", name)
        return found.rpartition("@")[2]

    def _try(self, image: str, name: str) -> None:
        with self._progress.step(f"run {image}") as step:
            docker = Docker(step, self._layout)
            if image in SERVICES:
                self._try_service(docker, image, name)
            else:
                command = ["--help"] if image == TOOL else []
                docker.run("run", "--rm", "--read-only", "--network", "none", name, *command, log=f"run-{image}")
            step.detail = "starts"

    def _try_service(self, docker: Docker, image: str, name: str) -> None:
        """Starts a service by itself: it has to wait for its servers, and to answer its health check."""
        container = f"millrace-try-{secrets.token_hex(4)}"
        settings = [word for key, value in NOWHERE.items() for word in ("--env", f"{key}={value}")]
        if image == "video-storage":
            settings += ["--env", "STORAGE_DIRECTORY=/srv/videos"]
        arguments = ["--detach", "--read-only", "--cap-drop", "ALL", "--network", "none"]
        try:
            docker.run("run", *arguments, "--name", container, *settings, name, log=f"run-{image}")
            end = time.monotonic() + SECONDS_TO_WATCH
            while time.monotonic() < end:
                docker.step.wait(0.5)
            if docker.output("container", "inspect", "--format", "{{.State.Running}}", container) != "true":
                said = docker.ask("logs", "--tail", "5", container)
                raise Failure(f"{name} does not start:\n  {(said.stdout + said.stderr).strip()}", "is it of this tree?")
            code = docker.ask("exec", container, f"/usr/bin/{image}", "--healthcheck").returncode
            if code not in HEALTH_CODES:
                raise Failure(f"the health check of {name} cannot be run (code {code})", "is it of this tree?")
        finally:
            docker.ask("rm", "--force", container)
