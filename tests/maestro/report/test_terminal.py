import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from maestro.report.model import Report
from maestro.report.terminal import render
from tests.maestro.report.runner_log import commands
from tests.maestro.report.samples import HOSTILE, OWNER, REPORTS, failed, read_source, report, reports


@pytest.mark.parametrize("name", REPORTS)
def test_whole_output(name: str, snapshot: SnapshotAssertion) -> None:
    assert render(REPORTS[name], read_source) == snapshot


@pytest.mark.parametrize("name", ["blocked", "errored", "passed", "waived-and-existing"])
def test_quiet_output(name: str, snapshot: SnapshotAssertion) -> None:
    assert render(REPORTS[name], read_source, quiet=True) == snapshot


def test_colour_only_adds_colour() -> None:
    plain = render(REPORTS["blocked"], read_source)
    painted = render(REPORTS["blocked"], read_source, colour=True)
    assert painted != plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == plain


def test_shadow_findings_are_counted_never_shown() -> None:
    text = render(REPORTS["blocked"], read_source)
    assert "never to be seen" not in text
    assert "1 by rules on trial" in text


def test_every_blocking_finding_is_there() -> None:
    text = render(REPORTS["overflow"], read_source, quiet=True)
    assert text.count("error[mc.flags/missing_owner]") == 40


def test_what_is_not_listed_is_counted() -> None:
    text = render(REPORTS["overflow"], read_source)
    assert text.count("mc.images/not_pinned") == 23 + 1  # once in a `more` line
    assert "3 further warnings" in text
    assert "… and 2 more" in text


def test_a_source_that_is_gone_or_shorter_than_the_location() -> None:
    gone = replace(OWNER, location=replace(OWNER.location, path="nowhere.yaml"))
    beyond = replace(OWNER, location=replace(OWNER.location, line=99))
    text = render(report(failed("flags", gone, beyond)), read_source, quiet=True)
    assert "nowhere.yaml:4:3" in text
    assert "checkout.yaml:99:3" in text


def test_a_long_message_is_cut_and_says_so() -> None:
    text = render(report(failed("flags", replace(OWNER, message="x" * 50_000))), read_source)
    assert "… (48,000 more characters)" in text


@given(reports, st.booleans(), st.booleans())
def test_nothing_in_a_document_steers_the_terminal_or_the_build_log(
    any_report: Report, colour: bool, quiet: bool
) -> None:
    text = render(
        any_report, lambda path: f"{path}\n{HOSTILE}".encode("utf-8", "replace") * 9, colour=colour, quiet=quiet
    )
    assert commands(text) == []
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text) if colour else text
    assert commands(plain) == []
    hidden = {c for c in plain if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert hidden <= {"\n"}
    text.encode()
