"""A git reference as a store: the contract over a bare repository, and what only git can do wrong."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from maestro.errors import ToolFailure
from maestro.ledger.git_reference import REFERENCE, GitStore
from maestro.ledger.store import Store
from tests.maestro.ledger.contract import StoreContract

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.git"
    subprocess.run(["git", "init", "--quiet", "--bare", path], check=True)
    git(path, "config", "uploadpack.allowFilter", "true")  # as the services have it
    return path


def store_of(bare: Path) -> GitStore:
    return GitStore(f"file://{bare}", "file", ENVIRON)


class TestGitStore(StoreContract):
    writers = 2
    erases = False

    @pytest.fixture
    def opened(self, bare: Path) -> Callable[[], Store]:
        return lambda: store_of(bare)


def test_every_write_is_a_commit_upon_the_one_before(bare: Path) -> None:
    store = store_of(bare)
    store.create("a", b"1")
    store_of(bare).create("b/c", b"2")
    seen = store.read("a")
    assert seen is not None
    store.replace("a", b"3", seen.version)
    assert git(bare, "log", "--format=%s", REFERENCE).split("\n")[:3] == ["Keep a", "Keep b/c", "Keep a"]
    assert git(bare, "show", f"{REFERENCE}:a") == "3"
    assert git(bare, "fsck", "--strict") == ""


def test_the_server_may_forbid_all_but_fast_forward(bare: Path) -> None:
    git(bare, "config", "receive.denyNonFastForwards", "true")
    git(bare, "config", "receive.denyDeletes", "true")
    assert store_of(bare).create("a", b"1")
    assert store_of(bare).create("b", b"1")


def test_a_hook_that_refuses_is_told(bare: Path) -> None:
    hook = bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho not on my watch >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(ToolFailure, match=r"cannot be used: .*not on my watch") as caught:
        store_of(bare).create("a", b"1")
    assert REFERENCE in str(caught.value.remedy)


def test_a_push_that_was_accepted_and_reported_as_failed_is_ours(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(bare)
    real = store._git.run

    def unlucky(*arguments: str, stdin: bytes = b"") -> object:
        done = real(*arguments, stdin=stdin)
        if arguments[0] == "push":
            return type(done)(128, b"", b"fatal: the remote end hung up unexpectedly")
        return done

    monkeypatch.setattr(store._git, "run", unlucky)
    assert store.create("a", b"1")
    assert git(bare, "rev-list", "--count", REFERENCE) == "1\n"


def test_a_repository_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure, match="cannot be used"):
        GitStore(f"file://{tmp_path}/none", "file", ENVIRON).read("a")


def test_no_other_protocol_is_used(bare: Path) -> None:
    with pytest.raises(ToolFailure, match="not allowed"):
        GitStore(f"file://{bare}", "https", ENVIRON).read("a")


def _programs(store: GitStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The git commands that are run from now on."""
    seen: list[str] = []
    real = store._git.run

    def run(*arguments: str, stdin: bytes = b"") -> object:
        seen.append(next(one for one in arguments if one in ("fetch", "push", "ls-tree", "fast-import", "cat-file")))
        return real(*arguments, stdin=stdin)

    monkeypatch.setattr(store._git, "run", run)
    return seen


def test_much_is_read_with_one_fetch(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        store_of(bare).create(f"a/{number}", b"%d" % number)
    store = store_of(bare)
    seen = _programs(store, monkeypatch)
    there = store.now()
    there.prefetch(there.names(""))
    found = [there.read(name) for name in there.names("")]
    assert [one.data for one in found if one is not None] == [b"0", b"1", b"2", b"3", b"4"]
    assert seen == ["fetch", "ls-tree", "fetch"]
    there.prefetch([*there.names(""), "never/was"])
    assert len(seen) == 3


def _bytes_here(store: GitStore) -> int:
    return sum(path.stat().st_size for path in store._git.folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("server", ["filters", "no filters", "no single objects"])
def test_only_what_is_read_or_written_comes_over(bare: Path, server: str) -> None:
    first = store_of(bare)
    for number in range(3):
        first.create(f"runs/{number}/archives/1.tar.gz", os.urandom(200_000))
    first.create("log/head", b"head")
    git(bare, "config", "uploadpack.allowFilter", str(server != "no filters").lower())
    store = store_of(bare)
    if server == "no single objects":  # before protocol version 2 a server gives out what a reference leads to
        store._git.env |= {
            "GIT_CONFIG_COUNT": "4",
            "GIT_CONFIG_KEY_3": "protocol.version",
            "GIT_CONFIG_VALUE_3": "0",
        }
    assert store.create("runs/3/steps/1.tar.gz", b"claims")
    assert list(store.names("runs/3/")) == ["runs/3/steps/1.tar.gz"]
    few = _bytes_here(store)
    found = store.read("log/head")
    assert found is not None
    assert found.data == b"head"
    assert store.replace("log/head", b"next", found.version)
    after = _bytes_here(store)
    assert (few < 200_000, after < 200_000) == (server != "no filters", server == "filters"), (few, after)
    archived = store.now().read("runs/1/archives/1.tar.gz")
    assert archived is not None
    assert len(archived.data) == 200_000
    again = first.read("log/head")
    assert again is not None
    assert again.data == b"next"
    assert git(bare, "fsck", "--strict") == ""


def test_a_read_and_a_write_start_few_programs(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(bare)
    assert store.create("a", b"1")
    seen = _programs(store, monkeypatch)
    found = store.read("a")
    assert found is not None
    assert seen == ["fetch"]
    assert store.replace("a", b"2", found.version)
    assert seen == ["fetch", "fetch", "fast-import", "push"]


def test_one_moment_outlives_its_store_and_later_writes(bare: Path) -> None:
    store = store_of(bare)
    store.create("a", b"1")
    there = store.now()
    del store
    gc.collect()
    other = store_of(bare)
    seen = other.read("a")
    assert seen is not None
    other.replace("a", b"2", seen.version)
    found = there.read("a")
    assert found is not None
    assert found.data == b"1"


def test_a_file_that_cannot_be_read_does_not_pass_for_absent(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(bare)
    store.create("a/b", b"1")
    there = store.now()
    with pytest.raises(ToolFailure, match="cannot read a file"):
        store.read("a")  # a folder of git's, and no name of the store's
    monkeypatch.setattr(store._objects, "read", lambda names: dict.fromkeys(names))
    with pytest.raises(ToolFailure, match="cannot read a file"):
        there.read("a/b")
    assert there.read("b") is None


@pytest.mark.parametrize(
    "ask", [lambda store: store.read("a"), lambda store: store.now(), lambda store: store.create("b", b"")]
)
def test_a_reference_that_is_no_commit_is_told(bare: Path, ask: Callable[[GitStore], object]) -> None:
    store_of(bare).create("a", b"1")
    tree = git(bare, "rev-parse", f"{REFERENCE}^{{tree}}").strip()
    git(bare, "update-ref", "-d", REFERENCE)
    git(bare, "update-ref", REFERENCE, tree)
    with pytest.raises(ToolFailure, match=r"is no commit|cannot be used"):
        ask(store_of(bare))


def test_what_somebody_else_committed_is_passed_over(bare: Path, tmp_path: Path) -> None:
    store = store_of(bare)
    assert store.create("a/b", b"")
    reference = git(bare, "for-each-ref", "--format=%(refname)").split()[0]
    blob = git(bare, "hash-object", "-w", "/dev/null").strip()
    rows = git(bare, "ls-tree", reference) + f"\n100644 blob {blob}\ta b\n"
    listed = tmp_path / "rows"
    listed.write_text("\n".join(filter(None, rows.splitlines())) + "\n")
    with listed.open() as stream:
        tree = subprocess.check_output(["git", "-C", str(bare), "mktree"], stdin=stream, text=True).strip()
    commit = git(bare, "-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-m", "x", "-p", reference, tree)
    git(bare, "update-ref", reference, commit.strip())
    assert list(store.names("")) == ["a/b"]
