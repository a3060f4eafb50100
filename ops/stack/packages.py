"""Installs Debian packages that are missing, and starts no system service by doing so."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import commands
from .failure import Failure
from .layout import Layout
from .progress import Step

# What the build links to, and what the stack runs on.
TO_BUILD = ("librabbitmq-dev", "libmongoc-dev", "libisal-dev", "pkg-config")
TO_RUN = ("rabbitmq-server", "python3-pymongo")
# What the peers of benchmarks are made with.
TO_COMPILE_C = ("gcc", "libc6-dev")
# What the tests of ops itself need: promtool, which reads the alerts, and the Prometheus that it belongs to.
TO_CHECK = ("prometheus",)
# What benchmarks drive HTTP with, and the file server that is their peer.
TO_LOAD = ("wrk", "nginx-light", "curl")
# What only a test run needs: certificates, and a client that speaks HTTP/2.
TO_TEST = ("openssl", "curl")
# A browser, and the program that steers it.
TO_BROWSE = ("chromium", "chromium-driver")
# What checks the compose files; and the registry that images are published to in a test, with its passwords.
TO_COMPOSE = ("docker-compose",)
TO_PUBLISH = ("docker-registry", "apache2-utils")
# Services that Debian would start now and at every boot; ours is a private one.
SYSTEM_SERVICES = {
    "docker-registry": ["docker-registry.service"],
    "nginx-light": ["nginx.service"],
    "prometheus": ["prometheus.service"],
    "rabbitmq-server": ["rabbitmq-server.service"],
    "erlang-base": ["epmd.service", "epmd.socket"],
}

GUARD = Path("/usr/sbin/policy-rc.d")
GUARD_MARK = "# Put here by Millrace's ops for the time of one installation; safe to delete."


def missing(names: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed."""
    return [name for name in names if not _installed(name)]


def _installed(name: str) -> bool:
    status = commands.output_of(["dpkg-query", "--show", "--showformat", "${db:Status-Status}", name])
    return status == "installed"


def install(names: list[str], layout: Layout, step: Step) -> None:
    """Installs packages with apt, as root or through sudo. Does nothing when there is nothing to install."""
    if not names:
        return
    listed = " ".join(names)
    if shutil.which("apt-get") is None:
        raise Failure(f"these packages are missing: {listed}", "install them; ops can do so only where apt-get is")
    step.detail = f"apt-get install {listed}"
    new_services = [unit for package, units in SYSTEM_SERVICES.items() if not _installed(package) for unit in units]
    commands.run(
        [*_as_root(listed), "sh", "-c", installation_script(names, new_services)],
        step,
        layout.log("apt"),
        f"as root: apt-get update && apt-get install --yes --no-install-recommends {listed}",
        own_session=False,
        on_line=lambda line: _show(step, line),
    )
    still_missing = missing(names)
    if still_missing:
        raise Failure(f"apt-get did not install {' '.join(still_missing)}", "look at the log", layout.log("apt"))


def _as_root(listed: str) -> list[str]:
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        raise Failure(
            f"these packages are missing: {listed}",
            f"as root: apt-get install --yes --no-install-recommends {listed}",
        )
    return ["sudo"]


def _show(step: Step, line: str) -> None:
    if line.startswith(("Get:", "Unpacking", "Setting up")):
        step.detail = " ".join(line.split()[:3])


def installation_script(names: list[str], new_services: list[str]) -> str:
    """A shell script for root. A guard keeps Debian from starting what it installs, unless the machine has one already.

    The guard goes away with the script, however that ends; one that a power cut left behind is replaced.
    """
    guard = shlex.quote(str(GUARD))
    lines = [
        "export DEBIAN_FRONTEND=noninteractive",
        f"if [ ! -e {guard} ] || grep -qF {shlex.quote(GUARD_MARK)} {guard}; then",
        f"  trap 'rm -f {guard}' EXIT",
        "  trap 'exit 130' INT TERM HUP",
        f"  printf '%s\\n' '#!/bin/sh' {shlex.quote(GUARD_MARK)} 'exit 101' > {guard} && chmod 755 {guard}",
        "fi",
        "apt-get update --quiet || echo 'apt-get update failed; going on with the package lists that are there'",
        f"apt-get install --quiet --yes --no-install-recommends {' '.join(names)} || exit $?",
    ]
    if new_services:
        # Debian enables them for the next boot, too.
        lines.append(f"if command -v systemctl >/dev/null; then systemctl disable {' '.join(new_services)} || true; fi")
    return "\n".join(lines) + "\n"
