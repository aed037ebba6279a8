"""Clocks, OpenMetrics and the page of a run."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from maestro.metrics import render as render_metrics
from runner.execution import Attempt, Ending, Execution, Outcome
from runner.run_clocks import clocks, percentiles, told
from runner.run_metrics import numbers
from runner.run_report import render
from tests.runner.plans import planned
from tests.support.tools import tool

PLAN = planned(size=40, name="a")


def ending(execution: Execution, outcome: Outcome, number: int, reason: str | None = None) -> tuple[Execution, Ending]:
    """An ending that took ``number`` tenths of a second to start."""
    wait, base = number / 10, "2026-11-23T12:00:"
    attempt = Attempt(
        number=1,
        session=1,
        outcome=outcome,
        published=base + "00.000000+00:00",
        claimed=f"{base}{wait:09.6f}+00:00",
        started=f"{base}{wait + 0.01:09.6f}+00:00",
        ended=f"{base}{wait + 2:09.6f}+00:00",
        run_seconds=1.99,
        exit_code=1 if outcome == "failed" else 0,
        reason=reason,
        queue_seconds=wait,
        start_seconds=0.01,
    )
    return execution, Ending(execution.id, (attempt,))


def endings(reason: str | None = None) -> list[tuple[Execution, Ending]]:
    """40 of them, every tenth failed."""
    out = []
    for number, execution in enumerate(PLAN.executions("run-1")):
        out.append(ending(execution, "failed" if number % 10 == 9 else "succeeded", number, reason))
    return out


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200))
def test_percentiles_are_values_that_occur_and_cover_their_share(values: list[float]) -> None:
    found = percentiles(values)
    assert found is not None
    for share, value in ((0.5, found.p50), (0.95, found.p95), (0.99, found.p99)):
        assert value in values
        assert sum(one <= value for one in values) >= share * len(values)
        assert sum(one < value for one in values) < share * len(values) + 1e-9


def test_clocks_are_told_in_words() -> None:
    said = told(clocks(one for _, one in endings()))
    assert "  publish → claim  p50 1.900 s  p95 3.700 s  p99 3.900 s\n" in said
    assert "  claim → start    p50 0.010 s" in said


def test_the_metrics_are_openmetrics_and_add_up() -> None:
    text = render_metrics(run=numbers("local", [PLAN], endings(), slots=7))
    found = {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    value = {
        (sample.name, *sorted(sample.labels.values())): sample.value for one in found.values() for sample in one.samples
    }
    assert value["mc_cloud_placements_total", "here", "local"] == 40
    assert value["mc_executions_total", "succeeded"] == 36
    assert value["mc_failures_total", "exit_1"] == 4
    assert value[("mc_slots",)] == 7
    assert value[("mc_queue_seconds_count",)] == 40
    assert value["mc_queue_seconds_bucket", "3.8"] == 39
    assert value["mc_start_seconds_bucket", "0.01"] == 40
    assert value["mc_publish_to_start_seconds_bucket", "3.8"] == 38
    assert text.endswith("# EOF\n")


class Tags(HTMLParser):
    """What a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_needs_nothing_else_and_escapes_what_commands_say() -> None:
    page = render("run-1", endings("<script>alert(1)</script>"), slots=7)
    tags = Tags()
    tags.feed(page)
    assert not tags.names & {"script", "link", "img", "iframe"}
    assert tags.links == []
    assert "&lt;script&gt;alert(1)" in page
    assert "36 succeeded" in page
    assert "<title>40 executions in 5.9 seconds: how many had started, waited, had ended</title>" in page
    assert "nothing was executed" in render("run-1", [], slots=1)


def test_a_browser_draws_the_page(tmp_path: Path) -> None:
    browser = tool("chromium")
    (tmp_path / "page.html").write_text(render("run-1", endings(), slots=7))
    argv = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    shot = tmp_path / "page.png"
    subprocess.run(
        [*argv, f"--screenshot={shot}", f"file://{tmp_path}/page.html"], check=True, timeout=60, capture_output=True
    )
    assert shot.stat().st_size > 5000
