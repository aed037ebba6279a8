"""`maestro verify blob` against cosign and sigstore-python, on bundles of the private Sigstore of the tests.

Three ratios: 100 attestations of one release in one command against 100 runs of cosign (goal 0.25; cosign is run on 25
of them, as one run is like another, and its time is taken four times); one attestation,
whole command, against importing sigstore-python (goal 1.5); one attestation in a warm process against sigstore-python
alone (goal 1.5).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from maestro.evidence.trust import Trust
from maestro.provenance import trusted_root
from maestro.provenance.authenticate import Believed
from maestro.provenance.trust_policy import load_trust_policy
from maestro.provenance.verify import Evidence, Subject, verify
from tests.support.private_sigstore.instance import PrivateSigstore
from tests.support.private_sigstore.workflow import Run, statement
from tests.support.tools import tool

COUNT = 100
SHARE = 4
"""Cosign judges every fourth: its hundred processes would take most of the time there is."""
POLICY = """\
apiVersion: maestro-conductor/v1
kind: TrustPolicy
roots:
  - {{id: private, path: root.json, sha256: "{digest}"}}
artifacts:
  - name: api
    match: ["dist/*"]
    max_age_days: 3650
    builders:
      - {{builder: github-artifact-attestations, workflow: acme/build/.github/workflows/build.yml, tags: ["v*"]}}
    source: {{repository: https://github.com/acme/api, repository_id: 712345678, tags: ["v*"]}}
"""


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def ratio(
    name: str, ours: Callable[[], object], peer: Callable[[], object], runs: int, goal: float, times: int = 1
) -> bool:
    """Medians of interleaved rounds; ``times``: how often the peer's work is to be counted."""
    pairs = [(seconds(ours), times * seconds(peer)) for _ in range(runs + 1)][1:]
    mine, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{name}: {mine * 1000:.1f} ms against {theirs * 1000:.1f} ms, ratio {mine / theirs:.2f} (goal {goal})")
    return bool(mine / theirs <= goal)


def main() -> int:
    at = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    sigstore = PrivateSigstore(at - dt.timedelta(days=100))
    run = Run()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "dist").mkdir()
        (folder / "root.json").write_text(json.dumps(sigstore.trusted_root()))
        digest = hashlib.sha256((folder / "root.json").read_bytes()).hexdigest()
        (folder / "trust.yaml").write_text(POLICY.format(digest=digest))
        for number in range(COUNT):
            (folder / f"dist/{number}").write_bytes(b"artifact %d" % number)
            sha256 = hashlib.sha256(b"artifact %d" % number).hexdigest()
            bundle = sigstore.attest(statement(run.provenance_v1(), sha256), sigstore.signer(run, at), at=at)
            (folder / f"{number}.json").write_text(json.dumps(bundle))
        for argv in (["init", "-q", "-b", "main"], ["add", "trust.yaml", "root.json"]):
            subprocess.run(["git", *argv], cwd=folder, check=True)
        subprocess.run(
            ["git", "-c", "user.name=b", "-c", "user.email=b@b.example", "commit", "-qm", "b"], cwd=folder, check=True
        )
        return measured(folder, run)


def measured(folder: Path, run: Run) -> int:
    maestro = str(Path(sys.executable).with_name("maestro"))
    cosign = [tool("cosign"), "verify-blob-attestation", "--trusted-root", "root.json", "--type", "slsaprovenance1"]
    cosign += ["--certificate-identity", run.signer_uri, "--certificate-oidc-issuer", run.issuer]

    def command(argv: list[str]) -> None:
        subprocess.run(argv, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ours(count: int) -> None:
        files = [f"dist/{number}" for number in range(count)]
        bundles = [word for number in range(count) for word in ("--bundle", f"{number}.json")]
        command([maestro, "verify", "blob", *files, *bundles])

    def theirs() -> None:
        for number in range(0, COUNT, SHARE):
            command([*cosign, "--bundle", f"{number}.json", f"dist/{number}"])

    good = ratio(f"{COUNT} attestations, whole command", lambda: ours(COUNT), theirs, 3, 0.25, SHARE)
    imported = [sys.executable, "-c", "import sigstore.verify"]
    good &= ratio("one attestation, whole command", lambda: ours(1), lambda: command(imported), 5, 1.5)
    return 0 if good & warm(folder, run) else 1


def warm(folder: Path, run: Run) -> bool:
    from sigstore.models import Bundle
    from sigstore.models import TrustedRoot as Theirs
    from sigstore.verify import Verifier
    from sigstore.verify.policy import Identity

    data = (folder / "0.json").read_bytes()
    subject = Subject("dist/0", hashlib.sha256((folder / "dist/0").read_bytes()).hexdigest())
    policy = load_trust_policy("trust.yaml", (folder / "trust.yaml").read_bytes())
    root = trusted_root.load((folder / "root.json").read_bytes(), name="private", where="root.json")
    believed, now = Believed([root], Trust({})), dt.datetime.now(dt.UTC)
    verifier = Verifier(trusted_root=Theirs.from_file(str(folder / "root.json")))
    expected = Identity(identity=run.signer_uri, issuer=run.issuer)

    def ours() -> None:
        [found] = verify([subject], [Evidence("0.json", data)], policy, believed, now)
        if not found.proven:
            raise SystemExit(f"not proven: {found.problem}")

    def theirs() -> None:
        verifier.verify_dsse(Bundle.from_json(data), expected)

    return ratio("one attestation, warm", ours, theirs, 200, 1.5)


if __name__ == "__main__":
    raise SystemExit(main())
