"""Tables for a terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from .figures import Row


def number(value: float | None) -> str:
    """About three digits that matter: "24,103", "61.2", "0.93"; "–" for none."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def yes_or_no(value: bool | None) -> str:
    return {True: "yes", False: "NO", None: ""}[value]


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be. A column is on the right when all that is in it is numbers."""
    widths = [max(map(len, column)) for column in zip(head, *lines)]
    numeric = [all(_is_number(cell) for cell in column) for column in zip(*lines)]

    def drawn(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(cells, widths, numeric, strict=True)
        )
        return "  ".join(padded).rstrip()

    return "\n".join([drawn(head), drawn(["─" * width for width in widths]), *map(drawn, lines)])


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").isdigit() or cell == "–"


def cells(row: Row) -> list[str]:
    """A row as the columns work, unit, ours, peer, ratio."""
    ratio = "–" if row.ratio is None else f"{row.ratio:.2f}"
    return [row.work, row.unit, number(row.ours), number(row.peer), ratio]
