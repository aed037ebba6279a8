"""The floors hold, and the linter that says so can see them fall."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def lint(config: Path, root: Path) -> "subprocess.CompletedProcess[str]":
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run(
        [program, "--config", str(config), "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_imports_go_down_only() -> None:
    result = lint(ROOT / "pyproject.toml", ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


def test_an_import_upwards_or_a_process_outside_an_adapter_is_seen(tmp_path: Path) -> None:
    contracts = (ROOT / "pyproject.toml").read_text()
    config = re.sub(
        r'\["gates\.documents"[^\]]*\]',
        '["gates.one", "gates.two"]',
        contracts[contracts.index("[tool.importlinter]") :],
    )
    (tmp_path / "pyproject.toml").write_text(config)
    modules = {
        "maestro/low.py": "import policy.middle\nimport subprocess\n",
        "policy/middle.py": "import github\n",
        "runner/high.py": "import regopy\n",
        "gates/one.py": "import gates.two\n",
        "gates/two.py": "",
        "bots/one.py": "import gates.one\n",
    }
    for name, text in modules.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        (file.parent / "__init__.py").touch()
        file.write_text(text)
    result = lint(tmp_path / "pyproject.toml", tmp_path)
    broken = [line for line in result.stdout.splitlines() if line.endswith("BROKEN")]
    names = [contract["name"] for contract in tomllib.loads(config)["tool"]["importlinter"]["contracts"]]
    assert result.returncode == 1
    assert broken == [f"{name} BROKEN" for name in names], result.stdout + result.stderr
