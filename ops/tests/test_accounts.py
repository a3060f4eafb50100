"""Users, rights and secrets as files."""

import json
import re
import tempfile
import unittest
from pathlib import Path
from urllib.parse import urlsplit

from accounts import broker, database
from accounts.folder import READERS, Addresses, SecretsFolder


class BrokerAccountsTests(unittest.TestCase):
    def test_a_hash_is_made_as_rabbitmq_documents_it(self) -> None:
        # The example of rabbitmq.com, "Passwords".
        self.assertEqual(
            broker.password_hash("test12", bytes.fromhex("908DC60A")), "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
        )

    def test_each_virtual_host_gets_all_rights_and_queues(self) -> None:
        passwords = dict.fromkeys(broker.users(), "x")
        made = broker.definitions(passwords, ["/", "other"])
        for kind in broker.KINDS[2:]:
            hosts = [one["vhost"] for one in made[kind]]
            self.assertEqual(hosts.count("/"), hosts.count("other"), kind)
        self.assertNotIn('"x"', json.dumps(made))

    def test_no_right_is_a_right_to_everything(self) -> None:
        for one in broker.template()["permissions"]:
            for kind in ("configure", "write", "read"):
                for name in ("anything", "", "amq.default", "millrace.rpc", "xmillrace.storage.read", "millrace.dead"):
                    self.assertIsNone(re.search(str(one[kind]), name), f"{one['user']} may {kind} '{name}'")


class SecretsFolderTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.directory = Path(folder.name)

    def make(self, **addresses: str) -> list[str]:
        return SecretsFolder(self.directory, Addresses(**addresses)).make()

    def text(self, name: str) -> str:
        return (self.directory / name).read_text().strip()

    def test_what_is_there_stays(self) -> None:
        self.assertEqual(len(self.make()), 10)
        self.assertEqual(self.make(), [])

    def test_other_addresses_keep_the_passwords(self) -> None:
        self.make()
        before = {reader: urlsplit(self.text(f"{reader}/rabbit")).password for reader in broker.users()}
        hashes = self.text("rabbit/definitions.json")
        self.make(broker="elsewhere:5673")
        for reader, password in before.items():
            address = urlsplit(self.text(f"{reader}/rabbit"))
            self.assertEqual((address.hostname, address.port, address.password), ("elsewhere", 5673, password))
        self.assertEqual(self.text("rabbit/definitions.json"), hashes)

    def test_a_lost_file_is_made_anew_with_all_that_belongs_to_it(self) -> None:
        self.make()
        (self.directory / "video-storage/rabbit").unlink()
        self.assertEqual(
            SecretsFolder(self.directory, Addresses()).missing(), ["video-storage/rabbit"]
        )
        self.assertEqual(sorted(self.make()), ["rabbit/definitions.json", "video-storage/rabbit"])
        users = json.loads(self.text("rabbit/definitions.json"))["users"]
        known = {user["name"]: user["password_hash"] for user in users}
        for reader in broker.users():
            password = urlsplit(self.text(f"{reader}/rabbit")).password
            self.assertTrue(broker.is_hash_of(password, known[reader]))

    def test_nobody_reads_the_secrets_of_another(self) -> None:
        self.make()
        for reader in READERS:
            for file in (self.directory / reader).iterdir():
                for user in (*broker.users(), *database.names()):
                    names_it = f"//{user}:" in file.read_text()
                    self.assertEqual(names_it, user == reader and file.name in ("rabbit", "dbhost"), file)
        passwords = [urlsplit(self.text(f"{user}/rabbit")).password for user in broker.users()]
        definitions = self.text("rabbit/definitions.json")
        self.assertFalse([password for password in passwords if password in definitions])


if __name__ == "__main__":
    unittest.main()
