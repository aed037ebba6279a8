"""What of our own release runs without GitHub: every step, its link, and the gate on what would be published."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.support.own_release import STEPS, Rehearsal, change_one_byte
from tests.support.registries import go_containerregistry
from tests.support.tools import ROOT, tool

WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())
LAYOUT = yaml.safe_load((ROOT / "tools/release/layout.yaml").read_text())


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with go_containerregistry(tmp_path_factory.mktemp("registry")) as address:
        yield address


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory: pytest.TempPathFactory, registry: str) -> Rehearsal:
    folder = tmp_path_factory.mktemp("release")
    (folder / "etc").mkdir()
    (folder / "etc/os-release").write_text("NAME=base\n")
    subprocess.run(["tar", "-cf", "base.tar", "etc"], cwd=folder, check=True)
    crane(folder, "append", "--oci-empty-base", "-f", "base.tar", "-t", f"{registry}/base:1")
    return Rehearsal(folder / "here", f"{registry}/base@{crane(folder, 'digest', f'{registry}/base:1')}").run()


def crane(folder: Path, *argv: str) -> str:
    done = subprocess.run([tool("crane"), *argv], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_may_be_released(rehearsal: Rehearsal) -> None:
    code, said = rehearsal.gate()
    assert code == 0, said
    assert "chain/layout: checkout → test → build → bundle → sign → verify\n" in said
    assert "no separation" not in said
    assert "maestro-conductor 0.1.0 may be released: 6 of 6 parts hold" in said
    assert set(shown("passes")) <= set(scrubbed(said).splitlines())
    assert len(shown("passes")) == 8


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


def shown(mark: str) -> list[str]:
    """What docs/guides/own-release.md shows of the gate."""
    page = (ROOT / "docs/guides/own-release.md").read_text()
    return scrubbed(page.partition(f"<!-- rehearsal: {mark} -->\n```text\n")[2].partition("```")[0]).splitlines()


def scrubbed(text: str) -> str:
    return re.sub(r"\b[0-9a-f]{12,16}\b", "HEX", text)


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
    assert set(shown("stops")) <= set(scrubbed(said).splitlines())
    assert len(shown("stops")) == 6
    assert "maestro-conductor 0.1.0 MAY NOT be released: 4 of 6 parts hold" in said
    assert rehearsal.gate()[0] == 0


def test_one_byte_changed_before_it_was_signed_is_found_by_the_chain_alone(rehearsal: Rehearsal) -> None:
    """Its provenance is in order: GitHub attests what the job ``sign`` was handed."""
    with changed(rehearsal.folder / "jobs/build"):
        kept = rehearsal.released.rename(rehearsal.folder / "kept")
        code, said = rehearsal.sign_and_verify().gate()
    shutil.rmtree(rehearsal.released)
    kept.rename(rehearsal.released)
    assert code == 10
    assert "maestro-conductor 0.1.0 MAY NOT be released: 5 of 6 parts hold" in said
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
    for name in ("more.whl", ".more.whl", "sub/more.whl"):
        more = work / "dist" / name
        more.parent.mkdir(exist_ok=True)
        more.write_bytes(b"")
        assert not accepted(), name
        more.unlink()
    assert not accepted(), "a folder"
    (work / "dist/sub").rmdir()
    assert accepted()
    (work / "dist/more.whl").symlink_to("/etc/hostname")
    assert not accepted(), "a link"


def test_two_builds_are_the_same(rehearsal: Rehearsal, tmp_path: Path) -> None:
    script = rehearsal.repository.path / "tools/release/build"
    environ = rehearsal.environ | {"PATH": f"{Path(sys.executable).parent}:{rehearsal.environ['PATH']}"}
    subprocess.run([script, str(tmp_path / "dist")], env=environ, cwd=tmp_path, capture_output=True, check=True)
    first = rehearsal.folder / "jobs/build/dist"
    assert digests(tmp_path / "dist") == digests(first)
    assert [Path(name).suffix for name in digests(first)] == [".whl", ".tar", ".gz"]


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_the_image_is_the_base_and_one_layer(rehearsal: Rehearsal, registry: str, tmp_path: Path) -> None:
    [archive] = (rehearsal.released / "dist").glob("*.oci.tar")
    with tarfile.open(archive) as members:
        members.extraction_filter = getattr(tarfile, "data_filter", None)  # which Python 3.11.2 does not know
        members.extractall(tmp_path / "image")
    crane(tmp_path, "push", "image", f"{registry}/made:1")
    crane(tmp_path, "validate", "--remote", f"{registry}/made:1")
    digest = json.loads((tmp_path / "image/index.json").read_text())["manifests"][0]["digest"]
    assert crane(tmp_path, "digest", f"{registry}/made:1") == digest
    manifest = json.loads(crane(tmp_path, "manifest", f"{registry}/made:1"))
    base = (rehearsal.repository.path / "tools/release/base-image").read_text().strip()
    assert manifest["annotations"]["org.opencontainers.image.base.digest"] == base.partition("@")[2]
    assert manifest["annotations"]["org.opencontainers.image.revision"] == rehearsal.repository.git("rev-parse", "HEAD")
    assert manifest["layers"][:-1] == json.loads(crane(tmp_path, "manifest", base))["layers"]
    config = json.loads(crane(tmp_path, "config", f"{registry}/made:1"))
    assert config["config"]["Entrypoint"] == ["/usr/local/bin/maestro"]
    assert config["config"]["User"] == "65532:65532"
    crane(tmp_path, "export", f"{registry}/made:1", "made.tar")
    with tarfile.open(tmp_path / "made.tar") as members:
        names = set(members.getnames())
        assert members.getmember("usr/local/bin/maestro").mode == 0o755
    assert {"etc/os-release", "usr/local/lib/python3.13/site-packages/maestro/cli.py"} <= names


def test_without_trust_yaml_nothing_is_released(rehearsal: Rehearsal) -> None:
    repository = rehearsal.repository
    repository.commit({"trust.yaml": None})
    try:
        code, said = rehearsal.gate()
    finally:
        repository.git("reset", "-q", "--hard", "HEAD~1")
    assert code == 10
    assert "there is no trust.yaml" in said
    assert "2 of 6 parts hold" in (rehearsal.folder / "home/summary").read_text()


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
    text = (ROOT / ".github/workflows/release.yml").read_text()
    [version] = re.findall(r"^CRANE_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.M)
    assert set(re.findall(r"cmd/crane@(\S+)", text)) == {version}
    assert WORKFLOW["permissions"] == {}
    assert WORKFLOW["jobs"]["publish"]["needs"] == "gate"
