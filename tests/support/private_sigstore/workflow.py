"""A run of a GitHub workflow: what its certificate says, and the provenance that goes with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ISSUER = "https://token.actions.githubusercontent.com"
GITHUB = "https://github.com/"


@dataclass(frozen=True)
class Run:
    """One run. ``signer``: the workflow that signs, where it is not the repository's own."""

    repository: str = "acme/api"
    repository_id: str = "712345678"
    owner_id: str = "4242"
    ref: str = "refs/tags/v1.2.0"
    commit: str = "1f" * 20
    workflow: str = ".github/workflows/release.yml"
    trigger: str = "push"
    runner: str = "github-hosted"
    run: str = "88/attempts/1"
    issuer: str = ISSUER
    signer: str = "acme/build/.github/workflows/build.yml@refs/tags/v3"

    @property
    def signer_uri(self) -> str:
        return GITHUB + self.signer

    @property
    def source(self) -> str:
        return GITHUB + self.repository

    def extensions(self) -> dict[int, str]:
        """By Fulcio's numbers."""
        return {
            1: self.issuer,
            2: self.trigger,
            3: self.commit,
            4: "release",
            5: self.repository,
            6: self.ref,
            8: self.issuer,
            9: self.signer_uri,
            10: "ab" * 20,
            11: self.runner,
            12: self.source,
            13: self.commit,
            14: self.ref,
            15: self.repository_id,
            16: GITHUB + self.repository.split("/")[0],
            17: self.owner_id,
            18: f"{self.source}/{self.workflow}@{self.ref}",
            19: self.commit,
            20: self.trigger,
            21: f"{self.source}/actions/runs/{self.run}",
            22: "public",
        }

    def provenance_v1(self) -> dict[str, Any]:
        """As GitHub's artifact attestations write it."""
        return {
            "buildDefinition": {
                "buildType": "https://actions.github.io/buildtypes/workflow/v1",
                "externalParameters": {"workflow": {"ref": self.ref, "repository": self.source, "path": self.workflow}},
                "internalParameters": {
                    "github": {
                        "event_name": self.trigger,
                        "repository_id": self.repository_id,
                        "repository_owner_id": self.owner_id,
                        "runner_environment": self.runner,
                    }
                },
                "resolvedDependencies": [
                    {"uri": f"git+{self.source}@{self.ref}", "digest": {"gitCommit": self.commit}}
                ],
            },
            "runDetails": {
                "builder": {"id": self.signer_uri},
                "metadata": {"invocationId": f"{self.source}/actions/runs/{self.run}"},
            },
        }

    def provenance_v0_2(self) -> dict[str, Any]:
        """As slsa-github-generator writes it."""
        return {
            "builder": {"id": self.signer_uri},
            "buildType": "https://github.com/slsa-framework/slsa-github-generator/generic@v1",
            "invocation": {
                "configSource": {
                    "uri": f"git+{self.source}@{self.ref}",
                    "digest": {"sha1": self.commit},
                    "entryPoint": self.workflow,
                },
                "parameters": {},
                "environment": {
                    "github_event_name": self.trigger,
                    "github_repository_id": self.repository_id,
                    "github_repository_owner_id": self.owner_id,
                },
            },
            "materials": [{"uri": f"git+{self.source}@{self.ref}", "digest": {"sha1": self.commit}}],
        }


def statement(
    predicate: dict[str, Any],
    sha256: str,
    *,
    kind: str = "https://slsa.dev/provenance/v1",
    version: str = "https://in-toto.io/Statement/v1",
    name: str = "api.tar.gz",
) -> dict[str, Any]:
    return {
        "_type": version,
        "subject": [{"name": name, "digest": {"sha256": sha256}}],
        "predicateType": kind,
        "predicate": predicate,
    }
