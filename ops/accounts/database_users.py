#!/usr/bin/python3
"""Makes MongoDB's users, or gives them the passwords and rights of now. May be run again at any time.

The first user of all can be made by whoever comes from the database's own host (MongoDB's "localhost exception"), so this
runs there: in the network of its container, or on its machine. Needs pymongo (Debian: python3-pymongo).

    database_users.py --address localhost:27017 --file .millrace/secrets/db/users.json"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

SECONDS_TO_CONNECT = 60
NO_SUCH_LOGIN = 18
NOT_ALLOWED = (13, 18)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", default="localhost:27017", metavar="HOST:PORT", help="where mongod is")
    parser.add_argument(
        "--file", type=Path, help="JSON: administrator, password, users; read from standard input where not given"
    )
    return parser.parse_args()


def connect(address: str, **login: str) -> MongoClient:
    milliseconds = SECONDS_TO_CONNECT * 1_000
    return MongoClient(f"mongodb://{address}/", serverSelectionTimeoutMS=milliseconds, directConnection=True, **login)


def as_administrator(address: str, name: str, password: str) -> MongoClient:
    """A connection as the administrator, who is made if there is no user at all."""
    client = connect(address, username=name, password=password, authSource="admin")
    try:
        client.admin.command("usersInfo", name)
        return client
    except OperationFailure as error:
        if error.code != NO_SUCH_LOGIN:
            raise
    try:
        connect(address).admin.command("createUser", name, pwd=password, roles=["root"])
    except OperationFailure as error:
        if error.code not in NOT_ALLOWED:
            raise
        sys.exit(
            f"error: the database has users, and {name} has another password than the one that is given\n"
            "  remedy: give the password that the database was begun with, or begin with an empty database"
        )
    return client


def put(client: MongoClient, user: dict[str, object]) -> str:
    """Makes a user, or changes it to what is wanted."""
    database = client[str(user["db"])]
    is_there = database.command("usersInfo", user["user"])["users"]
    database.command("updateUser" if is_there else "createUser", user["user"], pwd=user["pwd"], roles=user["roles"])
    return f"{'updated' if is_there else 'made'} {user['user']}"


def main() -> None:
    chosen = options()
    wanted = json.loads(chosen.file.read_text() if chosen.file else sys.stdin.read())
    try:
        client = as_administrator(chosen.address, wanted["administrator"], wanted["password"])
        for user in wanted["users"]:
            print(put(client, user), flush=True)
    except PyMongoError as error:
        # Its text names addresses and users, never a password.
        sys.exit(f"error: {chosen.address}: {error}")


if __name__ == "__main__":
    main()
