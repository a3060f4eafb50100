"""What is read from people and from other programs."""

import os
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from stack import building, database, network, packages, services, testing
from stack.failure import Failure, last_lines


class ReplicasTests(unittest.TestCase):
    def test_who_is_not_named_runs_once(self) -> None:
        self.assertEqual(
            services.parse_replicas("storage=3"), {"video-metadata": 1, "video-storage": 3, "video-streaming": 1}
        )

    def test_long_names_and_spaces_are_understood(self) -> None:
        self.assertEqual(services.parse_replicas(" video-metadata=2, streaming=2 ")["video-metadata"], 2)

    def test_nonsense_is_refused_with_a_remedy(self) -> None:
        for text in ("storage", "storage=", "storage=0", "storage=-1", "storage=99", "broker=2", "=2"):
            with self.assertRaises(Failure) as caught:
                services.parse_replicas(text)
            self.assertTrue(caught.exception.remedy, text)

    def test_the_first_has_no_number(self) -> None:
        self.assertEqual(services.names("video-storage", 2), ["video-storage", "video-storage-2"])


class PortTests(unittest.TestCase):
    def test_free_ports_are_different_and_free(self) -> None:
        ports = network.free_ports(20)
        self.assertEqual(len(set(ports)), 20)

    def test_a_port_in_use_on_any_address_is_not_free(self) -> None:
        for address in ("127.0.0.1", "0.0.0.0"):
            with socket.create_server((address, 0)) as server:
                self.assertFalse(network.is_free(server.getsockname()[1]))


class DatabaseTests(unittest.TestCase):
    def test_a_database_on_this_machine_is_reached_by_its_socket(self) -> None:
        folder = Path("/srv/My Stack/mongod")
        self.assertEqual(database.near_address(folder, 27017), "%2Fsrv%2FMy%20Stack%2Fmongod%2Fmongodb-27017.sock")

    def test_a_path_that_is_too_long_for_a_socket_is_not_used(self) -> None:
        # A letter of two bytes, so that characters are not what is counted.
        folder = "/é".ljust(database.MAX_SOCKET_PATH_BYTES - len("/mongodb-27017.sock") - 1, "x")
        self.assertIsNotNone(database.socket_path(Path(folder), 27017))
        self.assertIsNone(database.socket_path(Path(f"{folder}x"), 27017))
        self.assertEqual(database.near_address(Path(f"{folder}x"), 27017), "127.0.0.1:27017")


class OutputTests(unittest.TestCase):
    def test_missing_libraries_of_ldd(self) -> None:
        output = "\tlibc.so.6 => /lib/libc.so.6 (0x1)\n\tlibcurl.so.4 => not found\n\tlibssl.so.3 => not found\n"
        self.assertEqual(database.not_found(output), ["libcurl.so.4", "libssl.so.3"])

    def test_progress_of_a_build(self) -> None:
        line = "[12/345] Compiling Domain Video.swift"
        self.assertEqual(building.shown(line), line)
        self.assertEqual(building.shown("warning: something"), "")

    def test_the_last_lines_of_a_long_log(self) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".log") as file:
            file.writelines(f"line {number}\n" for number in range(50_000))
            file.flush()
            self.assertEqual(last_lines(Path(file.name), 2), ["line 49998", "line 49999"])
        self.assertEqual(last_lines(Path("/nonexistent"), 2), [])

    def test_the_summary_of_the_test_runner_is_held_back_and_the_rest_counted(self) -> None:
        progress, step = mock.Mock(), mock.Mock()
        report = testing.Report(progress, step, verbose=False)
        for line in (
            "◇ Test one() started.",
            "✔ Test one() passed after 0.001 seconds.",
            '✘ Test "two" recorded an issue at T.swift:3:4: Expectation failed: 1 == 2',
            '✘ Test "two" failed after 0.001 seconds with 1 issue.',
            "✘ Test run with 2 tests in 1 suite failed after 0.002 seconds with 1 issue.",
        ):
            report.read(line)
        self.assertEqual((report.passed, report.failed), (1, 1))
        self.assertTrue(report.summary.startswith("✘ Test run with 2 tests"))
        self.assertEqual(progress.say.call_count, 2)


class InstallationScriptTests(unittest.TestCase):
    def run_script(self, guard: Path, apt: str) -> subprocess.CompletedProcess[str]:
        """Runs the script with an apt-get of our own that shows whether the guard is there."""
        with tempfile.TemporaryDirectory() as folder:
            stand_in = Path(folder) / "apt-get"
            stand_in.write_text(f"#!/bin/sh\n{apt}\n")
            stand_in.chmod(0o755)
            with mock.patch.object(packages, "GUARD", guard):
                script = packages.installation_script(["some-package"], [])
            path = f"{folder}:{os.environ['PATH']}"
            return subprocess.run(["sh", "-c", script], env={"PATH": path}, capture_output=True, text=True)

    def test_the_guard_is_there_during_the_installation_and_gone_afterwards(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            guard = Path(folder) / "policy-rc.d"
            for code in (0, 100):
                finished = self.run_script(guard, f"[ $1 = install ] || exit 0; tail -n 1 {guard}; exit {code}")
                self.assertEqual((finished.stdout, finished.returncode), ("exit 101\n", code))
                self.assertFalse(guard.exists())

    def test_a_guard_of_somebody_else_is_left_alone(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            guard = Path(folder) / "policy-rc.d"
            guard.write_text("exit 0\n")
            self.run_script(guard, "true")
            self.assertEqual(guard.read_text(), "exit 0\n")


if __name__ == "__main__":
    unittest.main()
