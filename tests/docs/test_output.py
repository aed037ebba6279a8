"""What a page shows of a command is what the command says. ``UPDATE_DOCS=1 pytest tests/docs`` writes it anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.docs.pages import Step, name_of, pages, steps
from tests.docs.scratch import Scratch, commands_of, demo, excerpt, scrubbed

LIVE = [page for page in pages() if any(step.kind in ("console", "demo") for step in steps(page.read_text("utf-8")))]


@pytest.mark.parametrize("page", LIVE, ids=name_of)
def test_a_page_shows_what_its_commands_say(page: Path, tmp_path: Path) -> None:
    text = page.read_text("utf-8")
    said: list[tuple[Step, str]] = []
    scratch: Scratch | None = None
    for step in steps(text):
        if step.kind == "demo":
            said.append((step, excerpt(step.text, demo())))
            continue
        scratch = scratch or Scratch(tmp_path)
        if step.kind == "run":
            scratch.run(step.text)
        elif step.kind == "file":
            target = scratch.repository / step.argument
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(step.text, "utf-8")
        else:
            whole = scratch.session(commands_of(step.text))
            said.append((step, excerpt(step.text, whole) if "…\n" in step.text else whole))
    stale = [(step, now) for step, now in said if scrubbed(now) != scrubbed(step.text)]
    if stale and os.environ.get("UPDATE_DOCS") == "1":
        for step, now in reversed(stale):
            text = text[: step.span[0]] + now + text[step.span[1] :]
        page.write_text(text, "utf-8")
        return
    assert [scrubbed(step.text) for step, _ in said] == [scrubbed(now) for _, now in said], (
        f"{name_of(page)} is out of date: UPDATE_DOCS=1 pytest tests/docs writes it anew; then read the difference"
    )


def test_the_pages_that_show_output_are_known() -> None:
    assert {"README.md", "docs/guides/rule.md", "docs/guides/broken-gate.md"} <= {name_of(page) for page in LIVE}


def test_only_what_varies_is_passed_over() -> None:
    one = "run 20261123-185802-3733dcb6 at 8edd001c8e took 0.21 s, exit 10\n"
    assert scrubbed(one) == scrubbed(one.replace("0.21", "1.70").replace("8edd001c8e", "0123456789"))
    assert scrubbed(one) != scrubbed(one.replace("exit 10", "exit 0"))


def test_an_excerpt_is_of_the_output() -> None:
    whole = "a\nb\nc\nd\ne\n"
    assert excerpt("a\nb\n…\nd\n", whole) == "a\nb\n…\nd\n"
    assert excerpt("a\nx\nc\n", whole) == "a\nb\nc\n", "what lies between comes from the output"
    with pytest.raises(AssertionError, match="no line 'x'"):
        excerpt("x\nb\n", whole)
