"""What benchmarks make of their measurements."""

import argparse
import json
import tempfile
import unittest
import xml.etree.ElementTree
from pathlib import Path

from benchmarks import delivery, delivery_stack, picture, rpc
from benchmarks.figures import Goal, Row, as_json, of_pairs, percentile
from benchmarks.processors import bound
from benchmarks.tables import cells, number, table


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


if __name__ == "__main__":
    unittest.main()
