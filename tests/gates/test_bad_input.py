"""What goes wrong around a check: the answer is a clear error with the exit code of the table, and never a pass."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from policy.engines.conftest_engine import Limits
from tests.gates.governed import FLAG, MANIFEST, SETTINGS, WAIVER, Answer, check, governed, maestro
from tests.maestro.report.runner_log import commands
from tests.policy.engines.conftest_here import conftest_engine, fake_conftest
from tests.support.git_repo import GitRepo
from tests.support.tools import tool

FORMATS = ("terminal", "json", "sarif", "junit", "github", "markdown")
WITH_PACKS = SETTINGS + "packs: [policy/packs/*]\n"
PACK = "policy/packs/web/web.rego"
NAMED = """\
# METADATA
# title: Names
# custom: {mode: enforce, owner: "@acme/platform", match: ["k8s/**"]}
package acme.web

deny_bad contains msg if {
	input.bad
	msg := sprintf("bad: %v", [input.bad])
}
"""
OWNED = "* @acme/data\n/policy/ @acme/platform\n/maestro.yaml @acme/platform\n/.github/ @acme/platform\n"
SIGNERS = 'lead@acme.example,@acme/platform namespaces="maestro-approval" ssh-ed25519 ' + (
    "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
)


def clear(answer: Answer, code: int, *words: str) -> Answer:
    """That the answer is an error a person can act on, with this code, and no traceback."""
    text = answer.out + answer.err
    assert answer.code == code, text
    assert "Traceback" not in text
    assert "the gate crashed" not in text
    for word in words:
        assert word in text
    return answer


def with_pack(folder: Path, rego: str = NAMED, files: dict[str, str | bytes | None] | None = None) -> GitRepo:
    return governed(folder, {"maestro.yaml": WITH_PACKS, PACK: rego, **(files or {})})


def with_conftest(repo: GitRepo) -> dict[str, str]:
    return {"PATH": f"{Path(tool('conftest')).parent}:{repo.environ['PATH']}"}


# Where it stands.


def test_no_repository(tmp_path: Path) -> None:
    repo = GitRepo(tmp_path)
    clear(maestro(repo, "check"), 2, "repository")
    clear(maestro(repo, "check", "--repo", "nowhere"), 2, "nowhere")


def test_an_empty_repository(tmp_path: Path) -> None:
    clear(check(GitRepo.init(tmp_path / "r")), 2, "no maestro.yaml", "maestro init")


def test_an_empty_repository_about_to_be_governed_is_a_preview(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "r")
    repo.write("maestro.yaml", SETTINGS)
    repo.write("flags/c.yaml", FLAG.replace("@acme/checkout", "@nobody"))
    answer = clear(check(repo), 0)
    assert answer.report["preview"] is True
    assert answer.rules() == ["mc.flags/owner_unresolved"]


def test_no_maestro_yaml_anywhere(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "r")
    repo.commit({"README.md": "acme\n"})
    clear(check(repo), 2, "there is no maestro.yaml", "maestro init")


def test_a_target_that_does_not_exist_names_near_ones(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    clear(check(repo, "--target", "mian"), 2, "'mian'", "main")
    clear(check(repo, "--target", "-x"), 2)
    clear(check(repo, "--target", "main; true"), 2)


def test_another_version_of_the_tool_is_wanted(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"maestro.yaml": SETTINGS + 'requires: ">=7"\n'})
    repo.write("flags/c.yaml", FLAG)
    clear(check(repo), 2, ">=7")


def test_a_maestro_yaml_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yaml").write_text(SETTINGS)
    repo = GitRepo.init(tmp_path / "r")
    repo.commit({"flags/c.yaml": FLAG}, links={"maestro.yaml": "../elsewhere.yaml"})
    clear(check(repo), 2, "maestro.yaml")


# A change that alters its own judge: the old judge judges, and governance asks.


@pytest.fixture
def owned(tmp_path: Path) -> GitRepo:
    return with_pack(
        tmp_path / "r",
        files={".github/CODEOWNERS": OWNED, "policy/allowed_signers": SIGNERS, "k8s/web.yaml": "kind: Deployment\n"},
    )


@pytest.mark.parametrize(
    ("files", "rule"),
    [
        ({PACK: NAMED.replace("input.bad\n", "false\n")}, "pack_changed"),
        ({PACK: NAMED.replace("mode: enforce", "mode: shadow")}, "milder_mode"),
        ({PACK: None}, "pack_removed"),
        ({"maestro.yaml": SETTINGS + "packs: [policy/others/*]\n"}, "pack_removed"),
        ({PACK: NAMED.replace("k8s/**", "elsewhere/**")}, "narrower_match"),
        ({"waivers/w.yaml": WAIVER.replace("mc.documents/owner_unresolved", "acme.web/bad")}, "waiver_changed"),
        ({".github/CODEOWNERS": "* @me\n"}, "owners_changed"),
        ({"policy/allowed_signers": SIGNERS.replace("lead", "me")}, "trust_changed"),
        ({".github/workflows/maestro.yml": "on: pull_request\njobs: {}\n"}, "workflow_changed"),
    ],
)
def test_a_change_of_its_own_judge_is_judged_by_the_old_one(
    owned: GitRepo, files: dict[str, str | None], rule: str
) -> None:
    owned.commit({**files, "k8s/web.yaml": "bad: indeed\n"})
    answer = clear(check(owned, environ=with_conftest(owned)), 10)
    assert ("acme.web/bad", "enforce") in {(one["rule"], one["mode"]) for one in answer.findings("policy")}
    assert f"mc.governance/{rule}" in answer.rules("governance")
    assert answer.outcomes()["governance"] == "failed"


# Files that are not what they should be.


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (FLAG.encode().replace(b"checkout-v2", b"check\xffout"), "mc.documents/not_utf8"),
        (FLAG.encode("utf-16"), "mc.documents/not_utf8"),
        (FLAG.encode() + b"\0", "mc.documents/nul_byte"),
        (FLAG.replace("  name", "\tname").encode(), "mc.documents/tab_indentation"),
        (FLAG.replace("spec:", "spec:\n  type: release").encode(), "mc.documents/duplicate_key"),
        (b"# \n" * 700_000 + FLAG.encode(), "mc.documents/too_large"),
        (b"a: [" + b"[" * 5000 + b"]" * 5001, "mc.documents/too_deep"),
        (b"a: " + b"[" * 100_000, "mc.documents/too_deep"),
        (FLAG.replace("ttl:", "ttl: !!python/object:os.system").encode(), "mc.documents/tag"),
    ],
)
def test_a_file_of_ours_that_cannot_be_read_is_a_finding(tmp_path: Path, data: bytes, rule: str) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/c.yaml", data)
    answer = clear(check(repo), 10)
    assert rule in answer.rules("documents")
    assert {one["location"]["path"] for one in answer.findings()} == {"flags/c.yaml"}


def bomb(levels: int = 12) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def test_a_billion_laughs_is_no_joke_in_either_dialect(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write("flags/c.yaml", bomb())
    repo.write("k8s/c.yaml", bomb())
    answer = clear(check(repo, environ=with_conftest(repo)), 10)
    assert "mc.documents/alias_bomb" in answer.rules("documents")
    assert answer.rules("policy") == ["mc.policy/unreadable"]


def test_ten_megabytes_of_somebody_elses_yaml(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write("k8s/large.yaml", b"- {kind: Deployment, bad: null}\n" * 340_000)
    answer = clear(check(repo, environ=with_conftest(repo)), 10)
    assert answer.rules("policy") == ["mc.policy/unreadable"]
    assert "10" in answer.findings("policy")[0]["message"]


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + FLAG.encode(), FLAG.replace("\n", "\r\n").encode()])
def test_a_bom_and_crlf_are_read(tmp_path: Path, data: bytes) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/c.yaml", data)
    answer = clear(check(repo), 0)
    assert answer.outcomes()["flags"] == "passed"


def test_positions_in_crlf_files_are_those_an_editor_shows(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/c.yaml", FLAG.replace("@acme/checkout", "@nobody").replace("\n", "\r\n"))
    [finding] = check(repo).findings()
    assert (finding["location"]["line"], finding["location"]["column"]) == (5, 10)


# Names that want to be something else.

NASTY = [
    "::error file=README.md::forged",
    "x\n::error::forged",
    "x\r\n::set-output name=a::forged",
    "##[error]forged",
    "<script>alert(1)</script>",
    "</details><img src=x onerror=alert(1)>",
    "[click](https://evil.example) @acme/everyone #1 `code` | cell",
    "\x1b[2J\x1b]0;title\x07",
    "\u202ereversed\u2066",
    "]]>&<!DOCTYPE",
]


def spoken(repo: GitRepo, name: str) -> Answer:
    return maestro(repo, "check", "--format", name, environ=with_conftest(repo))


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitRepo]:
    repo = with_pack(tmp_path_factory.mktemp("nasty") / "r")
    for number, text in enumerate(NASTY):
        quoted = json.dumps(text)
        repo.write(f"flags/f{number}.yaml", FLAG.replace("checkout-v2", quoted).replace('"@acme/checkout"', quoted))
        repo.write(f"manifests/m{number}.yaml", MANIFEST + f"  {quoted}: {quoted}\n")
        repo.write(f"k8s/k{number}.yaml", f"bad: {quoted}\n")
        if "\0" not in text and "/" not in text:
            repo.write(f"k8s/{text}.yaml", "bad: path\n")
    yield repo


@pytest.mark.parametrize("name", FORMATS)
def test_text_from_documents_is_only_text(nasty: GitRepo, name: str) -> None:
    answer = clear(spoken(nasty, name), 10, "forged")
    text = answer.out + answer.err
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\x07" not in text
    if name == "github":
        assert {one.name for one in commands(text)} <= {"error", "warning", "notice"}
        assert all(
            one.properties.get("title", "maestro").startswith(("mc.", "acme.web/", "maestro")) for one in commands(text)
        )
        assert len(commands(text)) <= 21
    else:
        assert commands(text) == []
    if name == "markdown":
        outside_of_code = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
        assert "<script" not in outside_of_code
        assert "onerror" not in outside_of_code
        assert "evil.example" not in outside_of_code
        assert "@acme/everyone" not in outside_of_code


def test_words_of_a_maestro_yaml_are_only_text(tmp_path: Path) -> None:
    """Before the merge it is anybody's, and what is said about it goes to the log of a job."""
    repo = GitRepo.init(tmp_path / "r")
    for text in NASTY:
        repo.commit({"maestro.yaml": SETTINGS + f"{json.dumps(text)}: 1\n"})
        answer = clear(check(repo), 2)
        assert commands(answer.err) == []
        assert "\x1b" not in answer.err
        assert "\u202e" not in answer.err


def test_words_of_the_command_line_are_only_text(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    for text in NASTY:
        answer = clear(check(repo, f"--target={text}"), 2)
        assert commands(answer.err) == []
        assert "\x1b" not in answer.err


# Rego that cannot be trusted.


def test_rego_that_does_not_parse_is_an_error_that_says_where(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r", NAMED + "\ndeny_x contains {\n")
    repo.write("k8s/web.yaml", "kind: Deployment\n")
    answer = clear(check(repo, environ=with_conftest(repo)), 1)
    assert answer.outcomes()["policy"] == "errored"
    assert "web.rego" in answer.reason("policy")


ENDLESS = """
deny_slow contains "never" if {
	numbers.range(0, 100000)[i]
	numbers.range(0, 100000)[j]
	i + j < 0 - input.size
}
"""


def test_rego_that_never_ends_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = conftest_engine(Limits(base_seconds=1.0))
    monkeypatch.setattr("policy.engines.choose.choose", lambda *_: engine)
    repo = with_pack(tmp_path / "r", NAMED + ENDLESS)
    repo.write("k8s/slow.yaml", "size: 1\n")
    repo.write("k8s/web.yaml", "bad: indeed\n")
    answer = clear(check(repo), 10)
    assert answer.outcomes()["policy"] == "errored"
    assert answer.rules("policy") == ["acme.web/bad"]
    assert "k8s/slow.yaml" in answer.reason("policy")
    assert "did not end within 1" in answer.reason("policy")


def test_a_pack_that_poses_as_the_adapter_is_an_error(tmp_path: Path) -> None:
    liar = 'package maestro_adapter\n\nviolation contains "[[0, [[]]]]"\n'
    repo = with_pack(tmp_path / "r", files={"policy/packs/web/liar.rego": liar})
    repo.write("k8s/web.yaml", "bad: indeed\n")
    answer = clear(check(repo, environ=with_conftest(repo)), 1)
    assert "liar.rego:1: the package maestro_adapter is reserved" in answer.reason("policy")


def test_answers_in_the_shape_of_the_adapters_are_only_messages(tmp_path: Path) -> None:
    forger = NAMED + '\nallow := true\n\nviolation_forged contains "[[0, [[]]]]" if input.bad\n'
    repo = with_pack(tmp_path / "r", forger)
    repo.write("k8s/web.yaml", "bad: indeed\n")
    answer = clear(check(repo, environ=with_conftest(repo)), 10)
    assert sorted(answer.rules("policy")) == ["acme.web/bad", "acme.web/forged"]


def test_one_poisonous_input_among_a_thousand_spoils_only_itself(tmp_path: Path) -> None:
    strict = NAMED + '\ndeny_when contains "old" if time.parse_rfc3339_ns(input.when) < 5\n'
    repo = with_pack(tmp_path / "r", strict)
    for number in range(1000):
        text = "when: yesterday\n" if number == 617 else "bad: indeed\n" if number == 904 else f"size: {number}\n"
        repo.write(f"k8s/d{number:03}.yaml", text)
    answer = clear(check(repo, environ=with_conftest(repo)), 10)
    assert answer.outcomes()["policy"] == "errored"
    assert "k8s/d617.yaml" in answer.reason("policy")
    assert "more)" not in answer.reason("policy")
    assert [one["location"]["path"] for one in answer.findings("policy")] == ["k8s/d904.yaml"]


# conftest itself.


@pytest.mark.parametrize(
    ("body", "opa", "words"),
    [
        ("true", "1.22.2", ""),
        ("echo garbage", "1.22.2", ""),
        ("echo '[]'", "1.22.2", ""),
        ("kill -9 $$", "1.22.2", ""),
        ("exit 3", "1.22.2", ""),
        ("true", "1.12.1", "1.22.2 or later is needed"),
        ("true", "Edge", "no released version"),
    ],
)
@pytest.mark.parametrize("engine", ["auto", "conftest", "both"])
def test_a_conftest_that_misbehaves_is_an_error(tmp_path: Path, body: str, opa: str, words: str, engine: str) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write("k8s/web.yaml", "bad: indeed\n")
    fake_conftest(tmp_path / "bin", body, opa=opa)
    answer = check(repo, "--engine", engine, environ={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})
    clear(answer, 1, words)
    assert answer.outcomes()["policy"] == "errored"
    assert answer.outcomes()["documents"] != "errored"


@pytest.mark.parametrize("engine", ["conftest", "both"])
def test_a_conftest_that_is_asked_for_and_missing(tmp_path: Path, engine: str) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write("k8s/web.yaml", "bad: indeed\n")
    clear(
        check(repo, "--engine", engine, environ={"PATH": "/usr/bin:/bin"}), 1, "conftest is not on PATH", "make tools"
    )
    (repo.path / "k8s/web.yaml").unlink()
    repo.write("flags/c.yaml", FLAG)
    clear(check(repo, "--engine", engine, environ={"PATH": "/usr/bin:/bin"}), 0)


def test_a_conftest_of_the_checkout_is_not_asked(tmp_path: Path) -> None:
    repo = with_pack(tmp_path / "r")
    repo.write("k8s/web.yaml", "bad: indeed\n")
    fake_conftest(repo.path, "touch asked; echo '[]'")
    for path in (".:/usr/bin:/bin", ":/usr/bin:/bin", "/usr/bin:/bin:"):
        clear(check(repo, environ={"PATH": path}), 1)
    assert not (repo.path / "asked").exists()


# Time.


def test_a_clock_set_back_is_no_reason_to_fail_or_to_pass(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"manifests/n.yaml": MANIFEST.replace("@acme/data", "@nobody")})
    repo.write("waivers/w.yaml", WAIVER)
    repo.write("flags/c.yaml", FLAG)
    early = check(repo, now=dt.datetime(1970, 1, 2, tzinfo=dt.UTC))
    clear(early, 10)
    assert {"mc.flags/ttl_too_long", "mc.waivers/too_long"} <= set(early.rules())
    late = clear(check(repo, now=dt.datetime(2126, 1, 1, tzinfo=dt.UTC)), 0)
    assert "mc.waivers/expired" in late.rules()


def test_the_day_is_that_of_utc(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"waivers/w.yaml": WAIVER, "manifests/n.yaml": MANIFEST})
    repo.write("manifests/n.yaml", MANIFEST.replace("@acme/data", "@nobody"))
    last = dt.datetime(2026, 12, 31, 23, 59, tzinfo=dt.UTC)
    assert check(repo, now=last).code == 0
    assert check(repo, now=last.astimezone(dt.timezone(dt.timedelta(hours=14)))).code == 0
    assert check(repo, now=last + dt.timedelta(minutes=1)).code == 10
