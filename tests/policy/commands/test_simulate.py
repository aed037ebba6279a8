from __future__ import annotations

import datetime as dt
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from maestro.cli import main
from maestro.world import World
from policy.simulation import overridden
from tests.support.tools import tool

GOVERNED = Path("examples/governed")
ASSETS = Path("tests/assets/simulate")


class Said:
    """What one command line gave back."""

    def __init__(self, *argv: str | Path) -> None:
        path = str(Path(tool("conftest")).parent)
        stdout, stderr = io.StringIO(), io.StringIO()
        world = World(
            environ={"PATH": path, "TMPDIR": os.environ.get("TMPDIR", "/tmp")},
            cwd=Path.cwd(),
            stdout=stdout,
            stderr=stderr,
            now=lambda: dt.datetime(2026, 12, 1, tzinfo=dt.UTC),
        )
        self.code = main(["simulate", *(str(word) for word in argv)], world)
        self.stdout, self.stderr = stdout.getvalue(), stderr.getvalue()

    @property
    def report(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.stdout)
        return value


def simulate(manifest: str | Path, *more: str | Path, repo: Path = GOVERNED) -> Said:
    return Said("-m", manifest, "--repo", repo, *more)


def as_json(manifest: str | Path, *more: str | Path, repo: Path = GOVERNED) -> Said:
    return simulate(manifest, "--format", "json", *more, repo=repo)


def test_an_allowed_manifest_says_where_it_would_run(snapshot: SnapshotAssertion) -> None:
    said = simulate(GOVERNED / "manifests/score-accounts.yaml")
    assert said.code == 0, said.stderr
    assert said.stdout == ""
    assert said.stderr == snapshot


@pytest.mark.parametrize("name", ["main.tf", "Dockerfile", "app.ini"])
def test_a_file_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    """HCL can be read as a YAML text, of which no rule would say anything."""
    (tmp_path / name).write_text("a\n")
    said = simulate(tmp_path / name, repo=tmp_path)
    assert (said.code, said.stdout) == (2, "")
    assert "only YAML and JSON are read" in said.stderr
    assert f"conftest parse {name} > input.json" in said.stderr


def test_a_denied_manifest_says_what_stands_in_the_way(snapshot: SnapshotAssertion) -> None:
    said = simulate(ASSETS / "bad-image-latest.yaml", "-i", ASSETS / "ok-region.json")
    assert said.code == 10
    assert said.stderr == snapshot


def test_json_has_the_shape_of_the_interface() -> None:
    said = as_json(ASSETS / "bad-image-latest.yaml", "-i", ASSETS / "ok-region.json")
    assert said.code == 10
    assert said.stderr == ""
    report = said.report
    assert list(report) == ["schema", "allow", "decisions"]
    assert report["schema"] == "maestro-conductor/simulation/v1"
    assert report["allow"] is False
    for decision in report["decisions"]:
        assert list(decision) == [
            "pack", "mode", "engine", "allow", "value", "reasons", "pack_digest", "input_digest",
        ]  # fmt: skip
        assert decision["pack_digest"].startswith("sha256:") and decision["input_digest"].startswith("sha256:")
        for reason in decision["reasons"]:
            assert list(reason) == ["rule", "mode", "message", "remedy"]
    found = {reason["rule"] for decision in report["decisions"] for reason in decision["reasons"]}
    assert found == {"mc.images/not_pinned", "mc.placement/residency"}
    [placement] = [decision for decision in report["decisions"] if decision["pack"] == "mc.placement"]
    assert placement["value"]["nearest"] == {
        "cloud": "gcp", "region": "europe-west1", "class": "batch", "pool": "gcp-europe", "relax": ["region"],
    }  # fmt: skip


@pytest.mark.parametrize("path", sorted((GOVERNED / "manifests").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_example_is_allowed(path: Path) -> None:
    said = as_json(path)
    assert said.code == 0, said.stdout
    assert {decision["pack"] for decision in said.report["decisions"]} == {"mc.images", "mc.placement"}


def test_inputs_decide_the_day() -> None:
    flag = GOVERNED / "flags/checkout-v2.yaml"
    assert as_json(flag).code == 0
    late = ASSETS / "ok-late.json"
    said = as_json(flag, "-i", late)
    assert said.code == 10
    assert [reason["rule"] for reason in said.report["decisions"][0]["reasons"]] == ["mc.flags/expired"]


def test_a_flag_is_judged_by_the_packs_for_flags() -> None:
    said = as_json(ASSETS / "bad-flag-without-owner.yaml")
    assert said.code == 10
    [decision] = said.report["decisions"]
    assert [reason["rule"] for reason in decision["reasons"]] == ["mc.flags/missing_owner"]
    assert decision["value"] == {}


def test_any_file_for_packs_that_judge_plain_documents() -> None:
    said = as_json(GOVERNED / "k8s/storefront.yaml")
    assert said.code == 0, said.stdout
    messages = [reason["message"] for decision in said.report["decisions"] for reason in decision["reasons"]]
    assert messages == ["Deployment storefront: container log-shipper has no memory limit"]


def test_a_named_pack_judges_a_file_from_anywhere_with_the_settings_of_maestro_yaml() -> None:
    said = as_json(ASSETS / "bad-deployment-latest.yaml", "--pack", GOVERNED / "policy/conftest")
    assert said.code == 0, "mode warn in maestro.yaml"
    [decision] = said.report["decisions"]
    assert decision["mode"] == "warn" and len(decision["reasons"]) == 3


def test_a_pack_from_elsewhere(tmp_path: Path) -> None:
    said = as_json(GOVERNED / "manifests/nightly-report.yaml", "--pack", "policy/packs/images", repo=GOVERNED)
    assert said.code == 0, said.stderr
    assert [decision["pack"] for decision in said.report["decisions"]] == ["mc.images"]


def test_the_sprint_plans_packs() -> None:
    repo = Path("examples/sprint-plan")
    said = as_json(repo / "manifests/nightly-report.yaml", repo=repo)
    assert said.code == 0, said.stderr
    assert said.report["decisions"][0]["value"] == {
        "allow": True, "cloud": "AWS", "region": "us-west-2", "class": "batch",
    }  # fmt: skip
    said = as_json(repo / "manifests/nightly-report.yaml", "-i", ASSETS / "ok-europe.json", repo=repo)
    assert said.code == 10
    assert [reason["message"] for reason in said.report["decisions"][0]["reasons"]] == ["no_match"]
    said = as_json(ASSETS / "bad-flag-without-owner.yaml", repo=repo)
    assert [reason["message"] for reason in said.report["decisions"][0]["reasons"]] == ["flag missing owner"]


def test_text_from_documents_cannot_move_the_cursor() -> None:
    said = simulate(ASSETS / "bad-deployment-latest.yaml", "--pack", GOVERNED / "policy/conftest")
    assert "storefront" in said.stderr
    assert "\x1b" not in said.stderr


@pytest.mark.parametrize("engine", ["regopy", "both"])
def test_the_other_engine_says_the_same(engine: str) -> None:
    for path in (GOVERNED / "manifests/score-accounts.yaml", ASSETS / "bad-image-latest.yaml"):
        one, other = as_json(path), as_json(path, "--engine", engine)
        assert one.code == other.code, other.stdout

        def plain(said: Said) -> list[dict[str, Any]]:
            return [{**decision, "engine": ""} for decision in said.report["decisions"]]

        assert plain(one) == plain(other)


@pytest.mark.parametrize(
    ("manifest", "more", "words"),
    [
        ("bad-unknown-key.yaml", [], ["bad-unknown-key.yaml:5:", "comand"]),
        ("bad-two-documents.yaml", [], ["2 documents"]),
        ("absent.yaml", [], ["absent.yaml", "No such file"]),
        (".", [], ["not a file"]),
        ("bad-image-latest.yaml", ["-i", ASSETS / "bad-not-json.json"], ["bad-not-json.json:1:", "not JSON"]),
        ("bad-image-latest.yaml", ["-i", ASSETS / "bad-array.json"], ["not a JSON object"]),
        ("bad-image-latest.yaml", ["-i", ASSETS / "bad-key-twice.json"], ["twice"]),
        ("bad-image-latest.yaml", ["-i", ASSETS / "bad-not-a-number.json"], ["NaN"]),
        ("bad-image-latest.yaml", ["-i", ASSETS / "bad-not-utf8.json"], ["utf-8"]),
        ("bad-image-latest.yaml", ["-i", ASSETS / "absent.json"], ["absent.json"]),
        ("bad-image-latest.yaml", ["--pack", "no/such/folder"], ["no such folder"]),
        ("bad-image-latest.yaml", ["--repo", "no/such/folder"], ["no such folder"]),
        ("bad-image-latest.yaml", ["--engine", "opa"], ["--engine"]),
    ],
)
def test_bad_input_is_a_usage_error(manifest: str, more: list[str | Path], words: list[str]) -> None:
    said = as_json(ASSETS / manifest, *more)
    assert said.code == 2, said.stderr
    assert said.stdout == ""
    for word in words:
        assert word in said.stderr


def test_a_pool_that_cannot_be_read_is_no_reason_to_guess(tmp_path: Path) -> None:
    (tmp_path / "pools").mkdir()
    (tmp_path / "pools/west.yaml").write_text("apiVersion: maestro-conductor/v1\nkind: Pool\nmetadata: {name: w}\n")
    config = 'apiVersion: maestro-conductor/v1\ndocuments: ["pools/**"]\npacks: []\n'
    (tmp_path / "maestro.yaml").write_text(config)
    said = as_json(GOVERNED / "manifests/nightly-report.yaml", "--pack", "policy/packs/placement", repo=tmp_path)
    assert said.code == 2
    assert "pools/west.yaml:" in said.stderr


def test_without_a_pack_there_is_no_answer(tmp_path: Path) -> None:
    said = as_json(GOVERNED / "manifests/nightly-report.yaml", repo=tmp_path)
    assert said.code == 1
    assert said.stdout == ""
    assert "no pack judges a Manifest" in said.stderr


@pytest.mark.parametrize("engine", ["conftest", "regopy", "both"])
@pytest.mark.parametrize("pack", ["bad-pack-asks-runtime", "bad-pack-asks-network"])
def test_rego_reaches_neither_environment_nor_network(pack: str, engine: str) -> None:
    said = as_json(ASSETS / "bad-image-latest.yaml", "--pack", ASSETS / pack, "--engine", engine)
    assert said.code == 1, said.stdout
    assert said.report["allow"] is False
    [decision] = said.report["decisions"]
    assert decision["allow"] is False and decision["error"]
    assert "PATH" not in said.stdout + said.stderr


def test_overrides_merge_objects_and_replace_the_rest() -> None:
    value = {"request": {"region": "a", "residency": ["eu"]}, "now": "x"}
    changes: dict[str, Any] = {"request": {"region": None, "residency": []}, "extra": {"deep": {"er": 1}}}
    assert overridden(value, changes) == {
        "request": {"region": None, "residency": []},
        "now": "x",
        "extra": {"deep": {"er": 1}},
    }
    assert value["request"] == {"region": "a", "residency": ["eu"]}


def embedded(cwd: Path, *argv: str | Path) -> tuple[int, dict[str, Any]]:
    """Without conftest."""
    stdout, stderr = io.StringIO(), io.StringIO()
    now = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
    world = World(environ={"PATH": "/nowhere"}, cwd=cwd, stdout=stdout, stderr=stderr, now=lambda: now)
    code = main(["simulate", "--format", "json", *(str(word) for word in argv)], world)
    report: dict[str, Any] = json.loads(stdout.getvalue()) if stdout.getvalue() else {"said": stderr.getvalue()}
    return code, report


def test_outside_of_any_repository_a_pack_that_came_with_us_is_judged_without_conftest(tmp_path: Path) -> None:
    manifest = (ASSETS / "bad-image-latest.yaml").resolve()
    ours = Path("policy/packs/images").resolve()
    code, report = embedded(tmp_path, "-m", manifest, "--pack", ours)
    assert code == 10, report
    assert report["decisions"][0]["engine"] == "regopy"
    edited = tmp_path / "images"
    edited.mkdir()
    for module in ours.glob("*.rego"):
        (edited / module.name).write_text(module.read_text() + "\nmore := 1\n")
    code, report = embedded(tmp_path, "-m", manifest, "--pack", edited)
    assert code == 1
    assert "policy/parity.lock names" in report["decisions"][0]["error"]


def test_where_something_is_governed_only_its_own_lock_is_believed(tmp_path: Path) -> None:
    manifest = (ASSETS / "bad-image-latest.yaml").resolve()
    (tmp_path / "maestro.yaml").write_text("apiVersion: maestro-conductor/v1\npacks: []\n")
    code, report = embedded(tmp_path, "-m", manifest, "--pack", Path("policy/packs/images").resolve())
    assert code == 1
    assert "there is none where policy is read" in report["decisions"][0]["error"]
