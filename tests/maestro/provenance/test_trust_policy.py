"""trust.yaml: strict, located, and every loosening has a name."""

from __future__ import annotations

import pytest

from maestro.errors import UsageError
from maestro.provenance.quorum import distinct
from maestro.provenance.trust_policy import load_trust_policy

HEAD = "apiVersion: maestro-conductor/v1\nkind: TrustPolicy\n"
ROOT = f'roots: [{{id: test, path: root.json, sha256: "{"0" * 64}"}}]\n'
SOURCE = '    source: {repository: https://github.com/acme/api, repository_id: 1, tags: ["v*"]}\n'
API = HEAD + ROOT + 'artifacts:\n  - name: api\n    match: ["dist/*"]\n'
GENERATOR = "    builders: [{builder: slsa-github-generator}]\n"


def test_the_strict_one_loosens_nothing() -> None:
    [entry] = load_trust_policy("trust.yaml", (API + GENERATOR + SOURCE).encode()).artifacts
    assert (entry.minimum_level, entry.signers, entry.loosened()) == (3, 1, ())


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        (API.replace("artifacts", "artefacts"), "trust.yaml:4:1", "did you mean `artifacts`?"),
        (API + SOURCE, "trust.yaml:5:5", "everybody may sign"),
        (API + GENERATOR, "trust.yaml:5:5", "build for everybody"),
        (API + GENERATOR + SOURCE.replace("repository_id: 1, ", ""), "trust.yaml:8:5", "repository_id is missing"),
        (API + GENERATOR + SOURCE.replace("v*", "**"), "trust.yaml:8:80", "means every ref"),
        (API + GENERATOR + SOURCE.replace(', tags: ["v*"]', ""), "trust.yaml:8:13", "allows no ref"),
        (API + GENERATOR + SOURCE + "    signers: 2\n", "trust.yaml:9:14", "only 1 may sign"),
        (API + GENERATOR + SOURCE + "    loosen: {anyone: true}\n", "trust.yaml:9:22", "meaningless"),
        (
            API + GENERATOR + SOURCE.replace("tags", "triggers: [pull_request_target], tags"),
            "trust.yaml:8:84",
            "never believed",
        ),
        (API + "    builders: [{builder: google-cloud-build}]\n" + SOURCE, "trust.yaml:7:16", "key is missing"),
        (
            API + "    builders: [{builder: other}]\n" + SOURCE,
            "trust.yaml:7:16",
            "either a key, or issuer and identity",
        ),
    ],
)
def test_what_is_wrong_is_said_where_it_is(text: str, where: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_trust_policy("trust.yaml", text.encode())
    assert words in caught.value.message
    assert caught.value.where == where


def test_every_loosening_is_named() -> None:
    text = API + GENERATOR + SOURCE + "    minimum_level: 2\n    max_age_days: 900\n    loosen: {any_trigger: true}\n"
    [entry] = load_trust_policy("trust.yaml", text.encode()).artifacts
    assert entry.loosened() == ("loosen.any_trigger", "minimum_level: 2", "max_age_days: 900")


@pytest.mark.parametrize(
    ("pairs", "count"),
    [
        ([], 0),
        ([("a", 0)], 1),
        ([("a", 0), ("a", 1)], 1),
        ([("a", 0), ("b", 0)], 1),
        ([("a", 0), ("a", 1), ("b", 0)], 2),
        ([("a", 0), ("a", 1), ("a", 2), ("b", 0), ("c", 0)], 2),
    ],
)
def test_distinct_signers(pairs: list[tuple[str, int]], count: int) -> None:
    assert distinct(pairs) == count
