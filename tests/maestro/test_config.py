"""maestro.yaml: all that is wrong with it at once, with places."""

import datetime as dt
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from maestro import __version__
from maestro.config import DEFAULT_TTL_DAYS, Config, PackEntry, admits, config_schema, load_config, read_config
from maestro.errors import UsageError
from tests.maestro.documents.test_reading import JSON_VALUES

FULL = """\
apiVersion: maestro-conductor/v1
requires: ">=0.1,<0.2"
default_branch: main
documents: ["manifests/**", "flags/**"]
packs:
  - policy/packs/*
  - {path: policy/conftest, namespace: main, mode: warn, owner: "@acme/platform", match: ["k8s/**"], rego_version: v0}
existing: block
ledger: {store: .maestro/ledger}
owners: ["@acme/data", dev@acme.example]
allowed_signers: policy/signers
approvals: 2
flags: {maximum_ttl_days: {release: 30, kill-switch: 10}}
keys:
  - id: ci-2026
    public_key: |
      -----BEGIN PUBLIC KEY-----
      MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
      -----END PUBLIC KEY-----
    valid_from: 2026-01-01
    valid_until: 2027-01-01T12:00:00Z
break_glass: {approvals: 2}
"""


def test_a_full_one() -> None:
    config = load_config("maestro.yaml", FULL.encode())
    assert config.packs == (
        "policy/packs/*",
        PackEntry(
            path="policy/conftest",
            namespace="main",
            mode="warn",
            owner="@acme/platform",
            match=("k8s/**",),
            rego_version="v0",
        ),
    )
    assert config.flags.maximum_ttl_days == {**DEFAULT_TTL_DAYS, "release": 30, "kill-switch": 10}
    assert config.keys[0].valid_from == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert config.keys[0].valid_until == dt.datetime(2027, 1, 1, 12, tzinfo=dt.UTC)
    assert config.break_glass is not None
    assert config.break_glass.approvals == 2


def test_the_smallest_one_has_the_defaults_of_the_documentation() -> None:
    config = load_config("maestro.yaml", b"apiVersion: maestro-conductor/v1\nbreak_glass: null\n")
    assert config.default_branch == "main"
    assert config.documents == ("manifests/**", "flags/**", "pools/**", "waivers/**")
    assert (config.existing, config.ledger.store, config.approvals) == ("warn", ".maestro/ledger", 1)
    assert config.allowed_signers == "policy/allowed_signers"
    assert config.flags.maximum_ttl_days == DEFAULT_TTL_DAYS
    assert (config.keys, config.owners, config.break_glass) == ((), (), None)


BAD = """\
apiVersion: maestro-conductor/v1
document: [x]
defaultbranch: main
documents: ["../x", "/a", "a[b", "a\\\\b"]
packs:
  - ../x
  - 3
  - {pth: policy/conftest, mode: warm, match: ["/k8s/**"]}
  - {path: policy/x, namespace: a-b, data: ["*"]}
ledger: {store: s3://Acme/ledger}
flags: {maximum_ttl_days: {releas: 3, release: 0}}
owners: [x]
keys: [{id: a, public_key: x, valid_from: yesterday}]
approvals:
existing: blok
break_glass: {}
"""


def test_everything_wrong_is_said_at_once(snapshot: SnapshotAssertion) -> None:
    with pytest.raises(UsageError) as caught:
        load_config("maestro.yaml", BAD.encode())
    assert f"{caught.value.where}: {caught.value.message}\n→ {caught.value.remedy}" == snapshot


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("", "maestro.yaml:1:1", "holds no settings"),
        ("# nothing\n", "maestro.yaml:1:1", "holds no settings"),
        ("- a\n", "maestro.yaml:1:1", "settings are a mapping"),
        ("a: [\n", "maestro.yaml:2:1", "value is missing"),
        ("apiVersion: maestro-conductor/v1\n---\na: 1\n", "maestro.yaml:3:1", "one YAML document"),
        ("existing: warn\n", "maestro.yaml:1:1", "apiVersion is missing"),
        ("apiVersion: maestro-conductor/v1\nexisting: warn\nexisting: block\n", "maestro.yaml:3:1", "more than once"),
        ("apiVersion: maestro-conductor/v1\nrequires: new\n", "maestro.yaml:2:11", "must be comparisons"),
        ("apiVersion: maestro-conductor/v1\nrequires: 1\n", "maestro.yaml:2:11", "must be text"),
        ("\xff", "maestro.yaml:1:1", "not UTF-8"),
    ],
)
def test_what_cannot_be_settings(text: str, where: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        load_config("maestro.yaml", text.encode("latin-1"))
    assert caught.value.where == where
    assert caught.value.exit_code == 2


def test_another_version_of_the_tool_is_named_before_anything_else() -> None:
    text = "apiVersion: maestro-conductor/v9\nrequires: '>=7.1, <8'\nfrom_the_future: 1\n"
    with pytest.raises(UsageError) as caught:
        load_config("maestro.yaml", text.encode())
    assert caught.value.message == f"this repository requires maestro-conductor >=7.1, <8, but this is {__version__}"
    assert caught.value.where == "maestro.yaml:2:11"
    assert caught.value.remedy == "install it: `uv tool install 'maestro-conductor>=7.1,<8'`"


def test_keys_are_told_apart_and_end_after_they_begin() -> None:
    key = FULL[FULL.index("  - id") : FULL.index("break_glass")]
    text = FULL.replace("break_glass", key.replace("2027-01-01T12:00:00Z", "2025-01-01") + "break_glass")
    with pytest.raises(UsageError) as caught:
        load_config("maestro.yaml", text.encode())
    assert "keys[1].id is also the id" in caught.value.message
    assert "keys[1].valid_until must be later" in caught.value.message


def test_the_settings_of_the_documentation_fit_the_schema() -> None:
    import yaml

    validator = jsonschema.Draft202012Validator(config_schema())
    value = yaml.load(FULL, Loader=yaml.BaseLoader)
    value["approvals"], value["break_glass"], value["flags"] = 2, None, {"maximum_ttl_days": {"release": 30}}
    assert [error.message for error in validator.iter_errors(value)] == []
    assert not validator.is_valid({"apiVersion": "maestro-conductor/v1", "packs": [3]})
    assert not validator.is_valid({"apiVersion": "maestro-conductor/v1", "pakcs": []})


@given(st.dictionaries(st.sampled_from(list(Config.model_fields)), JSON_VALUES))
def test_any_settings_are_judged_without_a_crash(value: Any) -> None:
    found = read_config("maestro.yaml", json.dumps({"apiVersion": "maestro-conductor/v1", **value}).encode())
    if not isinstance(found, Config):
        assert found
        assert all(problem.message.isprintable() and problem.location.line == 1 for problem in found)


@pytest.mark.parametrize(
    ("requires", "version", "expected"),
    [
        (">=0.1,<0.2", "0.1.0", True),
        (">=0.1,<0.2", "0.2.0", False),
        ("==0.1", "0.1.0", True),
        ("!=0.1.0", "0.1", False),
        ("~=0.1.2", "0.1.9", True),
        ("~=0.1.2", "0.2.0", False),
        ("~=0.1", "0.9", True),
        (">0.1", "0.1.0", False),
        ("<=0.1", "0.1.1", False),
        (">=0.1", "0.2.0rc1", True),
    ],
)
def test_requires(requires: str, version: str, expected: bool) -> None:
    assert admits(requires, version) is expected


_PARTS = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
_CLAUSES = st.lists(
    st.tuples(st.sampled_from(["<", "<=", ">", ">=", "==", "!=", "~="]), _PARTS), min_size=1, max_size=3
)


@given(_CLAUSES, _PARTS)
def test_requires_means_what_packaging_means(clauses: list[tuple[str, str]], version: str) -> None:
    specifiers = pytest.importorskip("packaging.specifiers")
    text = ",".join(sign + number for sign, number in clauses)
    try:
        expected = version in specifiers.SpecifierSet(text)
    except specifiers.InvalidSpecifier:
        with pytest.raises(ValueError, match=r"."):
            admits(text, version)
        return
    assert admits(text, version) is expected


@given(st.text(max_size=20))
def test_requires_of_any_text_is_judged_or_refused(text: str) -> None:
    try:
        admits(text, "0.1.0")
    except ValueError:
        return
