"""Rego v1 text to a tree: recursive descent over the tokens of ``policy.rego_text``, following OPA's parser
(v1/ast/parser.go). What OPA reads and this does not is refused, never guessed: see ``Refused``.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal

from policy.preflight.tree import Import, Module, Place, Rule, Statement, Term
from policy.rego_text import Token, read_text

DEPTH = 40
"""Terms within terms; deeper is refused, so that nobody's pack exhausts a stack."""
_KEYWORDS = frozenset(
    {"package", "import", "as", "default", "else", "not", "some", "every", "with", "null", "true", "false",
     "if", "contains", "in"}
)  # fmt: skip
_NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
_RELATIONS = {"==": "equal", "!=": "neq", "<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_LEVELS: tuple[dict[str, str], ...] = (
    _RELATIONS,
    {"|": "or"},
    {"&": "and"},
    {"+": "plus", "-": "minus"},
    {"*": "mul", "/": "div", "%": "rem"},
)


class Refused(Exception):
    """Something that is not supported, and why. ``instead``: what to write."""

    def __init__(self, place: Place, message: str, instead: str = "") -> None:
        super().__init__(message)
        self.place = place
        self.message = message
        self.instead = instead


def parse(source: bytes) -> Module:
    """The tree of a module.

    Raises:
        Refused: it is no Rego v1, or such as is not understood here.
    """
    try:
        text = source.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused((1, 1), "the module is not UTF-8") from error
    read = read_text(text)
    if "\r" in text.replace("\r\n", "") or text.startswith("\ufeff"):
        raise Refused((1, 1), "a byte order mark or a lone carriage return", "save the file as plain UTF-8")
    return _Parser(read.tokens).module()


class _Parser:
    def __init__(self, tokens: tuple[Token, ...]) -> None:
        last = tokens[-1] if tokens else None
        end = Token("symbol", "", 1 << 60, last.line + 1 if last else 1, 1, 0, True)
        self.tokens = (*tokens, end)
        self.at = 0
        self.depth = 0
        self.wildcards = 0

    # --- tokens

    @property
    def now(self) -> Token:
        return self.tokens[self.at]

    def place(self) -> Place:
        return self.now.line, self.now.column

    def fail(self, what: str = "") -> Refused:
        shown = self.now.text[:40] or "the end of the file"
        return Refused(self.place(), what or f"`{shown}` is not understood here", "write it in a simpler form")

    def sees(self, *texts: str) -> bool:
        return self.now.kind in ("symbol", "word") and self.now.text in texts

    def take(self, text: str) -> bool:
        if self.sees(text):
            self.at += 1
            return True
        return False

    def need(self, text: str) -> None:
        if not self.take(text):
            raise self.fail(f"`{self.now.text[:40] or 'the end of the file'}` where `{text}` was expected")

    def adjacent(self) -> bool:
        before = self.tokens[self.at - 1]
        return self.now.offset == before.offset + len(before.text)

    def new_line(self) -> bool:
        before = self.tokens[self.at - 1]
        return self.now.line > before.line + before.text.count("\n")

    # --- modules

    def module(self) -> Module:
        self.need("package")
        package = self.path()
        imports: list[Import] = []
        rules: list[Rule] = []
        while self.sees("import"):
            imports.append(self.imported())
        while self.now.text:
            if not self.now.first and self.tokens[self.at - 1].text != ";":
                raise self.fail()
            if self.sees("import"):
                raise self.fail("an import after rules")
            rules.append(self.rule())
        return Module(package, imports, rules)

    def word(self) -> str:
        if self.now.kind != "word" or self.now.text in _KEYWORDS:
            raise self.fail()
        self.at += 1
        return self.tokens[self.at - 1].text

    def path(self) -> tuple[str, ...]:
        if self.now.first:
            raise self.fail()
        parts = [self.word()]
        while self.sees(".") and self.adjacent():
            self.at += 1
            parts.append(self.member_name())
        if self.sees("[") and self.adjacent():
            raise self.fail("a package or import path in brackets is not understood")
        return tuple(parts)

    def member_name(self) -> str:
        if self.now.kind != "word" or not self.adjacent():
            raise self.fail()
        self.at += 1
        return self.tokens[self.at - 1].text

    def imported(self) -> Import:
        place = self.place()
        self.need("import")
        path: tuple[str, ...]
        if self.sees("future"):
            self.at += 1
            path = ("future",)
            while self.take("."):
                path = (*path, self.now.text)
                self.at += 1
        else:
            path = self.path()
        alias, renamed = path[-1], False
        if self.sees("as"):
            self.at += 1
            alias, renamed = self.word(), True
        return Import(place, path, alias, renamed)

    # --- rules

    def rule(self) -> Rule:
        place = self.place()
        default = self.take("default")
        rule = self.head(place)
        rule.default = default
        if default:
            if rule.value is None or self.sees("if", "else"):
                raise self.fail("a default without a value")
            return rule
        had_body = self.maybe_body(rule)
        if not had_body and rule.value is None and rule.key is None:
            raise Refused(place, f"{rule.name} has neither a value nor `if`", "write `if` before the body")
        last = rule
        while self.sees("else"):
            if rule.key is not None or not had_body:
                raise self.fail("`else` after this head")
            last.otherwise = self.otherwise(rule)
            last = last.otherwise
        return rule

    def head(self, place: Place) -> Rule:
        if self.now.kind != "word" or self.now.text in _KEYWORDS:
            raise self.fail()
        rule = Rule(place, [self.variable()])
        while self.sees(".", "[") and self.adjacent():
            rule.ref.append(self.ref_part())
        if self.sees("(") and self.adjacent():
            self.at += 1
            rule.arguments = self.terms(")")
        if self.sees("contains"):
            if rule.arguments is not None:
                raise self.fail()
            self.at += 1
            rule.key = self.infix()
        elif self.sees("=", ":="):
            self.at += 1
            rule.value = self.infix()
        return rule

    def maybe_body(self, rule: Rule) -> bool:
        if self.take("if"):
            rule.body = self.braced() if self.sees("{") else [self.statement()]
            return True
        if self.sees("{") and not self.now.first:
            raise self.fail("a body without `if`, which is Rego v0")
        return False

    def otherwise(self, rule: Rule) -> Rule:
        place = self.place()
        self.need("else")
        other = Rule(place, rule.ref, rule.arguments)
        if self.sees("=", ":="):
            self.at += 1
            other.value = self.infix()
        if not self.maybe_body(other) and other.value is None:
            raise self.fail("`else` without a value or `if`")
        return other

    def braced(self) -> list[Statement]:
        self.need("{")
        start = self.at
        if not self.sees("some", "every", "not"):
            self.term()
            if self.sees("|"):
                raise self.fail("a body that reads like a comprehension")
            self.at = start
        body = self.statements("}")
        self.need("}")
        if not self.now.first and not self.sees("else", "}", "]", ")", ";", ","):
            raise self.fail("something after the body on its line")
        return body

    # --- statements

    def statements(self, closing: str) -> list[Statement]:
        found: list[Statement] = []
        while not self.sees(closing):
            found.append(self.statement())
            if self.take(";"):
                continue
            if not self.sees(closing) and not self.new_line():
                raise self.fail()
        if not found:
            raise self.fail("an empty body")
        return found

    def statement(self) -> Statement:
        self.deeper()
        place = self.place()
        if self.sees("some"):
            found = self.some(place)
        elif self.sees("every"):
            found = self.every(place)
        else:
            negated = self.take("not")
            if negated and self.sees("some", "every", "not"):
                raise self.fail()
            found = Statement(place, self.assignment(), negated)
        while self.sees("with"):
            self.at += 1
            target = self.reference()
            self.need("as")
            found.withs.append((target, self.infix()))
        self.depth -= 1
        return found

    def assignment(self) -> Term:
        place = self.place()
        left = self.infix()
        for text, name in ((":=", "assign"), ("=", "eq")):
            if self.take(text):
                return Term("call", place, name=name, parts=[left, self.infix()], infix=text)
        return left

    def some(self, place: Place) -> Statement:
        self.need("some")
        first = self.level(1)
        names = [first]
        while self.take(","):
            names.append(self.level(1))
        if self.take("in"):
            if len(names) > 2:
                raise self.fail("more than two names before `in`")
            domain = self.level(0)
            key = names[0] if len(names) == 2 else None
            return Statement(place, member=(key, names[-1], domain))
        if any(name.kind != "var" for name in names):
            raise self.fail("`some` without `in` declares names only")
        return Statement(place, some=names)

    def every(self, place: Place) -> Statement:
        self.need("every")
        key: Term | None = None
        value = self.term()
        if self.take(","):
            key, value = value, self.term()
        if value.kind != "var" or (key is not None and key.kind != "var"):
            raise Refused(place, "`every` takes names", "write `every x in …`")
        self.need("in")
        domain = self.level(0)
        return Statement(place, member=(key, value, domain), every=True, body=self.braced())

    # --- terms

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEPTH:
            raise Refused(self.place(), f"nesting deeper than {DEPTH}", "give inner parts names")

    def infix(self) -> Term:
        """A term with operators, ``in`` the weakest."""
        self.deeper()
        place = self.place()
        left = self.level(0)
        while self.take("in"):
            left = Term("call", place, name="internal.member_2", parts=[left, self.level(0)], infix="in")
        self.depth -= 1
        return left

    def level(self, number: int) -> Term:
        if number == len(_LEVELS):
            return self.term()
        place = self.place()
        left = self.level(number + 1)
        while self.now.kind == "symbol" and self.operator() in _LEVELS[number]:
            text = self.operator()
            self.at += 1
            left = Term("call", place, name=_LEVELS[number][text], parts=[left, self.level(number + 1)], infix=text)
        return left

    def operator(self) -> str:
        return self.now.text

    def variable(self) -> Term:
        place = self.place()
        text = self.now.text
        if self.now.kind != "word" or text in _KEYWORDS:
            raise self.fail()
        self.at += 1
        if text == "_":
            self.wildcards += 1
            return Term("var", place, name=f"$w{self.wildcards}")
        return Term("var", place, name=text)

    def reference(self) -> Term:
        first = self.variable()
        parts = [first]
        while self.sees(".", "[") and self.adjacent():
            parts.append(self.ref_part())
        return Term("ref", first.place, parts=parts) if len(parts) > 1 else first

    def ref_part(self) -> Term:
        if self.take("."):
            place = self.place()
            return Term("string", place, self.member_name())
        self.need("[")
        key = self.infix()
        self.need("]")
        return key

    def term(self) -> Term:
        self.deeper()
        token, place = self.now, self.place()
        if token.kind == "number" or (token.text == "-" and self.tokens[self.at + 1].kind == "number"):
            found = self.number()
        elif token.kind in ("string", "raw"):
            found = Term("string", place, self.string())
        elif token.kind == "template":
            raise Refused(place, "template strings are not supported", 'write `concat("", [...])`')
        elif token.text in ("true", "false", "null"):
            self.at += 1
            found = Term("null", place) if token.text == "null" else Term("boolean", place, value=token.text == "true")
        elif token.kind == "word":
            found = self.called()
        elif token.text == "(":
            self.at += 1
            found = self.infix()
            self.need(")")
        elif token.text == "[":
            found = self.array()
        elif token.text == "{":
            found = self.braces()
        else:
            raise self.fail()
        self.depth -= 1
        return self.goes_on(found)

    def goes_on(self, found: Term) -> Term:
        """What may follow a term directly: a reference into it."""
        if self.sees(".", "[") and self.adjacent():
            if found.kind in ("null", "boolean", "number", "string"):
                raise self.fail("a reference into a scalar")
            parts = found.parts if found.kind == "ref" else [found]
            while self.sees(".", "[") and self.adjacent():
                parts.append(self.ref_part())
            found = Term("ref", found.place, parts=parts)
        if self.sees("(") and self.adjacent():
            raise self.fail("a call of something that is no name")
        return found

    def called(self) -> Term:
        place = self.place()
        if self.sees("contains") and self.tokens[self.at + 1].text == "(":
            self.at += 1
            found = Term("var", place, name="contains")
        else:
            found = self.reference()
        if not (self.sees("(") and self.adjacent()):
            return found
        parts = found.parts if found.kind == "ref" else [found]
        if parts[0].kind != "var" or any(part.kind != "string" for part in parts[1:]):
            raise self.fail("a call of something that is no name")
        names = [parts[0].name, *(str(part.value) for part in parts[1:])]
        self.at += 1
        return Term("call", place, name=".".join(names), parts=self.terms(")"))

    def number(self) -> Term:
        place = self.place()
        sign = ""
        if self.take("-"):
            sign = "-"
            if not self.adjacent():
                raise self.fail()
        text = self.now.text
        if not _NUMBER.match(text):
            raise self.fail("a number in a form that is not understood")
        self.at += 1
        return Term("number", place, Decimal(sign + text), raw=sign + text)

    def string(self) -> str:
        token = self.now
        self.at += 1
        if token.kind == "raw":
            if len(token.text) < 2 or not token.text.endswith("`"):
                raise self.fail("a string without an end")
            return token.text[1:-1]
        try:
            value = json.loads(token.text)
        except ValueError:
            value = None
        if not isinstance(value, str):
            raise Refused((token.line, token.column), "a string in a form that is not understood")
        return value

    def terms(self, closing: str) -> list[Term]:
        found: list[Term] = []
        while not self.sees(closing):
            found.append(self.infix())
            if not self.take(","):
                break
        self.need(closing)
        return found

    def comprehends(self) -> bool:
        return self.sees("|")

    def array(self) -> Term:
        place = self.place()
        self.need("[")
        start = self.at
        if not self.sees("]"):
            head = self.term()
            if self.take("|"):
                body = self.statements("]")
                self.need("]")
                return Term("arraycomprehension", place, parts=[head], body=body)
            self.at = start
        return Term("array", place, parts=self.terms("]"))

    def braces(self) -> Term:
        place = self.place()
        self.need("{")
        if self.take("}"):
            return Term("object", place)
        start = self.at
        head = self.term()
        if self.take("|"):
            body = self.statements("}")
            self.need("}")
            return Term("setcomprehension", place, parts=[head], body=body)
        self.at = start
        first = self.infix()
        if not self.take(":"):
            self.at = start
            return Term("set", place, parts=self.terms("}"))
        return self.object(place, first)

    def object(self, place: Place, key: Term) -> Term:
        parts: list[Term] = []
        while True:
            start = self.at
            value = self.term()
            if not parts and self.take("|"):
                body = self.statements("}")
                self.need("}")
                return Term("objectcomprehension", place, parts=[key, value], body=body)
            self.at = start
            parts += [key, self.infix()]
            if not self.take(",") or self.sees("}"):
                break
            key = self.infix()
            self.need(":")
        self.need("}")
        return Term("object", place, parts=parts)
