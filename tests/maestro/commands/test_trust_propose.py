"""``maestro trust propose``: as narrow an entry as can be, of claims that nobody has verified."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from maestro.cli import main
from maestro.provenance.trust_policy import load_trust_policy
from maestro.world import World
from tests.maestro.oci.test_lying_registry import bundle
from tests.maestro.provenance.refusals import DATA, NOW, OTHER, RUN, SHA256, SIGSTORE, Tried, _generator, attested, says
from tests.support.git_repo import GitRepo
from tests.support.private_sigstore.workflow import statement
from tests.support.registries import LyingRegistry, Reply

HEAD = 'apiVersion: maestro-conductor/v1\nkind: TrustPolicy\nroots: [{{id: private, path: root.json, sha256: "{}"}}]\n'


def propose(folder: Path, data: bytes, *, artifact: bytes = DATA) -> tuple[int, str, str]:
    repo = folder / "repo"
    if not repo.exists():
        GitRepo.init(repo)
        (repo / "dist").mkdir()
    (repo / "dist/api.tar.gz").write_bytes(artifact)
    (repo / "b.json").write_bytes(data)
    return maestro(repo, "trust", "propose", "dist/api.tar.gz", "--bundle", "b.json")


def maestro(repo: Path, *words: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main([*words], World(environ={}, cwd=repo, stdout=out, stderr=err, now=lambda: NOW))
    return code, out.getvalue(), err.getvalue()


def test_the_whole_of_it(tmp_path: Path) -> None:
    code, out, err = propose(tmp_path, attested().data)
    assert code == 0
    assert (
        out
        == """\
artifacts:
  - name: api-tar-gz
    match: ["dist/api.tar.gz"]
    builders:
      - {builder: github-artifact-attestations, workflow: "acme/build/.github/workflows/build.yml", tags: ["v3"]}
    source: {repository: "https://github.com/acme/api", repository_id: 712345678, owner_id: 4242, tags: ["v1.2.0"]}
"""
    )
    assert err.startswith(
        "# Claimed by b.json; NOTHING OF IT WAS VERIFIED:\n  signed by  https://github.com/acme/build/"
    )
    assert "  built from https://github.com/acme/api at refs/tags/v1.2.0\n" in err


def test_of_an_image_what_lies_beside_it_is_read(tmp_path: Path) -> None:
    git, registry = GitRepo.init(tmp_path / "repo"), LyingRegistry()
    try:
        image = registry.image("v1")
        name = f"{registry.address}/acme/api"
        asked = ("trust", "propose", f"{name}:v1")
        code, _, err = maestro(git.path, *asked)
        assert (code, "no attestation lies beside it" in err) == (3, True), err
        registry.attach(json.dumps(attested().bundle).encode(), image)  # of another subject
        assert maestro(git.path, *asked)[0] == 3
        registry.attach(bundle(image), image)
        code, entry, err = maestro(git.path, *asked)
        assert (code, f'    match: ["{name}"]\n' in entry) == (0, True), entry
        assert f"{name}:v1 is {name}@sha256:{image}\n# Claimed by referrer sha256:" in err
        root = json.dumps(SIGSTORE.trusted_root())
        trust = HEAD.format(hashlib.sha256(root.encode()).hexdigest()) + entry
        git.commit({"root.json": root, "trust.yaml": trust})
        assert maestro(git.path, "verify", "image", f"{name}:v1")[0] == 0
        registry.lie = lambda asked: Reply(429, {"Retry-After": "3600"}) if "/blobs/" in asked.path else None
        code, _, err = maestro(git.path, *asked)
        assert (code, "cannot be asked" in err) == (1, True), err
        code, _, err = maestro(git.path, "trust", "propose", "dist/api.tar.gz")
        assert (code, "of a file, name its attestation: --bundle FILE" in err) == (2, True), err
    finally:
        registry.stop()


OWN = replace(RUN, signer="acme/api/.github/workflows/release.yml@refs/tags/v1.2.0")


def _with_parameter(value: str = "${{ evil }}\\ #") -> Tried:
    return says(
        lambda said: said["predicate"]["buildDefinition"]["externalParameters"].update(
            {"inputs": {'a: b" - x, }': value}}
        )
    )


@pytest.mark.parametrize(
    ("tried", "loosened"),
    [
        (attested, ()),
        (lambda: _generator("refs/tags/v2.1.0"), ()),
        (lambda: attested(OWN), ("minimum_level: 2",)),
        (lambda: attested(replace(RUN, runner="self-hosted")), ("loosen.self_hosted_runners",)),
        (lambda: attested(replace(RUN, trigger="schedule")), ("source.triggers: schedule",)),
        (lambda: attested(replace(RUN, ref="refs/heads/main")), ()),
        (_with_parameter, ()),
    ],
)
def test_what_it_proposes_allows_exactly_that(tmp_path: Path, tried: object, loosened: tuple[str, ...]) -> None:
    bundle = tried().data  # type: ignore[operator]
    code, out, err = propose(tmp_path, bundle)
    assert code == 0, err
    root = json.dumps(SIGSTORE.trusted_root())
    repo = tmp_path / "repo"
    text = HEAD.format(hashlib.sha256(root.encode()).hexdigest()) + out
    [entry] = load_trust_policy("trust.yaml", text.encode()).artifacts
    assert entry.loosened() == loosened
    if loosened:
        assert "only by loosening" in err or "triggers" in loosened[0]
    (repo / "root.json").write_text(root)
    (repo / "trust.yaml").write_text(text)
    said = maestro(repo, "verify", "blob", "dist/api.tar.gz", "--bundle", "b.json", "--policy", "trust.yaml")
    assert said[0] == 0, said


def test_it_believes_nothing(tmp_path: Path) -> None:
    """What another instance signed is proposed like anything else, and still not believed."""
    bundle = json.dumps(OTHER.attest(statement(RUN.provenance_v1(), SHA256), OTHER.signer(RUN))).encode()
    assert propose(tmp_path, bundle)[1] == propose(tmp_path, attested().data)[1]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{", "cannot be read"),
        (b"", "cannot be read"),
        (_with_parameter("two\nlines").data, "cannot stand in trust.yaml"),
        (attested(replace(RUN, ref="refs/pull/7/merge")).data, "neither a branch nor a tag"),
        (attested(replace(RUN, trigger="pull_request_target")).data, "pull_request_target"),
        (says(lambda value: value["subject"][0]["digest"].update(sha256="0" * 64)).data, "says nothing about"),
    ],
)
def test_what_cannot_be_proposed_is_said(tmp_path: Path, data: bytes, words: str) -> None:
    code, out, err = propose(tmp_path, data)
    assert (code in (2, 3), out) == (True, "")
    assert words in err
