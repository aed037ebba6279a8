"""``maestro verify blob`` in a repository: who decides, what it prints, how it exits."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from maestro.cli import main
from maestro.world import World
from tests.maestro.provenance.refusals import DATA, NOW, RUN, SIGSTORE, attested
from tests.support.git_repo import GitRepo

POLICY = """\
apiVersion: maestro-conductor/v1
kind: TrustPolicy
roots:
  - {{id: private, path: trust/root.json, sha256: "{digest}"}}
artifacts:
  - name: api
    match: ["dist/api*.tar.gz"]
    builders:
      - {{builder: github-artifact-attestations, workflow: acme/build/.github/workflows/build.yml, tags: ["v*"]}}
    source: {{repository: https://github.com/acme/api, repository_id: 712345678, tags: ["v*"]}}
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    git = GitRepo.init(tmp_path / "repo")
    root = json.dumps(SIGSTORE.trusted_root())
    policy = POLICY.format(digest=hashlib.sha256(root.encode()).hexdigest())
    git.commit({"trust.yaml": policy, "trust/root.json": root})
    (git.path / "dist").mkdir()
    (git.path / "dist/api.tar.gz").write_bytes(DATA)
    (git.path / "good.json").write_bytes(attested().data)
    (git.path / "evil.json").write_bytes(attested(replace(RUN, repository="acme/api-evil")).data)
    return git.path


def _run(cwd: Path, *argv: str, now: dt.datetime = NOW, **environ: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    world = World(environ=environ, cwd=cwd, stdout=out, stderr=err, now=lambda: now)
    return main(["verify", "blob", *argv], world), out.getvalue(), err.getvalue()


def test_proven(repo: Path) -> None:
    code, out, err = _run(repo, "dist/api.tar.gz", "--bundle", "good.json")
    assert (code, out) == (0, "")
    assert "✔ dist/api.tar.gz is proven" in err
    assert "github-artifact-attestations (level 3), from https://github.com/acme/api at refs/tags/v1.2.0" in err


def test_stopped_in_one_sentence(repo: Path) -> None:
    code, _, err = _run(repo, "dist/api.tar.gz", "--bundle", "evil.json")
    assert code == 10
    assert err.splitlines()[:3] == [
        "✘ dist/api.tar.gz is not proven: built from 'https://github.com/acme/api-evil', "
        "wanted https://github.com/acme/api",
        "    verify/repository (`maestro explain verify/repository`)",
        "    → if this is meant, change trust.yaml through a reviewed change",
    ]


def test_a_bundle_of_no_use_beside_a_good_one_does_no_harm(repo: Path) -> None:
    code, out, err = _run(repo, "dist/api.tar.gz", "--bundle", "evil.json", "--bundle", "good.json", "--format", "json")
    assert (code, err) == (0, "")
    [artifact] = json.loads(out)["artifacts"]
    assert [one["reason"] for one in artifact["entries"][0]["bundles"]] == ["verify/repository", None]


def test_many_bundles_in_one_file(repo: Path) -> None:
    lines = (repo / "evil.json").read_bytes() + b"\n\n" + (repo / "good.json").read_bytes() + b"\n"
    (repo / "all.jsonl").write_bytes(lines)
    assert _run(repo, "dist/api.tar.gz", "--bundle", "all.jsonl")[0] == 0


def test_each_file_is_judged_by_its_own_bundle(repo: Path) -> None:
    (repo / "dist/api-2.tar.gz").write_bytes(b"never attested")
    code, out, _ = _run(repo, "dist/api.tar.gz", "dist/api-2.tar.gz", "--bundle", "good.json", "--format", "json")
    assert code == 10
    found = {one["name"]: one["reason"] for one in json.loads(out)["artifacts"]}
    assert found == {"dist/api.tar.gz": None, "dist/api-2.tar.gz": "verify/subject-mismatch"}


def test_a_change_of_the_working_tree_decides_nothing(repo: Path) -> None:
    milder = (repo / "trust.yaml").read_text().replace("acme/api,", "acme/api-evil,")
    (repo / "trust.yaml").write_text(milder)
    assert _run(repo, "dist/api.tar.gz", "--bundle", "evil.json")[0] == 10


def test_a_policy_by_path_is_tried_at_home_and_refused_in_ci(repo: Path) -> None:
    milder = (repo / "trust.yaml").read_text().replace("acme/api,", "acme/api-evil,")
    (repo / "mine.yaml").write_text(milder)
    argv = ("dist/api.tar.gz", "--bundle", "evil.json", "--policy", "mine.yaml")
    code, _, err = _run(repo, *argv)
    assert code == 0
    assert "mine.yaml, not the policy revision's trust.yaml" in err
    code, _, err = _run(repo, *argv, CI="true")
    assert code == 2
    assert "in CI only that one decides" in err
    same = ("dist/api.tar.gz", "--bundle", "good.json", "--policy", "trust.yaml")
    assert _run(repo, *same, CI="true")[0] == 0


def test_a_poisoned_root_is_not_believed(repo: Path) -> None:
    (repo / "trust/root.json").write_text("{}")
    argv = ("dist/api.tar.gz", "--bundle", "good.json")
    assert _run(repo, *argv)[0] == 0  # the committed one decides
    code, _, err = _run(repo, *argv, "--policy", "trust.yaml")
    assert code == 2
    assert "not the trusted root that trust.yaml means" in err


def test_anybody_may_sign_is_said_aloud(repo: Path) -> None:
    text = (repo / "trust.yaml").read_text()
    head = text[: text.index("    builders")]
    (repo / "open.yaml").write_text(head + "    minimum_level: 0\n    loosen: {anyone: true}\n")
    code, _, err = _run(repo, "dist/api.tar.gz", "--bundle", "evil.json", "--policy", "open.yaml")
    assert code == 0
    assert "ANYBODY MAY SIGN" in err
    assert "loosened by trust.yaml (api): loosen.anyone, minimum_level: 0" in err


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (("nothing.gz", "--bundle", "good.json"), 3, "nothing.gz: cannot be read"),
        (("dist", "--bundle", "good.json"), 3, "is not an ordinary file"),
        (("dist/api.tar.gz", "--bundle", "nothing.json"), 3, "nothing.json: cannot be read"),
        (("dist/api.tar.gz", "--bundle", "dist/api.tar.gz"), 10, "verify/bundle-malformed"),
        (("good.json", "--bundle", "good.json"), 10, "verify/no-policy"),
        (("dist/api.tar.gz",), 2, "required: --bundle"),
    ],
)
def test_what_cannot_be_judged(repo: Path, argv: tuple[str, ...], code: int, words: str) -> None:
    found, _, err = _run(repo, *argv)
    assert (found, words in err) == (code, True), err


def test_a_huge_bundle_is_not_read(repo: Path) -> None:
    with (repo / "huge.json").open("wb") as file:
        file.truncate(100 << 20)
    code, _, err = _run(repo, "dist/api.tar.gz", "--bundle", "huge.json")
    assert code == 10
    assert "verify/bundle-too-large" in err


def test_without_a_policy_nobody_is_believed(tmp_path: Path) -> None:
    git = GitRepo.init(tmp_path / "repo")
    git.commit({"a": "a"})
    (git.path / "b.json").write_bytes(attested().data)
    code, _, err = _run(git.path, "a", "--bundle", "b.json")
    assert code == 2
    assert "nobody is believed" in err
