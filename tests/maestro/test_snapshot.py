from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maestro.errors import ToolFailure
from maestro.git_objects import parse_tree, tree_id_of, without_name
from maestro.repository import NOTHING, Change, Entry, Repository, Snapshot, compare, diff_digest
from tests.support.git_repo import GitRepo

A, B = "a" * 40, "b" * 40

_NAMES = st.text("abAB.-0é\u0301\udcff ", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
_MODES = st.sampled_from(["100644", "100755", "120000"])


@st.composite
def trees(draw: st.DrawFn) -> dict[str, tuple[str, bytes]]:
    """Files at paths of which none is a folder of another."""
    files: dict[str, tuple[str, bytes]] = {}
    folders: set[str] = set()
    for path in draw(st.lists(st.lists(_NAMES, min_size=1, max_size=4).map("/".join), max_size=12)):
        above = {path[:at] for at, char in enumerate(path) if char == "/"}
        if path in folders or path in files or above & files.keys():
            continue
        folders |= above
        files[path] = (draw(_MODES), draw(st.binary(max_size=5)))
    return files


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    repo = GitRepo.init(tmp_path_factory.mktemp("trees") / "repo")
    repo.git("config", "core.protectNTFS", "false")
    repo.git("config", "core.protectHFS", "false")
    return repo


@settings(max_examples=40, deadline=None)
@given(files=trees())
def test_tree_ids_are_those_of_git_write_tree(scratch: GitRepo, files: dict[str, tuple[str, bytes]]) -> None:
    scratch.commit_tree(files)
    expected = scratch.git("write-tree")
    with Repository.open(scratch.path, scratch.environ) as repository:
        snapshot = repository.snapshot("HEAD")
        entries = {path: (entry.mode, str(entry.oid)) for path, entry in snapshot.entries.items()}
        assert {path: mode for path, (mode, _) in entries.items()} == {path: mode for path, (mode, _) in files.items()}
        assert snapshot.tree_id() == expected
        assert tree_id_of(entries, "sha1") == expected
        for name in {path.split("/")[0] for path in files} | {"absent"}:
            rest = {path: entry for path, entry in entries.items() if path.split("/")[0] != name}
            assert snapshot.tree_id(exclude=name) == tree_id_of(rest, "sha1")


@settings(max_examples=25, deadline=None)
@given(before=trees(), after=trees())
def test_compare_says_what_git_diff_tree_says(
    scratch: GitRepo, before: dict[str, tuple[str, bytes]], after: dict[str, tuple[str, bytes]]
) -> None:
    one, two = scratch.commit_tree(before), scratch.commit_tree(after)
    rows = scratch.git("diff-tree", "-r", "-z", "--no-renames", one, two).split("\0")
    expected = {}
    for info, path in zip(rows[0:-1:2], rows[1::2], strict=True):
        old_mode, new_mode, old, new, _ = info.removeprefix(":").split()
        expected[path] = Change(
            path,
            None if old_mode == "000000" else Entry(old_mode, old),
            None if new_mode == "000000" else Entry(new_mode, new),
        )
    with Repository.open(scratch.path, scratch.environ) as repository:
        found = compare(repository.snapshot(one), repository.snapshot(two))
        assert {change.path: change for change in found} == expected
        assert [change.path for change in found] == sorted(expected)
        assert compare(repository.snapshot(one), repository.snapshot(one)) == ()
        assert len(compare(NOTHING, repository.snapshot(two))) == len(after)


def test_the_tree_without_approvals_stays_the_same_when_approvals_change(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "repo")
    repo.commit({"policy/a.rego": "a"})
    plain = repo.git("rev-parse", "HEAD^{tree}")
    repo.commit({"approvals/one.json": "{}", "approvals/deep/two.json": "{}"})
    with Repository.open(repo.path, repo.environ) as repository:
        assert repository.snapshot("HEAD").tree_id(exclude="approvals") == plain
        assert repository.worktree().tree_id(exclude="approvals") == plain
        assert repository.worktree().tree_id() == repo.git("rev-parse", "HEAD^{tree}") != plain
        repo.write("approvals-of-another-kind", "x")
        assert repository.worktree().tree_id(exclude="approvals") != plain


def test_the_tree_of_nothing_is_the_empty_tree() -> None:
    assert NOTHING.tree_id() == "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    assert Snapshot.of_files({"approvals/a": b"a"}).tree_id(exclude="approvals") == NOTHING.tree_id()


def test_very_deep_folders_do_not_overflow_the_stack() -> None:
    path = "/".join("a" * 3000)
    assert len(tree_id_of({path: ("100644", A)}, "sha1")) == 40


@given(st.binary(max_size=300))
def test_parsing_any_bytes_as_a_tree_gives_rows_or_a_failure(data: bytes) -> None:
    try:
        rows = parse_tree(data, 20)
    except ToolFailure:
        return
    assert all(row.name not in (b"", b".", b"..") and b"/" not in row.name for row in rows)
    assert len({row.name for row in rows}) == len(rows)


def test_a_row_cut_out_of_a_tree_leaves_the_others() -> None:
    tree = b"100644 a\0" + b"\0" * 20 + b"40000 approvals\0" + b"a\0" * 10 + b"100644 approvals.md\0" + b" " * 20
    cut = b"100644 a\0" + b"\0" * 20 + b"100644 approvals.md\0" + b" " * 20
    assert without_name(tree, b"approvals", 20) == cut
    assert without_name(cut, b"approvals", 20) == cut


def test_snapshots_of_files_are_like_those_of_a_repository(tmp_path: Path) -> None:
    files = {"b/c": b"c", "a": b"", "d": b"c"}
    repo = GitRepo.init(tmp_path / "repo")
    repo.commit(dict(files))
    fake = Snapshot.of_files(files)
    with Repository.open(repo.path, repo.environ) as repository:
        true = repository.snapshot("HEAD")
        assert list(fake.entries.items()) == list(true.entries.items())
        assert fake.tree_id() == true.tree_id()
        assert fake.read_many(files) == true.read_many(files) == files
        assert compare(fake, true) == ()


def test_a_snapshot_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        Snapshot.of_files({"a": b"a"}).entries["b"] = Entry("100644", A)  # type: ignore[index]


def test_a_digest_depends_on_every_part_of_every_change_and_not_on_their_order() -> None:
    one = Change("a", None, Entry("100644", A))
    others = [
        Change("b", None, Entry("100644", A)),
        Change("a", Entry("100644", A), None),
        Change("a", None, Entry("100755", A)),
        Change("a", None, Entry("100644", B)),
        Change("a", Entry("100644", B), Entry("100644", A)),
        Change("\udce9", None, Entry("100644", A)),
    ]
    digests = {diff_digest([change]) for change in [one, *others]} | {diff_digest([])}
    assert len(digests) == 8
    assert diff_digest([one, others[0]]) == diff_digest([others[0], one])


def test_the_digest_stays_what_signatures_were_made_over() -> None:
    changes = [Change("flags/é.yaml", Entry("100644", A), Entry("100755", B)), Change("x", None, Entry("120000", A))]
    assert diff_digest(changes) == "sha256:814d86d39050b060670a77c5f16ef112e23ae43e46d528461b4f51ea13a35b38"
