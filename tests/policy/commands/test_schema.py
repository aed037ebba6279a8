"""``maestro schema``, and the schemas kept under docs/."""

import io
import json
import os
from pathlib import Path

import pytest

from maestro.cli import main
from maestro.world import World
from policy.commands.schema import schema_files

DOCS = Path(__file__).parents[3] / "docs" / "schema"


def _run(cwd: Path, *argv: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    code = main(["schema", *argv], World(environ={}, cwd=cwd, stdout=out, stderr=err))
    return code, out.getvalue(), err.getvalue()


def test_the_schemas_in_docs_are_the_generated_ones() -> None:
    for name, text in schema_files().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"`maestro schema --write docs/schema` renews {name}"


def test_a_kind_is_printed_alone(tmp_path: Path) -> None:
    code, out, err = _run(tmp_path, "Flag")
    assert (code, json.loads(out)["title"], err) == (0, "Flag", "")


def test_without_a_kind_all_are_printed_in_one(tmp_path: Path) -> None:
    code, out, _ = _run(tmp_path)
    assert code == 0
    assert {"Manifest", "Flag", "Pool", "Waiver"} <= set(json.loads(out)["$defs"])


def test_write_makes_a_file_for_each(tmp_path: Path) -> None:
    code, out, _ = _run(tmp_path, "--write", "made/here")
    assert (code, out) == (0, "")
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "made/here").iterdir()}
    assert written == schema_files()


def test_write_with_a_kind_makes_one_file(tmp_path: Path) -> None:
    assert _run(tmp_path, "--write", ".", "pool")[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["pool.json"]


def test_an_unknown_kind_is_a_usage_error_with_the_nearest(tmp_path: Path) -> None:
    code, out, err = _run(tmp_path, "Flagg")
    assert (code, out) == (2, "")
    assert "did you mean `flag`?" in err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert _run(tmp_path, "--write", "x")[0] == 1


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    code, _, err = _run(tmp_path, "--write", "x")
    assert code == 1
    assert "cannot be written" in err
