"""A governed repository whose ledger holds something of every kind, and the audit of it."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from tests.gates.governed import Answer, maestro
from tests.runner.governed_runs import NOW, Runs, manifest


class Ledger(Runs):
    """What `Runs` has, with merges that are recorded."""

    def merge(self, files: dict[str, str | bytes | None], *, record: bool = True, now: dt.datetime = NOW) -> str:
        """Put a commit on the default branch, and record it as the job on push would; its id."""
        commit = self.repo.commit(files)
        if record:
            answer = self.record("HEAD~1", "HEAD", now=now)
            assert "recorded in" in answer.err, answer.err
        return commit

    def record(self, before: str, after: str, *, now: dt.datetime = NOW, **environ: str) -> Answer:
        """``maestro check --record``."""
        words = ("check", "--record", "--quiet", "--target", before, "--head", after)
        return maestro(self.repo, *words, environ={**self.environ, **environ}, now=now)

    def audit(self, *arguments: str, store: Path | None = None) -> Answer:
        """``maestro policy audit``."""
        where = ["--store", str(store)] if store else []
        return maestro(self.repo, "policy", "audit", *where, *arguments, environ=self.environ, now=NOW)

    def found(self, *arguments: str, store: Path | None = None) -> dict[str, Any]:
        """What it says as JSON."""
        answer = self.audit("--format", "json", *arguments, store=store)
        said: dict[str, Any] = json.loads(answer.out)
        assert answer.code == (0 if said["holds"] else 10), answer.err
        return said

    def kinds(self, *arguments: str, store: Path | None = None) -> set[str]:
        """The kinds of finding."""
        return {one["rule"] for one in self.found(*arguments, store=store)["findings"]}


def full_ledger(folder: Path) -> Ledger:
    """Three merges, one of them unchecked and answered for; a run of four executions; inputs of all."""
    ledger = Ledger(folder)
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    bad = ledger.merge({"manifests/d.yaml": manifest("d", "true").replace("@acme/data", "@acme/nobody")})
    waived = ("waive", "mc.audit/unchecked_merge", f"Commit/{bad}", "--until", "2027-01-31", "--reason", "it was late")
    assert maestro(ledger.repo, *waived, now=NOW).code == 0
    ledger.merge({"manifests/d.yaml": manifest("d", "true"), "manifests/a.yaml": manifest("a", "echo a")})
    assert ledger.run("a", "b").code == 0
    return ledger
