"""A pack that came in a bundle is judged by regopy only where both locks say so; by conftest always."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.engines.choose import choose
from policy.engines.engine import Broken, Values
from policy.engines.proven import program_digest, regopy_version
from policy.pack import Pack
from policy.parity.lock import ABSENT, LOCK_PATH, Entry, Lock, render
from tests.policy.bundle.bundles import FILES, built, let_in, signed
from tests.support.tools import tool

MODULE = {"policy/packs/images/images.rego": FILES["policy/packs/images/images.rego"]}
PACKS = "[{path: policy/packs/images, data: [policy/data/limits.yaml]}]"
SOURCE = {**MODULE, "policy/data/limits.yaml": FILES["policy/data/limits.yaml"]}


def lock_of(pack: Pack, *, alike: bool = True, regopy: str | None = None) -> Lock:
    why = None if alike else "a deny is lost"
    entry = Entry(program_digest(pack.program()), alike, "sha256:" + "0" * 64, 1, 1, 0, 1, 1, why)
    return Lock("1.22.2", regopy or regopy_version(), 1, {pack.name: entry})


def pack(lock: bytes | None = None) -> Pack:
    """The pack of a signed bundle that has been let in, which carries this lock."""
    files = SOURCE if lock is None else {**SOURCE, LOCK_PATH: lock}
    [found] = let_in(signed(built(files=files, packs=PACKS))).packs.packs
    return found


BARE = pack()
LOCK = lock_of(BARE)


def test_proven_there_and_here_regopy_judges() -> None:
    assert LOCK.objection(pack(render(LOCK)).program()) is None


@pytest.mark.parametrize(
    ("theirs", "words"),
    [
        (None, "has no policy/parity.lock, so only conftest may judge it"),
        (b"as it is\n", "cannot be used"),
        (render(replace(LOCK, packs={})), "does not name this one"),
        (render(lock_of(BARE, alike=False)), "a deny is lost"),
        (render(lock_of(BARE, regopy="0.0.1")), "was made with regopy 0.0.1"),
    ],
)
def test_not_proven_where_it_was_built_regopy_refuses(theirs: bytes | None, words: str) -> None:
    asked = pack(theirs).program()
    assert words in (LOCK.objection(asked) or ""), "whatever the repository's own lock says"
    [answer] = choose("regopy", {}, lambda: LOCK).evaluate(asked, [{"image": "latest"}])
    assert isinstance(answer, Broken)
    assert answer.kind == "unsupported"


def test_not_proven_here_regopy_refuses() -> None:
    assert "there is none where policy is read" in (ABSENT.objection(pack(render(LOCK)).program()) or "")


def test_conftest_judges_it_all_the_same() -> None:
    environ = {"PATH": f"{tool('conftest').rpartition('/')[0]}:/usr/bin:/bin"}
    [answer] = choose("conftest", environ, lambda: ABSENT).evaluate(BARE.program(), [{"image": "latest"}])
    assert isinstance(answer, Values)
    assert "an image has no tag" in str(answer.values)
