"""The decision diff as one page that needs nothing else: no script, no request, its style pinned by its hash.

Everything from a document or a pack is made visible, then escaped.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape

from maestro.report.visible_text import shorten, visible
from policy.diff.flow_picture import picture
from policy.diff.result import Example, PackDiff, PolicyDiff, Row
from policy.diff.words import approval_of, asides, change_of, corpus_of, headline, of_origins, state_of, whose

_TEXT_LIMIT = 600

_STYLE = """
:root { color-scheme: light dark; --deny: #c62828; --allow: #2e7d32; --warn: #b26a00; --error: #7b1fa2; --none: #78909c;
  --line: #8884; --ink: #1a1a1a; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --deny: #ef6b6b; --allow: #6fbf73; --warn: #e0a03c; --error: #c78be0;
  --none: #90a4ae; --ink: #e8e8e8; --paper: #161616; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 66rem; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .3rem; } p { margin: .4rem 0; }
code, .mono { font: 13px ui-monospace, monospace; }
figure { margin: 1.2rem 0; } figcaption { font-size: .85rem; opacity: .75; } svg { width: 100%; max-width: 760px; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; } svg .side { font-weight: 600; }
svg .moves { font-weight: 700; paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
svg .stays { fill: #8883; } svg .to-deny { fill: var(--deny); opacity: .65; } svg .to-error { fill: var(--error);
  opacity: .65; } svg .to-allow { fill: var(--allow); opacity: .65; } svg .to-warn { fill: var(--warn); opacity: .65; }
svg .to-none { fill: var(--none); opacity: .65; } svg rect.allow { fill: var(--allow); }
svg rect.warn { fill: var(--warn); }
svg rect.deny { fill: var(--deny); } svg rect.error { fill: var(--error); } svg rect.none { fill: var(--none); }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; } th, td { text-align: left; vertical-align: top;
  padding: .35rem .6rem; border-bottom: 1px solid var(--line); } th { font-size: .85rem; }
h2 code { font-size: 1.1rem; } .asks { font-weight: 600; }
td.change { white-space: nowrap; font-weight: 600; } .allow-to-deny { color: var(--deny); }
.deny-to-allow { color: var(--warn); } .to-error { color: var(--error); } .from-error { color: var(--allow); }
summary { cursor: pointer; } ul { margin: .3rem 0; padding-left: 1.2rem; } .aside { font-size: .9rem; }
.asks { border-left: 4px solid var(--warn); padding: .2rem .8rem; }
footer { margin-top: 2.5rem; font-size: .85rem; opacity: .8; }
"""


def render(diff: PolicyDiff) -> str:
    """A whole document."""
    pinned = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    rules = f"default-src 'none'; style-src 'sha256-{pinned}'; base-uri 'none'; form-action 'none'"
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{rules}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>Decision diff</title>\n<style>{_STYLE}</style>\n</head>\n<body>",
            *_body(diff),
            "</body>\n</html>\n",
        ]
    )


def _body(diff: PolicyDiff) -> Iterator[str]:
    yield f"<h1>{text(headline(diff))}</h1>"
    old = f"<code>{text(diff.policy_revision[:12])}</code>" if diff.policy_revision else "nothing"
    yield f"<p>Packs of {old} against <code>{text(diff.head[:12])}</code>.</p>"
    if diff.flows:
        yield f"<figure>\n{picture(diff.flows)}"
        yield "<figcaption>Each band is so many decisions; its height grows with the square root of them.</figcaption>"
        yield "</figure>"
    for pack in diff.packs:
        yield from _pack(pack)
    yield from _footer(diff)


def _pack(pack: PackDiff) -> Iterator[str]:
    owner = f", owner {text(pack.owner)}" if pack.owner else ", no owner"
    yield f"<section>\n<h2><code>{text(pack.name)}</code></h2>"
    yield f'<p class="aside">{text(state_of(pack))}{owner}; asked about {text(corpus_of(pack))}</p>'
    asks = approval_of(pack)
    if asks:
        yield f'<p class="asks">{text(asks)}</p>'
    if pack.rows:
        heads = "".join(f"<th>{head}</th>" for head in ("change", "inputs", "rule", "whose", "examples"))
        yield f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>"
        for row in pack.rows:
            yield from _row(row)
        yield "</tbody>\n</table>"
    else:
        yield "<p>Every decision as before.</p>"
    notes = list(asides(pack))
    if notes:
        yield '<ul class="aside">' + "".join(f"<li>{text(note)}</li>" for note in notes) + "</ul>"
    yield "</section>"


def _row(row: Row) -> Iterator[str]:
    yield f'<tr><td class="change {row.kind}">{text(change_of(row))}</td><td>{of_origins(row.origins)}</td>'
    yield f"<td><code>{text(row.rule)}</code></td><td>{text(whose(row.owners))}</td>"
    shown = f"{row.examples[0].name}" + (f" and {row.count - 1:,} more" if row.count > 1 else "")
    yield f"<td><details><summary>{text(shown)}</summary>\n<ul>"
    for example in row.examples:
        yield f"<li>{_example(example)}</li>"
    yield "</ul></details></td></tr>"


def _example(example: Example) -> str:
    owner = f" {text(example.owner)}" if example.owner else ""
    said = f"<br>{text(example.text)}" if example.text else ""
    return f"<code>{text(example.place)}</code> {text(example.name)}{owner}{said}"


def _footer(diff: PolicyDiff) -> Iterator[str]:
    yield "<footer>"
    if diff.unchanged:
        yield f"<p>Unchanged, so not asked: {text(', '.join(diff.unchanged))}</p>"
    for note in diff.notes:
        yield f"<p>{text(note)}</p>"
    engine = f"Engine: {text(diff.engine)}. " if diff.engine else ""
    yield f'<p>{engine}Decision diff <span class="mono">{text(diff.digest)}</span></p>\n</footer>'


def text(value: str) -> str:
    """Words of a document as text of the page, whatever they are."""
    return escape(visible(shorten(value, _TEXT_LIMIT)), quote=True)
