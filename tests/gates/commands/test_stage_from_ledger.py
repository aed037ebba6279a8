"""``maestro policy stage`` reads what the ledger remembers: believed records of merges and executions alone."""

from __future__ import annotations

import json
from pathlib import Path

from maestro.config import load_config
from maestro.evidence.trust import trust_of
from maestro.world import World
from policy.recorded_json import to_line
from runner.remembered import remembered
from tests.gates.governed import Answer, maestro
from tests.runner.governed_ledger import Ledger
from tests.runner.governed_runs import NOW, manifest

PACK = """\
# METADATA
# title: A job says how long it may take
# custom:
#   mode: shadow
#   owner: "@acme/platform"
#   input: manifest-change
package acme.timeouts

# METADATA
# title: A manifest has a timeout
deny_no_timeout contains {"msg": "it may run for an hour", "path": ["spec"]} if not input.manifest.spec.timeout
"""


def watched(folder: Path) -> Ledger:
    """A pack in shadow, and two merges that were recorded."""
    ledger = Ledger(folder)
    config = (ledger.repo.path / "maestro.yaml").read_text()
    packs = config.replace("packs: [policy/packs/placement]", "packs: [policy/packs/placement, policy/packs/timeouts]")
    ledger.repo.commit({"policy/packs/timeouts/timeouts.rego": PACK, "maestro.yaml": packs})
    ledger.merge({"manifests/c.yaml": manifest("c", "true")})
    ledger.merge({"manifests/e.yaml": manifest("e", "true", "  timeout: 1m\n")})
    return ledger


def stage(ledger: Ledger, *arguments: str) -> Answer:
    words = ("policy", "stage", "acme.timeouts", "--min-days", "1", *arguments)
    return maestro(ledger.repo, *words, environ=ledger.environ, now=NOW)


def test_what_was_recorded_of_merges_and_executions_counts(tmp_path: Path) -> None:
    ledger = watched(tmp_path)
    answer = stage(ledger, "--min-decisions", "2")
    assert answer.code == 0, answer.err
    assert "recorded: 2 decisions about 2 subjects on 1 day; it spoke in 1" in answer.err
    assert ledger.run("c").code == 0
    config = load_config("maestro.yaml", (ledger.repo.path / "maestro.yaml").read_bytes())
    world = World(cwd=ledger.repo.path, environ=ledger.environ)
    found = remembered(config.ledger, trust_of(config.keys), world, ledger.repo.path)
    assert {one.phase for one in found.decisions} == {"merge", "execution"}


def test_what_is_not_believed_counts_for_nothing_and_is_said(tmp_path: Path) -> None:
    ledger = watched(tmp_path)
    path = sorted((ledger.ledger / "records").rglob("*.json"))[0]
    value = json.loads(path.read_bytes())
    value["dsseEnvelope"]["signatures"][0]["sig"] = "AAAA"
    path.write_text(json.dumps(value))
    answer = stage(ledger, "--min-decisions", "2")
    assert answer.code == 10
    assert "recorded: 1 decision " in answer.err
    assert "1 file of the ledger not believed and not counted: see `maestro policy audit`" in answer.err
    assert "not yet: 1 of 2 decisions" in answer.err


def test_an_empty_ledger_is_no_evidence(tmp_path: Path) -> None:
    ledger = watched(tmp_path)
    ledger.ledger.rename(tmp_path / "elsewhere")
    answer = stage(ledger)
    assert answer.code == 10
    assert "not yet: 0 of 100 decisions; 0 of 1 day" in answer.err
    assert "`maestro check --record`" in answer.err


def test_a_file_adds_what_is_not_in_the_ledger(tmp_path: Path) -> None:
    ledger = watched(tmp_path)
    config = load_config("maestro.yaml", (ledger.repo.path / "maestro.yaml").read_bytes())
    world = World(cwd=ledger.repo.path, environ=ledger.environ)
    found = remembered(config.ledger, trust_of(config.keys), world, ledger.repo.path).decisions
    (tmp_path / "decisions.jsonl").write_bytes(b"".join(map(to_line, found)))
    answer = stage(ledger, "--decisions", str(tmp_path / "decisions.jsonl"), "--min-decisions", "2")
    assert "recorded: 2 decisions about 2 subjects" in answer.err, "an export of the ledger counts once"
