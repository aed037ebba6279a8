"""The rules that loading a pack can find broken, each declared once."""

from __future__ import annotations

from maestro.findings import Rule

NO_PACK = Rule(
    "mc.policy/no_pack",
    "An entry of `packs` names Rego that exists",
    "correct the path under `packs` in maestro.yaml, or remove the entry",
)
UNREADABLE = Rule(
    "mc.policy/unreadable_module",
    "Every module of a pack is a regular UTF-8 file",
    "replace the link by the file itself, saved as UTF-8 without NUL bytes",
)
PACKAGE = Rule(
    "mc.policy/package",
    "Every module of a pack is in the pack's own namespace",
    "give every module the pack's package, or a package below it",
)
SAME_NAMESPACE = Rule(
    "mc.policy/same_namespace",
    "Two packs have two names",
    "give one of the two an entry in maestro.yaml with `namespace` and a `name` of its own, or another package",
)
NOTHING_TO_ASK = Rule(
    "mc.policy/nothing_to_ask",
    "A pack has a rule that can speak: deny, warn, violation or decision",
    "add a rule such as `deny_reason contains msg if { … }`, or remove the pack",
)
NO_DECISION = Rule(
    "mc.policy/no_decision",
    "A pack asked for a placement answers `decision`",
    "add a rule `decision := {…}`, or change custom.input",
)
METADATA = Rule(
    "mc.policy/metadata",
    "A METADATA block says something OPA and Maestro understand",
    "correct the block: `# METADATA` in column 1, then YAML with title and custom {mode, owner, input}",
)
MODE = Rule(
    "mc.policy/mode",
    "A mode is enforce, warn or shadow, and a rule is at most milder than its pack",
    "use one of enforce, warn, shadow; to make a rule stricter, make the pack stricter",
)
EFFECTIVE_ON = Rule(
    "mc.policy/effective_on",
    "The day on which a rule hardens is a date, and leaves something to harden",
    "write it as `effective_on: 2027-01-15`; `mode` says what holds from that day on, and before it one step less does",
)
CONTRADICTION = Rule(
    "mc.policy/contradiction",
    "A pack's setting is given once",
    "leave the setting in one place: the METADATA block at the package, or the entry in maestro.yaml",
)
RULE_NAME = Rule(
    "mc.policy/rule_name",
    "A rule's name is deny, warn or violation, then _ and letters or digits",
    "rename it: `deny_missing_owner` is asked for, `deny_` and `deny_a__b` never are",
)
RULE_HEAD = Rule(
    "mc.policy/rule_head",
    "deny, warn and violation are sets of results",
    "write `deny_reason contains msg if { … }`; give a helper another name",
)
PLAIN_DENY = Rule(
    "mc.policy/plain_deny",
    "Bodies of an enforced pack can be told apart",
    'name them `deny_<what>`, or let each result be an object with a "rule" member',
    mode="warn",
)
FILE_NAME = Rule(
    "mc.policy/file_name",
    "A rule judges the document, not the name of its file",
    "let `match` say which files are judged, or take the name from the document",
)
NO_MATCH = Rule(
    "mc.policy/no_match",
    "A pack that judges files says which",
    "add `match: [...]` to the METADATA block's custom or to the entry in maestro.yaml",
    mode="warn",
)
DATA = Rule(
    "mc.policy/data",
    "A pack's data files are YAML or JSON objects that do not contradict each other",
    "correct the file, or the `data` of the entry in maestro.yaml",
)
ENGINES_DISAGREE = Rule(
    "mc.policy/engines_disagree",
    "Two engines that are asked the same answer the same",
    "look at the smallest input, find out which engine is wrong, and write the rule in another way",
)
BUNDLE = Rule(
    "mc.policy/bundle",
    "A bundle of packs is signed, whole, current and no older than the last one",
    "see docs/guides/policy-bundles.md for what its code means, and what to do",
)
BUNDLE_EXPIRES = Rule(
    "mc.policy/bundle_expires",
    "The next bundle is there before the last day of this one",
    "build the next revision and sign it; `--from-revision` keeps the content as it is",
    mode="warn",
)

RULES = (
    NO_PACK,
    UNREADABLE,
    PACKAGE,
    SAME_NAMESPACE,
    NOTHING_TO_ASK,
    NO_DECISION,
    METADATA,
    MODE,
    EFFECTIVE_ON,
    CONTRADICTION,
    RULE_NAME,
    RULE_HEAD,
    PLAIN_DENY,
    FILE_NAME,
    NO_MATCH,
    DATA,
    ENGINES_DISAGREE,
    BUNDLE,
    BUNDLE_EXPIRES,
)
