"""The two servers that everything stands on: a private RabbitMQ node and a private mongod."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import broker, certificates, database, network, object_stores, packages
from .failure import Failure
from .layout import Layout
from .processes import Process
from .progress import Progress, Step
from .state import State

# RabbitMQ needs about 8 s on two free cores; a machine that builds something beside it takes several times that.
SECONDS_TO_START = 120.0


@dataclass
class Servers:
    broker: broker.Broker
    # Nobody has to log in there; empty where everybody has to.
    database_url: str
    database_program: Path
    certificates: certificates.Certificates | None = None
    object_stores: object_stores.ObjectStores | None = None
    # Where the services have users of their own.
    accounts: database.Accounts | None = None


def install_missing(
    layout: Layout, progress: Progress, with_servers: bool = True, also: Sequence[str] = ()
) -> None:
    """Installs whatever the build and the servers need (and `also` names) and this machine lacks.

    Silent when nothing is missing.
    """
    absent = packages.missing([*packages.TO_BUILD, *(packages.TO_RUN if with_servers else ()), *also])
    if absent:
        with progress.step("install Debian packages") as step:
            packages.install(absent, layout, step)
            step.detail = " ".join(absent)
    if not with_servers:
        return
    mongod = database.find(layout)
    if mongod is None:
        with progress.step("install mongod") as step:
            mongod = database.install(layout, step)
            step.detail = str(mongod.relative_to(layout.root))
    libraries = database.missing_libraries(mongod)
    if libraries:
        with progress.step("install libraries for mongod") as step:
            database.install_libraries(libraries, mongod, layout, step)


def start_servers(
    layout: Layout, state: State, progress: Progress, virtual_hosts: list[str], with_tls: bool = False,
    guarded_hosts: Sequence[str] = (), with_accounts: bool = False, with_default_cache: bool = False,
) -> Servers:
    """Starts both at once, waits until both answer, and notes each the moment it exists.

    In `guarded_hosts` each service has a user of its own at the broker, `with_accounts` at the database as well. A mongod
    `with_default_cache` takes half of the memory when it needs it, as in an installation, and not a quarter of a gigabyte.
    """
    mongod = database.find(layout)
    if mongod is None or shutil.which("epmd") is None:
        raise Failure("mongod or epmd is missing", "ops/up and ops/test install them; what did their last run say?")
    ports = network.free_ports(5)
    node = broker.Broker(layout, (ports[0], ports[1], ports[2]), virtual_hosts)
    node.guard(list(guarded_hosts))
    accounts = database.Accounts(layout, ports[3]) if with_accounts else None
    with progress.step("start RabbitMQ and mongod") as step:
        database_process = state.add(database.start_database(layout, mongod, ports[3], accounts, with_default_cache))
        mapper_process = state.add(node.start_mapper())
        step.detail = "waiting for the Erlang port mapper"
        wait_until(step, mapper_process, lambda: network.accepts(node.mapper_port))
        made = certificates.make(layout, step) if with_tls else None
        if made is not None:
            node.take_tls(ports[4], made)
        broker_process = node.start_node()
        broker_process.details["administrator"] = node.url_of(broker.VIRTUAL_HOST)
        if broker.VIRTUAL_HOST in guarded_hosts:
            broker_process.details["tool"] = node.url_for("millrace")
        state.add(broker_process)
        step.detail = f"waiting for mongod on port {ports[3]}"
        wait_until(step, database_process, lambda: network.accepts(ports[3]))
        if accounts is not None:
            accounts.make(step)
        # A node opens its port as the last act of its start, after users and virtual hosts are there.
        step.detail = f"waiting for RabbitMQ on port {node.port}"
        wait_until(step, broker_process, lambda: all(network.accepts(port) for port in node.ports))
        step.detail = f"RabbitMQ on port {node.port}, mongod on port {ports[3]}"
    return Servers(node, "" if with_accounts else database.url(ports[3]), mongod, made, accounts=accounts)


def start_guarded_database(layout: Layout, state: State, progress: Progress, mongod: Path) -> database.Accounts:
    """Starts one more mongod, in which the services have users of their own."""
    port = network.free_ports(1)[0]
    accounts = database.Accounts(layout, port, "guarded-mongod")
    with progress.step("start a mongod with users") as step:
        process = state.add(database.start_database(layout, mongod, port, accounts))
        wait_until(step, process, lambda: network.accepts(port))
        accounts.make(step)
        step.detail = f"on port {port}"
    return accounts


def install_object_stores(layout: Layout, progress: Progress) -> None:
    """Installs the test servers of S3 and Azure, if they are not there."""
    if object_stores.ENVIRONMENT.is_installed(layout):
        return
    with progress.step("install S3 and Azure test servers") as step:
        object_stores.ENVIRONMENT.install(layout, step)


def start_object_stores(layout: Layout, state: State, progress: Progress) -> object_stores.ObjectStores:
    """Starts the test servers of S3 and Azure, and waits until both answer."""
    s3_port, azure_port = network.free_ports(2)
    with progress.step("start S3 and Azure test servers") as step:
        started = [
            (state.add(object_stores.start_s3(layout, s3_port)), s3_port),
            (state.add(object_stores.start_azure(layout, azure_port)), azure_port),
        ]
        for process, port in started:
            step.detail = f"waiting for {process.name} on port {port}"
            wait_until(step, process, lambda port=port: network.accepts(port))
        step.detail = f"S3 on port {s3_port}, Azure on port {azure_port}"
    return object_stores.ObjectStores(s3_port, azure_port)


def wait_until(step: Step, process: Process, ready, seconds: float = SECONDS_TO_START) -> None:
    """Waits until `ready()` is true; fails at once when the process ends, and after `seconds` otherwise."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not process.runs:
            raise Failure(f"{process.name} did not start ({process.ending()})", "look at its log", process.log_path)
        if time.monotonic() > deadline:
            raise Failure(
                f"{process.name} was not ready after {seconds:.0f} s",
                "look at its log; on a very slow machine simply try again",
                process.log_path,
            )
        step.wait(0.1)
