"""The recorded GitHub events, end to end: what a job's checkout holds, what is judged in it, by what."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.gates.governed import FLAG, MANIFEST, SETTINGS, Answer, check, governed, maestro
from tests.support.git_repo import GitRepo
from tests.support.github_event import environ, event
from tests.support.tools import tool

BAD_FLAG = FLAG.replace("@acme/checkout", "@nobody")


def job(repo: GitRepo, folder: Path, kind: str, *arguments: str, **changes: object) -> Answer:
    """`maestro check` as a job of GitHub Actions would run it after this event."""
    path = folder / f"{kind}.json"
    path.write_text(json.dumps(event(kind, **changes)))
    return check(repo, *arguments, environ=environ(kind, GITHUB_EVENT_PATH=str(path)))


@pytest.fixture
def proposed(tmp_path: Path) -> GitRepo:
    """Main has moved on since ``topic`` left it: an owner is nobody any more, and it has defects of its own."""
    repo = governed(tmp_path / "origin", {"manifests/old.yaml": MANIFEST.replace("@acme/data", "@gone")})
    repo.branch("topic")
    repo.commit({"flags/c.yaml": FLAG})
    repo.checkout("main")
    repo.commit({"maestro.yaml": SETTINGS.replace('"@acme/checkout", ', "")}, "Checkout is no team any more")
    return repo


def shas(repo: GitRepo, base: str = "main", head: str = "topic") -> dict[str, object]:
    return {
        "pull_request__head__sha": repo.git("rev-parse", head),
        "pull_request__base__sha": repo.git("rev-parse", base),
    }


@pytest.mark.parametrize("kind", ["pull_request", "pull_request_fork"])
def test_a_pull_request_in_its_merge_commit(tmp_path: Path, proposed: GitRepo, kind: str) -> None:
    proposed.pull_request_merge("topic", number=42)
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/pull/42/merge", depth=2)
    answer = job(clone, tmp_path, kind, **shas(proposed))
    assert (answer.code, answer.rules()) == (10, ["mc.flags/owner_unresolved"])
    assert answer.report["policy_revision"] == proposed.git("rev-parse", "main")
    assert answer.report["head"] == clone.head
    person = maestro(
        clone,
        "check",
        environ=environ("pull_request", GITHUB_EVENT_PATH=str(tmp_path / f"{kind}.json")),
    )
    assert "note: pull request #4" in person.err


def test_a_pull_request_that_moved_since_it_was_checked_out_is_refused(tmp_path: Path, proposed: GitRepo) -> None:
    proposed.pull_request_merge("topic", number=42)
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/pull/42/merge", depth=2)
    answer = job(clone, tmp_path, "pull_request", **shas(proposed, head="change"))
    assert (answer.code, answer.out) == (2, "")
    assert "neither the merge commit of pull request #42 nor its head" in answer.err


def test_a_checkout_of_one_commit_says_what_to_set(tmp_path: Path, proposed: GitRepo) -> None:
    proposed.pull_request_merge("topic", number=42)
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/pull/42/merge", depth=1)
    answer = job(clone, tmp_path, "pull_request", **shas(proposed))
    assert answer.code == 2
    assert "fetch-depth: 2" in answer.err


def test_of_two_in_the_queue_each_answers_for_itself(tmp_path: Path, proposed: GitRepo) -> None:
    proposed.branch("other", "main")
    proposed.commit({"manifests/new.yaml": MANIFEST.replace("nightly-report", "daily-report")})
    proposed.branch("queue-1", "main")
    first = proposed.merge("topic")
    proposed.branch("queue-2")
    second = proposed.merge("other")
    main = proposed.git("rev-parse", "main")
    kind = "merge_group_second_of_two"
    clone = proposed.clone(tmp_path / "ci")
    clone.checkout(second)
    mine = job(clone, tmp_path, kind, merge_group__base_sha=first, merge_group__head_sha=second)
    assert (mine.code, mine.rules(), mine.report["policy_revision"]) == (0, [], first)
    theirs = job(clone, tmp_path, kind, merge_group__base_sha=main, merge_group__head_sha=first)
    assert (theirs.code, theirs.rules()) == (10, ["mc.flags/owner_unresolved"])


@pytest.mark.parametrize("squash", [True, False])
def test_a_push_is_judged_again_by_what_stood_before_it(tmp_path: Path, proposed: GitRepo, squash: bool) -> None:
    before = proposed.head
    after = proposed.squash_merge("topic") if squash else proposed.merge("topic")
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/heads/main", depth=2)
    answer = job(clone, tmp_path, "push_after_squash_merge", before=before, after=after)
    assert (answer.code, answer.rules()) == (10, ["mc.flags/owner_unresolved"])
    assert answer.report["policy_revision"] == before


def test_a_scheduled_job_judges_everything_and_shows_what_is_there(tmp_path: Path, proposed: GitRepo) -> None:
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/heads/main", depth=1)
    answer = job(clone, tmp_path, "schedule")
    assert (answer.code, answer.rules()) == (0, ["mc.documents/owner_unresolved"])
    assert answer.findings()[0]["existing"]


def test_the_first_pull_request_is_a_preview_in_its_job_too(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "origin")
    repo.commit({"README.md": "acme\n"})
    repo.branch("topic")
    repo.commit({"maestro.yaml": SETTINGS, "flags/c.yaml": BAD_FLAG})
    repo.pull_request_merge("topic", number=42)
    clone = repo.fetch_like_actions_checkout(tmp_path / "ci", "refs/pull/42/merge", depth=2)
    answer = job(clone, tmp_path, "pull_request", **shas(repo))
    assert (answer.code, answer.report["preview"]) == (0, True)
    assert [finding["mode"] for finding in answer.findings()] == ["warn"]


def test_options_go_before_the_event(tmp_path: Path, proposed: GitRepo) -> None:
    clone = proposed.clone(tmp_path / "ci")
    answer = job(clone, tmp_path, "pull_request", "--target", "origin/main", "--head", "origin/topic")
    assert answer.code == 10


def test_a_job_whose_event_cannot_be_read_guesses_nothing(tmp_path: Path, proposed: GitRepo) -> None:
    (tmp_path / "event.json").write_text("{")
    for path in (tmp_path / "event.json", tmp_path / "absent.json", tmp_path):
        answer = check(proposed, environ=environ("pull_request", GITHUB_EVENT_PATH=str(path)))
        assert (answer.code, answer.out) == (2, "")
        assert "names no readable event" in answer.err


def test_nothing_of_the_checkout_is_imported_or_executed(tmp_path: Path, proposed: GitRepo) -> None:
    trap = "raise SystemExit('executed')\n"
    proposed.checkout("topic")
    proposed.commit(
        {
            "sitecustomize.py": trap,
            "pydantic.py": trap,
            "gates/documents.py": trap,
            "conftest.toml": 'policy = "elsewhere"\n',
            ".gitattributes": "*.yaml filter=evil diff=evil\n",
        }
    )
    proposed.git("config", "filter.evil.clean", "touch executed; cat")
    proposed.git("config", "filter.evil.smudge", "touch executed; cat")
    proposed.git("config", "diff.evil.textconv", "touch executed; cat")
    proposed.checkout("main")
    proposed.pull_request_merge("topic", number=42)
    for path in proposed.path.glob("executed"):
        path.unlink()
    done = subprocess.run(
        [tool("maestro"), "check", "--target", "main", "--head", "refs/pull/42/merge", "--format", "json"],
        cwd=proposed.path,
        env=proposed.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (10, "")
    assert json.loads(done.stdout)["summary"]["blocking"] == 1
    assert not (proposed.path / "executed").exists()
