"""A run as one page that needs nothing else: no script, no request, its style pinned by its hash. Pure."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from collections import Counter
from collections.abc import Sequence
from html import escape

from maestro.report.visible_text import shorten, visible
from runner.execution import Ending, Execution
from runner.run_clocks import CLOCKS, clocks

SHOWN = 50
_WIDTH, _HEIGHT, _LEFT, _TOP, _STEPS = 760, 240, 60, 16, 380
_STYLE = """
:root { color-scheme: light dark; --start: #1565c0; --wait: #b26a00; --end: #2e7d32; --ink: #1a1a1a; --paper: #fff;
  --line: #8884; }
@media (prefers-color-scheme: dark) { :root { --start: #64a8f0; --wait: #e0a03c; --end: #6fbf73; --ink: #e8e8e8;
  --paper: #161616; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.35rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; } code { font: 13px ui-monospace, monospace; }
figure { margin: 1.2rem 0; } figcaption { font-size: .85rem; opacity: .75; } svg { width: 100%; max-width: 760px; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .axis { stroke: var(--line); }
svg path { fill: none; stroke-width: 2; } .started { stroke: var(--start); fill: var(--start); }
.waiting { stroke: var(--wait); fill: var(--wait); } .ended { stroke: var(--end); fill: var(--end); }
svg path.started, svg path.waiting, svg path.ended { fill: none; } svg text.key { stroke: none; font-weight: 600; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .3rem .8rem; vertical-align: top;
  border-bottom: 1px solid var(--line); } td.number { text-align: right; font-variant-numeric: tabular-nums; }
th.number { text-align: right; } td.outcome { white-space: nowrap; } td.name, td.why { overflow-wrap: anywhere; }
td.name { min-width: 14rem; }
"""


def render(run_id: str, endings: Sequence[tuple[Execution, Ending]], slots: int) -> str:
    """A whole document about what this dispatch executed."""
    pinned = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    rules = f"default-src 'none'; style-src 'sha256-{pinned}'; base-uri 'none'; form-action 'none'"
    outcomes = Counter(ending.last.outcome for _, ending in endings)
    said = (
        ", ".join(f"{count:,} {_words(outcome)}" for outcome, count in sorted(outcomes.items()))
        or "nothing was executed"
    )
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{rules}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>Run {_text(run_id)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
        f"<h1>Run <code>{_text(run_id)}</code></h1>\n<p>{said}; {slots:,} slots.</p>",
    ]
    curve = picture(endings)
    if curve:
        parts.append(f"<figure>\n{curve}\n<figcaption>Seconds since the first was published.</figcaption></figure>")
    found = clocks(ending for _, ending in endings)
    if found:
        rows = "".join(
            f"<tr><td>{CLOCKS[name]}</td>"
            + "".join(f'<td class="number">{value:.3f} s</td>' for value in (one.p50, one.p95, one.p99))
            + "</tr>"
            for name, one in found.items()
        )
        heads = (
            "<tr><th>clock</th>" + "".join(f'<th class="number">{one}</th>' for one in ("p50", "p95", "p99")) + "</tr>"
        )
        parts.append(f"<h2>Clocks</h2>\n<table>{heads}{rows}</table>")
    bad = [(execution, ending) for execution, ending in endings if ending.last.outcome != "succeeded"]
    if bad:
        heads = "<tr><th>execution</th><th>outcome</th><th>why</th></tr>"
        parts.append(f"<h2>Did not succeed</h2>\n<table>{heads}{''.join(map(_failure, bad[:SHOWN]))}</table>")
        if len(bad) > SHOWN:
            parts.append(f"<p>… and {len(bad) - SHOWN:,} more.</p>")
    return "\n".join([*parts, "</body>\n</html>\n"])


def _text(value: str) -> str:
    return escape(shorten(visible(value), 300))


def _failure(one: tuple[Execution, Ending]) -> str:
    execution, last = one[0], one[1].last
    index = "" if execution.index is None else f"[{execution.index}]"
    how = f"exit code {last.exit_code}" if last.exit_code is not None else f"signal {last.signal}"
    why = last.reason or (how if last.outcome == "failed" else "")
    cells = (("name", _text(execution.task.subject) + index), ("outcome", _words(last.outcome)), ("why", _text(why)))
    return "<tr>" + "".join(f'<td class="{name}">{text}</td>' for name, text in cells) + "</tr>"


def _words(outcome: str) -> str:
    return outcome.replace("_", " ")


def picture(endings: Sequence[tuple[Execution, Ending]]) -> str:
    """How many had started, waited and had ended at each moment. Empty where nobody read a clock."""
    attempts = [ending.last for _, ending in endings if ending.last.started and ending.last.ended]
    if not attempts:
        return ""
    published = sorted(_seconds(one.published) for one in attempts)
    started = sorted(_seconds(one.started or "") for one in attempts)
    ended = sorted(_seconds(one.ended or "") for one in attempts)
    zero = published[0]
    span, most = max(ended[-1] - zero, 0.001), len(attempts)
    lines: dict[str, list[tuple[float, int]]] = {"started": [], "waiting": [], "ended": []}
    places = dict.fromkeys(("published", "started", "ended"), 0)
    for step in range(_STEPS + 1):
        at = zero + span * step / _STEPS
        for name, times in (("published", published), ("started", started), ("ended", ended)):
            while places[name] < most and times[places[name]] <= at + 1e-6:
                places[name] += 1
        lines["started"].append((at - zero, places["started"]))
        lines["waiting"].append((at - zero, places["published"] - places["started"]))
        lines["ended"].append((at - zero, places["ended"]))
    across, down = _WIDTH - _LEFT - 10, _HEIGHT - _TOP - 30

    def point(seconds: float, count: int) -> str:
        return f"{_LEFT + across * seconds / span:.1f},{_TOP + down * (1 - count / most):.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">',
        f"<title>{most:,} executions in {span:.1f} seconds: how many had started, waited, had ended</title>",
        f'<path class="axis" d="M{_LEFT},{_TOP} V{_TOP + down} H{_WIDTH - 10}"/>',
        f'<text x="{_LEFT - 6}" y="{_TOP + 10}" text-anchor="end">{most:,}</text>',
        f'<text x="{_LEFT - 6}" y="{_TOP + down}" text-anchor="end">0</text>',
    ]
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, anchor = _LEFT + across * share, "end" if share == 1 else "middle"
        parts.append(f'<text x="{x:.0f}" y="{_TOP + down + 18}" text-anchor="{anchor}">{span * share:.2f} s</text>')
    for place, (name, line) in enumerate(lines.items()):
        parts.append(f'<path class="{name}" d="M{" L".join(point(*one) for one in line)}"/>')
        parts.append(f'<text class="key {name}" x="{_LEFT + 40 + 90 * place}" y="{_TOP - 3}">{name}</text>')
    return "\n".join([*parts, "</svg>"])


def _seconds(moment: str) -> float:
    return dt.datetime.fromisoformat(moment).timestamp()
