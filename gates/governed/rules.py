"""The rules of the gate ``governance`` about changes, each declared once."""

from __future__ import annotations

from maestro.findings import Rule

_APPROVE = "have it approved by who owns it: a signature by `maestro approve`, or a review"

PACK_CHANGED = Rule("mc.governance/pack_changed", "A change to a pack is approved", _APPROVE)
PACK_REMOVED = Rule("mc.governance/pack_removed", "Taking a pack away is approved", _APPROVE)
MILDER_MODE = Rule("mc.governance/milder_mode", "A milder mode is approved", _APPROVE)
RULE_REMOVED = Rule("mc.governance/rule_removed", "Taking a rule away is approved", _APPROVE)
NARROWER_MATCH = Rule("mc.governance/narrower_match", "A pack that judges fewer files is approved", _APPROVE)
NARROWER_DOCUMENTS = Rule("mc.governance/narrower_documents", "Governing fewer documents is approved", _APPROVE)
OUT_OF_SCOPE = Rule(
    "mc.governance/out_of_scope",
    "Moving a document to where nothing judges it is approved",
    "leave it where it is judged, or " + _APPROVE,
)
SETTINGS_CHANGED = Rule("mc.governance/settings_changed", "A change to maestro.yaml is approved", _APPROVE)
MILDER_SETTING = Rule("mc.governance/milder_setting", "A milder setting is approved", _APPROVE)
OWNERS_CHANGED = Rule("mc.governance/owners_changed", "A change to CODEOWNERS is approved", _APPROVE)
WAIVER_CHANGED = Rule("mc.governance/waiver_changed", "A waiver is approved", _APPROVE)
TRUST_CHANGED = Rule("mc.governance/trust_changed", "A change to whom we trust is approved", _APPROVE)
PARITY_CHANGED = Rule(
    "mc.governance/parity_changed", "A change to what the embedded engine may judge is approved", _APPROVE
)
WORKFLOW_CHANGED = Rule(
    "mc.governance/workflow_changed", "A change to the workflows that call the check is approved", _APPROVE
)
LINK = Rule(
    "mc.governance/link",
    "What decides is no link and no submodule",
    "commit the files themselves; a link can point to what nobody reviewed",
)

RULES = (
    PACK_CHANGED,
    PACK_REMOVED,
    MILDER_MODE,
    RULE_REMOVED,
    NARROWER_MATCH,
    NARROWER_DOCUMENTS,
    OUT_OF_SCOPE,
    SETTINGS_CHANGED,
    MILDER_SETTING,
    OWNERS_CHANGED,
    WAIVER_CHANGED,
    TRUST_CHANGED,
    PARITY_CHANGED,
    WORKFLOW_CHANGED,
    LINK,
)
