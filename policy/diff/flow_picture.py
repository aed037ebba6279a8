"""The picture of decisions moving: how many stand where today, and where they would stand. SVG, pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from policy.diff.changes import Standing

_ORDER: tuple[Standing, ...] = ("allow", "warn", "none", "deny", "error")
_NAMES: dict[Standing, str] = {
    "allow": "allowed",
    "warn": "allowed, warned",
    "none": "not judged",
    "deny": "denied",
    "error": "no answer",
}
_WIDTH, _COLUMN, _BAR, _GAP, _TOP, _HEIGHT = 760, 170, 14, 18, 34, 220


def picture(flows: Mapping[tuple[Standing, Standing], int]) -> str:
    """A flow diagram. Heights grow with the square root of a count, so that three of a thousand can be seen."""
    left = [one for one in _ORDER if any(flow[0] == one for flow in flows)]
    right = [one for one in _ORDER if any(flow[1] == one for flow in flows)]
    total = sum(sqrt(count) for count in flows.values()) or 1.0
    scale = _HEIGHT / total
    thick = {flow: max(14.0 if flow[0] != flow[1] else 3.0, sqrt(count) * scale) for flow, count in flows.items()}
    from_y, left_height = _stack(left, thick, 0)
    to_y, right_height = _stack(right, thick, 1)
    height = round(max(left_height, right_height) + 16)
    words = "; ".join(
        f"{_NAMES[old]} to {_NAMES[new]}: {count:,}" for (old, new), count in sorted(flows.items()) if old != new
    )
    title = words or "every decision as before"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>Decisions moving. {title}</title>",
        f'<text class="side" x="{_COLUMN}" y="16" text-anchor="end">today</text>',
        f'<text class="side" x="{_WIDTH - _COLUMN}" y="16">after the merge</text>',
    ]
    bands: list[str] = []
    labels: list[str] = []
    for old in left:
        for new in right:
            if (old, new) in flows:
                kind = "stays" if old == new else f"to-{new}"
                y0, y1, size = from_y[old, new], to_y[old, new], thick[old, new]
                band, label = _band(y0, y1, size, kind, flows[old, new])
                (bands if old != new else parts).append(band)
                if old != new:
                    labels.append(label)
    parts += [*bands, *labels]
    parts += _bars(left, from_y, thick, flows, 0)
    parts += _bars(right, to_y, thick, flows, 1)
    return "\n".join([*parts, "</svg>"])


def _stack(
    nodes: list[Standing], thick: Mapping[tuple[Standing, Standing], float], side: int
) -> tuple[dict[tuple[Standing, Standing], float], float]:
    """Where each flow begins (or ends), top down, and how far down it goes."""
    out: dict[tuple[Standing, Standing], float] = {}
    y = float(_TOP)
    for node in nodes:
        start = y
        for other in _ORDER:
            flow = (node, other) if side == 0 else (other, node)
            if flow in thick:
                out[flow] = y
                y += thick[flow]
        y = max(y, start + 16) + _GAP
    return out, y


def _band(y0: float, y1: float, size: float, kind: str, count: int) -> tuple[str, str]:
    x0, x1 = _COLUMN + _BAR + 6, _WIDTH - _COLUMN - _BAR - 6
    middle = (x0 + x1) / 2
    path = (
        f"M{x0},{y0:.1f} C{middle},{y0:.1f} {middle},{y1:.1f} {x1},{y1:.1f} "
        f"L{x1},{y1 + size:.1f} C{middle},{y1 + size:.1f} {middle},{y0 + size:.1f} {x0},{y0 + size:.1f} Z"
    )
    # Beside where it begins: there no two bands cross.
    label = f'<text class="moves" x="{x0 + 8}" y="{y0 + size / 2 + 4:.1f}">{count:,}</text>'
    return f'<path class="{kind}" d="{path}"/>', label


def _bars(
    nodes: list[Standing],
    places: Mapping[tuple[Standing, Standing], float],
    thick: Mapping[tuple[Standing, Standing], float],
    flows: Mapping[tuple[Standing, Standing], int],
    side: int,
) -> list[str]:
    out = []
    for node in nodes:
        mine = [flow for flow in places if flow[side] == node]
        top = min(places[flow] for flow in mine)
        size = sum(thick[flow] for flow in mine)
        count = sum(flows[flow] for flow in mine)
        x = _COLUMN if side == 0 else _WIDTH - _COLUMN - _BAR
        anchor = ' text-anchor="end"' if side == 0 else ""
        text_x = _COLUMN - 8 if side == 0 else _WIDTH - _COLUMN + 8
        out.append(f'<rect class="{node}" x="{x}" y="{top:.1f}" width="{_BAR}" height="{size:.1f}"/>')
        out.append(
            f'<text class="name" x="{text_x}" y="{top + size / 2 + 4:.1f}"{anchor}>{_NAMES[node]} {count:,}</text>'
        )
    return out
