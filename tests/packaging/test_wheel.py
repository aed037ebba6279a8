"""The wheel, installed into an empty environment far from the checkout, does what it says."""

import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.support.tools import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the locked backend, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "wheel", "--quiet"]
    done = subprocess.run(
        [*pip, "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(ROOT)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script of an environment that holds the wheel and sees this one's dependencies, not the checkout."""
    home = tmp_path_factory.mktemp("far") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True, timeout=60)
    python = home / "bin/python"
    pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "--python", str(python)]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], check=True, timeout=120)
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # A line of a .pth file names a folder and is not followed further: the dependencies, without the editable checkout.
    (Path(site) / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin/maestro"


def maestro(script: Path, cwd: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environ = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONSAFEPATH": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(
        [script, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_what_is_in_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names}
    assert tops == {
        "maestro",
        "policy",
        "runner",
        "gates",
        "bots",
        next(top for top in tops if top.endswith(".dist-info")),
    }
    assert {
        "policy/packs/flags/flags.rego",
        "policy/packs/images/images.rego",
        "policy/packs/placement/placement.rego",
        "policy/packs/flags/fixtures/ok-new.yaml",
        "policy/parity.lock",
    } <= names
    assert {"maestro/py.typed", "maestro/pages/gates/flags.md", "gates/init_files/templates/workflow.yml"} <= names
    unwanted = re.compile(r"(^|/)(tests?|examples)/|_test\.rego$|\.(pyc|so)$")
    assert not [name for name in names if unwanted.search(name)]


def test_every_data_file_of_the_packages_is_in_it(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "maestro", "policy", "runner", "gates", "bots"],
        capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    # Tests of packs and the comparison with OPA's own cases are the developers'; a user has no use for them.
    left_out = ("_test.rego",), ("policy/conformance/",)
    wanted = {
        name
        for name in listed
        if name and not name.endswith(left_out[0]) and not any(part in name for part in left_out[1])
    }
    assert wanted - names == set()


def test_it_runs_from_its_own_files(installed: Path, tmp_path: Path) -> None:
    python = installed.with_name("python")
    where = subprocess.run(
        [python, "-c", "import maestro, gates, policy; print(maestro.__file__, gates.__file__, policy.__file__)"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert all(Path(file).is_relative_to(installed.parents[1]) for file in where)


def test_it_says_its_version_by_both_names(installed: Path, tmp_path: Path) -> None:
    for script in (installed, installed.with_name("maestro-conductor")):
        done = maestro(script, tmp_path, "--version")
        assert (done.returncode, done.stdout, done.stderr) == (0, "maestro-conductor 0.1.0\n", "")


def test_it_has_schemas_and_pages(installed: Path, tmp_path: Path) -> None:
    schema = maestro(installed, tmp_path, "schema", "Flag")
    assert (schema.returncode, schema.stderr) == (0, "")
    assert '"$schema"' in schema.stdout
    page = maestro(installed, tmp_path, "explain", "mc.flags/ttl_too_long")
    assert (page.returncode, page.stderr) == (0, "")
    assert page.stdout.startswith("## mc.flags/ttl_too_long")


def test_a_new_repository_passes_its_own_check(installed: Path, tmp_path: Path) -> None:
    made = maestro(installed, tmp_path, "init", "shop")
    assert (made.returncode, made.stderr) == (0, "")
    for engine in ("regopy", "auto"):
        checked = maestro(installed, tmp_path, "check", "--repo", "shop", "--engine", engine, "--format", "json")
        assert checked.returncode == 0, checked.stdout + checked.stderr
        assert '"outcome": "failed"' not in checked.stdout
        assert '"outcome": "errored"' not in checked.stdout
    git = ["git", "-C", str(tmp_path / "shop"), "-c", "user.name=dev", "-c", "user.email=dev@acme.example"]
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "Govern"], check=True)
    after = maestro(installed, tmp_path, "check", "--repo", "shop", "--all", "--engine", "regopy")
    assert after.returncode == 0, after.stdout + after.stderr
