"""What of a change alters maestro.yaml: by what it means, not by its text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from gates.document_index import DocumentIndex
from gates.governed.question import CONFIG, GovernedChange, Question, changed_line, count, names, no_longer
from gates.governed.rules import MILDER_SETTING, NARROWER_DOCUMENTS, SETTINGS_CHANGED, TRUST_CHANGED
from gates.scene import Settings
from maestro.config import Config
from maestro.documents.reading import read
from maestro.errors import MaestroError
from maestro.findings import Location
from maestro.patterns import compile_patterns


def setting_changes(question: Question) -> Iterator[GovernedChange]:
    """What becomes milder or otherwise different in maestro.yaml, field by field."""
    if all(one.path != CONFIG for one in question.changes):
        return
    if isinstance(question.after, MaestroError):
        gone = CONFIG not in question.change.head.entries
        what = "is removed" if gone else "could no longer be read"
        message = f"{CONFIG} {what}: after the merge nothing would be judged"
        yield GovernedChange(SETTINGS_CHANGED, message, changed_line(question, CONFIG), CONFIG, (CONFIG,))
        return
    if question.before is None:
        message = f"{CONFIG} is repaired: the target's cannot be read, so this change brings its own"
        yield GovernedChange(SETTINGS_CHANGED, message, changed_line(question, CONFIG), CONFIG, (CONFIG,))
        return
    old, new = question.before.config, question.after.config
    said = {"packs"}  # what becomes of packs is said pack by pack
    for field, pointer, message in _milder_settings(old, new):
        said.add(field)
        yield GovernedChange(MILDER_SETTING, message, _setting(question, pointer), f"{CONFIG}#{field}", (CONFIG,))
    for field, message in _trust_settings(old, new):
        said.add(field)
        yield GovernedChange(TRUST_CHANGED, message, _setting(question, [field]), f"{CONFIG}#{field}", (CONFIG,))
    lost = no_longer(question, question.at_head.governs, _governed_by(question.after))
    if lost:
        said.add("documents")
        message = f"{count(len(lost), 'document file')} would no longer be governed: {names(lost)}"
        yield GovernedChange(
            NARROWER_DOCUMENTS, message, _setting(question, ["documents"]), f"{CONFIG}#documents", (CONFIG,)
        )
    other = [field for field in type(new).model_fields if getattr(old, field) != getattr(new, field)]
    other = [field for field in other if field not in said]
    if other:
        message = f"{CONFIG} changes {', '.join(other)}"
        yield GovernedChange(SETTINGS_CHANGED, message, _setting(question, [other[0]]), CONFIG, (CONFIG,))


def _governed_by(settings: Settings) -> Callable[[str], bool]:
    return DocumentIndex(settings.snapshot, compile_patterns(settings.config.documents)).governs


def _milder_settings(old: Config, new: Config) -> Iterator[tuple[str, Sequence[str | int], str]]:
    """(field, pointer, message) of each setting that lets more through than before."""
    if (old.existing, new.existing) == ("block", "warn"):
        yield "existing", ["existing"], "findings that the target already has would no longer block"
    if new.approvals < old.approvals:
        message = f"a change to what decides would need {count(new.approvals, 'approval')} instead of {old.approvals}"
        yield "approvals", ["approvals"], message
    limits = dict(old.flags.maximum_ttl_days)
    for kind, days in dict(new.flags.maximum_ttl_days).items():
        was = limits.get(kind)
        if was is not None and days > was:
            message = f"{kind} flags could live {days} days instead of {was}"
            yield "flags", ["flags", "maximum_ttl_days", kind], message
    if new.break_glass is None:
        return
    needed = count(new.break_glass.approvals, "approval")
    if old.break_glass is None:
        yield "break_glass", ["break_glass"], f"a denied run could be forced with {needed}"
    elif new.break_glass.approvals < old.break_glass.approvals:
        message = f"forcing a denied run would need {needed} instead of {old.break_glass.approvals}"
        yield "break_glass", ["break_glass", "approvals"], message


def _trust_settings(old: Config, new: Config) -> Iterator[tuple[str, str]]:
    """(field, message) of each setting that says whom to trust."""
    if old.allowed_signers != new.allowed_signers:
        yield "allowed_signers", f"approvers would be read from {new.allowed_signers} instead of {old.allowed_signers}"
    was, now = {key.id: key for key in old.keys}, {key.id: key for key in new.keys}
    words = [f"{name} is added" for name in now if name not in was]
    words += [f"{name} is removed" for name in was if name not in now]
    words += [f"{name} is changed" for name in now if name in was and now[name] != was[name]]
    if words or old.keys != new.keys:
        yield "keys", f"the keys that verdicts and receipts are believed for change: {names(words) or 'their order'}"
    if old.bundles != new.bundles:
        of = names(sorted({row.name for row in {*old.bundles} ^ {*new.bundles}})) or "their order"
        yield "bundles", f"which signed bundles judge, and by whose keys, changes: {of}"


def _setting(question: Question, pointer: Sequence[str | int]) -> Location:
    documents = read(CONFIG, question.change.head.read(CONFIG), dialect="strict").documents
    return documents[0].locate(pointer) if documents else Location(CONFIG)
