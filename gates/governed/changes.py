"""What of a change alters what decides: packs, settings, owners, waivers, trust, the workflows that call the check.

Pure: snapshots and settings in, governed changes out; ``gates.governance`` asks who approved them. What is found more
precisely (a milder mode) stands for the plain edit that caused it: one change, one finding.
"""

from __future__ import annotations

from gates.governed.moved_documents import moved_documents
from gates.governed.packs import pack_changes
from gates.governed.question import GovernedChange, Question
from gates.governed.settings import setting_changes
from gates.governed.trust import links_in_place, owner_changes, parity_changes, trust_changes, workflow_changes
from gates.governed.trusted_artifacts import trusted_artifact_changes
from gates.governed.waivers import waiver_changes


def governed_changes(question: Question) -> list[GovernedChange]:
    """Everything in the change that alters what decides, in the order of the rules' importance to a reader."""
    found = [
        *pack_changes(question),
        *setting_changes(question),
        *owner_changes(question),
        *trust_changes(question),
        *trusted_artifact_changes(question),
        *parity_changes(question),
        *waiver_changes(question),
        *moved_documents(question),
        *workflow_changes(question),
    ]
    links = list(links_in_place(question))
    covered = {path for link in links for path in link.paths}
    return [*links, *(one for one in found if not covered.issuperset(one.paths))]
