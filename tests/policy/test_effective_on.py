"""``effective_on``: the written mode from the beginning of a day on, one step milder before it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.findings import MILDNESS, Hardening, Mode, milder, one_step_milder
from policy.decide import decide
from policy.engines.engine import Values
from policy.pack import Pack
from tests.policy.memory_files import load, pack_of
from tests.policy.test_decide import Fixed

DAY = dt.date(2027, 1, 15)
EVE = DAY - dt.timedelta(days=1)


def source(package: str = "", rule: str = "", name: str = "deny_x") -> str:
    def block(custom: str) -> str:
        return f"# METADATA\n# custom: {{{custom}}}\n" if custom else ""

    return f'{block(package)}package p\n\n{block(rule)}{name} contains "x" if input.x\n'


def modes(pack: Pack) -> tuple[Mode, Hardening | None]:
    [rule] = pack.rules
    return pack.mode_of(rule), pack.hardening_of(rule)


@pytest.mark.parametrize(
    ("package", "rule", "before", "then"),
    [
        ("mode: enforce, effective_on: 2027-01-15", "", "warn", "enforce"),
        ("effective_on: 2027-01-15", "", "warn", "enforce"),
        ("mode: warn, effective_on: '2027-01-15'", "", "shadow", "warn"),
        ("mode: enforce", "effective_on: 2027-01-15", "warn", "enforce"),
        ("mode: warn", "effective_on: 2027-01-15", "shadow", "warn"),
        ("mode: enforce", "mode: warn, effective_on: 2027-01-15", "shadow", "warn"),
        ("mode: enforce, effective_on: 2027-01-15", "effective_on: 2027-01-15", "warn", "enforce"),
    ],
)
def test_the_day_itself_is_included(package: str, rule: str, before: Mode, then: Mode) -> None:
    pack = pack_of(source(package, rule))
    assert modes(pack.on(EVE)) == (before, Hardening(DAY, then))
    assert modes(pack.on(DAY)) == (then, None)
    assert modes(pack) == (then, None), "as loaded, it is as strict as it will be"
    assert modes(pack.on(DAY).on(EVE)) == modes(pack.on(EVE)), "asking for another day forgets nothing"


def test_a_rule_waits_for_the_later_of_two_days() -> None:
    pack = pack_of(source("effective_on: 2027-01-15", "effective_on: 2027-03-01"))
    later = dt.date(2027, 3, 1)
    assert modes(pack.on(EVE)) == ("warn", Hardening(later, "enforce"))
    assert modes(pack.on(DAY)) == ("warn", Hardening(later, "enforce"))
    assert modes(pack.on(later)) == ("enforce", None)


def test_a_warn_rule_hardens_to_a_warning() -> None:
    pack = pack_of(source("mode: enforce", "effective_on: 2027-01-15", name="warn_x"))
    assert modes(pack.on(EVE)) == ("shadow", Hardening(DAY, "warn"))


def test_a_rule_that_is_milder_than_its_pack_is_not_touched_by_the_packs_day() -> None:
    pack = pack_of(source("mode: enforce, effective_on: 2027-01-15", "mode: shadow"))
    assert modes(pack.on(EVE)) == modes(pack.on(DAY)) == ("shadow", None)


@pytest.mark.parametrize(
    ("custom", "column", "words"),
    [
        ("effective_on: 15.1.2027", 26, "is '15.1.2027': a day of the calendar is wanted"),
        ("effective_on: 2027-02-30", 26, "is '2027-02-30'"),
        ("effective_on: 20270115", 26, "is 20270115"),
        ("effective_on: 2027-W03-5", 26, "is '2027-W03-5'"),
        ("effective_on: 2027-01-15T00:00:00Z", 26, "is '2027-01-15T00:00:00Z'"),
        ("effective_on: ", 12, "is None"),
        ("effective_on: [2027-01-15]", 26, "is ['2027-01-15']"),
        ("mode: shadow, effective_on: 2027-01-15", 40, "nothing to harden"),
    ],
)
def test_what_is_no_day_is_found_where_it_stands_and_puts_nothing_off(custom: str, column: int, words: str) -> None:
    for text, line in ((source(custom), 2), (source("mode: enforce", custom), 6)):
        found = load({"policy/packs/p/p.rego": text})
        [problem] = [one for one in found.problems if one.rule.mode == "enforce"]
        assert problem.rule.id == "mc.policy/effective_on"
        assert words in problem.message
        assert (problem.location.path, problem.location.line) == ("policy/packs/p/p.rego", line)
        assert problem.location.column == column
        [pack] = found.packs
        assert modes(pack.on(EVE)) == modes(pack)


@pytest.mark.parametrize(
    "key", ["efective_on", "effective-on", "effectiveOn", "effective", "effective_from", "effective_date"]
)
def test_a_misspelt_key_is_found_where_it_stands(key: str) -> None:
    [problem] = [
        one
        for one in load({"policy/packs/p/p.rego": source("mode: enforce", f"{key}: 2027-01-15")}).problems
        if one.rule.mode == "enforce"
    ]
    assert "did you mean 'effective_on'?" in problem.message
    assert (problem.location.line, problem.location.column) == (6, 12)


def test_outside_of_custom_it_is_found() -> None:
    text = "# METADATA\n# title: t\n# effective_on: 2027-01-15\npackage p\ndeny contains 1"
    [problem] = [one for one in load({"policy/packs/p/p.rego": text}).problems if one.rule.mode == "enforce"]
    assert (problem.location.line, problem.location.column) == (3, 3)
    assert "belongs under custom" in problem.message


BODIES = """package p

{first}deny_x contains "a" if input.a

{second}deny_x contains "b" if input.b
"""
AT = "# METADATA\n# custom: {{effective_on: {day}}}\n"


@pytest.mark.parametrize("second", ["", AT.format(day="2027-01-16"), "# METADATA\n# custom: {mode: enforce}\n"])
def test_bodies_that_do_not_agree_put_nothing_off(second: str) -> None:
    files = {"policy/packs/p/p.rego": BODIES.format(first=AT.format(day="2027-01-15"), second=second)}
    found = load(files)
    [problem] = [one for one in found.problems if one.rule.mode == "enforce"]
    assert problem.rule.id == "mc.policy/effective_on"
    assert problem.location.line == 4
    assert modes(found.packs[0].on(EVE)) == ("enforce", None)


def test_bodies_that_agree_harden_together() -> None:
    both = pack_of(BODIES.format(first=AT.format(day="2027-01-15"), second=AT.format(day="2027-01-15")))
    once = "# METADATA\n# scope: document\n# custom: {effective_on: 2027-01-15}\n"
    whole = pack_of(BODIES.format(first=once, second=""))
    assert modes(both.on(EVE)) == modes(whole.on(EVE)) == ("warn", Hardening(DAY, "enforce"))


def test_a_mode_in_maestro_yaml_is_staged_by_a_day_in_the_block() -> None:
    packs = "[{path: policy/packs/p, namespace: main, mode: warn}]"
    pack = pack_of("# METADATA\n# custom: {effective_on: 2027-01-15}\npackage main\ndeny contains 1", packs)
    assert modes(pack.on(EVE)) == ("shadow", Hardening(DAY, "warn"))


def test_a_decision_says_what_it_will_be() -> None:
    pack = pack_of(source("effective_on: 2027-01-15"))
    for day, allow, mode, hardens in ((EVE, True, "warn", Hardening(DAY, "enforce")), (DAY, False, "enforce", None)):
        [decision] = decide(pack.on(day), [{"x": 1}], Fixed((Values((["x"],)),)))
        [reason] = decision.reasons
        assert (decision.allow, decision.mode, reason.mode, reason.hardens) == (allow, mode, mode, hardens)


_DAYS = st.dates(dt.date(2027, 1, 1), dt.date(2027, 1, 9))


@given(
    st.sampled_from(["enforce", "warn", "shadow", None]),
    st.sampled_from(["enforce", "warn", "shadow", None]),
    st.none() | _DAYS,
    st.none() | _DAYS,
    _DAYS,
)
def test_modes_only_harden_and_are_what_is_announced(
    package: Mode | None, own: Mode | None, package_day: dt.date | None, own_day: dt.date | None, day: dt.date
) -> None:
    def custom(mode: Mode | None, on: dt.date | None) -> str:
        given = {"mode": mode, "effective_on": on}
        return ", ".join(f"{key}: {value}" for key, value in given.items() if value is not None)

    found = load({"policy/packs/p/p.rego": source(custom(package, package_day), custom(own, own_day))})
    [pack] = found.packs
    mode, hardens = modes(pack.on(day))
    for later in (day + dt.timedelta(days=count) for count in range(20)):
        then, _ = modes(pack.on(later))
        assert MILDNESS[then] <= MILDNESS[mode]
        if hardens is None:
            assert then == mode
        else:
            assert then == (hardens.mode if later >= hardens.on else mode)
    if not [one for one in found.problems if one.rule.mode == "enforce"]:
        at = package or "enforce"
        whole = one_step_milder(at) if package_day and day < package_day else at
        rule = own or at
        rule = one_step_milder(rule) if own_day and day < own_day else rule
        assert mode == milder(whole, rule)
