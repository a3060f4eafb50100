"""The secrets as files: a folder for each who reads them, and in it nothing that is somebody else's.

    rabbit/definitions.json          users with hashes of their passwords, and their rights
    db/users.json                    the administrator and the services' users, for database_users.py
    video-streaming/rabbit           the broker's address with the gateway's user (RABBIT_FILE)
    video-streaming/write-token      what a client has to know to write (WRITE_TOKEN_FILE)
    video-metadata/rabbit, dbhost    (RABBIT_FILE, DBHOST_FILE)
    video-storage/rabbit, dbhost
    millrace/rabbit, write-token     the operator's tool
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from . import broker, database

READERS = ("rabbit", "db", "video-streaming", "video-metadata", "video-storage", "millrace")
WITH_WRITE_TOKEN = ("video-streaming", "millrace")
PASSWORD_BYTES = 24


@dataclass(frozen=True)
class Addresses:
    broker: str = "rabbit:5672"
    database: str = "db:27017"
    virtual_host: str = "/"


class SecretsFolder:
    """Makes what is missing, and leaves what is there: passwords stay as they are, whatever else changes."""

    def __init__(self, directory: Path, addresses: Addresses):
        self._directory = directory
        self._addresses = addresses

    def missing(self) -> list[str]:
        """Files that ought to be there, relative to the folder."""
        return [name for name in self._names() if not (self._directory / name).is_file()]

    def make(self) -> list[str]:
        """Returns what has been written anew."""
        for reader in READERS:
            folder = self._directory / reader
            folder.mkdir(parents=True, exist_ok=True)
            # Who reads it in a container is another user than here; the folder above keeps others away.
            folder.chmod(0o755)
        wanted = self._wanted()
        return [name for name in self._names() if self._write(name, wanted[name])]

    def _names(self) -> list[str]:
        names = ["rabbit/definitions.json", "db/users.json"]
        names += [f"{reader}/rabbit" for reader in broker.users()]
        names += [f"{reader}/dbhost" for reader in database.names()]
        return names + [f"{reader}/write-token" for reader in WITH_WRITE_TOKEN]

    def _wanted(self) -> dict[str, str]:
        to_broker = {user: self._password(f"{user}/rabbit") for user in broker.users()}
        to_database = {user: self._password(f"{user}/dbhost") for user in database.names()}
        token = self._text("video-streaming/write-token") or self._text("millrace/write-token") or _random()
        host = quote(self._addresses.virtual_host, safe="")
        wanted = {
            "rabbit/definitions.json": self._definitions(to_broker),
            "db/users.json": self._database_users(to_database),
        }
        for user, password in to_broker.items():
            wanted[f"{user}/rabbit"] = f"amqp://{user}:{password}@{self._addresses.broker}/{host}"
        for user, password in to_database.items():
            wanted[f"{user}/dbhost"] = database.url(user, password, self._addresses.database)
        return wanted | {f"{reader}/write-token": token for reader in WITH_WRITE_TOKEN}

    def _definitions(self, passwords: dict[str, str]) -> str:
        """The present text as long as it says the same: a new salt would make it look changed."""
        wanted = broker.definitions(passwords, [self._addresses.virtual_host])
        try:
            present = json.loads(self._text("rabbit/definitions.json"))
            known = {user["name"]: user["password_hash"] for user in present["users"]}
            for user in wanted["users"]:
                name = str(user["name"])
                if broker.is_hash_of(passwords[name], known[name]):
                    user["password_hash"] = known[name]
        except (ValueError, KeyError):
            pass
        return json.dumps(wanted, indent=2)

    def _database_users(self, passwords: dict[str, str]) -> str:
        try:
            administrator = json.loads(self._text("db/users.json"))["password"]
        except (ValueError, KeyError):
            administrator = _random()
        wanted = {
            "administrator": database.ADMINISTRATOR,
            "password": administrator,
            "users": database.users(passwords),
        }
        return json.dumps(wanted, indent=2)

    def _password(self, name: str) -> str:
        """The password of an address that is there, or a new one."""
        return urlsplit(self._text(name)).password or _random()

    def _text(self, name: str) -> str:
        try:
            return (self._directory / name).read_text().strip()
        except FileNotFoundError:
            return ""

    def _write(self, name: str, text: str) -> bool:
        """Writes a file in one move, if it says something else."""
        if self._text(name) == text:
            return False
        path = self._directory / name
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_text(text + "\n")
        draft.chmod(0o644)
        draft.replace(path)
        return True


def _random() -> str:
    return secrets.token_hex(PASSWORD_BYTES)
