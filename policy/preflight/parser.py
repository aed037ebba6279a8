"""Rego v1 text to a tree: recursive descent over the tokens of ``policy.rego_text``, following OPA's parser
(v1/ast/parser.go). What OPA reads and this does not is refused, never guessed: see ``Refused``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

from policy.preflight.tree import Import, Module, Place, Rule, Statement, Term
from policy.rego_text import Token, read_text

DEPTH = 40
"""Terms within terms; deeper is refused, so that nobody's pack exhausts a stack."""
KEYWORDS = frozenset(
    {"package", "import", "as", "default", "else", "not", "some", "every", "with", "null", "true", "false",
     "if", "contains", "in"}
)  # fmt: skip
_LOGIC: dict[tuple[str, ...], set[str]] = {("future", "keywords", word): {word} for word in ("and", "or", "not")}
_LOGIC |= {("future", "keywords"): {"and", "or", "not"}, ("rego", "v2"): {"and", "or", "not"}}
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
    return _Parser(read.tokens, text).module()


class _Parser:
    def __init__(self, tokens: tuple[Token, ...], text: str) -> None:
        self.text = text
        self.logic: set[str] = set()
        """Which of `and`, `or` and `not` before a body were imported."""
        self.template_end = (-1, 0)
        """The token after a template string, and the line the string ends on."""
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
        return self.now.kind in ("symbol", "word") and self.now.text in texts and not self.keyword_as_name()

    def keyword_as_name(self) -> bool:
        """`not.a`: a keyword with a point directly behind it is a name."""
        if self.now.kind != "word" or self.now.text not in KEYWORDS:
            return False
        after = self.tokens[self.at + 1]
        return after.text == "." and after.offset == self.now.offset + len(self.now.text)

    def take(self, text: str) -> bool:
        if self.sees(text):
            self.at += 1
            return True
        return False

    def need(self, text: str) -> None:
        if not self.take(text):
            raise self.fail(f"`{self.now.text[:40] or 'the end of the file'}` where `{text}` was expected")

    def adjacent(self) -> bool:
        if self.template_end[0] == self.at:
            return False
        before = self.tokens[self.at - 1]
        return self.now.offset == before.offset + len(before.text)

    def new_line(self) -> bool:
        if self.template_end[0] == self.at:
            return self.now.line > self.template_end[1]
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
            self.logic |= _LOGIC.get(imports[-1].path, set())
        while self.now.text:
            if not self.now.first and self.tokens[self.at - 1].text != ";":
                raise self.fail()
            if self.sees("import"):
                raise self.fail("an import after rules")
            rules.append(self.rule())
        return Module(package, imports, rules)

    def word(self) -> str:
        if self.now.kind != "word" or self.now.text in KEYWORDS:
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

    def braced(self, *, operand: bool = False) -> list[Statement]:
        self.need("{")
        start = self.at
        if not self.sees("some", "every", "not") and not (self.logic and self.sees("{", "(")):
            self.term()
            if self.sees("|"):
                raise self.fail("a body that reads like a comprehension")
            self.at = start
        body = self.statements("}")
        self.need("}")
        if not operand and not self.now.first and not self.sees("else", "}", "]", ")", ";", ",", *self.logic):
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
            found = self.chain("or", first=True)
        while self.sees("with"):
            self.at += 1
            target = self.reference()
            self.need("as")
            found.withs.append((target, self.infix()))
        if self.logic & {"and", "or"} and self.sees("and", "or"):
            raise self.fail()
        self.depth -= 1
        return found

    def chain(self, operator: Literal["and", "or"], *, first: bool) -> Statement:
        """Operands joined by `or`, of operands joined by `and`, where these words are imported."""
        place = self.place()
        operands = [self.operands(operator, first=first)]
        while operator in self.logic and self.take(operator):
            operands.append(self.operands(operator, first=False))
        if len(operands) == 1:
            return operands[0][0]
        return Statement(place, logic=operator, operands=operands, braces=False)

    def operands(self, operator: Literal["and", "or"], *, first: bool) -> list[Statement]:
        return [self.chain("and", first=first)] if operator == "or" else self.operand(first=first)

    def operand(self, *, first: bool) -> list[Statement]:
        """A body in braces, a group in parentheses, or a literal; braces that begin a statement are a body only if
        `and` or `or` follows."""
        place = self.place()
        joins = bool(self.logic & {"and", "or"})
        if joins and self.sees("{"):
            found = self.attempt(self.braced_operand, first=first)
            if found is not None:
                return found
            raise_after = True
        else:
            raise_after = False
        if joins and self.sees("("):
            found = self.attempt(self.group, first=False)
            if found is not None:
                return found
        negated = self.take("not")
        if negated and self.sees("some", "every", "not"):
            raise self.fail()
        if negated and "not" in self.logic:
            braces = self.sees("{")
            return [Statement(place, logic="not", operands=[self.negated_operand()], braces=braces)]
        term = self.assignment()
        if joins and (raise_after or term.kind in ("set", "object")) and (not first or self.sees("and", "or")):
            raise self.fail("braces that are neither a body nor a value here")
        return [Statement(place, term, negated)]

    def negated_operand(self) -> list[Statement]:
        if self.sees("{"):
            return self.braced()
        if self.sees("("):
            found = self.attempt(self.group, first=False)
            if found is not None:
                return found
        place = self.place()
        return [Statement(place, self.assignment())]

    def attempt(self, read: Callable[[], list[Statement]], *, first: bool) -> list[Statement] | None:
        """What is read, or None with nothing read. ``first``: `and` or `or` has to follow."""
        kept = self.at, self.depth, self.wildcards
        try:
            found = read()
            if not first or self.sees("and", "or"):
                return found
        except Refused:
            pass
        self.at, self.depth, self.wildcards = kept
        return None

    def braced_operand(self) -> list[Statement]:
        return [Statement(self.place(), logic="and", operands=[self.braced(operand=True)])]

    def group(self) -> list[Statement]:
        """`(a or b)`: parentheses around one term are the term's own."""
        self.need("(")
        found = self.chain("or", first=False)
        if not found.logic or (found.logic == "and" and found.braces):
            raise self.fail()
        self.need(")")
        return [found]

    def assignment(self) -> Term:
        place = self.place()
        left = self.infix()
        if self.take(","):
            return self.member_with_key(place, left)
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
        if self.now.kind != "word" or (text in KEYWORDS and not self.keyword_as_name()):
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
            found = self.template()
        elif self.sees("true", "false", "null"):
            self.at += 1
            found = Term("null", place) if token.text == "null" else Term("boolean", place, value=token.text == "true")
        elif token.kind == "word":
            found = self.called()
        elif token.text == "(":
            self.at += 1
            found = self.infix()
            if self.take(","):
                found = self.member_with_key(place, found)
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

    def member_with_key(self, place: Place, key: Term) -> Term:
        value = self.level(0)
        self.need("in")
        found = Term("call", place, name="internal.member_3", parts=[key, value, self.level(0)], infix="in")
        while self.take("in"):
            found = Term("call", place, name="internal.member_2", parts=[found, self.level(0)], infix="in")
        return found

    def template(self) -> Term:
        """A template string: its text stands between tokens. Each expression becomes a set of its value, or of none."""
        token, place = self.now, self.place()
        self.at += 1
        raw = token.text.endswith("`")
        at = token.offset + 2
        parts: list[Term] = []
        while True:
            stop = self.template_text(at, raw=raw)
            literal = self.text[at:stop]
            if literal:
                parts.append(Term("string", place, self.template_literal(place, literal, raw=raw)))
            if self.text[stop] != "{":
                break
            at = self.template_expression(parts)
        ends = token.line + self.text.count("\n", token.offset, stop)
        self.template_end = (self.at, ends)
        return Term("call", place, name="internal.template_string", parts=[Term("array", place, parts=parts)])

    def template_text(self, at: int, *, raw: bool) -> int:
        """Where the text ends: at the closing quote, or at a brace."""
        while at < len(self.text):
            ch = self.text[at]
            if ch == ("`" if raw else '"') or ch == "{":
                return at
            if (ch == "\n" and not raw) or ch == "}":
                break
            at += 2 if ch == "\\" and (not raw or self.text[at + 1 : at + 2] == "{") else 1
        raise self.fail("a template string without an end, or with a brace")

    def template_literal(self, place: Place, literal: str, *, raw: bool) -> str:
        if raw:
            return literal.replace("\\{", "{")
        unescaped = re.sub(r"\\(.)", lambda found: "{" if found[1] == "{" else found[0], literal)
        try:
            return str(json.loads(f'"{unescaped}"'))
        except ValueError as error:
            raise Refused(place, "a template string in a form that is not understood") from error

    def template_expression(self, parts: list[Term]) -> int:
        """Read up to the closing brace; the offset after it."""
        place = self.place()
        value = self.infix()
        closing = self.now
        self.need("}")
        if value.kind in ("null", "boolean", "number", "string"):
            parts.append(value)
        else:
            self.wildcards += 1
            name = Term("var", place, name=f"$w{self.wildcards}")
            bound = Statement(place, Term("call", place, name="eq", parts=[name, value], infix="="))
            parts.append(Term("setcomprehension", place, parts=[name], body=[bound]))
        return closing.offset + 1

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
