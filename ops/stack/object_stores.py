"""Servers that speak as S3 and Azure Blob Storage do, for tests: moto, and a small one of our own.

Both run in a private virtual environment with pinned versions. See s3_server.py for what is different from moto, and
azure_server.py for who checks what there.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import commands, database
from .layout import ROOT, Layout
from .network import HOST
from .processes import Process, start
from .progress import Step

REQUIREMENTS = Path(__file__).with_name("object_stores.txt")
# The account that emulators of Azure have by convention. The key is nobody's: it is made of a text.
ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(hashlib.sha512(b"a key for tests").digest()).decode()


@dataclass(frozen=True)
class ObjectStores:
    s3_port: int
    azure_port: int

    @property
    def environment(self) -> dict[str, str]:
        """What tests read."""
        return {
            "S3_TEST_ENDPOINT": f"http://{HOST}:{self.s3_port}",
            "AZURE_TEST_ENDPOINT": f"http://{HOST}:{self.azure_port}/{ACCOUNT}",
            "AZURE_TEST_ACCOUNT": ACCOUNT,
            "AZURE_TEST_KEY": KEY,
        }


def is_installed(layout: Layout) -> bool:
    """Whether the environment is there and holds what is wanted now."""
    try:
        return _mark(layout).read_text() == REQUIREMENTS.read_text()
    except OSError:
        return False


def install(layout: Layout, step: Step) -> None:
    """Makes the environment anew."""
    folder = _folder(layout)
    log = layout.log("install-object-stores")
    remedy = "look at the log; it needs PyPI"
    shutil.rmtree(folder, ignore_errors=True)
    step.detail = "making a virtual environment"
    commands.run([database.python_with_venv(layout, step), "-m", "venv", str(folder)], step, log, remedy)
    step.detail = "moto, azure-storage-blob and pymongo from PyPI (30 MB)"
    arguments = ["install", "--quiet", "--no-deps", "--only-binary", ":all:", "--requirement", str(REQUIREMENTS)]
    commands.run([str(folder / "bin" / "python"), "-m", "pip", *arguments], step, log, remedy)
    _mark(layout).write_text(REQUIREMENTS.read_text())


def start_s3(layout: Layout, port: int) -> Process:
    """Starts moto; it takes connections within a few seconds."""
    program = str(ROOT / "ops" / "stack" / "s3_server.py")
    process = start(
        "s3",
        [python(layout), program, "--host", HOST, "--port", str(port)],
        # A part that is not the last has 5 MiB at the least, as with S3 itself; moto's own default is smaller.
        {"S3_UPLOAD_PART_MIN_SIZE": str(5 * 1024 * 1024)},
        layout.log("s3"),
    )
    process.port = port
    return process


def start_azure(layout: Layout, port: int) -> Process:
    """Starts our own server."""
    program = str(ROOT / "ops" / "stack" / "azure_server.py")
    process = start(
        "azure",
        [
            python(layout),
            program,
            *("--port", str(port), "--account", ACCOUNT, "--key", KEY),
            *("--directory", str(layout.directory / "azure")),
        ],
        {},
        layout.log("azure"),
    )
    process.port = port
    return process


def _folder(layout: Layout) -> Path:
    return layout.tools / "object-stores"


def python(layout: Layout) -> str:
    """The Python that has moto and the vendors' clients."""
    return str(_folder(layout) / "bin" / "python")


def _mark(layout: Layout) -> Path:
    return _folder(layout) / "installed.txt"
