"""`ops/test --browser`: Chromium plays the sample, seeks in it, and reads it from a page of another origin; over HTTP/1.1, and
over HTTP/2 with TLS."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from . import commands, network, packages, sample, services, throwaway
from .environments import PythonEnvironment
from .failure import Failure
from .layout import Layout
from .progress import Progress, Step

ENVIRONMENT = PythonEnvironment("browser", Path(__file__).with_name("browser.txt"), "selenium (15 MB)")
PROGRAM = Path(__file__).with_name("browser_viewer.py")
MOST_SECONDS = 180.0
FIRST, LAST = 100, 199


def install_missing(layout: Layout, progress: Progress) -> None:
    absent = packages.missing(packages.TO_BROWSE) if shutil.which("chromedriver") is None else []
    if absent:
        with progress.step("install Chromium") as step:
            packages.install(absent, layout, step)
    if not ENVIRONMENT.is_installed(layout):
        with progress.step("install what drives a browser") as step:
            ENVIRONMENT.install(layout, step)


def run(products: Path, layout: Layout, progress: Progress) -> str:
    """Starts a stack with two gateways, watches through both, and stops it again. Gives a summary in one line."""
    with throwaway.stack(progress, products) as stack:
        certificates = stack.layout.directory / "certificates"
        secure = {"TLS_CERTIFICATE": str(certificates / "server.pem"), "TLS_KEY": str(certificates / "server.key")}
        plain_port, secure_port, metrics_port = network.free_ports(3)
        gateway = stack.family.start(services.GATEWAY, services.GATEWAY, plain_port)
        stack.family.by_kind[services.GATEWAY] |= secure | {"METRICS_PORT": str(metrics_port)}
        secured = stack.family.start("video-streaming-tls", services.GATEWAY, secure_port)
        secured.health = f"http://{network.HOST}:{metrics_port}/readyz"
        services.await_ready([gateway, secured], progress, "start two gateways")
        sample.bring_in(stack.family, stack.layout, progress)
        plain, tls = f"http://{network.HOST}:{plain_port}", f"https://localhost:{secure_port}"
        seen = []
        for gateway_url, protocol in ((plain, "http/1.1"), (tls, "h2")):
            with progress.step(f"watch in Chromium over {protocol}") as step:
                seen.append(_watch(gateway_url, protocol, layout, step))
        return f"Chromium {seen[0]} played, sought and read across origins over HTTP/1.1 and HTTP/2."


def _watch(gateway_url: str, protocol: str, layout: Layout, step: Step) -> str:
    """Gives the browser's version."""
    lines: list[str] = []
    log = layout.log("browser")
    command = [ENVIRONMENT.python(layout), str(PROGRAM), f"{gateway_url}/?id={sample.identifier(layout)}"]
    # Chromium leaves files behind; the name is short, since a path to a socket is among them.
    with tempfile.TemporaryDirectory(prefix="millrace-") as folder:
        commands.run(
            command,
            step,
            log,
            "look at the log",
            environment={"TMPDIR": folder},
            on_line=lines.append,
            most_seconds=MOST_SECONDS,
        )
    watched, read, browser = (json.loads(line) for line in lines[-3:])
    if watched["protocol"] != protocol:
        raise Failure(f"the film came over {watched['protocol']}, not over {protocol}", "look at the gateway's log", log)
    expected = sample.content(layout)
    wanted = {
        "status": 206,
        "range": f"bytes {FIRST}-{LAST}/{len(expected)}",
        "bytes": list(expected[FIRST : LAST + 1]),
    }
    if any(read.get(name) != value for name, value in wanted.items()) or not read.get("tag"):
        raise Failure(f"a page of another origin read {json.dumps(read)[:300]}", "look at CORS in the gateway", log)
    step.detail = f"{watched['width']} × {watched['height']}, {watched['duration']:.0f} s, {watched['frames']} frames"
    return browser["browser"]
