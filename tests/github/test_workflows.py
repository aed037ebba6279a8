"""actionlint and zizmor find nothing in our workflows, our action, and the workflow that `maestro init` writes."""

import datetime as dt
import re
import subprocess
from pathlib import Path

import pytest

from gates.init_files.plan import WORKFLOW, plan
from gates.init_files.survey import survey
from tests.support.tools import ROOT, tool

OWN = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The workflow of a governed repository, with a branch whose name needs quotes."""
    todo = plan(
        survey([], lambda _: {}),
        branch="release/it's-next",
        action="acme/conductor@0123456789abcdef0123456789abcdef01234567",
        version="0.1.0",
        lock=b"",
        packs={},
        today=dt.date(2026, 3, 1),
    )
    file = tmp_path / WORKFLOW
    file.parent.mkdir(parents=True)
    file.write_bytes(todo.files[WORKFLOW])
    return file


def actionlint(*files: Path) -> "subprocess.CompletedProcess[str]":
    # Without shellcheck and pyflakes: whether a machine has them must not change the answer.
    # Nor does it know yet that `$/` is this repository at this commit.
    own = [
        r'specifying action "\$/\.github/[\w./-]+" in invalid',
        r'reusable workflow call "\$/\.github/[\w./-]+\.yml" at',
    ]
    ignored = [word for message in own for word in ("-ignore", message)]
    argv = [tool("actionlint"), "-no-color", "-shellcheck=", "-pyflakes=", *ignored, *map(str, files)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def zizmor(*files: Path) -> "subprocess.CompletedProcess[str]":
    argv = [
        tool("zizmor"),
        "--offline",
        "--strict-collection",
        "--no-progress",
        "--persona=pedantic",
        "--no-config",
        *map(str, files),
    ]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)


def test_our_workflows_are_clean() -> None:
    linted = actionlint(*OWN)
    assert (linted.returncode, linted.stdout) == (0, "")
    audited = zizmor(*OWN, *ACTIONS)
    assert audited.returncode == 0, audited.stdout


def test_what_init_writes_is_clean(written: Path) -> None:
    linted = actionlint(written)
    assert (linted.returncode, linted.stdout) == (0, "")
    audited = zizmor(written)
    assert audited.returncode == 0, audited.stdout


def test_the_linters_would_see_a_defect(written: Path) -> None:
    text = written.read_text()
    written.write_text(text.replace("github.sha", "github.shaa"))
    assert actionlint(written).returncode == 1
    written.write_text(re.sub(r"@0123456789abcdef\w*", "@v1", text))
    assert "unpinned-uses" in zizmor(written).stdout


@pytest.mark.parametrize("file", [*OWN, *ACTIONS], ids=lambda file: file.name)
def test_actions_are_pinned_with_their_version_beside(file: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", file.read_text())
    used = [(name, comment) for name, comment in used if not name.startswith("$/")]  # of the same commit
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", name) and comment.startswith(" # v") for name, comment in used)


def test_the_action_puts_no_input_into_a_script() -> None:
    for file in ACTIONS:
        runs = re.findall(r"run: (.*)", file.read_text())
        assert runs
        assert not [line for line in runs if "${{" in line]


def test_the_queue_is_a_trigger_and_no_path_is_filtered(written: Path) -> None:
    text = re.sub(r"#[^\n]*", "", written.read_text())
    assert re.findall(r"^  (\w+):$", text[: text.index("permissions:")], re.MULTILINE) == [
        "pull_request",
        "merge_group",
        "push",
    ]
    assert "paths" not in text
    assert "persist-credentials: false" in text


def test_scripts_of_the_action_are_executable_bash() -> None:
    scripts = [path for path in (ROOT / ".github/actions").glob("*/*") if path.suffix == ""]
    assert {path.name for path in scripts} == {"install", "judge", "verify"}
    for script in [
        *scripts,
        ROOT / ".ci/run",
        *(path for path in (ROOT / "tools/release").iterdir() if path.suffix == "" and path.name != "keys"),
        ROOT / "tools/npm-data",
        ROOT / "tools/conftest/build",
    ]:
        assert script.stat().st_mode & 0o111
        assert "set -euo pipefail" in script.read_text()
        subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize(
    ("event", "key", "records"),
    [("push", "KEY", True), ("push", "", False), ("pull_request", "KEY", False), ("merge_group", "KEY", False)],
)
def test_the_action_records_only_a_push_and_only_with_a_key(
    tmp_path: Path, event: str, key: str, records: bool
) -> None:
    program = tmp_path / "venv/bin/maestro"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    environ = {
        "PATH": "/usr/bin:/bin",
        "MAESTRO_HOME": str(tmp_path),
        "INPUT_PATH": str(tmp_path),
        "INPUT_ENGINE": "auto",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_EVENT_NAME": event,
        "MAESTRO_SIGNING_KEY": key,
    }
    argv = ["bash", str(ROOT / ".github/actions/check/judge")]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)
    assert ("--record" in done.stdout.split()) is records
    action = (ROOT / ".github/actions/check/action.yml").read_text()
    assert "github.event_name == 'push' && inputs.signing-key || ''" in action
