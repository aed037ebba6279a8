"""What SLSA provenance says about a build, in one shape for the versions and build types that are known.

Sources: slsa.dev/spec/v1.1/provenance and v0.2; the build types' own pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from maestro.canonical_json import dumps
from maestro.evidence.statement import Statement
from maestro.provenance.certificate import Identity
from maestro.provenance.reasons import NotProven
from maestro.provenance.trust_policy import SLSA_V0_2, SLSA_V1

_GITHUB_WORKFLOW: Final = "workflow"
_GOOGLE_SOURCE: Final = "buildConfigSource"


@dataclass(frozen=True, slots=True)
class Claims:
    """Of a build; empty where the provenance says nothing.

    ``parameters``: what the caller could choose, dotted names to text; the workflow or build file is not among them.
    """

    builder_id: str
    repository: str = ""
    ref: str = ""
    workflow: str = ""
    commit: str = ""
    trigger: str = ""
    repository_id: str = ""
    owner_id: str = ""
    runner: str = ""
    run: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


def claims_of(statement: Statement) -> Claims | None:
    """The claims of SLSA provenance; None for another kind of statement.

    Raises:
        NotProven: it lacks what its version must have.
    """
    if statement.predicate_type == SLSA_V1:
        return _v1(statement.predicate)
    if statement.predicate_type == SLSA_V0_2:
        return _v0_2(statement.predicate)
    return None


def _malformed(words: str) -> NotProven:
    return NotProven("verify/predicate-malformed", f"the provenance {words}")


def _mapping(value: Any, *path: str) -> Mapping[str, Any]:  # noqa: ANN401 - JSON
    """The object at ``path``; empty where any of it is absent."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
        if value is None:
            return {}
    if not isinstance(value, dict):
        raise _malformed(f"has {'.'.join(path)} that is not an object")
    return value


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key, "")
    if type(found) is int:
        return str(found)
    if not isinstance(found, str):
        raise _malformed(f"has {key} that is not text")
    return found


def _builder(value: Mapping[str, Any]) -> str:
    found = _text(value, "id")
    if not found:
        raise _malformed("names no builder")
    return found


def _v1(predicate: Mapping[str, Any]) -> Claims:
    external = _mapping(predicate, "buildDefinition", "externalParameters")
    workflow = _mapping(external, _GITHUB_WORKFLOW)
    google = _mapping(external, _GOOGLE_SOURCE)
    github = _mapping(predicate, "buildDefinition", "internalParameters", "github")
    if workflow and google:
        raise _malformed("names its source twice")
    source = workflow or google
    rest = {key: value for key, value in external.items() if key not in (_GITHUB_WORKFLOW, _GOOGLE_SOURCE)}
    beside = {key: value for key, value in source.items() if key not in ("ref", "repository", "path")}
    repository, ref = _text(source, "repository"), _text(source, "ref")
    return Claims(
        builder_id=_builder(_mapping(predicate, "runDetails", "builder")),
        repository=repository,
        ref=ref,
        workflow=f"{repository}/{_text(source, 'path')}@{ref}" if workflow else "",
        commit=_commit(_mapping(predicate, "buildDefinition").get("resolvedDependencies"), repository),
        trigger=_text(github, "event_name"),
        repository_id=_text(github, "repository_id"),
        owner_id=_text(github, "repository_owner_id"),
        runner=_text(github, "runner_environment"),
        run=_text(_mapping(predicate, "runDetails", "metadata"), "invocationId"),
        parameters=_parameters(*_flat("", rest), *_flat("source", beside)),
    )


def _commit(dependencies: object, repository: str) -> str:
    """Of the source among the resolved dependencies: the one at the repository's address."""
    for one in dependencies if isinstance(dependencies, list) else ():
        if isinstance(one, dict) and repository and _text(one, "uri").partition("@")[0] == f"git+{repository}":
            return _text(_mapping(one, "digest"), "gitCommit")
    return ""


def _v0_2(predicate: Mapping[str, Any]) -> Claims:
    config = _mapping(predicate, "invocation", "configSource")
    environment = _mapping(predicate, "invocation", "environment")
    repository, _, ref = _text(config, "uri").removeprefix("git+").partition("@")
    path = _text(config, "entryPoint")
    return Claims(
        builder_id=_builder(_mapping(predicate, "builder")),
        repository=repository,
        ref=ref,
        workflow=f"{repository}/{path}@{ref}" if path.startswith(".github/") else "",
        commit=_text(_mapping(config, "digest"), "sha1"),
        trigger=_text(environment, "github_event_name"),
        repository_id=_text(environment, "github_repository_id"),
        owner_id=_text(environment, "github_repository_owner_id"),
        parameters=_parameters(*_flat("", _mapping(predicate, "invocation", "parameters"))),
    )


def _parameters(*pairs: tuple[str, str]) -> dict[str, str]:
    """By name. ``{"a": {"b": 1}}`` and ``{"a.b": 2}`` have one name: one of the two would hide the other."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise _malformed(f"gives the parameter {name!r:.80} twice")
        found[name] = value
    return found


def _flat(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    """Dotted names and their values as text; what is empty was not chosen."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), inner)
    elif isinstance(value, str):
        if value:
            yield prefix, value
    elif value not in (None, []):
        yield prefix, dumps(value).decode("utf-8")


def require_one_story(claims: Claims, identity: Identity) -> None:
    """Insist that provenance and GitHub's certificate say the same wherever both speak, and that both name the source.

    Raises:
        NotProven: they contradict each other, or the provenance does not name its source.
    """
    if not claims.repository or not claims.ref:
        raise _malformed("does not say which repository and ref it was built from")
    run = claims.run.partition("/attempts/")[0]
    pairs = (
        ("the builder", claims.builder_id, identity.build_signer_uri),
        ("the repository", claims.repository, identity.source_repository_uri),
        ("the ref", claims.ref, identity.source_repository_ref),
        ("the commit", claims.commit, identity.source_repository_digest),
        ("the workflow", claims.workflow, identity.build_config_uri),
        ("the event", claims.trigger, identity.build_trigger),
        ("the repository's id", claims.repository_id, identity.source_repository_identifier),
        ("the owner's id", claims.owner_id, identity.source_repository_owner_identifier),
        ("the runner", claims.runner, identity.runner_environment),
        ("the run", run, identity.run_invocation_uri.partition("/attempts/")[0]),
    )
    for what, said, certified in pairs:
        if said and said != certified:
            message = f"the provenance says {what} is {said!r:.120}, the certificate says {certified!r:.120}"
            raise NotProven("verify/predicate-contradiction", message)
