"""A bundle that must not judge is loaded by no command that judges: not by check, simulate, policy diff or run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from maestro.ledger.folder import FolderStore
from policy.bundle.last_seen import Seen, remember, seen
from tests.gates.governed import MANIFEST, POOL, SETTINGS, Answer, maestro
from tests.maestro.evidence import keys
from tests.policy.bundle.bundles import NOW, built, changed, signed
from tests.runner.governed_runs import Runs
from tests.support.git_repo import GitRepo
from tests.support.tools import tool

BUNDLE = "policy/vendor/policy.tar.gz"
SOURCE = """\
# METADATA
# custom: {mode: enforce, owner: "@acme/platform", match: ["k8s/**"]}
package acme.vendor

deny_name contains "the bundle spoke" if not input.name
"""
FILES = {"policy/packs/v/v.rego": SOURCE}
SOUND = signed(built(files=FILES, packs="['policy/packs/*']"))


def settings(key: str = "release", minimum: int = 42) -> str:
    pem = "".join(f"          {line}\n" for line in keys.signer(key).public_key_pem.splitlines())
    return (
        f"{SETTINGS}bundles:\n  - path: {BUNDLE}\n    minimum_revision: {minimum}\n"
        f"    keys:\n      - id: {key}\n        valid_from: 2026-01-01\n        public_key: |\n{pem}"
    )


def repository(folder: Path, bundle: bytes, config: str | None = None) -> GitRepo:
    repo = GitRepo.init(folder / "repo")
    files: dict[str, str | bytes | None] = {
        "maestro.yaml": config or settings(),
        ".gitignore": ".maestro/\n",
        "pools/here.yaml": POOL,
        "manifests/nightly.yaml": MANIFEST,
        "k8s/a.yaml": "kind: Deployment\n",
        BUNDLE: bundle,
    }
    repo.commit(files, "Govern")
    repo.branch("change")
    repo.commit({"k8s/a.yaml": "kind: Deployment\nreplicas: 2\n"}, "Change")
    return repo


def environ() -> dict[str, str]:
    return {"PATH": f"{Path(tool('conftest')).parent}:/usr/bin:/bin"}


def asked(repo: GitRepo, command: str, now: dt.datetime = NOW) -> Answer:
    arguments = {
        "check": ["check", "--format", "json"],
        "simulate": ["simulate", "-m", "k8s/a.yaml", "--format", "json"],
        "simulate --bundle": ["simulate", "-m", "k8s/a.yaml", "--bundle", BUNDLE, "--format", "json"],
        "policy diff": ["policy", "diff", "--format", "json"],
        "run": ["run", "nightly-report", "--dry-run"],
        "policy list": ["policy", "list"],
        "policy bundle verify": ["policy", "bundle", "verify", BUNDLE],
    }[command]
    return maestro(repo, *arguments, environ=environ(), now=now)


def test_a_sound_one_judges(tmp_path: Path) -> None:
    repo = repository(tmp_path, SOUND)
    checked = asked(repo, "check")
    assert checked.code == 0, "the target has the finding already"
    assert "acme.vendor/name" in checked.rules("policy")
    assert asked(repo, "simulate").code == 10
    assert "the bundle spoke" in asked(repo, "simulate").out
    assert "the bundle spoke" in asked(repo, "simulate --bundle").out
    assert asked(repo, "policy list").code == 0
    assert asked(repo, "policy bundle verify").code == 0
    assert "acme.vendor" in asked(repo, "policy list").out


LATER = NOW + dt.timedelta(days=181)
BAD: dict[str, tuple[Callable[[], bytes], str, dt.datetime]] = {
    "expired": (lambda: SOUND, "expired", LATER),
    "downgraded": (lambda: signed(built(41, files=FILES, packs="['policy/packs/*']")), "revision-too-low", NOW),
    "another key": (
        lambda: signed(built(files=FILES, packs="['policy/packs/*']"), signer=keys.signer("other")),
        "key-unknown",
        NOW,
    ),
    "altered": (
        lambda: changed(SOUND, lambda files: files.update({"policy/packs/v/v.rego": b"package acme.vendor\n"})),
        "file-altered",
        NOW,
    ),
    "unsigned": (lambda: built(files=FILES, packs="['policy/packs/*']"), "signature-missing", NOW),
    "no bundle": (lambda: b"hello", "archive-gzip", NOW),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_one_judges_nowhere(tmp_path: Path, what: str) -> None:
    make, code, now = BAD[what]
    repo = repository(tmp_path, make())
    for command in ("check", "simulate", "simulate --bundle", "policy diff", "run", "policy list"):
        answer = asked(repo, command, now)
        said = answer.out + answer.err
        assert f"[{code}]" in said, (command, said)
        assert "the bundle spoke" not in said, command
        # policy diff informs and never blocks: it says what it could not read
        assert answer.code != 0 or command == "policy diff", (command, said)
    answer = asked(repo, "policy bundle verify", now)
    assert (answer.code, f"[{code}]" in answer.err) == (10, True)


@pytest.mark.parametrize("command", ["check", "simulate", "run", "policy list"])
def test_what_the_ledger_has_seen_is_a_floor(tmp_path: Path, command: str) -> None:
    repo = repository(tmp_path, SOUND, settings(minimum=1))
    remember(FolderStore(repo.path / ".maestro/ledger"), "policy", Seen(43, "sha256:x"))
    answer = asked(repo, command)
    assert answer.code != 0
    assert "[revision-too-low]" in answer.out + answer.err


def test_a_ledger_that_makes_no_sense_lets_nothing_in(tmp_path: Path) -> None:
    repo = repository(tmp_path, SOUND)
    store = FolderStore(repo.path / ".maestro/ledger")
    assert store.create("bundles/policy.json", b"{}")
    answer = asked(repo, "check")
    assert answer.code == 1
    assert "cannot be read" in answer.reason("policy")


def test_a_change_cannot_raise_the_floor(tmp_path: Path) -> None:
    """An author's own key and a revision of a million: judged as what the merge would bring, remembered by nobody."""
    repo = repository(tmp_path, SOUND)
    forged = signed(built(10**6, files=FILES, packs="['policy/packs/*']"), signer=keys.signer("mine"))
    repo.commit({"maestro.yaml": settings("mine"), BUNDLE: forged}, "Mine")
    answer = asked(repo, "check")
    assert "mc.governance/trust_changed" in answer.rules("governance")
    assert "mc.governance/pack_changed" in answer.rules("governance")
    assert seen(FolderStore(repo.path / ".maestro/ledger"), "policy") is None
    assert "acme.vendor/name" in answer.rules("policy"), "the target's own still judges"


@pytest.mark.parametrize("target", ["governed", "not governed"])
def test_a_change_does_not_choose_whom_the_check_talks_to(tmp_path: Path, target: str) -> None:
    """A ledger on another host, and a bundle of the author's own that it has to be asked about."""
    kept = settings() if target == "governed" else None
    repo = repository(tmp_path, SOUND, kept)
    if kept is None:
        repo.checkout("main")
        repo.commit({"maestro.yaml": None})
        repo.branch("other")
    trap = tmp_path / "asked.git"
    mine = settings("mine").replace("    minimum_revision: 42\n", "") + f"ledger: {{store: 'git+file://{trap}'}}\n"
    bundle = signed(built(50, files=FILES, packs="['policy/packs/*']"), signer=keys.signer("mine"))
    repo.commit({"maestro.yaml": mine, BUNDLE: bundle}, "Mine")
    answer = asked(repo, "check")
    said = answer.out + answer.err
    assert "asked.git" not in said
    assert "git repository cannot be used" not in said
    assert "there is no revision of the bundle" in said, said


def test_another_file_in_its_place_is_a_change_to_what_decides(tmp_path: Path) -> None:
    repo = repository(tmp_path, SOUND)
    newer = signed(built(43, files=FILES, packs="['policy/packs/*']"))
    repo.commit({BUNDLE: newer}, "Newer")
    assert "mc.governance/pack_changed" in asked(repo, "check").rules("governance")


def test_a_run_raises_the_floor_and_a_refused_bundle_starts_nothing(tmp_path: Path) -> None:
    """NOW of these runs is two days before the bundle's: the key's time and the signature's are of then."""
    then = dt.datetime(2026, 11, 23, 11, tzinfo=dt.UTC)
    rows = settings().partition("bundles:")[2].replace("minimum_revision: 42", "minimum_revision: 1")
    runs = Runs(tmp_path, config=f"bundles:{rows}")
    store = FolderStore(runs.ledger)
    for revision, code in ((42, 0), (43, 0), (42, 1)):
        expires = dt.date(2027, 5, 1)
        bundle = signed(built(revision, files=FILES, packs="['policy/packs/*']", expires=expires), now=then)
        runs.repo.commit({BUNDLE: bundle}, f"Revision {revision}, {code}")
        answer = runs.run("a")
        assert answer.code == code, answer.err
        found = seen(store, "policy")
        assert found is not None
        assert found.revision == max(revision, 43 if code else revision)
    assert "[revision-too-low]" in answer.err
    assert runs.ran == ["a", "a"]
