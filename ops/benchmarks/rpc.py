"""ops/bench rpc: Millrace's RPC over AMQP against a C program on librabbitmq."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from stack import building, commands, packages, servers, throwaway
from stack.layout import Layout, stack_layout
from stack.progress import Progress, duration

from .figures import Goal, Row, as_json, of_pairs, percentile
from .processors import CORES, OTHERS, bound
from .rpc_runs import Bench, Latencies, Run, Work
from .tables import cells, table, yes_or_no

DESCRIPTION = """Request and reply over a private RabbitMQ: Millrace's AMQP and RPC in Swift, and a C program on the same
librabbitmq. Both send the same messages: requests that are transient, mandatory, confirmed and expire; an exclusive
reply queue; mandatory replies; one acknowledgement for each request, after its reply. Both compare every byte of every
reply. Caller and worker are processes of their own, started anew for each run, with half a second to warm up."""

EPILOG = """A ratio is Swift / C: the median of the ratios of the pairs, whose halves run one after the other, in an order that
changes from pair to pair. Percentiles are those of an HdrHistogram of all calls of all runs. With 5 pairs of 3 s it
takes about 8 minutes. Programs: Sources/RPCBenchmark, ops/benchmarks/rpc_peer. Their output is in .millrace/logs/rpc-*.log."""

PEER_SOURCES = Path(__file__).parent / "rpc_peer"
RELEASE = ["--configuration", "release", "--product", "rpc-benchmark"]

SMALL = Work("200-byte RPC, 64 outstanding", 64)
SINGLE = Work("200-byte RPC, 1 outstanding", 1)
LARGE = Work("262,144-byte replies, 4 outstanding", 4, reply_bytes=262_144)
BY_OUTSTANDING = [SINGLE, Work("200-byte RPC, 8 outstanding", 8), SMALL, Work("200-byte RPC, 512 outstanding", 512)]
BY_REPLY = [
    Work("65,536-byte replies, 4 outstanding", 4, reply_bytes=65_536),
    Work("131,072-byte replies, 4 outstanding", 4, reply_bytes=131_072),
    LARGE,
    Work("524,288-byte replies, 4 outstanding", 4, reply_bytes=524_288),
    Work("1,048,576-byte replies, 4 outstanding", 4, reply_bytes=1_048_576),
]
BY_WORKERS = [SMALL, Work("200-byte RPC, 2 workers", 64, workers=2), Work("200-byte RPC, 4 workers", 64, workers=4)]
AGAINST_PEER = {work.name: work for work in [SMALL, SINGLE, LARGE, *BY_OUTSTANDING, *BY_REPLY]}
EVERYTHING = AGAINST_PEER | {work.name: work for work in BY_WORKERS}

OURS, PEER = "Millrace", "C"
# The runs of each program, by the name of the work.
Runs = dict[str, dict[str, list[Run]]]


def add_to(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "rpc",
        help="request and reply over RabbitMQ, against C on librabbitmq",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pairs", type=at_least_one(int), default=5, metavar="N", help="how many pairs (default: 5)")
    parser.add_argument(
        "--seconds", type=at_least_one(float), default=3.0, metavar="S", help="how long each run measures (default: 3)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows of all tables there, too")
    parser.set_defaults(run=run)


def at_least_one(kind: type) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = kind(text)
        if value < 1:
            raise argparse.ArgumentTypeError("it must be at least 1")
        return value

    return read


def run(chosen: argparse.Namespace, progress: Progress) -> int:
    layout = stack_layout()
    layout.make()
    servers.install_missing(layout, progress, also=packages.TO_COMPILE_C + packages.TO_TEST)
    programs = _programs(layout, progress)
    with throwaway.servers(progress) as (state, _, environment):
        bench = Bench(layout, state, environment["RABBIT"], chosen.seconds)
        runs = _measure(bench, programs, chosen.pairs, progress)
    others = statistics.median(run.shares[OTHERS] for by_work in runs.values() for run in sum(by_work.values(), []))
    latencies = Latencies(programs[OURS], layout)
    percentiles = _percentile_rows(runs, latencies)
    print(
        f"\nRPC over AMQP, {chosen.pairs} pairs of {duration(chosen.seconds)} on {CORES} cores, of which other programs "
        f"kept {others:.2f} busy\n\n{_report(runs, percentiles)}",
        flush=True,
    )
    if chosen.json is not None:
        chosen.json.write_text(as_json([*_main_rows(runs), *percentiles, *_growth_rows(runs), *_size_rows(runs)]))
    return 0


# What is run


def _programs(layout: Layout, progress: Progress) -> dict[str, Path]:
    """Builds both and gives where they are."""
    building.build(layout, progress, "build rpc-benchmark", RELEASE)
    return {OURS: building.products(layout, RELEASE[:2]) / "rpc-benchmark", PEER: compile_peer(layout, progress)}


def compile_peer(layout: Layout, progress: Progress) -> Path:
    """Compiles the C program and gives where it is."""
    peer = layout.root / ".build" / "bench" / "rpc-peer"
    peer.parent.mkdir(parents=True, exist_ok=True)
    sources = [str(path) for path in sorted(PEER_SOURCES.glob("*.c"))]
    with progress.step("compile the C program") as step:
        command = ["gcc", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o", str(peer), *sources, "-lrabbitmq"]
        commands.run(command, step, layout.log("rpc-peer-build"), "mend ops/benchmarks/rpc_peer")
    return peer


def for_peer(work: Work) -> list[str]:
    """What is fastest for C: one connection for one call at a time, else two (45 % more calls at 64 outstanding)."""
    return ["--connections", "1" if work.outstanding == 1 else "2"]


def _measure(bench: Bench, programs: dict[str, Path], pairs: int, progress: Progress) -> Runs:
    """Goes through all work once for each pair, so that a machine that grows slower does so for every row."""
    runs: Runs = {program: {name: [] for name in EVERYTHING} for program in programs}
    with progress.step("measure") as step:
        for pair in range(pairs):
            order = [OURS, PEER] if pair % 2 == 0 else [PEER, OURS]
            for name, work in EVERYTHING.items():
                for program in order:
                    if program == PEER and name not in AGAINST_PEER:
                        continue
                    step.detail = f"pair {pair + 1} of {pairs}: {name}, {program}"
                    more = for_peer(work) if program == PEER else []
                    runs[program][name].append(bench.run(programs[program], work, step, more))
        step.detail = f"{sum(len(found) for by_work in runs.values() for found in by_work.values())} runs"
    return runs


# What is told


def _row(runs: Runs, work: Work, what: str, unit: str, figure: Callable[[Run], float], goal: Goal | None = None) -> Row:
    ours, peer = ([figure(run) for run in runs[program][work.name]] for program in (OURS, PEER))
    return of_pairs(f"{work.name}{what}", unit, ours, peer, goal)


def _p50(run: Run) -> float:
    return percentile(sorted(run.latencies), 50) / 1_000


def _main_rows(runs: Runs) -> list[Row]:
    return [
        _row(runs, SMALL, "", "calls/s", lambda run: run.calls_per_second, Goal(">=", 0.90)),
        _row(runs, SINGLE, ", latency p50", "µs", _p50, Goal("<=", 1.25)),
        _row(runs, LARGE, "", "bytes/s", lambda run: run.calls_per_second * LARGE.reply_bytes, Goal(">=", 0.90)),
        _row(
            runs,
            SMALL,
            ", caller and worker",
            "CPU s per 10,000 calls",
            lambda run: run.cpu_seconds_per_call * 10_000,
            Goal("<=", 1.5),
        ),
    ]


def _percentile_rows(runs: Runs, latencies: Latencies) -> list[Row]:
    rows = []
    for work in (SINGLE, SMALL):
        ours, peer = (latencies.percentiles(runs[program][work.name]) for program in (OURS, PEER))
        for name, value in ours.items():
            our, other = value / 1_000, peer[name] / 1_000
            rows.append(Row(f"{work.name}, latency {name}", "µs", our, other, our / other))
    return rows


def _size_rows(runs: Runs) -> list[Row]:
    rows = []
    for work in BY_REPLY:
        rows.append(_row(runs, work, "", "MB/s", lambda run: run.calls_per_second * work.reply_bytes / 1e6))
        rows.append(_row(runs, work, ", latency p50", "µs", _p50))
    return rows


def _growth(runs: Runs, works: Sequence[Work]) -> list[Row]:
    return [_row(runs, work, "", "calls/s", lambda run: run.calls_per_second) for work in works]


def _growth_rows(runs: Runs) -> list[Row]:
    return [*_growth(runs, BY_WORKERS), *_growth(runs, BY_OUTSTANDING)]


def _median_shares(runs: Sequence[Run]) -> dict[str, float]:
    return {name: statistics.median(run.shares[name] for run in runs) for name in runs[0].shares}


def _growth_table(title: str, runs: Runs, works: Sequence[Work]) -> str:
    head = [title, "unit", OURS, PEER, "ratio", f"what bounds {OURS} (cores kept busy)"]
    bounds = [bound(_median_shares(runs[OURS][work.name])) for work in works]
    return table(head, [[*cells(row), reason] for row, reason in zip(_growth(runs, works), bounds, strict=True)])


def _report(runs: Runs, percentiles: Sequence[Row]) -> str:
    head = [OURS, PEER, "ratio"]
    goals = [[*cells(row), str(row.goal), yes_or_no(row.met)] for row in _main_rows(runs)]
    return "\n\n".join(
        [
            table(["work", "unit", *head, "goal", "met"], goals),
            table(["all calls of all runs", "unit", *head], [cells(row) for row in percentiles]),
            _growth_table("more workers, 64 outstanding", runs, BY_WORKERS),
            _growth_table("more outstanding, 1 worker", runs, BY_OUTSTANDING),
            table(["larger replies", "unit", *head], [cells(row) for row in _size_rows(runs)]),
        ]
    )
