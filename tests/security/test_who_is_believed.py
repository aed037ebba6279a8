"""An author widens trust.yaml to wave an artifact of their own through."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.gates.governed import POOL, SETTINGS, Answer, check, maestro
from tests.gates.test_trusted_artifacts import OTHER_ROOT, ROOT, TRUST, digest_of
from tests.maestro.provenance.refusals import DATA, NOW, OTHER, RUN, SHA256, attested
from tests.support.git_repo import GitRepo
from tests.support.private_sigstore.workflow import statement

OWNERS = "* @acme/everybody\n/trust.yaml @acme/security\n/trust/ @acme/security\n"
LAX = 'artifacts:\n  - {name: mine, match: ["dist/api*.tar.gz"], loosen: {anyone: true, plain_signatures: true}}\n'
EVIL = replace(RUN, repository="acme/api-evil")
ELSEWHERE = json.dumps(OTHER.attest(statement(RUN.provenance_v1(), SHA256), OTHER.signer(RUN)))

WIDENED: dict[str, dict[str, str | None]] = {
    "an entry for everybody": {"trust.yaml": TRUST.partition("artifacts:")[0] + LAX},
    "another repository": {"trust.yaml": TRUST.replace("acme/api,", "acme/api-evil,")},
    "a root of their own under the old name": {
        "trust.yaml": TRUST.replace(digest_of(ROOT), digest_of(OTHER_ROOT)),
        "trust/root.json": OTHER_ROOT,
    },
    "a root of their own at the old digest": {"trust/root.json": OTHER_ROOT},
    "owners of their own beside it": {
        "trust.yaml": TRUST.replace("acme/api,", "acme/api-evil,"),
        ".github/CODEOWNERS": OWNERS.replace("@acme/security", "@mallory"),
    },
}


def verified(repo: GitRepo, *arguments: str, **environ: str) -> Answer:
    bundles = ["--bundle", "evil.json", "--bundle", "elsewhere.json"]
    return maestro(repo, "verify", "blob", "dist/api.tar.gz", *bundles, *arguments, environ=environ, now=NOW)


@pytest.mark.parametrize("how", WIDENED)
def test_it_blocks_and_does_not_help(tmp_path: Path, how: str) -> None:
    repo = GitRepo.init(tmp_path / "r")
    assert hashlib.sha256(DATA).hexdigest() == SHA256
    repo.commit(
        {
            "maestro.yaml": SETTINGS,
            "pools/here.yaml": POOL,
            "trust.yaml": TRUST,
            "trust/root.json": ROOT,
            ".github/CODEOWNERS": OWNERS,
        }
    )
    repo.branch("change")
    repo.commit(WIDENED[how], "Widen")
    for name, data in (
        ("dist/api.tar.gz", DATA),
        ("evil.json", attested(EVIL).data),
        ("elsewhere.json", ELSEWHERE.encode()),
    ):
        (repo.path / name).parent.mkdir(exist_ok=True)
        (repo.path / name).write_bytes(data)
    answer = check(repo, "--head", "HEAD")
    assert answer.code == 10
    assert "mc.governance/trust_changed" in answer.rules("governance")
    [first, *_] = [one for one in answer.findings() if one["rule"] == "mc.governance/trust_changed"]
    assert "@acme/security" in first["owner"]
    assert verified(repo).code == 10, "read at the default branch's tip"
    assert verified(repo, "--policy", "trust.yaml", CI="true").code in (2, 10)
