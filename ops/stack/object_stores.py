"""Servers that speak as S3 and Azure Blob Storage do, for tests: moto, and a small one of our own.

Both run in a private virtual environment with pinned versions. See s3_server.py for what is different from moto, and
azure_server.py for who checks what there.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from .environments import PythonEnvironment
from .layout import ROOT, Layout
from .network import HOST
from .processes import Process, start

ENVIRONMENT = PythonEnvironment(
    "object-stores",
    Path(__file__).with_name("object_stores.txt"),
    "moto, azure-storage-blob and pymongo (30 MB)",
)
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


def start_s3(layout: Layout, port: int) -> Process:
    """Starts moto; it takes connections within a few seconds."""
    program = str(ROOT / "ops" / "stack" / "s3_server.py")
    process = start(
        "s3",
        [ENVIRONMENT.python(layout), program, "--host", HOST, "--port", str(port)],
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
            ENVIRONMENT.python(layout),
            program,
            *("--port", str(port), "--account", ACCOUNT, "--key", KEY),
            *("--directory", str(layout.directory / "azure")),
        ],
        {},
        layout.log("azure"),
    )
    process.port = port
    return process
