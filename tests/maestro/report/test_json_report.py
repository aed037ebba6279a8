import json
from pathlib import Path

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from syrupy.assertion import SnapshotAssertion

from maestro.report.json_report import render
from maestro.report.model import Report
from tests.maestro.report.runner_log import commands
from tests.maestro.report.samples import NASTY, REPORTS, failed, report, reports

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/schema/report.v1.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("name", REPORTS)
def test_whole_output(name: str, snapshot: SnapshotAssertion) -> None:
    text = render(REPORTS[name])
    VALIDATOR.validate(json.loads(text))
    if name != "overflow":
        assert text == snapshot


def test_shadow_findings_are_in_it() -> None:
    assert "never to be seen" in render(REPORTS["blocked"])


def test_values_come_back_as_they_were_and_a_lone_byte_is_named() -> None:
    (finding,) = json.loads(render(report(failed("x", NASTY))))["verdicts"][0]["findings"]
    assert finding["message"] == NASTY.message.replace("\udcff", "\\xff")
    assert finding["location"]["path"].endswith("\\xff\n.yaml")
    assert finding["fix"]["edits"][0]["end_column"] == 4


@given(reports)
def test_any_report_is_valid_and_inert(any_report: Report) -> None:
    text = render(any_report)
    VALIDATOR.validate(json.loads(text))
    assert text.isascii()
    assert commands(text) == []
    assert json.loads(text)["summary"]["blocking"] == any_report.summary.blocking
