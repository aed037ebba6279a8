"""Who is ended when a run is resumed, and above all who is not: innocent processes beside hostile journals."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import ToolFailure
from runner.clock import anchor
from runner.drivers.local import LocalDriver
from runner.drivers.local_journal import JournalFile, wrong_in
from runner.drivers.local_slots.marks import (
    HIGHEST,
    LOWEST,
    NAME_BITS,
    Marks,
    identity,
    is_mark,
    mark_of,
    name_in,
    name_of,
)
from runner.drivers.local_slots.proc import birth_of, kill_that, parent_of
from runner.drivers.local_strays import Lost, wait_for
from runner.execution import Execution, Task, executions_of

NAME = 0xC0FFEE
TURN = 1 << 60
Sleeper = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """Starts processes that sleep, with a limit as asked; ends them."""
    started: list[subprocess.Popen[bytes]] = []

    def start(limit: int | None = None, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        def set_limit() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_RTTIME, (limit, limit))

        one = subprocess.Popen(["sleep", "60"], env=env, preexec_fn=set_limit)
        started.append(one)
        return one

    yield start
    for one in started:
        one.kill()
        one.wait()


def born(pid: int) -> int:
    """In nanoseconds since boot."""
    birth = birth_of(pid)
    assert birth is not None
    return birth * 10**9 // os.sysconf("SC_CLK_TCK")


def test_what_was_lost_is_killed_at_its_deadline(sleeper: Sleeper) -> None:
    one = sleeper(TURN | NAME)
    wait_for([Lost(NAME, TURN | NAME, born(one.pid), time.monotonic_ns())])
    assert one.wait() == -signal.SIGKILL


def test_what_was_started_and_not_recorded_is_known_by_its_name(sleeper: Sleeper) -> None:
    one = sleeper(TURN | NAME)
    wait_for([Lost(NAME, None, 0, time.monotonic_ns())])
    assert one.wait() == -signal.SIGKILL


def test_one_that_has_ended_and_nobody_waits_for_holds_nothing_up(sleeper: Sleeper) -> None:
    one = sleeper(TURN | NAME)
    one.kill()
    while birth_of(one.pid) is not None:
        time.sleep(0.01)
    wait_for([Lost(NAME, None, 0, time.monotonic_ns() + 10**12)])  # it is a zombie: nobody here waited for it


@pytest.mark.parametrize(
    ("limit", "recorded"),
    [
        (None, None),  # as all the world is
        (0, None),
        (NAME, None),
        (200_000, None),  # as rtkit sets it
        (LOWEST - 1 & ~((1 << NAME_BITS) - 1) | NAME, None),  # the right name, just outside of the range
        (HIGHEST | NAME, None),
        (TURN | NAME + 1, None),  # a command of somebody else's run
        (TURN | NAME, TURN + (1 << NAME_BITS) | NAME),  # the right name, not the mark that was recorded
    ],
)
def test_the_innocent_live(sleeper: Sleeper, limit: int | None, recorded: int | None) -> None:
    one = sleeper(limit, {"MAESTRO_EXECUTION_ID": "a"})
    lost = [Lost(NAME, recorded, 0, time.monotonic_ns())]
    if limit is not None and limit & ((1 << NAME_BITS) - 1) != NAME:
        lost.append(Lost(limit & ((1 << NAME_BITS) - 1) ^ 1, limit, 0, time.monotonic_ns()))
    wait_for(lost)
    assert one.poll() is None


def test_what_was_born_before_the_record_lives(sleeper: Sleeper) -> None:
    one = sleeper(TURN | NAME)
    wait_for([Lost(NAME, TURN | NAME, born(one.pid) + 10**9, time.monotonic_ns())])
    assert one.poll() is None


def test_whoever_waits_and_its_ancestors_live() -> None:
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_RTTIME, (TURN | NAME, TURN | NAME))
        inner = os.fork()
        if inner == 0:
            wait_for([Lost(NAME, None, 0, time.monotonic_ns())])
            os._exit(7)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1]))
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


@pytest.mark.parametrize("pid", [1, 0, -1, os.getpid()], ids=["init", "group", "all", "self"])
def test_some_are_never_killed_whoever_asks(pid: int) -> None:
    assert not kill_that(pid, lambda _pid: True)


def test_what_is_not_the_right_one_any_more_lives(sleeper: Sleeper) -> None:
    one = sleeper()
    assert not kill_that(one.pid, lambda _pid: False)
    assert one.poll() is None
    assert parent_of(one.pid) == os.getpid()
    assert kill_that(one.pid, lambda pid: pid == one.pid)


# Marks


def test_unlimited_is_no_mark() -> None:
    assert not is_mark(resource.RLIM_INFINITY)
    assert not is_mark(str(TURN))
    assert not is_mark(True)
    assert mark_of(os.getpid()) is None


def test_a_mark_is_read_from_proc_where_the_system_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise PermissionError

    def read() -> bool:
        mark = Marks(identity(str(tmp_path))).take("a", 1)
        told = mark_of(os.getpid())
        monkeypatch.setattr(resource, "prlimit", refuse)
        return told == mark_of(os.getpid()) == mark and mark_of(os.getppid()) is None

    assert in_a_child(read)
    assert mark_of(0) is None
    assert mark_of(-1) is None
    assert mark_of(1 << 80) is None


def in_a_child(work: Callable[[], bool]) -> bool:
    """What ``work`` says in a process whose limits may be spoilt."""
    pid = os.fork()
    if pid == 0:
        said = False
        try:
            said = work()
        finally:
            os._exit(0 if said else 1)
    return os.waitpid(pid, 0)[1] == 0


def test_marks_fall_bear_their_name_and_can_be_nested(tmp_path: Path) -> None:
    folder = identity(str(tmp_path))

    def give() -> bool:
        before = HIGHEST
        for depth in range(8):
            marks = Marks(folder)
            for attempt in (1, 2, 3):
                mark = marks.take(f"{depth}", attempt)
                if not (mark < before and is_mark(mark) and mark_of(os.getpid()) == mark == marks.current):
                    return False
                if name_in(mark) != name_of(folder, f"{depth}", attempt):
                    return False
                before = mark
        return True

    assert in_a_child(give)


def test_below_a_low_limit_nothing_is_marked(tmp_path: Path) -> None:
    def refuse() -> bool:
        resource.setrlimit(resource.RLIMIT_RTTIME, (200_000, 200_000))
        try:
            Marks(identity(str(tmp_path))).take("a", 1)
        except ValueError:
            return resource.getrlimit(resource.RLIMIT_RTTIME) == (200_000, 200_000)
        return False

    assert in_a_child(refuse)


# Journals that somebody edited


def executions() -> list[Execution]:
    """Two of them."""
    return list(executions_of("run-1", Task("Manifest/a", ("sh", "-c", "exit 0")), 2))


def driver(folder: Path) -> LocalDriver:
    """On a run."""
    return LocalDriver(folder, {"PATH": "/usr/bin:/bin"}, anchor(datetime.now(UTC)), slots=1)


def cut_off(folder: Path, **forged: Any) -> list[Execution]:
    """A run whose only watcher was killed while the second execution ran, with a record that says ``forged``."""
    some = executions()
    assert len(list(driver(folder).execute(some, session=1))) == 2
    (journal,) = folder.glob("journals/*")
    records = [json.loads(line) for line in journal.read_bytes().rstrip(b"\0").splitlines()]
    kept = []
    for record in records:
        if record["kind"] == "end" and record["id"] == some[1].id:
            continue
        if record["kind"] == "start" and record["id"] == some[1].id:
            record |= forged
        kept.append(record)
    journal.write_text("".join(json.dumps(record) + "\n" for record in kept))
    return some


EARLY = {"deadline": 0, "started": 1 << 62, "claimed": 0, "born": 0}


@pytest.mark.parametrize(
    ("limit", "mark"),
    [
        (None, resource.RLIM_INFINITY),
        (None, -1),
        (None, "unlimited"),
        (None, 0),
        (None, None),
        (None, True),
        (200_000, 200_000),
        (0, 0),
        (TURN | NAME, TURN | NAME),  # a command of somebody else's run
    ],
)
def test_no_journal_makes_a_resumed_run_end_an_innocent_process(
    tmp_path: Path, sleeper: Sleeper, limit: int | None, mark: object
) -> None:
    one = sleeper(limit)
    some = cut_off(tmp_path / "run", **EARLY, mark=mark, pid=one.pid)
    try:
        endings = list(driver(tmp_path / "run").execute(some, session=2))
    except ToolFailure as error:
        assert "is damaged: mark of a record of the kind start" in error.message
    else:
        assert [ending.last.outcome for ending in endings] == ["succeeded", "unknown"]
    assert one.poll() is None


def test_a_forged_birth_of_an_innocent_process_does_not_make_it_ours(tmp_path: Path, sleeper: Sleeper) -> None:
    one = sleeper(env={"MAESTRO_EXECUTION_ID": executions()[1].id})
    some = cut_off(tmp_path / "run", pid=one.pid, born=born(one.pid), claimed=0, started=10**9, deadline=0)
    outcomes = [ending.last.outcome for ending in driver(tmp_path / "run").execute(some, session=2)]
    assert outcomes == ["succeeded", "unknown"]
    assert one.poll() is None


def test_the_same_run_in_another_folder_is_another_run(tmp_path: Path, sleeper: Sleeper) -> None:
    some = cut_off(tmp_path / "run", deadline=0)
    other = tmp_path / "other"
    other.mkdir()
    one = sleeper(TURN | name_of(identity(str(other)), some[1].id, 1))
    assert len(list(driver(tmp_path / "run").execute(some, session=2))) == 2
    assert one.poll() is None


def test_of_another_boot_nothing_runs(tmp_path: Path, sleeper: Sleeper) -> None:
    some = cut_off(tmp_path / "run", deadline=0)
    (journal,) = (tmp_path / "run").glob("journals/*")
    lines = journal.read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {"boot": "another"})
    journal.write_text("\n".join(lines) + "\n")
    one = sleeper(TURN | name_of(identity(str(tmp_path / "run" / "logs")), some[1].id, 1))
    outcomes = [ending.last.outcome for ending in driver(tmp_path / "run").execute(some, session=2)]
    assert outcomes == ["succeeded", "unknown"]
    assert one.poll() is None


def test_an_innocent_process_is_no_living_watcher(tmp_path: Path, sleeper: Sleeper) -> None:
    """Or resuming would wait for it."""
    one = sleeper()
    some = cut_off(tmp_path / "run")
    (journal,) = (tmp_path / "run").glob("journals/*")
    lines = journal.read_text().splitlines()
    lines[0] = json.dumps(json.loads(lines[0]) | {"pid": one.pid, "birth": birth_of(one.pid)})
    journal.write_text("\n".join(lines) + "\n")
    assert len(list(driver(tmp_path / "run").execute(some, session=2))) == 2
    assert one.poll() is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "id",
    "ids",
    "attempt",
    "pid",
    "birth",
    "boot",
    "mark",
    "born",
    "deadline",
    "outcome",
    "final",
    "session",
    "task",
    "refused",
)
RECORDS = st.builds(
    lambda kind, rest: {**rest, "kind": kind},
    st.sampled_from(("slot", "horizon", "warm", "start", "end")) | JSON,
    st.dictionaries(st.sampled_from(FIELDS), JSON | st.just(1)),
)


@given(st.lists(RECORDS | JSON, max_size=4))
def test_a_journal_of_garbage_is_damaged_and_nothing_worse(tmp_path_factory: Any, records: list[object]) -> None:
    path = tmp_path_factory.mktemp("journal") / "1.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    try:
        read = JournalFile(path).new_records()
    except ToolFailure:
        return
    assert [wrong_in(record) for record in read] == [None] * len(read)
