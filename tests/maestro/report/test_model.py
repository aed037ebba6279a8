from dataclasses import replace

from hypothesis import given

from maestro.findings import Verdict
from maestro.report.model import Report, standing
from tests.maestro.report.samples import BROKEN, DOCUMENTS, OLD, OWNER, REPORTS, SHADOW, WAIVED, failed, report, reports


def test_each_standing() -> None:
    assert [standing(finding) for finding in (OWNER, OLD, WAIVED, SHADOW, replace(OWNER, mode="warn"))] == [
        "blocking",
        "existing",
        "waived",
        "shadow",
        "warning",
    ]
    assert standing(replace(SHADOW, existing=True, waived_by="w")) == "shadow"
    assert standing(replace(OLD, waived_by="w")) == "waived"


def test_exit_codes() -> None:
    assert {name: REPORTS[name].exit_code for name in REPORTS} == {
        "passed": 0,
        "passed-everything": 0,
        "skipped": 0,
        "blocked": 10,
        "errored": 1,
        "errored-and-blocked": 10,
        "waived-and-existing": 0,
        "preview": 0,
        "hostile": 10,
        "overflow": 10,
    }


def test_a_failure_without_findings_is_no_pass() -> None:
    empty = report(DOCUMENTS, Verdict("flags", "failed", 3))
    assert empty.exit_code == 1
    assert empty.summary.errored == 1


def test_an_error_beside_findings_that_do_not_block_is_an_error() -> None:
    assert report(failed("flags", OLD, SHADOW), BROKEN).exit_code == 1


@given(reports)
def test_counts_add_up_and_agree_with_what_blocks(any_report: Report) -> None:
    summary = any_report.summary
    every = [finding for verdict in any_report.verdicts for finding in verdict.findings]
    counted = summary.blocking + summary.warnings + summary.shadow + summary.existing + summary.waived
    assert counted == len(every)
    assert summary.blocking == sum(finding.blocks for finding in every)
    assert (any_report.exit_code == 10) == any(finding.blocks for finding in every)
    if any(verdict.outcome == "errored" for verdict in any_report.verdicts):
        assert any_report.exit_code != 0


@given(reports)
def test_entries_hold_each_finding_once_in_the_order_asked_for(any_report: Report) -> None:
    entries = any_report.entries("blocking", "warning", "waived", "existing", "shadow")
    assert len(entries) == sum(len(verdict.findings) for verdict in any_report.verdicts)
    order = ["blocking", "warning", "waived", "existing", "shadow"]
    ranks = [order.index(standing(entry.finding)) for entry in entries]
    assert ranks == sorted(ranks)
