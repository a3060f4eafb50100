"""The note of processes, and what is made from it."""

import os
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from stack import processes, stack_environment
from stack.layout import Layout
from stack.processes import Process
from stack.state import State, kind_of, shell_lines, write_privately


def process(name: str, pid: int = 1, port: int = 1, identity: str = "other boot/1", **environment: str) -> Process:
    return Process(name, pid, identity, [name], environment, f"/tmp/{name}.log", 0.0, port)


class StateTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.layout = Layout(Path(folder.name))

    def test_a_note_survives_writing_and_reading(self) -> None:
        state = State(self.layout)
        state.add(process("video-storage", pid=7, RABBIT="amqp://x"))
        state.keep()
        again = State(self.layout)
        self.assertEqual(again.processes, state.processes)
        self.assertEqual(again.keeper, state.keeper)

    def test_the_note_is_readable_by_its_owner_only(self) -> None:
        State(self.layout).add(process("mongod"))
        self.assertEqual(self.layout.processes.stat().st_mode & 0o777, 0o600)

    def test_a_missing_or_damaged_note_is_an_empty_one(self) -> None:
        for text in (None, "", "{", "[]", '{"processes": [{"name": "x"}], "keeper": null}'):
            if text is not None:
                self.layout.processes.write_text(text)
            self.assertEqual(State(self.layout).processes, [])

    def test_a_process_of_the_same_name_takes_the_place_of_the_earlier_one(self) -> None:
        state = State(self.layout)
        state.add(process("video-storage", pid=7))
        state.add(process("video-storage", pid=8))
        self.assertEqual([each.pid for each in state.processes], [8])

    def test_the_id_of_another_program_is_not_taken_for_ours(self) -> None:
        mine = process("video-storage", pid=os.getpid(), identity="an earlier boot/123")
        self.assertFalse(mine.runs)
        self.assertIsNone(processes.open_descriptor(mine))

    def test_those_who_ask_are_stopped_before_those_who_answer(self) -> None:
        state = State(self.layout)
        identity = processes.identity(os.getpid())
        for name in ("epmd", "mongod", "video-metadata", "video-storage", "video-storage-2", "video-streaming"):
            state.add(process(name, pid=os.getpid(), identity=identity))
        order = [[each.name for each in group] for group in state.in_stop_order()]
        self.assertEqual(order[0], ["video-streaming"])
        self.assertEqual(order[1], ["video-storage", "video-storage-2"])
        self.assertEqual(order[2:], [["video-metadata"], ["mongod"], ["epmd"]])

    def test_a_kind_is_the_name_without_its_number(self) -> None:
        self.assertEqual(kind_of("video-storage-12"), "video-storage")
        self.assertEqual(kind_of("video-storage"), "video-storage")
        self.assertEqual(kind_of("mongod"), "mongod")


class StackEnvironmentTests(unittest.TestCase):
    def values(self, *more: Process) -> dict[str, str]:
        rabbitmq = process("rabbitmq", pid=1)
        rabbitmq.details = {"tool": "amqp://r", "administrator": "amqp://a"}
        return stack_environment.values(
            [
                rabbitmq,
                process("mongod", pid=2),
                process("video-metadata", pid=3, DBHOST="mongodb://h", DBNAME="video-metadata"),
                process("video-storage", pid=4, DBHOST="mongodb://h", DBNAME="video-storage", STORAGE_DIRECTORY="/a b"),
                process("video-streaming", pid=5, port=4000, WRITE_TOKEN="secret"),
                *more,
            ]
        )

    def test_one_of_each(self) -> None:
        values = self.values()
        self.assertEqual(values["GATEWAY_URL"], "http://127.0.0.1:4000")
        self.assertNotIn("GATEWAY_URLS", values)
        self.assertEqual(values["VIDEO_STORAGE_PID"], "4")
        self.assertEqual(values["MONGOD_PID"], "2")
        self.assertEqual((values["RABBIT"], values["RABBIT_ADMINISTRATOR"]), ("amqp://r", "amqp://a"))

    def test_several_of_a_kind_stand_in_one_value_in_the_order_of_their_numbers(self) -> None:
        numbered = [process(f"video-storage-{number}", pid=number) for number in (10, 2)]
        values = self.values(*numbered, process("video-streaming-2", port=4001))
        self.assertEqual(values["VIDEO_STORAGE_PID"], "4 2 10")
        self.assertEqual(values["GATEWAY_URLS"], "http://127.0.0.1:4000 http://127.0.0.1:4001")

    def test_a_shell_reads_what_was_written(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "stack.env"
            write_privately(path, shell_lines({"A": "x y'z$HOME", "B": "amqp://u:p@h:1/%2f"}))
            script = f'. "{path}"; printf "%s\\n" "$A" "$B"'
            output = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
        self.assertEqual(output.splitlines(), ["x y'z$HOME", "amqp://u:p@h:1/%2f"])


class StoppingTests(unittest.TestCase):
    def started(self, script: str) -> Process:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        process = processes.start("example", ["sh", "-c", script], {}, Path(folder.name) / "example.log")
        while "ready" not in process.log_path.read_text():
            self.assertTrue(process.runs)
        return process

    @staticmethod
    def wait(seconds: float, readable: list[int]) -> list[int]:
        import select

        return select.select(readable, [], [], seconds)[0]

    def test_a_process_that_ends_by_itself_is_not_killed(self) -> None:
        example = self.started("trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done")
        self.assertEqual(processes.stop([example], self.wait, lambda: False), [])
        self.assertFalse(example.runs)
        self.assertEqual(example.ending(), "exit code 3")

    def test_a_deaf_process_is_killed_after_its_drain_time(self) -> None:
        example = self.started("trap '' TERM; echo ready; while :; do sleep 0.01; done")
        example.drain_seconds = 0.1
        self.assertEqual(processes.stop([example], self.wait, lambda: False), ["example"])
        self.assertEqual(example.ending(), f"signal 9 ({signal.SIGKILL.name})")

    def test_in_a_hurry_nobody_is_waited_for(self) -> None:
        example = self.started("trap '' TERM; echo ready; while :; do sleep 0.01; done")
        self.assertEqual(processes.stop([example], self.wait, lambda: True), ["example"])

    def test_what_has_ended_already_is_no_error(self) -> None:
        self.assertEqual(processes.stop([process("gone")], self.wait, lambda: False), [])


if __name__ == "__main__":
    unittest.main()
