"""A stack of servers for one test run: its own folder, its own ports, and nothing left afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import cluster, network, object_stores, services
from .layout import ROOT, Layout
from .progress import Progress
from .servers import Servers, start_object_stores, start_servers
from .shutdown import shut_down
from .state import State

# Virtual hosts of their own, so that integration tests, end-to-end tests and the test of who may do what do not see each
# other's queues. The first is bare, as the broker of somebody who only tries: a service makes what it needs.
INTEGRATION, END_TO_END, ISOLATION = "/", "end-to-end", "isolation"
PREFIX = "test-"


@contextmanager
def servers(
    progress: Progress, with_cluster: bool = False, with_object_stores: bool = False, with_default_cache: bool = False
) -> Iterator[tuple[State, Servers, dict[str, str]]]:
    """Private servers with throwaway data, gone when the block ends, however it ends.

    Gives the note of what runs, the servers, and the environment that integration and end-to-end tests read.
    """
    home = ROOT / ".millrace"
    home.mkdir(exist_ok=True)
    clean_up_after_the_dead(home, progress)
    layout = Layout(Path(tempfile.mkdtemp(prefix=PREFIX, dir=home)))
    layout.make()
    state = State(layout)
    state.keep()
    try:
        hosts = [INTEGRATION, END_TO_END, ISOLATION]
        started = start_servers(
            layout,
            state,
            progress,
            hosts,
            with_tls=True,
            guarded_hosts=[END_TO_END, ISOLATION],
            with_default_cache=with_default_cache,
        )
        if with_object_stores:
            started.object_stores = start_object_stores(layout, state, progress)
        found = environment(started)
        if with_object_stores:
            found["TEST_PYTHON"] = object_stores.ENVIRONMENT.python(layout)
        if with_cluster:
            nodes = cluster.start(layout, state, progress, started.broker.mapper_port)
            found |= {"RABBIT_CLUSTER": nodes.url, "RABBIT_CLUSTER_PIDS": nodes.process_ids}
        yield state, started, found
    finally:
        progress.interrupts.begin_stopping()
        shut_down(state, progress)
        keep_logs(layout, home)
        shutil.rmtree(layout.directory, ignore_errors=True)


@dataclass
class RunningStack:
    """Servers and workers that a benchmark has for itself; it starts what stands before them."""

    layout: Layout
    state: State
    family: services.Services
    broker_url: str


@contextmanager
def stack(progress: Progress, products: Path) -> Iterator[RunningStack]:
    """A whole stack but for the gateway, with throwaway data, gone when the block ends, however it ends."""
    with servers(progress) as (state, _, found):
        layout = state.layout
        common = {"HOST": network.HOST, "RABBIT": found["RABBIT"]}
        by_kind = {
            services.METADATA: {"DBHOST": found["DBHOST"], "DBNAME": services.METADATA},
            services.STORAGE: {
                "DBHOST": found["DBHOST"],
                "DBNAME": services.STORAGE,
                "STORAGE_PROVIDER": "filesystem",
                "STORAGE_DIRECTORY": str(layout.storage),
            },
            services.GATEWAY: {},
        }
        tool = {"RABBIT": found["RABBIT"], "STORAGE_DIRECTORY": str(layout.storage)}
        family = services.Services(layout, state, products, common, by_kind, tool)
        ports = network.free_ports(2)
        workers = [
            family.start(kind, kind, port)
            for kind, port in zip((services.METADATA, services.STORAGE), ports, strict=True)
        ]
        services.await_ready(workers, progress, "start the workers")
        yield RunningStack(layout, state, family, found["RABBIT"])


def keep_logs(layout: Layout, home: Path) -> None:
    """Moves the servers' logs to where the logs of the stack are, in the place of those of the run before."""
    kept = home / "logs" / "test-servers"
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(exist_ok=True)
    layout.logs.replace(kept)


def environment(started: Servers) -> dict[str, str]:
    assert started.certificates is not None
    return {
        "RABBIT": started.broker.url_of(INTEGRATION),
        "RABBIT_END_TO_END": started.broker.url_of(END_TO_END),
        **{
            f"RABBIT_{name.replace('-', '_').upper()}": started.broker.url_for(name, END_TO_END)
            for name in (*services.KINDS, services.TOOL)
        },
        "RABBITMQ_CTL": str(started.broker.control),
        "DBHOST": started.database_url,
        "MONGOD": str(started.database_program),
        "RABBIT_TLS": started.broker.tls_url,
        "RABBIT_CA_FILE": str(started.certificates.authority),
        "RABBIT_OTHER_CA_FILE": str(started.certificates.other_authority),
        **(started.object_stores.environment if started.object_stores is not None else {}),
    }


def clean_up_after_the_dead(home: Path, progress: Progress) -> None:
    """Ends and deletes what a test run that was killed (kill -9) left behind; a living run is left alone."""
    for folder in sorted(home.glob(f"{PREFIX}*")):
        state = State(Layout(folder))
        if state.living_keeper is None and state.keeper is not None:
            shut_down(state, progress)
            shutil.rmtree(folder, ignore_errors=True)
