"""Receipts judged in copies of the process: what is wrong is found in every share, and a dying copy passes nothing."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from maestro import shares
from maestro.evidence.trust import trust_of
from maestro.evidence.verify import Verified
from runner import receipt
from runner.ledger_check import COUNTED, check_run
from tests.maestro.evidence import keys
from tests.runner.plans import dispatcher, facts, folder, local, planned

HERE = os.getpid()
RECEIPTS = 9


def _check(path: Path, counted: bool = False) -> dict[str, Any]:
    report = check_run(folder(path), trust_of([keys.row()]), lambda _run: True, counted=counted)
    return {**asdict(report), "sessions": sorted(report.sessions)}


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed run, for copies only."""
    path = tmp_path_factory.mktemp("closed")
    dispatcher(path).dispatch(facts(), [planned("echo $MAESTRO_ARRAY_INDEX", size=RECEIPTS)], local(path))
    return path


@pytest.fixture
def ledger(closed: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(closed, tmp_path / "copy")


@pytest.fixture
def in_three(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called, three share the work: receipts 0 to 2, 3 to 5, 6 to 8."""

    def begin() -> None:
        monkeypatch.setattr(shares, "cores", lambda: 3)
        monkeypatch.setattr(shares, "WORTH_IT", 1)

    return begin


def _flip(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:60] + (b"A" if data[60:61] != b"A" else b"B") + data[61:])


def _log_of(path: Path) -> Path:
    return path.parent.parent / "logs" / path.name.replace(".sigstore.json", ".1.log")


def _make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _make_a_circle(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)


DEEDS: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "nothing": (lambda _path: None, set()),
    "changed": (_flip, {"changed", "not-believed"}),
    "emptied": (lambda path: path.write_bytes(b""), {"changed", "not-believed"}),
    "removed": (lambda path: path.unlink(), {"missing"}),
    "added": (
        lambda path: (path.parent / f"{path.name[:31]}-.sigstore.json").write_bytes(b"{}"),
        {"extra", "not-believed"},
    ),
    "another's": (
        lambda path: path.write_bytes(next(one for one in path.parent.iterdir() if one != path).read_bytes()),
        {"changed", "not-believed"},
    ),
    "a-folder": (_make_a_folder, {"unreadable"}),
    "log-changed": (lambda path: _log_of(path).write_text("a better story"), {"changed"}),
    "log-removed": (lambda path: _log_of(path).unlink(), {"missing"}),
    "log-a-link-to-itself": (lambda path: _make_a_circle(_log_of(path)), {"unreadable"}),
}


@pytest.mark.parametrize("at", [0, 4, 8])
@pytest.mark.parametrize(("deed", "expected"), DEEDS.values(), ids=DEEDS)
def test_what_is_wrong_is_found_in_every_share(
    ledger: Path, in_three: Callable[[], None], deed: Callable[[Path], object], expected: set[str], at: int
) -> None:
    path = folder(ledger).receipt_path(folder(ledger).receipts()[at])
    deed(path)
    alone = _check(ledger)
    in_three()
    assert {one["kind"] for one in alone["objections"]} == expected
    assert all(path.name[:31] in one["file"] for one in alone["objections"])
    assert _check(ledger) == alone


def test_what_is_only_counted_is_counted_alike(ledger: Path, in_three: Callable[[], None]) -> None:
    alone = _check(ledger)
    in_three()
    counted = _check(ledger, counted=True)
    assert counted["receipts"] == {
        execution: {key: said[key] for key in COUNTED} for execution, said in alone["receipts"].items()
    }
    assert {**counted, "receipts": None} == {**alone, "receipts": None}
    assert len(counted["receipts"]) == RECEIPTS


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _ends() -> None:
    os._exit(0)


def _out_of_memory() -> None:
    raise MemoryError


@pytest.mark.parametrize("dies", [_killed, _ends, _out_of_memory])
@pytest.mark.parametrize("at", [4, 8])
def test_a_dying_copy_lets_nothing_pass(
    ledger: Path, in_three: Callable[[], None], monkeypatch: pytest.MonkeyPatch, dies: Callable[[], None], at: int
) -> None:
    executions = folder(ledger).receipts()
    _flip(folder(ledger).receipt_path(executions[at]))
    alone = _check(ledger)
    true = receipt.read

    def read(data: bytes, *arguments: Any, execution: str, **options: Any) -> Verified:
        if os.getpid() != HERE and execution == executions[at]:
            dies()
        return true(data, *arguments, execution=execution, **options)

    monkeypatch.setattr(receipt, "read", read)
    in_three()
    assert {one["kind"] for one in alone["objections"]} == {"changed", "not-believed"}
    assert _check(ledger) == alone
