"""Three RabbitMQ nodes that form a cluster, on the loopback address: for the test in which one of them is killed."""

from __future__ import annotations

from dataclasses import dataclass

from . import commands, network
from .broker import Broker
from .layout import Layout
from .processes import Process
from .progress import Progress, Step
from .servers import wait_until
from .state import State

NODES = 3
# Here a queue is a quorum queue unless whoever declares it says otherwise; see ARCHITECTURE.md, "A cluster".
VIRTUAL_HOST = "cluster"
# Three of them share the machine with everything else that tests start.
MEMORY_LIMIT = "256MB"
ERLANG_OPTIONS = "+S 1:1"


@dataclass
class Cluster:
    nodes: list[Broker]
    processes: list[Process]

    @property
    def url(self) -> str:
        """The address of all nodes."""
        first = self.nodes[0]
        hosts = ",".join(f"{network.HOST}:{node.port}" for node in self.nodes)
        return first.url_of(VIRTUAL_HOST).replace(f"{network.HOST}:{first.port}", hosts)

    @property
    def process_ids(self) -> str:
        """Of the nodes, in the order of their hosts in the address."""
        return ",".join(str(process.pid) for process in self.processes)


def start(layout: Layout, state: State, progress: Progress, mapper_port: int) -> Cluster:
    """Starts the nodes at once, and has the others join the first, one after the other."""
    ports = network.free_ports(2 * NODES)
    nodes = [
        Broker(
            layout,
            (ports[2 * place], ports[2 * place + 1], mapper_port),
            [VIRTUAL_HOST],
            name=f"cluster-{place + 1}",
            memory_limit=MEMORY_LIMIT,
            erlang_options=ERLANG_OPTIONS,
        )
        for place in range(NODES)
    ]
    for node in nodes:
        node.share_secrets_of(nodes[0])
        node.use_quorum_queues()
    with progress.step("start a RabbitMQ cluster") as step:
        processes = [state.add(node.start_node()) for node in nodes]
        for node, process in zip(nodes, processes):
            step.detail = f"waiting for a node on port {node.port}"
            wait_until(step, process, lambda: network.accepts(node.port))
        for node in nodes[1:]:
            _join(node, nodes[0], layout, step)
        step.detail = f"nodes on ports {', '.join(str(node.port) for node in nodes)}"
    return Cluster(nodes, processes)


def _join(node: Broker, first: Broker, layout: Layout, step: Step) -> None:
    step.detail = f"{node.name} joins {first.name}"
    for arguments in (["stop_app"], ["join_cluster", first.node], ["start_app"]):
        commands.run(
            [str(node.control), *arguments],
            step,
            layout.log(f"{node.name}-{arguments[0]}"),
            "see the log, and those of the nodes",
            most_seconds=120.0,
        )
