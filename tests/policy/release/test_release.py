"""A release as its publisher, as an attacker and as an auditor sees it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from maestro.evidence.verdict import TreeVerdict, attest
from tests.maestro.chain import chains
from tests.maestro.evidence import keys
from tests.maestro.provenance.refusals import attested
from tests.policy.bundle import bundles
from tests.policy.release import auditor, releases
from tests.policy.release.releases import maestro
from tests.support.git_repo import GitRepo
from tests.support.tools import tool

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # in-toto recording


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return releases.make(tmp_path / "repo")


def test_all_of_it_side_by_side(repo: Path) -> None:
    code, out, err = maestro(repo, "verify", "release")
    assert (code, err) == (0, ""), out + err
    tree = GitRepo(repo).git("rev-parse", "HEAD^{tree}")
    verdict = f"allows the tree {tree[:12]} under the policy of {GitRepo(repo).head[:12]}"
    assert re.sub(r" at main \(\w{12}\)", "", out).splitlines() == [
        "✔ artifact       dist/api.tar.gz: github-artifact-attestations (level 3)",
        "✔ policy bundle  dist/policy.tar.gz: policy revision 42, signed by release",
        "✔ chain          layout: checkout → build → verify",
        f"✔ verdict        verdict.sigstore.json: {verdict}",
        "api 1.2.0 may be released: 4 of 4 parts hold, by maestro.yaml and trust.yaml",
    ]


def _tamper(path: str) -> Callable[[Path], object]:
    return lambda repo: (repo / path).write_bytes((repo / path).read_bytes() + b"x")


def _drop(text: str) -> Callable[[Path], object]:
    def change(repo: Path) -> None:
        kept = (repo / "release.yaml").read_text().replace(text, "")
        (repo / "release.yaml").write_text(kept)

    return change


def _milder(repo: Path) -> None:
    (repo / "maestro.yaml").write_text("apiVersion: maestro-conductor/v1\n")
    (repo / "trust.yaml").write_text((repo / "trust.yaml").read_text().replace("acme/api,", "acme/evil,"))
    _evil(repo)


def _evil(repo: Path) -> None:
    run = releases.built(repo, repository="acme/api-evil")
    (repo / "api.sigstore.json").write_bytes(attested(run).data)


def _replayed(repo: Path) -> None:
    """A verdict that allows, of another day."""
    _given(repo, "a" * 40, GitRepo(repo).head)


def _given(repo: Path, tree: str, policy_revision: str) -> None:
    verdict = TreeVerdict(tree, True, policy_revision, chains.NOW, "0.1.0", None, {}, {})
    (repo / "verdict.sigstore.json").write_bytes(attest(verdict, keys.signer("gates")))


def _by_a_branch_of_ones_own(repo: Path) -> None:
    """The very tree of the release, judged in a pull request into a branch whose rules are the author's."""
    tree = GitRepo(repo).git("rev-parse", "HEAD^{tree}")
    _given(repo, tree, GitRepo(repo).git("commit-tree", tree, "-p", "HEAD", "-m", "Milder"))


def _by_nobody_here(repo: Path) -> None:
    _given(repo, GitRepo(repo).git("rev-parse", "HEAD^{tree}"), "b" * 40)


def _by_a_name(repo: Path) -> None:
    _given(repo, GitRepo(repo).git("rev-parse", "HEAD^{tree}"), "main")


def _of_no_commit_here(repo: Path) -> None:
    (repo / "api.sigstore.json").write_bytes(attested(releases.built(repo, commit="1f" * 20)).data)


def _bundle_of_another_commit(repo: Path) -> None:
    archive, statement = bundles.attested()
    (repo / "dist/policy.tar.gz").write_bytes(archive)
    (repo / "dist/policy.tar.gz.sigstore.json").write_bytes(statement)


def _chain_of_something_else(repo: Path) -> None:
    """What is released is none of what the chain is about: nothing but its verdict."""
    _drop("policy_bundles: [dist/policy.tar.gz]\n")(repo)
    release = (repo / "release.yaml").read_text()
    before, _, after = release.partition("artifacts:\n")
    (repo / "release.yaml").write_text(before + after[after.index("chain:") :])


def _odd_key_id(repo: Path) -> None:
    layout = json.loads((repo / "layout").read_text())
    layout["signatures"][0]["keyid"] = [1]
    (repo / "layout").write_text(json.dumps(layout))


def _other_owner(repo: Path) -> None:
    (repo / "layout").write_bytes(chains.signed(chains.layout(), "build"))


CASES: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "an artifact is altered": (_tamper("dist/api.tar.gz"), {"verify/subject-mismatch", "chain/product"}),
    "it comes from elsewhere": (_evil, {"verify/repository"}),
    "the working tree's policy is milder": (_milder, {"verify/repository"}),
    "a bundle is altered": (_tamper("dist/policy.tar.gz"), {"bundle/archive-trailing", "chain/product"}),
    "a bundle is gone": (lambda repo: (repo / "dist/policy.tar.gz").unlink(), {"release/unreadable"}),
    "the chain is left out": (_drop("chain: {layout: layout, links: links}\n"), {"release/part-missing"}),
    "the layout is somebody else's": (_other_owner, {"chain/layout-signature"}),
    "the verdict is altered": (_tamper("verdict.sigstore.json"), {"release/verdict"}),
    "a verdict about another tree": (_replayed, {"release/several-commits"}),
    "a verdict by the rules of a branch of one's own": (_by_a_branch_of_ones_own, {"release/verdict"}),
    "a verdict by rules that nobody has": (_by_nobody_here, {"release/verdict"}),
    "a verdict by what has a name and no id": (_by_a_name, {"release/verdict"}),
    "a commit that nobody gave a verdict on": (_of_no_commit_here, {"release/several-commits"}),
    "a policy bundle of another commit": (_bundle_of_another_commit, {"release/several-commits", "chain/product"}),
    "a chain about something else, and a verdict about anything": (
        _chain_of_something_else,
        {"chain/product", "release/part-missing", "release/several-commits"},
    ),
    "a key id that is no text": (_odd_key_id, {"chain/layout-signature"}),
    "an attestation is gone": (lambda repo: (repo / "api.sigstore.json").unlink(), {"release/unreadable"}),
}


@pytest.mark.parametrize("case", CASES)
def test_what_does_not_hold_stops_the_release(repo: Path, case: str) -> None:
    change, codes = CASES[case]
    change(repo)
    code, out, err = maestro(repo, "verify", "release", "--format", "json")
    assert code == 10, out + err
    said = json.loads(out)
    assert not said["holds"]
    assert {part["reason"] for part in said["parts"]} - {None} == codes, out
    assert maestro(repo, "evidence", "pack", "-o", "pack", "--key", "key.pem")[0] == 10
    assert not (repo / "pack").exists()


def test_a_release_of_nothing_is_none(repo: Path) -> None:
    (repo / "release.yaml").write_text("apiVersion: maestro-conductor/v1\nkind: Release\nname: a\nversion: '1'\n")
    code, out, _ = maestro(repo, "verify", "release")
    assert code == 10
    assert "a 1 MAY NOT be released: 0 of 3 parts hold" in out
    assert "release/empty" in out


def test_bad_documents_are_explained(repo: Path) -> None:
    (repo / "release.yaml").write_text(releases.RELEASE + "pictures: [ghcr.io/acme/api]\n")
    code, _, err = maestro(repo, "verify", "release")
    assert code == 2
    assert "release.yaml:11:1" in err


COSIGN = ("--key", "packer.pub", "--insecure-ignore-tlog", "--type", "https://slsa.dev/verification_summary/v1")


def cosign(repo: Path, summary: str) -> int:
    argv = [tool("cosign"), "verify-blob-attestation", *COSIGN, "--bundle", summary, "dist/api.tar.gz"]
    return subprocess.run(argv, cwd=repo, capture_output=True, timeout=60, check=False).returncode


def summary(repo: Path, resource: str) -> tuple[int, str, str]:
    return maestro(repo, "verify", "summary", "dist/api.tar.gz", "--summary", "vsa", "--resource", resource)


def believe_packer(repo: Path) -> None:
    trust = (repo / "trust.yaml").read_text()
    gate = "summaries:\n  - {name: gate, key: packer, resources: ['pkg:generic/api@*']}\n"
    releases.merge(repo, "trust.yaml", trust + "keys:\n" + releases.key("packer", 2) + gate)


def test_a_summary_goes_out_and_cosign_accepts_it(repo: Path) -> None:
    believe_packer(repo)
    assert maestro(repo, "verify", "release", "--attest", "vsa", "--key", "key.pem")[0] == 0
    assert cosign(repo, "vsa") == 0
    code, _, err = summary(repo, "pkg:generic/api@1.2.0")
    assert (code, err.splitlines()[0]) == (
        0,
        "✔ dist/api.tar.gz was verified at 2026-11-25T12:00:00Z by maestro.yaml and trust.yaml, level 3, says gate",
    )
    assert summary(repo, "pkg:generic/api@1.2.1")[0] == 10


def test_a_summary_by_an_older_trust_yaml_is_none(repo: Path) -> None:
    believe_packer(repo)
    assert maestro(repo, "verify", "release", "--attest", "vsa", "--key", "key.pem")[0] == 0
    releases.merge(repo, "trust.yaml", (repo / "trust.yaml").read_text() + "# changed\n")
    code, _, err = summary(repo, "pkg:generic/api@1.2.0")
    assert (code, "verify/summary-policy" in err) == (10, True), err


def test_a_summary_by_a_maestro_yaml_that_asked_less_is_none(repo: Path) -> None:
    believe_packer(repo)
    config = (repo / "maestro.yaml").read_text()
    releases.merge(repo, "maestro.yaml", config.replace("requires: [artifacts, chain]", "requires: [artifacts]"))
    assert maestro(repo, "verify", "release", "--attest", "vsa", "--key", "key.pem")[0] == 0
    assert summary(repo, "pkg:generic/api@1.2.0")[0] == 0
    releases.merge(repo, "maestro.yaml", config)
    code, _, err = summary(repo, "pkg:generic/api@1.2.0")
    assert (code, "verified by another maestro.yaml (" in err) == (10, True), err


def test_a_summary_names_every_attestation_that_was_used(repo: Path) -> None:
    assert maestro(repo, "verify", "release", "--attest", "vsa", "--key", "key.pem")[0] == 0
    payload = json.loads(base64.b64decode(json.loads((repo / "vsa").read_bytes())["dsseEnvelope"]["payload"]))
    named = {one["uri"]: one["digest"]["sha256"] for one in payload["predicate"]["inputAttestations"]}
    links = [path.relative_to(repo).as_posix() for path in (repo / "links").iterdir()]
    used = ["api.sigstore.json", "dist/policy.tar.gz.sigstore.json", "layout", "verdict.sigstore.json", *links]
    assert named == {path: hashlib.sha256((repo / path).read_bytes()).hexdigest() for path in used}
    assert payload["predicate"]["urn:maestro-conductor:decided-by"]["commit"] == GitRepo(repo).head


def test_a_summary_of_a_file(repo: Path) -> None:
    argv = ("verify", "blob", "dist/api.tar.gz", "--bundle", "api.sigstore.json", "--attest", "vsa", "--key", "key.pem")
    assert maestro(repo, *argv)[0] == 0
    assert cosign(repo, "vsa") == 0


def test_a_failed_summary_is_no_pass(repo: Path) -> None:
    believe_packer(repo)
    _evil(repo)
    assert maestro(repo, "verify", "release", "--attest", "vsa", "--key", "key.pem")[0] == 10
    assert cosign(repo, "vsa") == 0, "cosign sees a signature, not a verdict"
    code, _, err = summary(repo, "pkg:generic/api@1.2.0")
    assert code == 10
    assert "does not say PASSED but 'FAILED'" in err


def test_an_auditor_follows_the_pack_without_us(repo: Path) -> None:
    code, out, err = maestro(repo, "evidence", "pack", "-o", "pack", "--key", "key.pem")
    assert code == 0, out + err
    pack = repo / "pack"
    commands = auditor.commands(pack)
    assert {word for line in commands for word in re.findall(r"^\w+", line)} == auditor.TOOLS
    assert auditor.failed(pack, commands) == []
    assert len(commands) >= 16
    (pack / "artifacts/dist/api.tar.gz").write_bytes(b"another")
    wrong = [line for line in commands if "artifacts/dist/api.tar.gz" in line or line.startswith("sha256sum -c")]
    assert len(wrong) == 4
    assert auditor.failed(pack, wrong) == wrong


def test_the_pack_says_what_decided(repo: Path) -> None:
    assert maestro(repo, "evidence", "pack", "-o", "pack", "--key", "key.pem")[0] == 0
    pack = repo / "pack"
    assert (pack / "decided-by/trust.yaml").read_bytes() == (repo / "trust.yaml").read_bytes()
    assert (pack / "decided-by/maestro.yaml").read_bytes() == (repo / "maestro.yaml").read_bytes()
    excerpt = json.loads((pack / "decided-by/trust.excerpt.json").read_text())
    assert excerpt["commit"] == GitRepo(repo).head
    assert excerpt["sha256"] == hashlib.sha256((repo / "trust.yaml").read_bytes()).hexdigest()
    assert [one["name"] for one in excerpt["artifacts"]] == ["api"]
    assert excerpt["artifacts"][0]["source"]["repository_id"] == 712345678
    assert excerpt["loosened"] == []
    assert f"git show {GitRepo(repo).head}:trust.yaml" in (pack / "README.md").read_text()
    for name in ("trust.yaml", "maestro.yaml"):
        data = (pack / "decided-by" / name).read_bytes()
        (pack / "decided-by" / name).write_bytes(data + b"# milder\n")
        lines = [one for one in auditor.commands(pack) if f"decided-by/{name}" in one or "cd decided-by" in one]
        assert len(lines) == 2
        assert auditor.failed(pack, lines) == lines
        (pack / "decided-by" / name).write_bytes(data)
        assert auditor.failed(pack, lines) == []
