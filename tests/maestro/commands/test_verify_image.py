"""``maestro verify image`` in a repository: who decides, what it prints, how it exits."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maestro.cli import main
from maestro.world import World
from tests.maestro.oci.test_lying_registry import bundle
from tests.maestro.provenance.refusals import NOW, RUN, SIGSTORE
from tests.support.git_repo import GitRepo
from tests.support.registries import Asked, LyingRegistry, Reply, sha256
from tests.support.tools import ROOT

POLICY = """\
apiVersion: maestro-conductor/v1
kind: TrustPolicy
roots:
  - {{id: private, path: trust/root.json, sha256: "{digest}"}}
artifacts:
  - name: api
    match: ["127.0.0.1:*/acme/api"]
    builders:
      - {{builder: github-artifact-attestations, workflow: acme/build/.github/workflows/build.yml, tags: ["v*"]}}
    source: {{repository: https://github.com/acme/api, repository_id: 712345678, tags: ["v*"]}}
"""


@pytest.fixture
def registry() -> Iterator[LyingRegistry]:
    server = LyingRegistry()
    good = server.image("v1")
    server.attach(bundle(good), good)
    evil = server.image("evil", content=b"evil")
    server.attach(bundle(evil, replace(RUN, repository="acme/api-evil")), evil)
    server.image("bare", content=b"bare")
    yield server
    server.stop()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git = GitRepo.init(tmp_path / "repo")
    root = json.dumps(SIGSTORE.trusted_root())
    git.commit({"trust.yaml": POLICY.format(digest=sha256(root.encode())), "trust/root.json": root})
    return git.path


def run(cwd: Path, *argv: str, **environ: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    world = World(environ=environ, cwd=cwd, stdout=out, stderr=err, now=lambda: NOW)
    return main(["verify", "image", *argv], world), out.getvalue(), err.getvalue()


def test_proven_and_how_to_use_it(repo: Path, registry: LyingRegistry) -> None:
    name = f"{registry.address}/acme/api"
    digest = sha256(registry.manifests["v1"][1])
    code, out, err = run(repo, f"{name}:v1")
    assert (code, out) == (0, "")
    assert err.replace(registry.address, "registry.test") == (
        f"✔ registry.test/acme/api:v1 is proven  sha256:{digest[:16]}…\n"
        "    api: github-artifact-attestations (level 3), from https://github.com/acme/api at refs/tags/v1.2.0, "
        f"commit {RUN.commit[:12]}, signed 2026-11-20\n"
        f"1 of 1 proven, by trust.yaml at main ({GitRepo(repo).head[:12]})\n"
        f"use it as registry.test/acme/api@sha256:{digest}\n"
    )


def test_each_image_has_its_verdict(repo: Path, registry: LyingRegistry) -> None:
    names = [f"{registry.address}/acme/api:{tag}" for tag in ("v1", "evil", "bare")]
    code, out, err = run(repo, *names, "--format", "json")
    assert (code, err) == (10, "")
    found = {one["name"]: (one["reason"], one["stage"]) for one in json.loads(out)["artifacts"]}
    assert list(found) == names
    assert list(found.values()) == [
        (None, None),
        ("verify/repository", "expectations"),
        ("verify/image-unattested", "image"),
    ]
    code, _, err = run(repo, *names)
    assert "→ attest it again with a current cosign or actions/attest" in err
    assert err.count("use it as") == 1


def test_in_ci_only_the_merged_policy_decides(repo: Path, registry: LyingRegistry) -> None:
    milder = (repo / "trust.yaml").read_text().replace("acme/api,", "acme/api-evil,")
    (repo / "mine.yaml").write_text(milder)
    evil = f"{registry.address}/acme/api:evil"
    assert run(repo, evil, "--policy", "mine.yaml")[0] == 0
    code, _, err = run(repo, evil, "--policy", "mine.yaml", CI="true")
    assert (code, "in CI only that one decides" in err) == (2, True)


def busy(asked: Asked) -> Reply | None:
    return Reply(429, {"Retry-After": "3600"}) if "v1" in asked.target else None


def test_an_outage_is_no_verdict(repo: Path, registry: LyingRegistry) -> None:
    registry.lie = busy
    code, out, err = run(repo, f"{registry.address}/acme/api:v1")
    assert (code, out) == (1, "")
    assert err.replace(registry.address, "registry.test") == (
        "✘ registry.test/acme/api:v1 is not proven: the registry registry.test cannot be asked: "
        "it asks for fewer requests (429), and to wait for 3600 s\n"
        "    verify/image-unanswered (`maestro explain verify/image-unanswered`)\n"
        "    → try again later\n"
        f"0 of 1 proven, by trust.yaml at main ({GitRepo(repo).head[:12]})\n"
    )


@pytest.mark.parametrize(
    ("tags", "code"),
    [
        (("v1", "good"), 1),
        (("good", "v1", "none"), 3),
        (("v1", "none", "evil", "good"), 10),
        (("none", "good"), 3),
    ],
)
def test_no_image_keeps_another_from_its_verdict(
    repo: Path, registry: LyingRegistry, tags: tuple[str, ...], code: int
) -> None:
    registry.manifests["good"] = registry.manifests["v1"]
    registry.lie = busy
    found, out, err = run(repo, *(f"{registry.address}/acme/api:{tag}" for tag in tags), "--format", "json")
    reasons = {
        "v1": "verify/image-unanswered",
        "none": "verify/image-missing",
        "evil": "verify/repository",
        "good": None,
    }
    assert (found, err) == (code, "")
    assert [one["reason"] for one in json.loads(out)["artifacts"]] == [reasons[tag] for tag in tags]


def test_dockers_configuration_spoils_only_what_needs_it(repo: Path, registry: LyingRegistry, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    registry.manifests["good"] = registry.manifests["v1"]
    registry.lie = lambda asked: (
        Reply(401, {"WWW-Authenticate": "Basic realm=x"}) if asked.target.endswith("v1") else None
    )
    names = [f"{registry.address}/acme/api:{tag}" for tag in ("v1", "good")]
    code, _, err = run(repo, *names, DOCKER_CONFIG=str(tmp_path))
    assert (code, "1 of 2 proven" in err, "→ `docker login` writes it" in err) == (2, True, True), err
    # First needed for what lies beside an image, it spoils no more.
    registry.lie = lambda asked: (
        Reply(401, {"WWW-Authenticate": "Basic realm=x"}) if "referrers" in asked.path else None
    )
    names = [f"{registry.address}/acme/api:{tag}" for tag in ("v1", "none")]
    code, out, _ = run(repo, *names, "--format", "json", DOCKER_CONFIG=str(tmp_path))
    found = [(one["reason"], one["message"]) for one in json.loads(out)["artifacts"]]
    where = f"{tmp_path}/config.json"
    assert code == 2
    assert found[0] == ("verify/image-unanswered", f"{where}: not Docker's configuration: it is not JSON")
    assert found[1][0] == "verify/image-missing"


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("api",), 2, "'api' is not the name of an image: it names no registry"),
        (("ghcr.io/acme/api",), 2, "`latest` is not assumed"),
        ((), 2, "required: REF"),
        (("{address}/acme/api:none",), 3, "the registry has no image {address}/acme/api:none"),
        (("{address}/acme/api:v1", "--policy", "none.yaml"), 3, "none.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_judged(
    repo: Path, registry: LyingRegistry, argv: tuple[str, ...], code: int, words: str
) -> None:
    found, _, err = run(repo, *(one.format(address=registry.address) for one in argv))
    assert (found, words.format(address=registry.address) in err) == (code, True), err


def test_words_of_a_registry_are_only_text(repo: Path, registry: LyingRegistry) -> None:
    body = b'{"mediaType": "\\u001b[31m::error::x\\n"}'
    registry.lie = lambda asked: Reply(200, {"Content-Type": "a"}, body)
    code, _, err = run(repo, f"{registry.address}/acme/api:v1")
    assert code == 10
    assert "\x1b" not in err
    assert "\n::error" not in err


@pytest.mark.parametrize("tag", ["v1", "evil"])
def test_the_guide_shows_what_is_said(repo: Path, registry: LyingRegistry, tag: str) -> None:
    page = (ROOT / "docs/guides/verify-images.md").read_text("utf-8")
    err = run(repo, f"{registry.address}/acme/api:{tag}")[2]
    said = re.sub(r"at main \(\w+\)", "at main (1f89e38ab0c4)", err.replace(registry.address, "ghcr.io"))
    assert f"```text\n{said}```" in page, said
