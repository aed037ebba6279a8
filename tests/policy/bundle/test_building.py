"""From packs to a bundle: what is in it, what cannot travel."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from maestro.errors import UsageError
from policy.bundle.archive_reading import read
from policy.bundle.reasons import Refused
from policy.bundle.signing import sign
from tests.policy.bundle.bundles import EXPIRES, FILES, NOW, PACK, SIGNER, built, let_in, manifest, signed

BOTH = "['policy/packs/*']"


def test_the_same_for_the_same() -> None:
    assert built() == built()
    assert built() == built(files=dict(reversed(FILES.items())))
    assert built() != built(43)


def test_what_is_in_it() -> None:
    files = read(built())
    assert sorted(files) == [
        ".manifest",
        "data.json",
        "policy/packs/images/images.rego",
        "policy/packs/old/old.rego",
        "policy/parity.lock",
    ], "tests and fixtures stay at home"
    assert files["data.json"] == b'{"limits":{"forbidden":"latest","most":10.5,"none":null}}'
    said = manifest(built())
    assert said["revision"] == "42"
    assert said["roots"] == ["acme/images", "acme/old", "limits"]
    assert said["file_rego_versions"] == {"/policy/packs/old/old.rego": 0, "policy/packs/old/old.rego": 0}
    assert said["metadata"]["maestro"]["expires"] == EXPIRES.isoformat()
    assert said["metadata"]["maestro"]["parity"].startswith("sha256:")
    assert said["metadata"]["maestro"]["packs"][0]["data"] == {
        "policy/data/limits.yaml": json.loads(files["data.json"])
    }


def test_signing_changes_nothing_but_the_signature() -> None:
    one, other = read(signed()), read(built())
    assert one.pop(".signatures.json")
    assert one == other


def test_signing_again_replaces_the_signature() -> None:
    assert let_in(signed(signed())).manifest.revision == 42


def test_without_data_and_parity_there_is_neither() -> None:
    data = built(files={"policy/packs/a/a.rego": "package a.b\n\ndeny contains 1\n"}, packs=BOTH)
    assert sorted(read(data)) == [".manifest", "policy/packs/a/a.rego"]
    assert manifest(data)["metadata"]["maestro"]["parity"] is None
    assert let_in(signed(data)).packs.packs[0].name == "a.b"


def test_a_root_inside_another_is_not_named() -> None:
    files = {
        "policy/packs/a/a.rego": "package a\n\nimport data.a.help\n\ndeny contains help.x\n",
        "policy/packs/a/help.rego": "package a.help\n\nx := 1\n",
    }
    assert manifest(built(files=files, packs=BOTH))["roots"] == ["a"]


def test_a_pack_that_is_the_folder_of_packs() -> None:
    files = {"policy/main.rego": "package main\n\ndeny contains 1\n"}
    found = let_in(signed(built(files=files, packs="[policy]"))).packs.packs[0]
    assert found.path == "policy.tar.gz/policy"


@pytest.mark.parametrize(
    ("files", "packs", "words"),
    [
        ({}, BOTH, "where there is no Rego"),
        ({}, "[]", "no pack to put"),
        ({"policy/packs/a/a.rego": "package a\n"}, BOTH, "cannot judge: a has no rule"),
        (
            {"p/a/a.rego": PACK, "p/b/b.rego": PACK},
            "[{path: p/a, name: one}, {path: p/b, name: other}]",
            "p/a and p/b both have the package acme.images",
        ),
        (
            {"p/a/a.rego": PACK, "p/b/b.rego": "package b\n\ndeny contains 1\n", "x.yaml": "k: 1", "y.yaml": "k: 2"},
            "[{path: p/a, data: [x.yaml]}, {path: p/b, data: [y.yaml]}]",
            "data.k is given by two data files",
        ),
        ({f"policy/packs/a/{'n' * 96}.rego": "package a\n\ndeny contains 1\n"}, BOTH, "a file of this name"),
    ],
)
def test_what_cannot_travel(files: Mapping[str, str], packs: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        built(files=files, packs=packs)
    assert error.value.remedy


def test_only_bundles_of_ours_are_signed() -> None:
    from policy.bundle.archive_writing import write

    for files in ({"a.rego": b"package a"}, {".manifest": b"{}"}, {}):
        with pytest.raises(Refused):
            sign(write(files), "x.tar.gz", SIGNER, NOW)
    sound = read(built())
    with pytest.raises(Refused):
        sign(write({**sound, "policy/packs/old/old.rego": b"package other"}), "x.tar.gz", SIGNER, NOW)
