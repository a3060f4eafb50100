"""`ops/test --containers`: builds all images, runs the stack of docker-compose.yaml out of them, plays the sample through
it while containers are killed, and publishes the images to a registry on this machine."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from . import compose, images, network, playing, registry, sample
from .compose import Project
from .failure import Failure
from .images import SERVICES, SETUP, TARGETS, TOOL, Docker
from .layout import Layout
from .playing import Play, Viewer
from .progress import Progress, Step

SECONDS_TO_HEALTH = 240.0
REPLICAS = 3
# Three addresses of the broker, two of the database, the administrator's password there, and the write token.
SECRETS = 7
# A stream stands still for 30 s at the most (STALL_SECONDS); a broker that is away for longer cuts it.
MOST_SECONDS_AWAY = 25.0
WORKERS = ("video-storage", "video-metadata")
SERVERS = ("db", "rabbit")
# Node's Alpine image of the book's service has 85 to 120 MB. The largest of ours is storage, a third of which are ICU's data
# (for libmongoc); what comes in unseen would be more than these few megabytes.
MOST_MEGABYTES = 95.0


def run(layout: Layout, progress: Progress) -> str:
    """Does all of it, and leaves no container, volume or network behind. Gives a summary in one line."""
    images.demand_engine()
    compose.program()
    project = Project(f"millrace-test-{secrets.token_hex(3)}", network.free_ports(1)[0], layout)
    started = time.monotonic()
    sizes = _build(project, layout, progress)
    try:
        _start(project, layout, progress)
        _check_guards(project, layout, progress)
        killed = _play_and_kill(project, layout, progress)
        with progress.step("docker-compose down") as step:
            project.run(step, "down")
            left = project.left(Docker(step, layout))
            if left:
                raise Failure(f"containers are left: {', '.join(left)}", "docker-compose down should remove them")
    finally:
        progress.interrupts.begin_stopping()
        with progress.step("remove containers and volumes") as step:
            project.run(step, "down", "--volumes", "--remove-orphans", "--timeout", "5", log="compose-remove")
    registry.publish_to_own(layout, progress)
    listed = ", ".join(f"{image} {size:.0f} MB" for image, size in sizes.items())
    seconds = time.monotonic() - started
    return f"Containers passed after {seconds:.0f} s: {listed}; killed while playing: {', '.join(killed)}."


def _build(project: Project, layout: Layout, progress: Progress) -> dict[str, float]:
    with progress.step("docker-compose build") as step:
        project.run(step, "build", remedy="read the end of its output")
        docker = Docker(step, layout)
        sizes = {image: docker.megabytes(f"{image}:latest") for image in TARGETS}
        step.detail = ", ".join(f"{image} {size:.1f} MB" for image, size in sizes.items())
    for image in SERVICES:
        if sizes[image] > MOST_MEGABYTES:
            raise Failure(f"{image} has {sizes[image]:.1f} MB", f"{MOST_MEGABYTES:.0f} MB are enough; what came in?")
    return sizes


def _await(step: Step, what: str, holds: Callable[[], bool], seconds: float = SECONDS_TO_HEALTH) -> None:
    deadline = time.monotonic() + seconds
    step.detail = f"waiting for {what}"
    while not holds():
        if time.monotonic() > deadline:
            raise Failure(f"{what}: not within {seconds:.0f} s", "see `docker ps --all` and `docker logs`")
        step.wait(0.3)


def _await_health(project: Project, docker: Docker, service: str, count: int = 1) -> None:
    def are_healthy() -> bool:
        states = [compose.state(docker, each) for each in project.containers(docker, service)]
        if any(each.startswith(("exited", "dead")) for each in states):
            said = docker.ask("logs", "--tail", "8", project.containers(docker, service)[0])
            raise Failure(f"{service} has ended: {states}\n{said.stdout}{said.stderr}", "mend what its log says")
        return states.count("healthy") >= count

    _await(docker.step, f"{service} to be healthy", are_healthy)


def _start(project: Project, layout: Layout, progress: Progress) -> None:
    with progress.step("docker-compose up") as step:
        project.run(step, "up", "--detach", remedy="see `docker logs` of what did not become healthy")
        docker = Docker(step, layout)
        for service in (*SERVERS, *SERVICES):
            _await_health(project, docker, service)
        importer = project.containers(docker, TOOL)[0]
        _await(step, "the sample's import", lambda: compose.state(docker, importer).startswith("exited"))
        if compose.state(docker, importer) != "exited 0":
            said = docker.ask("logs", "--tail", "8", importer)
            raise Failure(f"the sample was not imported: {said.stdout}{said.stderr}", "mend what it says")
        step.detail = "all are healthy, the sample is there"
    sample.verify(project.url, layout, progress)
    with progress.step(f"docker-compose up --scale video-storage={REPLICAS}") as step:
        scale = ["--scale", f"video-storage={REPLICAS}"]
        project.run(step, "up", "--detach", "--no-recreate", *scale, log="compose-scale")
        _await_health(project, Docker(step, layout), "video-storage", REPLICAS)
        step.detail = f"{REPLICAS} are healthy"


def _check_guards(project: Project, layout: Layout, progress: Progress) -> None:
    """What a container may not do, and that no image and no log holds a secret."""
    with progress.step("look at users, file systems, secrets") as step:
        docker = Docker(step, layout)
        for service in SERVICES:
            container = project.containers(docker, service)[0]
            form = "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}"
            found = docker.output("container", "inspect", "--format", form, container)
            if found != "10001:10001 true [ALL]":
                raise Failure(f"{service} runs as: {found}", "it wants user 10001, a read-only root, no capability")
        known = set(_secrets(project, docker).values())
        all_services = (*SERVERS, *SERVICES, TOOL, "secrets", "db-users")
        logs = "".join(_logs(project, docker, service) for service in all_services)
        if any(secret in logs for secret in known):
            raise Failure("a password or the write token is in a log", "find it with docker-compose logs")
        for image in TARGETS:
            step.detail = f"layers of {image}"
            _look_into(docker, image, known)
        step.detail = f"{len(known)} secrets, none in {len(TARGETS)} images and the logs"


def _secrets(project: Project, docker: Docker) -> dict[str, str]:
    """All passwords and tokens of the stack, out of its volumes, by the file that holds them."""
    readers = (*SERVICES, "db")
    volumes = [
        word for name in readers for word in ("--volume", f"{project.name}_secrets-{name}:/secrets/{name}:ro")
    ]
    script = "cd /secrets && for file in */*; do printf '%s ' \"$file\"; tr -d '\\n' <\"$file\"; echo; done"
    text = docker.output("run", "--rm", "--network", "none", *volumes, f"{SETUP}:latest", "sh", "-c", script)
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, _, content = line.partition(" ")
        if name.endswith("write-token"):
            found[name] = content
        elif name.endswith(("rabbit", "dbhost")):
            found[name] = urlsplit(content).password or ""
        else:
            found[name] = str(json.loads(content)["password"])
    if len(found) != SECRETS or "" in found.values():
        raise Failure(f"{sorted(found)} are in the volumes, not {SECRETS} secrets", "does ops/secrets make others?")
    return found


def _logs(project: Project, docker: Docker, service: str) -> str:
    answers = [docker.ask("logs", container) for container in project.containers(docker, service)]
    return "".join(answer.stdout + answer.stderr for answer in answers)


def _look_into(docker: Docker, image: str, known: set[str]) -> None:
    """Reads all layers of an image, which `docker save` gives unpacked, one after the other."""
    path = docker.layout.directory / "image.tar"
    try:
        docker.run("save", "--output", str(path), f"{image}:latest")
        content = path.read_bytes()
    finally:
        path.unlink(missing_ok=True)
    if any(secret.encode() in content for secret in known):
        raise Failure(f"a secret is in a layer of {image}", "what did the Dockerfile copy?")


def _play_and_kill(project: Project, layout: Layout, progress: Progress) -> list[str]:
    killed: list[str] = []
    with progress.step("upload a film") as step:
        token = _secrets(project, Docker(step, layout))["video-streaming/write-token"]
        url, film = playing.upload_film(project.url, token)
        step.detail = f"{len(film):,} bytes"
    with Viewer(url, film) as viewer:
        for service in (*WORKERS, *SERVERS, "video-streaming"):
            with progress.step(f"kill {service} while playing") as step:
                step.detail = _kill(project, Docker(step, layout), viewer, service)
            killed.append(service)
    wrong = [play.fault for play in viewer.plays if play.is_wrong]
    if wrong:
        raise Failure(f"bytes came that are not the sample's: {wrong[0]}", "this is a defect; nothing excuses it")
    return killed


def _kill(project: Project, docker: Docker, viewer: Viewer, service: str) -> str:
    """Kills a container in the middle of a play, starts it again by hand, and waits until a play has come to its end that
    was begun after that. Gives what the viewer saw."""
    step = docker.step
    play = _fresh_play(step, viewer)
    victim = next(each for each in project.containers(docker, service) if compose.state(docker, each) == "healthy")
    before = len(viewer.plays)
    docker.run("kill", victim)
    moment = time.monotonic()
    # By hand and alone, as an operator would: others may be waiting for it, and be unhealthy just now.
    scale = ["--scale", f"video-storage={REPLICAS}"] if service == "video-storage" else []
    project.run(step, "up", "--detach", "--no-deps", "--no-recreate", *scale, service, log="compose-again")
    _await_health(project, docker, service, REPLICAS if service == "video-storage" else 1)
    away = time.monotonic() - moment
    _await(step, "the play to end", lambda: play.ended > 0)
    if play.fault and service != "video-streaming" and away < MOST_SECONDS_AWAY:
        raise Failure(f"killing {service} broke a play off: {play.fault}", "see the logs of the services")
    again = len(viewer.plays)
    _await(
        step, "a whole play", lambda: any(each.ended and not each.fault for each in viewer.plays[again:])
    )
    failed = sum(1 for each in viewer.plays[before:] if each.fault)
    went_on = f"was cut ({play.fault})" if play.fault else "went on to its end"
    return f"away {away:.0f} s; the play {went_on}; {failed} new ones refused meanwhile"


def _fresh_play(step: Step, viewer: Viewer) -> Play:
    """A play that has begun just now, so that it is under way when something is killed."""
    known = viewer.current()
    _await(step, "a play to begin", lambda: viewer.current() not in (None, known))
    play = viewer.current()
    assert play is not None
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        step.wait(0.2)
    return play

