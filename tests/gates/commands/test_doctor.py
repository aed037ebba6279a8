"""`maestro doctor`: what it says in good and bad surroundings, and when it answers 1."""

import io
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from maestro.cli import main
from maestro.world import World
from tests.gates.test_trusted_artifacts import OTHER_ROOT, ROOT, TRUST
from tests.maestro.evidence import keys
from tests.runner.governed_runs import listed
from tests.support.tools import tool

SETTINGS = """\
apiVersion: maestro-conductor/v1
requires: ">=0.1"
documents: ["flags/**", "waivers/**"]
packs: [policy/packs/*]
"""
PACK = """\
# METADATA
# custom:
#   mode: warn
#   match: ["k8s/**"]
package acme.pods

deny_name contains "x" if not input.name
"""
OWNERS = "/.github/ @acme/p\n/maestro.yaml @acme/p\n/policy/ @acme/p\n/waivers/ @acme/p\n"

Doctor = Callable[..., tuple[int, dict[str, str], str]]


@pytest.fixture
def doctor(tmp_path: Path) -> Doctor:
    """Runs it with a PATH of our own making: git, and what a test puts into ``bin``."""
    programs = tmp_path / "bin"
    programs.mkdir()
    git = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    (programs / "git").symlink_to(git)

    def run(*arguments: str, **extra: str) -> tuple[int, dict[str, str], str]:
        environ = {"PATH": str(programs), "HOME": str(tmp_path), "GIT_CONFIG_GLOBAL": os.devnull, **extra}
        out, err = io.StringIO(), io.StringIO()
        code = main(["doctor", *arguments], World(environ=environ, cwd=tmp_path, stdout=out, stderr=err))
        assert err.getvalue() == ""
        rows = re.findall(r"^([ !✗] \S+) +(.*)$", out.getvalue(), re.MULTILINE)
        said: dict[str, str] = {}
        for name, text in rows:
            if not text.startswith("→"):
                said[name.strip()] = (said.get(name.strip(), "") + " " + text).strip()
        return code, said, out.getvalue()

    return run


def program(folder: Path, name: str, script: str) -> None:
    file = folder / "bin" / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def conftest(folder: Path, opa: str) -> None:
    program(folder, "conftest", f"printf 'Conftest: v0.71.1\\nOPA: {opa}\\n'")


def governed(folder: Path, files: dict[str, str]) -> None:
    subprocess.run(["git", "init", "-q", str(folder / "repo")], check=True)
    for name, text in {"maestro.yaml": SETTINGS, "policy/packs/pods/pods.rego": PACK, **files}.items():
        path = folder / "repo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_without_anything_it_says_how_to_get_it(doctor: Doctor) -> None:
    code, said, text = doctor()
    assert code == 0
    assert "conftest is not on PATH" in said["! conftest"]
    assert said["engine"].startswith("regopy ")
    assert "only packs that policy/parity.lock names" in said["engine"]
    assert said["cosign"].startswith("not installed; ")
    assert "is not in a git repository" in said["! repository"]
    assert text.endswith("\nready to judge\n")


def test_a_sound_conftest_judges(doctor: Doctor, tmp_path: Path) -> None:
    conftest(tmp_path, "1.22.2")
    governed(tmp_path, {"CODEOWNERS": OWNERS + "/CODEOWNERS @acme/p\n"})
    code, said, _ = doctor("--repo", "repo")
    assert code == 0
    assert said["engine"].endswith("OPA 1.22.2 judges")
    assert said["packs"] == "acme.pods (warn)"
    assert said["binds"].startswith("CODEOWNERS covers what decides")


@pytest.mark.parametrize(
    ("more", "name", "says"),
    [
        ("", "keys", "none in maestro.yaml: `maestro run` starts nothing"),
        (listed(keys.row()), "keys", "receipts signed by release are believed"),
        (
            listed(keys.row(revoked_at=keys.LONG_AGO)),
            "! keys",
            "`maestro run` starts nothing: the key 'release' is revoked",
        ),
        (listed(keys.row(), keys.Row("twice", keys.row().public_key)), "! keys", "are one key"),
    ],
    ids=["none", "valid", "revoked", "twice"],
)
def test_it_says_whether_receipts_could_be_believed(
    doctor: Doctor, tmp_path: Path, more: str, name: str, says: str
) -> None:
    conftest(tmp_path, "1.22.2")
    governed(tmp_path, {"maestro.yaml": SETTINGS + more})
    code, said, _ = doctor("--repo", "repo")
    assert code == 0
    assert says in said[name]


def test_a_conftest_that_loses_a_deny_is_refused(doctor: Doctor, tmp_path: Path) -> None:
    conftest(tmp_path, "1.21.1")
    code, said, _ = doctor()
    assert code == 0
    assert "answers wrongly" in said["! conftest"]
    assert said["engine"].startswith("regopy ")


def test_packs_that_nobody_here_may_judge_are_an_error(doctor: Doctor, tmp_path: Path) -> None:
    governed(tmp_path, {})
    code, said, text = doctor("--repo", "repo")
    assert code == 1
    assert "acme.pods" in said["✗ packs"]
    assert "not able to judge" in text


def test_each_pack_is_read_for_the_embedded_engine(doctor: Doctor, tmp_path: Path) -> None:
    conftest(tmp_path, "1.22.2")
    governed(tmp_path, {})
    _, said, _ = doctor("--repo", "repo")
    assert "embedded" not in said, "nothing keeps regopy from it"
    rule = "deny contains input.a if {\n\tinput.b with input as {}\n}\n"
    governed(tmp_path, {"policy/packs/pods/more.rego": f"package acme.pods\n\nimport rego.v1\n\n{rule}"})
    code, said, text = doctor("--repo", "repo")
    assert code == 0
    assert said["embedded"].startswith("regopy cannot read acme.pods: policy/packs/pods/more.rego:6:2: `with` is not")
    assert "→ give the rule what it needs as an argument" in text


def test_a_regopy_that_was_never_tested_judges_nothing(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gates.commands.doctor.regopy_version", lambda: "9.9.9")
    _, said, _ = doctor()
    assert "9.9.9 was never tested against OPA" in said["! regopy"]


def test_broken_settings_are_an_error_with_their_place(doctor: Doctor, tmp_path: Path) -> None:
    governed(tmp_path, {"maestro.yaml": SETTINGS + "unknown: 1\n"})
    code, said, _ = doctor("--repo", "repo")
    assert code == 1
    assert "maestro.yaml:5:1" in said["✗ maestro.yaml"]


def test_a_gap_in_codeowners_is_named(doctor: Doctor, tmp_path: Path) -> None:
    conftest(tmp_path, "1.22.2")
    governed(tmp_path, {".github/CODEOWNERS": OWNERS.replace("/waivers/ @acme/p\n", "")})
    _, said, _ = doctor("--repo", "repo")
    assert "may change waivers/ without" in said["! binds"]


def test_without_codeowners_the_check_is_called_advice(doctor: Doctor, tmp_path: Path) -> None:
    conftest(tmp_path, "1.22.2")
    governed(tmp_path, {})
    code, said, _ = doctor("--repo", "repo")
    assert code == 0
    assert said["! binds"].startswith("the check is advice: ")
    assert ".github/CODEOWNERS, maestro.yaml, .github/workflows/maestro.yml" in said["! binds"]


def test_the_proxy_of_registries_is_shown_without_its_password(doctor: Doctor) -> None:
    assert "proxy" not in doctor()[1]
    _, said, text = doctor(https_proxy="http://me:hidden-word@proxy.example:3128", NO_PROXY=".corp.example")
    line = "registries are asked through proxy.example:3128 (HTTPS_PROXY), except for this machine and .corp.example"
    assert said["proxy"] == line
    _, said, other = doctor(HTTPS_PROXY="socks5://me:hidden-word@proxy.example:1080")
    assert said["! proxy"] == "HTTPS_PROXY names no proxy: a proxy is spoken to by http:// alone, not by socks5://"
    assert "hidden-word" not in text + other


def test_another_maestro_in_front_is_noticed(doctor: Doctor, tmp_path: Path) -> None:
    program(tmp_path, "maestro", "echo mobile")
    _, said, text = doctor()
    assert str(tmp_path / "bin/maestro") in said["! PATH"]
    assert "maestro-conductor" in text


def test_without_git_nothing_can_be_judged(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "bin/git").unlink()
    code, said, _ = doctor()
    assert code == 1
    assert "✗ git" in said


def test_github_is_asked_only_when_told_to(doctor: Doctor, tmp_path: Path) -> None:
    conftest(tmp_path, "1.22.2")
    governed(tmp_path, {})
    remote = ["remote", "add", "origin", "git@github.com:acme/shop.git"]
    subprocess.run(["git", "-C", str(tmp_path / "repo"), *remote], check=True)
    assert "! GitHub" not in doctor("--repo", "repo")[1]
    code, said, _ = doctor("--repo", "repo", "--github", GITHUB_API_URL="http://127.0.0.1:9")
    assert code == 0
    assert said["! GitHub"].startswith("GitHub could not be asked for the rules of main in acme/shop")


SOUND = """\
# METADATA
# custom: {mode: warn, match: ["k8s/**"]}
package acme.pods

deny_name contains "x" if input.name == "bad"
"""


def locked(folder: Path) -> None:
    """The repository with a lock as both engines gave it."""
    governed(
        folder,
        {
            "policy/packs/pods/pods.rego": SOUND,
            "policy/packs/pods/fixtures/bad.yaml": "name: bad\ninput: {name: bad}\nexpect: {deny: [acme.pods/name]}\n",
        },
    )
    environ = {"PATH": str(Path(tool("conftest")).parent)}
    world = World(environ=environ, cwd=folder / "repo", stdout=io.StringIO(), stderr=io.StringIO())
    assert main(["policy", "parity", "--write"], world) == 0


def test_what_regopy_may_judge_here(doctor: Doctor, tmp_path: Path) -> None:
    locked(tmp_path)
    code, said, text = doctor("--repo", "repo")
    assert code == 0, text
    assert said["embedded"] == "regopy may judge acme.pods where no conftest is"
    assert "! parity" not in said
    conftest(tmp_path, "1.22.2")
    assert doctor("--repo", "repo")[1]["embedded"] == said["embedded"]


@pytest.mark.parametrize(
    ("path", "text", "says"),
    [
        ("policy/packs/pods/pods.rego", SOUND.replace('"bad"', '"worse"'), "not about what is here now: acme.pods"),
        ("policy/packs/pods/fixtures/b.yaml", "name: b\ninput: {a: 1}\nexpect: {deny: []}\n", "now: acme.pods"),
        ("policy/parity.lock", "garbage", "is of no use here: it is not JSON"),
        ("policy/parity.lock", "1.5.2", "it was made with regopy 1.4.0"),
    ],
)
def test_a_stale_lock_is_told(doctor: Doctor, tmp_path: Path, path: str, text: str, says: str) -> None:
    locked(tmp_path)
    conftest(tmp_path, "1.22.2")
    file = tmp_path / "repo" / path
    file.write_text(file.read_text().replace("1.5.2", "1.4.0") if text == "1.5.2" else text)
    code, said, output = doctor("--repo", "repo")
    assert code == 0
    assert says in said["! parity"]
    assert "maestro policy parity --write" in output


def test_a_trust_policy_is_looked_through(doctor: Doctor, tmp_path: Path) -> None:
    trust = TRUST.replace("json, sha", "json, stale_after: 2026-01-01, sha").replace(
        "    source:", "    loosen: {any_trigger: true}\n    source:"
    )
    governed(tmp_path, {"trust.yaml": trust, "trust/root.json": ROOT, ".github/CODEOWNERS": OWNERS})
    _, said, text = doctor("--repo", "repo")
    assert "trust.yaml is about api" in said["trust"]
    assert "api (dist/api*.tar.gz) is loosened: loosen.any_trigger" in said["trust"]
    assert "! trust       the root private is stale since 2026-01-01" in text
    assert "maestro trust update private --root FILE" in text
    assert "a pull request may change trust.yaml, trust/root.json" in said["! binds"]
    governed(tmp_path, {"trust/root.json": OTHER_ROOT})
    assert "is not the trusted root that trust.yaml means" in doctor("--repo", "repo")[1]["! trust"]
    (tmp_path / "repo/trust/root.json").unlink()
    assert "the root private is missing" in doctor("--repo", "repo")[1]["! trust"]
    governed(tmp_path, {"trust.yaml": "kind: TrustPolicy\n"})
    assert "nobody is believed: trust.yaml:1:1" in doctor("--repo", "repo")[1]["! trust"]
