from dataclasses import replace

import pytest
from hypothesis import given
from syrupy.assertion import SnapshotAssertion

from maestro.report.github import render
from maestro.report.model import Report
from maestro.report.visible_text import visible
from tests.maestro.report.runner_log import commands
from tests.maestro.report.samples import HOSTILE_PATH, NASTY, OWNER, REPORTS, failed, report, reports


@pytest.mark.parametrize("name", REPORTS)
def test_whole_output(name: str, snapshot: SnapshotAssertion) -> None:
    assert render(REPORTS[name]) == snapshot


def test_the_runner_reads_back_what_was_meant() -> None:
    (command,) = commands(render(report(failed("x", NASTY))))
    assert command.name == "error"
    assert command.properties["file"] == visible(HOSTILE_PATH)
    assert command.data.startswith("::error::owned\n##[error]owned `code`")


def test_percent_is_not_decoded_into_a_line_break() -> None:
    (command,) = commands(render(report(failed("x", replace(OWNER, message="100%0A%25")))))
    assert command.data.startswith("100%0A%25\n")


@pytest.mark.parametrize("kind", ["error", "warning"])
def test_at_most_ten_of_a_kind_and_the_rest_is_said(kind: str) -> None:
    found = commands(render(REPORTS["overflow"]))
    assert sum(command.name == kind for command in found) == 10
    assert found[-1].name == "notice"
    assert "30 further errors, 13 further warnings, 12 findings already" in found[-1].data


@given(reports)
def test_every_line_is_one_annotation_and_none_comes_from_a_document(any_report: Report) -> None:
    text = render(any_report)
    found = commands(text)
    summary = any_report.summary
    kinds = [command.name for command in found]
    assert len(found) == len(text.splitlines()) == text.count("\n")
    assert kinds.count("error") == min(10, summary.blocking + summary.errored)
    assert kinds.count("warning") == min(10, summary.warnings)
    assert kinds.count("notice") <= 1
    for command in found:
        assert set(command.properties) <= {"file", "line", "col", "endLine", "endColumn", "title"}
