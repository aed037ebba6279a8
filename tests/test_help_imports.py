"""`maestro --help` imports only what it shows. (Its time is a ratio: benchmarks/help.py.)"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"cryptography", "github", "pydantic", "pydantic_core", "regopy", "subprocess", "typing_inspection", "yaml"}
OURS = {"maestro", "maestro.cli", "maestro.errors", "maestro.world"}


def imported_by(*arguments: str) -> set[str]:
    code = (
        "import sys\nfrom maestro.cli import main\n"
        f"code = main({list(arguments)!r})\n"
        "print(code, *sorted(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    exit_code, *names = done.stderr.split()
    assert exit_code == "0"
    return set(names)


def floors(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in {"maestro", "policy", "runner", "gates", "bots"}}


def test_help_imports_the_table_and_nothing_behind_it() -> None:
    names = imported_by("--help")
    assert floors(names) == OURS
    assert not {name.split(".")[0] for name in names} & HEAVY


def test_version_is_as_light() -> None:
    names = imported_by("--version")
    assert floors(names) == OURS
    assert not {name.split(".")[0] for name in names} & HEAVY


def test_the_measure_sees_what_a_heavy_command_imports() -> None:
    assert {"pydantic"} <= {name.split(".")[0] for name in imported_by("schema", "Flag")}
