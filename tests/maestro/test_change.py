from __future__ import annotations

from pathlib import Path

import pytest

from maestro.change import ChangeSet, open_change
from maestro.errors import UsageError
from maestro.repository import Repository
from maestro.selection import Selection, SelectionOptions, select
from tests.support.git_repo import GitRepo
from tests.support.github_event import environ, event

CONFIG = {"maestro.yaml": "config\n"}
PERSON = select(SelectionOptions(), {}, None)


@pytest.fixture
def repo(tmp_path: Path) -> GitRepo:
    return GitRepo.init(tmp_path / "repo")


def opened(repo: GitRepo, selection: Selection = PERSON, **options: str) -> ChangeSet:
    with Repository.open(repo.path, repo.environ) as repository:
        change = open_change(repository, selection, **options)
        for snapshot in (change.policy, change.base, change.head):
            _ = snapshot.entries  # listed while the repository is open
        return change


def paths(change: ChangeSet) -> list[str]:
    return [found.path for found in change.changes]


def recorded(name: str, **changes: object) -> Selection:
    return select(SelectionOptions(), environ(name), event(name, **changes))


# A person at a desk.


def test_a_branch_is_judged_by_the_targets_tip_and_compared_with_the_merge_base(repo: GitRepo) -> None:
    base = repo.commit(CONFIG | {"policy/a.rego": "old", "flags/a": "a"})
    repo.branch("topic")
    repo.commit({"flags/b": "b"})
    repo.checkout("main")
    tip = repo.commit({"policy/a.rego": "new"})
    repo.checkout("topic")
    repo.write("flags/c", "uncommitted")
    change = opened(repo)
    assert change.policy.commit == tip
    assert change.base.commit == base
    assert change.head.label == "worktree"
    assert paths(change) == ["flags/b", "flags/c"], "not policy/a.rego: the branch is behind, it changed nothing there"
    assert (change.judge_all, change.preview, change.on_default_branch) == (False, False, False)
    assert change.source == "the working tree against main"


def test_a_clean_default_branch_is_judged_whole_and_says_so(repo: GitRepo) -> None:
    repo.commit(CONFIG)
    change = opened(repo)
    assert (change.judge_all, change.on_default_branch, paths(change)) == (True, True, [])
    assert change.source == "every document: nothing differs from main"


def test_uncommitted_work_on_the_default_branch_is_a_change(repo: GitRepo) -> None:
    repo.commit(CONFIG)
    repo.write("flags/a", "a")
    change = opened(repo)
    assert (change.judge_all, change.on_default_branch, paths(change)) == (False, True, ["flags/a"])


def test_a_clean_default_branch_behind_its_remote_is_judged_whole(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit(CONFIG)
    clone = repo.clone(tmp_path / "clone")
    repo.commit({"flags/a": "a"})
    clone.git("fetch", "-q")
    change = opened(clone)
    assert (change.judge_all, change.on_default_branch, paths(change)) == (True, True, [])


def test_a_clean_branch_that_differs_in_nothing_touches_nothing(repo: GitRepo) -> None:
    repo.commit(CONFIG)
    repo.branch("topic")
    repo.checkout("main")
    repo.commit({"a": "a"})
    repo.checkout("topic")
    change = opened(repo)
    assert (change.judge_all, paths(change)) == (False, [])


def test_a_named_target_and_head(repo: GitRepo) -> None:
    first = repo.commit(CONFIG)
    repo.branch("topic")
    topic = repo.commit({"flags/b": "b"})
    repo.checkout("main")
    change = opened(repo, select(SelectionOptions("main", "topic"), {}, None))
    assert (change.policy.commit, change.base.commit, change.head.commit) == (first, first, topic)
    assert paths(change) == ["flags/b"]
    assert change.source == "topic against main"


def test_all_keeps_the_change_and_judges_everything(repo: GitRepo) -> None:
    repo.commit(CONFIG)
    repo.branch("topic")
    repo.commit({"flags/b": "b"})
    change = opened(repo, select(SelectionOptions(all=True), {}, None))
    assert (change.judge_all, paths(change)) == (True, ["flags/b"])
    assert change.source == "every document of the working tree (--all)"


def test_preview_means_the_target_is_not_yet_governed(repo: GitRepo) -> None:
    repo.commit({"k8s/a": "a"})
    repo.write("maestro.yaml", "config\n")
    assert opened(repo).preview
    repo.commit()
    assert not opened(repo).preview


def test_deleting_the_configuration_is_no_preview(repo: GitRepo) -> None:
    repo.commit(CONFIG)
    repo.branch("topic")
    repo.commit({"maestro.yaml": None})
    change = opened(repo)
    assert not change.preview
    assert "maestro.yaml" in change.policy.entries


def test_before_the_first_commit_everything_is_new(repo: GitRepo) -> None:
    repo.write("maestro.yaml", "config\n")
    change = opened(repo)
    assert (change.policy.label, change.policy.commit, dict(change.policy.entries)) == ("nothing", None, {})
    assert (change.judge_all, change.preview, paths(change)) == (True, True, ["maestro.yaml"])
    assert "no commit yet" in change.source


def test_an_unborn_branch_beside_a_governed_one_is_judged_by_that(repo: GitRepo) -> None:
    tip = repo.commit(CONFIG)
    repo.git("checkout", "-q", "--orphan", "elsewhere")
    change = opened(repo)
    assert change.policy.commit == tip
    assert not change.preview
    assert paths(change) == ["maestro.yaml"]


def test_an_unrelated_history_is_new_as_a_whole(repo: GitRepo) -> None:
    repo.commit(CONFIG)
    repo.git("checkout", "-q", "--orphan", "elsewhere")
    repo.commit({"flags/a": "a"})
    change = opened(repo)
    assert change.base.label == "nothing"
    assert paths(change) == ["flags/a", "maestro.yaml"]


def test_a_detached_head(repo: GitRepo) -> None:
    first = repo.commit(CONFIG)
    repo.commit({"flags/a": "a"})
    repo.checkout(first)
    repo.write("flags/b", "b")
    assert paths(opened(repo)) == ["flags/b"]


def test_a_bare_repository_needs_a_head(tmp_path: Path, repo: GitRepo) -> None:
    repo.commit(CONFIG)
    repo.branch("topic")
    repo.commit({"flags/a": "a"})
    bare = repo.clone(tmp_path / "bare.git", "--bare")
    with pytest.raises(UsageError, match="bare"):
        opened(bare)
    assert paths(opened(bare, select(SelectionOptions("main", "topic"), {}, None))) == ["flags/a"]


def test_nobody_knows_the_default_branch(repo: GitRepo) -> None:
    repo.commit(CONFIG)
    repo.git("branch", "-m", "one")
    repo.branch("two")
    with pytest.raises(UsageError, match="which branch") as caught:
        opened(repo)
    assert "--target" in str(caught.value.remedy)
    assert opened(repo, default_branch="one").policy.commit == repo.head


def test_an_absent_target(repo: GitRepo) -> None:
    repo.commit(CONFIG)
    with pytest.raises(UsageError, match="there is no revision 'release'"):
        opened(repo, select(SelectionOptions("release"), {}, None))


# GitHub.


@pytest.fixture
def proposed(repo: GitRepo) -> GitRepo:
    """main with three commits, a topic cut from the first, and GitHub's merge commit for it."""
    repo.commit(CONFIG | {"flags/a": "a", "policy/p": "old"})
    repo.branch("topic")
    repo.commit({"flags/b": "b"})
    repo.commit({"flags/c": "c"})
    repo.checkout("main")
    repo.commit({"flags/d": "d"})
    repo.commit({"policy/p": "new"})
    repo.pull_request_merge("topic", number=42)
    return repo


def pull_request(repo: GitRepo, kind: str = "pull_request") -> Selection:
    return recorded(
        kind,
        pull_request__head__sha=repo.git("rev-parse", "topic"),
        pull_request__base__sha=repo.git("rev-parse", "main"),
    )


@pytest.mark.parametrize("kind", ["pull_request", "pull_request_fork"])
def test_a_pull_request_in_a_clone_of_depth_two(tmp_path: Path, proposed: GitRepo, kind: str) -> None:
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/pull/42/merge", depth=2)
    assert clone.git("rev-list", "--count", "HEAD") == "3"
    change = opened(clone, pull_request(proposed, kind))
    assert change.policy.commit == change.base.commit == proposed.git("rev-parse", "main")
    assert change.head.commit == clone.head
    assert paths(change) == ["flags/b", "flags/c"]
    assert not change.judge_all


def test_a_pull_request_in_a_clone_of_depth_one_says_what_to_set(tmp_path: Path, proposed: GitRepo) -> None:
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/pull/42/merge", depth=1)
    with pytest.raises(UsageError, match="has not been fetched") as caught:
        opened(clone, pull_request(proposed))
    assert "fetch-depth: 2" in str(caught.value.remedy)


def test_a_checkout_of_the_pull_requests_head_is_not_compared_with_its_own_last_commit(
    tmp_path: Path, proposed: GitRepo
) -> None:
    """`ref: github.event.pull_request.head.sha`: HEAD^1 is the author's own commit there."""
    clone = proposed.clone(tmp_path / "ci")
    clone.checkout(proposed.git("rev-parse", "topic"))
    change = opened(clone, pull_request(proposed))
    assert change.policy.commit == proposed.git("rev-parse", "main")
    assert paths(change) == ["flags/b", "flags/c"]


def test_a_shallow_checkout_of_the_pull_requests_head_says_what_to_set(tmp_path: Path, proposed: GitRepo) -> None:
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/heads/topic", depth=2)
    with pytest.raises(UsageError, match="has not been fetched") as caught:
        opened(clone, pull_request(proposed))
    assert "fetch-depth" in str(caught.value.remedy)
    clone.git("fetch", "-q", "--depth=1", "origin", "+main:refs/remotes/origin/main")
    with pytest.raises(UsageError, match="does not reach back") as caught:
        opened(clone, pull_request(proposed))
    assert "fetch-depth: 0" in str(caught.value.remedy)
    clone.git("fetch", "-q", "--unshallow", "origin")
    assert paths(opened(clone, pull_request(proposed))) == ["flags/b", "flags/c"]


def test_a_job_that_stands_on_the_target_is_refused(tmp_path: Path, proposed: GitRepo) -> None:
    """pull_request_target without a ref: judging that would call every pull request good."""
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/heads/main", depth=2)
    with pytest.raises(UsageError, match="neither the merge commit of pull request #42 nor its head"):
        opened(clone, pull_request(proposed))


def test_a_merge_that_the_author_made_is_not_taken_for_githubs(tmp_path: Path, proposed: GitRepo) -> None:
    """The topic's head is itself a merge: its first parent is the author's commit, its second main's."""
    proposed.checkout("topic")
    proposed.merge("main")
    clone = proposed.clone(tmp_path / "ci")
    clone.checkout(proposed.head)
    change = opened(clone, pull_request(proposed))
    assert change.policy.commit == proposed.git("rev-parse", "main")
    assert paths(change) == ["flags/b", "flags/c"]


def test_the_second_in_a_merge_queue_is_compared_with_the_first(tmp_path: Path, proposed: GitRepo) -> None:
    proposed.branch("other", "main")
    proposed.commit({"flags/o": "o"})
    proposed.git("checkout", "-q", "-b", "gh-readonly-queue/main/pr-1", "main")
    first = proposed.merge("topic")
    proposed.git("checkout", "-q", "-b", "gh-readonly-queue/main/pr-2")
    second = proposed.merge("other")
    selection = recorded("merge_group_second_of_two", merge_group__base_sha=first, merge_group__head_sha=second)
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/heads/gh-readonly-queue/main/pr-2", depth=1)
    with pytest.raises(UsageError, match="has not been fetched") as caught:
        opened(clone, selection)
    remedy = str(caught.value.remedy)
    clone.git("fetch", "-q", "--depth=1", *remedy[remedy.index("git fetch ") :].split()[2:])
    change = opened(clone, selection)
    assert (change.policy.commit, change.base.commit, change.head.commit) == (first, first, second)
    assert paths(change) == ["flags/o"]


@pytest.mark.parametrize("squash", [True, False])
def test_a_push_is_judged_from_before_to_after(tmp_path: Path, proposed: GitRepo, squash: bool) -> None:
    before = proposed.head
    after = proposed.squash_merge("topic") if squash else proposed.merge("topic")
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/heads/main", depth=2)
    change = opened(clone, recorded("push_after_squash_merge", before=before, after=after))
    assert (change.policy.commit, change.base.commit, change.head.commit) == (before, before, after)
    assert paths(change) == ["flags/b", "flags/c"]
    assert not change.judge_all


def test_a_push_of_several_commits_needs_the_one_before(tmp_path: Path, proposed: GitRepo) -> None:
    before = proposed.head
    for number in range(3):
        proposed.commit({f"flags/{number}": "x"})
    selection = recorded("push_after_squash_merge", before=before, after=proposed.head)
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/heads/main", depth=2)
    with pytest.raises(UsageError, match="has not been fetched"):
        opened(clone, selection)
    assert paths(opened(proposed, selection)) == ["flags/0", "flags/1", "flags/2"]


def test_a_forced_push_shows_what_went_away(proposed: GitRepo) -> None:
    before = proposed.head
    proposed.git("reset", "-q", "--hard", "HEAD^")
    change = opened(proposed, recorded("push_after_squash_merge", before=before, after=proposed.head, forced=True))
    assert change.policy.commit == before
    assert paths(change) == ["policy/p"]


def test_a_pushed_branch_is_judged_as_if_it_were_to_be_merged(tmp_path: Path, proposed: GitRepo) -> None:
    clone = proposed.clone(tmp_path / "ci")
    clone.checkout("topic")
    change = opened(clone, recorded("push_new_branch"))
    assert change.policy.commit == proposed.git("rev-parse", "main")
    assert paths(change) == ["flags/b", "flags/c"]


def test_a_schedule_judges_everything(tmp_path: Path, proposed: GitRepo) -> None:
    clone = proposed.fetch_like_actions_checkout(tmp_path / "ci", "refs/heads/main", depth=1)
    change = opened(clone, recorded("schedule"))
    assert (change.judge_all, change.on_default_branch, paths(change)) == (True, True, [])
    assert change.policy.commit == change.head.commit == clone.head
