"""`.millrace/stack.env`: what a script needs to know about the running stack."""

from __future__ import annotations

from .layout import Layout
from .network import HOST
from .processes import Process
from .services import GATEWAY, KINDS, METADATA, STORAGE
from .state import State, kind_of, shell_lines, write_privately


def write(state: State, layout: Layout) -> None:
    """Writes the file anew from the note of processes, so that it is right after a restart of one of them, too."""
    write_privately(layout.stack_environment, shell_lines(values(state.processes)))


def values(processes: list[Process]) -> dict[str, str]:
    """The variables. Where several processes of a kind run, their ids and URLs stand in one value, with spaces."""
    by_kind: dict[str, list[Process]] = {}
    for process in processes:
        by_kind.setdefault(kind_of(process.name), []).append(process)
    for same_kind in by_kind.values():
        same_kind.sort(key=lambda process: (len(process.name), process.name))

    gateways = [_url(process) for process in by_kind[GATEWAY]]
    found = {"GATEWAY_URL": gateways[0]}
    if len(gateways) > 1:
        found["GATEWAY_URLS"] = " ".join(gateways)
    servers = by_kind["rabbitmq"][0].details
    found["RABBIT"] = servers["tool"]
    found["RABBIT_ADMINISTRATOR"] = servers["administrator"]
    found["WRITE_TOKEN"] = by_kind[GATEWAY][0].environment["WRITE_TOKEN"]
    for kind, prefix in ((METADATA, "METADATA"), (STORAGE, "STORAGE")):
        found[f"{prefix}_DBHOST"] = by_kind[kind][0].environment["DBHOST"]
        found[f"{prefix}_DBNAME"] = by_kind[kind][0].environment["DBNAME"]
    found["STORAGE_DIRECTORY"] = by_kind[STORAGE][0].environment["STORAGE_DIRECTORY"]
    for kind in KINDS:
        name = kind.replace("-", "_").upper()
        found[f"{name}_PID"] = " ".join(str(process.pid) for process in by_kind[kind])
        if kind != GATEWAY:
            found[f"{name}_URL"] = " ".join(_url(process) for process in by_kind[kind])
    for server in ("rabbitmq", "mongod"):
        found[f"{server.upper()}_PID"] = str(by_kind[server][0].pid)
    return found


def _url(process: Process) -> str:
    return f"http://{HOST}:{process.port}"
