"""A decision diff with something of everything, and with words that would like to be more than words."""

from __future__ import annotations

from policy.diff.result import Example, Flow, ModeChange, PackDiff, PackState, PolicyDiff, Row, digest_of

EVIL = "</td><script>alert(1)</script><img src=x onerror=alert(2)>\"'&lt;\u202e|`@acme\n::error::x##[group]"

_EVIL_EXAMPLE = Example("document", EVIL, f"flags/{EVIL}.yaml:3", EVIL, EVIL)
_FLAG = Example("document", "Flag/checkout-v2", "flags/checkout-v2.yaml:3", "@acme/checkout", "flag has no owner")
_FIXTURE = Example("fixture", "the last day", "policy/packs/flags/fixtures/ok-last-day.yaml:1", None, "expired")

_FLAGS = PackDiff(
    name="mc.flags",
    path="policy/packs/flags",
    owner="@acme/platform",
    before=PackState("warn", "sha256:" + "a" * 64, None),
    after=PackState("enforce", "sha256:" + "b" * 64, None),
    rows=(
        Row("mc.flags/missing_owner", "deny-to-allow", "", 1, {"document": 1}, (_FLAG,), (("@acme/checkout", 1),)),
        Row("mc.flags/expired", "allow-to-deny", "", 7, {"document": 6, "fixture": 1}, (_FLAG, _FIXTURE), ()),
        Row("mc.flags/missing_ttl", "mode-flip", "warn → enforce", 2, {"document": 2}, (_FLAG,), (("@acme/data", 2),)),
        Row("mc.flags/missing_ttl", "message", "", 1, {"fixture": 1}, (_FIXTURE,), ()),
    ),
    flows=(Flow("allow", "allow", 990), Flow("allow", "deny", 7), Flow("deny", "allow", 1), Flow("warn", "deny", 2)),
    mode_changes=(ModeChange("mc.flags", "warn", "enforce"), ModeChange("mc.flags/expired", "shadow", "warn")),
    asked={"document": 998, "fixture": 2},
    unreached=("mc.flags/unknown_day",),
    loosened=1,
    loosened_rules=("mc.flags/missing_owner",),
    loosened_by=(_FLAG,),
    unusable=3,
    repeats=2,
)
_EVIL = PackDiff(
    name="acme.evil",
    path="policy/packs/evil",
    owner=EVIL,
    before=None,
    after=PackState("enforce", "sha256:" + "c" * 64, f"policy/packs/evil/x.rego:1: {EVIL}"),
    rows=(Row("acme.evil", "to-error", "not judged → error", 1, {"document": 1}, (_EVIL_EXAMPLE,), ((EVIL, 1),)),),
    flows=(Flow("none", "error", 1),),
    mode_changes=(),
    asked={"document": 1},
    unreached=(),
    loosened=0,
    loosened_rules=(),
    loosened_by=(),
    unanswered=EVIL,
)

DIFF = PolicyDiff("1" * 40, "worktree", (_FLAGS, _EVIL), ("main",), "conftest 0.71.1, OPA 1.22.2", (EVIL,), 5, "")
DIFF = PolicyDiff(
    DIFF.policy_revision, DIFF.head, DIFF.packs, DIFF.unchanged, DIFF.engine, DIFF.notes, 5, digest_of(DIFF.packs)
)
EMPTY = PolicyDiff("1" * 40, "2" * 40, (), ("main",), None, (), 0, digest_of(()))
