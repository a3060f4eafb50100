"""Millrace's services as processes: what each needs in its environment, how many run, and when they are ready."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from . import network
from .broker import VIRTUAL_HOST, Broker
from .database import Accounts
from .failure import Failure
from .layout import Layout
from .processes import Process, start
from .progress import Progress
from .servers import wait_until
from .state import State

METADATA, STORAGE, GATEWAY = "video-metadata", "video-storage", "video-streaming"
TOOL = "millrace"
# Started in this order: who answers before who asks.
KINDS = (METADATA, STORAGE, GATEWAY)
MOST_REPLICAS = 32
SECONDS_TO_READY = 60.0
# A service drains for up to 15 s after SIGTERM; a little more, before it is killed.
DRAIN_SECONDS = 20.0


def kind_named(name: str) -> str:
    """The service that a person means by "storage" or "video-storage"."""
    for kind in KINDS:
        if name in (kind, kind.removeprefix("video-")):
            return kind
    choices = ", ".join(kind.removeprefix("video-") for kind in KINDS)
    raise Failure(f"there is no service called '{name}'", f"the services are {choices}")


def parse_replicas(text: str) -> dict[str, int]:
    """Reads "metadata=2,storage=3"; whoever is not named runs once."""
    replicas = dict.fromkeys(KINDS, 1)
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = part.partition("=")
        if not number.strip().isdigit() or not 1 <= int(number) <= MOST_REPLICAS:
            raise Failure(
                f"'{part}' does not say how many of a service to start",
                f"write for example --replicas metadata=2,storage=3; each from 1 to {MOST_REPLICAS}",
            )
        replicas[kind_named(name.strip())] = int(number)
    return replicas


def names(kind: str, count: int) -> list[str]:
    """"video-storage", "video-storage-2", "video-storage-3"."""
    return [kind if number == 1 else f"{kind}-{number}" for number in range(1, count + 1)]


@dataclass
class Services:
    """Starts services against running servers and notes each the moment it exists."""

    layout: Layout
    state: State
    products: Path
    common: dict[str, str]
    by_kind: dict[str, dict[str, str]]
    # What the operator's tool gets.
    tool: dict[str, str]

    def start(self, name: str, kind: str, port: int) -> Process:
        executable = self.products / kind
        if not executable.exists():
            raise Failure(f"{executable} is missing", "start without --skip-build")
        environment = self.common | self.by_kind[kind] | {"PORT": str(port)}
        return launch(name, [str(executable)], environment, port, self.layout, self.state)


def launch(
    name: str, command: list[str], environment: dict[str, str], port: int, layout: Layout, state: State
) -> Process:
    """Starts one service and notes it."""
    process = start(name, command, environment, layout.log(name))
    process.port = port
    process.health = f"http://{network.HOST}:{port}/readyz"
    process.drain_seconds = DRAIN_SECONDS
    return state.add(process)


def guarded(
    layout: Layout,
    state: State,
    products: Path,
    broker: Broker,
    databases: Accounts,
    write_token: str,
    virtual_host: str = VIRTUAL_HOST,
) -> Services:
    """Services that each have users of their own: the gateway none at a database, a worker only at its own."""
    storage = {"STORAGE_DIRECTORY": str(layout.storage)}
    rabbit = {kind: {"RABBIT": broker.url_for(kind, virtual_host)} for kind in (*KINDS, TOOL)}
    by_kind = {
        METADATA: rabbit[METADATA] | {"DBHOST": databases.url_for(METADATA), "DBNAME": METADATA},
        STORAGE: rabbit[STORAGE]
        | storage
        | {"DBHOST": databases.url_for(STORAGE), "DBNAME": STORAGE, "STORAGE_PROVIDER": "filesystem"},
        GATEWAY: rabbit[GATEWAY] | {"WRITE_TOKEN": write_token},
    }
    return Services(layout, state, products, {"HOST": network.HOST}, by_kind, rabbit[TOOL] | storage)


def await_ready(processes: list[Process], progress: Progress, title: str) -> None:
    """Waits until each says that it is ready."""
    with progress.step(title) as step:
        for process in processes:
            step.detail = f"waiting for {process.name} on port {process.port}"
            wait_until(step, process, lambda process=process: is_ready(process), SECONDS_TO_READY)
        step.detail = ""


def restart(name: str, state: State, layout: Layout, progress: Progress) -> list[Process]:
    """Starts those services of a running stack again that have ended: all of a kind, or one by its own name."""
    chosen = [process for process in state.processes if process.name == name] or state.named(kind_named(name))
    ended = [process for process in chosen if not process.runs]
    started = [
        launch(each.name, each.command, each.environment, each.port or 0, layout, state) for each in ended
    ]
    if started:
        await_ready(started, progress, f"start {', '.join(each.name for each in started)}")
    return started


# Straight to the loopback address, whatever proxy the environment names.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def health(process: Process, seconds: float = 2.0) -> str:
    """What a process says of itself: "ready", "not ready" (answers, but not with 200), "silent" or "ended".

    One that has no health endpoint is "running" as long as it takes connections.
    """
    if not process.runs:
        return "ended"
    if process.health is None:
        return "running" if process.port is None or network.accepts(process.port) else "silent"
    try:
        with _direct.open(process.health, timeout=seconds):
            return "ready"
    except urllib.error.HTTPError:
        return "not ready"
    except OSError:
        return "silent"


def is_ready(process: Process) -> bool:
    return health(process) == "ready"
