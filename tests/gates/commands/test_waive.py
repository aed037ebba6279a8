from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.commands.waive import document, document_name
from maestro.documents import parse
from tests.gates.governed import MANIFEST, NOW, check, governed, maestro

RULE = ("mc.documents/owner_unresolved", "Manifest/nightly-report")


def test_what_it_writes_is_a_waiver_that_our_own_gates_accept(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"manifests/nightly.yaml": MANIFEST})
    answer = maestro(repo, "waive", *RULE, "--until", "2026-12-31", "--reason", 'renamed: "soon" #1')
    assert (answer.code, answer.out) == (0, "waivers/documents-owner-unresolved-nightly-report.yaml\n")
    found = check(repo)
    assert [rule for rule in found.rules() if not rule.startswith("mc.governance/")] == []
    assert "judged" in found.out


def test_a_second_waiver_of_the_same_is_not_written_over_the_first(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    maestro(repo, "waive", *RULE, "--until", "2026-12-31", "--reason", "first")
    again = maestro(repo, "waive", *RULE, "--until", "2027-01-31", "--reason", "second")
    assert (again.code, "already there" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*RULE, "--until", "soon", "--reason", "x"), "wants a date"),
        ((*RULE, "--until", "2026-11-22", "--reason", "x"), "in the past"),
        (("owner_unresolved", RULE[1], "--until", "2026-12-31", "--reason", "x"), "there is no rule"),
        (("mc.documents/owner_unresolvd", RULE[1], "--until", "2026-12-31", "--reason", "x"), "did you mean"),
        ((*RULE, "--until", "2026-12-31", "--reason", ""), "reason"),
        ((*RULE, "--until", "2026-12-31"), "--reason"),
    ],
)
def test_bad_words_are_usage_errors_and_write_nothing(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    repo = governed(tmp_path / "r")
    answer = maestro(repo, "waive", *arguments)
    assert answer.code == 2
    assert words in answer.err
    assert not (repo.path / "waivers").exists()


@given(rule=st.text(min_size=1), subject=st.text(min_size=1), reason=st.text(min_size=1, max_size=40))
def test_whatever_the_words_the_document_holds_them(rule: str, subject: str, reason: str) -> None:
    text = document("w", rule, subject, NOW.date(), reason)
    name = document_name(rule, subject)
    assert len(name) <= 63
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    parsed = parse("waivers/w.yaml", data)
    if not parsed.problems:
        [waiver] = parsed.documents
        assert waiver.raw.value["spec"] == {  # type: ignore[index,call-overload]
            "rule": rule,
            "subject": subject,
            "until": NOW.date().isoformat(),
            "reason": reason,
        }


def test_it_is_written_where_waivers_live(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    settings = (repo.path / "maestro.yaml").read_text().replace("waivers/**", "maestro/waivers/**")
    repo.write("maestro.yaml", settings)
    answer = maestro(repo, "waive", *RULE, "--until", "2026-12-31", "--reason", "x")
    assert answer.out.startswith("maestro/waivers/")
