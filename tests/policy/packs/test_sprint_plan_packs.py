"""The sprint plan's two Rego files, unchanged, as packs in old syntax."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.tools import tool

REGO = Path("examples/sprint-plan/policy/rego")


@pytest.mark.parametrize(
    ("path", "digest"),
    [
        ("flags/flags.rego", "dcc18c7b405eb2ccb5bee8ecd4fed5f8dc198f44cfd85882def25474a7937d6c"),
        ("placement/placement.rego", "98f624b5fc372f80493fbc1865ff2ea8b0faaa242f3ba5361dba81321fdcefc4"),
    ],
)
def test_the_files_are_as_the_plan_has_them(path: str, digest: str) -> None:
    assert hashlib.sha256((REGO / path).read_bytes()).hexdigest() == digest


def failures(tmp_path: Path, flag: Any) -> list[str]:
    document = tmp_path / "input.json"
    document.write_text(json.dumps({"flag": flag}))
    argv = [tool("conftest"), "test", "--rego-version", "v0", "-n", "mc.flags", "-p", str(REGO / "flags"), "-o", "json"]
    done = subprocess.run([*argv, str(document)], capture_output=True, text=True, timeout=60, check=False)
    [report] = json.loads(done.stdout)
    return sorted(failure["msg"] for failure in report.get("failures", []))


def test_flags_as_conftest_judges_them(tmp_path: Path) -> None:
    assert failures(tmp_path, {"key": "a", "add": True}) == ["flag missing TTL", "flag missing owner"]
    assert failures(tmp_path, {"key": "a", "add": True, "owner": "@acme/x", "ttl": "2027-02-01"}) == []
    assert failures(tmp_path, {"key": "a", "add": False}) == []


def placed(request: dict[str, str]) -> Any:
    argv = [tool("opa"), "eval", "--v0-compatible", "--format", "raw", "--stdin-input", "-d", str(REGO / "placement")]
    done = subprocess.run(
        [*argv, "data.mc.placement.decision"],
        input=json.dumps({"request": request}),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_placement_as_opa_decides_it() -> None:
    allow = {"allow": True, "cloud": "AWS", "region": "us-west-2", "class": "batch"}
    assert placed({"region": "us-west-2", "class": "batch"}) == allow
    assert placed({"region": "eu-west-1", "class": "batch"}) == {"allow": False, "reason": "no_match"}
