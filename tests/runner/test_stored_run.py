"""A run that is kept elsewhere: whoever goes on has only the store, and of all sessions only the last one goes on."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from maestro.errors import ToolFailure, UsageError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.trust import trust_of
from maestro.ledger.store import Store
from policy.placement import Placement
from runner import archive, session
from runner.dispatch import Dispatcher, Summary
from runner.drivers.driver import NOTHING_LOST, Claim
from runner.execution import Claimed, Ending, Execution
from runner.kept_runs import STEP_KINDS
from runner.ledger_check import check_run
from runner.plain_tar import members, packed
from runner.run_folder import RunFolder, run_folder
from runner.session import Planned
from runner.stored_run import StoredRun, TakenOver, first_session, standing, unfinished
from tests.maestro.evidence import keys
from tests.runner.plans import NOW, RUN, NoDriver, dispatcher, facts, local, planned
from tests.support.memory_store import MemoryStore

TRUST = trust_of([keys.row()])


def stored(store: Store, folder: RunFolder) -> StoredRun:
    return StoredRun(store, folder, keys.signer(), TRUST, lambda: NOW)


def on(machine: Path, store: Store, told: list[str] | None = None) -> Dispatcher:
    """A dispatcher of the run on a machine that has this folder."""
    one = dispatcher(machine)
    return replace(one, stored=stored(store, one.folder), told=(told if told is not None else []).append)


def go(machine: Path, store: Store, *plans: Planned) -> Summary:
    return on(machine, store).dispatch(facts(), plans, local(machine))


class Does(NoDriver):
    """A driver that does this, and starts nothing."""

    def __init__(self, what: Callable[[Sequence[Execution], Claim], None]) -> None:
        self._what = what

    def provision(self, placement: Placement | None, executions: Sequence[Execution]) -> None:
        pass

    def execute(
        self,
        executions: Sequence[Execution],
        *,
        session: int,
        start_nothing_of: Set[str] = frozenset(),
        claim: Claim | None = None,
        lost: Mapping[str, Sequence[Claimed]] = NOTHING_LOST,
    ) -> Iterator[Ending]:
        assert claim is not None
        self._what(executions, claim)
        return iter(())


def claimed_and_lost(machine: Path, store: Store, plan: Planned, count: int) -> None:
    """A dispatch that claimed so many, and then its machine burnt down."""

    def burn(executions: Sequence[Execution], claim: Claim) -> None:
        claim(executions[:count])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        on(machine, store).dispatch(facts(), [plan], Does(burn))


def test_a_complete_run_is_complete_everywhere(tmp_path: Path) -> None:
    store = MemoryStore()
    first = go(tmp_path / "a", store, planned(f"echo x >> {tmp_path}/marks", size=3))
    assert first.segment.complete
    again = on(tmp_path / "b", store).dispatch(facts(), [planned(size=3)], NoDriver())
    assert again.segment == first.segment
    report = check_run(run_folder(tmp_path / "b" / "ledger", RUN), TRUST, lambda _run: False)
    assert report.objections == []
    assert report.outcomes == {"succeeded": 3}
    assert unfinished(store) == [RUN]  # until it is archived
    assert first_session(store, RUN) is not None
    assert first_session(store, "another") is None


def test_what_was_claimed_and_left_nothing_is_unknown_and_the_rest_runs(tmp_path: Path) -> None:
    store, marks = MemoryStore(), tmp_path / "marks"
    plan = planned(f"echo $MAESTRO_ARRAY_INDEX >> {marks}", size=6)
    claimed_and_lost(tmp_path / "a", store, plan, 2)
    done = go(tmp_path / "b", store, plan)
    assert done.segment.outcomes == {"succeeded": 4, "unknown": 2}
    assert sorted(marks.read_text().split()) == ["2", "3", "4", "5"]
    unknown = [ending.last for _, ending in done.endings if ending.last.outcome == "unknown"]
    assert {(one.session, one.published[:19]) for one in unknown} == {(1, "2026-11-23T12:00:00")}
    assert all("session 1 claimed it on another machine" in (one.reason or "") for one in unknown)
    assert check_run(run_folder(tmp_path / "b" / "ledger", RUN), TRUST, lambda _run: False).objections == []


def test_only_where_it_is_idempotent_it_runs_again_as_often_as_is_left(tmp_path: Path) -> None:
    store, marks = MemoryStore(), tmp_path / "marks"
    plan = planned(f"echo x >> {marks}", size=2, idempotent=True, attempts=3)
    for machine in ("a", "b"):
        claimed_and_lost(tmp_path / machine, store, plan, 1)
    done = go(tmp_path / "c", store, plan)
    assert done.segment.outcomes == {"succeeded": 2}
    (many,) = [ending for _, ending in done.endings if len(ending.attempts) > 1]
    assert [(one.session, one.outcome) for one in many.attempts] == [(1, "unknown"), (2, "unknown"), (3, "succeeded")]
    # one more loss, and nothing is left to try
    other = MemoryStore()
    for machine in ("d", "e", "f"):
        claimed_and_lost(tmp_path / machine, other, plan, 1)
    assert go(tmp_path / "g", other, plan).segment.outcomes == {"succeeded": 1, "unknown": 1}


def test_what_policy_denies_by_now_is_told_of_all_the_same(tmp_path: Path) -> None:
    store = MemoryStore()
    claimed_and_lost(tmp_path / "a", store, planned(size=3), 1)
    done = go(tmp_path / "b", store, planned(size=3, denied="drained"))
    assert done.segment.outcomes == {"unknown": 1}


def test_what_was_closed_as_incomplete_is_completed_elsewhere(tmp_path: Path) -> None:
    store, plan = MemoryStore(), planned("true", size=3)
    on(tmp_path / "a", store).dispatch(facts(), [plan], Does(lambda executions, claim: claim(executions[:2])))
    done = go(tmp_path / "b", store, plan)
    assert (done.segment.number, done.segment.complete) == (2, True)
    assert done.segment.outcomes == {"succeeded": 1, "unknown": 2}
    report = check_run(run_folder(tmp_path / "b" / "ledger", RUN), TRUST, lambda _run: False)
    assert (report.objections, report.complete) == ([], True)


def test_the_same_machine_knows_better(tmp_path: Path) -> None:
    store, marks = MemoryStore(), tmp_path / "marks"
    plan = planned(f"echo x >> {marks}", size=4)
    claimed_and_lost(tmp_path / "a", store, plan, 3)
    done = go(tmp_path / "a", store, plan)  # nothing had started: its own folder says so
    assert done.segment.outcomes == {"succeeded": 4}


def test_a_machine_that_was_passed_by_starts_from_the_store(tmp_path: Path) -> None:
    store, marks, told = MemoryStore(), tmp_path / "marks", []  # type: ignore[var-annotated]
    plan = planned(f"echo x >> {marks}", size=4)
    claimed_and_lost(tmp_path / "a", store, plan, 1)
    claimed_and_lost(tmp_path / "b", store, plan, 2)
    done = on(tmp_path / "a", store, told).dispatch(facts(), [plan], local(tmp_path / "a"))
    assert done.segment.outcomes == {"succeeded": 2, "unknown": 2}
    assert ["another machine has gone on with this run" in one for one in told] == [True]
    (aside,) = (tmp_path / "a" / "ledger" / "superseded").iterdir()
    assert (aside / "sessions" / "1.sigstore.json").is_file()


@pytest.mark.parametrize(
    ("store", "local_", "fetched", "says"),
    [
        ({}, {}, 0, "current"),
        ({}, {1: "a"}, 0, "current"),  # killed between its own session and the step that carries it
        ({1: "a"}, {}, 0, "fetch"),
        ({1: "a"}, {1: "a"}, 0, "current"),
        ({1: "a"}, {1: "a", 2: "b"}, 0, "current"),
        ({1: "a"}, {1: "a"}, 1, "fetch"),  # fetched, and nothing begun: there may be more by now
        ({1: "a"}, {1: "a", 2: "b"}, 1, "fetch"),
        ({1: "a", 2: "b"}, {1: "a"}, 0, "set aside"),
        ({1: "a", 2: "c"}, {1: "a", 2: "b"}, 1, "set aside"),
        ({1: "a", 2: "b"}, {1: "a"}, 1, "fetch"),
        ({1: "a", 2: "b"}, {1: "a", 2: "b"}, 1, "current"),
        ({1: "a", 2: "b", 3: "c"}, {1: "a", 2: "b"}, 1, "set aside"),
    ],
)
def test_what_a_folder_is_worth(store: dict[int, str], local_: dict[int, str], fetched: int, says: str) -> None:
    assert standing(store, local_, fetched) == says


# Who is in the way


def test_two_that_begin_at_once_are_one_and_a_refusal(tmp_path: Path) -> None:
    store = MemoryStore()
    folders = [run_folder(tmp_path / name / "ledger", RUN) for name in "ab"]
    runs = []
    for number, folder in enumerate(folders):
        folder.create()
        folder.add_numbered("sessions", 1, b"session of %d" % number)
        runs.append(stored(store, folder))
        assert runs[-1].pull() is None
    assert runs[0].begin(1)
    with pytest.raises(TakenOver, match=r"another machine has taken over the run .*session 1"):
        runs[1].begin(1)


def test_one_that_wakes_claims_nothing_and_carries_nothing(tmp_path: Path) -> None:
    store, plan = MemoryStore(), planned("true", size=3)
    asleep = on(tmp_path / "a", store)

    def sleep(executions: Sequence[Execution], claim: Claim) -> None:
        claim(executions[:1])
        go(tmp_path / "b", store, plan)  # meanwhile, elsewhere
        claim(executions[1:])

    with pytest.raises(TakenOver, match=r"session 2, at .*nothing more is started here"):
        asleep.dispatch(facts(), [plan], Does(sleep))
    before = dict(store.files)
    assert asleep.stored is not None
    (asleep.folder.path / "receipts" / "late.sigstore.json").write_bytes(b"late")
    asleep.stored.keep("receipts/late.sigstore.json")
    with pytest.raises(TakenOver):
        asleep.stored.flush()
    assert store.files == before
    report = check_run(run_folder(tmp_path / "b" / "ledger", RUN), TRUST, lambda _run: False)
    assert (report.outcomes, report.objections) == ({"succeeded": 2, "unknown": 1}, [])


def test_in_a_folder_that_two_share_the_one_that_lost_its_lock_signs_nothing(tmp_path: Path) -> None:
    plan, asleep = planned("true", size=3), dispatcher(tmp_path)
    driver = local(tmp_path)
    executed = driver.execute

    def slow(*arguments: object, **named: object):  # type: ignore[no-untyped-def]
        endings = executed(*arguments, **named)  # type: ignore[arg-type]
        yield next(endings)
        del endings  # nobody iterates any more
        (asleep.folder.path / "lock").unlink()  # what a file system does that forgets
        dispatcher(tmp_path).dispatch(facts(), [plan], local(tmp_path))
        yield from driver._known({one.id: one for one in plan.executions(RUN)})

    driver.execute = slow  # type: ignore[method-assign]
    with pytest.raises(ToolFailure, match="another dispatch has taken over the run"):
        asleep.dispatch(facts(), [plan], driver)
    report = check_run(asleep.folder, TRUST, lambda _run: False)
    assert (report.outcomes, report.objections) == ({"succeeded": 3}, [])


# What is not as it was left


class Unanswered(MemoryStore):
    """The write happens, and nobody hears of it."""

    at = 0

    def create(self, name: str, data: bytes) -> bool:
        took = super().create(name, data)
        if name.endswith(f"/steps/{self.at}.tar.gz"):
            self.at = 0
            raise ToolFailure("the ledger's store does not answer")
        return took


class Refusing(MemoryStore):
    """Steps that carry such a file are not taken while ``refuses`` says it."""

    refuses: str | None = None

    def create(self, name: str, data: bytes) -> bool:
        if self.refuses is not None and any(one.startswith(self.refuses) for one, _ in members(data, STEP_KINDS)):
            raise ToolFailure("the ledger's store does not answer")
        return super().create(name, data)


def test_what_a_complete_run_left_to_carry_is_carried_by_its_last_session(tmp_path: Path) -> None:
    store, plan = Refusing(), planned("true", size=2)
    store.refuses = "segments/"
    with pytest.raises(ToolFailure):
        go(tmp_path / "a", store, plan)
    store.refuses = None
    done = go(tmp_path / "a", store, plan)
    for machine in ("a", "b"):
        again = on(tmp_path / machine, store).dispatch(facts(), [plan], NoDriver())
        assert again.segment == done.segment


def test_no_step_is_signed_at_a_time_that_nobody_believes(tmp_path: Path) -> None:
    store, plan, clock = MemoryStore(), planned("true", size=3), [NOW]
    trust = trust_of([keys.row(valid_until=NOW + dt.timedelta(minutes=1))])

    def machine(name: str) -> Dispatcher:
        one = replace(dispatcher(tmp_path / name), trust=trust, now=lambda: clock[0])
        return replace(one, stored=StoredRun(store, one.folder, keys.signer(), trust, lambda: clock[0]))

    def jumps(executions: Sequence[Execution], claim: Claim) -> None:
        claim(executions[:1])
        clock[0] = NOW + dt.timedelta(days=3)
        claim(executions[1:2])

    with pytest.raises(ToolFailure, match="cannot be completed now"):
        machine("a").dispatch(facts(), [plan], Does(jumps))
    clock[0] = NOW
    assert machine("b").dispatch(facts(), [plan], local(tmp_path / "b")).segment.complete


def test_a_run_whose_first_session_never_got_there_is_found_by_its_second(tmp_path: Path) -> None:
    store, plan = Refusing(), planned("true", size=3)
    store.refuses = ""
    with pytest.raises(ToolFailure):
        go(tmp_path / "a", store, plan)
    store.refuses = None
    claimed_and_lost(tmp_path / "a", store, plan, 1)
    number, data = first_session(store, RUN) or (0, b"")
    assert number == session.read(data, TRUST, RUN, number).number == 2


def test_steps_taken_from_the_end_are_missed_where_there_is_an_archive(tmp_path: Path) -> None:
    store, marks = MemoryStore(), tmp_path / "marks"
    plan = planned(f"echo x >> {marks}", size=3)
    go(tmp_path / "a", store, plan)
    for name, data in archive.pieces(run_folder(tmp_path / "a" / "ledger", RUN), 1):
        store.create(name, data)
    for name in list(store.names(f"runs/{RUN}/steps/"))[1:]:
        store.erase(name)
    with pytest.raises(BadEvidence, match="is in its archive and in none"):
        go(tmp_path / "b", store, plan)
    assert len(marks.read_text().split()) == 3


def test_a_receipt_whose_session_was_taken_away_settles_nothing(tmp_path: Path) -> None:
    """It may be of another manifest than the one that is planned now."""
    dispatcher(tmp_path).dispatch(facts(), [planned("true")], local(tmp_path))
    path = run_folder(tmp_path / "ledger", RUN).path
    for name in ("sessions", "segments", "journals", "logs"):
        shutil.rmtree(path / name)
    changed = replace(planned("false"), digest="sha256:" + "9" * 64)
    with pytest.raises(BadEvidence, match="cites a session that is not there"):
        dispatcher(tmp_path).dispatch(facts(), [changed], local(tmp_path))


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_step_that_nobody_answered_is_ours(tmp_path: Path, step: int) -> None:
    store, marks = Unanswered(), tmp_path / "marks"
    store.at = step
    plan = planned(f"echo x >> {marks}", size=5)
    try:
        done = go(tmp_path / "a", store, plan)
    except ToolFailure:
        done = go(tmp_path / "a", store, plan)
    assert done.segment.outcomes == {"succeeded": 5}
    assert len(marks.read_text().split()) == 5
    elsewhere = on(tmp_path / "b", store).dispatch(facts(), [plan], NoDriver())
    assert elsewhere.segment == done.segment


def _without(number: int) -> Callable[[MemoryStore], None]:
    return lambda store: store.erase(f"runs/{RUN}/steps/{number}.tar.gz")


def _with(number: int, data: bytes) -> Callable[[MemoryStore], None]:
    return lambda store: store.files.update({f"runs/{RUN}/steps/{number}.tar.gz": data})


def _carrying(name: str) -> Callable[[MemoryStore], None]:
    def change(store: MemoryStore) -> None:
        at = f"runs/{RUN}/steps/2.tar.gz"
        files = dict(members(store.files[at], STEP_KINDS))
        store.files[at] = packed({**files, name: b"more"}.items())

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without(1), "steps of the run .* are missing"),
        (_with(4, b""), "steps of the run .* are missing"),
        (_with(2, b""), "cannot be read"),
        (_with(2, packed([])), "carries no statement"),
        (_with(2, packed([("../evil", b"")])), "which no run has"),
        (_with(2, packed([("journals/1-a.0.jsonl", b"")])), "which no run has"),
        (_carrying("receipts/x.sigstore.json"), "does not carry what it lists"),
    ],
)
def test_steps_that_were_tampered_with_start_nothing(
    tmp_path: Path, change: Callable[[MemoryStore], None], says: str
) -> None:
    store = MemoryStore()
    claimed_and_lost(tmp_path / "a", store, planned(size=3), 1)
    change(store)
    with pytest.raises(BadEvidence, match=says):
        on(tmp_path / "b", store).dispatch(facts(), [planned(size=3)], NoDriver())


def test_a_run_whose_claims_nobody_knows_is_not_guessed_at(tmp_path: Path) -> None:
    store = MemoryStore()
    store.create(archive.name_of(RUN, 1), b"")
    with pytest.raises(UsageError, match="not who had claimed what"):
        on(tmp_path / "b", store).dispatch(facts(), [planned(size=3)], NoDriver())


def test_a_receipt_in_a_step_that_is_not_believed_does_not_make_it_run_again(tmp_path: Path) -> None:
    store, marks = MemoryStore(), tmp_path / "marks"
    plan = planned(f"echo x >> {marks}", size=2)
    claimed_and_lost(tmp_path / "a", store, plan, 1)
    other = stored(store, run_folder(tmp_path / "a" / "ledger", RUN))
    other.pull()
    (tmp_path / "a" / "ledger" / "runs" / RUN / "receipts" / f"{plan.executions(RUN)[0].id}.sigstore.json").write_bytes(
        b"torn"
    )
    other._session = (1, next(iter(other._taken.sessions.values())))
    other.keep(f"receipts/{plan.executions(RUN)[0].id}.sigstore.json")
    other.flush()
    assert go(tmp_path / "b", store, plan).segment.outcomes == {"succeeded": 1, "unknown": 1}
    assert len(marks.read_text().split()) == 1


# Every interleaving of machines that begin, claim, sleep, wake and burn down


class Machines(RuleBasedStateMachine):
    """Executions run where a claim is answered with yes; each is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self._scratch = tempfile.TemporaryDirectory()
        self.executions = planned(size=8).executions(RUN)
        self.ran: dict[str, int] = {}
        self.machines: dict[int, tuple[StoredRun, int]] = {}

    def teardown(self) -> None:
        assert all(times == 1 for times in self.ran.values()), self.ran
        self._scratch.cleanup()

    @rule(machine=st.integers(0, 2))
    def begin(self, machine: int) -> None:
        """Resume the run there, whatever was there before (it may still think that it works)."""
        folder = run_folder(Path(self._scratch.name) / str(machine), RUN)
        folder.create()
        one = stored(self.store, folder)
        one.pull()
        number = max((number for number, _ in folder.numbered("sessions")), default=0) + 1
        folder.add_numbered("sessions", number, f"{machine} {number} {len(self.store.files)}".encode())
        assert one.begin(number)
        self.machines[machine] = (one, number)

    @precondition(lambda self: self.machines)
    @rule(machine=st.integers(0, 2), first=st.integers(0, 7), count=st.integers(1, 3))
    def claim(self, machine: int, first: int, count: int) -> None:
        if machine not in self.machines:
            return
        one, _ = self.machines[machine]
        lost = one.lost()
        wanted = [
            each
            for each in self.executions[first : first + count]
            if each.id not in lost and not self._here(machine, each.id)
        ]
        try:
            one.claim(wanted)
        except TakenOver:
            del self.machines[machine]
            return
        for each in wanted:
            self.ran[each.id] = self.ran.get(each.id, 0) + 1
            self._mark(machine, each.id)

    def _log(self, machine: int, execution: str) -> Path:
        return run_folder(Path(self._scratch.name) / str(machine), RUN).path / "logs" / f"{execution}.1.log"

    def _here(self, machine: int, execution: str) -> bool:
        """As the local driver knows what it has started."""
        return self._log(machine, execution).exists()

    def _mark(self, machine: int, execution: str) -> None:
        self._log(machine, execution).touch()

    @precondition(lambda self: self.machines)
    @rule(machine=st.integers(0, 2))
    def burn(self, machine: int) -> None:
        """The machine is gone with its disk; another comes under its name."""
        self.machines.pop(machine, None)
        shutil.rmtree(Path(self._scratch.name) / str(machine), ignore_errors=True)


TestMachines = Machines.TestCase
TestMachines.settings = settings(max_examples=12, stateful_step_count=20, deadline=None)
