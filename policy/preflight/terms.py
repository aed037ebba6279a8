"""Walks through terms and statements."""

from __future__ import annotations

from collections.abc import Iterator

from policy.preflight.tree import Statement, Term


def variables(term: Term) -> list[Term]:
    """What a pattern binds: it is one variable, or an array of patterns."""
    if term.kind == "var":
        return [term]
    if term.kind == "array":
        return [name for part in term.parts for name in variables(part)]
    return []


def names_of(statement: Statement) -> set[str]:
    """The variables of a statement, without those in bodies within it."""
    pending = [statement.term] if statement.term is not None else []
    pending += [term for term in statement.member or () if term is not None and not statement.every]
    if statement.member is not None and statement.every:
        pending.append(statement.member[2])
    found = set()
    while pending:
        term = pending.pop()
        if term.kind == "var" and not term.name.startswith("$"):
            found.add(term.name)
        elif not term.kind.endswith("comprehension"):
            pending += term.parts
    return found


def direct(term: Term) -> Iterator[Term]:
    """A term, and what stands in it without a call or a comprehension around it."""
    yield term
    if term.kind in ("array", "set", "object", "ref"):
        for part in term.parts:
            yield from direct(part)


def every_name(term: Term) -> set[str]:
    """All variables in a term, bodies included."""
    found = {term.name} if term.kind == "var" else set()
    for part in term.parts:
        found |= every_name(part)
    pending = list(term.body)
    while pending:
        statement = pending.pop()
        terms = [*statement.some, *(part for part in statement.member or () if part is not None)]
        terms += [statement.term] if statement.term is not None else []
        for part in terms:
            found |= every_name(part)
        pending += [*statement.body, *(inner for operand in statement.operands for inner in operand)]
    return found


def calls(term: Term) -> bool:
    """Whether a call stands somewhere in a term, not counting those within comprehensions."""
    return term.kind == "call" or any(calls(part) for part in term.parts)
