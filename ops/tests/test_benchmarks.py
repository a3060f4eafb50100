"""What benchmarks make of their measurements."""

import argparse
import json
import os
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

from benchmarks import delivery, delivery_stack, page_cache, picture, rpc, storage
from benchmarks.figures import Goal, Row, as_json, of_pairs, percentile
from benchmarks.growth import MOST_VIEWERS, Growth
from benchmarks.processors import bound
from benchmarks.storage_client import PERIOD_BYTES, Comparer
from benchmarks.storage_runs import Source, Transfer
from benchmarks.tables import cells, number, table
from benchmarks.usage import Use, peak_bytes
from benchmarks.viewers import Seen


class RowTests(unittest.TestCase):
    def test_the_ratio_is_the_median_of_the_pairs_not_the_ratio_of_the_medians(self) -> None:
        # The machine was half as fast for the second pair, and for both halves of it.
        row = of_pairs("work", "calls/s", [90, 45, 80], [100, 50, 100])
        self.assertEqual((row.ours, row.peer, row.ratio), (80, 100, 0.9))

    def test_an_even_number_of_pairs_has_the_middle_between_two(self) -> None:
        self.assertEqual(of_pairs("work", "s", [1, 3], [1, 1]).ratio, 2)

    def test_without_a_peer_there_is_no_ratio(self) -> None:
        row = of_pairs("work", "calls/s", [3, 1, 2], [])
        self.assertEqual((row.ours, row.peer, row.ratio, row.met), (2, None, None, None))

    def test_halves_that_do_not_belong_together_are_refused(self) -> None:
        with self.assertRaises(ValueError):
            of_pairs("work", "s", [1, 2], [1])

    def test_goals_in_both_directions(self) -> None:
        for goal, ratio, met in (
            (Goal(">=", 0.9), 0.9, True),
            (Goal(">=", 0.9), 0.899, False),
            (Goal("<=", 1.25), 1.25, True),
            (Goal("<=", 1.25), 1.26, False),
        ):
            self.assertEqual(Row("work", "s", 1, 1, ratio, goal).met, met, f"{ratio} {goal}")

    def test_rows_as_json(self) -> None:
        rows = [Row("a", "calls/s", 9.0, 10.0, 0.9, Goal(">=", 0.9)), Row("b", "µs", 1.0)]
        first, second = json.loads(as_json(rows))
        self.assertEqual(
            first,
            {"work": "a", "unit": "calls/s", "ours": 9, "peer": 10, "ratio": 0.9, "goal": ">= 0.90", "met": True},
        )
        self.assertEqual([second[name] for name in ("peer", "ratio", "goal", "met")], [None] * 4)


class PercentileTests(unittest.TestCase):
    def test_the_nearest_rank(self) -> None:
        values = list(range(1, 1001))
        found = [percentile(values, percent) for percent in (50, 90, 99, 99.9, 100)]
        self.assertEqual(found, [500, 900, 990, 999, 1000])

    def test_a_single_value_is_every_percentile(self) -> None:
        self.assertEqual([percentile([7], percent) for percent in (0, 50, 100)], [7, 7, 7])


class TableTests(unittest.TestCase):
    def test_numbers_have_about_three_digits(self) -> None:
        self.assertEqual([number(v) for v in (24_103.4, 61.23, 0.934, None)], ["24,103", "61.2", "0.93", "–"])

    def test_words_are_on_the_left_and_numbers_on_the_right(self) -> None:
        drawn = table(["work", "calls/s"], [["one", "1,000"], ["three", "–"]])
        self.assertEqual(drawn.split("\n"), ["work   calls/s", "─────  ───────", "one      1,000", "three        –"])

    def test_a_row_without_a_peer(self) -> None:
        self.assertEqual(cells(Row("work", "calls/s", 2_500)), ["work", "calls/s", "2,500", "–", "–"])


class BoundTests(unittest.TestCase):
    def test_busy_cores_are_told_with_the_largest_first(self) -> None:
        words = bound({"caller": 0.5, "broker": 1.1, "workers": 0.3, "others": 0.05}, cores=2)
        self.assertEqual(words, "both cores busy: broker 1.10, caller 0.50, workers 0.30, others 0.05")

    def test_idle_cores_mean_that_all_wait(self) -> None:
        words = bound({"broker": 0.5, "caller": 0.2}, cores=4)
        self.assertEqual(words, "waiting, 0.7 of 4 cores busy: broker 0.50, caller 0.20")


class ArgumentTests(unittest.TestCase):
    def parsed(self, *arguments: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser(exit_on_error=False)
        rpc.add_to(parser.add_subparsers())
        return parser.parse_args(["rpc", *arguments])

    def test_five_pairs_unless_told_otherwise(self) -> None:
        self.assertEqual(self.parsed().pairs, 5)
        self.assertEqual(self.parsed("--pairs", "7").pairs, 7)

    def test_the_main_rows_compare_work_that_both_programs_do(self) -> None:
        for work in (rpc.SMALL, rpc.SINGLE, rpc.LARGE):
            self.assertIn(work.name, rpc.AGAINST_PEER)

class UsageTests(unittest.TestCase):
    def test_the_peak_of_memory_is_in_bytes(self) -> None:
        status = "Name:\tbeam.smp\nVmPeak:\t 900 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 1024 kB\n"
        self.assertEqual(peak_bytes(status), 2 << 20)


class PageCacheTests(unittest.TestCase):
    progress = SimpleNamespace(step=lambda title: nullcontext(SimpleNamespace(detail="", wait=lambda seconds: [])))

    def test_what_is_free_is_in_bytes(self) -> None:
        whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        self.assertTrue(whole / 10_000 < page_cache.free_bytes() < whole, page_cache.free_bytes())

    def test_memory_is_filled_with_a_hole_that_is_gone_at_the_end(self) -> None:
        size = page_cache.PIECE_BYTES + 4096
        # On a disk: a file system in memory keeps nothing for a hole.
        with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as folder:
            with page_cache.filled(Path(folder), self.progress, size) as hole:
                self.assertEqual((hole.stat().st_size, hole.stat().st_blocks), (size, 0))
                command = ["fincore", "--bytes", "--noheadings", "--output", "res", str(hole)]
                found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                self.assertEqual(int(found), size)
            self.assertEqual(os.listdir(folder), [])


class StorageRowTests(unittest.TestCase):
    @staticmethod
    def transfer(megabytes_per_second: int, **peaks: int) -> Transfer:
        uses = {name: Use(1.0, peak) for name, peak in peaks.items()}
        return Transfer(1.0, megabytes_per_second * 1_000_000, uses, {})

    def rows(self, provider: str, upload: int, download: int, gateway_bytes: int, pipeline: float) -> dict[str, object]:
        runs = storage.Runs()
        for side in (storage.OURS, storage.PEER):
            runs.transfers[side][storage.UPLOAD].append(self.transfer(upload, gateway=1))
            runs.transfers[side][storage.DOWNLOAD].append(self.transfer(download, gateway=1))
        runs.pipeline.append(pipeline)
        runs.at_once.append(self.transfer(1, gateway=gateway_bytes))
        return {row.work: row.met for row in storage._main_rows(provider, runs) if row.goal is not None}

    def test_an_upload_to_the_file_system_meets_the_lesser_of_two_goals(self) -> None:
        for upload, pipeline, met in ((200, 1000, True), (199, 1000, False), (150, 300, True), (149, 300, False)):
            found = self.rows("filesystem", upload, 1, 1, pipeline)
            self.assertEqual(found["filesystem: upload, against what is wanted"], met, f"{upload} of {pipeline}")

    def test_a_download_is_measured_by_the_c_program(self) -> None:
        for download, met in ((700, True), (699, False)):
            found = self.rows("s3", 1, download, 1, 1000)
            self.assertEqual(found["s3: download, against the C pipeline"], met)
            self.assertNotIn("s3: upload, against what is wanted", found)

    def test_the_gateways_memory_has_a_limit(self) -> None:
        for gateway_bytes, met in ((150_000_000, True), (150_000_001, False)):
            found = self.rows("gridfs", 1, 1, gateway_bytes, 1)
            (memory,) = [met for work, met in found.items() if "gateway's memory" in work]
            self.assertEqual(memory, met)

    def test_what_only_we_use_has_no_peer(self) -> None:
        runs = storage.Runs()
        for direction in (storage.UPLOAD, storage.DOWNLOAD):
            runs.transfers[storage.OURS][direction].append(self.transfer(1, gateway=3_000_000, mongod=4_000_000))
            runs.transfers[storage.PEER][direction].append(self.transfer(1, mongod=2_000_000))
        rows = {row.work: (row.ours, row.peer, row.ratio) for row in storage._use_rows("gridfs", runs)}
        self.assertEqual(rows["gridfs: upload, gateway, peak memory"], (3, None, None))
        self.assertEqual(rows["gridfs: upload, mongod, peak memory"], (4, 2, 2))


class ComparerTests(unittest.TestCase):
    """What a benchmark's client takes for the bytes that were sent."""

    SIZE = 3 << 20
    BLOCK = 1 << 18

    def compared(self, sent: bytes, piece: int) -> None:
        """Has bytes compared with those of a source of ``SIZE``, in pieces; `sent` is what becomes of them on the way."""
        with tempfile.TemporaryDirectory() as folder, (Path(folder) / "came").open("w+b") as came:
            came.write(self.source)
            came.flush()
            comparer = Comparer(came)
            for first in range(0, len(sent), piece):
                comparer.write(sent[first : first + piece])
            comparer.check_all_came()

    def setUp(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            step = SimpleNamespace(wait=lambda seconds: None)
            self.source = Source.make(Path(folder) / "source", self.SIZE, step).path.read_bytes()

    def test_a_source_is_as_long_as_it_is_to_be_and_repeats(self) -> None:
        self.assertEqual(len(self.source), self.SIZE)
        self.assertEqual(self.source[:-PERIOD_BYTES], self.source[PERIOD_BYTES:])
        self.assertGreater(len(set(self.source[:PERIOD_BYTES])), 200)

    def test_the_same_bytes_in_pieces_of_any_size(self) -> None:
        for piece in (999, 65_536, self.BLOCK, self.SIZE):
            self.compared(self.source, piece)

    def test_one_other_byte_anywhere(self) -> None:
        for position in (0, PERIOD_BYTES, 2 * PERIOD_BYTES - 1, self.SIZE - 1):
            other = bytearray(self.source)
            other[position] ^= 1
            with self.assertRaisesRegex(SystemExit, "other bytes"):
                self.compared(bytes(other), self.BLOCK)

    def test_a_block_in_the_place_of_any_other(self) -> None:
        blocks = [self.source[first : first + self.BLOCK] for first in range(0, self.SIZE, self.BLOCK)]
        for place in range(1, len(blocks)):
            with self.assertRaisesRegex(SystemExit, "other bytes"):
                self.compared(b"".join([*blocks[:place], blocks[0], *blocks[place + 1 :]]), self.BLOCK)

    def test_fewer_bytes_and_more(self) -> None:
        with self.assertRaisesRegex(SystemExit, "of 3145728 bytes came"):
            self.compared(self.source[:-1], self.BLOCK)
        with self.assertRaisesRegex(SystemExit, "other bytes"):
            self.compared(self.source + self.source[:1], self.BLOCK)


class PictureTests(unittest.TestCase):
    ROWS = [
        Row("hot <ranges> & more", "requests/s", 9.0, 10.0, 0.9, Goal(">=", 0.65)),
        Row("cold", "bytes/s", 1.0, 10.0, 0.1, Goal(">=", 0.7)),
        Row("alone", "s", 1.0),
    ]

    def test_it_is_a_picture_of_the_rows_that_have_a_ratio(self) -> None:
        drawn = picture.of_ratios("Title", "sub", self.ROWS, "nginx")
        root = xml.etree.ElementTree.fromstring(drawn)
        texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("hot <ranges> & more", texts)
        self.assertIn("0.90", texts)
        self.assertNotIn("alone", texts)

    def test_a_goal_that_is_missed_has_another_color(self) -> None:
        drawn = picture.of_ratios("Title", "sub", self.ROWS, "nginx")
        self.assertEqual((drawn.count("#0f766e"), drawn.count("#c2410c")), (1, 1))


class DeliveryTests(unittest.TestCase):
    def test_what_a_gateway_says_at_its_end_is_read(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            log.write_text("notice: chunks delivered [VideoStreaming] cache=12 shared=3 storage=128\n")
            self.assertEqual(delivery_stack.chunks(log), {"cache": 12, "shared": 3, "storage": 128})

    def test_films_have_ids_of_their_own_and_those_that_are_read_whole_fit_the_goals(self) -> None:
        self.assertEqual(len({film.id for film in delivery.FILMS}), len(delivery.FILMS))
        self.assertEqual({len(film.id) for film in delivery.FILMS}, {24})
        self.assertEqual(delivery.CROWD.size % delivery.CHUNK_BYTES, 0)


class GrowthTests(unittest.TestCase):
    def most_viewers(self, smooth_up_to: int, errors: int = 0) -> tuple[list[int], float]:
        """Which numbers were tried, and which was found."""
        tried: list[int] = []

        def watch(url: str, object_bytes: int, viewers: int, seconds: float, step: object) -> Seen:
            tried.append(viewers)
            stalled = 0 if viewers <= smooth_up_to else 1
            return Seen(viewers, 10**9, seconds, viewers, errors, stalled, 0.0, 1.0, 2.0, 0.1)

        growth = Growth(None, None, SimpleNamespace(watch=watch), 1.0, None)
        found = growth.smooth("http://127.0.0.1:1/", delivery.HOT, [os.getpid()], SimpleNamespace(detail=""))
        return tried, found.viewers

    def test_fewer_viewers_are_tried_until_none_stalls(self) -> None:
        self.assertEqual(self.most_viewers(10_000), ([MOST_VIEWERS], MOST_VIEWERS))
        tried, found = self.most_viewers(1_450)
        self.assertEqual((tried[0], tried[-1], found), (MOST_VIEWERS, 1_400, 1_400))

    def test_viewers_with_errors_are_not_smooth(self) -> None:
        tried, found = self.most_viewers(10_000, errors=1)
        self.assertGreater(len(tried), 5)
        self.assertEqual(found, 0)


if __name__ == "__main__":
    unittest.main()
