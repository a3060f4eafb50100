"""What MongoDB must refuse. DBHOST_VIDEO_METADATA and DBHOST_VIDEO_STORAGE are the addresses that the workers have."""

import os
import unittest
from collections.abc import Callable
from urllib.parse import urlsplit

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import OperationFailure

WORKERS = ("video-metadata", "video-storage")
OTHER = {WORKERS[0]: WORKERS[1], WORKERS[1]: WORKERS[0]}
UNAUTHORIZED, AUTHENTICATION_FAILED = 13, 18

# What is tried at a database that is somebody else's.
DEEDS: dict[str, Callable[[Database], object]] = {
    "find": lambda database: database["videos"].find_one(),
    "insert": lambda database: database["videos"].insert_one({"videoPath": "spoofed"}),
    "update": lambda database: database["objects"].update_one({}, {"$set": {"key": "spoofed"}}),
    "delete": lambda database: database["objects"].delete_many({}),
    "count": lambda database: database.command("count", "videos"),
    "create an index": lambda database: database["videos"].create_index("title"),
    "list collections": lambda database: database.list_collection_names(),
    "drop a collection": lambda database: database["videos"].drop(),
    "drop": lambda database: database.client.drop_database(database.name),
    "make a user": lambda database: database.command("createUser", "spy", pwd="x", roles=["readWrite"]),
    "copy out of it": lambda database: list(database["videos"].aggregate([{"$match": {}}])),
}


class Doors(unittest.TestCase):
    def address(self, worker: str) -> str:
        return os.environ[f"DBHOST_{worker.replace('-', '_').upper()}"]

    def without_login(self, worker: str) -> str:
        # What stands for the host may be a path, whose capitals count.
        host = urlsplit(self.address(worker)).netloc.rpartition("@")[2]
        return f"mongodb://{host}/"

    def client(self, address: str, **login: str) -> MongoClient:
        client: MongoClient = MongoClient(address, serverSelectionTimeoutMS=5_000, directConnection=True, **login)
        self.addCleanup(client.close)
        return client

    def refused(self, what: str, code: int, act: Callable[[], object]) -> None:
        with self.subTest(what):
            with self.assertRaises(OperationFailure) as caught:
                act()
            self.assertEqual(caught.exception.code, code, caught.exception)

    def test_a_worker_has_its_own_database(self) -> None:
        for worker in WORKERS:
            self.assertTrue(self.client(self.address(worker))[worker].list_collection_names(), worker)

    def test_a_worker_has_no_other_database(self) -> None:
        for worker in WORKERS:
            client = self.client(self.address(worker))
            for name in (OTHER[worker], "admin", "another"):
                for what, deed in DEEDS.items():
                    self.refused(f"{worker}: {what} {name}", UNAUTHORIZED, lambda: deed(client[name]))

    def test_a_worker_gives_nobody_rights(self) -> None:
        for worker in WORKERS:
            own = self.client(self.address(worker))[worker]
            self.refused(worker, UNAUTHORIZED, lambda: own.command("createUser", "spy", pwd="x", roles=["readWrite"]))
            self.refused(worker, UNAUTHORIZED, lambda: own.command("grantRolesToUser", worker, roles=["dbOwner"]))
            self.refused(worker, UNAUTHORIZED, lambda: own.command("updateUser", worker, roles=["dbOwner"]))

    def test_who_does_not_log_in_gets_nothing(self) -> None:
        client = self.client(self.without_login(WORKERS[0]))
        for name in WORKERS:
            for what, deed in DEEDS.items():
                self.refused(f"nobody: {what} {name}", UNAUTHORIZED, lambda: deed(client[name]))

    def test_the_gateway_has_no_user_and_a_worker_is_not_let_in_as_the_other(self) -> None:
        plain = self.without_login(WORKERS[0])
        broker = urlsplit(os.environ["RABBIT_VIDEO_STREAMING"])
        logins = [("video-streaming", broker.password, name) for name in (*WORKERS, "admin")]
        for worker, other in OTHER.items():
            logins.append((other, urlsplit(self.address(worker)).password, other))
            logins.append((worker, urlsplit(self.address(worker)).password, other))
        for user, password, source in logins:
            client = self.client(plain, username=user, password=password, authSource=source)
            self.refused(
                f"{user} at {source}", AUTHENTICATION_FAILED, lambda: client[source].list_collection_names()
            )


if __name__ == "__main__":
    unittest.main()
