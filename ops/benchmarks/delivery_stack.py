"""What ops/bench delivery measures: files, nginx and gateways over them."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from stack import commands, network, processes, services
from stack.layout import Layout
from stack.processes import Process
from stack.progress import Progress, Step
from stack.servers import wait_until
from stack.services import GATEWAY, STORAGE, Services
from stack.state import State

SECONDS_TO_START = 30.0
# Enough for all connections of a run (with fewer, nginx closes idle ones); the shell's limit is often 1,024.
NGINX = """
{user}
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_rlimit_nofile 20000;
events {{ worker_connections 16384; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000000; default_type video/mp4;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


@dataclass(frozen=True)
class Film:
    """A file in the storage folder, and the record that plays it."""

    name: str
    size: int
    number: int
    # What is only passed through may be a hole; it is read and sent like any other file.
    is_sparse: bool = False

    @property
    def id(self) -> str:
        return f"{self.number:024x}"


def make(films: list[Film], family: Services, layout: Layout, progress: Progress) -> None:
    """Makes the files where storage looks for them, and their records."""
    with progress.step("make the films") as step:
        for film in films:
            step.detail = f"{film.name}, {film.size:,} bytes"
            with (layout.storage / film.name).open("wb") as file:
                if film.is_sparse:
                    file.truncate(film.size)
                    continue
                block = os.urandom(1 << 20)
                for start in range(0, film.size, len(block)):
                    # No two blocks are alike, or a file system that shares them would be measured.
                    file.write((start.to_bytes(8, "big") + block[8:])[: film.size - start])
        records = layout.storage / "films.json"
        records.write_text(json.dumps([{"_id": {"$oid": film.id}, "videoPath": film.name} for film in films]))
        step.detail = "millrace import"
        commands.run(
            [str(family.products / "millrace"), "import", str(records)],
            step,
            layout.log("import"),
            "read the log",
            environment=family.tool,
            folder=layout.root,
        )


def start_nginx(layout: Layout, state: State, step: Step) -> str:
    """Starts the peer over the same folder and gives its address."""
    folder = layout.directory / "nginx"
    folder.mkdir()
    port = network.free_ports(1)[0]
    configuration = folder / "nginx.conf"
    # Started by root, its worker would be somebody else, who may not look into our folder.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration.write_text(NGINX.format(user=user, folder=folder, port=port, root=layout.storage))
    process = state.add(
        processes.start("nginx", ["/usr/sbin/nginx", "-p", str(folder), "-c", str(configuration)], {}, layout.log("nginx"))
    )
    wait_until(step, process, lambda: network.accepts(port), SECONDS_TO_START)
    return f"http://{network.HOST}:{port}"


@dataclass
class Gateway:
    """A gateway that was started for a measurement."""

    process: Process
    url: str

    def address(self, film: Film) -> str:
        return f"{self.url}/video?id={film.id}"


@dataclass
class Gateways:
    """Starts gateways, each with settings of its own, and tells what they have done when they have stopped."""

    family: Services
    layout: Layout
    state: State
    count: int = 0

    def start(self, step: Step, settings: dict[str, str]) -> Gateway:
        self.count += 1
        port = network.free_ports(1)[0]
        # nginx writes no access log either.
        environment = self.family.common | self.family.by_kind[GATEWAY]
        environment |= {"PORT": str(port), "LOG_LEVEL": "notice"} | settings
        name = f"gateway-{self.count}"
        process = services.launch(
            name, [str(self.family.products / GATEWAY)], environment, port, self.layout, self.state
        )
        wait_until(step, process, lambda: services.is_ready(process), services.SECONDS_TO_READY)
        return Gateway(process, f"http://{network.HOST}:{port}")

    def stop(self, gateway: Gateway, step: Step) -> dict[str, int]:
        """Chunks by where they came from."""
        processes.stop([gateway.process], step.wait, lambda: step.interrupts.hurry)
        return chunks(gateway.process.log_path)


def chunks(log: Path) -> dict[str, int]:
    """What a gateway says at its end: chunks from the cache, from storage, and shared with another viewer."""
    found = re.findall(r"\b(cache|shared|storage)=(\d+)", log.read_text(errors="replace"))
    return {name: int(number) for name, number in found}
