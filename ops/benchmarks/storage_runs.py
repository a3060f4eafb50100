"""Uploads and downloads through Millrace and through a provider's own client, and what each process uses for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from stack import network, object_stores
from stack.failure import Failure
from stack.layout import Layout
from stack.processes import Process
from stack.progress import Progress, Step
from stack.services import GATEWAY, METADATA, STORAGE, await_ready, launch
from stack.state import State

from .processors import Watch
from .storage_client import PERIOD_BYTES
from .usage import Meter, Use

CLIENT_PROGRAM = Path(__file__).with_name("storage_client.py")
PLACE = "benchmark"
TOKEN = "token-of-a-benchmark"
# What the gateway and its client have in common.
WRITER = {"WRITE_TOKEN": TOKEN}
CLIENT = "client"
BLOCK_BYTES = 1 << 20
SECONDS_TO_ANSWER = 30.0

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Transfer:
    """What one upload or download, or several at once, has shown."""

    seconds: float
    byte_count: int
    uses: dict[str, Use] = field(repr=False)
    shares: dict[str, float] = field(repr=False)

    @property
    def megabytes_per_second(self) -> float:
        return self.byte_count / self.seconds / 1e6

    def lasting(self, printed: str) -> Transfer:
        """The same, with the time that the client has printed."""
        return replace(self, seconds=json.loads(printed)["seconds"])


@dataclass(frozen=True)
class Source:
    """Random bytes in a file, the same after each period: see ``storage_client.PERIOD_BYTES``."""

    path: Path
    size: int

    @staticmethod
    def make(path: Path, size: int, step: Step) -> Source:
        period = os.urandom(PERIOD_BYTES)
        block = period * -(-BLOCK_BYTES // PERIOD_BYTES)
        with path.open("wb") as file:
            for first in range(0, size, len(block)):
                file.write(memoryview(block)[: size - first])
                step.wait(0)
        return Source(path, size)


class Runner:
    """Runs clients to their end and watches the servers meanwhile."""

    def __init__(self, servers: Mapping[str, int], log: Path):
        self._servers = servers
        self._log = log

    def run(
        self, commands: Sequence[Sequence[str]], byte_count: int, step: Step, what: str, more: Mapping[str, str] = {}
    ) -> tuple[list[str], Transfer]:
        """Runs commands at once. Gives what they print, and the transfer from the first start to the last end."""
        meter = Meter(self._servers)
        watch = Watch({name: [pid] for name, pid in self._servers.items()})
        began = time.monotonic()
        with self._log.open("wb") as log, _children(commands, dict(os.environ) | more, log) as children:
            descriptors = {os.pidfd_open(child.pid): child for child in children}
            waiting = set(descriptors)
            while waiting:
                waiting -= set(step.wait(1.0, list(waiting)))
                moved = sum(_moved_bytes(descriptors[each].pid) for each in waiting)
                part = min(1.0, (moved + byte_count * (1 - len(waiting) / len(children))) / byte_count)
                step.detail = f"{what}: {part:.0%}"
            seconds = time.monotonic() - began
            uses, shares = meter.uses(), watch.shares()
            cpu = 0.0
            for descriptor, child in descriptors.items():
                os.close(descriptor)
                _, status, usage = os.wait4(child.pid, 0)
                child.returncode = os.waitstatus_to_exitcode(status)
                cpu += usage.ru_utime + usage.ru_stime
            outputs = [child.stdout.read() for child in children]
        if any(child.returncode for child in children):
            raise Failure(f"{what} failed", "look at its log, and at those of the services", self._log)
        # A child's peak of memory is not known: until it becomes another program it counts as we do.
        return outputs, Transfer(seconds, byte_count, uses | {CLIENT: Use(cpu, 0)}, shares)


@contextmanager
def _children(commands: Sequence[Sequence[str]], environment: dict[str, str], log) -> Iterator[list[subprocess.Popen]]:
    """Starts programs; none is left when the block ends."""
    children: list[subprocess.Popen] = []
    try:
        for command in commands:
            children.append(
                subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    start_new_session=True,
                )
            )
        yield children
    finally:
        for child in children:
            if child.returncode is None:
                child.kill()
                child.wait()
            child.stdout.close()


def _moved_bytes(pid: int) -> int:
    """What a client has read or written so far, whichever is more (proc(5), /proc/PID/io)."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return 0
    figures = {name: int(value) for name, value in (line.split(": ") for line in lines)}
    return max(figures["rchar"], figures["wchar"])


class Millrace:
    """One gateway, one metadata worker and one storage worker, reached over HTTP."""

    def __init__(
        self,
        provider: str,
        products: Path,
        layout: Layout,
        state: State,
        environment: Mapping[str, str],
        runner_log: Path,
    ):
        ports = network.free_ports(3)
        common = {"HOST": network.HOST, "RABBIT": environment["RABBIT"]}
        database = {"DBHOST": environment["DBHOST"]}
        by_kind = {
            METADATA: database | {"DBNAME": f"{provider}-metadata"},
            STORAGE: database | {"DBNAME": f"{provider}-storage"} | _variables(provider, layout, environment),
            # Everything is read from storage, and memory is what uploads and downloads need, without a cache beside.
            GATEWAY: WRITER | {"CACHE_BYTES": "0"},
        }
        self.processes = [
            launch(kind, [str(products / kind)], common | own | {"PORT": str(port)}, port, layout, state)
            for (kind, own), port in zip(by_kind.items(), ports, strict=True)
        ]
        self._url = f"http://{network.HOST}:{ports[-1]}"
        servers = {
            "gateway": self._pid(GATEWAY),
            "storage worker": self._pid(STORAGE),
            "metadata worker": self._pid(METADATA),
            **server_pids(provider, state, with_broker=True),
        }
        self._runner = Runner(servers, runner_log)

    def _pid(self, name: str) -> int:
        return next(process.pid for process in self.processes if process.name == name)

    def await_ready(self, progress: Progress) -> None:
        await_ready(self.processes, progress, "start the services")

    def make_video(self) -> str:
        """Makes a record and gives its id."""
        request = urllib.request.Request(
            f"{self._url}/videos",
            data=json.dumps({"title": "A benchmark", "contentType": "video/mp4"}).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
            method="POST",
        )
        with _direct.open(request, timeout=SECONDS_TO_ANSWER) as response:
            return json.load(response)["id"]

    def upload(self, source: Source, step: Step, what: str) -> tuple[str, Transfer]:
        """Uploads a file as a new video; gives its id."""
        video = self.make_video()
        return video, self._run("upload", video, source, step, what)

    def upload_at_once(self, source: Source, count: int, step: Step, what: str) -> tuple[list[str], Transfer]:
        """Uploads a file many times at once, each as a new video."""
        videos = [self.make_video() for _ in range(count)]
        commands = [self._client("upload", video, source) for video in videos]
        _, transfer = self._runner.run(commands, count * source.size, step, what, WRITER)
        return videos, transfer

    def download(self, video: str, source: Source, step: Step, what: str) -> Transfer:
        """Downloads a video and compares it with the file."""
        return self._run("download", video, source, step, what)

    def _run(self, action: str, video: str, source: Source, step: Step, what: str) -> Transfer:
        command = self._client(action, video, source)
        outputs, transfer = self._runner.run([command], source.size, step, what, WRITER)
        return transfer.lasting(outputs[0])

    def _client(self, action: str, video: str, source: Source) -> list[str]:
        url = f"{self._url}/videos/{video}/content"
        return [sys.executable, str(CLIENT_PROGRAM), "http", action, "--name", url, "--file", str(source.path)]


class OwnClient:
    """The provider's own client against the same server; `cp` for the file system."""

    def __init__(self, provider: str, layout: Layout, state: State, environment: Mapping[str, str], runner_log: Path):
        self._provider = provider
        self._environment = environment
        self._folder = layout.storage
        self._python = object_stores.ENVIRONMENT.python(layout) if provider != "filesystem" else sys.executable
        self._runner = Runner(server_pids(provider, state, with_broker=False), runner_log)

    def prepare(self, step: Step) -> None:
        """Makes the place that Millrace uses as well."""
        if self._provider != "filesystem":
            self._run("prepare", [], 1, step, f"preparing {self._provider}")

    def upload(self, source: Source, name: str, step: Step, what: str) -> Transfer:
        if self._provider == "filesystem":
            return self._copy(source.path, self._folder / name, source, step, what)
        return self._run("upload", ["--name", name, "--file", str(source.path)], source.size, step, what)

    def download(self, name: str, source: Source, step: Step, what: str) -> Transfer:
        """Downloads what was uploaded and compares it with the file."""
        if self._provider == "filesystem":
            copy = source.path.with_suffix(".copy")
            transfer = self._copy(self._folder / name, copy, source, step, what)
            self._runner.run([["cmp", str(source.path), str(copy)]], source.size, step, f"{what}, comparing")
            copy.unlink()
            return transfer
        return self._run("download", ["--name", name, "--file", str(source.path)], source.size, step, what)

    def _copy(self, original: Path, copy: Path, source: Source, step: Step, what: str) -> Transfer:
        _, transfer = self._runner.run([["cp", str(original), str(copy)]], source.size, step, what)
        return transfer

    def _run(self, action: str, more: Sequence[str], size: int, step: Step, what: str) -> Transfer:
        command = [self._python, str(CLIENT_PROGRAM), self._provider, action, *more]
        outputs, transfer = self._runner.run([command], size, step, what, self._environment)
        return transfer.lasting(outputs[0])


def server_pids(provider: str, state: State, with_broker: bool) -> dict[str, int]:
    """The servers that take part, by their names."""
    names = {"rabbitmq": "broker", "mongod": "mongod"} if with_broker else {}
    names |= {"gridfs": {"mongod": "mongod"}, "s3": {"s3": "S3 server"}, "azure": {"azure": "Azure server"}}.get(
        provider, {}
    )
    return {shown: _only(state.named(name)).pid for name, shown in names.items()}


def _only(processes: Sequence[Process]) -> Process:
    (process,) = processes
    return process


def _variables(provider: str, layout: Layout, environment: Mapping[str, str]) -> dict[str, str]:
    """What makes a storage worker use a provider."""
    own = {
        "filesystem": {"STORAGE_DIRECTORY": str(layout.storage)},
        "s3": {
            "S3_BUCKET": PLACE,
            "S3_ENDPOINT": environment["S3_TEST_ENDPOINT"],
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "secret",
        },
        "azure": {
            "STORAGE_CONTAINER": PLACE,
            "STORAGE_ENDPOINT": environment["AZURE_TEST_ENDPOINT"],
            "STORAGE_ACCOUNT_NAME": environment["AZURE_TEST_ACCOUNT"],
            "STORAGE_ACCESS_KEY": environment["AZURE_TEST_KEY"],
        },
        "gridfs": {},
    }
    return {"STORAGE_PROVIDER": provider} | own[provider]
