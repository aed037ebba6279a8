from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.path_hazards import hazards, link_escapes
from maestro.snapshot import Entry

FILE = Entry("100644", "a" * 40)
LINK = Entry("120000", "b" * 40)


def kinds(*paths: str) -> list[tuple[str, str, str | None]]:
    return [(found.path, found.kind, found.other) for found in hazards(dict.fromkeys(sorted(paths), FILE))]


def test_ordinary_paths_are_no_hazard() -> None:
    assert kinds("a", "a.yaml", "b/a", "b/c/a", "é/ü.yaml", ".github/workflows/x.yml", ".gitignore", "a b") == []


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("Flags.yaml", "flags.yaml", "case_collision"),
        ("flags/A.yaml", "flags/a.yaml", "case_collision"),
        ("É.yaml", "é.yaml", "case_collision"),
        ("É.yaml", "e\u0301.yaml", "case_collision"),
        ("e\u0301.yaml", "é.yaml", "unicode_collision"),
        ("\u212b.yaml", "\u00c5.yaml", "unicode_collision"),
        ("STRASSE", "straße", "case_collision"),
    ],
)
def test_paths_that_some_disks_take_for_one(one: str, other: str, kind: str) -> None:
    first, second = sorted([one, other])
    assert kinds(one, other) == [(second, kind, first)]


def test_folders_collide_too() -> None:
    assert kinds("Flags/a.yaml", "flags/b.yaml", "flags/c.yaml") == [("flags/b.yaml", "case_collision", "Flags")]
    assert kinds("flags", "FLAGS/a.yaml") == [("flags", "case_collision", "FLAGS")]


def test_files_below_colliding_folders_collide_themselves() -> None:
    assert kinds("A/x", "a/w", "a/x") == [("a/w", "case_collision", "A"), ("a/x", "case_collision", "A/x")]


def test_what_is_not_utf8_or_hides_as_the_git_folder() -> None:
    assert kinds("caf\udce9") == [("caf\udce9", "not_utf8", None)]
    assert kinds("x/.GIT/config") == [("x/.GIT/config", "git_folder", None)]


def test_submodules_and_links() -> None:
    entries = {"in": LINK, "module": Entry("160000", "c" * 40), "out": LINK}
    targets = {"in": b"flags/a", "out": b"../outside"}
    assert [tuple(hazard) for hazard in hazards(entries, targets.__getitem__)] == [
        ("in", "link", "flags/a"),
        ("module", "submodule", None),
        ("out", "escaping_link", "../outside"),
    ]
    assert [hazard.kind for hazard in hazards(entries)] == ["link", "submodule", "link"]


@pytest.mark.parametrize(
    ("path", "target", "escapes"),
    [
        ("link", "a", False),
        ("link", "..", True),
        ("link", "/etc/passwd", True),
        ("link", "a/../b", False),
        ("link", "a/../../b", True),
        ("deep/link", "../a", False),
        ("deep/link", "../../repo/a", True),
        ("deep/link", "./../a", False),
        ("deep/er/link", "../..", False),
        ("deep/er/link", "../../..", True),
        ("link", "", False),
        ("link", "a//..//..", True),
    ],
)
def test_links_that_leave_the_repository(path: str, target: str, escapes: bool) -> None:
    assert link_escapes(path, target) is escapes


@given(st.lists(st.sampled_from(["a", "b", "..", ".", ""]), max_size=6), st.integers(0, 3))
def test_a_link_that_escapes_on_paper_is_never_called_harmless(parts: list[str], depth: int) -> None:
    path = "/".join(["d"] * depth + ["link"])
    target = "/".join(parts)
    final = Path(os.path.normpath(f"/root/repo/{'d/' * depth}{target}"))
    if target.startswith("/") or not final.is_relative_to("/root/repo"):
        assert link_escapes(path, target)


_ANY_PATH = st.lists(st.text("aAéÉe\u0301ßsS\udcff.", min_size=1, max_size=3), min_size=1, max_size=3).map("/".join)


@given(st.lists(_ANY_PATH, unique=True, max_size=8))
def test_no_two_colliding_paths_go_unreported(paths: list[str]) -> None:
    reported = {hazard.path for hazard in hazards(dict.fromkeys(paths, FILE)) if "collision" in hazard.kind}
    lowered: dict[str, str] = {}
    for path in sorted(paths):
        if path.lower() in lowered:
            assert path in reported
        lowered.setdefault(path.lower(), path)
