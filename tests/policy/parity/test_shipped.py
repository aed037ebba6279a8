"""The locks that come with this tool say what asking both engines says."""

from __future__ import annotations

from pathlib import Path

from maestro.config import load_config
from policy.engines.choose import unlocked_regopy
from policy.folder import Folder
from policy.pack import load_packs
from policy.parity.inputs import digest_of, inputs_of, shipped_files, shipped_packs
from policy.parity.lock import lock_at, render, shipped, shipped_bytes
from policy.parity.proof import NO_FIXTURES, prove
from policy.parity.shipped import made
from tests.policy.engines.conftest_here import conftest_engine
from tests.support.tools import ROOT, tool

EXAMPLE = ROOT / "examples" / "governed"


def test_the_shipped_lock_is_what_asking_both_engines_gives() -> None:
    lock = made({"PATH": str(Path(tool("conftest")).parent)})
    assert render(lock) == shipped_bytes(), "run `python -m policy.parity.shipped`"
    assert [entry.alike for entry in lock.packs.values()] == [True] * 3
    assert all(entry.reached == entry.bodies > 0 for entry in lock.packs.values())


def test_it_is_about_the_packs_that_are_shipped() -> None:
    """What can be told without conftest."""
    lock = shipped()
    assert lock.problem is None
    assert {pack.name for pack in shipped_packs()} == set(lock.packs)
    for pack in shipped_packs():
        assert lock.objection(pack.program()) is None
        inputs = inputs_of(shipped_files(), pack)
        assert (lock.packs[pack.name].asked, lock.packs[pack.name].inputs) == (len(inputs), digest_of(inputs))


def test_the_examples_lock_says_the_same_of_the_same_packs() -> None:
    folder = Folder(EXAMPLE)
    packs = load_packs(folder, load_config("maestro.yaml", folder.read("maestro.yaml"))).packs
    lock = lock_at(folder)
    assert lock.packs.keys() == {pack.name for pack in packs}
    for name, entry in shipped().packs.items():
        assert lock.packs[name] == entry
    [other] = [pack for pack in packs if pack.name not in shipped().packs]
    entry = prove(folder, other, conftest_engine(), unlocked_regopy())
    assert lock.packs[other.name] == entry
    assert entry.why == NO_FIXTURES
