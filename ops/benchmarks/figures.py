"""From measurements to rows: medians, ratios, goals, percentiles. Pure."""

from __future__ import annotations

import json
import math
import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

COMPARISONS = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Goal:
    """What the ratio of ours to the peer's should be."""

    comparison: str
    limit: float

    def __str__(self) -> str:
        return f"{self.comparison} {self.limit:.2f}"

    def is_met_by(self, ratio: float) -> bool:
        return COMPARISONS[self.comparison](ratio, self.limit)


@dataclass(frozen=True)
class Row:
    """One figure, ours and the peer's. `peer` and `ratio` are None where only we were measured."""

    work: str
    unit: str
    ours: float
    peer: float | None = None
    ratio: float | None = None
    goal: Goal | None = None

    @property
    def met(self) -> bool | None:
        if self.goal is None or self.ratio is None:
            return None
        return self.goal.is_met_by(self.ratio)

    def as_record(self) -> dict[str, object]:
        return {
            "work": self.work,
            "unit": self.unit,
            "ours": self.ours,
            "peer": self.peer,
            "ratio": self.ratio,
            "goal": None if self.goal is None else str(self.goal),
            "met": self.met,
        }


def of_pairs(work: str, unit: str, ours: Sequence[float], peer: Sequence[float], goal: Goal | None = None) -> Row:
    """A row from measurements that were made in turn: the medians, and the median of each pair's ratio.

    The two halves of a pair lie seconds apart, so what disturbs the machine for longer disturbs both.
    """
    if not peer:
        return Row(work, unit, statistics.median(ours))
    ratios = [our / other for our, other in zip(ours, peer, strict=True)]
    return Row(work, unit, statistics.median(ours), statistics.median(peer), statistics.median(ratios), goal)


def percentile(ordered: Sequence[int], percent: float) -> int:
    """The smallest value that at least so many percent of all values do not exceed (the nearest rank)."""
    # Rounded, because 99.9 percent of 1,000 would else be a little more than 999.
    rank = math.ceil(round(percent * len(ordered) / 100, 6))
    return ordered[max(rank, 1) - 1]


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([row.as_record() for row in rows], indent=2) + "\n"
