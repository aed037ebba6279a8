"""Gates cannot crash one another; what blocks is settled in one place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.assemble import assemble
from gates.harness import run_gates
from gates.scene import CouldNotJudge, Scene
from maestro.change import ChangeSet
from maestro.findings import Failed, Finding, GateResult, Location, Mode, Passed, Rule, Skipped
from maestro.snapshot import Snapshot, compare
from tests.gates.governed import NOW, POOL, SETTINGS

RULE = Rule("mc.test/rule", "A test", "do something")


@dataclass
class FakeGate:
    answer: Callable[[Scene], GateResult]
    ID: str = "fake"
    RULES: tuple[Rule, ...] = (RULE,)
    NEEDS_REGO: bool = False
    OF_THE_CHANGE_ITSELF: bool = False
    asked: list[Scene] = field(default_factory=list)

    def judge(self, scene: Scene) -> GateResult:
        self.asked.append(scene)
        return self.answer(scene)


def scene_of(*, existing: str = "warn", preview: bool = False) -> Scene:
    settings = SETTINGS + f"existing: {existing}\n"
    policy = Snapshot.of_files({"maestro.yaml": settings.encode(), "pools/here.yaml": POOL.encode()})
    head = Snapshot.of_files(
        {"maestro.yaml": settings.encode(), "pools/here.yaml": POOL.encode(), "README.md": b"changed"}
    )
    change = ChangeSet(policy, policy, head, compare(policy, head), False, preview, False, "test")
    return assemble(change, now=NOW, decide=lambda pack, inputs: [], approvals=tuple, gate_ids=("fake",)).scene


def finding(message: str = "broken", mode: Mode = "enforce", line: int = 1) -> Finding:
    return replace(RULE.finding(message, Location("a.yaml", line), subject="Flag/x"), mode=mode)


def judged(gate: FakeGate, scene: Scene, waivers: dict[tuple[str, str], str] | None = None):  # type: ignore[no-untyped-def]
    [verdict] = run_gates(
        [gate], scene, waivers=lambda: waivers or {}, changed_packs=frozenset(), settings_changed=False
    )
    return verdict


@pytest.mark.parametrize("error", [ValueError("x"), RecursionError(), MemoryError(), KeyError("y"), AssertionError()])
def test_a_crash_is_errored_and_stops_no_other_gate(error: BaseException) -> None:
    def crash(scene: Scene) -> GateResult:
        raise error

    verdicts = run_gates(
        [FakeGate(crash, ID="one"), FakeGate(lambda scene: Passed(3), ID="two")],
        scene_of(),
        waivers=dict,
        changed_packs=frozenset(),
        settings_changed=False,
    )
    assert [(one.gate, one.outcome, one.blocks) for one in verdicts] == [
        ("one", "errored", True),
        ("two", "passed", False),
    ]


def test_a_gate_without_an_answer_keeps_its_findings_and_blocks() -> None:
    def half(scene: Scene) -> GateResult:
        raise CouldNotJudge("no engine", remedy="install one", judged=4, findings=(finding(),))

    verdict = judged(FakeGate(half), scene_of())
    assert (verdict.outcome, verdict.judged, len(verdict.findings), verdict.remedy) == (
        "errored",
        4,
        1,
        "install one",
    )


def test_waivers_that_cannot_be_read_are_errored() -> None:
    def broken() -> dict[tuple[str, str], str]:
        raise OSError("disk")

    [verdict] = run_gates(
        [FakeGate(lambda scene: Failed(1, (finding(),)) if scene.at_head is not scene.at_policy else Passed(1))],
        scene_of(),
        waivers=broken,
        changed_packs=frozenset(),
        settings_changed=False,
    )
    assert verdict.outcome == "errored"


def test_what_the_target_already_has_does_not_block_but_is_shown() -> None:
    verdict = judged(FakeGate(lambda scene: Failed(1, (finding(line=9 if scene.changed_paths else 2),))), scene_of())
    assert (verdict.outcome, [one.existing for one in verdict.findings]) == ("passed", [True])


def test_unless_the_target_blocks_it() -> None:
    verdict = judged(FakeGate(lambda scene: Failed(1, (finding(),))), scene_of(existing="block"))
    assert verdict.outcome == "failed"


def test_one_more_of_the_same_defect_is_a_new_one() -> None:
    def gate(scene: Scene) -> GateResult:
        return Failed(1, (finding(),) * (1 if scene.at_head is scene.at_policy else 2))

    verdict = judged(FakeGate(gate), scene_of())
    assert [one.existing for one in verdict.findings] == [True, False]
    assert verdict.outcome == "failed"


def test_a_waiver_marks_and_does_not_hide() -> None:
    def gate(scene: Scene) -> GateResult:
        return Passed(1) if scene.at_head is scene.at_policy else Failed(1, (finding(),))

    verdict = judged(FakeGate(gate), scene_of(), {("mc.test/rule", "Flag/x"): "my-waiver"})
    assert (verdict.outcome, [one.waived_by for one in verdict.findings]) == ("passed", ["my-waiver"])
    other = judged(FakeGate(gate), scene_of(), {("mc.test/rule", "Flag/y"): "my-waiver"})
    assert other.outcome == "failed"


def test_a_gate_of_the_change_itself_can_neither_be_waived_nor_have_existed() -> None:
    gate = FakeGate(lambda scene: Failed(1, (finding(),)), OF_THE_CHANGE_ITSELF=True)
    verdict = judged(gate, scene_of(), {("mc.test/rule", "Flag/x"): "my-waiver"})
    assert verdict.outcome == "failed"


def test_a_preview_only_warns() -> None:
    verdict = judged(FakeGate(lambda scene: Failed(1, (finding(), finding("s", "shadow")))), scene_of(preview=True))
    assert (verdict.outcome, [one.mode for one in verdict.findings]) == ("passed", ["warn", "shadow"])


def test_nothing_in_scope_is_skipped() -> None:
    verdict = judged(FakeGate(lambda scene: Skipped("nothing")), scene_of())
    assert (verdict.outcome, verdict.reason) == ("skipped", "nothing")


@given(st.lists(st.tuples(st.sampled_from(["enforce", "warn", "shadow"]), st.booleans(), st.booleans()), max_size=6))
def test_it_fails_exactly_when_something_enforced_is_neither_there_before_nor_waived(
    rows: list[tuple[Mode, bool, bool]],
) -> None:
    everything = [
        replace(finding(f"m{number}", mode), subject=f"Flag/f{number}") for number, (mode, _, _) in enumerate(rows)
    ]
    before = tuple(one for one, (_, existing, _) in zip(everything, rows, strict=True) if existing)
    waivers = {
        ("mc.test/rule", one.subject): "w" for one, (_, _, waived) in zip(everything, rows, strict=True) if waived
    }

    def gate(scene: Scene) -> GateResult:
        return Failed(1, before) if scene.at_head is scene.at_policy else Failed(1, tuple(everything))

    verdict = judged(FakeGate(gate), SCENE, waivers)
    expected = any(mode == "enforce" and not existing and not waived for mode, existing, waived in rows)
    assert (verdict.outcome == "failed") is expected
    assert len(verdict.findings) == len(rows)


SCENE = scene_of()


def test_time_is_measured_by_the_clock_handed_in() -> None:
    ticks = iter([1.0, 3.5])
    [verdict] = run_gates(
        [FakeGate(lambda scene: Passed(1))],
        scene_of(),
        waivers=dict,
        changed_packs=frozenset(),
        settings_changed=False,
        clock=lambda: next(ticks),
    )
    assert verdict.seconds == 2.5
    assert dt.timedelta(seconds=verdict.seconds) > dt.timedelta(0)
