"""Holds broker and database to the promise that each service reaches what is its own, and nothing else.

A whole stack is started in a virtual host and a database with the users that ops makes, and plays the sample, which shows
that the rights are enough; a Prometheus reads what the services tell of it. Then ops/isolation tries everything else as each
of these users, which shows that they are narrow."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from . import commands, network, object_stores, observing, processes, sample, services
from .broker import Broker
from .database import Accounts
from .failure import Failure
from .layout import ROOT, Layout
from .progress import Progress
from .state import State

RAN = re.compile(r"^Ran (\d+) tests? in ")
WRITE_TOKEN = "a-write-token-of-the-test"


def check(
    layout: Layout, state: State, broker: Broker, databases: Accounts, virtual_host: str, products: Path, progress: Progress
) -> None:
    """Starts the stack, tries all doors, stops it again, and looks for passwords in the logs."""
    family = services.guarded(layout, state, products, broker, databases, WRITE_TOKEN, virtual_host)
    ports = iter(network.free_ports(len(services.KINDS)))
    started = [family.start(kind, kind, next(ports)) for kind in services.KINDS]
    try:
        services.await_ready(started, progress, "start services with users")
        sample.bring_in(family, layout, progress)
        sample.verify(f"http://{network.HOST}:{started[-1].port}", layout, progress)
        observing.check(started, layout, state, progress)
        addresses = _addresses(broker, databases, virtual_host)
        _try_doors(layout, progress, addresses)
    finally:
        with progress.step("stop the services") as step:
            processes.stop(started, step.wait, lambda: progress.interrupts.hurry)
    _look_for_secrets(layout, progress, {urlsplit(address).password or "" for address in addresses.values()})


def _addresses(broker: Broker, databases: Accounts, virtual_host: str) -> dict[str, str]:
    def variable(prefix: str, name: str) -> str:
        return f"{prefix}_{name.replace('-', '_').upper()}"

    users = (*services.KINDS, services.TOOL)
    return {variable("RABBIT", user): broker.url_for(user, virtual_host) for user in users} | {
        variable("DBHOST", worker): databases.url_for(worker) for worker in (services.METADATA, services.STORAGE)
    }


def _try_doors(layout: Layout, progress: Progress, addresses: dict[str, str]) -> None:
    counted: list[str] = []

    def read(line: str) -> None:
        if match := RAN.match(line):
            counted.append(match[1])

    with progress.step("try every door as every user") as step:
        commands.run(
            [object_stores.ENVIRONMENT.python(layout), "-m", "unittest", "discover", "-s", "ops/isolation", "-t", "ops"],
            step,
            layout.log("isolation"),
            "somebody may do what only another should: mend ops/rabbitmq/definitions.json or ops/mongo/users.json",
            environment=addresses,
            folder=ROOT,
            on_line=read,
        )
        step.detail = f"{' '.join(counted)} kinds of doors are shut"


def _look_for_secrets(layout: Layout, progress: Progress, secrets: set[str]) -> None:
    with progress.step("look for passwords in the logs") as step:
        files = [path for path in layout.logs.rglob("*") if path.is_file()]
        for path in files:
            text = path.read_bytes()
            if any(secret.encode() in text for secret in secrets | {WRITE_TOKEN} if secret):
                raise Failure(f"{path.name} has a password or the write token in it", "no log may", path)
        step.detail = f"{len(files)} files, none"
