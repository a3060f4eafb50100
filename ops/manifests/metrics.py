"""Which metrics and labels an expression of Prometheus' language names, and which ones METRICS.md knows.

No parser of that language, which promtool has: enough to see a name that is spelt wrong or was changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

# `name{label="value", …}`; names of functions are followed by a bracket.
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{([^}]*)\})?(?!\s*\()(?![a-zA-Z0-9_:(])")
LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
WORDS = {"and", "or", "unless", "offset", "bool", "group_left", "group_right", "by", "without", "on", "ignoring"}
ROW = re.compile(r"^\| `([a-z_]+)` \| (\w+) \| ([^|]*) \|")
# What the scraper adds, and what a histogram has.
GIVEN_LABELS = {"job", "instance", "le"}


def documented(path: Path) -> dict[str, set[str]]:
    """Names of series with their labels, as the tables of METRICS.md have them."""
    found = {}
    for line in path.read_text().splitlines():
        row = ROW.match(line)
        if row:
            name, kind, labels = row[1], row[2], set(re.findall(r"`([a-z_]+)`", row[3]))
            for suffix in ("_bucket", "_sum", "_count") if kind == "histogram" else ("",):
                found[name + suffix] = labels
    return found


def selectors(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Names of series with the labels that each is selected by."""
    # What is in quotes may look like anything, and what is in square brackets is a time.
    plain = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    plain = GROUPING.sub(" ", re.sub(r"\[[^\]]*\]", "", plain))
    for found in SELECTOR.finditer(plain):
        before = plain[: found.start()]
        if found[1] not in WORDS and not re.search(r"[0-9a-zA-Z_]$", before):
            yield found[1], set(LABEL.findall(found[2] or ""))


def groupings(expression: str) -> set[str]:
    """The labels that sums are made by."""
    return {label for group in GROUPING.findall(expression) for label in re.findall(r"\w+", group)}


def problems(expression: str, known: dict[str, set[str]]) -> list[str]:
    """Names and labels that are not known."""
    found, labels = [], set(GIVEN_LABELS)
    for name, wanted in selectors(expression):
        if name not in known:
            found.append(f"no metric {name}")
            continue
        labels |= known[name]
        found += [f"{name} has no label {label}" for label in sorted(wanted - known[name] - GIVEN_LABELS)]
    return found + [f"no metric here has a label {label}" for label in sorted(groupings(expression) - labels)]
