"""MongoDB's users, as ops/mongo/users.json has them: each with rights on the database of its own service alone."""

from __future__ import annotations

import json
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent / "mongo" / "users.json"
# Makes the others, and is used for nothing else.
ADMINISTRATOR = "administrator"


def users(passwords: dict[str, str]) -> list[dict[str, object]]:
    """The users with their passwords."""
    return [one | {"pwd": passwords[str(one["user"])]} for one in json.loads(TEMPLATE.read_text())]


def names() -> list[str]:
    return [str(one["user"]) for one in json.loads(TEMPLATE.read_text())]


def url(user: str, password: str, address: str) -> str:
    """The connection string of a service: its user is kept in the database of the same name."""
    return f"mongodb://{user}:{password}@{address}/?authSource={user}"
