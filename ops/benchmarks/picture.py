"""A picture of ratios, as SVG: how long each bar is, and where its goal lies. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from .figures import Row
from .tables import number

WIDTH, LABEL_WIDTH, BAR_HEIGHT, GAP, TOP = 860, 400, 20, 14, 56
# What a full bar stands for: a little more than the peer itself.
FULL_RATIO = 1.25


def of_ratios(title: str, subtitle: str, rows: Sequence[Row], peer: str) -> str:
    """A bar for each row with a ratio. Higher is better, so rows whose goal is a maximum do not belong here."""
    shown = [row for row in rows if row.ratio is not None]
    height = TOP + len(shown) * (BAR_HEIGHT + GAP) + 34
    room = WIDTH - LABEL_WIDTH - 90
    at_peer = LABEL_WIDTH + room / FULL_RATIO
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="16" y="24" font-size="16" font-weight="600" fill="#1f2933">{escape(title)}</text>',
        f'<text x="16" y="43" fill="#52606d">{escape(subtitle)}</text>',
    ]
    for index, row in enumerate(shown):
        top = TOP + index * (BAR_HEIGHT + GAP)
        middle = top + BAR_HEIGHT * 0.72
        length = min(row.ratio or 0, FULL_RATIO) / FULL_RATIO * room
        color = "#c2410c" if row.met is False else "#0f766e"
        parts += [
            f'<text x="{LABEL_WIDTH - 10}" y="{middle}" text-anchor="end" fill="#1f2933">{escape(row.work)}</text>',
            f'<rect x="{LABEL_WIDTH}" y="{top}" width="{length:.1f}" height="{BAR_HEIGHT}" rx="2" fill="{color}"/>',
            f'<text x="{LABEL_WIDTH + length + 6:.1f}" y="{middle}" fill="#1f2933">{number(row.ratio)}</text>',
        ]
        if row.goal is not None:
            goal = LABEL_WIDTH + min(row.goal.limit, FULL_RATIO) / FULL_RATIO * room
            parts.append(
                f'<line x1="{goal:.1f}" y1="{top - 3}" x2="{goal:.1f}" y2="{top + BAR_HEIGHT + 3}" '
                'stroke="#1f2933" stroke-width="2" stroke-dasharray="3 2"/>'
            )
    bottom = TOP + len(shown) * (BAR_HEIGHT + GAP)
    parts += [
        f'<line x1="{at_peer:.1f}" y1="{TOP - 6}" x2="{at_peer:.1f}" y2="{bottom}" stroke="#9aa5b1"/>',
        f'<text x="{at_peer:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#52606d">1.0 = {escape(peer)}</text>',
        f'<text x="16" y="{bottom + 16}" fill="#52606d">dashed: the goal</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
