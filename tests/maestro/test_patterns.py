"""Patterns mean what git's ``:(glob)`` means."""

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from maestro.patterns import PatternError, check, compile_patterns, matches

_NAMES = ["a", "b", "ab", "abc", "a.yaml", ".a", "a-b", "[a]", "A"]
_FOLDERS = ["", *(f"{folder}/{below}" for folder in _NAMES[:5] for below in ("", "b/", "b/a/"))]
# ASCII alone: git counts bytes, so its `?` is half of an é.
_PATHS = sorted(folder + name + "x" for folder in _FOLDERS for name in _NAMES)


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("manifests/**", "manifests/a.yaml", True),
        ("manifests/**", "manifests/deep/er/a.yaml", True),
        ("manifests/**", "manifests", False),
        ("manifests/**", "other/manifests/a.yaml", False),
        ("manifests/", "manifests/deep/a.yaml", True),
        ("**/*.yaml", "a.yaml", True),
        ("**/*.yaml", "x/y/a.yaml", True),
        ("**/*.yaml", "x/y/a.yml", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/xb", False),
        ("policy/packs/*", "policy/packs/flags", True),
        ("policy/packs/*", "policy/packs/flags/x.rego", False),
        ("**", ".github/x", True),
        ("*.yaml", ".yaml", True),
        ("a?c", "a/c", False),
        ("[a-c]x", "bx", True),
        ("[!a-c]x", "bx", False),
        ("[!a]x", "/x", False),
        ("[]a]", "]", True),
        ("a.yaml", "a-yaml", False),
        ("a\U0001f600*", "a\U0001f600b", True),
        ("x/a\nb", "x/a\nb", None),
    ],
)
def test_examples(pattern: str, path: str, expected: bool | None) -> None:
    if expected is None:
        with pytest.raises(PatternError):
            matches(pattern, path)
    else:
        assert matches(pattern, path) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/a",
        "~/a",
        "C:/a",
        "../a",
        "a/../b",
        "a/..",
        "./a",
        "a//b",
        "a\\b",
        "a\0",
        "[",
        "a[b",
        "[]",
        "[z-a]",
        "//",
        "/",
        "[[:alpha:]]",
    ],
)
def test_patterns_that_cannot_mean_anything_are_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        check(pattern)


def test_no_pattern_means_no_path() -> None:
    assert not compile_patterns([])("a")
    assert compile_patterns(["a", "b/**"])("b/c")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose index holds ``_PATHS``."""
    root = tmp_path_factory.mktemp("glob")
    git = ["git", "-C", str(root), "-c", "core.quotePath=false"]
    subprocess.run([*git, "init", "-q"], check=True)
    blob = subprocess.run([*git, "hash-object", "-w", "--stdin"], input=b"", capture_output=True, check=True).stdout
    lines = b"".join(b"100644 " + blob.strip() + b"\t" + path.encode() + b"\n" for path in _PATHS)
    subprocess.run([*git, "update-index", "--index-info"], input=lines, check=True)
    return root


# Without `a**`: git skips the literal prefix first and then takes the rest for a leading `**`.
_SEGMENTS = st.sampled_from(
    "** * a b ab ? a* *x *b* *.* [ab] [!a]x [a-c]* []a]x *a*x .* **x [^b]* [!a-z]?".split()  # noqa: SIM905 - a table
)
_PATTERNS = st.lists(_SEGMENTS, min_size=1, max_size=5).map("/".join)


@settings(max_examples=150, deadline=None)
@given(st.lists(_PATTERNS, min_size=1, max_size=3))
def test_git_agrees(repository: Path, patterns: list[str]) -> None:
    # git also takes a pattern for the folder of that very name; ours says so with a slash at the end.
    assume(all(any(char in pattern.rpartition("/")[2] for char in "*?[") for pattern in patterns))
    argv = ["git", "-C", str(repository), "ls-files", "-z", "--", *[f":(glob){pattern}" for pattern in patterns]]
    listed = subprocess.run(argv, capture_output=True, check=True).stdout.decode().split("\0")[:-1]
    test = compile_patterns(patterns)
    assert [path for path in _PATHS if test(path)] == sorted(listed)


@given(st.text(max_size=12))
def test_any_text_is_a_pattern_or_refused(pattern: str) -> None:
    try:
        check(pattern)
    except PatternError:
        return
    compile_patterns([pattern])("a/b")


def test_no_pattern_takes_long() -> None:
    began = time.perf_counter()
    assert not matches("*a" * 50 + "b", "a" * 4000)
    assert not matches("**/a/" * 30 + "b", "a/" * 2000 + "c")
    assert not matches("**/*a*a*a*/" * 10 + "b", ("a" * 30 + "/") * 100 + "c")
    assert time.perf_counter() - began < 2


def test_ten_thousand_paths_take_little() -> None:
    test = compile_patterns(["manifests/**", "flags/**", "pools/**", "waivers/**", "k8s/**/*.yaml"])
    paths = [f"services/team-{n % 50}/deploy/{n}.yaml" for n in range(10_000)]
    began = time.perf_counter()
    assert not any(test(path) for path in paths)
    assert time.perf_counter() - began < 1
