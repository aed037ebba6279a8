"""Approvals: who agrees to a change of what decides, and how we know.

An SSH approval is a file in the head's top-level folder ``approvals/``::

    {"schema": "urn:maestro-conductor:approval:v1", "method": "ssh", "who": "dev@acme.example",
     "policy_revision": COMMIT, "head_tree": TREE, "diff_digest": "sha256:…",
     "signed_at": "2026-11-23T18:00:00Z", "expires": "2026-11-30T18:00:00Z", "signature": ARMORED}

Signed (``ssh-keygen -Y``, namespace ``maestro-approval``) are the canonical JSON bytes of all of it but the signature.
``head_tree`` and ``diff_digest`` leave the folder itself out, so adding an approval changes nothing that was approved.
The other method is a GitHub review (``gates.github_reviews``). Keys, owners and revocations are read at the policy
revision; only the approvals themselves come from the head.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from gates.ssh_signatures import Bad, listed, plain_principal, verify
from maestro.canonical_json import dumps
from maestro.change import ChangeSet
from maestro.codeowners import LOCATIONS, Codeowners, canonical_owner, parse
from maestro.documents.reading import read
from maestro.errors import MaestroError
from maestro.evidence.errors import BadEvidence
from maestro.evidence.strict_json import loads
from maestro.evidence.types import APPROVAL
from maestro.repository import Change, Snapshot, diff_digest

if TYPE_CHECKING:
    from maestro.config import Config

FOLDER = "approvals"
NAMESPACE = "maestro-approval"
DEFAULT_ALLOWED_SIGNERS = "policy/allowed_signers"
LONGEST = dt.timedelta(days=30)
"""How long an approval may hold."""
CLOCK_SKEW = dt.timedelta(minutes=10)
"""How far in the future an approval may have been signed: clocks differ a little."""
SIZE_LIMIT = 64 * 1024
"""Bytes of one approval file; a certificate's signature with RSA keys has about 5 KiB."""
FILE_LIMIT = 50
"""Files that are new in a change and looked at; each costs a process or more."""

_FILES = ("100644", "100755")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FIELDS = frozenset(
    {"schema", "method", "who", "policy_revision", "head_tree", "diff_digest", "signed_at", "expires", "signature"}
)


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval, or what claims to be one and is not (``verified`` is False; ``detail`` says why).

    ``identity`` is what makes two of them one person's: the key's fingerprint or the account. ``stands_for`` are the
    owners it may speak for, itself included. ``path`` is the file it came from, or None for a review.
    """

    who: str
    method: Literal["ssh", "github-review"]
    verified: bool
    detail: str
    identity: str = ""
    stands_for: tuple[str, ...] = ()
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Approvable:
    """What an approval is of: nothing of it can change without the approval lapsing."""

    policy_revision: str
    head_tree: str
    diff_digest: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed: who approves what, from when until when (UTC, whole seconds)."""

    who: str
    subject: Approvable
    signed_at: dt.datetime
    expires: dt.datetime

    def fields(self) -> dict[str, str]:
        """The statement as JSON fields."""
        return {
            "schema": APPROVAL,
            "method": "ssh",
            "who": self.who,
            "policy_revision": self.subject.policy_revision,
            "head_tree": self.subject.head_tree,
            "diff_digest": self.subject.diff_digest,
            "signed_at": stamp(self.signed_at),
            "expires": stamp(self.expires),
        }

    def message(self) -> bytes:
        """The bytes that are signed."""
        return dumps(self.fields())


class Signed(Protocol):
    """Anything one person signs in the namespace of approvals; its schema, among the bytes, says what it is."""

    @property
    def who(self) -> str:
        """The principal who signs."""

    @property
    def expires(self) -> dt.datetime:
        """When it ends."""

    def message(self) -> bytes:
        """The bytes that are signed."""


def approvable(change: ChangeSet) -> Approvable | None:
    """What there is to approve; None when the target has no commit, so that nothing decides yet."""
    if change.policy.commit is None:
        return None
    return Approvable(
        change.policy.commit, change.head.tree_id(exclude=FOLDER), diff_digest(without_approvals(change.changes))
    )


def without_approvals(changes: Iterable[Change]) -> tuple[Change, ...]:
    """The changes that are not approvals."""
    return tuple(change for change in changes if not change.path.startswith(FOLDER + "/"))


def file_name(statement: Statement) -> str:
    """Where the approval is kept: named after what it is of and who gives it."""
    who = re.sub(r"[^a-z0-9]+", "-", statement.who.lower()).strip("-") or "approver"
    return f"{FOLDER}/{statement.subject.diff_digest.removeprefix('sha256:')[:12]}-{who[:60]}.json"


def allowed_signers_path(policy: Snapshot) -> str:
    """Where the policy revision keeps its signers: as its maestro.yaml says, or the default where that is silent."""
    if policy.entries.get("maestro.yaml") is None:
        return DEFAULT_ALLOWED_SIGNERS
    from maestro.config import load_config

    try:
        return load_config("maestro.yaml", policy.read("maestro.yaml")).allowed_signers
    except MaestroError:
        said = _said_at(policy).get("allowed_signers")
        return said if isinstance(said, str) and said else DEFAULT_ALLOWED_SIGNERS


def needed_at(policy: Snapshot, config: Config) -> int:
    """How many people have to agree: as ``config`` says, and as many as the policy revision asks for at least.

    They differ where the target's maestro.yaml cannot be used, so that a change which repairs it brings its own: what
    can be read there still counts, else a tool that is too old for it would be enough to ask for one.
    """
    said = _said_at(policy).get("approvals")
    return max(config.approvals, said if type(said) is int else 0)


def _said_at(policy: Snapshot) -> Mapping[str, object]:
    """The fields of the policy revision's maestro.yaml, whether or not they can be used."""
    data = _read(policy, "maestro.yaml")
    documents = read("maestro.yaml", data, dialect="lenient").documents if data is not None else ()
    value = documents[0].value if documents else None
    return value if isinstance(value, dict) else {}


def revoked_path(allowed_signers: str) -> str:
    """The list of revoked keys (public keys or a KRL) stands beside allowed_signers; it need not exist."""
    folder, slash, _ = allowed_signers.rpartition("/")
    return f"{folder}{slash}revoked_signers"


def codeowners_of(policy: Snapshot) -> Codeowners:
    """The CODEOWNERS that counts at a revision; an empty one where there is none."""
    for path in LOCATIONS:
        data = _read(policy, path)
        if data is not None:
            return parse(data)
    return Codeowners()


def collect_approvals(change: ChangeSet, environ: Mapping[str, str], now: dt.datetime) -> tuple[Approval, ...]:
    """Every approval of ``change``, good or not; files that were approved and merged long ago are passed over.

    Raises:
        ToolFailure: ssh-keygen or GitHub could not be asked, so whether there is an approval is not known.
    """
    approvals = ssh_approvals(change, environ, now)
    from gates.github_reviews import applies, review_approvals

    if applies(environ):
        owners = codeowners_of(change.policy)
        asked = {canonical_owner(name): name for one in change.changes for name in owners.owners_of(one.path)}
        approvals += review_approvals(environ, policy=change.policy, head=change.head, owners=tuple(asked.values()))
    return approvals


def ssh_approvals(change: ChangeSet, environ: Mapping[str, str], now: dt.datetime) -> tuple[Approval, ...]:
    """The approvals in the head's folder, verified by the keys of the policy revision."""
    prefix = FOLDER + "/"
    # What stands at the policy revision already was for a change merged before.
    fresh = [
        path
        for path, entry in change.head.entries.items()
        if path.startswith(prefix) and change.policy.entries.get(path) != entry
    ]
    subject = approvable(change)
    if not fresh or subject is None:
        return ()
    out = []
    for path in fresh[:FILE_LIMIT]:
        read = _statement(change.head, path)
        if isinstance(read, str):
            out.append(Approval(path, "ssh", False, read, path=path))
            continue
        statement, signature = read
        fault = _fault_of(statement, subject, now)
        if fault is not None:
            out.append(Approval(statement.who, "ssh", False, fault, path=path))
            continue
        out.append(check_signature(change.policy, statement, signature, path=path, environ=environ, now=now))
    out.extend(
        Approval(path, "ssh", False, f"not looked at: a change may bring {FILE_LIMIT} approvals", path=path)
        for path in fresh[FILE_LIMIT:]
    )
    return tuple(out)


def people(approvals: Iterable[Approval]) -> int:
    """How many distinct people these approvals are for certain.

    Approvals that share a key, a name or an account are one person's. A review and a signature count as two people's
    only when the signature's key also names a GitHub account, so that they can be told apart.
    """
    verified = [approval for approval in approvals if approval.verified]
    signatures = [approval for approval in verified if approval.method == "ssh"]
    comparable = [approval for approval in verified if approval.method != "ssh" or _accounts(approval)]
    return max(_components(signatures), _components(comparable))


def _accounts(approval: Approval) -> set[str]:
    return {canonical_owner(name) for name in approval.stands_for if name.startswith("@") and "/" not in name}


def _components(approvals: list[Approval]) -> int:
    groups: list[set[str]] = []
    for approval in approvals:
        marks = {"id:" + approval.identity, canonical_owner(approval.who), *_accounts(approval)}
        joined = [group for group in groups if group & marks]
        groups = [group for group in groups if not group & marks]
        groups.append(marks.union(*joined))
    return len(groups)


def check_signature(
    policy: Snapshot, statement: Signed, signature: str, *, path: str, environ: Mapping[str, str], now: dt.datetime
) -> Approval:
    """The approval that ``signature`` makes of ``statement``, by the keys of the policy revision.

    Raises:
        ToolFailure: ssh-keygen could not be asked.
    """
    signers = allowed_signers_path(policy)
    keys = _read(policy, signers)
    if keys is None:
        fault = f"there is no {signers} at the policy revision, so no key can approve"
        return Approval(statement.who, "ssh", False, fault, path=path)
    revoked = _read(policy, revoked_path(signers))

    def ask(principal: str) -> Bad | str:
        answer = verify(
            statement.message(),
            signature,
            principal=principal,
            namespace=NAMESPACE,
            allowed_signers=keys,
            revoked=revoked,
            at=now,
            environ=environ,
        )
        return answer if isinstance(answer, Bad) else answer.fingerprint

    answer = ask(statement.who)
    if isinstance(answer, Bad):
        return Approval(statement.who, "ssh", False, f"the signature does not hold: {answer.reason}", path=path)
    # The same key may also stand for teams: those its lines name. ssh-keygen has the last word on each.
    names = {
        name
        for signer in listed(keys)
        if signer.fingerprint == answer and not signer.authority
        for name in signer.principals
        if plain_principal(name) and name != statement.who
    }
    others = [name for name in sorted(names)[:20] if ask(name) == answer]
    detail = f"signed with {answer}, holds until {stamp(statement.expires)}"
    return Approval(statement.who, "ssh", True, detail, answer, (statement.who, *others), path)


def _fault_of(statement: Statement, subject: Approvable, now: dt.datetime) -> str | None:
    if statement.subject.policy_revision != subject.policy_revision:
        return f"it is for another policy revision ({statement.subject.policy_revision[:12]}): the target has moved on"
    if statement.subject != subject:
        return "it is for other content than this change has now"
    return time_fault(statement.signed_at, statement.expires, now, longest=LONGEST)


def time_fault(signed_at: dt.datetime, expires: dt.datetime, now: dt.datetime, *, longest: dt.timedelta) -> str | None:
    """Why something signed then does not hold now; None when it does."""
    if signed_at > now + CLOCK_SKEW:
        return f"it says it was signed at {stamp(signed_at)}, which is yet to come: one of the clocks is off"
    if expires - signed_at > longest:
        hours = int(longest.total_seconds()) // 3600
        return f"it would hold longer than {f'{hours // 24} days' if hours > 24 else f'{hours} hours'}"
    if now >= expires:
        return f"it expired at {stamp(expires)}"
    return None


def _statement(head: Snapshot, path: str) -> tuple[Statement, str] | str:
    """The statement and its signature, or what is wrong with the file."""
    data = _read(head, path)
    if data is None:
        return "an approval is a regular file"
    if not path.endswith(".json"):
        return "not an approval: its name does not end in .json"
    if len(data) > SIZE_LIMIT:
        return f"larger than {SIZE_LIMIT} bytes"
    try:
        fields = loads(data, what="the approval")
    except BadEvidence as error:
        return error.message
    return _checked(fields)


def _checked(fields: Mapping[str, object]) -> tuple[Statement, str] | str:
    odd = sorted(_FIELDS ^ fields.keys())
    if odd:
        return f"its fields are not those of an approval: {odd[0]!r} is {'unknown' if odd[0] in fields else 'missing'}"
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    wrong = sorted(_FIELDS - texts.keys())
    if wrong:
        return f"{wrong[0]} is not a text"
    if texts["schema"] != APPROVAL or texts["method"] != "ssh":
        return f"not an approval this version knows: schema {texts['schema']!r}, method {texts['method']!r}"
    if not plain_principal(texts["who"]):
        return "`who` is not one principal"
    commits = (texts["policy_revision"], texts["head_tree"])
    if not all(_COMMIT.fullmatch(text) for text in commits) or not _DIGEST.fullmatch(texts["diff_digest"]):
        return "policy_revision, head_tree or diff_digest is not an id"
    signed_at, expires = moment_of(texts["signed_at"]), moment_of(texts["expires"])
    if signed_at is None or expires is None:
        return "signed_at or expires is not a time like 2026-11-30T18:00:00Z"
    subject = Approvable(*commits, texts["diff_digest"])
    return Statement(texts["who"], subject, signed_at, expires), texts["signature"]


def _read(snapshot: Snapshot, path: str) -> bytes | None:
    entry = snapshot.entries.get(path)
    return snapshot.read(path) if entry is not None and entry.mode in _FILES else None


def stamp(moment: dt.datetime) -> str:
    """A moment as approvals write it: UTC, whole seconds."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> dt.datetime | None:
    """The moment ``stamp`` wrote; None where it did not."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text, re.ASCII):
        return None
    try:
        return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
