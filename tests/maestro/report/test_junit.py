import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from syrupy.assertion import SnapshotAssertion

from maestro.report.junit import render
from maestro.report.model import Report
from tests.maestro.report.runner_log import commands
from tests.maestro.report.samples import REPORTS, reports


@pytest.mark.parametrize("name", [name for name in REPORTS if name != "overflow"])
def test_whole_output(name: str, snapshot: SnapshotAssertion) -> None:
    assert render(REPORTS[name]) == snapshot


def test_cases_have_distinct_names() -> None:
    root = ET.fromstring(render(REPORTS["overflow"]))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names)) == 75


@given(reports)
def test_any_report_parses_and_its_counts_are_true(any_report: Report) -> None:
    text = render(any_report)
    assert commands(text) == []
    root = ET.fromstring(text)
    for element in [root, *root.iter("testsuite")]:
        for attribute, tag in (
            ("tests", "testcase"),
            ("failures", "failure"),
            ("errors", "error"),
            ("skipped", "skipped"),
        ):
            assert int(element.get(attribute, "-1")) == len(list(element.iter(tag)))
    assert len(list(root.iter("failure"))) == any_report.summary.blocking
    assert len(list(root.iter("error"))) == any_report.summary.errored
