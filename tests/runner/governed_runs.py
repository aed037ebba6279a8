"""A governed repository whose manifests can be run for real, and `maestro` called in it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from tests.gates.governed import Answer, maestro
from tests.maestro.evidence import keys
from tests.support.git_repo import GitRepo
from tests.support.tools import ROOT, tool

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)

CONFIG = """\
apiVersion: maestro-conductor/v1
documents: ["manifests/**", "pools/**", "waivers/**", "flags/**"]
packs: [policy/packs/placement]
owners: ["@acme/data", "@acme/platform"]
"""
POOLS = """\
apiVersion: maestro-conductor/v1
kind: Pool
metadata: {name: here, owner: "@acme/platform"}
spec: {cloud: local, region: here, classes: [batch], size: 4}
---
apiVersion: maestro-conductor/v1
kind: Pool
metadata: {name: far, owner: "@acme/platform"}
spec: {cloud: gcp, region: europe-west1, classes: [batch], size: 4, residency: [eu]}
"""


def manifest(name: str, script: str, more: str = "") -> str:
    """A manifest that runs a shell script."""
    return (
        "apiVersion: maestro-conductor/v1\nkind: Manifest\n"
        f'metadata: {{name: {name}, tenant: acme, owner: "@acme/data"}}\n'
        f"spec:\n  pool: here\n  command: [sh, -c, '{script}']\n{more}"
    )


def listed(*rows: keys.Row) -> str:
    """The ``keys`` of maestro.yaml."""
    text = "keys:\n"
    for row in rows:
        lines = "".join(f"      {line}\n" for line in row.public_key.splitlines())
        text += f"  - id: {row.id}\n    valid_from: 2020-01-01\n    public_key: |\n{lines}"
        if row.revoked_at:
            text += f"    revoked_at: {row.revoked_at:%Y-%m-%d}\n"
    return text


class Runs:
    """The repository, with its key beside it."""

    def __init__(self, folder: Path, *, config: str = "", files: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.repo = GitRepo.init(folder / "repo")
        self.key = folder / "key.pem"
        self.key.write_bytes(keys.pem())
        self.marks = folder / "marks"
        self.environ = {
            "PATH": f"{Path(tool('conftest')).parent}:/usr/bin:/bin",
            "MAESTRO_SIGNING_KEY_FILE": str(self.key),
        }
        packs = ROOT / "policy" / "packs" / "placement"
        self.repo.commit(
            {
                "maestro.yaml": CONFIG + listed(keys.row()) + config,
                ".gitignore": ".maestro/\n",
                "pools/all.yaml": POOLS,
                "policy/packs/placement/placement.rego": (packs / "placement.rego").read_text(),
                "manifests/a.yaml": manifest("a", f"echo ran a; echo a >> {self.marks}"),
                "manifests/b.yaml": manifest("b", f"echo b >> {self.marks}", "  array: {size: 3}\n"),
                **(files or {}),
            },
            "Govern",
        )

    @property
    def ledger(self) -> Path:
        """The default place of the ledger."""
        return self.repo.path / ".maestro" / "ledger"

    @property
    def ran(self) -> list[str]:
        """What the manifests left behind."""
        return sorted(self.marks.read_text().split()) if self.marks.exists() else []

    def run(self, *arguments: str, **environ: str) -> Answer:
        """``maestro run``."""
        return maestro(self.repo, "run", *arguments, environ={**self.environ, **environ}, now=NOW)

    def receipts(self, *arguments: str) -> Answer:
        """``maestro receipts``."""
        return maestro(self.repo, "receipts", *arguments, environ=self.environ, now=NOW)

    def run_ids(self) -> list[str]:
        """Of all runs."""
        runs = self.ledger / "runs"
        return sorted(path.name for path in runs.iterdir()) if runs.is_dir() else []
