"""The comparison of two decisions, by cases and by properties."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from maestro.findings import Mode
from policy.decide import Decision, Reason
from policy.diff.changes import changes, loosens, standing

MODES: list[Mode] = ["enforce", "warn", "shadow"]


def decision(*said: tuple[str, Mode, str], error: str | None = None, kind: str | None = None) -> Decision:
    reasons = tuple(Reason(f"acme.x/{rule}", mode, message) for rule, mode, message in said)
    return Decision("acme.x", "enforce", "e", False, None, reasons, "p", "i", error=error, error_kind=kind)  # type: ignore[arg-type]


def kinds(before: Decision | None, after: Decision | None) -> list[tuple[str, str]]:
    return [(change.kind, change.rule) for change in changes(before, after)]


def test_each_kind_of_change() -> None:
    silent = decision()
    deny, warn, trial = (decision(("a", mode, "no")) for mode in MODES)
    assert kinds(silent, deny) == [("allow-to-deny", "a")]
    assert kinds(deny, silent) == [("deny-to-allow", "a")]
    assert kinds(silent, warn) == [("warning-added", "a")]
    assert kinds(warn, silent) == [("warning-removed", "a")]
    assert kinds(silent, trial) == [("trial-added", "a")]
    assert kinds(trial, silent) == [("trial-removed", "a")]
    assert [change.detail for change in changes(trial, deny)] == ["shadow → enforce"]
    assert kinds(deny, decision(("a", "enforce", "no!"))) == [("message", "a")]
    assert kinds(None, deny) == [("allow-to-deny", "a")]
    assert kinds(deny, None) == [("deny-to-allow", "a")]


def test_an_error_is_the_only_difference_shown() -> None:
    deny, broken = decision(("a", "enforce", "no")), decision(("b", "warn", "x"), error="boom")
    assert [(one.kind, one.detail, one.text) for one in changes(deny, broken)] == [("to-error", "deny → error", "boom")]
    assert [one.detail for one in changes(broken, decision())] == ["error → allow"]
    assert [one.detail for one in changes(None, broken)] == ["not judged → error"]
    assert changes(broken, decision(error="another")) == []


def test_another_place_is_another_answer() -> None:
    def placed(region: str) -> Decision:
        value = {"allow": True, "cloud": "aws", "region": region, "class": "batch"}
        return Decision("mc.placement", "enforce", "e", True, value, (), "p", "i")

    [change] = changes(placed("eu-west-1"), placed("us-west-2"))
    assert (change.kind, change.rule) == ("answer", "decision")
    assert "eu-west-1" in change.text
    assert "us-west-2" in change.text
    assert changes(placed("eu-west-1"), placed("eu-west-1")) == []


def test_what_loosens() -> None:
    one, both = decision(("a", "enforce", "no")), decision(("a", "enforce", "no"), ("b", "enforce", "no"))
    renamed, milder = decision(("c", "enforce", "no")), decision(("a", "warn", "no"))
    assert loosens(one, decision())
    assert loosens(one, None)
    assert loosens(one, milder)
    assert loosens(both, one), "the other reason may be waived"
    assert not loosens(one, both)
    assert not loosens(one, renamed)
    assert not loosens(milder, decision())
    assert not loosens(one, decision(error="boom")), "an error blocks"


def test_a_pack_that_broke_is_repaired_freely_but_one_this_engine_may_not_judge_might_have_denied() -> None:
    assert not loosens(decision(error="conflict", kind="conflict"), decision())
    assert loosens(decision(error="not proven", kind="unsupported"), decision())
    assert not loosens(decision(error="not proven", kind="unsupported"), decision(error="x", kind="unsupported"))


SAID = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(MODES), st.sampled_from(["m", "n"])), max_size=4)
DECISIONS = st.one_of(
    st.none(), SAID.map(lambda said: decision(*said)), st.builds(lambda text: decision(error=text), st.just("e"))
)


@given(DECISIONS)
def test_nothing_differs_from_itself(one: Decision | None) -> None:
    assert changes(one, one) == []
    assert not loosens(one, one)


MIRROR = {
    "allow-to-deny": "deny-to-allow",
    "warning-added": "warning-removed",
    "trial-added": "trial-removed",
    "to-error": "from-error",
}
MIRROR |= {there: back for back, there in MIRROR.items()}


@given(DECISIONS, DECISIONS)
def test_the_way_back_is_the_way_there_mirrored(one: Decision | None, other: Decision | None) -> None:
    there, back = changes(one, other), changes(other, one)
    assert sorted((MIRROR.get(kind, kind), rule) for kind, rule in kinds(one, other)) == sorted(kinds(other, one))
    assert len(there) == len(back)


@given(DECISIONS, DECISIONS)
def test_a_deny_that_goes_is_always_a_loosening(one: Decision | None, other: Decision | None) -> None:
    if standing(one) == "deny" and standing(other) in ("allow", "warn", "none"):
        assert loosens(one, other)
    if loosens(one, other):
        assert changes(one, other)
