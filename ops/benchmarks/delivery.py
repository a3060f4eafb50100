"""ops/bench delivery: Millrace's gateway against nginx over the same files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stack import building, packages, processes, servers, throwaway
from stack.layout import Layout, stack_layout
from stack.progress import Progress, Step, duration
from stack.state import State

from . import picture, rpc, seeks, wrk
from .delivery_stack import Film, Gateway, Gateways, make, start_nginx
from .figures import Goal, Row, as_json, of_pairs, percentile
from .growth import Growth
from .processors import CORES, Watch
from .rpc_runs import Bench, Work
from .tables import cells, table, yes_or_no
from .viewers import Viewers
from .wrk import Load, Measured

DESCRIPTION = """Millrace's gateway, with its broker, database and workers, and nginx (one worker, sendfile, no access log) over
the same files, driven by wrk over loopback, one after the other. "Hot" is from the gateway's cache and nginx's page cache.
"Cold" is a gateway that keeps nothing (CACHE_BYTES=0): every chunk comes through broker and worker. Its peer is a C program on
librabbitmq that carries chunks of the same size over the same broker, and does nothing else."""

EPILOG = """A ratio is Millrace / peer: the median of the ratios of the pairs, whose halves run one after the other, in an order
that changes from pair to pair. With 5 pairs of 3 s it takes about 9 minutes after the build. --products takes services that
were built before. Logs are in .millrace/logs/test-servers/."""

RELEASE = ["--configuration", "release"]
OURS, NGINX, C = "Millrace", "nginx", "C"
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
CHUNK_BYTES = 256 * KIB

SMALL = Film("small.mp4", 1_000_000, 1)
HOT = Film("hot.mp4", 64 * MIB, 2)
LARGE = Film("large.mp4", GIB, 3)
# Short enough that a thousand viewers come to its end within a run.
CROWD = Film("crowd.mp4", 4 * MIB, 4)
SCAN = Film("scan.mp4", 4 * GIB, 5, is_sparse=True)
FILMS = [SMALL, HOT, LARGE, CROWD, SCAN]

HOT_RANGES = Load(32, range_bytes=64 * KIB, object_bytes=HOT.size)
HOT_WHOLE = Load(32)
COLD_WHOLE = Load(8)
COLD_RANGES = Load(32, range_bytes=64 * KIB, object_bytes=LARGE.size)
C_CHUNKS = Work("256 KiB chunks, 32 outstanding", 32, reply_bytes=CHUNK_BYTES)
VIEWERS = 1_000
SEEKS = 400
PLAYING = 8
# Paced viewers show nothing before what they hold is played.
PACED_SECONDS = 10.0


@dataclass
class Pairs:
    """What the two halves of each pair have shown."""

    ours: list[Measured] = field(default_factory=list)
    peer: list[Measured] = field(default_factory=list)
    our_cpu: list[float] = field(default_factory=list)
    peer_cpu: list[float] = field(default_factory=list)


def add_to(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "delivery",
        help="the gateway's HTTP, against nginx over the same files",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pairs", type=rpc.at_least_one(int), default=5, metavar="N", help="how many pairs (default: 5)")
    parser.add_argument(
        "--seconds", type=rpc.at_least_one(float), default=3.0, metavar="S", help="how long each half runs (default: 3)"
    )
    parser.add_argument("--only", metavar="WORD", help="only the measurements whose name contains this")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there, too")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the ratios there")
    parser.add_argument("--products", type=Path, metavar="FOLDER", help="where built services are; else they are built")
    parser.set_defaults(run=run)


def run(chosen: argparse.Namespace, progress: Progress) -> int:
    layout = stack_layout()
    layout.make()
    servers.install_missing(layout, progress, also=packages.TO_COMPILE_C + packages.TO_TEST + packages.TO_LOAD)
    if chosen.products is None:
        building.build(layout, progress, "build", RELEASE)
    products = chosen.products or building.products(layout, RELEASE)
    peer = rpc.compile_peer(layout, progress)
    with throwaway.stack(progress, products) as running:
        make(FILMS, running.family, running.layout, progress)
        bench = Delivery(chosen, running, peer, progress)
        rows = bench.measure()
    print(f"\nDelivery over HTTP, {chosen.pairs} pairs of {duration(chosen.seconds)} on {CORES} cores\n\n{_report(rows)}", flush=True)
    if chosen.json is not None:
        chosen.json.write_text(as_json(rows))
    if chosen.svg is not None:
        subtitle = f"{chosen.pairs} pairs of {duration(chosen.seconds)} on {CORES} cores; medians"
        ratios = [row for row in rows if row.goal is not None and row.goal.comparison == ">="]
        chosen.svg.write_text(picture.of_ratios("Millrace / peer", subtitle, ratios, "nginx, or the peer that is named"))
    return 0


def _report(rows: Sequence[Row]) -> str:
    lines = [[*cells(row), str(row.goal or ""), yes_or_no(row.met)] for row in rows]
    return table(["work", "unit", OURS, "peer", "ratio", "goal", "met"], lines)


class Delivery:
    """Runs the measurements, each with a gateway that has just been started."""

    def __init__(self, chosen: argparse.Namespace, running: throwaway.RunningStack, peer: Path, progress: Progress):
        self._pairs: int = chosen.pairs
        self._seconds: float = chosen.seconds
        self._only: str | None = chosen.only
        self._running = running
        self._state: State = running.state
        self._layout: Layout = running.layout
        self._peer_program = peer
        self._progress = progress
        self._gateways = Gateways(running.family, running.layout, running.state)
        self._nginx = ""

    def measure(self) -> list[Row]:
        works: dict[str, Callable[[Step], list[Row]]] = {
            "hot": self._hot,
            "cold": self._cold,
            "seeks": self._seeks,
            "crowd": self._crowd,
            "scan": self._scan,
            "viewers": self._viewers,
            "idle": self._idle,
            "growth": self._growth,
        }
        rows: list[Row] = []
        with self._progress.step("start nginx") as step:
            self._nginx = start_nginx(self._layout, self._state, step)
            viewers = Viewers.compiled(self._layout, self._state, stack_layout().root, step)
        seconds = max(PACED_SECONDS, self._seconds)
        self._more = Growth(self._running, self._gateways, viewers, seconds, self._drive)
        for name, work in works.items():
            if self._only is not None and self._only not in name:
                continue
            with self._progress.step(f"measure: {name}") as step:
                rows += work(step)
                step.detail = ""
        return rows

    # Against nginx

    def _hot(self, step: Step) -> list[Row]:
        gateway = self._gateways.start(step, {})
        ranges = self._against_nginx(step, gateway, HOT, HOT_RANGES)
        whole = self._against_nginx(step, gateway, SMALL, HOT_WHOLE)
        self._gateways.stop(gateway, step)
        return [
            _row("hot 64 KiB ranges, 32 connections", "requests/s", ranges, lambda run: run.requests_per_second, 0.65),
            _row("hot whole 1 MB file, 32 connections", "bytes/s", whole, lambda run: run.bytes_per_second, 0.80),
            _cpu_row("hot 64 KiB ranges", ranges),
            _cpu_row("hot whole 1 MB file", whole),
        ]

    def _against_nginx(self, step: Step, gateway: Gateway, film: Film, load: Load) -> Pairs:
        pairs = Pairs()
        # Once each, so that both have it in memory.
        for url in (gateway.address(film), f"{self._nginx}/{film.name}"):
            self._drive(step, url, Load(4), 2.0)
        for pair in range(self._pairs):
            step.detail = f"pair {pair + 1} of {self._pairs}: {film.name}"
            for is_ours in (True, False) if pair % 2 == 0 else (False, True):
                if is_ours:
                    watch = Watch({"server": [gateway.process.pid]})
                    pairs.ours.append(self._drive(step, gateway.address(film), load, self._seconds))
                    pairs.our_cpu.append(watch.shares()["server"] * self._seconds / pairs.ours[-1].bytes * 1e9)
                else:
                    watch = Watch({"server": self._nginx_processes()})
                    pairs.peer.append(self._drive(step, f"{self._nginx}/{film.name}", load, self._seconds))
                    pairs.peer_cpu.append(watch.shares()["server"] * self._seconds / pairs.peer[-1].bytes * 1e9)
        return pairs

    def _drive(self, step: Step, url: str, load: Load, seconds: float) -> Measured:
        measured = wrk.wait(wrk.start(url, load, seconds, self._layout, self._state), step)
        if measured.errors:
            self._progress.say(f"{measured.errors} errors from {url}")
        return measured

    # Through broker and worker

    def _cold(self, step: Step) -> list[Row]:
        gateway = self._gateways.start(step, {"CACHE_BYTES": "0"})
        self._drive(step, gateway.address(LARGE), COLD_WHOLE, 1.0)
        bench = Bench(self._layout, self._state, self._running.broker_url, self._seconds)
        whole, ranges, chunks = [], [], []
        for pair in range(self._pairs):
            step.detail = f"pair {pair + 1} of {self._pairs}"
            whole.append(self._drive(step, gateway.address(LARGE), COLD_WHOLE, self._seconds).bytes_per_second)
            chunks.append(bench.run(self._peer_program, C_CHUNKS, step, ["--connections", "2"]).calls_per_second)
            run = self._drive(step, gateway.address(LARGE), COLD_RANGES, self._seconds)
            ranges.append(run.requests_per_second)
        self._gateways.stop(gateway, step)
        carried = [count * CHUNK_BYTES for count in chunks]
        return [
            of_pairs("cold whole file, 8 connections (peer: C chunks)", "bytes/s", whole, carried, Goal(">=", 0.70)),
            of_pairs("cold 64 KiB ranges of 1 GiB, 32 conn. (peer: C chunks)", "requests/s", ranges, chunks, Goal(">=", 1.0)),
        ]

    # Seeks

    def _seeks(self, step: Step) -> list[Row]:
        rows = []
        for name, film, settings, limit in (
            ("cold seek", LARGE, {"CACHE_BYTES": "0"}, 20_000),
            ("hot seek", HOT, {}, 5_000),
        ):
            gateway = self._gateways.start(step, settings)
            self._drive(step, gateway.address(film), Load(2), 2.0)
            step.detail = f"{SEEKS} seeks, {name}, beside {PLAYING} viewers"
            port, path = gateway.process.port or 0, f"/video?id={film.id}"
            with seeks.playing(PLAYING, port, path, film.size):
                times = seeks.seek(port, path, film.size, SEEKS)
            self._gateways.stop(gateway, step)
            for percent in (50, 99):
                found = percentile(times, percent)
                # The limit is a time, not a ratio to a peer: the row's peer is the limit itself.
                goal = Goal("<=", 1.0) if percent == 99 else None
                peer = float(limit) if percent == 99 else None
                ratio = found / limit if percent == 99 else None
                rows.append(Row(f"{name}, first byte p{percent} (peer: the limit)", "µs", float(found), peer, ratio, goal))
        return rows

    # Many viewers of one film

    def _crowd(self, step: Step) -> list[Row]:
        cold, hot, fetched = [], [], []
        for pair in range(max(1, self._pairs // 2)):
            step.detail = f"run {pair + 1}: {VIEWERS} viewers"
            gateway = self._gateways.start(step, {})
            cold.append(self._drive(step, gateway.address(CROWD), Load(VIEWERS), self._seconds * 2).bytes_per_second)
            hot.append(self._drive(step, gateway.address(CROWD), Load(VIEWERS), self._seconds * 2).bytes_per_second)
            fetched.append(float(self._gateways.stop(gateway, step)["storage"]))
        chunks = CROWD.size / CHUNK_BYTES
        return [
            of_pairs(f"{VIEWERS:,} viewers of one cold film (peer: hot)", "bytes/s", cold, hot, Goal(">=", 0.6)),
            of_pairs(f"{VIEWERS:,} viewers: fetches (peer: chunks)", "fetches", fetched, [chunks] * len(fetched), Goal("<=", 1.0)),
        ]

    # Many viewers at the pace of a film, and more of everything

    def _viewers(self, step: Step) -> list[Row]:
        return self._more.paced(HOT, self._nginx, self._nginx_processes(), step)

    def _idle(self, step: Step) -> list[Row]:
        return self._more.idle(HOT, self._nginx, self._nginx_processes(), step)

    def _growth(self, step: Step) -> list[Row]:
        return self._more.more_workers(LARGE, step) + self._more.more_viewers(HOT, step)

    def _nginx_processes(self) -> list[int]:
        nginx = [process.pid for process in self._state.named("nginx")]
        return nginx + _children(nginx)

    # A scan beside a hot set

    def _scan(self, step: Step) -> list[Row]:
        gateway = self._gateways.start(step, {})
        self._drive(step, gateway.address(HOT), Load(4), 3.0)
        step.detail = f"one pass over {SCAN.size / GIB:.0f} GiB while {HOT.size / MIB:.0f} MiB are read"
        reader = Load(2, range_bytes=64 * KIB, object_bytes=HOT.size, counts_sources=True)
        command = ["curl", "--silent", "--output", "/dev/null", gateway.address(SCAN)]
        pass_over = self._state.add(processes.start("scan", command, {}, self._layout.log("scan")))
        ratios = []
        while pass_over.ending() == "ended":
            measured = self._drive(step, gateway.address(HOT), reader, 2.0)
            ratios.append((measured.cached, measured.cached + measured.others))
        self._gateways.stop(gateway, step)
        ratio = sum(hits for hits, _ in ratios) / sum(reads for _, reads in ratios)
        return [Row("scan of 4 GiB: hit ratio of the hot 64 MiB (peer: all)", "ratio", ratio, 1.0, ratio, Goal(">=", 0.95))]


def _children(parents: Sequence[int]) -> list[int]:
    return [child for parent in parents for child in processes.children_of(parent)]


def _row(work: str, unit: str, pairs: Pairs, figure: Callable[[Measured], float], goal: float) -> Row:
    ours, peer = [figure(run) for run in pairs.ours], [figure(run) for run in pairs.peer]
    return of_pairs(work, unit, ours, peer, Goal(">=", goal))


def _cpu_row(work: str, pairs: Pairs) -> Row:
    return of_pairs(f"{work}, processor time", "CPU s per GB", pairs.our_cpu, pairs.peer_cpu)
