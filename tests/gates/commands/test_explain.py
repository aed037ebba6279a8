"""`maestro explain`: every rule has a page, a pack's own words are found, a wrong name is answered with near ones."""

import io
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.catalogue import all_rules
from gates.commands.explain import pages_folder, read_sections, split_sections
from gates.waivers import BREAK_GLASS_RULE
from maestro.cli import main
from maestro.world import World
from tests.support.terminals import Terminal

PACK = """\
# METADATA
# title: Shops close
# custom:
#   mode: warn
#   owner: "@acme/shops"
#   match: ["shops/**"]
package acme.shops

# METADATA
# title: A shop has an hour to close
deny_hour contains "no hour" if not input.hour

deny_name contains "no name" if not input.name
"""
SETTINGS = """\
apiVersion: maestro-conductor/v1
requires: ">=0.1"
documents: ["flags/**"]
packs: [policy/packs/*]
"""


def explain(cwd: Path, rule: str, *, tty: bool = False) -> tuple[int, str, str]:
    out, err = (Terminal() if tty else io.StringIO() for _ in range(2))
    environ = {"PATH": os.environ["PATH"], "HOME": str(cwd), "GIT_CONFIG_GLOBAL": os.devnull}
    code = main(["explain", rule], World(environ=environ, cwd=cwd, stdout=out, stderr=err))
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    folder = tmp_path / "policy/packs/shops"
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "maestro.yaml").write_text(SETTINGS)
    (folder / "shops.rego").write_text(PACK)
    (folder / "README.md").write_text("# Shops\n\n## acme.shops/name\n\n**Avoid** \x1b[31mno name.\n\n## Other\n")
    return tmp_path


def test_every_rule_of_a_gate_has_a_page_that_teaches() -> None:
    sections = read_sections(pages_folder())
    parts = ("**Avoid**", "**Prefer**", "**Why", "**Configure")
    missing = {rule.id: [part for part in parts if part not in sections.get(rule.id, "")] for rule in all_rules()}
    assert {rule: parts for rule, parts in missing.items() if parts} == {}


def test_no_page_is_about_a_rule_that_does_not_exist() -> None:
    folder = pages_folder()
    gates = {rule for page in folder.glob("gates/*.md") for rule in split_sections(page.read_text())}
    assert gates <= {rule.id for rule in all_rules()} | {BREAK_GLASS_RULE}


def test_a_page_is_printed_as_it_is_written(tmp_path: Path) -> None:
    code, out, err = explain(tmp_path, "mc.flags/ttl_too_long")
    assert (code, err) == (0, "")
    assert out in (pages_folder() / "gates/flags.md").read_text()
    assert out.startswith("## mc.flags/ttl_too_long\n")


def test_on_a_terminal_only_the_heading_is_bold(tmp_path: Path) -> None:
    _, plain, _ = explain(tmp_path, "mc.flags/ttl_too_long")
    _, coloured, _ = explain(tmp_path, "mc.flags/ttl_too_long", tty=True)
    assert coloured.startswith("\x1b[1m## mc.flags/ttl_too_long\x1b[0m\n")
    assert coloured.replace("\x1b[1m", "").replace("\x1b[0m", "") == plain


def test_a_rule_of_an_own_pack_speaks_through_its_metadata(shops: Path) -> None:
    code, out, _ = explain(shops, "acme.shops/hour")
    assert code == 0
    assert out == (
        "## acme.shops/hour\n\nA shop has an hour to close\n\n"
        "mode warn, owner @acme/shops, policy/packs/shops/shops.rego:11\n\n"
        "To set it aside: maestro waive acme.shops/hour SUBJECT --until DATE --reason TEXT\n"
        "SUBJECT is Kind/name of a document of ours, else the path of the file.\n"
    )


def test_rules_of_one_name_say_that_they_are_set_aside_together(shops: Path) -> None:
    (shops / "policy/packs/shops/plain.rego").write_text("package acme.shops\n\nwarn contains 1 if input.x\n")
    code, out, _ = explain(shops, "acme.shops/warn")
    assert code == 0
    assert "name them `warn_<what>` to tell them apart" in out
    assert "no owner" not in out


def test_a_packs_readme_goes_first_and_is_harmless(shops: Path) -> None:
    code, out, _ = explain(shops, "acme.shops/name")
    assert (code, out) == (0, "## acme.shops/name\n\n**Avoid** \ufffd[31mno name.\n")


def test_a_wrong_name_gets_near_ones(shops: Path) -> None:
    code, out, err = explain(shops, "acme.shops/hours")
    assert (code, out) == (3, "")
    assert "did you mean acme.shops/hour" in err


def test_outside_of_a_repository_it_answers_too(tmp_path: Path) -> None:
    code, _, err = explain(tmp_path, "mc.flags/ttl_to_long")
    assert code == 3
    assert "did you mean mc.flags/ttl_too_long" in err


def test_a_heading_inside_a_code_block_is_no_section() -> None:
    page = "# P\n\n## a/b\n\ntext\n\n```md\n## c/d\n# e\n```\n\nmore\n\n## f/g\n\nend\n"
    assert split_sections(page) == {
        "a/b": "## a/b\n\ntext\n\n```md\n## c/d\n# e\n```\n\nmore\n",
        "f/g": "## f/g\n\nend\n",
    }


@given(st.text(alphabet="#` \n/ab.~", max_size=80))
def test_any_page_is_split_into_parts_of_itself(page: str) -> None:
    for name, section in split_sections(page).items():
        assert section.rstrip("\n") in page
        assert name in section.splitlines()[0]
