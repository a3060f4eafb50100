"""A registry with a password on the loopback address (Debian's docker-registry), and ops/publish tried against it."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path

from . import commands, network, packages, processes
from .failure import Failure
from .images import TARGETS, Docker
from .layout import ROOT, Layout
from .processes import Process, start
from .progress import Progress
from .servers import wait_until

USER, PREFIX, TAG = "publisher", "millrace", "test"
CONFIGURATION = """version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}/images}}}}
http: {{addr: "127.0.0.1:{port}"}}
auth: {{htpasswd: {{realm: millrace, path: {folder}/htpasswd}}}}
"""


def publish_to_own(layout: Layout, progress: Progress) -> None:
    """Publishes to a registry of this run alone: refused with a wrong password, done with the right one."""
    absent = packages.missing(packages.TO_PUBLISH)
    if absent:
        with progress.step("install Debian packages") as step:
            packages.install(absent, layout, step)
    folder = Path(tempfile.mkdtemp(prefix="registry-", dir=layout.directory))
    port = network.free_ports(1)[0]
    password = secrets.token_hex(12)
    try:
        process = _start(folder, port, password, layout)
        try:
            with progress.step("start a registry with a password") as step:
                wait_until(step, process, lambda: network.accepts(port))
                step.detail = f"on port {port}"
            _publish(port, password, folder, layout, progress)
            _look_for(password, layout)
        finally:
            with progress.step("stop the registry") as step:
                processes.stop([process], step.wait, lambda: progress.interrupts.hurry)
                docker = Docker(step, layout)
                for image in TARGETS:
                    docker.ask("image", "rm", f"127.0.0.1:{port}/{PREFIX}/{image}:{TAG}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path, port: int, password: str, layout: Layout) -> Process:
    made = commands.output_of(["htpasswd", "-Bbn", USER, password])
    (folder / "htpasswd").write_text(made + "\n")
    (folder / "config.yml").write_text(CONFIGURATION.format(folder=folder, port=port))
    process = start("registry", ["docker-registry", "serve", str(folder / "config.yml")], {}, layout.log("registry"))
    process.port = port
    process.drain_seconds = 5.0
    return process


def _publish(port: int, password: str, folder: Path, layout: Layout, progress: Progress) -> None:
    file = folder / "password"
    command = [str(ROOT / "ops" / "publish"), f"127.0.0.1:{port}/{PREFIX}", "--tag", TAG, "--user", USER]
    command += ["--password-file", str(file)]
    with progress.step("ops/publish with a wrong password") as step:
        file.write_text("wrong\n")
        if commands.follow(command, step, layout.log("publish-refused"), folder=ROOT) == 0:
            raise Failure("ops/publish says that it is done, with a wrong password", "does the registry ask for one?")
        step.detail = "refused, and says so"
    with progress.step("ops/publish") as step:
        file.write_text(password + "\n")
        commands.run(
            command,
            step,
            layout.log("publish"),
            "read what it says",
            folder=ROOT,
            on_line=lambda line: setattr(step, "detail", line.strip()[:100]),
        )
        step.detail = "built, pushed, pulled back and run"


def _look_for(password: str, layout: Layout) -> None:
    for log in layout.logs.glob("*.log"):
        if password.encode() in log.read_bytes():
            raise Failure(f"{log.name} has the registry's password in it", "no log may", log)
