"""The lock holds what is declared and used, by hash, and says nothing about the machine it was made on."""

import ast
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.support.tools import ROOT

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PACKAGES = ("maestro", "policy", "runner", "gates", "bots")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / name).read_text()
    return {normal(found[1]): found[2] for found in re.finditer(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE)}


def third_party(folders: tuple[str, ...]) -> set[str]:
    """Distributions whose modules are imported by our packages."""
    modules = set()
    for file in (file for folder in folders for file in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                modules |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules.add(node.module.split(".")[0])
    names = metadata.packages_distributions()
    foreign = modules - set(sys.stdlib_module_names) - {*PACKAGES, "tests", "benchmarks", "examples"}
    return {normal(min(names[module], key=len)) if module in names else module for module in foreign}


def test_what_the_packages_import_is_declared_and_locked() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {normal(re.split(r"[<>=~! \[]", line)[0]) for line in declared}
    assert third_party(PACKAGES) <= names | {"pydantic-core"}  # pydantic requires exactly one version of it
    assert names <= set(locked("runtime.txt"))


def test_what_the_tests_import_is_locked() -> None:
    assert third_party(("tests", "benchmarks", "examples")) <= set(locked("dev.txt"))


def test_the_development_lock_is_a_superset_of_the_same_versions() -> None:
    runtime, build, dev = locked("runtime.txt"), locked("build.txt"), locked("dev.txt")
    assert runtime.items() | build.items() <= dev.items()
    assert "hatchling" in build


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_has_hashes_and_no_machine_in_it(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert not [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file://|(?<![\w.])/(\w+/)+", text)


INSTALLS = ("Makefile", ".ci/run", ".github/actions/check/install")


def test_installing_from_a_lock_resolves_nothing() -> None:
    """A resolver looks at what the index has today: a release made after the lock stopped an old pip."""
    for name in INSTALLS:
        lines = [line for line in (ROOT / name).read_text().splitlines() if "--require-hashes" in line]
        assert lines and all("--no-deps" in line for line in lines), name


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt"])
def test_a_lock_holds_whatever_its_packages_require(lock: str) -> None:
    have = locked(lock)
    missing = {}
    for name in have:
        for line in metadata.requires(name) or ():
            needed = Requirement(line)
            applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
            version = have.get(normal(needed.name))
            if applies and (version is None or not needed.specifier.contains(version, True)):
                missing[name] = line
    assert not missing
