"""``simulate`` under strace: no connection, no file written outside of a private folder that is gone afterwards."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tools import tool

ROOT = Path.cwd()
CALLS = (
    "open,openat,openat2,creat,truncate,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,"
    "unlink,unlinkat,chmod,fchmodat,mknod,mknodat,socket,connect,bind,listen,sendto,sendmsg"
)
FAMILY = re.compile(r"\b(?:socket|connect|bind)\((?:\d+(?:<[^>]*>)?, )?\{?(?:sa_family=)?(AF_\w+)")
WRITES = re.compile(r"\b(O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_APPEND|O_TMPFILE)\b")
CHANGES = re.compile(
    r"\b(creat|truncate|mkdir|mkdirat|rename\w*|link|linkat|symlink\w*|unlink|unlinkat|chmod|fchmodat|mknod\w*)\("
)
RELATIVE_TO = re.compile(r"\((?:AT_FDCWD|\d+)<([^>]*)>")
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')


def trace(tmp_path: Path, manifest: str, engine: str) -> tuple[list[str], Path, subprocess.CompletedProcess[str]]:
    private = tmp_path / "tmp"
    private.mkdir(exist_ok=True)
    log = tmp_path / "trace"
    command = [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); "
               "from maestro.cli import main; sys.exit(main())"]  # fmt: skip
    command += ["simulate", "-m", manifest, "--repo", "examples/governed", "--engine", engine, "--format", "json"]
    environ = {"PATH": f"{Path(tool('conftest')).parent}:{os.defpath}", "TMPDIR": str(private), "HOME": str(tmp_path)}
    # Byte code of modules is written once, by whoever imports them first; that is not simulate's doing.
    subprocess.run(command, env=environ, capture_output=True, timeout=120, check=False)
    traced = [tool("strace"), "-f", "-y", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(log), *command]
    done = subprocess.run(traced, env=environ, capture_output=True, text=True, timeout=300, check=False)
    return log.read_text(errors="replace").splitlines(), private, done


def touched(line: str) -> list[str]:
    """The paths a call names, made absolute where it says what they are relative to."""
    base = RELATIVE_TO.search(line)
    return [str(Path(base[1] if base else ROOT) / path) for path in QUOTED.findall(line)]


def offences(lines: list[str], private: Path) -> list[str]:
    out = []
    for line in lines:
        if family := FAMILY.search(line):
            if family[1] in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_LOCAL"):
                out.append(line)
        elif (
            (WRITES.search(line) or CHANGES.search(line))
            and " = -1 " not in line
            and not all(
                os.path.normpath(path).startswith(f"{private}{os.sep}") or path == os.devnull for path in touched(line)
            )
        ):
            out.append(line)
    return out


@pytest.mark.parametrize("engine", ["conftest", "regopy"])
@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        ("examples/governed/manifests/score-accounts.yaml", 0),
        ("tests/assets/simulate/bad-image-latest.yaml", 10),
    ],
)
def test_nothing_is_connected_and_nothing_is_left(tmp_path: Path, manifest: str, code: int, engine: str) -> None:
    lines, private, done = trace(tmp_path, manifest, engine)
    assert done.returncode == code, done.stdout + done.stderr
    assert any("score-accounts" in line or "bad-image-latest" in line for line in lines), "the trace must see reads"
    assert offences(lines, private) == []
    assert list(private.iterdir()) == []


def test_the_judge_of_traces_sees_offences(tmp_path: Path) -> None:
    private = tmp_path / "tmp"
    good = [
        f'7 openat(AT_FDCWD</work>, "{private}/x/a.json", O_WRONLY|O_CREAT|O_CLOEXEC, 0600) = 3<{private}/x/a.json>',
        '7 openat(AT_FDCWD</work>, "/etc/hosts", O_RDONLY|O_CLOEXEC) = 3</etc/hosts>',
        '7 openat(AT_FDCWD</work>, "/dev/null", O_RDWR|O_CLOEXEC) = 3</dev/null>',
        f'7 unlinkat(5<{private}/x>, "a.json", 0) = 0',
    ]
    bad = [
        '7 openat(AT_FDCWD</work>, "left", O_WRONLY|O_CREAT, 0600) = 3</work/left>',
        f'7 openat(AT_FDCWD</work>, "{private}/../left", O_RDWR|O_CREAT, 0600) = 3</left>',
        '7 unlinkat(5</work>, "a.json", 0) = 0',
        "7 socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = 3<socket:[1]>",
        '7 connect(3<socket:[1]>, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0',
    ]
    assert offences(good, private) == []
    assert offences(bad, private) == bad
