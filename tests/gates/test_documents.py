from __future__ import annotations

from pathlib import Path

import pytest

from maestro.lfs_pointer import lfs_pointer
from tests.gates.governed import FLAG, MANIFEST, POOL, WAIVER, check, governed


def test_sound_documents_pass(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("manifests/nightly.yaml", MANIFEST)
    answer = check(repo)
    assert (answer.code, answer.outcomes()["documents"], answer.findings()) == (0, "passed", [])


def test_every_error_of_a_file_is_said_at_its_place(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("manifests/nightly.yaml", MANIFEST.replace("command:", "comand:").replace("batch", "bacth"))
    answer = check(repo)
    assert answer.code == 10
    places = {(one["rule"], one["location"]["line"], one["location"]["column"]) for one in answer.findings("documents")}
    assert {("mc.documents/unknown_key", 8, 3), ("mc.documents/bad_value", 9, 10)} <= places


def test_a_change_elsewhere_does_not_read_the_documents(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"flags/broken.yaml": "kind: ["})
    repo.write("README.md", "acme, again\n")
    answer = check(repo)
    assert answer.code == 0
    assert answer.outcomes()["documents"] == "skipped"


@pytest.mark.parametrize("other", ["same file", "another file", "unchanged file", "escaped"])
def test_a_name_given_twice_is_one_finding(tmp_path: Path, other: str) -> None:
    escaped = MANIFEST.replace("nightly-report", r'"nightly\x2dreport"')
    before = {"manifests/a.yaml": escaped if other == "escaped" else MANIFEST} if "file" not in other[:4] else {}
    repo = governed(tmp_path / "r", before if other in ("unchanged file", "escaped") else {})
    if other == "same file":
        repo.write("manifests/b.yaml", MANIFEST + "---\n" + MANIFEST)
    elif other == "another file":
        repo.write("manifests/a.yaml", MANIFEST)
        repo.write("manifests/b.yaml", MANIFEST)
    else:
        if other == "unchanged file":
            repo.commit({"manifests/a.yaml": MANIFEST})
            repo.git("branch", "-f", "main", "HEAD")
        repo.write("manifests/b.yaml", MANIFEST)
    answer = check(repo)
    assert answer.rules() == ["mc.documents/duplicate_name"]
    assert answer.findings()[0]["location"]["path"] == "manifests/b.yaml"


def test_a_reference_to_nothing_names_the_nearest(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("manifests/nightly.yaml", MANIFEST + "  pool: heer\n")
    [finding] = check(repo).findings()
    assert finding["rule"] == "mc.documents/reference"
    assert finding["location"]["line"] == 10
    assert "'here'" in finding["remedy"]


def test_removing_what_others_refer_to_is_found_at_the_reference(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"manifests/nightly.yaml": MANIFEST + "  pool: here\n"})
    (repo.path / "pools/here.yaml").unlink()
    [finding] = check(repo, "--gate", "documents").findings()
    assert finding["rule"] == "mc.documents/still_referred"
    assert finding["location"]["path"] == "manifests/nightly.yaml"


def test_moving_a_document_to_another_file_removes_nothing(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"manifests/nightly.yaml": MANIFEST + "  pool: here\n"})
    (repo.path / "pools/here.yaml").rename(repo.path / "pools/there.yaml")
    assert check(repo, "--gate", "documents").findings() == []


def test_an_owner_nobody_is_has_a_fix(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("manifests/nightly.yaml", MANIFEST.replace("@acme/data", "@acme/dat"))
    [finding] = check(repo).findings()
    assert finding["rule"] == "mc.documents/owner_unresolved"
    assert finding["fix"]["edits"][0]["text"] == '"@acme/data"'


def test_owners_of_codeowners_count_and_compare_without_case(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {".github/CODEOWNERS": "/manifests/ @acme/Reports\n"})
    repo.write("manifests/nightly.yaml", MANIFEST.replace("@acme/data", "@ACME/reports"))
    assert check(repo).findings() == []


def test_a_relative_ttl_is_fixed_with_the_date(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("flags/checkout.yaml", FLAG.replace("2027-02-01", "30d"))
    [finding] = check(repo).findings()
    assert finding["rule"] == "mc.documents/relative_ttl"
    assert finding["fix"]["edits"][0]["text"] == "2026-12-23"


def test_links_submodules_and_pointers_are_findings(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.commit(
        {"flags/big.yaml": lfs_pointer("0" * 64, 12345)},
        links={"flags/link.yaml": "../README.md", "flags/out.yaml": "../../elsewhere"},
        submodules={"manifests/sub": "1" * 40},
    )
    answer = check(repo, "--head", "HEAD")
    assert sorted(answer.rules("documents")) == [
        "mc.documents/lfs_pointer",
        "mc.documents/link",
        "mc.documents/link",
        "mc.documents/submodule",
    ]


def test_paths_that_collide_are_findings(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"flags/checkout.yaml": FLAG})
    other = FLAG.replace("checkout-v2", "other")
    entries = {
        "maestro.yaml": ("100644", (repo.path / "maestro.yaml").read_text()),
        "flags/checkout.yaml": ("100644", FLAG),
        "flags/Checkout.yaml": ("100644", other),
    }
    repo.commit_tree(entries)
    answer = check(repo, "--head", "HEAD", "--gate", "documents")
    assert "mc.documents/path_collision" in answer.rules()


def test_a_broken_maestro_yaml_at_the_head_is_found_at_its_line(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    repo.write("maestro.yaml", "apiVersion: maestro-conductor/v1\ndocuments: []\npaks: []\n")
    found = [one for one in check(repo).findings("documents") if one["rule"] == "mc.documents/config"]
    assert [(one["location"]["path"], one["location"]["line"]) for one in found] == [("maestro.yaml", 2)]


def test_a_maestro_yaml_that_the_change_breaks_blocks_it(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r")
    settings = (repo.path / "maestro.yaml").read_text()
    repo.write("maestro.yaml", settings + "paks: []\n")
    answer = check(repo)
    found = [one for one in answer.findings("documents") if one["rule"] == "mc.documents/config"]
    assert (answer.code, [one["existing"] for one in found]) == (10, [False])


def test_whether_maestro_yaml_may_be_removed_is_for_its_owners_alone(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"maestro.yaml": (governed(tmp_path / "x").path / "maestro.yaml").read_text()})
    (repo.path / "maestro.yaml").unlink()
    answer = check(repo)
    assert answer.rules() == ["mc.governance/settings_changed"]


def test_existing_problems_are_shown_and_do_not_block(tmp_path: Path) -> None:
    broken = MANIFEST.replace("batch", "bacth")
    repo = governed(tmp_path / "r", {"manifests/nightly.yaml": broken})
    repo.write("manifests/nightly.yaml", "# a comment moves every line\n" + broken)
    answer = check(repo)
    assert answer.code == 0
    assert [one["existing"] for one in answer.findings()] == [True]


def test_existing_problems_block_where_the_target_says_so(tmp_path: Path) -> None:
    broken = MANIFEST.replace("batch", "bacth")
    settings = (governed(tmp_path / "x").path / "maestro.yaml").read_text() + "existing: block\n"
    repo = governed(tmp_path / "r", {"manifests/nightly.yaml": broken, "maestro.yaml": settings})
    repo.write("manifests/nightly.yaml", "# a comment\n" + broken)
    assert check(repo).code == 10


def test_a_waived_finding_is_shown_and_does_not_block(tmp_path: Path) -> None:
    stray = MANIFEST.replace('"@acme/data"', "@acme/stranger".join('""'))
    repo = governed(tmp_path / "r", {"waivers/nightly.yaml": WAIVER, "manifests/nightly.yaml": MANIFEST})
    repo.write("manifests/nightly.yaml", stray)
    answer = check(repo)
    assert answer.code == 0
    assert [one["waived_by"] for one in answer.findings()] == ["nightly-owner"]


def test_a_waiver_brought_by_the_change_itself_does_not_hold(tmp_path: Path) -> None:
    stray = MANIFEST.replace('"@acme/data"', "@acme/stranger".join('""'))
    repo = governed(tmp_path / "r")
    repo.write("manifests/nightly.yaml", stray)
    repo.write("waivers/nightly.yaml", WAIVER)
    answer = check(repo)
    assert answer.code == 10
    assert [one["waived_by"] for one in answer.findings("documents")] == [None]


def test_an_expired_waiver_does_not_hold(tmp_path: Path) -> None:
    stray = MANIFEST.replace('"@acme/data"', "@acme/stranger".join('""'))
    repo = governed(tmp_path / "r", {"waivers/nightly.yaml": WAIVER.replace("2026-12-31", "2026-11-22")})
    repo.write("manifests/nightly.yaml", stray)
    assert check(repo).code == 10


def test_a_pool_may_be_named_like_a_flag(tmp_path: Path) -> None:
    repo = governed(tmp_path / "r", {"flags/here.yaml": FLAG.replace("checkout-v2", "here")})
    repo.write("pools/two.yaml", POOL.replace("name: here", "name: there"))
    assert check(repo).findings() == []
