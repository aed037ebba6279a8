"""A revoked key: believed for nothing, except for what a checkpoint shows that existed before."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.gates.governed import Answer
from tests.maestro.evidence import keys
from tests.maestro.ledger.authority import Authority
from tests.runner.governed_runs import CONFIG, NOW, Runs, listed

TODAY = dt.datetime.now(dt.UTC)
"""openssl stamps with the machine's time; the runs of these tests are of the past."""
assert TODAY > NOW


class Revoked:
    """A repository with a run and its checkpoint, whose key was revoked after both."""

    def __init__(self, folder: Path, revoked_at: dt.datetime) -> None:
        self.authority = Authority(folder / "authority")
        self.runs = Runs(folder)
        assert self.runs.run("a").code == 0
        self.kept = folder / "kept"
        assert self.runs.receipts("checkpoint", str(self.kept)).code == 0
        self.stamp = folder / "kept.tsr"
        self.authority.stamp(self.kept, self.stamp)
        lines = "".join(f"      {line}\n" for line in self.authority.root.splitlines())
        config = f"ledger:\n  timestamp_authorities:\n  - |\n{lines}"
        self.runs.repo.commit(
            {
                "maestro.yaml": CONFIG
                + listed(keys.row("fresh"))
                + listed(keys.row(revoked_at=revoked_at)).removeprefix("keys:\n")
                + config
            },
            "Revoke",
        )

    def verify(self, *arguments: str) -> Answer:
        return self.runs.receipts("verify", *arguments)


@pytest.fixture(scope="module")
def revoked(tmp_path_factory: pytest.TempPathFactory) -> Revoked:
    """From tomorrow on, by the machine's clock."""
    return Revoked(tmp_path_factory.mktemp("revoked"), TODAY + dt.timedelta(days=1))


def test_it_is_believed_for_nothing(revoked: Revoked) -> None:
    said = revoked.verify()
    assert said.code == 10
    assert "not-believed" in said.out
    assert "is revoked since" in said.out
    said = revoked.verify("--checkpoint", str(revoked.kept))
    assert said.code == 10
    assert "nothing proves that the checkpoint is older" in said.out


def test_a_timestamp_of_before_proves_what_the_checkpoint_lists(revoked: Revoked) -> None:
    assert revoked.authority.verifies(revoked.kept, revoked.stamp)
    said = revoked.verify("--checkpoint", str(revoked.kept), "--timestamp", str(revoked.stamp))
    assert said.code == 0, said.out
    assert "1 receipt of 1 run believed" in said.out
    assert "which existed at" in said.out


def test_ones_own_word_proves_it_as_well(revoked: Revoked) -> None:
    since = (NOW + dt.timedelta(minutes=0)).isoformat()
    said = revoked.verify("--checkpoint", str(revoked.kept), "--held-since", since)
    assert said.code == 0, said.out + said.err
    before = (NOW - dt.timedelta(days=2)).isoformat()
    said = revoked.verify("--checkpoint", str(revoked.kept), "--held-since", before)
    assert said.code == 10
    assert "of its entries are later" in said.out


def test_what_came_after_the_checkpoint_is_not_taken_along(revoked: Revoked, tmp_path: Path) -> None:
    """A thief with the key adds a run: the old checkpoint does not make it older."""
    thief = Revoked(tmp_path, TODAY + dt.timedelta(days=1))
    thief.runs.repo.git("reset", "--quiet", "--hard", "HEAD~1")
    assert thief.runs.run("b").code == 0
    thief.runs.repo.git("reset", "--quiet", "--hard", "ORIG_HEAD")
    said = thief.verify("--checkpoint", str(thief.kept), "--timestamp", str(thief.stamp))
    assert said.code == 10
    assert "1 receipt of 2 runs believed" in said.out


def test_a_timestamp_after_the_revocation_proves_nothing(tmp_path: Path) -> None:
    late = Revoked(tmp_path, NOW + dt.timedelta(minutes=30))
    said = late.verify("--checkpoint", str(late.kept), "--timestamp", str(late.stamp))
    assert said.code == 10
    assert "0 receipts of 1 run believed" in said.out


def test_the_timestamp_of_another_file_is_refused(revoked: Revoked, tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other")
    revoked.authority.stamp(tmp_path / "other", tmp_path / "other.tsr")
    said = revoked.verify("--checkpoint", str(revoked.kept), "--timestamp", str(tmp_path / "other.tsr"))
    assert said.code == 10
    assert "the timestamp is not believed" in said.err
