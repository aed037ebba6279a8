"""``make demo``: the main job, done for real in a scratch repository, with the embedded engine.

Every command shown is one that a person would type, run as a process of its own; nothing is staged. The scratch folder
is kept and its path printed at the end, so that the receipt can be looked at.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

GOVERNED = Path(__file__).parent / "governed"
WRITTEN = dt.date(2026, 12, 1)
"""The day that the dates in the example's documents are seen from."""
MAESTRO = Path(sys.executable).with_name("maestro")

UNFINISHED_FLAG = """\
apiVersion: maestro-conductor/v1
kind: Flag
metadata:
  name: basket-hints
  owner: "@acme/checkout"
spec:
  type: release
"""
FINISHED_FLAG = UNFINISHED_FLAG + "  ttl: {ttl}\n"

UNPINNED_MANIFEST = """\
apiVersion: maestro-conductor/v1
kind: Manifest
metadata:
  name: greet
  tenant: acme
  owner: "@acme/data"
spec:
  image: ghcr.io/acme/greet:latest
  command: [sh, -c, "echo hello from execution $MAESTRO_EXECUTION_ID"]
  pool: workshop
"""
PINNED_MANIFEST = UNPINNED_MANIFEST.replace("greet:latest", "greet@sha256:" + "a1" * 32)


class Demo:
    """A scratch repository and the commands that are run in it."""

    def __init__(self, folder: Path) -> None:
        self.repository = folder / "acme"
        self.key = folder / "signing-key.pem"
        self.environ = {
            "PATH": f"{MAESTRO.parent}:{os.environ.get('PATH', os.defpath)}",
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "demo",
            "GIT_AUTHOR_EMAIL": "demo@acme.example",
            "GIT_COMMITTER_NAME": "demo",
            "GIT_COMMITTER_EMAIL": "demo@acme.example",
            "MAESTRO_SIGNING_KEY_FILE": str(self.key),
        }
        for name in ("NO_COLOR", "TERM"):
            if name in os.environ:
                self.environ[name] = os.environ[name]

    def quietly(self, *command: str, stdin: str | None = None) -> str:
        """Run what is only scaffolding; its output is returned."""
        done = subprocess.run(
            command, cwd=self.repository, env=self.environ, check=True, capture_output=True, text=True, input=stdin
        )
        return done.stdout

    def show(self, command: str, *, expect: int) -> None:
        """Run a command before the reader's eyes.

        Raises:
            SystemExit: it did not end as it should; the demo is then no demonstration.
        """
        print(f"\n$ {command}", flush=True)
        code = subprocess.run(shlex.split(command), cwd=self.repository, env=self.environ, check=False).returncode
        if code != expect:
            raise SystemExit(f"the demo failed: `{command}` ended with {code}, not {expect}")
        if code:
            print(f"(exit {code})", flush=True)

    def write(self, path: str, text: str) -> None:
        """Write a file of the repository."""
        (self.repository / path).write_text(text, encoding="utf-8")

    def commit(self, message: str) -> None:
        """Commit everything."""
        self.quietly("git", "add", "-A")
        self.quietly("git", "commit", "-q", "-m", message)


def say(text: str) -> None:
    """A sentence between the commands."""
    print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


def redate(folder: Path, today: dt.date) -> None:
    """Move the dates of the example's documents, so that they are as far away as on the day they were written."""
    passed = today - WRITTEN

    def moved(match: re.Match[str]) -> str:
        return (dt.date.fromisoformat(match[0]) + passed).isoformat()

    for path in [*folder.glob("flags/*.yaml"), *folder.glob("waivers/*.yaml")]:
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"\b20\d\d-\d\d-\d\d\b", moved, text), encoding="utf-8")


def prepare(demo: Demo, today: dt.date) -> None:
    """The example as a repository, with a signing key whose public half it lists."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    shutil.copytree(GOVERNED, demo.repository)
    redate(demo.repository, today)
    private = ec.generate_private_key(ec.SECP256R1())
    demo.key.touch(mode=0o600)
    demo.key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    with (demo.repository / "maestro.yaml").open("a", encoding="utf-8") as config:
        config.write("keys:\n  - id: demo\n    valid_from: 2020-01-01\n    public_key: |\n")
        config.writelines(f"      {line}\n" for line in public.decode().splitlines())
    demo.write(".gitignore", ".maestro/\n")
    demo.quietly("git", "init", "-q", "-b", "main")
    demo.commit("The governed repository")


def play(demo: Demo, today: dt.date) -> None:
    """A pull request with two mistakes, its repair, the merge, the run, the receipt."""
    say("A pull request adds a flag that never ends, and a job whose image is not pinned.")
    demo.quietly("git", "switch", "-q", "-c", "add-greeting")
    demo.write("flags/basket-hints.yaml", UNFINISHED_FLAG)
    demo.write("manifests/greet.yaml", UNPINNED_MANIFEST)
    demo.commit("Greet, behind a flag")
    demo.show("maestro check --target main --engine regopy", expect=10)

    say("Its author repairs both.")
    end = today + dt.timedelta(days=30)
    demo.write("flags/basket-hints.yaml", FINISHED_FLAG.format(ttl=end.isoformat()))
    demo.write("manifests/greet.yaml", PINNED_MANIFEST)
    demo.commit("Give the flag an end, pin the image")
    demo.show("maestro check --target main --engine regopy", expect=0)

    say("The pull request is merged. Policy is asked again, places the job on this machine, and it runs.")
    demo.quietly("git", "switch", "-q", "main")
    demo.quietly("git", "merge", "-q", "--no-ff", "-m", "Merge add-greeting", "add-greeting")
    demo.show("maestro run greet --engine regopy", expect=0)

    say("What remains is a signed receipt, believed because maestro.yaml lists the key.")
    demo.show("maestro receipts verify", expect=0)
    demo.quietly("maestro", "receipts", "export", "../receipts")
    [receipt] = (demo.repository.parent / "receipts" / "runs").glob("*/receipts/*.json")
    tell(demo, receipt)
    if shutil.which("openssl", path=demo.environ["PATH"]):
        say("Nobody has to take our word for it: openssl sees the same, with the public key alone.")
        sign_apart(receipt)
        demo.show("openssl dgst -sha256 -verify ../receipts/keys/demo.pem -signature ../sig ../pae", expect=0)


def tell(demo: Demo, receipt: Path) -> None:
    """What the receipt says, in a few lines."""
    execution = receipt.name.split(".")[0]
    said = json.loads(demo.quietly("maestro", "receipts", "show", execution))["receipt"]
    [attempt] = said["attempts"]
    log = (receipt.parents[1] / attempt["log"]["name"]).read_bytes()
    if hashlib.sha256(log).hexdigest() != attempt["log"]["sha256"]:
        raise SystemExit("the demo failed: the receipt is about another log")
    rows = {
        "what": f"{said['manifest']['subject']} at commit {said['source']['commit'][:10]}",
        "allowed by": f"the verdict on the tree and {len(said['decisions'])} decisions, by their digests",
        "where": f"pool {said['placement']['pool']} ({said['placement']['cloud']})",
        "outcome": f"{said['outcome']}, exit code {said['exit_code']}",
        "log": f"sha256 {attempt['log']['sha256'][:10]}: {log.decode().strip()}",
    }
    say(f"It says (`maestro receipts show {execution}` has all of it):")
    print("".join(f"\n  {name:<10}  {words}" for name, words in rows.items()), flush=True)


def sign_apart(receipt: Path) -> None:
    """The signature and the bytes it is over (DSSE), in two files as openssl wants them."""
    envelope = json.loads(receipt.read_bytes())["dsseEnvelope"]
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    folder = receipt.parents[4]
    (folder / "pae").write_bytes(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    (folder / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))


def main() -> None:
    """Play the demo in a fresh folder."""
    demo = Demo(Path(tempfile.mkdtemp(prefix="maestro-demo-")))
    today = dt.datetime.now(dt.UTC).date()
    prepare(demo, today)
    play(demo, today)
    print(f"\nThe repository, its ledger and the key are kept in {demo.repository.parent}")


if __name__ == "__main__":
    main()
