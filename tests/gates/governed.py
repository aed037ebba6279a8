"""A small governed repository for tests of gates and commands, and `maestro` called as its users call it."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maestro.cli import main
from maestro.world import World
from tests.support.git_repo import GitRepo

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)

SETTINGS = """\
apiVersion: maestro-conductor/v1
documents: ["manifests/**", "flags/**", "pools/**", "waivers/**"]
owners: ["@acme/checkout", "@acme/data", "@acme/platform"]
"""

FLAG = """\
apiVersion: maestro-conductor/v1
kind: Flag
metadata:
  name: checkout-v2
  owner: "@acme/checkout"
spec:
  type: release
  ttl: 2027-02-01
"""

MANIFEST = """\
apiVersion: maestro-conductor/v1
kind: Manifest
metadata:
  name: nightly-report
  tenant: acme
  owner: "@acme/data"
spec:
  command: [report, --day, yesterday]
  class: batch
"""

POOL = """\
apiVersion: maestro-conductor/v1
kind: Pool
metadata: {name: here, owner: "@acme/platform"}
spec: {cloud: local, region: here, classes: [batch], size: 4}
"""

WAIVER = """\
apiVersion: maestro-conductor/v1
kind: Waiver
metadata: {name: nightly-owner}
spec:
  rule: mc.documents/owner_unresolved
  subject: Manifest/nightly-report
  until: 2026-12-31
  reason: the team is being renamed
"""


@dataclass(frozen=True)
class Answer:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report on standard output."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    def findings(self, gate: str | None = None) -> list[dict[str, Any]]:
        """All findings, or those of one gate."""
        return [
            finding
            for verdict in self.report["verdicts"]
            if gate in (None, verdict["gate"])
            for finding in verdict["findings"]
        ]

    def rules(self, gate: str | None = None) -> list[str]:
        """Their rule ids."""
        return [finding["rule"] for finding in self.findings(gate)]

    def outcomes(self) -> dict[str, str]:
        """Gate to outcome."""
        return {verdict["gate"]: verdict["outcome"] for verdict in self.report["verdicts"]}

    def reason(self, gate: str) -> str:
        """Why a gate was skipped or errored, or its note."""
        return next(verdict["reason"] or "" for verdict in self.report["verdicts"] if verdict["gate"] == gate)


def maestro(
    repo: GitRepo,
    *arguments: str,
    environ: Mapping[str, str] | None = None,
    now: dt.datetime = NOW,
    cwd: Path | None = None,
) -> Answer:
    """One command line, in the repository's folder."""
    out, err = io.StringIO(), io.StringIO()
    world = World(
        environ={**repo.environ, **(environ or {})}, cwd=cwd or repo.path, stdout=out, stderr=err, now=lambda: now
    )
    code = main(list(arguments), world)
    return Answer(code, out.getvalue(), err.getvalue())


def check(repo: GitRepo, *arguments: str, environ: Mapping[str, str] | None = None, now: dt.datetime = NOW) -> Answer:
    """``maestro check --format json``; findings come with their report."""
    return maestro(repo, "check", "--format", "json", *arguments, environ=environ, now=now)


def governed(folder: Path, files: Mapping[str, str | bytes | None] | None = None) -> GitRepo:
    """A repository whose main branch governs these files beside its maestro.yaml; ``change`` is checked out."""
    repo = GitRepo.init(folder)
    repo.commit({"maestro.yaml": SETTINGS, "README.md": "acme\n", "pools/here.yaml": POOL, **(files or {})}, "Govern")
    repo.branch("change")
    return repo
