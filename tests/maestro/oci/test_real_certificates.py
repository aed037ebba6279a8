"""What ``cosign attest`` signs with a certificate, in real registries: found in each of the three places, judged as
cosign judges it, and refused where only a gate must refuse. The authority and the log are the private Sigstore's, over
http."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import urllib3

from maestro.cli import main
from maestro.world import World
from tests.support import registries
from tests.support.private_sigstore.service import TOKEN, Service, serving
from tests.support.private_sigstore.workflow import Run
from tests.support.tools import tool

RUN = Run()
POLICY = """\
apiVersion: maestro-conductor/v1
kind: TrustPolicy
roots:
  - {{id: private, path: root.json, sha256: "{digest}"}}
artifacts:
  - name: api
    match: ["127.0.0.1:*/acme/api"]
    builders:
      - {{builder: github-artifact-attestations, workflow: acme/build/.github/workflows/build.yml, tags: ["v*"]}}
    source: {{repository: https://github.com/acme/api, repository_id: 712345678, tags: ["v*"]}}
"""


@dataclass
class Attesting:
    """A registry, and a Sigstore that certifies whatever run it is told."""

    folder: Path
    address: str
    service: Service
    images: int = 0

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        environ = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin"}
        command = [tool(argv[0]), *argv[1:]]
        return subprocess.run(
            command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=120, check=False
        )

    def good(self, *argv: str) -> str:
        done = self.run(*argv)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def image(self) -> str:
        """A new one, by its digest."""
        self.images += 1
        (self.folder / "layer.tar").write_bytes(bytes(10240 * self.images))
        tag = f"{self.address}/acme/api:v{self.images}"
        self.good("crane", "append", "--oci-empty-base", "-f", "layer.tar", "-t", tag)
        return f"{self.address}/acme/api@{self.good('crane', 'digest', tag)}"

    def attest(self, image: str, run: Run, *, legacy: bool = False) -> None:
        self.service.run = run
        (self.folder / "predicate.json").write_text(json.dumps(run.provenance_v1()))
        config = json.loads((self.folder / "signing.json").read_text())
        url = config["caUrls"][0]["url"]
        old = ("--use-signing-config=false", "--new-bundle-format=false", "--fulcio-url", url, "--rekor-url", url)
        how = old if legacy else ("--signing-config", "signing.json")
        signed = ("--identity-token", TOKEN, "--trusted-root", "root.json", "--yes")
        what = ("--predicate", "predicate.json", "--type", "slsaprovenance1")
        self.good("cosign", "attest", *how, *signed, *what, image)

    def cosign_accepts(self, image: str, *, legacy: bool = False) -> bool:
        """Told all that it can be told: who signed, for which repository, at which ref, on which event."""
        told = {
            "trusted-root": "root.json",
            "type": "slsaprovenance1",
            "certificate-identity": RUN.signer_uri,
            "certificate-oidc-issuer": RUN.issuer,
            "certificate-github-workflow-repository": RUN.repository,
            "certificate-github-workflow-ref": RUN.ref,
            "certificate-github-workflow-trigger": RUN.trigger,
            "new-bundle-format": str(not legacy).lower(),
        }
        options = [f"--{name}={value}" for name, value in told.items()]
        return self.run("cosign", "verify-attestation", *options, image).returncode == 0

    def verify(self, image: str, policy: str = "trust.yaml") -> tuple[int, str | None]:
        out = io.StringIO()
        world = World(
            environ={"HOME": str(self.folder)},
            cwd=self.folder,
            stdout=out,
            stderr=io.StringIO(),
            now=lambda: dt.datetime.now(dt.UTC),
        )
        code = main(["verify", "image", "--policy", policy, "--format", "json", image], world)
        [found] = json.loads(out.getvalue())["artifacts"]
        return code, found["reason"]


@pytest.fixture(scope="module", params=["distribution", "with_referrers"])
def attesting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attesting]:
    folder = tmp_path_factory.mktemp("registry")
    with getattr(registries, request.param)(folder) as address, serving(folder, RUN) as service:
        digest = hashlib.sha256((folder / "root.json").read_bytes()).hexdigest()
        (folder / "trust.yaml").write_text(POLICY.format(digest=digest))
        loosened = POLICY + "    loosen: {{promise_without_proof: true}}\n"
        (folder / "loosened.yaml").write_text(loosened.format(digest=digest))
        yield Attesting(folder, address, service)


def test_a_certificate_in_a_bundle(attesting: Attesting) -> None:
    image = attesting.image()
    attesting.attest(image, RUN)
    assert attesting.verify(image) == (0, None)
    assert attesting.cosign_accepts(image)
    # Either the registry answers who refers to the image, or a tag stands in for the answer: both are real here.
    tags = attesting.good("crane", "ls", f"{attesting.address}/acme/api").split()
    stands_in = image.rpartition("@")[2].replace(":", "-") in tags
    asked = f"http://{attesting.address}/v2/acme/api/referrers/{image.rpartition('@')[2]}"
    assert stands_in == (urllib3.request("GET", asked).status == 404)


def test_a_certificate_in_the_old_form(attesting: Attesting) -> None:
    image = attesting.image()
    attesting.attest(image, RUN, legacy=True)
    assert attesting.cosign_accepts(image, legacy=True)
    # It has the log's promise alone.
    assert attesting.verify(image) == (10, "verify/log-inclusion")
    assert attesting.verify(image, "loosened.yaml") == (0, None)
    other = attesting.image()
    attesting.attest(other, replace(RUN, repository="acme/api-evil"), legacy=True)
    assert attesting.verify(other, "loosened.yaml") == (10, "verify/repository")
    assert not attesting.cosign_accepts(other, legacy=True)


@pytest.mark.parametrize(
    ("run", "reason", "cosign"),
    [
        (replace(RUN, repository="acme/api-evil"), "verify/repository", False),
        (replace(RUN, issuer="https://token.actions.example"), "verify/issuer", False),
        (replace(RUN, signer="acme/other/.github/workflows/build.yml@refs/tags/v3"), "verify/builder", False),
        (replace(RUN, ref="refs/pull/7/merge", trigger="pull_request"), "verify/pull-request", False),
        (replace(RUN, ref="refs/heads/main"), "verify/ref", False),
        (replace(RUN, repository_id="1"), "verify/repository-id", True),
        (replace(RUN, runner="self-hosted"), "verify/runner", True),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_another_origin_is_refused(attesting: Attesting, run: Run, reason: str, cosign: bool) -> None:
    """cosign has no way to be told of a repository's number, nor of the machine."""
    image = attesting.image()
    attesting.attest(image, run)
    assert attesting.verify(image) == (10, reason)
    assert attesting.cosign_accepts(image) == cosign
