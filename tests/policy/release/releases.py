"""A governed repository with one release in it: two files, a policy bundle, a chain."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

from maestro.cli import main
from maestro.evidence.verdict import TreeVerdict, attest
from maestro.world import World
from tests.maestro.chain import chains
from tests.maestro.evidence import keys
from tests.maestro.provenance.refusals import RUN, SIGSTORE, attested
from tests.policy.bundle import bundles
from tests.support.git_repo import GitRepo
from tests.support.private_sigstore.workflow import Run

RELEASE = """\
apiVersion: maestro-conductor/v1
kind: Release
name: api
version: 1.2.0
artifacts:
  - path: dist/api.tar.gz
    bundles: [api.sigstore.json]
policy_bundles: [dist/policy.tar.gz]
chain: {layout: layout, links: links}
verdicts: [verdict.sigstore.json]
"""
TRUST = """\
apiVersion: maestro-conductor/v1
kind: TrustPolicy
roots:
  - {{id: private, path: trust/root.json, sha256: "{digest}"}}
artifacts:
  - name: api
    match: ["dist/api*.tar.gz"]
    builders:
      - {{builder: github-artifact-attestations, workflow: acme/build/.github/workflows/build.yml, tags: ["v*"]}}
    source: {{repository: https://github.com/acme/api, repository_id: 712345678, tags: ["v*"]}}
"""


IMAGE_ENTRY = """\
  - name: image
    match: ["127.0.0.1:*/acme/api"]
    builders:
      - {builder: github-artifact-attestations, workflow: acme/build/.github/workflows/build.yml, tags: ["v*"]}
    source: {repository: https://github.com/acme/api, repository_id: 712345678, tags: ["v*"]}
"""


def key(name: str, indent: int) -> str:
    pem = "".join(" " * (indent + 4) + line + "\n" for line in keys.signer(name).public_key_pem.splitlines())
    pad = " " * indent
    return f"{pad}- id: {name}\n{pad}  valid_from: 2026-01-01\n{pad}  public_key: |\n{pem}"


def config() -> str:
    return (
        "apiVersion: maestro-conductor/v1\nkeys:\n"
        + key("gates", 2)
        + "bundles:\n  - path: policy/vendor/policy.tar.gz\n    minimum_revision: 1\n    keys:\n"
        + key("release", 6)
        + "release:\n  requires: [artifacts, chain]\n  layout_keys:\n"
        + key("owner", 4)
    )


def merge(folder: Path, path: str, text: str) -> None:
    """Put a file on the default branch."""
    GitRepo(folder).commit({path: text})


def built(folder: Path, **changes: str) -> Run:
    """The build of the release: at the first commit, on which the verdict was given."""
    return replace(RUN, **{"commit": GitRepo(folder).git("rev-list", "--max-parents=0", "HEAD"), **changes})


def make(folder: Path) -> Path:
    """The repository; its working tree holds the release."""
    git = GitRepo.init(folder)
    root = json.dumps(SIGSTORE.trusted_root())
    trust = TRUST.format(digest=hashlib.sha256(root.encode()).hexdigest())
    git.commit({"maestro.yaml": config(), "trust.yaml": trust, "trust/root.json": root})
    archive, statement = bundles.attested(bundles.built(commit=git.git("rev-parse", "HEAD")))
    data = b"the artifact"
    made = {"dist/api.tar.gz": data, "dist/policy.tar.gz": archive}
    chains.make(folder, produce=made)
    tree = git.git("rev-parse", "HEAD^{tree}")
    verdict = TreeVerdict(tree, True, git.head, chains.NOW, "0.1.0", None, {}, {})
    for name, content in {
        "api.sigstore.json": attested(built(folder)).data,
        "dist/policy.tar.gz.sigstore.json": statement,
        "verdict.sigstore.json": attest(verdict, keys.signer("gates")),
        "release.yaml": RELEASE.encode(),
        "key.pem": keys.pem("packer"),
        "packer.pub": keys.signer("packer").public_key_pem.encode(),
    }.items():
        (folder / name).write_bytes(content)
    return folder


def maestro(folder: Path, *argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    world = World(environ={"CI": "true"}, cwd=folder, stdout=out, stderr=err, now=lambda: chains.NOW)
    return main(list(argv), world), out.getvalue(), err.getvalue()
