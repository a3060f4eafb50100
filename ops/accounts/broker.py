"""RabbitMQ's definitions: ops/rabbitmq/definitions.json with the passwords' hashes in it."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent / "rabbitmq" / "definitions.json"
HASHING = "rabbit_password_hashing_sha256"
SALT_BYTES = 4
# In the order of the file: what is spoken of must be there before.
KINDS = ("vhosts", "users", "permissions", "topic_permissions", "exchanges", "queues", "bindings")


def template() -> dict[str, list[dict[str, object]]]:
    return json.loads(TEMPLATE.read_text())


def users() -> list[str]:
    """Who there is, by name: the services, and the operator's tool."""
    return [str(user["name"]) for user in template()["users"]]


def password_hash(password: str, salt: bytes | None = None) -> str:
    """What RabbitMQ keeps of a password: a salted SHA-256 ("Passwords", rabbitmq.com)."""
    salt = os.urandom(SALT_BYTES) if salt is None else salt
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def is_hash_of(password: str, known: str) -> bool:
    return password_hash(password, base64.b64decode(known)[:SALT_BYTES]) == known


def user(name: str, password: str, tags: str = "") -> dict[str, object]:
    return {"name": name, "password_hash": password_hash(password), "hashing_algorithm": HASHING, "tags": tags}


def definitions(passwords: dict[str, str], virtual_hosts: list[str]) -> dict[str, list[dict[str, object]]]:
    """The template's content in each of these virtual hosts, with a hash of each user's password."""
    found = template()
    made: dict[str, list[dict[str, object]]] = {
        "vhosts": [{"name": name} for name in virtual_hosts],
        "users": [user(str(one["name"]), passwords[str(one["name"])], str(one["tags"])) for one in found["users"]],
    }
    for kind in KINDS[2:]:
        made[kind] = [one | {"vhost": name} for name in virtual_hosts for one in found[kind]]
    return made
