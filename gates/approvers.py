"""Who may approve a change to what decides, as the policy revision names them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gates.approvals import Approval, allowed_signers_path, codeowners_of, people
from gates.governed.question import CONFIG, GovernedChange
from gates.ssh_signatures import Signer, listed
from maestro.codeowners import LOCATIONS, Codeowners, canonical_owner
from maestro.repository import Snapshot


@dataclass(frozen=True)
class Approvers:
    """Who may approve, as the policy revision names them; ``needed``: how many distinct people."""

    owners: Codeowners
    signers: tuple[Signer, ...]
    signers_path: str
    needed: int
    others: tuple[str, ...] = ()
    """The owners of anything else that decides."""

    def owners_of(self, path: str) -> tuple[str, ...]:
        """The owners of ``path``; where it has none and nobody may sign, those of anything else that decides.

        Else whoever is named for one deciding file could be passed by through another that nobody thought of naming.
        """
        return self.owners.owners_of(path) or (() if self.signers else self.others)

    def entitled(self, approval: Approval, path: str) -> bool:
        """Whether ``approval`` is one of ``path``'s owners', or, where it has none, of anybody who may sign."""
        if not approval.verified:
            return False
        owners = {canonical_owner(owner) for owner in self.owners_of(path)}
        if not owners:
            return approval.method == "ssh"
        return any(canonical_owner(name) in owners for name in approval.stands_for)

    def named_for(self, path: str) -> bool:
        """Whether anybody at all could approve a change of ``path``."""
        return bool(self.signers or self.owners_of(path))

    def approve(self, change: GovernedChange, approvals: Iterable[Approval]) -> tuple[Approval, ...]:
        """The approvals that together suffice for every file of the change; empty when they do not."""
        given: list[Approval] = []
        for path in filter(self.named_for, change.paths):
            entitled = [approval for approval in approvals if self.entitled(approval, path)]
            if people(entitled) < self.needed:
                return ()
            given.extend(approval for approval in entitled if approval not in given)
        return tuple(given)


def approvers_at(policy: Snapshot, needed: int) -> Approvers:
    """The approvers that the policy revision names."""
    path = allowed_signers_path(policy)
    entry = policy.entries.get(path)
    data = policy.read(path) if entry is not None and entry.mode in ("100644", "100755") else b""
    owners = codeowners_of(policy)
    deciding = [other for other in policy.entries if other in (CONFIG, path, *LOCATIONS) or other.endswith(".rego")]
    others = dict.fromkeys(owner for other in deciding for owner in owners.owners_of(other))
    return Approvers(owners, listed(data), path, max(1, needed), tuple(others))
