# ruff: noqa: E501 — the table of changes reads better in long rows
from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates import governance
from gates.approvals import Approval
from gates.assemble import assemble
from gates.scene import Scene
from maestro.change import ChangeSet
from maestro.findings import Failed, Finding, GateResult, Passed, Skipped
from maestro.repository import Entry, Snapshot, compare

NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)

SETTINGS = """\
apiVersion: maestro-conductor/v1
documents: ["manifests/**", "flags/**", "waivers/**"]
packs:
  - policy/packs/*
"""

REPLICAS = """\
# METADATA
# title: Enough replicas
# custom:
#   mode: enforce
#   match: ["k8s/**"]
package acme.replicas

# METADATA
# title: At least two
deny_replicas contains msg if {
	input.spec.replicas < 2
	msg := "fewer than two replicas"
}

# METADATA
# title: A label
deny_label contains msg if {
	not input.metadata.labels
	msg := "no label"
}
"""

FLAG = """\
apiVersion: maestro-conductor/v1
kind: Flag
metadata:
  name: checkout-v2
  owner: "@acme/checkout"
spec:
  type: release
  ttl: 2027-02-01
"""

WAIVER = """\
apiVersion: maestro-conductor/v1
kind: Waiver
metadata: {name: replicas-web}
spec:
  rule: acme.replicas/replicas
  subject: k8s/web.yaml
  until: 2026-12-31
  reason: launch moved
"""

OWNERS = "* @acme/everybody\n/policy/ @acme/platform\n/maestro.yaml @acme/platform\n/.github/ @acme/platform\n"
SIGNERS = (
    "dev@acme.example,@acme/platform ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO/LLWfJDQUoB2YEj9YZDiAwI11JVGOl0Egr823fNHBG\n"
)
PACK = "policy/packs/replicas/replicas.rego"

TARGET = {
    "maestro.yaml": SETTINGS,
    PACK: REPLICAS,
    "policy/packs/replicas/README.md": "replicas\n",
    "policy/allowed_signers": SIGNERS,
    ".github/CODEOWNERS": OWNERS,
    ".github/workflows/maestro.yml": "on: pull_request\n",
    "flags/checkout.yaml": FLAG,
    "waivers/web.yaml": WAIVER,
    "k8s/web.yaml": "kind: Deployment\nspec:\n  replicas: 1\n",
    "k8s/api.yaml": "kind: Deployment\nspec:\n  replicas: 3\n",
}

Files = dict[str, str | None]


def snapshot(files: dict[str, str], commit: str) -> Snapshot:
    return Snapshot.of_files({path: text.encode() for path, text in files.items()}, commit=commit)


def scene(
    edit: Files, *, target: Files | None = None, approvals: Sequence[Approval] = (), links: dict[str, str] | None = None
) -> Scene:
    """The scene of a change that edits (None: removes) these files of TARGET."""
    before = {path: text for path, text in {**TARGET, **(target or {})}.items() if text is not None}
    after = {path: text for path, text in {**before, **edit}.items() if text is not None}
    policy, head = snapshot(before, "1" * 40), snapshot(after, "2" * 40)
    if links:
        target_text = policy.entries["flags/checkout.yaml"].oid  # some blob that is there
        entries = {**head.entries, **{path: Entry(mode, target_text) for path, mode in links.items()}}
        blobs = head._blobs
        head = Snapshot(commit="2" * 40, label="head", entries=lambda: dict(sorted(entries.items())), blobs=blobs)
    change = ChangeSet(policy, policy, head, compare(policy, head), False, "maestro.yaml" not in before, False, "")
    return assemble(change, now=NOW, decide=None, approvals=lambda: approvals, gate_ids=()).scene  # type: ignore[arg-type]


def findings(result: GateResult) -> tuple[Finding, ...]:
    return result.findings if isinstance(result, Failed) else ()


def judge(edit: Files, **other: object) -> tuple[Finding, ...]:
    return findings(governance.judge(scene(edit, **other)))  # type: ignore[arg-type]


def one(edit: Files, **other: object) -> Finding:
    [finding] = judge(edit, **other)
    return finding


def ssh(who: str = "dev@acme.example", key: str = "SHA256:a", *others: str) -> Approval:
    return Approval(who, "ssh", True, "signed", key, (who, *others), "approvals/x.json")


def test_what_decides_nothing_is_skipped() -> None:
    assert isinstance(governance.judge(scene({"flags/checkout.yaml": FLAG + "  notes: x\n"})), Skipped)
    assert isinstance(governance.judge(scene({"src/main.py": "1"})), Skipped)
    assert isinstance(governance.judge(scene({"flags/checkout.yaml": None})), Skipped), "gone altogether is no escape"
    assert isinstance(governance.judge(scene({})), Skipped)


def test_in_preview_nothing_decides_yet() -> None:
    assert isinstance(governance.judge(scene({"maestro.yaml": SETTINGS}, target={"maestro.yaml": None})), Skipped)


@pytest.mark.parametrize(
    ("edit", "rule", "line", "words"),
    [
        ({PACK: REPLICAS.replace("< 2", "< 1")}, "pack_changed", 11, "1 file of pack acme.replicas changes: " + PACK),
        ({"policy/packs/replicas/README.md": "x\n"}, "pack_changed", 1, "README.md"),
        ({"policy/packs/replicas/README.md": None}, "pack_changed", 1, "README.md"),
        ({PACK: REPLICAS.replace("mode: enforce", "mode: warn")}, "milder_mode", 4, "from enforce to warn for 2 files"),
        ({PACK: REPLICAS.replace("mode: enforce", "mode: shadow")}, "milder_mode", 4, "enforce to shadow"),
        (
            {PACK: REPLICAS.replace("# title: A label", "# title: A label\n# custom:\n#   mode: warn")},
            "milder_mode",
            None,
            "rule acme.replicas/label goes from enforce to warn for 2 files (k8s/api.yaml, k8s/web.yaml)",
        ),
        ({PACK: REPLICAS.replace("deny_label", "warn_label")}, "milder_mode", None, "label goes from enforce to warn"),
        ({PACK: REPLICAS.replace("deny_label", "deny_tag")}, "rule_removed", 17, "loses 1 rule (label)"),
        ({PACK: REPLICAS.replace('"k8s/**"', '"k8s/web*"')}, "narrower_match", 5, "no longer judge 1 file: k8s/api.yaml"),
        ({PACK: None, "policy/packs/replicas/README.md": None}, "pack_removed", 1, "no longer judge 2 files"),
        ({PACK: "package\n"}, "pack_removed", None, "acme.replicas would no longer judge"),
        ({"maestro.yaml": SETTINGS.replace("packs:\n  - policy/packs/*", "packs: []")}, "pack_removed", 3, "acme.replicas"),
        ({"policy/packs/new/new.rego": REPLICAS.replace("acme.replicas", "acme.new")}, "pack_changed", 1, "pack acme.new is added"),
        ({"maestro.yaml": SETTINGS + "break_glass: {approvals: 2}\n"}, "milder_setting", 5, "forced with 2 approvals"),
        ({"maestro.yaml": SETTINGS + "flags: {maximum_ttl_days: {release: 91}}\n"}, "milder_setting", 5, "live 91 days instead of 90"),
        ({"maestro.yaml": SETTINGS + "default_branch: other\n"}, "settings_changed", 5, "maestro.yaml changes default_branch"),
        ({"maestro.yaml": SETTINGS + "allowed_signers: mine\n"}, "trust_changed", 5, "read from mine"),
        ({"maestro.yaml": SETTINGS.replace('"flags/**", ', "")}, "narrower_documents", 2, "1 document file would no longer be governed: flags/checkout.yaml"),
        ({"maestro.yaml": None}, "settings_changed", 1, "is removed"),
        ({"maestro.yaml": "apiVersion: x\n"}, "settings_changed", 1, "could no longer be read"),
        ({".github/CODEOWNERS": "* @mallory\n"}, "owners_changed", 1, "would get other owners"),
        ({".github/CODEOWNERS": OWNERS + "# note\n"}, "owners_changed", 5, "CODEOWNERS changes"),
        ({"CODEOWNERS": "* @mallory\n"}, "owners_changed", 1, "CODEOWNERS changes"),
        ({"docs/CODEOWNERS": "* @mallory\n"}, "owners_changed", 1, "CODEOWNERS changes"),
        ({"policy/allowed_signers": SIGNERS.replace("dev@", "mallory@")}, "trust_changed", 1, "mallory@acme.example is added"),
        ({"policy/revoked_signers": "# none\n"}, "trust_changed", 1, "revoked keys, is added"),
        ({".github/workflows/maestro.yml": "on: push\n"}, "workflow_changed", 1, "changes"),
        ({".github/actions/check/action.yml": "x"}, "workflow_changed", 1, "is added"),
        ({".gitlab-ci.yml": "x"}, "workflow_changed", 1, "is added"),
        ({".pre-commit-config.yaml": "x"}, "workflow_changed", 1, "is added"),
        ({"waivers/web.yaml": WAIVER.replace("2026-12-31", "2027-12-31")}, "waiver_changed", 7, "until 2027-12-31"),
        ({"waivers/web.yaml": None}, "waiver_changed", 1, "is removed"),
        ({"flags/w.yaml": WAIVER.replace("-web", "-two")}, "waiver_changed", 7, "sets acme.replicas/replicas for k8s/web.yaml aside"),
        ({"flags/w.yaml": WAIVER.replace("-web", "-two").replace("Waiver", '"\\x57aiver"')}, "waiver_changed", 7, "aside"),
        ({"flags/checkout.yaml": None, "old/checkout.yaml": FLAG}, "out_of_scope", 1, "Flag/checkout-v2 moves to old/checkout.yaml"),
        ({"flags/checkout.yaml": None, "flags/checkout.txt": "# moved\n" + FLAG}, "out_of_scope", 1, "flags/checkout.txt"),
        ({"k8s/web.yaml": None, "deploy/web.yaml": TARGET["k8s/web.yaml"]}, "out_of_scope", 1, "pack acme.replicas does not judge"),
        ({"k8s/web.yaml": None, "deploy/w.yaml": "kind: Deployment\nspec:\n  replicas: 0\n"}, "out_of_scope", 1, "deploy/w.yaml"),
    ],
)  # fmt: skip
def test_each_change_to_what_decides_is_one_finding_that_blocks(
    edit: Files, rule: str, line: int | None, words: str
) -> None:
    finding = one(edit)
    assert (finding.rule, finding.mode) == (f"mc.governance/{rule}", "enforce")
    assert words in finding.message
    assert finding.remedy
    if line is not None:
        assert finding.location.line == line


def test_lowered_approvals_milder_existing_and_milder_glass() -> None:
    strict = SETTINGS + "approvals: 2\nexisting: block\nbreak_glass: {approvals: 3}\n"
    mild = strict.replace("approvals: 2", "approvals: 1").replace("block", "warn", 1).replace("3}", "2}")
    mild = mild.replace("warn_glass", "break_glass").replace("existing: block", "existing: warn")
    found = judge({"maestro.yaml": mild}, target={"maestro.yaml": strict})
    assert {finding.rule for finding in found} == {"mc.governance/milder_setting"}
    assert sorted(finding.location.line for finding in found) == [5, 6, 7]
    assert "2 people of @acme/platform" in (found[0].remedy or "")


def test_stricter_is_no_milder_but_still_governed() -> None:
    warn = REPLICAS.replace("mode: enforce", "mode: warn")
    assert one({PACK: REPLICAS}, target={PACK: warn}).rule == "mc.governance/pack_changed"
    loose = SETTINGS + "break_glass: {approvals: 1}\n"
    assert one({"maestro.yaml": SETTINGS}, target={"maestro.yaml": loose}).rule == "mc.governance/settings_changed"


ENTRY = """\
apiVersion: maestro-conductor/v1
documents: ["manifests/**", "flags/**", "waivers/**"]
packs:
  - path: policy/packs/replicas
    mode: enforce
    data: [limits]
"""


def test_a_mode_in_the_settings_and_data_elsewhere_decide_too() -> None:
    bare = "\n".join(line for line in REPLICAS.splitlines() if "mode:" not in line) + "\n"
    target: Files = {"maestro.yaml": ENTRY, PACK: bare, "limits/replicas.json": '{"least": 2}'}
    milder = one({"maestro.yaml": ENTRY.replace("mode: enforce", "mode: shadow")}, target=target)
    assert milder.rule == "mc.governance/milder_mode"
    assert (milder.location.path, milder.location.line) == ("maestro.yaml", 5)
    changed = one({"limits/replicas.json": '{"least": 1}'}, target=target)
    assert changed.rule == "mc.governance/pack_changed"
    assert "limits/replicas.json" in changed.message


def test_files_of_a_pack_that_nobody_can_read_are_governed() -> None:
    finding = one({PACK: "package nonsense {{\n"}, target={PACK: "package\n"})
    assert finding.rule == "mc.governance/pack_changed"
    assert finding.blocks


def test_a_pack_that_takes_another_name_is_still_the_same_pack() -> None:
    renamed = REPLICAS.replace("acme.replicas", "acme.other").replace("mode: enforce", "mode: warn")
    assert one({PACK: renamed}).rule == "mc.governance/milder_mode"


def test_a_second_pack_of_the_same_name_is_found() -> None:
    twin = REPLICAS.replace("mode: enforce", "mode: shadow")
    finding = one({"policy/packs/a-twin/twin.rego": twin})
    assert (finding.rule, finding.mode) == ("mc.governance/pack_removed", "enforce")
    assert "is that of policy/packs/a-twin as well" in finding.message


def test_a_comment_in_the_settings_changes_nothing() -> None:
    assert judge({"maestro.yaml": SETTINGS + "# why\n"}) == ()


def test_a_waiver_that_only_moves_between_files_changes_nothing() -> None:
    assert judge({"waivers/web.yaml": None, "waivers/other.yaml": "# moved\n" + WAIVER}) == ()


def test_a_document_that_moves_within_what_is_judged_is_free() -> None:
    assert judge({"flags/checkout.yaml": None, "flags/team/checkout.yaml": FLAG}) == ()
    assert judge({"k8s/web.yaml": None, "k8s/team/web.yaml": TARGET["k8s/web.yaml"]}) == ()


def test_a_link_in_place_of_a_governed_folder_is_one_finding() -> None:
    edit: Files = {PACK: None, "policy/packs/replicas/README.md": None}
    finding = one(edit, links={"policy/packs/replicas": "120000"})
    assert finding.rule == "mc.governance/link"
    assert "a symbolic link in place of 2 files that decide" in finding.message
    edit |= {"policy/allowed_signers": None}
    assert [f.rule for f in judge(edit, links={"policy": "160000"})] == ["mc.governance/link"]


def test_a_link_in_place_of_a_governed_file_is_found() -> None:
    for path in ("maestro.yaml", ".github/CODEOWNERS", "policy/allowed_signers", ".github/workflows/maestro.yml"):
        found = judge({path: None}, links={path: "120000"})
        assert "mc.governance/link" in {finding.rule for finding in found}, path


def test_modes_and_edits_of_one_pack_stay_one_finding() -> None:
    edit: Files = {PACK: REPLICAS.replace("mode: enforce", "mode: warn").replace("< 2", "< 1")}
    assert one({**edit, "policy/packs/replicas/README.md": "x"}).rule == "mc.governance/milder_mode"


def test_the_owner_is_the_policy_revisions_not_the_changes_own() -> None:
    found = judge({PACK: REPLICAS + "\n", ".github/CODEOWNERS": "* @mallory\n"})
    assert {finding.owner for finding in found} == {"@acme/platform"}


PACK_EDIT: Files = {PACK: REPLICAS.replace("mode: enforce", "mode: warn")}


@pytest.mark.parametrize(
    ("approvals", "passes"),
    [
        ([ssh("dev@acme.example", "k", "@acme/platform")], True),
        ([ssh("@Acme/Platform")], True),
        ([Approval("@sam", "github-review", True, "", "github:sam", ("@sam", "@acme/platform"))], True),
        ([Approval("@sam", "github-review", True, "", "github:sam", ("@sam",))], False),
        ([ssh()], False),
        ([replace(ssh("@acme/platform"), verified=False)], False),
        ([], False),
    ],
)
def test_only_an_owner_of_the_path_can_approve(approvals: list[Approval], passes: bool) -> None:
    result = governance.judge(scene(PACK_EDIT, approvals=approvals))
    assert isinstance(result, Passed) is passes
    if passes:
        assert result.note == f"1 governed change, approved by {approvals[0].who} ({approvals[0].method})"  # type: ignore[union-attr]
    else:
        assert any(finding.blocks for finding in findings(result))


def test_where_nobody_owns_the_path_any_signer_may_but_no_reviewer() -> None:
    target: Files = {".github/CODEOWNERS": "/other @acme/x\n"}
    assert isinstance(governance.judge(scene(PACK_EDIT, target=target, approvals=[ssh()])), Passed)
    review = Approval("@sam", "github-review", True, "", "github:sam", ("@sam",))
    finding = one(PACK_EDIT, target=target, approvals=[review])
    assert finding.blocks
    assert "somebody in policy/allowed_signers runs `maestro approve`" in (finding.remedy or "")


def test_two_approvals_must_be_two_peoples() -> None:
    target: Files = {"maestro.yaml": SETTINGS + "approvals: 2\n"}
    one_person = [ssh("a", "k1", "@acme/platform"), ssh("b", "k1", "@acme/platform")]
    two = [ssh("a", "k1", "@acme/platform"), ssh("b", "k2", "@acme/platform")]
    assert judge(PACK_EDIT, target=target, approvals=one_person)
    assert isinstance(governance.judge(scene(PACK_EDIT, target=target, approvals=two)), Passed)


def test_the_count_of_approvals_is_the_policy_revisions() -> None:
    target: Files = {"maestro.yaml": SETTINGS + "approvals: 2\n"}
    found = judge({**PACK_EDIT, "maestro.yaml": SETTINGS}, target=target, approvals=[ssh("@acme/platform")])
    assert {finding.rule for finding in found} == {"mc.governance/milder_mode", "mc.governance/milder_setting"}


def test_every_owner_group_has_to_agree() -> None:
    edit = {**PACK_EDIT, "waivers/web.yaml": WAIVER.replace("2026-12-31", "2027-01-31")}
    found = judge(edit, approvals=[ssh("@acme/platform")])
    assert [finding.owner for finding in found] == ["@acme/everybody"]
    result = governance.judge(scene(edit, approvals=[ssh("a", "k", "@acme/platform", "@acme/everybody")]))
    assert isinstance(result, Passed) and result.note == "2 governed changes, approved by a (ssh)"


def test_a_repository_that_names_nobody_is_warned_and_told_how() -> None:
    target: Files = {".github/CODEOWNERS": None, "policy/allowed_signers": None}

    finding = one(PACK_EDIT, target=target)
    assert finding.mode == "warn"
    remedy = finding.remedy or ""
    assert f"`/{PACK} @your-org/your-team` in .github/CODEOWNERS" in remedy
    assert "policy/allowed_signers" in remedy


def test_naming_yourself_in_the_change_does_not_make_you_an_approver() -> None:
    target: Files = {"policy/allowed_signers": None}
    found = judge({**PACK_EDIT, "policy/allowed_signers": SIGNERS}, target=target, approvals=[ssh()])
    assert {finding.rule for finding in found if finding.blocks} == {
        "mc.governance/milder_mode",
        "mc.governance/trust_changed",
    }


def test_approvals_are_no_governed_change_but_a_void_one_is_named() -> None:
    void = Approval("x", "ssh", False, "it expired", path="approvals/x.json")
    result = governance.judge(scene({"approvals/x.json": "{}"}, approvals=[void]))
    [finding] = findings(result)
    assert (finding.rule, finding.mode) == ("mc.governance/approval_void", "warn")
    assert finding.message == "approvals/x.json does not count: it expired"


def test_nobody_is_asked_when_nothing_is_governed() -> None:
    def refuse() -> Sequence[Approval]:
        raise AssertionError("asked")

    assert isinstance(governance.judge(replace(scene({"src/x": "1"}), approvals=refuse)), Skipped)


def test_a_repair_of_unreadable_settings_is_governed_too() -> None:
    broken: Files = {"maestro.yaml": "apiVersion: nonsense\n"}
    found = judge({"maestro.yaml": SETTINGS}, target=broken)
    assert [finding.rule for finding in found if finding.blocks] == ["mc.governance/settings_changed"]


def test_rules_have_titles_remedies_and_unique_ids() -> None:
    ids = [rule.id for rule in governance.RULES]
    assert len(ids) == len(set(ids))
    assert all(rule.id.startswith("mc.governance/") and rule.title and rule.remedy for rule in governance.RULES)


_EDITS = st.dictionaries(
    st.sampled_from([*TARGET, "policy/packs/replicas/more.rego", "CODEOWNERS", "flags/new.yaml"]),
    st.none() | st.sampled_from([FLAG, WAIVER, REPLICAS, SETTINGS, OWNERS, "", "\0", "{"]),
    min_size=1,
    max_size=4,
)


@given(_EDITS)
def test_no_edit_of_what_decides_passes_unapproved(edit: Files) -> None:
    subject = scene(edit)
    always = ("policy/packs/replicas/", ".github/", "policy/allowed_signers", "CODEOWNERS")
    found = findings(governance.judge(subject))
    if any(path.startswith(always) for path in subject.changed_paths):
        assert any(finding.blocks for finding in found)
    everybody = ssh("a", "k", "@acme/platform", "@acme/everybody")
    assert not any(
        finding.blocks for finding in findings(governance.judge(replace(subject, approvals=lambda: [everybody])))
    )
