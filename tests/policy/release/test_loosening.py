"""Whatever of trust.yaml lets more through than the strict default shows in every report of every `verify` command."""

from __future__ import annotations

import copy
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from maestro.cli import main
from maestro.evidence.signer import sign_statement
from maestro.evidence.statement import Statement, Subject
from maestro.evidence.summary import DecidedBy, summary
from maestro.provenance.trust_policy import trust_schema
from maestro.world import World
from tests.maestro.evidence import keys
from tests.maestro.provenance.refusals import DATA, NOW, OTHER, RUN, SHA256, SIGSTORE
from tests.support.git_repo import GitRepo
from tests.support.private_sigstore.workflow import statement
from tests.support.registries import LyingRegistry

LOOSENS: dict[str, str] = {
    # Shown by verify blob, verify image, verify release
    "Root.without_transparency": "roots.silent: without_transparency",
    "Artifact.minimum_level": "minimum_level: 2",
    "Artifact.max_age_days": "max_age_days: 900",
    "Artifact.signers": "signers: 1 of 2 builders",
    "Artifact.source": "source: from whatever it is built",
    "Builder.key": "keys.release: signed in no transparency log",
    "Builder.level": "builders.level: 3, which this file states",
    "Builder.tags": "builders.tags: v* instead of a release of the generator",
    "Builder.branches": "builders.branches: main, which move",
    "Source.triggers": "source.triggers: pull_request",
    "Loosen.anyone": "loosen.anyone",
    "Loosen.repository_by_name": "loosen.repository_by_name",
    "Loosen.any_repository": "loosen.any_repository",
    "Loosen.any_ref": "loosen.any_ref",
    "Loosen.any_trigger": "loosen.any_trigger",
    "Loosen.self_hosted_runners": "loosen.self_hosted_runners",
    "Loosen.any_external_parameters": "loosen.any_external_parameters",
    "Loosen.any_age": "loosen.any_age",
    "Loosen.plain_signatures": "loosen.plain_signatures",
    "Loosen.promise_without_proof": "loosen.promise_without_proof",
}
OF_RELEASES = {
    "LoosenRelease.several_commits": "loosen.several_commits",
    "LoosenRelease.any_version": "loosen.any_version",
    "LoosenRelease.any_parts": "loosen.any_parts",
}
OF_SUMMARIES = {
    "LoosenSummary.any_policy": "loosen.any_policy",
    "Summaries.minimum_level": "minimum_level: 2",
    "Summaries.max_age_days": "max_age_days: 90",
}
NAMES_OR_NARROWS = {
    "TrustPolicy": "apiVersion kind roots keys artifacts summaries releases",
    "Root": "id path sha256 stale_after",
    "TrustedKey": "id public_key valid_from valid_until revoked_at",
    # predicate_types: of a statement that is no provenance the level is 0, which minimum_level has to allow
    "Artifact": "name match of_an_index predicate_types builders external_parameters loosen",
    "Builder": "builder root workflow issuer identity id",
    # repository_id: only loosen.repository_by_name does without; tags, branches: only loosen.any_ref allows all
    "Source": "repository repository_id owner_id tags branches",
    "Summaries": "name verifier key root issuer identity resources policies loosen",
    "ReleaseParts": "name artifacts images policy_bundles requires loosen",
}
"""Fields that name something, or allow less than their absence would; a new field has to be put here or above."""


def test_every_field_is_thought_of() -> None:
    schema = trust_schema()
    models = {"TrustPolicy": schema, **schema["$defs"]}
    fields = {f"{model}.{name}" for model, said in models.items() for name in said.get("properties", {})}
    harmless = {f"{model}.{name}" for model, names in NAMES_OR_NARROWS.items() for name in names.split()}
    loosening = {*LOOSENS, *OF_RELEASES, *OF_SUMMARIES}
    assert not harmless & loosening
    assert fields == harmless | loosening


# One trust.yaml that loosens all of it: every entry means the artifact and the image, and all of them hold.

GITHUB = {
    "builder": "github-artifact-attestations",
    "workflow": "acme/build/.github/workflows/build.yml",
    "tags": ["v*"],
}
SOURCE = {"repository": "https://github.com/acme/api", "tags": ["v*"]}
NAMED = {**SOURCE, "repository_id": 712345678}
MILD = ("repository_by_name", "any_ref", "any_trigger", "self_hosted_runners", "any_external_parameters", "any_age")
ENTRIES: list[dict[str, Any]] = [
    {
        "name": "mild",
        "builders": [{**GITHUB, "branches": ["main"]}, {"builder": "slsa-github-generator", "tags": ["v*"]}],
        "source": {**SOURCE, "triggers": ["push", "pull_request"]},
        "minimum_level": 2,
        "max_age_days": 900,
        "loosen": dict.fromkeys((*MILD, "plain_signatures", "promise_without_proof"), True),
    },
    {"name": "anywhere", "builders": [GITHUB], "loosen": {"any_repository": True}},
    {"name": "everybody", "minimum_level": 0, "loosen": {"anyone": True}},
    {"name": "keyed", "builders": [{"builder": "other", "key": "release", "level": 3}], "loosen": {"any_age": True}},
    {"name": "silent", "builders": [{**GITHUB, "root": "silent"}], "source": NAMED},
]


def bundles(sha256: str) -> list[bytes]:
    value = statement(RUN.provenance_v1(), sha256)
    plain = Statement((Subject("api", {"sha256": sha256}),), value["predicateType"], value["predicate"])
    return [
        json.dumps(SIGSTORE.attest(value, SIGSTORE.signer(RUN))).encode(),
        json.dumps(OTHER.attest(value, OTHER.signer(RUN, log="none"), log=None, stamp=True)).encode(),
        sign_statement(plain, keys.signer("release")),
    ]


class Answer(NamedTuple):
    code: int
    said: str


@dataclass
class Place:
    folder: Path
    image: str

    def ask(self, *argv: str) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        world = World(environ={"CI": "true"}, cwd=self.folder, stdout=out, stderr=err, now=lambda: NOW)
        return Answer(main(list(argv), world), out.getvalue() + err.getvalue())

    def release(self, name: str, **parts: object) -> None:
        head = {"apiVersion": "maestro-conductor/v1", "kind": "Release", "name": name, "version": "1"}
        artifacts = [{"path": "api.tar.gz", "bundles": ["api.jsonl"]}]
        (self.folder / "release.yaml").write_text(json.dumps({**head, "artifacts": artifacts, **parts}))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    server = LyingRegistry()
    image = server.image("v1")
    for one in bundles(image):
        server.attach(one, image)
    name = f"{server.address}/acme/api"
    git = GitRepo.init(tmp_path_factory.mktemp("loosened") / "repo")
    roots = {
        "private": json.dumps(SIGSTORE.trusted_root()),
        "silent": json.dumps(OTHER.trusted_root(logs=False)),
    }
    trust = {
        "apiVersion": "maestro-conductor/v1",
        "kind": "TrustPolicy",
        "roots": [
            {"id": id_, "path": f"{id_}.json", "sha256": hashlib.sha256(text.encode()).hexdigest()}
            | ({"without_transparency": True} if id_ == "silent" else {})
            for id_, text in roots.items()
        ],
        "keys": [{"id": "release", "valid_from": "2026-01-01", "public_key": keys.signer("release").public_key_pem}],
        "artifacts": [{**copy.deepcopy(one), "match": ["api.tar.gz", name]} for one in ENTRIES],
        "summaries": [
            {
                "name": "gate",
                "key": "release",
                "resources": ["pkg:generic/api@*"],
                "minimum_level": 2,
                "max_age_days": 90,
                "loosen": {"any_policy": True},
            }
        ],
        "releases": [
            {"name": "api", "artifacts": ["api*"], "loosen": {"several_commits": True, "any_version": True}},
            {"name": "anything", "loosen": {"any_parts": True, "any_version": True}},
        ],
    }
    files = {f"{id_}.json": text for id_, text in roots.items()}
    git.commit({"maestro.yaml": "apiVersion: maestro-conductor/v1\n", "trust.yaml": json.dumps(trust), **files})
    (git.path / "api.tar.gz").write_bytes(DATA)
    (git.path / "api.jsonl").write_bytes(b"\n".join(bundles(SHA256)) + b"\n")
    yield Place(git.path, f"{name}@sha256:{image}")
    server.stop()


FORMATS = ("terminal", "json", "markdown")


def unread(shown: dict[str, str], answer: Answer) -> set[str]:
    """The fields of ``shown`` that a report passes over."""
    return {field for field, words in shown.items() if words not in answer.said}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("command", ["blob", "image", "release"])
def test_it_shows(place: Place, command: str, form: str) -> None:
    place.release("api", images=[place.image])
    argv = {
        "blob": ["api.tar.gz", "--bundle", "api.jsonl"],
        "image": [place.image],
        "release": [],
    }[command]
    answer = place.ask("verify", command, *argv, "--format", form)
    assert answer.code == 0, answer.said
    assert unread(LOOSENS, answer) == set(), answer.said
    assert ("ANYBODY MAY SIGN" in answer.said) == (form != "json")


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_release_need_not_be_shows(place: Place, form: str) -> None:
    place.release("api")
    said = place.ask("verify", "release", "--format", form)
    place.release("anything")
    other = place.ask("verify", "release", "--format", form)
    assert (said.code, other.code) == (0, 0), other.said
    assert unread(OF_RELEASES, Answer(0, said.said + other.said)) == set()


@pytest.mark.parametrize("form", FORMATS)
def test_what_a_summary_need_not_be_shows(place: Place, form: str) -> None:
    made = summary(
        [Subject("api", {"sha256": SHA256})],
        resource="pkg:generic/api@1",
        decided_by=DecidedBy({"trust.yaml": "0" * 64}),
        inputs={},
        level=2,
        signers=[],
        loosened=["mild: loosen.any_age"],
        now=NOW,
    )
    (place.folder / "vsa").write_bytes(sign_statement(made, keys.signer("release")))
    argv = ("api.tar.gz", "--summary", "vsa", "--resource", "pkg:generic/api@1", "--format", form)
    answer = place.ask("verify", "summary", *argv)
    assert answer.code == 0, answer.said
    assert unread({**OF_SUMMARIES, "where verified": "mild: loosen.any_age"}, answer) == set(), answer.said


def test_a_summary_says_what_was_loosened(place: Place) -> None:
    place.release("api")
    (place.folder / "key.pem").write_bytes(keys.pem("release"))
    assert place.ask("verify", "release", "--attest", "vsa", "--key", "key.pem").code == 0
    argv = ("api.tar.gz", "--summary", "vsa", "--resource", "pkg:generic/api@1")
    answer = place.ask("verify", "summary", *argv)
    assert answer.code == 10  # level 0: anyone
    assert "says level 0, wanted 2" in answer.said
