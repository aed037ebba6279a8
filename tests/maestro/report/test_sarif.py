import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given, settings
from jsonschema import Draft4Validator
from syrupy.assertion import SnapshotAssertion

from maestro.report.model import Report
from maestro.report.sarif import render
from tests.maestro.report.runner_log import commands
from tests.maestro.report.samples import IMAGE, OWNER, REPORTS, TTL, failed, report, reports

OFFICIAL = json.loads((Path(__file__).parents[2] / "assets/sarif/sarif-schema-2.1.0.json").read_text())
VALIDATOR = Draft4Validator(OFFICIAL)


@pytest.mark.parametrize("name", REPORTS)
def test_whole_output(name: str, snapshot: SnapshotAssertion) -> None:
    text = render(REPORTS[name])
    VALIDATOR.validate(json.loads(text))
    if name != "overflow":
        assert text == snapshot


def test_rules_stay_distinct_and_are_named_by_their_index() -> None:
    (run,) = json.loads(render(REPORTS["blocked"]))["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == ["mc.flags/missing_owner", "mc.flags/ttl_too_long", "mc.images/not_pinned"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == [r["ruleId"] for r in run["results"]]
    assert rules[0]["shortDescription"]["text"] == "A flag names its owner"
    assert [result["level"] for result in run["results"]] == ["error", "error", "warning"]


def test_shadow_findings_are_not_in_it() -> None:
    assert "never to be seen" not in render(REPORTS["blocked"])


def test_waived_and_existing_are_suppressed() -> None:
    (run,) = json.loads(render(REPORTS["waived-and-existing"]))["runs"]
    assert [[s["justification"] for s in result["suppressions"]] for result in run["results"]] == [
        [],
        ["waiver flags-ttl-launch"],
        ["already on the target branch"],
    ]


def test_a_bracket_makes_no_link_and_stays_a_bracket_elsewhere() -> None:
    texts = ("see [here](https://x.example)", "a [b] c")
    found = failed("x", *(replace(OWNER, message=text, remedy=None) for text in texts))
    (run,) = json.loads(render(report(found)))["runs"]
    shown = {result["message"]["text"] for result in run["results"]}
    assert shown == {"see \\[here\\](https://x.example)", "a [b] c"}


@pytest.mark.parametrize("path", ["a b/ü%.yaml", "c:/x#y?z", "bytes-\udcff", "half-\ud83d"])
def test_paths_are_percent_encoded(path: str) -> None:
    found = replace(OWNER, location=replace(OWNER.location, path=path))
    (run,) = json.loads(render(report(failed("x", found))))["runs"]
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.isascii()
    assert not set(uri) & set(" :#?")
    if "\ud83d" not in path:
        assert unquote_to_bytes(uri) == path.encode("utf-8", "surrogateescape")


def test_too_many_results_are_counted_the_severe_ones_kept() -> None:
    text = render(report(failed("a", *[IMAGE] * 3), failed("b", OWNER, TTL)), result_limit=3)
    VALIDATOR.validate(json.loads(text))
    (run,) = json.loads(text)["runs"]
    assert [result["level"] for result in run["results"]] == ["error", "error", "warning"]
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("2 findings left out")


def test_too_large_a_file_is_halved_until_it_fits() -> None:
    text = render(REPORTS["overflow"], upload_limit=2_500)
    kept = len(json.loads(text)["runs"][0]["results"])
    assert 0 < kept < 75
    assert f"{75 - kept} findings left out" in text


@settings(max_examples=40, deadline=None)
@given(reports)
def test_any_report_is_valid_sarif(any_report: Report) -> None:
    text = render(any_report)
    VALIDATOR.validate(json.loads(text))
    assert commands(text) == []
    (run,) = json.loads(text)["runs"]
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(ids) == len(set(ids))
