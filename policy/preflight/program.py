"""A program, read and written again in the forms of ``policy.preflight.lower``; or why regopy may not judge it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from policy.engines.engine import Program
from policy.preflight import types
from policy.preflight.argument_types import Taken, Uses, assumptions
from policy.preflight.helpers import module as helper_module
from policy.preflight.lower import Atom, Body, Global, Names, scalar
from policy.preflight.ordering import PREFIX
from policy.preflight.parser import KEYWORDS, Refused, parse
from policy.preflight.tree import Module, Rule, Term
from policy.preflight.types import ANY, Type
from policy.rego_text import read_text

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
Path = tuple[str, ...]
_FUTURE = {("future", "keywords", word) for word in ("if", "in", "contains", "every", "and", "or", "not")}


@dataclass(frozen=True)
class Objection:
    """Why a program is unsupported: where, what, and what to write instead."""

    file: str
    line: int
    column: int
    message: str
    instead: str = ""

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.message}"
        return f"{text}; {self.instead}" if self.instead else text


@dataclass(frozen=True)
class Readable:
    """The program for regopy."""

    modules: Mapping[str, bytes]
    entrypoints: tuple[str, ...]
    """In the program's order; rules under longer names have others here."""
    asks: bool = False
    """Whether it calls what is computed here: then the input stands under ``input``, and answers beside it
    (``policy.engines.regopy_calls``)."""


@dataclass
class _Group:
    """All rules of one name. ``type``: of the value, of a set's or object's whole, of a function's result; ``takes``:
    of each argument, complete when ``type`` is there."""

    path: Path
    kind: str
    name: str
    package: Path
    arity: int | None = None
    rules: list[tuple[str, Module, Rule]] = field(default_factory=list)
    type: Type | None = None
    takes: list[Taken] | None = None
    open: bool = False
    raises: bool = False
    iterates: bool = False
    total: bool = False
    texts: dict[int, str] = field(default_factory=dict)


def read(program: Program) -> Readable | Objection:
    """The program as regopy reads it right, or the first thing that stands against it."""
    reader = _Reader(program)
    try:
        found = reader.run()
        if not found.asks:
            return found
        reader = _Reader(program, asks=True)
        return reader.run()
    except Refused as refused:
        return Objection(reader.file, *refused.place, refused.message, refused.instead)
    except RecursionError:
        return Objection(reader.file, 1, 1, "rules that depend on each other in a chain too long to follow")


class _Reader:
    def __init__(self, program: Program, *, asks: bool = False) -> None:
        self.program = program
        self.root = 'input["input"]' if asks else "input"
        self.file = next(iter(program.modules), "")
        self.groups: dict[Path, _Group] = {}
        self.firsts: set[Path] = set()
        self.packages: set[Path] = set()
        self.modules: dict[str, Module] = {}
        self.counter = Names(lambda _: None, lambda _: None, lambda _: False)

    def run(self) -> Readable:
        if self.program.rego_version != "v1":
            raise Refused((1, 1), "old Rego (v0) is read differently", "`opa fmt --v0-v1 --write` the pack")
        for name, source in self.program.modules.items():
            self.file = name
            if PREFIX.encode() in source:
                raise Refused((1, 1), f"a name with {PREFIX}, which is kept for the engine", "rename it")
            self.modules[name] = parse(source)
        for name, module in self.modules.items():
            self.file = name
            self.collect(name, module)
        self.conflicts()
        for group in self.groups.values():
            self.type_of(group, (1, 1))
        modules = {name: self.render(module).encode() for name, module in self.modules.items()}
        asks = "asked" in self.counter.helpers
        if asks and "key" in self.counter.helpers:
            raise Refused((1, 1), "an object whose keys may be numbers, beside a builtin that is computed")
        if asks:
            for name, source in self.program.modules.items():
                self.file = name
                _plain_fractions(source)
        if self.counter.helpers:
            modules[f"{PREFIX}.rego"] = helper_module(self.counter.helpers).encode()
        entrypoints = []
        for entrypoint in self.program.entrypoints:
            group = self.groups[tuple(entrypoint.split("."))[1:]]
            entrypoints.append(".".join(("data", *group.package, group.name)))
        return Readable(modules, tuple(entrypoints), asks)

    def collect(self, name: str, module: Module) -> None:
        self.packages.add(module.package)
        seen = set()
        split = self.split(module.package)
        for imported in module.imports:
            path = imported.path
            if path in (("rego", "v1"), ("rego", "v2"), ("future", "keywords")) or path in _FUTURE:
                continue
            if path[0] not in ("data", "input") or len(path) < 2:
                raise Refused(imported.place, f"the import of {'.'.join(path)}", "import from data or input")
            if imported.alias in seen:
                raise Refused(imported.place, f"{imported.alias} is imported twice")
            seen.add(imported.alias)
        for rule in module.rules:
            apart = rule.name in split
            kind, arity = _kind(rule, apart=apart)
            path = (*module.package, *(_names(rule) if apart else [rule.name]))
            self.firsts.add((*module.package, rule.name))
            if rule.name in ("input", "data") or rule.name in seen:
                raise Refused(rule.place, f"{rule.name} is a root document or an import", "rename the rule")
            if path not in self.groups:
                plain = not apart and rule.name not in KEYWORDS
                name_here = rule.name if plain else f"{PREFIX}rule_{len(self.groups)}"
                self.groups[path] = _Group(path, kind, name_here, module.package, arity)
            group = self.groups[path]
            if (group.kind, group.arity) != (kind, arity):
                raise Refused(rule.place, f"{rule.name} is defined in two ways", "give the rules different names")
            if rule.default and any(other.default for _, _, other in group.rules):
                raise Refused(rule.place, f"{rule.name} has two defaults")
            if rule.default and kind in ("set", "object"):
                raise Refused(rule.place, "a default for a set or an object")
            group.rules.append((name, module, rule))

    def split(self, package: Path) -> set[str]:
        """Names below which each rule stands apart: a set, a function or several parts under a longer name, all of
        them constant."""
        rules = [rule for module in self.modules.values() if module.package == package for rule in module.rules]
        wanted = {
            rule.name
            for rule in rules
            if len(rule.ref) > 2
            or (len(rule.ref) == 2 and (rule.key or rule.arguments is not None or rule.otherwise or rule.default))
        }
        constant = {rule.name for rule in rules} - {
            rule.name for rule in rules if len(rule.ref) < 2 or any(part.kind != "string" for part in rule.ref[1:])
        }
        return wanted & constant

    def conflicts(self) -> None:
        for path in self.groups:
            for other in self.groups:
                if other != path and other[: len(path)] == path:
                    raise Refused((1, 1), f"data.{'.'.join(path)} is a rule, and data.{'.'.join(other)} is another")
            for package in self.packages:
                if package[: len(path)] == path:
                    raise Refused((1, 1), f"data.{'.'.join(path)} is a rule and a package", "rename one of them")
        roots = {package[0] for package in self.packages}
        for content in self.program.data.values():
            value = json.loads(content)
            if not isinstance(value, dict) or roots & value.keys():
                raise Refused((1, 1), "data under the name of a package", "give the data another root")
        for entrypoint in self.program.entrypoints:
            path = tuple(entrypoint.split("."))[1:]
            group = self.groups.get(path)
            if group is None:
                raise Refused((1, 1), f"{entrypoint} is no rule", "ask for a rule")
            if group.kind == "function":
                raise Refused((1, 1), f"{entrypoint} is a function")

    # --- names

    def names(self, module: Module) -> Names:
        imports = {
            imported.alias: imported.path for imported in module.imports if imported.path[0] in ("data", "input")
        }

        def is_global(name: str) -> bool:
            return name in ("input", "data") or name in imports or (*module.package, name) in self.firsts

        def expand(parts: list[str | None]) -> tuple[Path, int] | None:
            """The full path of constants a reference begins with, and how many names its first part stands for."""
            first = parts[0]
            if first is None:
                return None
            if (*module.package, first) in self.firsts:
                base: Path = ("data", *module.package, first)
            elif first in imports:
                base = imports[first]
            elif first in ("input", "data"):
                base = (first,)
            else:
                return None
            rest = []
            for part in parts[1:]:
                if part is None:
                    break
                rest.append(part)
            return (*base, *rest), len(base)

        def reference(term: Term) -> tuple[int, Global] | None:
            terms = term.parts if term.kind == "ref" else [term]
            constants = [terms[0].name, *(part.value if part.kind == "string" else None for part in terms[1:])]
            found = expand([part if isinstance(part, str) else None for part in constants])
            if found is None:
                return None
            path, base = found
            place = term.place
            if path[0] == "input":
                text = "".join(f"[{json.dumps(part)}]" for part in path[1:base])
                return 1, Global(self.root + text, ANY)
            for length in range(2, len(path) + 1):
                group = self.groups.get(path[1:length])
                if group is not None:
                    if group.kind == "function":
                        raise Refused(place, "a function that is not called")
                    of = self.type_of(group, place)
                    text = self.text(group, module)
                    if group.raises:
                        names.raising.add(text)
                    if group.total:
                        names.total.add(text)
                    return max(1, length - base + 1), Global(text, of)
            if any(other[: len(path) - 1] == path[1:] for other in self.groups):
                raise Refused(place, f"{'.'.join(path)} is all rules below it", "name one of them")
            for package in self.packages:
                shared = min(len(package), len(path) - 1)
                if path[1 : shared + 1] == package[:shared]:
                    what = ".".join(path)
                    raise Refused(place, f"{what} is a package, or lies in one where no rule has this name")
            if not all(_NAME.match(part) for part in path):
                raise Refused(place, "data under a name that is no word")
            return len(path) - base + 1, Global(".".join(path), ANY)

        def call(term: Term) -> Global | None:
            parts: list[str | None] = [*term.name.split(".")]
            if term.infix:
                return None
            found = expand(parts)
            if found is None:
                return None
            group = self.groups.get(found[0][1:]) if found[0][0] == "data" else None
            if group is None or group.kind != "function":
                raise Refused(term.place, f"{term.name} is no function")
            of = self.type_of(group, term.place)
            return Global(self.text(group, module), of, group.takes, group.raises, group.iterates)

        names = Names(reference, call, is_global)
        names.helpers = self.counter.helpers
        names.root = self.root
        return names

    def text(self, group: _Group, module: Module) -> str:
        if group.package == module.package:
            return group.name
        return ".".join(("data", *group.package, group.name))

    # --- rules

    def type_of(self, group: _Group, place: tuple[int, int]) -> Type:
        if group.type is not None:
            return group.type
        if group.open:
            raise Refused(place, f"{group.path[-1]} depends on itself: recursion", "take the recursion apart")
        group.open = True
        file = self.file
        found: list[Type] = []
        group.takes = None if group.arity is None else [Taken() for _ in range(group.arity)]
        for name, module, rule in group.rules:
            self.file = name
            text, of = self.rule(group, module, rule)
            group.texts[id(rule)] = text
            found.append(of)
        self.file = file
        group.open = False
        group.type = types.plain(_whole(group, found))
        return group.type

    def rule(self, group: _Group, module: Module, rule: Rule) -> tuple[str, Type]:
        names = self.names(module)
        names.counter = self.counter.counter
        text, of = _Writer(names, group).rule(rule)
        group.raises = group.raises or bool(names.raising)
        group.iterates = group.iterates or "some " in text or bool(names.looping)
        group.total = group.total or rule.default or group.kind in ("set", "object") or _constant(rule)
        self.counter.counter = names.counter
        return text, of

    def render(self, module: Module) -> str:
        texts = []
        for rule in module.rules:
            group = self.groups.get((*module.package, rule.name)) or self.groups[(*module.package, *_names(rule))]
            texts.append(group.texts[id(rule)])
        return f"package {'.'.join(module.package)}\n\n" + "\n\n".join(texts) + "\n"


class _Writer:
    """Writes one rule with its else branches."""

    def __init__(self, names: Names, group: _Group) -> None:
        self.names = names
        self.group = group
        self.texts: list[str] = []
        """Of a function's arguments."""

    def rule(self, rule: Rule) -> tuple[str, Type]:
        if rule.default:
            return self.default(rule)
        head, found = self.branch(rule, None)
        texts, kinds, other = [head], [found], rule.otherwise
        while other is not None:
            text, of = self.branch(other, self.arguments)
            texts.append(f"else := {text}")
            kinds.append(of)
            other = other.otherwise
        return " ".join(texts), types.union(kinds)

    def default(self, rule: Rule) -> tuple[str, Type]:
        if rule.value is None:
            raise Refused(rule.place, "a default without a value")
        text, of = ground(rule.value)
        head = self.group.name
        if rule.arguments is not None:
            names = [argument.name for argument in rule.arguments if argument.kind == "var"]
            if len(names) != len(rule.arguments) or len(set(names)) != len(names):
                raise Refused(rule.place, "the arguments of a default are names")
            head += f"({', '.join(self.names.fresh('v') for _ in names)})"
            for taken in self.group.takes or ():
                taken.add([])
        return f"default {head} := {text}", of

    def branch(self, rule: Rule, arguments: dict[str, Atom] | None) -> tuple[str, Type]:
        body = Body(self.names)
        self.names.uses = Uses()
        head = ""
        if arguments is None:
            head = self.head(rule, body)
        else:
            for name, atom in arguments.items():
                body.declare(Term("var", rule.place, name=name), atom, by_name=False)
        body.run(rule.body)
        value = rule.key if rule.key is not None else rule.value
        key = ""
        if self.group.kind == "object":
            key = self.key(rule, body)
        atom = Atom("true", types.BOOLEAN, constant=True) if value is None else body.atom(value)
        body.finish()
        self.assume(rule, atom.type)
        lines = body.lines
        head += key
        of = atom.type
        if self.group.kind == "object" and rule.ref[1].kind == "string":
            of = {"type": "object", "static": [{"key": rule.ref[1].value, "value": of}]}
        elif self.group.kind == "object":
            of = {"type": "object", "static": [], "dynamic": {"key": self.key_type, "value": of}}
        if arguments is None:
            head += " contains " if rule.key is not None else " := "
        if not lines and rule.body:
            lines = ["true"]
        body_text = " if {\n" + "\n".join(lines) + "\n}" if lines else ""
        if arguments is None and atom.text == "true" and lines and rule.otherwise is None:
            return self.apart(rule, body_text) or f"{head}{atom.text}{body_text}", of
        return f"{head}{atom.text}{body_text}", of

    def assume(self, rule: Rule, result: Type) -> None:
        """Whether a function's body is right whatever its arguments turn out to be, and gives the same then."""
        if self.group.takes is None:
            return
        uses, tried = self.names.uses, []
        while new := [assumed for assumed in assumptions(uses, rule.place) if assumed not in tried]:
            for assumed in new:
                tried.append(assumed)
                names = replace(self.names, helpers=set(), raising=set(), strict=set(), looping=set())
                body = Body(names)
                for name, atom in self.arguments.items():
                    declared = Atom(atom.text, assumed.get(name, atom.type))
                    body.declare(Term("var", rule.place, name=name), declared, by_name=False)
                body.run(rule.body)
                of = types.BOOLEAN if rule.value is None else body.atom(rule.value).type
                if types.plain(of) != types.plain(result):
                    message = "a function that gives its argument back as what the body takes it for"
                    raise Refused(rule.place, message, "compare it with what it is where the function is called")
        for taken, argument in zip(self.group.takes, self.head_arguments, strict=True):
            options = uses.found.get(argument.name, [])
            taken.add([scalar(argument)[1]] if argument.kind != "var" else options)

    def apart(self, rule: Rule, body_text: str) -> str | None:
        """The body of ``f("a", x)`` as a function of ``x`` alone: regopy prepares the names of every body of ``f``
        before it looks at the arguments, which is most of the time where a function has many bodies."""
        arguments = rule.arguments or []
        names = [text for text, argument in zip(self.texts, arguments, strict=True) if argument.kind == "var"]
        if not names or len(names) == len(arguments):
            return None
        called = f"{PREFIX}of_{self.group.name}_{len(self.group.texts)}({', '.join(names)})"
        return f"{self.group.name}({', '.join(self.texts)}) := true if {{\n{called}\n}}\n\n{called} := true{body_text}"

    def head(self, rule: Rule, body: Body) -> str:
        self.arguments: dict[str, Atom] = {}
        if rule.arguments is None:
            return self.group.name
        self.head_arguments = rule.arguments
        texts = []
        for argument in rule.arguments:
            if argument.kind == "var":
                name = self.names.fresh("v")
                atom = Atom(name, {"type": "any", "arguments": [argument.name]})
                body.declare(argument, atom, by_name=False)
                self.arguments[argument.name] = atom
                texts.append(name)
            elif argument.kind in ("null", "boolean", "number", "string"):
                texts.append(scalar(argument)[0])
            else:
                raise Refused(argument.place, "a pattern as an argument", "take a name, and its parts in the body")
        self.texts = texts
        return f"{self.group.name}({', '.join(texts)})"

    def key(self, rule: Rule, body: Body) -> str:
        term = rule.ref[1]
        if term.kind == "string":
            return f"[{scalar(term)[0]}]"
        if term.kind == "number":
            raise Refused(term.place, "a number as the key of an object rule", "use text")
        atom = body.atom(term)
        self.key_type = atom.type
        if not types.only(atom.type, "string"):
            atom = body.guard("key", atom)
        return f"[{atom.text}]"


def _plain_fractions(source: bytes) -> None:
    """What regopy prints of a fraction is 15 digits, without zeros at the end."""
    for token in read_text(source.decode()).tokens:
        if token.kind == "number" and "." in token.text and (token.text.endswith("0") or len(token.text) > 15):
            place = token.line, token.column
            raise Refused(place, "a fraction with 0 at its end or many digits, beside a builtin that is computed")


def _constant(rule: Rule) -> bool:
    """Whether a rule has a value whatever the input."""
    if rule.body or rule.value is None or rule.arguments is not None:
        return False
    try:
        ground(rule.value)
    except Refused:
        return False
    return True


def _names(rule: Rule) -> list[str]:
    return [rule.name, *(str(part.value) for part in rule.ref[1:])]


def _kind(rule: Rule, *, apart: bool) -> tuple[str, int | None]:
    if apart:
        return (
            ("function", len(rule.arguments)) if rule.arguments is not None
            else ("set" if rule.key is not None else "complete", None)
        )  # fmt: skip
    if len(rule.ref) > 2:
        raise Refused(rule.place, "a rule name of more than two parts", "make an object of it")
    if rule.arguments is not None:
        if len(rule.ref) > 1:
            raise Refused(rule.place, "a function with a longer name")
        return "function", len(rule.arguments)
    if rule.key is not None:
        if len(rule.ref) > 1:
            raise Refused(rule.place, "a set under a longer name", "give it a name of its own")
        return "set", None
    if len(rule.ref) == 2:
        if rule.otherwise is not None:
            raise Refused(rule.place, "`else` of an object's rule", "make a function of it")
        return "object", None
    return "complete", None


def _whole(group: _Group, found: list[Type]) -> Type:
    if group.kind == "set":
        return {"type": "set", "of": types.union(found)}
    if group.kind != "object":
        return types.union(found)
    static: dict[object, list[Type]] = {}
    dynamic: list[Type] = []
    keys: list[Type] = []
    for of in found:
        for entry in of["static"]:
            static.setdefault(entry["key"], []).append(entry["value"])
        if "dynamic" in of:
            dynamic.append(of["dynamic"]["value"])
            keys.append(of["dynamic"]["key"])
    whole: Type = {
        "type": "object",
        "static": [{"key": key, "value": types.union(values)} for key, values in static.items()],
    }
    if dynamic:
        whole["dynamic"] = {"key": types.union(keys), "value": types.union(dynamic)}
    return whole


def ground(term: Term) -> tuple[str, Type]:
    """A value without names: constants, arrays and objects of them."""
    if term.kind in ("null", "boolean", "number", "string"):
        return scalar(term)
    if term.kind not in ("array", "object"):
        raise Refused(term.place, "a default that is no constant", "write it as a constant")
    parts = [ground(part) for part in term.parts]
    if term.kind == "array":
        return f"[{', '.join(text for text, _ in parts)}]", {"type": "array", "static": [of for _, of in parts]}
    if any(key.kind != "string" for key in term.parts[::2]) or len({key.value for key in term.parts[::2]}) * 2 != len(
        parts
    ):
        raise Refused(term.place, "an object whose keys are not different texts")
    pairs = [f"{parts[at][0]}: {parts[at + 1][0]}" for at in range(0, len(parts), 2)]
    static = [{"key": term.parts[at].value, "value": parts[at + 1][1]} for at in range(0, len(parts), 2)]
    return f"{{{', '.join(pairs)}}}", {"type": "object", "static": static}
