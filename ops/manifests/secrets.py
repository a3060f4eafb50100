"""The files of ops/secrets as Kubernetes' Secrets, with a user for KEDA beside them. Standard library only."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from pathlib import Path

# Whose files become a Secret of the same name.
READERS = ("video-streaming", "video-metadata", "video-storage", "rabbit")
KEDA = "keda"
PASSWORD_BYTES = 24


def manifests(folder: Path, namespace: str) -> list[dict]:
    """One Secret for each who reads secrets. KEDA's password is made when there is none yet."""
    password = _password_of_keda(folder)
    found = []
    for reader in READERS:
        files = {path.name: path.read_text().rstrip("\n") for path in sorted((folder / reader).iterdir())}
        if "definitions.json" in files:
            files["definitions.json"] = with_keda(files["definitions.json"], password)
        found.append(_secret(reader, namespace, files))
    return [*found, _secret(KEDA, namespace, {"username": KEDA, "password": password})]


def with_keda(definitions: str, password: str) -> str:
    """Adds a user who may look at queues through the management API, and may neither make, write nor read anything."""
    found = json.loads(definitions)
    # Made of the password, so that the same password gives the same text.
    salt = hashlib.sha256(b"salt" + password.encode()).digest()[:4]
    hashed = base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
    found["users"].append(
        {
            "name": KEDA,
            "password_hash": hashed,
            "hashing_algorithm": "rabbit_password_hashing_sha256",
            "tags": "monitoring",
        }
    )
    nothing = {"configure": "^$", "write": "^$", "read": "^$"}
    found["permissions"] += [{"user": KEDA, "vhost": host["name"]} | nothing for host in found["vhosts"]]
    return json.dumps(found, indent=2)


def _password_of_keda(folder: Path) -> str:
    path = folder / KEDA / "password"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(PASSWORD_BYTES) + "\n")
    return path.read_text().strip()


def _secret(name: str, namespace: str, files: dict[str, str]) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "millrace"}},
        "stringData": files,
    }
