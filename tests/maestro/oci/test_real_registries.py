"""Real registries, with attestations that cosign put there; both forms, both registries, and cosign's own answer."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from maestro.cli import main
from maestro.evidence.summary import DecidedBy, summary
from maestro.world import World
from tests.maestro.provenance.refusals import NOW
from tests.support import registries
from tests.support.tools import tool

KIND = "https://example.test/release/v1"
APPROVED = {"approved": True}
HTPASSWD = "me:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"  # secret, by bcrypt


def run(folder: Path, *argv: str) -> str:
    environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "COSIGN_PASSWORD": ""}
    done = subprocess.run(
        [tool(argv[0]), *argv[1:]], cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class Signed:
    """A registry with one image, a key, and the folder they came from."""

    folder: Path
    address: str
    digest: str

    @property
    def image(self) -> str:
        return f"{self.address}/acme/api@{self.digest}"

    def attest(
        self,
        *more: str,
        image: str = "",
        key: str = "cosign",
        kind: str = KIND,
        predicate: Mapping[str, Any] = APPROVED,
    ) -> None:
        (self.folder / "predicate.json").write_text(json.dumps(predicate))
        options = ("--tlog-upload=false", "--use-signing-config=false", "--yes", "--type", kind)
        what = ("--key", f"{key}.key", "--predicate", "predicate.json", *options, *more)
        run(self.folder, "cosign", "attest", *what, image or self.image)

    def verify(self, *argv: str, command: str = "image", **environ: str) -> tuple[int, str]:
        err = io.StringIO()
        world = World(
            environ={"HOME": str(self.folder), **environ},
            cwd=self.folder,
            stdout=io.StringIO(),
            stderr=err,
            now=lambda: NOW,
        )
        return main(["verify", command, "--policy", "trust.yaml", *argv], world), err.getvalue()


def _signed(folder: Path, address: str) -> Signed:
    (folder / "layer.tar").write_bytes(bytes(10240))
    tag = f"{address}/acme/api:v1"
    run(folder, "crane", "append", "--oci-empty-base", "-f", "layer.tar", "-t", tag)
    run(folder, "cosign", "generate-key-pair")
    key = (folder / "cosign.pub").read_text().replace("\n", "\n      ").strip()
    (folder / "trust.yaml").write_text(f"""\
apiVersion: maestro-conductor/v1
kind: TrustPolicy
keys:
  - id: release
    public_key: |
      {key}
    valid_from: 2026-01-01
artifacts:
  - name: api
    match: ["127.0.0.1:*/acme/api"]
    predicate_types: [{KIND}]
    builders: [{{builder: other, key: release}}]
    minimum_level: 0
    loosen: {{any_age: true}}
summaries:
  - {{name: gate, key: release, resources: ["pkg:oci/*"]}}
""")
    return Signed(folder, address, run(folder, "crane", "digest", tag))


@pytest.fixture(scope="module", params=["distribution", "go_containerregistry", "with_referrers"])
def signed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    folder = tmp_path_factory.mktemp("registry")
    with getattr(registries, request.param)(folder) as address:
        yield _signed(folder, address)


def test_cosigns_attestations_are_believed(signed: Signed) -> None:
    tag = f"{signed.address}/acme/api:v1"
    code, err = signed.verify(tag)
    assert (code, "verify/image-unattested" in err) == (10, True), err
    signed.attest("--new-bundle-format=false")
    code, err = signed.verify(tag)
    assert code == 0, err
    assert err.splitlines()[0].startswith(f"✔ {tag} is proven  {signed.digest[:20]}")
    assert f"use it as {signed.image}" in err
    # The same as a bundle, beside it.
    signed.attest()
    assert signed.verify(signed.image)[0] == 0
    options = ("--key", "cosign.pub", "--insecure-ignore-tlog", "--type", KIND)
    run(signed.folder, "cosign", "verify-attestation", *options, signed.image)


def test_another_image_of_the_same_repository_is_not(signed: Signed) -> None:
    (signed.folder / "other.tar").write_bytes(bytes(20480))
    other = f"{signed.address}/acme/api:other"
    run(signed.folder, "crane", "append", "--oci-empty-base", "-f", "other.tar", "-t", other)
    digest = run(signed.folder, "crane", "digest", other)
    signed.attest("--new-bundle-format=false")
    copied = f"{signed.address}/acme/api:sha256-{digest.removeprefix('sha256:')}.att"
    mine = f"{signed.address}/acme/api:sha256-{signed.digest.removeprefix('sha256:')}.att"
    run(signed.folder, "crane", "copy", mine, copied)
    code, err = signed.verify(other)
    assert (code, "verify/subject-mismatch" in err) == (10, True), err


def test_a_summary_beside_the_image_is_believed(signed: Signed) -> None:
    resource = ("--resource", "pkg:oci/api")
    (signed.folder / "fourth.tar").write_bytes(bytes(40960))
    tag = f"{signed.address}/acme/api:fourth"
    run(signed.folder, "crane", "append", "--oci-empty-base", "-f", "fourth.tar", "-t", tag)
    digest = run(signed.folder, "crane", "digest", tag)
    image = f"{signed.address}/acme/api@{digest}"
    code, err = signed.verify(image, *resource, command="summary")
    assert (code, "verify/image-unattested" in err) == (10, True), err
    signed.attest(image=image)
    code, err = signed.verify(image, *resource, command="summary")
    assert (code, "verify/predicate-type" in err) == (10, True), err
    policy = hashlib.sha256((signed.folder / "trust.yaml").read_bytes()).hexdigest()
    said = summary(
        [],
        resource=resource[1],
        decided_by=DecidedBy({"trust.yaml": policy}),
        inputs={},
        level=3,
        signers=[],
        loosened=[],
        now=NOW,
    )
    signed.attest(image=image, kind=said.predicate_type, predicate=said.predicate)
    code, err = signed.verify(tag, *resource, command="summary")
    lines = err.splitlines()
    assert (code, lines[0]) == (0, f"{tag} is {image}")
    assert lines[1] == f"✔ {tag} was verified at 2026-11-25T00:00:00Z by trust.yaml, level 3, says gate"
    assert signed.verify(signed.image, *resource, command="summary")[0] == 10
    code, err = signed.verify(image, "--resource", "pkg:oci/other", command="summary")
    assert (code, "verify/summary-resource" in err) == (10, True), err
    (signed.folder / "trust.yaml").write_text((signed.folder / "trust.yaml").read_text() + "# changed\n")
    code, err = signed.verify(image, *resource, command="summary")
    assert (code, "verified by another trust.yaml" in err) == (10, True), err


def test_another_key_is_not_believed(signed: Signed) -> None:
    (signed.folder / "third.tar").write_bytes(bytes(30720))
    third = f"{signed.address}/acme/api:third"
    run(signed.folder, "crane", "append", "--oci-empty-base", "-f", "third.tar", "-t", third)
    run(signed.folder, "cosign", "generate-key-pair", "--output-key-prefix", "stranger")
    image = f"{signed.address}/acme/api@{run(signed.folder, 'crane', 'digest', third)}"
    for form in ("--new-bundle-format=false", "--new-bundle-format=true"):
        signed.attest(form, image=image, key="stranger")
        code, err = signed.verify(third)
        assert (code, "verify/key-unknown" in err) == (10, True), err


def test_what_is_not_there(signed: Signed) -> None:
    code, err = signed.verify(f"{signed.address}/acme/api:nothing")
    assert (code, "has no image" in err) == (3, True)
    code, err = signed.verify(f"{signed.address}/acme/nothing@{signed.digest}")
    assert (code, "has no image" in err) == (3, True)


def test_a_registry_that_wants_a_password(tmp_path: Path) -> None:
    with registries.distribution(tmp_path, htpasswd=HTPASSWD) as address:
        (tmp_path / ".docker").mkdir()
        config = {"auths": {address: {"auth": base64.b64encode(b"me:secret").decode()}}}
        (tmp_path / ".docker/config.json").write_text(json.dumps(config))
        signed = _signed(tmp_path, address)
        signed.attest()
        assert signed.verify(signed.image)[0] == 0
        (tmp_path / ".docker/config.json").write_text("{}")
        code, err = signed.verify(signed.image)
        assert (code, "wants a user and a password" in err) == (1, True)
        assert f"docker login {address}" in err
