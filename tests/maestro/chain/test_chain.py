"""A chain as its owner, as an attacker, and on bad input; in-toto-verify beside it."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_toto.models.layout import Inspection, Layout
from in_toto.models.metadata import Metablock

from maestro.chain.reading import read_layout, read_link
from maestro.chain.reasons import ChainRefused
from maestro.cli import main
from maestro.world import World
from tests.maestro.chain import chains
from tests.support.tools import tool

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # in-toto recording


def verify(folder: Path, *products: str, key: str = "owner.pub") -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    world = World(environ={}, cwd=folder, stdout=out, stderr=err, now=lambda: chains.NOW)
    code = main(["verify", "chain", "layout", *products, "--links", "links", "--key", key], world)
    return code, out.getvalue(), err.getvalue()


def refused(folder: Path, *products: str) -> str:
    code, out, err = verify(folder, *products)
    assert (code, out) == (10, ""), err
    return str(re.findall(r"\[(chain/[a-z-]+)\]", err)[0])


@pytest.mark.parametrize("dsse", [False, True])
def test_a_sound_chain_holds_and_in_toto_verify_agrees(tmp_path: Path, dsse: bool) -> None:
    folder = chains.make(tmp_path / "c", dsse=dsse)
    assert verify(folder, "dist/api.tar") == (0, "✔ the chain holds: checkout → build → verify\n", "")
    assert chains.in_toto_verify(folder, "owner.pub")


def _inspect(layout: Layout) -> None:
    layout.inspect.append(Inspection(name="look", run=["touch", "canary"]))


def test_an_inspection_never_runs(tmp_path: Path) -> None:
    folder = chains.make(tmp_path / "c", _inspect)
    assert refused(folder) == "chain/inspection"
    assert not list(tmp_path.rglob("canary"))
    assert chains.in_toto_verify(folder, "owner.pub")
    assert list(tmp_path.rglob("canary")), "in-toto-verify itself runs it: this is what is refused"


def test_a_layout_in_place_of_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = chains.make(tmp_path / "c")
    inner = chains.layout()
    _inspect(inner)
    (folder / "links" / chains.link_name("build")).write_bytes(chains.signed(inner, "build"))
    sub = folder / "links" / f"build.{chains.key_id('build')[:8]}"
    sub.mkdir()
    for path in chains.make(tmp_path / "inner").glob("links/*"):
        (sub / path.name).write_bytes(path.read_bytes())
    assert refused(folder) == "chain/layout-as-link"
    assert not list(tmp_path.rglob("canary"))


def _twice(layout: Layout) -> None:
    other = "f" * 64
    layout.keys[other] = chains.listed("build", other)
    layout.steps[1].pubkeys.append(other)
    layout.steps[1].threshold = 2


def _expired(layout: Layout) -> None:
    layout.expires = "2026-11-25T11:59:59Z"


@pytest.mark.parametrize(("change", "code"), [(_twice, "chain/one-key-twice"), (_expired, "chain/layout-expired")])
def test_what_a_layout_may_not_say(tmp_path: Path, change: Callable[[Layout], object], code: str) -> None:
    assert refused(chains.make(tmp_path / "c", change)) == code


def test_a_layout_of_somebody_else(tmp_path: Path) -> None:
    folder = chains.make(tmp_path / "c")
    (folder / "layout").write_bytes(chains.signed(chains.layout(), "build"))
    assert refused(folder) == "chain/layout-signature"


def test_an_unknown_type(tmp_path: Path) -> None:
    folder = chains.make(tmp_path / "c")
    path = folder / "links" / chains.link_name("build")
    path.write_text(path.read_text().replace('"link"', '"linc"'))
    assert refused(folder) == "chain/type"


def test_a_missing_link(tmp_path: Path) -> None:
    folder = chains.make(tmp_path / "c")
    (folder / "links" / chains.link_name("build")).unlink()
    assert refused(folder) == "chain/link-missing"


def test_the_link_of_another_step(tmp_path: Path) -> None:
    folder = chains.make(tmp_path / "c")
    link = (folder / "links" / chains.link_name("checkout")).read_bytes()
    (folder / "links" / chains.link_name("build")).write_bytes(link)
    assert refused(folder) == "chain/link-of-another-step"


def test_a_link_signed_with_the_key_of_another_step(tmp_path: Path) -> None:
    folder = chains.make(tmp_path / "c")
    path = folder / "links" / chains.link_name("build")
    value = json.loads(path.read_text())
    block = Metablock.from_dict(value)
    block.signatures = []
    block.create_signature(chains.signer("checkout"))
    path.write_text(json.dumps(block.to_dict()))
    assert refused(folder) == "chain/link-signature"


def test_a_product_altered_between_two_steps(tmp_path: Path) -> None:
    folder = chains.make(tmp_path / "c")
    path = folder / "links" / chains.link_name("build")
    block = Metablock.from_dict(json.loads(path.read_text()))
    block.signed.products["dist/api.tar"] = {"sha256": "0" * 64}
    block.signatures = []
    block.create_signature(chains.signer("build"))
    path.write_text(json.dumps(block.to_dict()))
    assert refused(folder) == "chain/rule"


def test_a_product_altered_after_the_last_step(tmp_path: Path) -> None:
    folder = chains.make(tmp_path / "c")
    (folder / "dist/api.tar").write_text("another\n")
    assert refused(folder, "dist/api.tar") == "chain/product"
    assert refused(folder, "src/a") == "chain/product"


def _one_key(layout: Layout) -> None:
    layout.steps[1].pubkeys.append(chains.key_id("verify"))


def test_steps_of_one_key_are_said_to_add_no_separation(tmp_path: Path) -> None:
    code, out, _ = verify(chains.make(tmp_path / "c", _one_key))
    assert code == 0
    assert f"build, verify are signed with one key ({chains.key_id('verify')[:8]}): between them the chain adds" in out


@given(st.binary(max_size=200) | st.sampled_from([b"{}", b"[" * 9000, b'{"signed":1,"signatures":[]}']))
def test_whatever_lies_there_is_refused_cleanly(data: bytes) -> None:
    for read in (lambda: read_layout(data), lambda: read_link(data, "a.link")):
        with pytest.raises(ChainRefused):
            read()


def test_what_in_toto_is_given_is_nothing_else(tmp_path: Path) -> None:
    """The judge's process inherits nothing: a module in the folder or in PYTHONPATH is not imported."""
    folder = chains.make(tmp_path / "c")
    (folder / "in_toto.py").write_text("raise SystemExit('imported')")
    argv = [tool("maestro"), "verify", "chain", "layout", "--links", "links", "--key", "owner.pub"]
    done = subprocess.run(
        argv, cwd=folder, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_steps_that_share_a_job_are_said_to_add_no_separation(tmp_path: Path) -> None:
    folder = chains.make(tmp_path / "c")
    for step in ("build", "verify"):
        path = folder / "links" / chains.link_name(step)
        block = Metablock.from_dict(json.loads(path.read_text()))
        block.signed.environment = {"GITHUB_RUN_ID": "7", "GITHUB_JOB": "all"}
        block.signatures = []
        block.create_signature(chains.signer(step))
        path.write_text(json.dumps(block.to_dict()))
    code, out, _ = verify(folder)
    assert code == 0
    assert "build, verify ran in one job (all of run 7): between them the chain adds no separation" in out
