"""Runs the built tests and makes their output readable: failures, a count, and the summary as the very last line.

The test bundle is run directly, as `swift test --disable-xctest --skip-build` would run it. SwiftPM keys its cache of
compiled manifests by the environment, and the servers' ports are new each time: through `swift test`, a run would first
compile the manifest of every dependency again, a minute and more on two cores.
"""

from __future__ import annotations

import re
from pathlib import Path

from . import commands, orphans, packages
from .environments import PythonEnvironment
from .failure import Failure, last_lines
from .layout import Layout
from .progress import Progress, Step

# Swift Testing prints "✔ Test run with 12 tests in 3 suites passed after 0.1 seconds."; other symbols elsewhere.
SUMMARY = re.compile(r"Test run with \d+ tests?\b.* (passed|failed) after ")
PASSED = re.compile(r"^✔ Test (?!run ).* passed after ")
FAILED = re.compile(r"^✘ Test (?!run ).* failed after ")
# What a reader wants to see at once: failures and their explanations, skipped tests, errors of the runner itself.
TELLING = re.compile(r"^(✘|↳|➜|error:|warning: No matching|Fatal error|.*: Fatal error|\*\*\*)")
ROUTINE = re.compile(r"^↳ (Testing Library Version|Target Platform)")
# These two targets need the servers.
WITH_SERVERS = r"^(IntegrationTests|EndToEndTests)\."
# All tests take minutes, and the long ones most of an hour. One that hangs must not use up the time of a whole CI run.
MOST_SECONDS = 45 * 60.0
MOST_SECONDS_OF_LONG_ONES = 120 * 60.0
EXIT_NO_TESTS = 69
# The Python that runs the tests of ops itself.
CHECKS = PythonEnvironment("checks", Path(__file__).with_name("checks.txt"), "kubernetes-validate (25 MB)")
# A test's argument may be a text of megabytes.
LONGEST_LINE = 1_000


class Report:
    """Reads the runner's output line by line, shows what matters, and holds the summary back."""

    def __init__(self, progress: Progress, step: Step, verbose: bool):
        self.summary = ""
        self.passed = 0
        self.failed = 0
        self._progress = progress
        self._step = step
        self._verbose = verbose

    def read(self, line: str) -> None:
        if SUMMARY.search(line):
            self.summary = line
            return
        self.passed += bool(PASSED.match(line))
        self.failed += bool(FAILED.match(line))
        self._step.detail = f"{self.passed} passed, {self.failed} failed"
        if self._verbose or (TELLING.match(line) and not ROUTINE.match(line)):
            self._progress.say(line[:LONGEST_LINE])


def bundle(products: Path) -> Path:
    """The executable that holds all tests of the package."""
    found = sorted(products.glob("*PackageTests.xctest"))
    if len(found) != 1:
        raise Failure(f"{len(found)} test bundles in {products}, not one", "delete that folder and try again")
    return found[0]


def run(
    tests: Path,
    layout: Layout,
    progress: Progress,
    environment: dict[str, str],
    arguments: list[str],
    verbose: bool,
    known_processes: set[int],
    with_long_ones: bool = False,
) -> tuple[int, str]:
    """Runs a test bundle; returns the runner's exit code and its summary line, which the caller prints last."""
    log = layout.log("test")
    command = [str(tests), "--no-parallel", "--testing-library", "swift-testing", *arguments]
    orphans.adopt()
    try:
        with progress.step("run the tests") as step:
            report = Report(progress, step, verbose)
            code = commands.follow(
                command,
                step,
                log,
                # Swift Testing colours what it writes into a pipe; logs and readers of summaries want plain text.
                environment=environment | {"NO_COLOR": "1"},
                folder=layout.root,
                on_line=report.read,
                most_seconds=MOST_SECONDS_OF_LONG_ONES if with_long_ones else MOST_SECONDS,
            )
    finally:
        left_over = orphans.end(known_processes)
        if left_over:
            progress.say(f"ended what the tests had left running: {', '.join(left_over)}")
    if not report.summary:
        raise Failure(f"the test runner ended with code {code} and without a summary", "see its output", log)
    if code == EXIT_NO_TESTS:
        progress.say("no test has a name that matches --filter")
    elif code != 0:
        progress.say(f"the whole output is in {log}")
    return code, report.summary


def install_checks(layout: Layout, progress: Progress) -> None:
    """Installs what the tests of ops itself run on, if it is not there."""
    absent = packages.missing(packages.TO_CHECK)
    if absent:
        with progress.step("install Debian packages") as step:
            packages.install(absent, layout, step)
            step.detail = " ".join(absent)
    if not CHECKS.is_installed(layout):
        with progress.step("install checks of manifests") as step:
            CHECKS.install(layout, step)


def run_our_own(layout: Layout, progress: Progress) -> None:
    """Runs the unit tests of ops itself, which take some seconds."""
    install_checks(layout, progress)
    log = layout.log("test-ops")
    with progress.step("test ops itself") as step:
        commands.run(
            [CHECKS.python(layout), "-m", "unittest", "discover", "-s", "ops/tests", "-t", "ops"],
            step,
            log,
            "mend ops or the test",
            folder=layout.root,
        )
        step.detail = " ".join(last_lines(log, 2)[:1])
