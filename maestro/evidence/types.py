"""The names that stand inside signed things. One file, so that a name is never spelled twice.

URNs, because the project owns no domain that could hold their definition; what each predicate carries is documented
at the module that builds it.
"""

from __future__ import annotations

from typing import Final

RECEIPT: Final = "urn:maestro-conductor:receipt:v1"
VERDICT: Final = "urn:maestro-conductor:verdict:v1"
DECISION: Final = "urn:maestro-conductor:decision:v1"
SEGMENT: Final = "urn:maestro-conductor:segment:v1"
STEP: Final = "urn:maestro-conductor:step:v1"
CHECKED_MERGE: Final = "urn:maestro-conductor:checked-merge:v1"
UNCHECKED_MERGE: Final = "urn:maestro-conductor:unchecked-merge:v1"
APPROVAL: Final = "urn:maestro-conductor:approval:v1"
BREAK_GLASS_APPROVAL: Final = "urn:maestro-conductor:break-glass-approval:v1"
POLICY_BUNDLE: Final = "urn:maestro-conductor:policy-bundle:v1"
SUMMARY: Final = "https://slsa.dev/verification_summary/v1"
VERIFIER: Final = "urn:maestro-conductor:verifier"
"""What this tool calls itself in a summary."""

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PAYLOAD: Final = "application/vnd.in-toto+json"
BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
