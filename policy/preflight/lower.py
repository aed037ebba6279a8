"""One rule's bodies, in the few forms that regopy reads as OPA does.

OPA's compiler takes references and calls out of terms before it evaluates (rewriteDynamicTerms, v1/ast/compile.go);
regopy does not in every place, and then a reference that iterates, or an undefined argument under ``not``, means
something else. Here they are taken out: what is left are assignments of one reference, call or
comprehension, iteration by
``some k, v in x``, comparisons of names, and ``not`` of those. Whatever does not fit is ``Refused``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from policy.preflight import types
from policy.preflight.argument_types import Taken, Uses
from policy.preflight.builtins import ALLOWED, ARITHMETIC, GUARDS, declared
from policy.preflight.computed.table import COMPUTED
from policy.preflight.ordering import PREFIX, Texts, in_order
from policy.preflight.parser import Refused
from policy.preflight.terms import calls, direct, every_name, names_of, variables
from policy.preflight.text import encode, reserved
from policy.preflight.tree import Place, Statement, Term
from policy.preflight.types import ANY, Type

_PATTERN = re.compile(
    r"(?:[A-Za-z0-9 @:/_,;=<>~%&'#!.-]|\\[.\-/+*?()|]|\[\^?[A-Za-z0-9@:/_. +-]+\]"
    r"|[()|^$?*+]|\{[0-9]{1,3}(?:,[0-9]{0,3})?\})*"
)
_OPERATORS = {"equal": "==", "neq": "!=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">=", "plus": "+", "minus": "-",
              "mul": "*", "and": "&", "or": "|", "internal.member_2": "in"}  # fmt: skip
_VERB = re.compile(r"%(.?)")


class Unsafe(Refused):
    """A variable without a value: perhaps a later statement gives it one."""


@dataclass(frozen=True)
class Global:
    """Something with a name outside of the rule: its text for regopy and its type. ``takes``: of a function."""

    text: str
    type: Type
    takes: Sequence[Taken] | None = None
    raises: bool = False
    iterates: bool = False


@dataclass
class Names:
    """What a module's names mean. ``reference`` resolves a reference that begins outside of the rule: how many of its
    parts it covers, and what it is."""

    reference: Callable[[Term], tuple[int, Global] | None]
    call: Callable[[Term], Global | None]
    is_global: Callable[[str], bool]
    helpers: set[str] = field(default_factory=set)
    raising: set[str] = field(default_factory=set)
    """Texts of calls and rules that may break the input."""
    strict: set[str] = field(default_factory=set)
    """Those of them that break it, or have a value."""
    looping: set[str] = field(default_factory=set)
    """Texts of calls and rules that iterate inside."""
    root: str = "input"
    """The input's text: it stands deeper where a table of computed calls stands beside it."""
    total: set[str] = field(default_factory=set)
    """Texts of rules that are never undefined."""
    uses: Uses = field(default_factory=Uses)
    """Of the arguments of the function whose body this is."""
    counter: int = 0

    @property
    def texts(self) -> Texts:
        """What the order of a body's lines depends on."""
        return Texts(self.raising, self.strict, self.looping, self.total, self.root)

    def breaks(self, text: str) -> None:
        """A call that breaks the input, or has a value."""
        self.raising.add(text)
        self.strict.add(text)

    def fresh(self, hint: str = "t") -> str:
        self.counter += 1
        return f"{PREFIX}{hint}{self.counter}"


@dataclass(frozen=True)
class Atom:
    """A name or a constant, and its type."""

    text: str
    type: Type
    constant: bool = False


@dataclass
class Local:
    """A variable of a body. ``atom``: None while it has no value yet."""

    place: tuple[int, int]
    atom: Atom | None = None
    used: bool = False
    declared: bool = False


class Body:
    """The statements of one body, lowered into ``lines``."""

    def __init__(self, names: Names, outer: Body | None = None) -> None:
        self.names = names
        self.outer = outer
        self.locals: dict[str, Local] = {}
        self.later: set[str] = set()
        self.own: set[str] = set()
        """Names in the body's own statements: to the bodies within they are from outside, whatever comes first."""
        self.lines: list[str] = []
        self.iterations = 0
        self.under_not = False
        self.binds = True
        """Not within what `and`, `or` or `not` takes without braces."""
        self.ordered = False
        """Whether the order of iteration shows: in array comprehensions."""

    # --- variables

    def find(self, name: str) -> Local | None:
        body: Body | None = self
        while body is not None:
            if name in body.later:
                return None
            if name in body.locals:
                return body.locals[name]
            body = body.outer
        return None

    def declare(self, term: Term, atom: Atom | None, *, by_name: bool = True) -> Local:
        if term.name in self.locals:
            raise Refused(term.place, f"{term.name} is declared twice", "give one of them another name")
        if self.names.is_global(term.name):
            raise Refused(term.place, f"{term.name} hides a rule, an import or a root document", "give it another name")
        self.later.discard(term.name)
        local = Local(term.place, atom, declared=by_name)
        self.locals[term.name] = local
        return local

    def bind(self, term: Term, of: Type) -> str:
        """A variable that gets its value here; its text."""
        if not self.binds:
            name = "_" if term.name.startswith("$") else term.name
            raise Unsafe(term.place, f"{name} is unsafe: it has no value here", "give it a value before, or use braces")
        local = self.find(term.name)
        if local is None:
            if term.name in self.later:
                raise Refused(term.place, f"{term.name} is used before it is declared", "declare it first")
            outer = self.outer
            while outer is not None:
                if term.name in outer.own:
                    raise Unsafe(
                        term.place, f"{term.name} belongs to the body around this one", "give it a value there"
                    )
                outer = outer.outer
            local = self.declare(term, None, by_name=False)
        elif local.atom is not None or self.locals.get(term.name) is not local:
            raise Unsafe(term.place, f"{term.name} belongs to the body around this one", "give it a value there")
        text = self.names.fresh("v")
        local.atom = Atom(text, of)
        return text

    def unbound(self, term: Term) -> bool:
        """Whether a term is a variable that has no value yet."""
        if term.kind != "var" or self.names.is_global(term.name):
            return False
        local = self.find(term.name)
        if local is None:
            if term.name in self.later:
                raise Refused(term.place, f"{term.name} is used before it is declared", "declare it first")
            return True
        local.used = True
        return local.atom is None

    def use(self, term: Term) -> Atom:
        local = self.find(term.name)
        if local is None or local.atom is None:
            raise Unsafe(
                term.place,
                f"{'_' if term.name.startswith('$') else term.name} is unsafe: it has no value here",
                "give it a value in a statement before this one",
            )
        local.used = True
        return local.atom

    # --- bodies

    def run(self, statements: list[Statement]) -> None:
        for statement in statements:
            declares = statement.some if statement.some else []
            if statement.term is not None and statement.term.name == "assign" and statement.term.kind == "call":
                declares = variables(statement.term.parts[0])
            elif statement.member is not None and not statement.every:
                declares = [name for name in statement.member[:2] if name is not None and name.kind == "var"]
            self.later |= {name.name for name in declares}
            self.own |= names_of(statement)
        pending = list(statements)
        while pending:
            pending.remove(self.first_safe(pending))

    def first_safe(self, pending: list[Statement]) -> Statement:
        """Lower the first statement whose variables have values, as OPA orders a body (reorderBodyForSafety)."""
        first: Unsafe | None = None
        for statement in pending:
            kept = {name: replace(local) for name, local in self.locals.items()}
            later, lines, iterations = set(self.later), len(self.lines), self.iterations
            try:
                self.statement(statement)
            except Unsafe as unsafe:
                first = first or unsafe
                self.locals, self.later, self.iterations = kept, later, iterations
                del self.lines[lines:]
            else:
                return statement
        raise first or AssertionError

    def finish(self) -> None:
        """Every declared name must have been used: OPA refuses others. And nothing may come before a call that can
        break and stands before it."""
        self.lines = in_order(self.lines, self.names.texts, self.names.fresh)
        for name, local in self.locals.items():
            if local.declared and not local.used and not name.startswith("$"):
                raise Refused(local.place, f"{name} is declared and not used", "remove it, or write `_`")

    def statement(self, statement: Statement) -> None:
        if statement.withs:
            raise Refused(statement.place, "`with` is not supported", "give the rule what it needs as an argument")
        if statement.some:
            for name in statement.some:
                self.declare(name, None)
        elif statement.every:
            self.every(statement)
        elif statement.logic:
            self.logic(statement)
        elif statement.member is not None:
            self.member(statement)
        elif statement.term is not None and statement.negated:
            self.under_not = True
            try:
                self.negated(statement.term)
            finally:
                self.under_not = False
        elif statement.term is not None:
            self.plain(statement.term)

    def plain(self, term: Term) -> None:
        if term.kind == "call" and term.name == "assign":
            self.assign(*term.parts, place=term.place)
        elif term.kind == "call" and term.name == "eq":
            self.unify(*term.parts, place=term.place)
        elif term.kind == "call" and len(term.parts) == self.arity(term) + 1:
            output = term.parts[-1]
            called = Term("call", term.place, name=term.name, parts=term.parts[:-1])
            self.unify(called, output, place=term.place)
        elif term.kind == "call":
            self.lines.append(self.call(term)[0])
        elif term.kind in ("ref", "var", "boolean"):
            self.lines.append(self.atom(term).text)
        else:
            self.name(term)

    def negated(self, term: Term) -> None:
        if term.kind == "call":
            if term.name in ("assign", "eq"):
                raise Refused(term.place, "`not` before an assignment", "write `==`")
            text, _ = self.negated_equality(term) if term.name == "equal" else self.call(term)
            self.lines.append(f"not {text}")
        elif term.kind in ("ref", "var"):
            text, _ = self.reference(term, iterate=False)
            self.lines.append(f"not {text}")
        else:
            raise Refused(term.place, "`not` before a constant", "leave it out")

    def negated_equality(self, term: Term) -> tuple[str, Type]:
        """OPA takes calls out from under ``not``, but leaves an equality's references: undefined is not equal."""
        sides: list[Atom] = []
        for part in sorted(term.parts, key=lambda part: not calls(part)):
            if part.kind == "ref":
                sides.append(Atom(*self.reference(part, iterate=False)))
            elif part.kind in ("call", "var", "null", "boolean", "number", "string") and not self.is_reference(part):
                sides.append(self.atom(part))
            else:
                raise Refused(part.place, "this under `not`", "give it a name in a statement before")
        self.comparable(sides[0], sides[1], term.place)
        return f"{sides[0].text} == {sides[1].text}", types.BOOLEAN

    def member(self, statement: Statement) -> None:
        if statement.member is None:
            raise AssertionError
        key, value, domain = statement.member
        source = self.name(domain)
        bound: list[tuple[Term, Type]] = []
        inner = types.values(source.type)
        if inner is None or not types.overlap(source.type, _COLLECTION):
            raise Refused(domain.place, "nothing can be in this", "give it a collection")
        if key is not None:
            bound.append((key, types.keys(source.type)))
        bound.append((value, inner))
        texts: list[str] = []
        checks: list[str] = []
        for term, of in bound:
            text = self.names.fresh("v")
            if term.kind != "var":
                if self.open(term) or term.kind not in ("null", "boolean", "number", "string"):
                    raise Refused(term.place, "a pattern after `some`", "write `some x in …`, then compare x")
                self.comparable(Atom(scalar(term)[0], scalar(term)[1]), Atom(text, of), term.place)
                checks.append(f"{text} == {scalar(term)[0]}")
                texts.append(text)
                continue
            if self.names.is_global(term.name):
                raise Refused(term.place, f"{term.name} hides a rule, an import or a root document", "rename it")
            self.declare(term, Atom(text, of), by_name=False)
            texts.append(text)
        self.iterate(texts, source, domain.place, keyed=key is not None and not key.name.startswith("$"))
        self.lines += checks

    def iterate(self, names: list[str], source: Atom, place: Place, *, keyed: bool) -> None:
        """``names``: of key and value, or of the value. Without a comma, which regopy cannot read within brackets."""
        self.iterations += 1
        _iterable(source.type, place)
        if self.ordered and not types.only(source.type, "array"):
            source = self.guard("ordered", source)
        if keyed:
            self.lines.append(f"some {names[0]}\n{names[1]} := {source.text}[{names[0]}]")
        else:
            self.lines.append(f"some {names[-1]} in {source.text}")

    def every(self, statement: Statement) -> None:
        """``every`` loses failures in regopy: the keys whose body has no solution are collected and counted."""
        if statement.member is None:
            raise AssertionError
        key, value, domain = statement.member
        source = self.name(domain)
        inner = types.values(source.type)
        if inner is None or not types.overlap(source.type, _COLLECTION):
            raise Refused(domain.place, "nothing can be in this", "give it a collection")
        _iterable(source.type, domain.place)
        self.helpers("collection")
        self.names.breaks(f"data.{PREFIX}.collection({source.text})")
        self.lines.append(f"data.{PREFIX}.collection({source.text})")
        outer = Body(self.names, self)
        k, v = self.names.fresh("v"), self.names.fresh("v")
        if key is not None:
            outer.declare(key, Atom(k, types.keys(source.type)))
        outer.declare(value, Atom(v, inner))
        solved = Body(self.names, outer)
        solved.run(statement.body)
        solved.finish()
        outer.finish()
        one, ok, count, bad, many = (self.names.fresh() for _ in range(5))
        solved.lines.append(f"{one} := 1")
        text = "\n".join(
            [f"some {k}\n{v} := {source.text}[{k}]",
             f"{ok} := {{{one} |", *solved.lines, "}", f"{count} := count({ok})",
             f"{count} == 0"]
        )  # fmt: skip
        self.lines += [f"{bad} := {{{k} |\n{text}\n}}", f"{many} := count({bad})", f"{many} == 0"]

    def logic(self, statement: Statement) -> None:
        """Bodies joined by `and`, `or`, or one negated: each is solved apart, and its solutions are counted."""
        solved = []
        for operand in statement.operands:
            inner = Body(self.names, self)
            inner.binds = statement.braces
            inner.run(operand)
            inner.finish()
            one, ok = self.names.fresh(), self.names.fresh()
            text = "\n".join([*inner.lines, f"{one} := 1"])
            self.lines.append(f"{ok} := {{{one} |\n{text}\n}}")
            solved.append(ok)
        if statement.logic == "or":
            united = self.names.fresh()
            self.lines.append(f"{united} := {' | '.join(solved)}")
            solved = [united]
        for ok in solved:
            count = self.names.fresh()
            wanted = "==" if statement.logic == "not" else "!="
            self.lines += [f"{count} := count({ok})", f"{count} {wanted} 0"]

    def helpers(self, name: str) -> None:
        self.names.helpers.add(name)

    def assign(self, left: Term, right: Term, *, place: tuple[int, int]) -> None:
        if left.kind == "var":
            text, of = self.value(right)
            if left.name.startswith("$"):
                self.lines.append(f"{self.names.fresh()} := {text}")
                return
            name = self.names.fresh("v")
            self.declare(left, Atom(name, of), by_name=False)
            self.lines.append(f"{name} := {text}")
            return
        if left.kind != "array" or any(part.kind != "var" for part in left.parts):
            raise Refused(place, "a pattern before `:=`", "assign the whole, then take its parts")
        whole = self.name(right)
        self.as_long(whole.type, left, right)
        names = []
        for at, part in enumerate(left.parts):
            of = self.part(whole.type, at, part)
            name = self.names.fresh("v")
            self.declare(part, Atom(name, of), by_name=False)
            names.append(name)
        self.lines.append(f"[{', '.join(names)}] := {whole.text}")

    def as_long(self, of: Type, pattern: Term, value: Term) -> None:
        """Whether there may be an array of as many elements as a pattern has."""
        wanted: Type = {"type": "array", "static": [ANY] * len(pattern.parts)}
        self.names.uses.note(of, wanted)
        untyped = of["type"] != "any" and value.kind != "array" and types.is_untyped(of)
        if untyped or not types.overlap(of, wanted):
            raise Refused(pattern.place, f"this is no array of {len(pattern.parts)}: OPA refuses to compile it")

    def part(self, of: Type, at: int, term: Term) -> Type:
        found = types.at_key(of, Decimal(at))
        if found is None:
            raise Refused(term.place, "the array has no such element")
        return found

    def unify(self, left: Term, right: Term, *, place: tuple[int, int]) -> None:
        self.beside_comprehension([left, right])
        if self.unbound(right) and not self.unbound(left):
            left, right = right, left
        if self.unbound(left):
            if self.unbound(right):
                raise Unsafe(place, "both sides have no value here", "give one of them a value first")
            text, of = self.value(right)
            if self.unbound(left):
                self.lines.append(f"{self.bind(left, of)} := {text}")
                return
            raise Unsafe(place, "a variable that its own value binds", "give it a value before")
        if left.kind == "array" or right.kind == "array":
            pattern, other = (left, right) if left.kind == "array" and self.open(left) else (right, left)
            if pattern.kind == "array" and self.open(pattern):
                self.destructure(pattern, other, place)
                return
        if calls(right) and not calls(left):
            left, right = right, left
        one, other_side = self.atom(left), self.atom(right)
        self.comparable(one, other_side, place)
        self.lines.append(f"{one.text} == {other_side.text}")

    def open(self, term: Term) -> bool:
        return any(self.unbound(part) for part in term.parts)

    def destructure(self, pattern: Term, other: Term, place: tuple[int, int]) -> None:
        whole = self.name(other)
        self.as_long(whole.type, pattern, other)
        names, checks = [], []
        for at, part in enumerate(pattern.parts):
            of = self.part(whole.type, at, part)
            if self.unbound(part):
                names.append(self.bind(part, of))
            else:
                atom = self.atom(part)
                name = self.names.fresh("v")
                self.comparable(atom, Atom(name, of), place)
                names.append(name)
                checks.append(f"{name} == {atom.text}")
        self.lines.append(f"[{', '.join(names)}] := {whole.text}")
        self.lines += checks

    def comparable(self, one: Atom, other: Atom, place: tuple[int, int]) -> None:
        self.names.uses.note(one.type, other.type)
        self.names.uses.note(other.type, one.type)
        bare = all(of.type["type"] == "any" for of in (one, other))
        if types.is_untyped(one.type) and types.is_untyped(other.type) and not bare:
            message = "both of these hold what has no type, as `set()` and an argument do: OPA refuses to compile it"
            raise Refused(place, message, "compare with `count(…) == 0`, or each part by itself")
        if not types.overlap(one.type, other.type):
            raise Refused(place, "these can never be equal: OPA refuses to compile it", "compare values of one type")

    # --- terms

    def atom(self, term: Term) -> Atom:
        """A name or a constant that has the term's value."""
        if term.kind.endswith("comprehension") and any(inner.negated for inner in term.body):
            raise Refused(term.place, "a comprehension with `not`, inside of something else", "give it a name first")
        text, of = self.value(term)
        if term.kind in ("null", "boolean", "number", "string", "var") and not self.is_reference(term):
            return Atom(text, of, constant=term.kind != "var")
        name = self.names.fresh()
        self.lines.append(f"{name} := {text}")
        return Atom(name, of)

    def name(self, term: Term) -> Atom:
        """A name that has the term's value."""
        atom = self.atom(term)
        if not atom.constant:
            return atom
        name = self.names.fresh()
        self.lines.append(f"{name} := {atom.text}")
        return Atom(name, atom.type)

    def is_reference(self, term: Term) -> bool:
        return term.kind == "ref" or (term.kind == "var" and self.find(term.name) is None)

    def value(self, term: Term) -> tuple[str, Type]:
        """The term in one piece: what stands after ``:=``."""
        if term.kind in ("null", "boolean", "number", "string"):
            return scalar(term)
        if term.kind in ("ref", "var"):
            return self.reference(term)
        if term.kind == "call":
            if term.name in ("assign", "eq"):
                raise Refused(term.place, "an assignment within a term")
            return self.call(term)
        if term.kind.endswith("comprehension"):
            return self.comprehension(term)
        atoms = self.atoms(term.parts)
        if term.kind == "array":
            return f"[{', '.join(atom.text for atom in atoms)}]", {"type": "array", "static": [a.type for a in atoms]}
        if term.kind == "set":
            if not atoms:
                raise Refused(term.place, "an empty set in a form that is not understood")
            each = [atom.type for atom in atoms]
            of: Type = {"type": "set", "of": types.union(each), "each": each}
            return f"{{{', '.join(atom.text for atom in atoms)}}}", of
        return self.object(term, atoms)

    def object(self, term: Term, atoms: list[Atom]) -> tuple[str, Type]:
        pairs, static, dynamic = [], [], []
        seen = set()
        for at in range(0, len(atoms), 2):
            key, value = atoms[at], atoms[at + 1]
            if not types.only(key.type, "string"):
                raise Refused(term.parts[at].place, "a key that may be no text", "make it text")
            pairs.append(f"{key.text}: {value.text}")
            if key.constant:
                if key.text in seen:
                    raise Refused(term.parts[at].place, f"the key {key.text} stands here twice")
                seen.add(key.text)
                static.append({"key": term.parts[at].value, "value": value.type})
            else:
                dynamic.append(value.type)
        if dynamic and len(pairs) > 1:
            raise Refused(term.place, "an object with several keys of which one is computed", "use a comprehension")
        of: Type = {"type": "object", "static": static}
        if dynamic:
            of["dynamic"] = {"key": types.STRING, "value": types.union(dynamic)}
        return f"{{{', '.join(pairs)}}}", of

    def comprehension(self, term: Term) -> tuple[str, Type]:
        inner = Body(self.names, self)
        inner.ordered = term.kind == "arraycomprehension"
        inner.run(term.body)
        heads = [replace(head, type=types.closed(head.type)) for head in map(inner.name, term.parts)]
        inner.finish()
        body = "\n".join(inner.lines)
        if term.kind == "arraycomprehension":
            if inner.iterations > 1:
                raise Refused(
                    term.place,
                    "an array comprehension that iterates twice: its order differs",
                    "use a set, or nest two comprehensions",
                )
            return f"[{heads[0].text} |\n{body}\n]", {"type": "array", "dynamic": heads[0].type}
        if term.kind == "setcomprehension":
            return f"{{{heads[0].text} |\n{body}\n}}", {"type": "set", "of": heads[0].type}
        if types.only(heads[0].type, "string"):
            key = heads[0].text
        else:
            self.helpers("key")
            key = self.names.fresh()
            body += f"\n{key} := data.{PREFIX}.key({heads[0].text})"
        of = {"type": "object", "static": [], "dynamic": {"key": heads[0].type, "value": heads[1].type}}
        return f"{{{key}: {heads[1].text} |\n{body}\n}}", of

    def reference(self, term: Term, *, iterate: bool = True) -> tuple[str, Type]:
        parts = term.parts if term.kind == "ref" else [term]
        head = parts[0]
        done = 1
        if head.kind != "var":
            base = self.name(head)
            text, of = base.text, base.type
        elif self.find(head.name) is not None:
            atom = self.use(head)
            text, of = atom.text, atom.type
        else:
            found = self.names.reference(term)
            if found is None:
                self.unbound(head)
                atom = self.use(head)
                raise AssertionError(atom)
            done, known = found
            text, of = known.text, known.type
        for part in parts[done:]:
            text, of = self.step(text, of, part, iterate=iterate)
        return text, of

    def step(self, text: str, of: Type, key: Term, *, iterate: bool) -> tuple[str, Type]:
        """One more part of a reference."""
        if key.kind in ("null", "boolean"):
            raise Refused(key.place, "a key that is neither text nor a number")
        if key.kind in ("string", "number"):
            inner = types.at_key(of, key.value)
            if inner is None:
                raise Refused(key.place, f"there is never {key.value!r} in this: OPA refuses to compile it")
            if "set" in (types.kinds(of) or ()):
                raise Refused(key.place, "looking into a set by key", "write `x in the_set`")
            return f"{text}[{scalar(key)[0]}]", inner
        if not self.unbound(key):
            atom = self.atom(key)
            inner = types.values(of)
            self.names.uses.note(atom.type, types.keys(of))
            if inner is None or not types.overlap(atom.type, types.keys(of)):
                raise Refused(key.place, "there is never anything under this key: OPA refuses to compile it")
            if types.only(of, "set") and not iterate:
                raise Refused(key.place, "`not` before a look into a set", "write `not x in the_set`")
            if types.only(of, "set"):
                self.lines.append(f"{atom.text} in {text}")
                return atom.text, atom.type
            return f"{text}[{atom.text}]", inner
        if not iterate or self.under_not:
            raise Unsafe(key.place, "iteration under `not`: the variable is unsafe", "iterate in a statement before")
        inner = types.values(of)
        if inner is None:
            raise Refused(key.place, "nothing to iterate over")
        base = self.names.fresh()
        self.lines.append(f"{base} := {text}")
        name = self.bind(key, types.keys(of))
        value = self.names.fresh("v")
        self.iterate([name, value], Atom(base, of), key.place, keyed=not key.name.startswith("$"))
        return value, inner

    def arity(self, term: Term) -> int:
        known = self.names.call(term)
        if known is not None and known.takes is not None:
            return len(known.takes)
        declaration = declared().get(term.name)
        return len(declaration.get("args", [])) if declaration else len(term.parts)

    def call(self, term: Term) -> tuple[str, Type]:
        self.beside_comprehension(term.parts)
        known = self.names.call(term)
        if known is not None:
            takes = known.takes or ()
            if len(term.parts) != len(takes):
                raise Refused(term.place, f"{term.name} takes {len(takes)} arguments, not {len(term.parts)}")
            atoms = self.atoms(term.parts)
            for atom, taken, part in zip(atoms, takes, term.parts, strict=True):
                if taken.refuses(atom.type):
                    raise Refused(part.place, f"{term.name} cannot take this: OPA refuses to compile it")
                for of in taken.unions(part.place):
                    self.names.uses.note(atom.type, of)
            text = f"{known.text}({', '.join(atom.text for atom in atoms)})"
            if known.iterates:
                self.names.looping.add(text)
            if known.raises:
                self.names.raising.add(text)
            return text, known.type
        if term.name == "set" and not term.parts:
            return "set()", {"type": "set", "of": types.UNTYPED}
        return self.builtin(term)

    def beside_comprehension(self, sides: list[Term]) -> None:
        """OPA says that ``v`` has no value in ``input[v] == [w | w == v]``: the reference is not taken out of the call,
        and beside a comprehension with ``v`` it is ordered as if it gave ``v`` its value.

        Raises:
            Refused: so it is here.
        """
        within: set[str] = set()
        for part in (inner for side in sides for inner in direct(side) if inner.kind.endswith("comprehension")):
            within |= {name for name in every_name(part) if not self.names.is_global(name)}
        for part in (inner for side in sides for inner in direct(side) if inner.kind == "ref"):
            for key in part.parts[1:]:
                if shared := every_name(key) & within:
                    message = f"a reference by {min(shared)} beside a comprehension that uses it"
                    raise Refused(part.place, f"{message}: OPA refuses to compile it", "give the comprehension a name")

    def builtin(self, term: Term) -> tuple[str, Type]:
        name = term.name
        declaration = declared().get(name)
        if declaration is None:
            raise Refused(term.place, f"{name} is no builtin that a pack may use")
        if name not in ALLOWED and name not in COMPUTED:
            raise Refused(term.place, f"{name} is not proven to be answered alike", "compute it another way")
        wanted = declaration.get("args", [])
        if len(term.parts) != len(wanted):
            raise Refused(term.place, f"{name} takes {len(wanted)} arguments, not {len(term.parts)}")
        atoms = self.arguments(term)
        for atom, of, part in zip(atoms, wanted, term.parts, strict=True):
            self.names.uses.note(atom.type, of)
            if not types.overlap(atom.type, of):
                raise Refused(part.place, f"{name} cannot take this: OPA refuses to compile it")
        if name in ("equal", "neq"):
            if name == "equal":
                self.comparable(atoms[0], atoms[1], term.place)
        elif name in ARITHMETIC:
            self.arithmetic(term, atoms)
        else:
            self.guards(name, atoms)
        if name == "internal.member_2":
            inner = types.values(atoms[1].type)
            if inner is None:
                raise Refused(term.place, "nothing is ever in this")
            self.comparable(atoms[0], Atom("", inner), term.place)
        if name in COMPUTED:
            return self.asked(term, atoms, declaration["result"])
        text = self.called(name, atoms)
        if not all(types.fits(atom.type, of) for atom, of in zip(atoms, wanted, strict=True)):
            self.names.breaks(text)
        result: Type = declaration["result"]
        return text, result

    def asked(self, term: Term, atoms: list[Atom], result: Type) -> tuple[str, Type]:
        """A call that we compute: looked up beside the input, or the evaluation breaks and is begun again."""
        self.helpers("asked")
        listed = self.names.fresh()
        self.lines.append(f"{listed} := [{', '.join(atom.text for atom in atoms)}]")
        text = f'data.{PREFIX}.asked("{term.name}", {listed})'
        self.names.raising.add(text)
        if term.name != "walk":
            return text, result
        if self.under_not:
            raise Unsafe(term.place, "iteration under `not`: the variable is unsafe", "iterate in a statement before")
        every, value = self.names.fresh(), self.names.fresh("v")
        self.lines.append(f"{every} := {text}")
        self.iterate(["", value], Atom(every, {"type": "array", "dynamic": result}), term.place, keyed=False)
        return value, result

    def called(self, name: str, atoms: list[Atom]) -> str:
        if name in _OPERATORS:
            return f"{atoms[0].text} {_OPERATORS[name]} {atoms[1].text}"
        return f"{name}({', '.join(atom.text for atom in atoms)})"

    def arithmetic(self, term: Term, atoms: list[Atom]) -> None:
        sets = all(types.only(atom.type, "set") for atom in atoms)
        for at, (atom, part) in enumerate(zip(atoms, term.parts, strict=True)):
            if part.kind == "number" and not part.raw.lstrip("-").isdecimal():
                raise Refused(part.place, "arithmetic on fractions", "count in whole numbers")
            if not atom.constant and not (term.name == "minus" and sets):
                atoms[at] = self.guard("integers" if term.name in ("sum", "product") else "integer", atom)

    def guards(self, name: str, atoms: list[Atom]) -> None:
        for at, atom in enumerate(atoms):
            guard = GUARDS.get((name, at))
            if name == "regex.match" and _by_bytes(atoms[0].text):
                continue
            if guard == "order":
                if not all(types.only(each.type, "number") for each in atoms):
                    self.helpers("order")
                    text = f"data.{PREFIX}.order({atoms[0].text}, {atoms[1].text})"
                    self.names.breaks(text)
                    self.lines.append(text)
            elif guard is not None:
                atoms[at] = self.guard(guard, atom)

    def guard(self, kind: str, atom: Atom) -> Atom:
        """The same value, or a broken input."""
        if (kind == "text" and types.only(atom.type, "string")) or (
            kind in ("array",) and types.only(atom.type, "array")
        ):
            return atom
        self.helpers(kind)
        name = self.names.fresh()
        text = f"data.{PREFIX}.{kind}({atom.text})"
        self.names.breaks(text)
        if kind in ("integers", "ordered"):
            self.names.looping.add(text)
        self.lines.append(f"{name} := {text}")
        return Atom(name, atom.type)

    def arguments(self, term: Term) -> list[Atom]:
        if term.name == "sprintf":
            return self.formatted(term)
        if term.name == "regex.match":
            return [pattern(term.parts[0]), self.atom(term.parts[1])]
        return self.atoms(term.parts)

    def atoms(self, parts: list[Term]) -> list[Atom]:
        """An atom for each, calls before references, as OPA evaluates them."""
        found: dict[int, Atom] = {}
        for at in sorted(range(len(parts)), key=lambda at: not calls(parts[at])):
            found[at] = self.atom(parts[at])
        return [found[at] for at in range(len(parts))]

    def formatted(self, term: Term) -> list[Atom]:
        template, arguments = term.parts
        if template.kind != "string" or arguments.kind != "array":
            raise Refused(term.place, "sprintf with a computed format", "write the format and a list of values")
        verbs = _VERB.findall(str(template.value).replace("%%", ""))
        if len(verbs) != len(arguments.parts) or any(verb not in _VERB_GUARDS for verb in verbs):
            raise Refused(term.place, "sprintf with another verb than %s %d %v, or not one for each value")
        atoms = []
        for verb, part in zip(verbs, arguments.parts, strict=True):
            atom = self.atom(part)
            if part.kind == "number" and not part.raw.lstrip("-").isdecimal():
                raise Refused(part.place, "a fraction in sprintf", "write it into the format")
            if not types.only(atom.type, "string") or verb == "d":
                atom = self.guard(_VERB_GUARDS[verb], atom)
            atoms.append(atom)
        name = self.names.fresh()
        self.lines.append(f"{name} := [{', '.join(atom.text for atom in atoms)}]")
        of: Type = {"type": "array", "static": [atom.type for atom in atoms]}
        return [Atom(*scalar(template), constant=True), Atom(name, of)]


_VERB_GUARDS = {"s": "text", "d": "integer", "v": "scalar"}
_COLLECTION: Type = {
    "type": "any",
    "of": [
        {"type": "array", "dynamic": ANY},
        {"type": "set", "of": ANY},
        {"type": "object", "static": [], "dynamic": {"key": ANY, "value": ANY}},
    ],
}


def scalar(term: Term) -> tuple[str, Type]:
    """A constant."""
    if term.kind == "null":
        return "null", types.NULL
    if term.kind == "boolean":
        return ("true" if term.value else "false"), types.BOOLEAN
    if term.kind == "number":
        if term.raw.startswith("-0") and not any(digit in "123456789" for digit in term.raw):
            raise Refused(term.place, "minus zero", "write 0")
        if len(term.raw) > 18 or "e" in term.raw.lower():
            raise Refused(term.place, "a number that needs more than 18 digits or an exponent", "write it in digits")
        return term.raw, types.NUMBER
    if not isinstance(term.value, str):
        raise Refused(term.place, "a constant that is not understood")
    if reserved(term.value):
        raise Refused(term.place, "text with characters that are kept for the engine (U+F0000 to U+F00FF)")
    return f'"{encode(term.value)}"', types.STRING


def pattern(term: Term) -> Atom:
    """A regular expression both engines match alike: anchors, classes, plain characters, groups, repeats."""
    if term.kind != "string" or not isinstance(term.value, str):
        raise Refused(term.place, "a computed regular expression", "write it as a constant")
    text = re.sub(r"\(\?:", "(", term.value)
    if "`" in text or "(?" in text or not _PATTERN.fullmatch(text):
        raise Refused(
            term.place,
            "a regular expression with more than classes, groups, anchors and repeats",
            "write [0-9] for \\d, [A-Za-z0-9_] for \\w; no flags, no names, no \\b, \\p",
        )
    return Atom(f"`{text}`", types.STRING, constant=True)


def _by_bytes(text: str) -> bool:
    """Whether a pattern matches UTF-8's bytes, as regopy has it, where it matches characters: what may match a part of
    a character is one negated class that is repeated, and nothing beside it can."""
    plain = re.sub(r"\\.", "", text)
    negated = re.findall(r"\[\^[^\]]*\](.?)", plain)
    if "." in re.sub(r"\[[^\]]*\]", "", plain):
        return False
    return not negated or (len(negated) == 1 and negated[0] in ("+", "*") and "(" not in plain)


def _iterable(of: Type, place: Place) -> None:
    """Whether OPA has types for what iteration gives; Refused where it has none."""
    if [] in (types.alternatives(types.keys(of)), types.alternatives(types.values(of) or ANY)):
        message = "iteration over what a comprehension made of an argument: OPA has no type for it"
        raise Refused(place, message, "iterate within the comprehension")
