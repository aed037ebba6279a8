"""From layout.yaml to a verdict, as a user types it; in-toto's own tools say the same of every case."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_toto.runlib import record_artifacts_as_dict

from maestro.chain.layout_document import load_layout
from maestro.chain.reading import read_layout
from maestro.chain.recording import artifacts
from maestro.chain.signing import sign
from maestro.chain.writing import layout_of
from maestro.cli import main
from maestro.errors import UsageError
from maestro.world import World
from tests.maestro.chain import chains
from tests.maestro.evidence import keys
from tests.support.tools import tool

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # in-toto recording

VERIFY = ("verify", "chain", "layout", "--links", "links", "--key", "keys/owner.pub")
LAYOUT = """\
apiVersion: maestro-conductor/v1
kind: Layout
expires: 2027-06-30
steps:
  - name: checkout
    keys: [keys/checkout.pub]
    products: [{create: src/*}]
  - name: build
    keys: [keys/build.pub]
    materials:
      - {match: src/main.c, from: checkout}
      - {match: src/*, from: checkout}
    products: [{create: dist/*}]
  - name: verify
    keys: [keys/verify.pub]
    materials: [{match: dist/*, from: build}]
    products: [{match: dist/*, from: build}]
"""
TWO = LAYOUT.replace("[keys/build.pub]", "[keys/build.pub, keys/other.pub]")


def maestro(folder: Path, *argv: str, environ: Mapping[str, str] = {}) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    known = {"PATH": os.environ["PATH"], **environ}
    world = World(environ=known, cwd=folder, stdout=out, stderr=err, now=lambda: chains.NOW)
    return main(list(argv), world), out.getvalue(), err.getvalue()


def record(folder: Path, step: str, *argv: str, key: str | None = None, environ: Mapping[str, str] = {}) -> None:
    named = (f"keys/{key or step}.pem", "--links", "links")
    code, _, err = maestro(folder, "chain", "record", step, "--key", *named, *argv, environ=environ)
    assert code == 0, err


def build(folder: Path, key: str | None = None, environ: Mapping[str, str] = {}) -> None:
    argv = ("--materials", "src", "--products", "dist", "--", "cp", "src/main.c", "dist/app")
    record(folder, "build", *argv, key=key, environ=environ)


def layout(folder: Path, text: str = LAYOUT) -> tuple[int, str, str]:
    (folder / "layout.yaml").write_text(text)
    return maestro(folder, "chain", "layout", "--key", "keys/owner.pem", "-o", "layout")


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A folder with keys, a signed layout and three recorded steps that hold."""
    for name in ("owner", "checkout", "build", "verify", "other"):
        for ending, data in ((".pem", keys.pem(name)), (".pub", chains.pem(name).encode())):
            (tmp_path / "keys").mkdir(exist_ok=True)
            (tmp_path / "keys" / (name + ending)).write_bytes(data)
    assert layout(tmp_path)[0] == 0
    (tmp_path / "src").mkdir()
    (tmp_path / "dist").mkdir()
    (tmp_path / "src/main.c").write_text("int main;\n")
    (tmp_path / "src/util.c").write_text("int util;\n")
    record(tmp_path, "checkout", "--products", "src", "--no-command")
    build(tmp_path)
    verify(tmp_path)
    return tmp_path


def verify(folder: Path) -> None:
    record(folder, "verify", "--materials", "dist", "--products", "dist", "--", "test", "-s", "dist/app")


def judged(folder: Path) -> str:
    """``holds``, or the reason of ours; in-toto-verify says the same of it."""
    said = ("verify", "chain", "layout", "dist/app", "--links", "links", "--key", "keys/owner.pub")
    code, _, err = maestro(folder, *said)
    assert (code == 0) == chains.in_toto_verify(folder, "keys/owner.pub"), err
    return "holds" if code == 0 else re.findall(r"\[(chain/[a-z-]+)\]", err)[0]


def link(folder: Path, step: str, key: str | None = None) -> Path:
    return folder / "links" / f"{step}.{chains.key_id(key or step)[:8]}.link"


def _changed(chain: Path) -> None:
    (chain / "src/main.c").write_text("int evil;\n")
    build(chain)
    verify(chain)


def _changed_between(chain: Path) -> None:
    (chain / "dist/app").write_text("evil\n")
    verify(chain)


def _extra(chain: Path) -> None:
    (chain / "src/evil.c").write_text("int evil;\n")
    build(chain)


def _extra_product(chain: Path) -> None:
    (chain / "notes").write_text("evil\n")
    record(chain, "build", "--materials", "src", "--products", "dist", "notes", "--", "true")


def _took_nothing(chain: Path) -> None:
    (chain / "dist/app").unlink()
    record(chain, "build", "--products", "dist", "--", "cp", "src/main.c", "dist/app")


def _wrong_key(chain: Path) -> None:
    link(chain, "build").unlink()
    build(chain, key="other")


def _wrong_key_renamed(chain: Path) -> None:
    _wrong_key(chain)
    link(chain, "build", "other").rename(link(chain, "build"))


def _twice_one_key(chain: Path) -> None:
    assert layout(chain, TWO)[0] == 0
    shutil.copy(link(chain, "build"), link(chain, "build", "other"))


def _two_keys(chain: Path) -> None:
    assert layout(chain, TWO)[0] == 0
    (chain / "dist/app").unlink()
    build(chain)
    (chain / "dist/app").unlink()
    build(chain, key="other")


def _one_of_two(chain: Path) -> None:
    assert layout(chain, TWO.replace("other.pub]", "other.pub]\n    threshold: 1"))[0] == 0


def _in_toto_run(chain: Path) -> None:
    link(chain, "build").unlink()
    (chain / "dist/app").unlink()
    argv = [tool("in-toto-run"), "-n", "build", "--signing-key", "keys/build.pem", "-d", "links", "-m", "src"]
    subprocess.run([*argv, "-p", "dist", "--", "cp", "src/main.c", "dist/app"], cwd=chain, check=True, timeout=60)


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "as recorded": (lambda _: None, "holds"),
    "a step recorded by in-toto-run": (_in_toto_run, "holds"),
    "both of two signers": (_two_keys, "holds"),
    "one of two signers, where one is enough": (_one_of_two, "holds"),
    "one of two signers, where both must": (lambda chain: layout(chain, TWO), "chain/link-missing"),
    "one signer in two links": (_twice_one_key, "chain/link-signature"),
    "a file changed after checkout": (_changed, "chain/rule"),
    "a file changed between two steps": (_changed_between, "chain/rule"),
    "a file too many taken": (_extra, "chain/rule"),
    "a file too many made": (_extra_product, "chain/rule"),
    "the file that is required was not taken": (_took_nothing, "chain/rule"),
    "a step is missing": (lambda chain: link(chain, "build").unlink(), "chain/link-missing"),
    "another key": (_wrong_key, "chain/link-missing"),
    "another key in the name of the right one": (_wrong_key_renamed, "chain/link-signature"),
}


@pytest.mark.parametrize("case", CASES)
def test_ours_and_in_toto_say_the_same(chain: Path, case: str) -> None:
    change, answer = CASES[case]
    change(chain)
    assert judged(chain) == answer


def test_what_is_wrong_is_said_of_a_step_and_a_file(chain: Path) -> None:
    _extra(chain)
    _, _, err = maestro(chain, *VERIFY)
    assert "in-toto: the materials of build: 'DISALLOW *' matched the following artifacts: ['src/evil.c'] [ch" in err
    (chain / "src/evil.c").unlink()
    _took_nothing(chain)
    _, _, err = maestro(chain, *VERIFY)
    assert "in-toto: the materials of build: 'REQUIRE src/main.c' did not find src/main.c [chain/rule]\n" in err
    _wrong_key(chain)
    _, _, err = maestro(chain, *VERIFY)
    other = link(chain, "build", "other").name
    assert f"the step build has 0 of 1 links by keys that may sign it; by another key there is {other} [chain/li" in err


def test_a_failed_step_leaves_no_link(chain: Path) -> None:
    link(chain, "build").unlink()
    argv = ("chain", "record", "build", "--key", "keys/build.pem", "--links", "links", "--materials", "src")
    code, _, err = maestro(chain, *argv, "--", "sh", "-c", "exit 3")
    assert (code, err) == (10, "maestro: sh ended with 3; the step build is not recorded\n  → see what it says\n")
    code, _, err = maestro(chain, *argv, "--", "sh", "-c", "kill -9 $$")
    assert (code, "was ended by signal 9" in err) == (10, True)
    assert not link(chain, "build").exists()


def test_the_link_of_a_failed_step_is_refused_where_in_toto_does_not_look(chain: Path) -> None:
    argv = [tool("in-toto-run"), "-n", "verify", "--signing-key", "keys/verify.pem", "-d", "links", "-m", "dist"]
    subprocess.run([*argv, "-p", "dist", "--", "false"], cwd=chain, check=False, timeout=60)
    assert chains.in_toto_verify(chain, "keys/owner.pub")
    code, _, err = maestro(chain, *VERIFY)
    assert (code, "[chain/step-failed]" in err) == (10, True)


def test_the_command_is_not_handed_the_key(chain: Path) -> None:
    pem = keys.pem("build").decode()
    said = ("chain", "record", "build", "--links", "links", "--products", "seen", "--", "sh", "-c", "env > seen")
    code, _, err = maestro(
        chain, *said, environ={"MAESTRO_SIGNING_KEY": pem, "MAESTRO_SIGNING_KEY_FILE": "x", "A": "b"}
    )
    assert code == 0, err
    seen = (chain / "seen").read_text()
    assert "A=b" in seen
    assert "MAESTRO_SIGNING_KEY" not in seen
    assert pem.splitlines()[1] not in seen


def test_steps_of_one_job_are_said_to_add_no_separation(chain: Path) -> None:
    job = {"GITHUB_RUN_ID": "7", "GITHUB_JOB": "all", "GITHUB_SHA": "a" * 40, "GITHUB_TOKEN": "secret"}
    build(chain, environ=job)
    said = ("--materials", "dist", "--products", "dist", "--", "true")
    record(chain, "verify", *said, environ=job)
    _, out, _ = maestro(chain, *VERIFY)
    assert "build, verify ran in one job (all of run 7): between them the chain adds no separation" in out
    payload = json.loads(base64.b64decode(json.loads(link(chain, "verify").read_bytes())["payload"]))
    assert payload["environment"] == {key: job[key] for key in ("GITHUB_RUN_ID", "GITHUB_JOB", "GITHUB_SHA")}


def test_what_the_owner_reads_when_signing(chain: Path) -> None:
    code, out, err = layout(chain, TWO.replace("verify.pub", "checkout.pub"))
    ids = {name: chains.key_id(name)[:8] for name in ("owner", "checkout", "build", "other")}
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"layout: signed with the key {ids['owner']}, in force until 2027-06-30 00:00 UTC",
        f"  checkout  keys/checkout.pub ({ids['checkout']})",
        f"  build     2 of keys/build.pub ({ids['build']}), keys/other.pub ({ids['other']})",
        f"  verify    keys/checkout.pub ({ids['checkout']})",
        f"  checkout, verify are signed with one key ({ids['checkout']}): between them the chain adds no separation",
    ]


BAD: dict[str, tuple[str, str, str]] = {
    "a rule of two verbs": (
        "{create: src/*}",
        "{create: src/*, allow: a}",
        "7:16: steps[0].products[0] has create",
    ),
    "a rule of none": ("{create: src/*}", "{}", "7:16: steps[0].products[0] has no verb"),
    "match without from": ("{match: dist/*, from: build}", "{match: dist/*}", "must have `from` with `match`"),
    "a material that is created": (
        "{match: dist/*, from: build}",
        "{create: dist/*}",
        "16:17: steps[2].materials",
    ),
    "from a later step": ("from: checkout", "from: verify", "11:35: steps[1].materials[0].from must be a step before"),
    "two steps of one name": ("name: verify", "name: build", "is also that of a step before it"),
    "more signers than keys": ("keys: [keys/build.pub]", "keys: [keys/build.pub]\n    threshold: 2", "more than the 1"),
    "a path that leads out": ("create: src/*", "create: ../src/*", "must not hold `..`"),
    "a misspelt field": ("materials:", "material:", "did you mean `materials`?"),
    "a private key": ("keys/build.pub", "keys/build.pem", "keys/build.pem: this is a private key"),
    "no key": ("keys/build.pub", "layout.yaml", "layout.yaml: not an RSA, ECDSA or Ed25519 public key in PEM"),
    "a key that is not there": ("keys/build.pub", "keys/nobody.pub", "keys/nobody.pub: cannot be read"),
    "one key twice": ("keys/build.pub", "keys/build.pub, keys/build.pub", "the step build names one key twice"),
    "an expiry that is past": ("2027-06-30", "2026-06-30", "layout.yaml: it expired at 2026-06-30 00:00 UTC"),
    "no YAML": ("steps:", "steps: [", "layout.yaml:"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_layout_is_explained_and_not_signed(chain: Path, case: str) -> None:
    old, new, words = BAD[case]
    assert old in LAYOUT
    (chain / "layout").unlink()
    code, out, err = layout(chain, LAYOUT.replace(old, new))
    assert code in (2, 3, 10)
    assert words in err
    assert out == ""
    assert not (chain / "layout").exists()


def _loop(folder: Path) -> None:
    (folder / "src/self").symlink_to(".")


UNRECORDED: dict[str, tuple[Callable[[Path], object], tuple[str, ...], int, str]] = {
    "not there": (
        lambda _: None,
        ("b", "--materials", "nothing", "--no-command"),
        3,
        "nothing: cannot be recorded",
    ),
    "empty": (
        lambda f: (f / "e").mkdir(),
        ("b", "--products", "e", "--no-command"),
        3,
        "e: there is no file",
    ),
    "outside": (lambda _: None, ("b", "--materials", "src/../..", "--no-command"), 2, "src/../..: leads out of this"),
    "another name for a file": (
        lambda f: (f / "out").symlink_to("src"),
        ("b", "--materials", "out/../src", "--no-command"),
        2,
        "out/../src: leads out of this",
    ),
    "behind a link": (
        lambda f: (f / "out").symlink_to(f.parent),
        ("b", "--products", "out/anything", "--no-command"),
        2,
        "out/anything: leads out of this",
    ),
    "a link to a file elsewhere": (
        lambda f: (f / "src/l").symlink_to("/etc/hostname"),
        ("b", "--products", "src", "--no-command"),
        3,
        "src/l: is a link that leads out of this folder",
    ),
    "an argument that is not UTF-8": (
        lambda _: None,
        ("b", "--materials", "src", "--", "true", "\udcff"),
        2,
        "'\\udcff' is not UTF-8",
    ),
    "absolute": (lambda _: None, ("b", "--materials", "/etc", "--no-command"), 2, "/etc: leads out of this folder"),
    "circular": (_loop, ("b", "--materials", "src", "--no-command"), 3, "src/self: is a link to a folder"),
    "a pipe": (
        lambda f: os.mkfifo(f / "src/p"),
        ("b", "--materials", "src", "--no-command"),
        3,
        "src/p: is not",
    ),
    "not UTF-8": (
        lambda f: (f / os.fsdecode(b"src/\xff")).write_text(""),
        ("b", "--materials", "src", "--no-command"),
        3,
        "'src/\\udcff': the name is not UTF-8",
    ),
    "a step that is a path": (lambda _: None, ("../b", "--materials", "src", "--no-command"), 2, "no step's name"),
    "nothing": (lambda _: None, ("b", "--no-command"), 2, "nothing would be recorded"),
    "no command": (lambda _: None, ("b", "--materials", "src"), 2, "there is no command to run"),
    "both": (lambda _: None, ("b", "--materials", "src", "--no-command", "--", "true"), 2, "and --no-command"),
    "no program": (lambda _: None, ("b", "--materials", "src", "--", "no-such"), 1, "'no-such' is not on PATH"),
    "a bad pattern": (
        lambda _: None,
        ("b", "--materials", "src", "--exclude", "[", "--no-command"),
        2,
        "--exclude must",
    ),
}


@pytest.mark.parametrize("case", UNRECORDED)
def test_what_cannot_be_recorded_is_explained(chain: Path, case: str) -> None:
    change, argv, code, words = UNRECORDED[case]
    change(chain)
    before = sorted(path.name for path in (chain / "links").iterdir())
    found, _, err = maestro(chain, "chain", "record", "--key", "keys/build.pem", "--links", "links", *argv)
    assert (found, words in err) == (code, True), err
    assert sorted(path.name for path in (chain / "links").iterdir()) == before


NAMES = st.sampled_from(["a", "b.c", "d-e", "ü", "x y", "node_modules"])
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(tuple), st.binary(max_size=9), max_size=9)


@given(TREES)
def test_what_is_recorded_is_what_in_toto_records(tree: dict[tuple[str, ...], bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "always").write_bytes(b"")
        (folder / ".git").mkdir()
        (folder / ".git/config").write_bytes(b"")
        for parts, data in tree.items():
            path = folder.joinpath(*parts)
            if not any(parent.is_file() for parent in path.parents) and not path.is_dir():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        theirs = record_artifacts_as_dict(["."], base_path=name, exclude_patterns=[".git"])
        assert artifacts(folder, ["."], lambda _: False) == theirs
        left = {key: value for key, value in theirs.items() if "node_modules" not in key.split("/")}
        assert artifacts(folder, ["."], lambda path: path.endswith("node_modules")) == left


WORDS = st.sampled_from(["steps", "keys", "- ", "name", ": ", "\n", "  ", "{", "}", "[", "]", "create", "é", "1"])


@given(st.binary(max_size=200) | st.lists(WORDS).map("".join).map(lambda text: (LAYOUT + text).encode()))
def test_whatever_the_document_holds_is_read_or_refused_cleanly(data: bytes) -> None:
    try:
        document = load_layout("layout.yaml", data)
    except UsageError as error:
        assert error.where
        assert error.where.startswith("layout.yaml")
        return
    pems = {name: chains.pem(Path(name).stem).encode() for step in document.steps for name in step.keys}
    signed, _ = sign(layout_of(document, pems), keys.signer("owner"))
    read = read_layout(signed)
    assert [step.name for step in read.steps] == [step.name for step in document.steps]
    assert read.expires == document.expires
