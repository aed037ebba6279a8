"""An author tries to bring the program that judges."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.gates.governed import Answer, check
from tests.security.test_what_is_judged import BAD, repository
from tests.support.git_repo import GitRepo


def with_own(folder: Path, name: str, *, tracked: bool = True) -> tuple[GitRepo, Path]:
    """A change that brings a program of its own, and the file that program would leave behind."""
    mark = folder / "ran"
    repo = repository(folder)
    if not tracked:
        repo.commit({".gitignore": "/bin/\n"})
    repo.write(f"bin/{name}", f"#!/bin/sh\necho ran > {mark}\n").chmod(0o755)
    repo.commit({"k8s/web.yaml": BAD})
    return repo, mark


def judged(repo: GitRepo, path: str) -> Answer:
    return check(repo, "--head", "HEAD", environ={"PATH": f"{path}:{repo.environ['PATH']}"})


@pytest.mark.parametrize("name", ["conftest", "ssh-keygen", "git"])
def test_a_program_of_the_change_on_path_is_not_run(tmp_path: Path, name: str) -> None:
    repo, mark = with_own(tmp_path, name)
    (tmp_path / "link").symlink_to(repo.path / "bin")
    for folder in (repo.path / "bin", tmp_path / "link"):
        answer = judged(repo, str(folder))
        assert (answer.code, mark.exists()) == (2, False)
        assert f"{name} on PATH" in answer.err


@pytest.mark.parametrize("folder", ["bin", "Bin"])
def test_a_program_in_a_submodule_of_the_change_is_not_run(tmp_path: Path, folder: str) -> None:
    """The change names the submodule's commit; on some disks also by a name in other case."""
    repo, mark = with_own(tmp_path, "conftest", tracked=False)
    repo.commit({}, submodules={folder: "1" * 40})
    answer = judged(repo, str(repo.path / "bin"))
    assert (answer.code, mark.exists()) == (2, False)


@pytest.mark.parametrize("name", ["conftest", "ssh-keygen", "git"])
def test_relative_entries_of_path_are_passed_over(tmp_path: Path, name: str) -> None:
    repo, mark = with_own(tmp_path, name)
    shutil.copy(repo.path / "bin" / name, repo.path / name)
    judged(repo, "bin:./bin:.:")
    assert not mark.exists()


def test_tools_that_lie_in_the_checkout_outside_of_git_may_be_used(tmp_path: Path) -> None:
    """As `make tools` puts them: ignored, so no change brings them."""
    repo, mark = with_own(tmp_path, "conftest", tracked=False)
    judged(repo, str(repo.path / "bin"))
    assert mark.exists()


def test_settings_for_conftest_in_the_checkout_and_the_environment_change_nothing(tmp_path: Path) -> None:
    from tests.security import test_what_is_judged as judging

    repo = repository(tmp_path)
    repo.commit(
        {
            "k8s/web.yaml": BAD,
            "conftest.toml": 'policy = "nowhere"\nnamespace = "nothing"\nfail-on-warn = false\n',
            "policy/conftest.toml": 'policy = "nowhere"\n',
            ".conftest/plugins/x/plugin.yaml": "name: x\n",
        }
    )
    before = judging.judged(repo)
    repo.environ |= {"CONFTEST_POLICY": "nowhere", "CONFTEST_NAMESPACE": "nothing", "XDG_CONFIG_HOME": str(repo.path)}
    assert before.rules() == judging.judged(repo).rules() == [judging.TOO_FEW]
