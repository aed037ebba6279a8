# ruff: noqa: E501 — the table of changes reads better in long rows
"""A change to trust.yaml says whom it would believe; each is a finding of governance that blocks."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from maestro.findings import Finding
from tests.gates.test_governance import judge, ssh
from tests.maestro.evidence import keys
from tests.maestro.provenance.refusals import OTHER, SIGSTORE


def root_file(**more: Any) -> str:
    return json.dumps({**SIGSTORE.trusted_root(), **more})


def digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def pem(name: str) -> str:
    return json.dumps(keys.signer(name).public_key_pem)


ROOT = root_file()
TRUST = f"""\
apiVersion: maestro-conductor/v1
kind: TrustPolicy
roots:
  - {{id: private, path: trust/root.json, sha256: "{digest_of(ROOT)}"}}
keys:
  - {{id: release, valid_from: 2026-01-01, public_key: {pem("release")}}}
artifacts:
  - name: api
    match: ["dist/api*.tar.gz"]
    builders:
      - {{builder: github-artifact-attestations, workflow: acme/build/.github/workflows/build.yml, tags: ["v*"]}}
    source: {{repository: https://github.com/acme/api, repository_id: 712345678, tags: ["v*"]}}
"""
TARGET = {
    "trust.yaml": TRUST,
    "trust/root.json": ROOT,
    ".github/CODEOWNERS": "/trust.yaml @acme/platform\n/trust/ @acme/security\n",
}
OTHER_ROOT = json.dumps(OTHER.trusted_root())


def findings(edit: dict[str, str | None]) -> tuple[Finding, ...]:
    return judge(edit, target=TARGET)


def changed(old: str, new: str) -> dict[str, str | None]:
    assert old in TRUST
    return {"trust.yaml": TRUST.replace(old, new)}


@pytest.mark.parametrize(
    ("edit", "line", "words"),
    [
        (changed("    source:", "    loosen: {any_trigger: true}\n    source:"), 8, "artifacts/api loosens any_trigger"),
        (changed("    source:", "    minimum_level: 2\n    source:"), 8, "minimum_level is 2 instead of 3"),
        (changed('tags: ["v*"]}\n    source', 'tags: ["v*", "t*"]}\n    source'), 8, "build.yml, tags: v*, t*) vouch"),
        (changed("    builders:\n", "    builders:\n      - {builder: other, key: release}\n"), 8, "lets other (key: release) vouch"),
        (changed('712345678, tags: ["v*"]', '712345678, tags: ["v*"], branches: [main]'), 8, "source.branches gains main"),
        (changed("acme/api,", "evil/api,"), 8, "source.repository is https://github.com/evil/api instead of https://github.com/acme/api"),
        (changed('["dist/api*.tar.gz"]', '["dist/*.tar.gz"]'), 8, "match gains dist/*.tar.gz; match loses dist/api*.tar.gz"),
        (changed("    source:", "    signers: 1\n    max_age_days: 900\n    source:"), 8, "max_age_days is 900 instead of 365"),
        (changed("artifacts:\n", 'artifacts:\n  - {name: all, match: ["**"], loosen: {anyone: true}}\n'), 8, "artifacts/all is added for **; loosens anyone"),
        (changed("release, valid", "release2, valid"), 6, "keys/release2 is added"),
        (changed(pem("release"), pem("other")), 6, "keys/release is another key now"),
        (changed("valid_from: 2026-01-01", "valid_from: 2026-01-01, revoked_at: 2026-11-01"), 6, "is revoked at 2026-11-01"),
        (changed('json, sha', 'json, without_transparency: true, sha'), 4, "roots/private needs no transparency log any more"),
        ({**changed(digest_of(ROOT), digest_of(OTHER_ROOT)), "trust/root.json": OTHER_ROOT}, 4, "roots/private is replaced"),
        ({"trust/root.json": OTHER_ROOT}, 1, "not the file whose digest is pinned"),
        ({"trust/root.json": None}, 1, "a root of trust.yaml, is removed"),
        ({"trust.yaml": None}, 1, "trust.yaml is removed: after the merge no artifact would be believed"),
        ({"trust.yaml": TRUST + "x: 1\n"}, 13, "could no longer be read"),
    ],
)  # fmt: skip
def test_whom_a_change_would_believe_is_said_where_it_stands(
    edit: dict[str, str | None], line: int, words: str
) -> None:
    found = findings(edit)
    assert {one.rule for one in found} == {"mc.governance/trust_changed"}
    assert {one.mode for one in found} == {"enforce"}
    assert words in " | ".join(one.message for one in found)
    assert found[0].location.line == line


WHOLE = (
    TRUST
    + """\
summaries:
  - {name: gate, key: release, resources: ["pkg:generic/api@*"], max_age_days: 7}
releases:
  - {name: api, artifacts: ["dist/api*.tar.gz"], requires: [chain]}
"""
)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("max_age_days: 7", "max_age_days: 90", 14, "summaries/gate max_age_days is 90 instead of 7"),
        ('["pkg:generic/api@*"]', '["pkg:generic/api@*", "pkg:generic/web@*"]', 14, "resources gains pkg:generic/web@*"),
        ("days: 7}", "days: 7, loosen: {any_policy: true}}", 14, "summaries/gate loosens any_policy"),
        ("name: gate", "name: other", 14, "is added: what release says to have verified of pkg:generic/api@* is not verified again"),
        (", requires: [chain]", "", 16, "releases/api requires loses chain"),
        ("[chain]}", "[chain], loosen: {several_commits: true}}", 16, "releases/api loosens several_commits"),
        ("name: api, artifacts", "name: web, artifacts", 16, "what it asked of the release is asked no longer"),
    ],
)  # fmt: skip
def test_whose_verdict_and_what_parts_would_do_is_said(old: str, new: str, line: int, words: str) -> None:
    assert old in WHOLE
    found = judge({"trust.yaml": WHOLE.replace(old, new)}, target={**TARGET, "trust.yaml": WHOLE})
    assert {(one.rule, one.mode) for one in found} == {("mc.governance/trust_changed", "enforce")}
    assert words in " | ".join(one.message for one in found)
    assert line in {one.location.line for one in found}


def test_no_list_of_trust_yaml_changes_without_a_word() -> None:
    from maestro.provenance.trust_changes import trust_changes
    from maestro.provenance.trust_policy import load_trust_policy

    whole = load_trust_policy("trust.yaml", WHOLE.encode())
    for name in type(whole).model_fields.keys() - {"apiVersion", "kind"}:
        assert getattr(whole, name), f"a new list: add {name} above"
        assert trust_changes(whole, whole.model_copy(update={name: ()})), name


def test_comments_and_layout_are_free() -> None:
    assert findings({"trust.yaml": "# ours\n" + TRUST.replace('["v*"]', "[ 'v*' ]")}) == ()


def test_a_replaced_root_tells_what_is_in_it() -> None:
    later = root_file(tlogs=SIGSTORE.trusted_root()["tlogs"][:1])
    [found] = findings({**changed(digest_of(ROOT), digest_of(later)), "trust/root.json": later})
    assert "the transparency log " in found.message
    assert "is removed" in found.message
    assert found.owner == "@acme/platform, @acme/security", "both files' owners have to agree"


def test_a_first_trust_yaml_is_a_change_of_trust() -> None:
    found = judge({"trust.yaml": TRUST, "trust/root.json": ROOT})
    assert [one.subject for one in found] == [
        "trust.yaml#roots/private",
        "trust.yaml#keys/release",
        "trust.yaml#artifacts/api",
    ]
    [nobody] = judge({"trust.yaml": "apiVersion: maestro-conductor/v1\nkind: TrustPolicy\n"})
    assert nobody.message == "trust.yaml is added, and believes nobody"


def test_a_repair_is_judged_whole() -> None:
    found = judge({"trust.yaml": TRUST}, target={**TARGET, "trust.yaml": "kind: TrustPolicy\n"})
    assert "is repaired" in found[0].message
    assert "trust.yaml#artifacts/api" in [one.subject for one in found]


def test_approved_by_its_owner_it_passes() -> None:
    edit = changed("    source:", "    loosen: {any_trigger: true}\n    source:")
    assert judge(edit, target=TARGET, approvals=[ssh("dev@acme.example", "SHA256:a", "@acme/platform")]) == ()
    assert judge(edit, target=TARGET, approvals=[ssh("eve@acme.example", "SHA256:b", "@acme/data")])


@pytest.mark.parametrize("path", ["trust.yaml", "trust/root.json"])
def test_a_link_in_its_place_is_refused(path: str) -> None:
    found = judge({}, target=TARGET, links={path: "120000"})
    assert [one.rule for one in found] == ["mc.governance/link"]


def test_owners_of_trust_are_owners_of_what_decides() -> None:
    [found] = findings({".github/CODEOWNERS": "/trust.yaml @mallory\n/trust/ @mallory\n"})
    assert found.rule == "mc.governance/owners_changed"
    assert "trust" in found.message
