"""`maestro policy diff --recorded`: the inputs that the ledger keeps are asked of the old packs and the new."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.gates.governed import maestro
from tests.runner.governed_ledger import Ledger
from tests.runner.governed_runs import manifest
from tests.support.tools import tool

DENIES = """# METADATA
# title: Manifests have few retries
# custom:
#   mode: enforce
#   owner: "@acme/platform"
#   input: manifest-change
package acme.retries

deny_none contains "no retries, please" if input.manifest.spec.command[2] == "false"
"""


def recorded(tmp_path: Path) -> Ledger:
    """A ledger whose only recorded input is of a manifest that is gone by now, and a change of its pack."""
    ledger = Ledger(tmp_path)
    settings = ledger.repo.git("show", "HEAD:maestro.yaml").replace("[policy/packs/placement]", "[policy/packs/*]")
    lenient = DENIES.replace('== "false"', '== "never"')
    ledger.merge({"maestro.yaml": settings + "\n", "policy/packs/retries/retries.rego": lenient}, record=False)
    ledger.merge({"manifests/c.yaml": manifest("c", "false")})
    ledger.repo.git("rm", "-q", "manifests/c.yaml")
    ledger.repo.git("commit", "-qm", "gone")
    ledger.repo.git("switch", "-qc", "stricter")
    ledger.repo.commit({"policy/packs/retries/retries.rego": DENIES})
    return ledger


def asked(ledger: Ledger, *arguments: str) -> tuple[list[str], str]:
    path = os.pathsep.join([str(Path(tool("conftest")).parent), os.environ["PATH"]])
    words = ("policy", "diff", "--target", "main", "--format", "json", *arguments)
    answer = maestro(ledger.repo, *words, environ={"PATH": path})
    assert answer.code == 0, answer.err
    [pack] = [one for one in json.loads(answer.out)["packs"] if one["name"] == "acme.retries"]
    return [row["change"] for row in pack["rows"]], answer.err


def test_what_was_decided_once_shows_what_a_change_would_do(tmp_path: Path) -> None:
    ledger = recorded(tmp_path)
    assert asked(ledger) == ([], "")
    assert asked(ledger, "--recorded")[0] == ["allow-to-deny"]


def test_erased_and_altered_inputs_are_counted_and_not_asked(tmp_path: Path) -> None:
    ledger = recorded(tmp_path)
    inputs = sorted((ledger.ledger / "inputs").iterdir())
    inputs[0].unlink()
    for path in inputs[1:]:
        path.write_bytes(b"{}")
    rows, err = asked(ledger, "--recorded")
    assert rows == []
    assert f"{len(inputs)} inputs of the ledger cannot be asked" in err
