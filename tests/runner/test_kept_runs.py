"""Runs as a store elsewhere has them: large ones in parts, others as steps; one that cannot be read is itself alone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from maestro.errors import ToolFailure
from maestro.evidence.errors import BadEvidence
from maestro.evidence.signer import sign_statement
from maestro.evidence.trust import trust_of
from maestro.ledger.store import Stored
from runner import archive, plain_tar
from runner.execution import Ending
from runner.kept_runs import STEP_KINDS, fetch, kept_runs
from runner.ledger_check import RunReport, check_run
from runner.logged import append_segments
from runner.mirror import mirrored
from runner.plain_tar import members, packed
from runner.run_folder import KINDS, RunFolder, all_runs
from runner.step import Step
from tests.maestro.evidence import keys
from tests.runner import plans
from tests.runner.plans import NOW, RUN
from tests.runner.test_stored_run import go, on
from tests.support.memory_store import MemoryStore

TRUST = trust_of([keys.row()])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """No archive may hold more than 64 KiB unpacked."""
    monkeypatch.setattr(archive, "CARRIED", 24 << 10)
    monkeypatch.setattr(plain_tar, "SIZE_LIMIT", 64 << 10)


def kept(tmp_path: Path, store: MemoryStore, size: int = 20, log_bytes: int = 8000) -> RunFolder:
    """A run in the store: its logs are random, and together more than an archive may hold."""
    script = f"head -c {log_bytes // 2} /dev/urandom | od -An -v -tx1 | tr -d ' \\n'"
    plans.dispatcher(tmp_path).dispatch(plans.facts(), [plans.planned(script, size=size)], plans.local(tmp_path))
    folder = plans.folder(tmp_path)
    enter(folder, store)
    return folder


def enter(folder: RunFolder, store: MemoryStore) -> None:
    append_segments(
        folder, store, elsewhere=True, signer=keys.signer(), trust=TRUST, now=lambda: NOW, origin="acme.example"
    )


def report(store: MemoryStore, tmp_path: Path) -> RunReport:
    target = tmp_path / "looked"
    folder = fetch(store, kept_runs(store, RUN)[RUN], target)
    return check_run(folder, TRUST, lambda _run: False)


def parts(store: MemoryStore) -> list[str]:
    return [name for name in store.files if "/parts/" in name]


def test_a_run_larger_than_any_archive_is_kept_in_parts_and_nothing_is_lost(small: None, tmp_path: Path) -> None:
    store = MemoryStore()
    folder = kept(tmp_path, store)
    assert sum(path.stat().st_size for path in (folder.path / "logs").iterdir()) == 20 * 8000
    assert len(parts(store)) >= 8
    found = report(store, tmp_path)
    assert (found.objections, found.outcomes, found.complete) == ([], {"succeeded": 20}, True)
    there = {name: (tmp_path / "looked/runs" / RUN / name).read_bytes() for name in folder.evidence()}
    assert there == {name: (folder.path / name).read_bytes() for name in folder.evidence()}
    before = dict(store.files)
    enter(folder, store)
    assert store.files == before, "once more is the same"


def test_a_small_run_is_one_file_as_it_always_was(tmp_path: Path) -> None:
    store = MemoryStore()
    folder = kept(tmp_path, store, size=2)
    assert [name for name in store.files if name.startswith("runs/")] == [archive.name_of(RUN, 1)]
    held = dict(members(store.files[archive.name_of(RUN, 1)], KINDS))
    assert held == {name: (folder.path / name).read_bytes() for name in folder.evidence()}


def test_a_writer_that_dies_between_parts_leaves_no_archive(small: None, tmp_path: Path) -> None:
    store, folder = MemoryStore(), plans.folder(tmp_path)
    kept(tmp_path, MemoryStore())
    for name, data in list(archive.pieces(folder, 1))[:-1]:
        store.create(name, data)
        assert kept_runs(store) == {}
    enter(folder, store)
    assert report(store, tmp_path).objections == []


def _change(name: Callable[[MemoryStore], str], data: bytes | None) -> Callable[[MemoryStore], None]:
    def change(store: MemoryStore) -> None:
        if data is None:
            store.erase(name(store))
        else:
            store.files[name(store)] = data

    return change


def _first_part(store: MemoryStore) -> str:
    return parts(store)[0]


def _main(_store: MemoryStore) -> str:
    return archive.name_of(RUN, 1)


def _relist(change: Callable[[dict[str, bytes]], object]) -> Callable[[MemoryStore], None]:
    def changed(store: MemoryStore) -> None:
        held = dict(members(store.files[_main(store)], (*KINDS, "parts")))
        change(held)
        store.files[_main(store)] = packed(held.items())

    return changed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_change(_first_part, None), "a part of the run is gone"),
        (_change(_first_part, packed([("logs/a", b"x")])), "not the one that its archive lists"),
        (_change(_main, b"garbage"), "cannot be read"),
        (_change(_main, packed([("logs/a", b"x")])[:-4]), "cannot be read"),
        (_relist(lambda held: held.update({"parts/" + "0" * 63: b""})), "which is no part"),
        (_relist(lambda held: held.update({"parts/" + "0" * 64: b""})), "a part of the run is gone"),
    ],
)
def test_one_run_that_cannot_be_read_is_itself_alone(
    change: Callable[[MemoryStore], None], says: str, small: None, tmp_path: Path
) -> None:
    store = MemoryStore()
    kept(tmp_path, store)
    store.create("runs/other/archives/1.tar.gz", store.files[_main(store)])
    for name in parts(store):
        store.create(name.replace(RUN, "other"), store.files[name])
    change(store)
    with mirrored(store, None) as folder:
        runs = {run.run_id: run for run in all_runs(folder)}
        assert set(runs) == {RUN, "other"}
        (objection,) = check_run(runs[RUN], TRUST, lambda _run: False).objections
        assert (objection.kind, says in objection.message) == ("unreadable", True), objection
        assert "memory: runs/" in objection.message
        assert [path.name for path in runs[RUN].path.iterdir()] == ["unreadable"], "nothing of it is left"
        assert runs["other"].unreadable is None
        assert len(runs["other"].receipts()) == 20


def test_a_part_of_which_receipts_were_left_out_does_not_pass(small: None, tmp_path: Path) -> None:
    """Whoever can write the store can list other parts: the segment and the receipts say what is missing."""
    store = MemoryStore()
    kept(tmp_path, store)

    def shorten(held: dict[str, bytes]) -> None:
        listed = [name for name in held if name.startswith("parts/")]
        for name in listed[1:2] + listed[-1:]:
            del held[name]

    _relist(shorten)(store)
    kinds = {one.kind for one in report(store, tmp_path).objections}
    assert "missing" in kinds


def test_a_listed_part_holds_receipts_and_logs_only(small: None, tmp_path: Path) -> None:
    store = MemoryStore()
    kept(tmp_path, store)
    data = packed([("segments/2.sigstore.json", b"x")])
    digest = hashlib.sha256(data).hexdigest()
    store.create(f"runs/{RUN}/parts/{digest}.tar.gz", data)
    _relist(lambda held: held.update({f"parts/{digest}": b""}))(store)
    (objection,) = report(store, tmp_path).objections
    assert "which no run has" in objection.message


def test_what_somebody_else_put_there_is_passed_over() -> None:
    store = MemoryStore()
    for name in ("runs/@x/archives/1.tar.gz", "runs/a/archives/01.tar.gz", "runs/a/steps/x.tar.gz", "runs/a/b"):
        store.create(name, b"")
    assert kept_runs(store) == {}


def test_something_else_in_a_parts_place_is_told_by_the_writer(small: None, tmp_path: Path) -> None:
    store = MemoryStore()
    kept(tmp_path, MemoryStore())
    name, _ = next(archive.pieces(plans.folder(tmp_path), 1))
    store.create(name, b"planted")
    with pytest.raises(BadEvidence, match="another run under this id"):
        enter(plans.folder(tmp_path), store)
    assert kept_runs(store) == {}


def test_a_bomb_leaves_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, free = MemoryStore(), [archive.SPARE]
    usage = lambda _path: SimpleNamespace(total=100 * archive.SPARE, free=free.pop() if free else archive.SPARE - 1)  # noqa: E731
    monkeypatch.setattr("runner.archive.shutil.disk_usage", usage)
    store.create(archive.name_of(RUN, 1), packed([("logs/a", bytes(archive.SPARE // 8))]))
    folder = fetch(store, kept_runs(store)[RUN], tmp_path)
    assert folder.unreadable is not None
    assert "more than the disk has room for" in folder.unreadable


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "empty"])
def test_a_mark_that_somebody_planted_tells_no_secret(kind: str, tmp_path: Path) -> None:
    store = MemoryStore()
    folder = kept(tmp_path, store, size=1)
    mark, secret = folder.path / "unreadable", tmp_path / "secret"
    secret.write_text("do not tell")
    plant: dict[str, Callable[[], None]] = {
        "link": lambda: mark.symlink_to(secret),
        "pipe": lambda: os.mkfifo(mark),
        "folder": mark.mkdir,
        "empty": mark.touch,
    }
    plant[kind]()
    (objection,) = check_run(folder, TRUST, lambda _run: False).objections
    assert objection.kind == "unreadable"
    assert "do not tell" not in objection.message


def test_an_archive_that_is_listed_and_gone_is_told(tmp_path: Path) -> None:
    store = MemoryStore()
    kept(tmp_path, store, size=1)
    listed = kept_runs(store)[RUN]
    store.erase(archive.name_of(RUN, 1))
    assert "is gone" in str(fetch(store, listed, tmp_path / "looked").unreadable)


class Broken(MemoryStore):
    """One object cannot be had."""

    def read(self, name: str) -> Stored | None:
        if name == archive.name_of(RUN, 1):
            raise ToolFailure("object 1 has 200,000,000 bytes; more than 104,857,600 are not read")
        return super().read(name)


def test_an_object_that_cannot_be_had_is_that_runs_alone(tmp_path: Path) -> None:
    store = Broken()
    store.create(archive.name_of(RUN, 1), b"")
    store.create(archive.name_of("other", 1), packed([("logs/a", b"x")]))
    with mirrored(store, None) as folder:
        said = {run.run_id: run.unreadable for run in all_runs(folder)}
    assert said == {RUN: "object 1 has 200,000,000 bytes; more than 104,857,600 are not read", "other": None}


# Steps and no archive


def cut_short(tmp_path: Path, store: MemoryStore) -> None:
    """A run of three of which one had ended, and its receipt was in the store, when its machine was lost."""
    machine = tmp_path / "a"
    one, driver = on(machine, store), plans.local(machine)
    executed = driver.execute

    def execute(*arguments: object, **named: object) -> Iterator[Ending]:
        yield next(executed(*arguments, **named))  # type: ignore[arg-type]
        assert one.stored is not None
        one.stored.flush()
        raise KeyboardInterrupt

    driver.execute = execute  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        one.dispatch(plans.facts(), [plans.planned("true", size=3)], driver)


def test_a_run_that_is_steps_only_is_looked_at_by_them(tmp_path: Path) -> None:
    store = MemoryStore()
    cut_short(tmp_path, store)
    found = report(store, tmp_path)
    (objection,) = found.objections
    assert (objection.kind, found.complete, found.outcomes) == ("unclosed", False, {"succeeded": 1})
    steps = kept_runs(store)[RUN].steps
    how = found.unfinished
    assert how is not None
    assert (how.steps, how.session, how.open) == (len(steps), 1, how.claimed - 1)
    assert "not proven: that no later step was taken away" in objection.message
    assert f"`maestro run --resume {RUN}`" in objection.message
    done = go(tmp_path / "b", store, plans.planned("true", size=3))
    assert done.segment.complete
    found = report(store, tmp_path / "again")
    assert (found.objections, found.complete) == ([], True), "closed, and not archived yet"


def _step(number: int, data: bytes | None) -> Callable[[MemoryStore], None]:
    return _change(lambda _store: f"runs/{RUN}/steps/{number}.tar.gz", data)


def _carry(number: int, change: Callable[[dict[str, bytes]], object]) -> Callable[[MemoryStore], None]:
    def changed(store: MemoryStore) -> None:
        name = f"runs/{RUN}/steps/{number}.tar.gz"
        held = dict(members(store.files[name], STEP_KINDS)) if name in store.files else {}
        change(held)
        store.files[name] = packed(held.items())

    return changed


def _foreign(held: dict[str, bytes]) -> None:
    """The next step, by somebody else's key, with another story of what is there."""
    said = Step(RUN, 9, 1, "0" * 64, "2026-11-23T12:00:00+00:00", {"Manifest/a": "0-2"}, {})
    held["steps/9.sigstore.json"] = sign_statement(said.statement(), keys.signer("thief"))
    held |= {f"receipts/{one.id}.sigstore.json": b"forged" for one in plans.planned(size=3).executions(RUN)}


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        (_step(2, None), {"missing"}),
        (_step(1, None), {"missing", "no-decision"}),
        (_step(2, b"garbage"), {"unreadable"}),
        (_step(2, packed([])), {"missing"}),
        (_carry(3, lambda held: held.pop("steps/3.sigstore.json")), {"extra"}),
        (_carry(3, lambda held: held.update({"logs/x.1.log": b"more"})), {"extra"}),
        (_carry(3, lambda held: [held.pop(name) for name in list(held) if name.startswith("logs/")]), {"missing"}),
        (_carry(3, lambda held: held.update({n: b"x" for n in held if n.startswith("logs/")})), {"changed"}),
        (_carry(9, _foreign), {"not-believed", "extra"}),
    ],
)
def test_steps_that_were_tampered_with_do_not_pass(
    change: Callable[[MemoryStore], None], kinds: set[str], tmp_path: Path
) -> None:
    store = MemoryStore()
    cut_short(tmp_path, store)
    assert kept_runs(store)[RUN].steps == (1, 2, 3)
    change(store)
    found = report(store, tmp_path)
    assert kinds <= {one.kind for one in found.objections}, found.objections
    assert "forged" not in str(found.receipts)


def test_a_forged_step_hides_no_receipt(tmp_path: Path) -> None:
    store = MemoryStore()
    cut_short(tmp_path, store)
    _carry(9, _foreign)(store)
    assert report(store, tmp_path).outcomes == {"succeeded": 1}
