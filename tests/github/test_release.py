"""What of our own release runs without GitHub: every step, its link, and the gate on what would be published."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.support.own_release import STEPS, Rehearsal, change_one_byte
from tests.support.tools import ROOT, tool

WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
LAYOUT = yaml.safe_load((ROOT / "tools/release/layout.yaml").read_text())


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory) -> Rehearsal:
    return Rehearsal(tmp_path_factory.mktemp("release") / "here").run()


def test_it_may_be_released(rehearsal: Rehearsal) -> None:
    code, said = rehearsal.gate()
    assert code == 0, said
    assert "chain/layout: checkout → test → build → bundle → sign → verify\n" in said
    assert "no separation" not in said
    assert "maestro-conductor 0.1.0 may be released: 5 of 5 parts hold" in said


def test_in_toto_verify_says_so_too(rehearsal: Rehearsal) -> None:
    owner = rehearsal.folder / "owner.pub"
    owner.write_text(rehearsal.public("owner"))
    argv = [tool("in-toto-verify"), "--layout=chain/layout", f"--verification-keys={owner}", "--link-dir=chain/links"]
    done = subprocess.run(argv, cwd=rehearsal.released, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_no_private_key_is_published(rehearsal: Rehearsal) -> None:
    published = b"".join(path.read_bytes() for path in (rehearsal.released / "chain").rglob("*") if path.is_file())

    def there(line: str) -> bool:
        inside = [base64.b64encode(b"." * shift + line.encode())[4:-4] for shift in range(3)]  # of a signed payload
        return any(text in published for text in (line.encode(), *inside))

    assert there(rehearsal.public("build").splitlines()[1])
    assert not any(there(line) for line in rehearsal.private_lines())


@contextmanager
def changed(folder: Path) -> Iterator[None]:
    """One byte of its wheel, for a while."""
    change_one_byte(folder)
    try:
        yield
    finally:
        change_one_byte(folder)


def test_one_byte_of_the_wheel_stops_it(rehearsal: Rehearsal) -> None:
    with changed(rehearsal.released):
        code, said = rehearsal.gate()
    assert code == 10
    assert "\n    → take the file that the last step recorded, or run the chain again for this one\n" in said
    assert "maestro-conductor 0.1.0 MAY NOT be released: 3 of 5 parts hold" in said
    assert rehearsal.gate()[0] == 0


def test_one_byte_changed_before_it_was_signed_is_found_by_the_chain_alone(rehearsal: Rehearsal) -> None:
    """Its provenance is in order: GitHub attests what the job ``sign`` was handed."""
    with changed(rehearsal.folder / "jobs/build"):
        kept = rehearsal.released.rename(rehearsal.folder / "kept")
        code, said = rehearsal.sign_and_verify().gate()
    shutil.rmtree(rehearsal.released)
    kept.rename(rehearsal.released)
    assert code == 10
    assert "maestro-conductor 0.1.0 MAY NOT be released: 4 of 5 parts hold" in said
    assert "    chain/rule\n    → something was changed between two steps: build again from the commit\n" in said


def test_the_job_that_signs_takes_only_what_was_built(rehearsal: Rehearsal) -> None:
    [step] = [one for one in WORKFLOW["jobs"]["sign"]["steps"] if one.get("name") == "Only what was built and bundled"]
    jobs = rehearsal.folder / "jobs"
    told = {}
    for name, job in (("BUILT", "build"), ("BUNDLED", "bundle")):
        told[name] = base64.b64encode(subprocess.check_output("sha256sum dist/*", shell=True, cwd=jobs / job)).decode()
    work = rehearsal.folder / "sign"
    for job in ("build", "bundle"):
        for path in (jobs / job / "dist").iterdir():
            (work / "dist").mkdir(parents=True, exist_ok=True)
            (work / "dist" / path.name).write_bytes(path.read_bytes())

    def accepted() -> bool:
        argv = ["bash", "-eo", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            argv, cwd=work, env={"PATH": os.environ["PATH"], **told}, capture_output=True, check=False
        )
        return done.returncode == 0

    assert accepted()
    with changed(work):
        assert not accepted()
    (work / "dist/more.whl").write_bytes(b"")
    assert not accepted()


def test_two_builds_are_the_same(rehearsal: Rehearsal, tmp_path: Path) -> None:
    script = rehearsal.repository.path / "tools/release/build"
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    subprocess.run([script, str(tmp_path / "dist")], env=environ, cwd=tmp_path, capture_output=True, check=True)
    first = rehearsal.folder / "jobs/build/dist"
    assert digests(tmp_path / "dist") == digests(first)
    assert len(digests(first)) == 2


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_without_trust_yaml_nothing_is_released(rehearsal: Rehearsal) -> None:
    repository = rehearsal.repository
    repository.commit({"trust.yaml": None})
    try:
        code, said = rehearsal.gate()
    finally:
        repository.git("reset", "-q", "--hard", "HEAD~1")
    assert code == 10
    assert "there is no trust.yaml" in said
    assert "2 of 5 parts hold" in (rehearsal.folder / "home/summary").read_text()


def test_each_step_is_a_job_with_a_key_of_its_own() -> None:
    """What the chain's separation rests on: no two steps share a job or an environment, and none sees another's key."""
    assert tuple(step["name"] for step in LAYOUT["steps"]) == STEPS
    assert len({key for step in LAYOUT["steps"] for key in step["keys"]}) == len(STEPS)
    assert list(WORKFLOW["jobs"]) == [*STEPS, "gate", "publish"]
    for name in STEPS:
        job = WORKFLOW["jobs"][name]
        assert job["environment"] == f"release-{name}"
        [step] = [one for one in job["steps"] if "release-step" in one.get("uses", "")]
        assert step["with"]["step"] == name
        assert step["with"]["signing-key"] == "${{ secrets.STEP_KEY }}"
        assert ("policy-signing-key" in step["with"]) is (name == "sign")
        assert ("id-token" in job["permissions"]) is (name == "sign")
        assert {key for key, value in job["permissions"].items() if value == "write"} <= {"id-token", "attestations"}
    assert WORKFLOW["permissions"] == {}
    assert WORKFLOW["jobs"]["publish"]["needs"] == "gate"
