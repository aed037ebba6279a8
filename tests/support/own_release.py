"""Our own release on this machine: the scripts of release.yml, in a folder for each job, with throw-away keys.

Only GitHub's part is played: a private Sigstore attests what the job ``sign`` made. ``python -m
tests.support.own_release`` is ``make release-rehearsal``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from maestro.evidence.ecdsa_signer import EcdsaSigner
from tests.support.git_repo import GitRepo
from tests.support.private_sigstore.instance import PrivateSigstore
from tests.support.private_sigstore.workflow import Run, statement
from tests.support.tools import ROOT

STEPS = ("checkout", "test", "build", "bundle", "sign", "verify")
KEYS = (*STEPS, "owner", "policy")
REPOSITORY = "acme/maestro-conductor"
WORKFLOW = f"{REPOSITORY}/.github/workflows/release.yml"
RUN = Run(repository=REPOSITORY, ref="refs/tags/v0.1.0", signer=f"{WORKFLOW}@refs/tags/v0.1.0")
TRUST = """\
apiVersion: maestro-conductor/v1
kind: TrustPolicy
roots:
  - {{id: private, path: trust/root.json, sha256: "{digest}"}}
artifacts:
  - name: release
    match: ["maestro_conductor-*", "policy.tar.gz"]
    builders: [{{builder: github-artifact-attestations, workflow: {workflow}, tags: ["v*"]}}]
    source: {{repository: https://github.com/{repository}, repository_id: 712345678, tags: ["v*"]}}
    minimum_level: 2
"""
A_FEW_TESTS = f"{sys.executable} -m pytest -q -p no:cacheprovider src/tests/maestro/test_canonical_json.py"


class Rehearsal:
    """A release that goes through every step; ``released`` is what would be published.

    With a ``base`` (a reference with a digest) there is an image as well, of that and our wheel alone.
    """

    def __init__(self, folder: Path, base: str | None = None) -> None:
        self.folder = folder
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        self.sigstore = PrivateSigstore(self.now - dt.timedelta(days=1))
        self.keys = {name: ec.generate_private_key(ec.SECP256R1()) for name in KEYS}
        home = folder / "home"
        home.mkdir(parents=True)
        (home / "venv").symlink_to(sys.prefix)
        self.environ = {
            "PATH": f"{ROOT / '.tools/bin'}:{os.environ['PATH']}",
            "HOME": str(home),
            "MAESTRO_HOME": str(home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "CI": "true",
            "RELEASE_TESTS": A_FEW_TESTS,
            "RELEASE_WHEELS": str(home),
            "RELEASE_REVISION": "1",
            "GITHUB_RUN_ID": "1",
        }
        self.repository = self._governed({} if base is None else {"tools/release/base-image": base + "\n"})
        self.released = folder / "released"

    def _governed(self, more: dict[str, str]) -> GitRepo:
        """This repository as it is, and what its publisher adds: whose keys count."""
        listed = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard", "-z"], capture_output=True, check=True
        ).stdout.decode()
        files = {name: ROOT / name for name in filter(None, listed.split("\0")) if (ROOT / name).is_file()}
        content: dict[str, str | bytes] = {name: path.read_bytes() for name, path in files.items()} | more
        root = json.dumps(self.sigstore.trusted_root())
        digest = hashlib.sha256(root.encode()).hexdigest()
        content["trust/root.json"] = root
        content["trust.yaml"] = TRUST.format(digest=digest, workflow=WORKFLOW, repository=REPOSITORY)
        content["maestro.yaml"] = (ROOT / "maestro.yaml").read_text() + "".join(
            (
                "  layout_keys:\n",
                self._listed("owner", 4),
                "bundles:\n  - path: policy/vendor/policy.tar.gz\n    minimum_revision: 1\n    keys:\n",
                self._listed("policy", 6),
            )
        )
        for name in STEPS:
            content[f"tools/release/keys/{name}.pub"] = self.public(name)
        repository = GitRepo.init(self.folder / "governed")
        repository.commit(content)
        for name, path in files.items():
            (repository.path / name).chmod(path.stat().st_mode)
        signing = ("chain", "layout", "tools/release/layout.yaml", "-o", "tools/release/layout")
        self._say([str(self.folder / "home/venv/bin/maestro"), *signing], repository.path, key="owner")
        repository.commit({"tools/release/layout": (repository.path / "tools/release/layout").read_bytes()})
        return repository

    def _signer(self, name: str) -> EcdsaSigner:
        return EcdsaSigner(self.keys[name])

    def _pem(self, name: str) -> str:
        return self.keys[name].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def public(self, name: str) -> str:
        """A public key (PEM)."""
        return self._signer(name).public_key_pem

    def private_lines(self) -> list[str]:
        """Of every private key a line that no other key has."""
        return [self._pem(name).splitlines()[2] for name in KEYS]

    def _listed(self, name: str, indent: int) -> str:
        pad = " " * indent
        pem = "".join(f"{pad}    {line}\n" for line in self.public(name).splitlines())
        return f"{pad}- id: {name}\n{pad}  valid_from: {self.now.date()}\n{pad}  public_key: |\n{pem}"

    def _say(self, argv: list[str], folder: Path, *, key: str, **environ: str) -> None:
        known = {**self.environ, "MAESTRO_SIGNING_KEY": self._pem(key), **environ}
        done = subprocess.run(argv, cwd=folder, env=known, capture_output=True, text=True, timeout=1800, check=False)
        sys.stdout.write(done.stdout + done.stderr)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(argv)} ended with {done.returncode}")

    def job(self, step: str, *before: str) -> Path:
        """One job: a fresh folder, a checkout of its own, what the jobs before it handed over, the step."""
        folder = self.folder / "jobs" / step
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.repository.git("clone", "-q", str(self.repository.path), str(folder / "src"))
        for name in before:
            for part in ("dist", "provenance.sigstore.json"):
                given = self.folder / "jobs" / name / part
                if given.is_dir():
                    shutil.copytree(given, folder / part, dirs_exist_ok=True)
                elif given.exists():
                    shutil.copy(given, folder / part)
        if step == "verify":
            for name in STEPS[:-1]:
                shutil.copytree(self.folder / "jobs" / name / "chain", folder / "chain", dirs_exist_ok=True)
        self._say(
            ["src/tools/release/step", step],
            folder,
            key=step,
            GITHUB_JOB=step,
            POLICY_SIGNING_KEY=self._pem("policy") if step == "sign" else "",
        )
        return folder

    def run(self) -> Rehearsal:
        """All jobs."""
        for step in STEPS[:4]:
            self.job(step)
        return self.sign_and_verify()

    def sign_and_verify(self) -> Rehearsal:
        """The jobs after those that make something."""
        self.attest(self.job("sign", "build", "bundle"))
        done = self.job("verify", "sign")
        shutil.rmtree(self.released, ignore_errors=True)
        self.released.mkdir()
        for part in ("dist", "chain"):
            shutil.copytree(done / part, self.released / part)
        for part in ("release.yaml", "provenance.sigstore.json"):
            shutil.copy(done / part, self.released / part)
        return self

    def attest(self, folder: Path) -> None:
        """What actions/attest-build-provenance does: one bundle about every file of ``dist``."""
        run = replace(RUN, commit=self.repository.git("rev-parse", "HEAD"))
        made = statement(run.provenance_v1(), "")
        made["subject"] = [
            {"name": path.name, "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}}
            for path in sorted((folder / "dist").iterdir())
        ]
        bundle = self.sigstore.attest(made, self.sigstore.signer(run, self.now), at=self.now)
        (folder / "provenance.sigstore.json").write_text(json.dumps(bundle))

    def gate(self) -> tuple[int, str]:
        """The release gate on what would be published: exit code and what it says."""
        environ = self.environ | {
            "INPUT_PATH": str(self.released),
            "INPUT_RELEASE": "release.yaml",
            "INPUT_REPOSITORY": str(self.repository.path),
            "GITHUB_OUTPUT": str(self.folder / "home/output"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "home/summary"),
        }
        argv = ["bash", str(ROOT / ".github/actions/release-gate/verify")]
        done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr


def change_one_byte(folder: Path) -> None:
    """Of the wheel in ``folder/dist``. The same change again takes it back."""
    [wheel] = (folder / "dist").glob("*.whl")
    data = bytearray(wheel.read_bytes())
    data[len(data) // 2] ^= 1
    wheel.write_bytes(data)


def main() -> int:
    """A release that may go out, and the same with one byte of the wheel changed."""
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        rehearsal = Rehearsal(Path(name)).run()
        code, said = rehearsal.gate()
        change_one_byte(rehearsal.released)
        stopped, why = rehearsal.gate()
    sys.stdout.write(f"\nthe gate:\n{said}\nthe gate, after one byte of the wheel was changed:\n{why}")
    return 0 if (code, stopped) == (0, 10) else 1


if __name__ == "__main__":
    sys.exit(main())
