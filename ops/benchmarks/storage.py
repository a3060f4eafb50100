"""ops/bench storage: uploads and downloads through Millrace, against the provider's own client."""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from stack import building, database, packages, servers, throwaway
from stack.layout import Layout, stack_layout
from stack.progress import Progress, Step
from stack.services import KINDS

from . import page_cache, rpc
from .figures import Goal, Row, as_json, of_pairs
from .processors import CORES, OTHERS, bound
from .rpc_runs import Bench
from .storage_runs import CLIENT, Millrace, OwnClient, Source, Transfer
from .tables import cells, number, table, yes_or_no
from .usage import Use

DESCRIPTION = """A video of random bytes is uploaded and downloaded over HTTP through one gateway, the broker and one storage
worker; and the provider's own client does the same with the same server: cp for the file system, boto3 and
azure-storage-blob for the test servers of S3 and Azure, pymongo for GridFS. Each downloaded byte is compared with the one
that was uploaded, as it arrives (after the copy, with cp). The bytes repeat after 262,139, so that those which are compared
with stay in the client's cache; as this is a prime number, a block fits no other block's place. In each pair, the C
program of `ops/bench rpc` carries replies of 262,144 bytes, 4 at once, over the same broker: what the goals are
measured by."""

EPILOG = """Before each provider, free memory is filled with page cache that the kernel may take back, as on a server that has run
for a day; --fresh-memory leaves it free. On a virtual machine that makes a difference: its host has to find free memory
first, page by page, and an upload to the file system is a quarter slower or more.

A ratio is the median of the ratios of the pairs, whose halves run one after the other, in an order that changes from
pair to pair. What was written is read from memory, on both sides: the page cache, and a mongod with the cache that it
takes by default, which is reached by its Unix socket, as with ops/up. cp flushes nothing; Millrace has flushed all when
it answers. The test servers of S3 and Azure are written in Python and have the same two cores. A provider takes about 2
minutes with 3 pairs of 1 GiB; --mebibytes 64 gives a first impression. Logs are in .millrace/logs/."""

PROVIDERS = {"filesystem": "cp", "s3": "boto3", "azure": "azure-storage-blob", "gridfs": "pymongo"}
UPLOAD, DOWNLOAD = "upload", "download"
OURS, PEER, PIPELINE = "Millrace", "own client", "C pipeline"
RELEASE = ["--configuration", "release"]
PEAK = ", peak memory"
SECONDS_OF_PIPELINE = 3.0
MEBIBYTE = 1 << 20
MEGABYTE = 1_000_000

DOWNLOAD_GOAL = Goal(">=", 0.70)
# To the file system: this, or half of what the C program carries, whichever is less.
UPLOAD_MEGABYTES_PER_SECOND = 200.0
UPLOAD_SHARE_OF_PIPELINE = 0.5
UPLOADS_AT_ONCE = 20
GATEWAY_MEGABYTES = 150.0


@dataclass
class Runs:
    """All measurements of one provider, in the order of the pairs."""

    transfers: dict[str, dict[str, list[Transfer]]] = field(
        default_factory=lambda: {side: {UPLOAD: [], DOWNLOAD: []} for side in (OURS, PEER)}
    )
    pipeline: list[float] = field(default_factory=list)
    at_once: list[Transfer] = field(default_factory=list)


def add_to(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "storage",
        help="uploads and downloads with each provider, against its own client",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole = rpc.at_least_one(int)
    parser.add_argument("--pairs", type=whole, default=3, metavar="N", help="how many pairs (default: 3)")
    parser.add_argument(
        "--mebibytes", type=whole, default=1024, metavar="N", help="how long the video is (default: 1024)"
    )
    parser.add_argument(
        "--provider", action="append", choices=PROVIDERS, help="only this one; may be given again (default: all)"
    )
    parser.add_argument(
        "--fresh-memory", action="store_true", help="measure with free memory, instead of page cache to be taken back"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows of all tables there, too")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace, progress: Progress) -> int:
    layout = stack_layout()
    layout.make()
    servers.install_missing(layout, progress, also=packages.TO_COMPILE_C + packages.TO_TEST)
    servers.install_object_stores(layout, progress)
    for kind in KINDS:
        building.build(layout, progress, f"build {kind}", [*RELEASE, "--product", kind])
    products = building.products(layout, RELEASE)
    pipeline = rpc.compile_peer(layout, progress)
    found: dict[str, Runs] = {}
    for provider in chosen.provider or PROVIDERS:
        found[provider] = _measure(provider, chosen, products, pipeline, layout, progress)
    rows = [row for provider, runs in found.items() for row in _main_rows(provider, runs)]
    used = [row for provider, runs in found.items() for row in _use_rows(provider, runs)]
    print(f"\n{_heading(chosen, found)}\n\n{_report(rows, used, found)}", flush=True)
    if chosen.json is not None:
        chosen.json.write_text(as_json([*rows, *used]))
    return 0


# What is run


def _measure(
    provider: str, chosen: argparse.Namespace, products: Path, pipeline: Path, layout: Layout, progress: Progress
) -> Runs:
    """Measures one provider on servers that nothing else has used."""
    logs = [layout.log(f"storage-{name}") for name in ("ours", "peer")]
    size = chosen.mebibytes * MEBIBYTE
    ready = throwaway.servers(progress, with_object_stores=True, with_default_cache=True)
    with ready as (state, _, environment), _folder(size) as folder:
        # As ops/up reaches it.
        place = database.near_address(state.layout.database, state.named("mongod")[0].port)
        environment = environment | {"DBHOST": f"mongodb://{place}"}
        # Logs of the services are kept with those of the servers.
        peer = OwnClient(provider, state.layout, state, environment, logs[1])
        with progress.step(f"prepare {provider}") as step:
            peer.prepare(step)
            source = Source.make(folder / "source", size, step)
            # A part for each, and in all what the cores can take in some seconds.
            small = Source.make(folder / "small", max(MEBIBYTE, size // 16), step)
        ours = Millrace(provider, products, state.layout, state, environment, logs[0])
        ours.await_ready(progress)
        bench = Bench(layout, state, environment["RABBIT"], SECONDS_OF_PIPELINE)
        # On the disk that the file system's provider writes to.
        used = nullcontext() if chosen.fresh_memory else page_cache.filled(state.layout.directory, progress)
        with used, progress.step(f"measure {provider}") as step:
            work = _Work(ours, peer, step)
            work.pair(small, f"{provider}, warming up", [OURS, PEER], Runs())
            runs = Runs()
            for pair in range(chosen.pairs):
                name = f"{provider}, pair {pair + 1} of {chosen.pairs}"
                order = [OURS, PEER] if pair % 2 == 0 else [PEER, OURS]
                work.pair(source, name, order, runs)
                step.detail = f"{name}: the C program"
                carried = bench.run(pipeline, rpc.LARGE, step, rpc.for_peer(rpc.LARGE))
                runs.pipeline.append(carried.calls_per_second * rpc.LARGE.reply_bytes / MEGABYTE)
            runs.at_once.append(work.uploads_at_once(small, f"{provider}, {UPLOADS_AT_ONCE} uploads at once"))
            step.detail = f"{chosen.pairs} pairs, all bytes compared"
    return runs


@contextmanager
def _folder(size: int) -> Iterator[Path]:
    """A folder for the file that is sent: in memory where that has room to spare, so that clients wait for no disk."""
    memory = Path("/dev/shm")
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > 4 * size
    folder = Path(tempfile.mkdtemp(prefix="millrace-bench-", dir=memory if has_room else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Work:
    ours: Millrace
    peer: OwnClient
    step: Step
    count: int = 0

    def pair(self, source: Source, name: str, order: Sequence[str], runs: Runs) -> None:
        """Both sides upload and download once."""
        for side in order:
            what = f"{name}: {{}}, {side}"
            if side == OURS:
                video, sent = self.ours.upload(source, self.step, what.format(UPLOAD))
                received = self.ours.download(video, source, self.step, what.format(DOWNLOAD))
            else:
                self.count += 1
                blob = f"own-client-{self.count}"
                sent = self.peer.upload(source, blob, self.step, what.format(UPLOAD))
                received = self.peer.download(blob, source, self.step, what.format(DOWNLOAD))
            runs.transfers[side][UPLOAD].append(sent)
            runs.transfers[side][DOWNLOAD].append(received)

    def uploads_at_once(self, source: Source, what: str) -> Transfer:
        videos, transfer = self.ours.upload_at_once(source, UPLOADS_AT_ONCE, self.step, what)
        for video in videos:
            self.ours.download(video, source, self.step, f"{what}, read back")
        return transfer


# What is told


def _rates(runs: Runs, side: str, direction: str) -> list[float]:
    return [transfer.megabytes_per_second for transfer in runs.transfers[side][direction]]


def _main_rows(provider: str, runs: Runs) -> list[Row]:
    rows = [
        of_pairs(
            f"{provider}: {direction}, against {PROVIDERS[provider]}",
            "MB/s",
            _rates(runs, OURS, direction),
            _rates(runs, PEER, direction),
        )
        for direction in (UPLOAD, DOWNLOAD)
    ]
    if provider == "filesystem":
        needed = [min(UPLOAD_MEGABYTES_PER_SECOND, UPLOAD_SHARE_OF_PIPELINE * rate) for rate in runs.pipeline]
        what = f"{provider}: upload, against what is wanted"
        rows.append(of_pairs(what, "MB/s", _rates(runs, OURS, UPLOAD), needed, Goal(">=", 1.0)))
    against = f"against the {PIPELINE}"
    rows.append(
        of_pairs(
            f"{provider}: download, {against}", "MB/s", _rates(runs, OURS, DOWNLOAD), runs.pipeline, DOWNLOAD_GOAL
        )
    )
    peaks = [transfer.uses["gateway"].peak_bytes / MEGABYTE for transfer in runs.at_once]
    what = f"{provider}: gateway's memory, {UPLOADS_AT_ONCE} uploads at once, against what is allowed"
    rows.append(of_pairs(what, "MB", peaks, [GATEWAY_MEGABYTES] * len(peaks), Goal("<=", 1.0)))
    return rows


def _use_rows(provider: str, runs: Runs) -> list[Row]:
    """Processor time and peak of memory of each process, for each direction; the own client's where it takes part."""
    rows = []
    for direction in (UPLOAD, DOWNLOAD):
        ours, peer = (runs.transfers[side][direction] for side in (OURS, PEER))
        for process in ours[0].uses:
            what = f"{provider}: {direction}, {process}"
            rows.append(_use_row(what, "CPU s", process, ours, peer, lambda use: use.cpu_seconds))
            if process != CLIENT:
                megabytes: Callable[[Use], float] = lambda use: use.peak_bytes / MEGABYTE
                rows.append(_use_row(what + PEAK, "MB", process, ours, peer, megabytes))
    return rows


def _use_row(
    what: str,
    unit: str,
    process: str,
    ours: Sequence[Transfer],
    peer: Sequence[Transfer],
    figure: Callable[[Use], float],
) -> Row:
    theirs = [figure(transfer.uses[process]) for transfer in peer if process in transfer.uses]
    mine = [figure(transfer.uses[process]) for transfer in ours]
    if not theirs or min(theirs) == 0:
        return of_pairs(what, unit, mine, [])
    return of_pairs(what, unit, mine, theirs)


def _heading(chosen: argparse.Namespace, found: dict[str, Runs]) -> str:
    transfers = [transfer for runs in found.values() for kind in runs.transfers[OURS].values() for transfer in kind]
    # What the client uses counts as the others' as well.
    others = statistics.median(
        max(0.0, each.shares[OTHERS] - each.uses[CLIENT].cpu_seconds / each.seconds) for each in transfers
    )
    return (
        f"Storage, {chosen.pairs} pairs of {chosen.mebibytes} MiB on {CORES} cores, of which other programs kept "
        f"{others:.2f} busy; with {'free memory' if chosen.fresh_memory else 'memory full of page cache'}"
    )


def _report(rows: Sequence[Row], used: Sequence[Row], found: dict[str, Runs]) -> str:
    goals = [[*cells(row), str(row.goal or ""), yes_or_no(row.met)] for row in rows]
    head = ["unit", OURS, "peer", "ratio"]
    bounds = [
        [f"{provider}: {direction}", bound(_median_shares(runs.transfers[OURS][direction]))]
        for provider, runs in found.items()
        for direction in (UPLOAD, DOWNLOAD)
    ]
    return "\n\n".join(
        [
            table(["work", *head, "goal", "met"], goals),
            table(["what each process uses", "CPU s", f"with {PEER}", "peak MB", f"with {PEER}"], _uses(used)),
            table([f"what bounds {OURS}", f"cores kept busy; {OTHERS} includes the client"], bounds),
        ]
    )


def _uses(used: Sequence[Row]) -> list[list[str]]:
    """A line for each process, made of the rows of its processor time and of its memory."""
    memory = {row.work.removesuffix(PEAK): row for row in used if row.work.endswith(PEAK)}
    lines = []
    for row in used:
        if row.work.endswith(PEAK):
            continue
        peaks = memory.get(row.work)
        lines.append(
            [row.work, *map(number, (row.ours, row.peer, peaks and peaks.ours, peaks and peaks.peer))]
        )
    return lines


def _median_shares(transfers: Sequence[Transfer]) -> dict[str, float]:
    return {name: statistics.median(each.shares[name] for each in transfers) for name in transfers[0].shares}
