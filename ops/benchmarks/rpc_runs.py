"""One run of one program: workers, a caller, and what they and the processors tell."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stack import commands, processes
from stack.failure import Failure
from stack.layout import Layout
from stack.processes import Process
from stack.progress import Step
from stack.servers import wait_until
from stack.state import State

from .processors import Watch

# As many as there are calls on their way in the main rows, so that a worker never waits for a request.
PREFETCH = 64
SECONDS_TO_WARM_UP = 0.5
SECONDS_TO_START = 20.0


@dataclass(frozen=True)
class Work:
    """What is asked for, and how much of it at once. A reply of 0 bytes is the request itself."""

    name: str
    outstanding: int
    workers: int = 1
    request_bytes: int = 200
    reply_bytes: int = 0


@dataclass(frozen=True)
class Run:
    """What one run has shown."""

    seconds: float
    latencies: array[int] = field(repr=False)
    cpu_seconds_per_call: float
    shares: dict[str, float]

    @property
    def calls_per_second(self) -> float:
        return len(self.latencies) / self.seconds


class Bench:
    """Runs either program on one broker. Programs differ in their path, and in what only one of them can be told."""

    def __init__(self, layout: Layout, state: State, broker_url: str, seconds: float):
        self._layout = layout
        self._state = state
        self._environment = {"RABBIT": broker_url}
        self._broker_pids = [process.pid for process in state.named("rabbitmq")]
        self._seconds = seconds
        self._count = 0

    def run(self, program: Path, work: Work, step: Step, more: Sequence[str] = ()) -> Run:
        """Starts workers, lets a caller measure, and ends both. Both get `more` arguments, too."""
        self._count += 1
        # A queue of its own for each run: what one leaves behind does not meet the next.
        place = ["--queue", f"benchmark.{self._count}", "--service", "benchmark", *more]
        place += ["--reply-bytes", str(work.reply_bytes)]
        workers: list[Process] = []
        try:
            for number in range(1, work.workers + 1):
                command = [str(program), "worker", *place, "--prefetch", str(PREFETCH)]
                workers.append(self._start(f"rpc-worker-{number}", command))
            for worker in workers:
                _wait_for("ready", worker, step, SECONDS_TO_START)
            called, latencies, shares = self._call(program, work, place, workers, step)
        finally:
            processes.stop(workers, step.wait, lambda: step.interrupts.hurry)
        worked = [_result(worker) for worker in workers]
        answers = sum(result["calls"] for result in worked)
        cpu = called["cpuSeconds"] / called["calls"] + sum(result["cpuSeconds"] for result in worked) / answers
        return Run(called["seconds"], latencies, cpu, shares)

    def _call(
        self, program: Path, work: Work, place: Sequence[str], workers: Sequence[Process], step: Step
    ) -> tuple[dict[str, float], array[int], dict[str, float]]:
        """Runs the caller and watches the processors while it measures."""
        file = self._layout.directory / "rpc-latencies"
        numbers = {
            "--outstanding": work.outstanding,
            "--request-bytes": work.request_bytes,
            "--warm-up-seconds": SECONDS_TO_WARM_UP,
            "--seconds": self._seconds,
            "--latencies": file,
        }
        arguments = [str(part) for option in numbers.items() for part in option]
        caller = self._start("rpc-caller", [str(program), "caller", *place, *arguments])
        try:
            _wait_for("measuring", caller, step, SECONDS_TO_START)
            watch = Watch(
                {"broker": self._broker_pids, "caller": [caller.pid], "workers": [worker.pid for worker in workers]}
            )
            _wait_for("measured", caller, step, SECONDS_TO_START + self._seconds)
            shares = watch.shares()
            # Not until it has ended altogether is it known how: it counts as ended when its first thread has.
            while caller.ending() == "ended":
                step.wait(0.1)
        finally:
            processes.stop([caller], step.wait, lambda: step.interrupts.hurry)
        if caller.ending() != "exit code 0":
            raise Failure(f"{caller.name} failed ({caller.ending()})", "look at its log", caller.log_path)
        latencies: array[int] = array("q")
        latencies.frombytes(file.read_bytes())
        file.unlink()
        return _result(caller), latencies, shares

    def _start(self, name: str, command: Sequence[str]) -> Process:
        return self._state.add(processes.start(name, command, self._environment, self._layout.log(name)))


class Latencies:
    """Percentiles of an HdrHistogram, which rpc-benchmark makes of either program's latencies."""

    def __init__(self, program: Path, layout: Layout):
        self._program = program
        self._file = layout.directory / "rpc-latencies"

    def percentiles(self, runs: Sequence[Run]) -> dict[str, float]:
        """Nanoseconds by the name of the percentile, out of all calls of some runs."""
        with self._file.open("wb") as file:
            for run in runs:
                run.latencies.tofile(file)
        try:
            text = commands.output_of([str(self._program), "latencies", str(self._file)])
        finally:
            self._file.unlink()
        try:
            return json.loads(text)
        except ValueError:
            raise Failure(f"{self._program.name} made no percentiles: {text!r}", "look into LatenciesCommand") from None


def _wait_for(beginning: str, process: Process, step: Step, seconds: float) -> None:
    """Waits until a program has printed a line that begins like this."""
    wait_until(step, process, lambda: _line(beginning, process) is not None, seconds)


def _line(beginning: str, process: Process) -> str | None:
    """What a program has printed: the line that begins like this, once it is whole."""
    lines = process.log_path.read_text(errors="replace").splitlines(keepends=True)
    return next((line for line in lines if line.startswith(beginning) and line.endswith("\n")), None)


def _result(process: Process) -> dict[str, float]:
    """The figures that a program prints at its end."""
    line = _line("{", process)
    if line is None:
        raise Failure(f"{process.name} printed no result", "look at its log", process.log_path)
    return json.loads(line)
