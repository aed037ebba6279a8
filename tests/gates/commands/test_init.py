"""`maestro init`: what it adds, what it leaves alone, what it says."""

import datetime as dt
import io
import os
import subprocess
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from maestro.cli import main
from maestro.config import load_config
from maestro.world import World
from policy.folder import Folder
from policy.pack import load_packs
from policy.parity.inputs import digest_of, inputs_of
from policy.parity.lock import lock_at

ACTION = "acme/conductor@0123456789abcdef0123456789abcdef01234567"
POLICY = 'package main\n\ndeny contains "no" if input.kind == "Pod"\n'
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"


def init(cwd: Path, *arguments: str) -> tuple[int, str, str]:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CEILING_DIRECTORIES": str(cwd.parent),
    }
    out, err = io.StringIO(), io.StringIO()
    world = World(environ=environ, cwd=cwd, stdout=out, stderr=err, now=lambda: dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    code = main(["init", *arguments], world)
    return code, out.getvalue(), err.getvalue()


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }


def repository(root: Path, contents: dict[str, str], branch: str = "trunk") -> Path:
    root.mkdir(exist_ok=True)
    subprocess.run(["git", "init", "-q", "-b", branch, str(root)], check=True)
    for name, text in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_new_repository(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    code, out, err = init(tmp_path, "new", "--action", ACTION)
    assert (code, err) == (0, "")
    assert out == snapshot(name="said")
    written = files(tmp_path / "new")
    assert {name: data.decode() for name, data in written.items() if not name.startswith("policy/")} == snapshot(
        name="text"
    )


def test_a_full_repository_keeps_every_byte(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    before = {
        "k8s/service.yaml": SERVICE,
        "k8s/deep/er/pod.yml": SERVICE,
        "k8s/kustomization.yaml": "resources: [service.yaml]\n",
        "charts/app/templates/pod.yaml": "apiVersion: v1\nkind: {{ .Values.kind }}\n",
        "manifests/legacy.yaml": SERVICE,
        "policy/pods.rego": POLICY,
        "policy/pods_test.rego": "package main\n\ntest_x if true\n",
        "policy/lib/helper.rego": "package lib\n\nhelp := 1\n",
        "CODEOWNERS": "* @acme/all\n",
        "README.md": "# shop\n",
    }
    root = repository(tmp_path / "shop", before)
    code, out, err = init(root, "--action", ACTION)
    assert (code, err) == (0, "")
    after = files(root)
    assert {name: after[name].decode() for name in before} == before
    assert out == snapshot(name="said")
    assert after["maestro.yaml"].decode() == snapshot(name="maestro.yaml")
    added = {name for name in set(after) - set(before) if not name.startswith("maestro/packs/")}
    assert added == {"maestro.yaml", ".github/workflows/maestro.yml", "policy/parity.lock"}
    assert {"maestro/packs/flags/flags.rego", "maestro/packs/images/images.rego"} <= set(after)
    assert not [name for name in after if "fixtures" in name or (name.endswith("_test.rego") and name not in before)]


@pytest.mark.parametrize("contents", [{}, {"k8s/a.yaml": SERVICE, "policy/a.rego": POLICY}])
def test_a_second_run_writes_nothing_and_says_so(tmp_path: Path, contents: dict[str, str]) -> None:
    root = repository(tmp_path / "r", contents)
    init(root, "--action", ACTION)
    before = files(root)
    code, out, _ = init(root, "--action", ACTION)
    assert code == 0
    assert out.splitlines()[-1] == "nothing to add, nothing was written"
    assert "Next:" not in out
    assert files(root) == before


def test_an_unknown_origin_is_said_and_the_workflow_can_follow(tmp_path: Path) -> None:
    code, out, _ = init(tmp_path, "new")
    assert code == 0
    assert "--action OWNER/REPO@COMMIT" in out
    assert ".github/workflows/maestro.yml" not in files(tmp_path / "new")
    before = files(tmp_path / "new")
    init(tmp_path, "new", "--action", ACTION)
    after = files(tmp_path / "new")
    assert set(after) - set(before) == {".github/workflows/maestro.yml"}
    assert {name: after[name] for name in before} == before


def test_own_settings_and_packs_are_left_alone(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"maestro.yaml": "mine\n", ".github/workflows/maestro.yml": "mine\n"})
    code, out, _ = init(root, "--action", ACTION)
    assert code == 0
    assert set(files(root)) == {"maestro.yaml", ".github/workflows/maestro.yml"}
    assert out.splitlines()[:2] == ["kept   maestro.yaml", "kept   .github/workflows/maestro.yml"]


def test_a_pack_that_is_there_is_not_mixed_with_ours(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"policy/packs/flags/own.rego": "package mc.flags\n"})
    init(root)
    assert sorted(name for name in files(root) if name.startswith("policy/packs/flags/")) == [
        "policy/packs/flags/own.rego"
    ]


def test_a_folder_with_files_but_no_repository_is_refused(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").write_text("a")
    code, _, err = init(tmp_path, "full")
    assert code == 2
    assert "git init" in err
    assert set(files(tmp_path)) == {"full/a.txt"}


def test_a_subfolder_of_a_repository_is_refused(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {"sub/a.txt": "a"})
    code, _, err = init(root, "sub")
    assert code == 2
    assert "lies inside the repository" in err
    assert set(files(root)) == {"sub/a.txt"}


@pytest.mark.parametrize("link", ["maestro.yaml", "policy", ".github", "flags/hello-banner.yaml"])
def test_a_link_in_the_way_stops_it_before_the_first_file(tmp_path: Path, link: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = repository(tmp_path / "r", {})
    (root / link).parent.mkdir(exist_ok=True)
    (root / link).symlink_to(outside)
    code, _, err = init(root, "--action", ACTION)
    assert code == 2
    assert "in the way, and nothing was written" in err
    assert files(root) == {}
    assert files(outside) == {}


def test_an_ignored_file_in_the_way_is_not_overwritten(tmp_path: Path) -> None:
    root = repository(tmp_path / "r", {".gitignore": "maestro.yaml\n", "maestro.yaml": "secret\n"})
    code, _, err = init(root)
    assert code == 2
    assert "maestro.yaml is already there" in err
    assert (root / "maestro.yaml").read_text() == "secret\n"


def test_a_file_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    code, _, err = init(tmp_path, "file")
    assert (code, "is not a folder" in err) == (2, True)


@pytest.mark.parametrize(
    "action", ["acme/conductor@v1", "acme@" + "0" * 40, "acme/conductor@" + "0" * 39, "a/b\n@" + "0" * 40]
)
def test_an_action_that_is_not_pinned_is_refused(tmp_path: Path, action: str) -> None:
    code, _, err = init(tmp_path, "new", "--action", action)
    assert (code, "is not OWNER/REPO@COMMIT" in err) == (2, True)
    assert not (tmp_path / "new").exists()


def test_the_default_branch_is_the_remotes(tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin", {"a.txt": "a"}, branch="release/next")
    git = ["git", "-c", "user.name=dev", "-c", "user.email=dev@acme.example"]
    subprocess.run([*git, "-C", str(origin), "add", "."], check=True)
    subprocess.run([*git, "-C", str(origin), "commit", "-qm", "a"], check=True)
    subprocess.run([*git, "clone", "-q", str(origin), str(tmp_path / "clone")], check=True)
    subprocess.run([*git, "-C", str(tmp_path / "clone"), "switch", "-qc", "mine"], check=True)
    init(tmp_path / "clone", "--action", ACTION)
    assert "default_branch: release/next\n" in (tmp_path / "clone/maestro.yaml").read_text()
    assert 'branches: ["release/next"]' in (tmp_path / "clone/.github/workflows/maestro.yml").read_text()


def test_the_lock_names_the_packs_that_are_written(tmp_path: Path) -> None:
    """So that a new repository is judged without conftest; wherever the packs go."""
    for name, before in {"new": {}, "policies": {"policy/pods.rego": POLICY, "k8s/a.yaml": SERVICE}}.items():
        root = repository(tmp_path / name, before)
        assert init(root, "--action", ACTION)[0] == 0
        folder = Folder(root)
        lock = lock_at(folder)
        packs = load_packs(folder, load_config("maestro.yaml", folder.read("maestro.yaml"))).packs
        ours = [pack for pack in packs if pack.name.startswith("mc.")]
        assert len(ours) == 3
        for pack in ours:
            assert lock.objection(pack.program()) is None
            entry = lock.packs[pack.name]
            assert entry.inputs == digest_of(inputs_of(folder, pack)), "the gate finds them as they are"


def test_a_file_where_the_lock_should_lie_is_left_alone(tmp_path: Path) -> None:
    root = repository(tmp_path / "odd", {"policy": "a file\n"})
    code, out, err = init(root, "--action", ACTION)
    assert (code, err) == (0, "")
    assert "parity.lock" not in out
    assert (root / "policy").read_text() == "a file\n"
