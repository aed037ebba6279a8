"""What was merged: the line of first parents against git's own answer, and who comes before whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from maestro.errors import UsageError
from maestro.repository import Repository
from tests.support.git_repo import GitRepo


def woven(folder: Path) -> GitRepo:
    """Merges, a branch that was merged by fast-forward after main was merged into it, and dates that go backwards."""
    repo = GitRepo.init(folder)
    repo.commit({"a": "1"})
    repo.commit({"maestro.yaml": "1"})
    repo.branch("topic")
    repo.commit({"b": "1"})
    repo.checkout("main")
    repo.commit({"c": "1"})
    repo.merge("topic")
    repo._minutes -= 1000
    repo.commit({"maestro.yaml": "2"})
    repo.branch("foxtrot", "HEAD~1")
    repo.commit({"d": "1"})
    repo.merge("main")
    repo.checkout("main")
    repo.git("merge", "-q", "--ff-only", "foxtrot")
    return repo


def test_it_is_what_git_says(tmp_path: Path) -> None:
    repo = woven(tmp_path / "repo")
    with Repository.open(repo.path, repo.environ) as repository:
        history = repository.history(repo.head)
        line = repo.git("rev-list", "--first-parent", "--reverse", "HEAD").split()
        everything = repo.git("rev-list", "HEAD").split()
        assert [one.commit for one in history.line] == line
        assert [one.tree for one in history.line] == [repo.git("rev-parse", f"{one}^{{tree}}") for one in line]
        assert [str(one.committed) for one in history.line] == [
            repo.git("show", "-s", "--format=%ct", one) for one in line
        ]
        assert set(history.parents) == set(everything)
        for one in everything:
            for other in everything:
                base = repo.git("merge-base", one, other, check=False)
                assert history.is_before(one, other) == (one != other and base == one), (one, other)
        assert repository.first_with(repo.head, "maestro.yaml") == line[1]
        assert repository.first_with(repo.head, "nothing") is None


def test_a_shallow_clone_has_none(tmp_path: Path) -> None:
    repo = woven(tmp_path / "repo")
    clone = repo.clone(tmp_path / "clone", "--depth=2")
    with Repository.open(clone.path, clone.environ) as repository, pytest.raises(UsageError, match="shallow"):
        repository.history(clone.head)
