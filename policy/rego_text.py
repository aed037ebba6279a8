"""What can be read from Rego's text alone: its package, its METADATA blocks, the heads of its top-level rules.

Not a parser: a lexer after OPA's scanner (v1/ast/internal/scanner) and the rule that a head stands at nesting depth 0
where no expression is waiting for an operand. Where in doubt a head is reported: asking an engine for a rule that is
none gives undefined, missing one would be a silent allow. Text that OPA refuses is refused when it is evaluated.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

Kind = Literal["word", "string", "raw", "template", "number", "symbol"]
Shape = Literal["set", "complete", "object", "reference", "function"]

_ALWAYS_WAITING = frozenset({"package", "import", "as", "not", "some", "with"})
"""Words in every version of Rego after which a name is not a head."""
_WAITING_IN_V1 = frozenset({"if", "contains", "in", "every", "and", "or"})
"""Words that are keywords in v1, and ordinary names in v0 unless imported."""
_KEYWORDS = _ALWAYS_WAITING | {"default", "else", "true", "false", "null"}
"""Names of rules only as the first part of a longer reference (``not.a := 1``)."""
_WAITING_SYMBOLS = frozenset("=+-*/%<>!&|,.:([{")
_HEAD_FOLLOWERS = frozenset({"contains", "if", "=", ":", "{", "[", "(", "."})
_SYMBOLS_OF_TWO = frozenset({":=", "==", "!=", "<=", ">="})


@dataclass(frozen=True, slots=True)
class Token:
    """A token with its place: ``offset`` in the text, line and column from 1 (code points), ``depth`` of brackets
    around it, whether it is the first of its line."""

    kind: Kind
    text: str
    offset: int
    line: int
    column: int
    depth: int
    first: bool


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment without its ``#`` and without a trailing carriage return."""

    text: str
    line: int
    column: int
    after: int
    """How many tokens stand before it."""


@dataclass(frozen=True, slots=True)
class Block:
    """A ``# METADATA`` block: its YAML, and the index of the first token after it."""

    yaml: str
    line: int
    """Of the ``# METADATA`` comment; the first line of ``yaml`` is the next one."""
    token: int


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a top-level rule. ``shape``: ``set`` (``deny contains x``, v0 ``deny[x] {``), ``complete``
    (``deny := x``), ``object`` (``deny[k] := v``), ``reference`` (``deny.a contains x``), ``function``."""

    name: str
    shape: Shape
    line: int
    column: int
    default: bool
    token: int
    """Index of its first token (``default``, or the name)."""


@dataclass(frozen=True, slots=True)
class Text:
    """A module as read. ``package`` is None when it does not begin with one; its parts are unquoted."""

    package: tuple[str, ...] | None
    package_token: int | None
    tokens: tuple[Token, ...]
    comments: tuple[Comment, ...]
    blocks: tuple[Block, ...]
    code_digest_text: str
    """The text without comments and empty lines: what evaluation depends on."""


class _Lexer:
    """One pass over the text. ``stack`` holds open brackets; ``T`` and ``R`` are a template's literal part."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 1 if text.startswith("\ufeff") else 0
        self.line = 1
        self.line_start = self.at
        self.stack: list[str] = []
        self.tokens: list[Token] = []
        self.comments: list[Comment] = []
        self.code: list[str] = []
        self.last_line = 0

    def run(self) -> None:
        text = self.text
        end = len(text)
        while self.at < end:
            if self.stack and self.stack[-1] in "TR":
                self._template_part()
                continue
            ch = text[self.at]
            if ch == "\n":
                self._line_of_code_ends()
                self.at += 1
                self.line += 1
                self.line_start = self.at
            elif ch in " \t\r":
                self.code.append(ch)
                self.at += 1
            elif ch == "#":
                stop = text.find("\n", self.at)
                stop = end if stop < 0 else stop
                body = text[self.at + 1 : stop]
                body = body[:-1] if body.endswith("\r") else body
                if "\r" in body:
                    # Engines do not agree on where such a comment ends: what follows may be code to one of them.
                    self.code.append(body)
                self.comments.append(Comment(body, self.line, self._column(), len(self.tokens)))
                self.at = stop
            else:
                self._token(ch)

    def _line_of_code_ends(self) -> None:
        """A line that holds nothing but blanks, or did before its comment was left out, is no line of code."""
        while self.code and self.code[-1] in (" ", "\t"):
            self.code.pop()
        if self.code and self.code[-1] != "\n":
            self.code.append("\n")

    def _column(self) -> int:
        return self.at - self.line_start + 1

    def _token(self, ch: str) -> None:
        text, start = self.text, self.at
        if ch == '"':
            self._emit("string", self._string_end(start))
        elif ch == "`":
            stop = text.find("`", start + 1)
            self._emit("raw", len(text) if stop < 0 else stop + 1)
        elif ch == "$" and text[start + 1 : start + 2] in ('"', "`"):
            self._emit("template", start + 2)
            self.stack.append("T" if text[start + 1] == '"' else "R")
        elif _is_letter(ch):
            stop = start + 1
            while stop < len(text) and (_is_letter(text[stop]) or text[stop].isdecimal()):
                stop += 1
            self._emit("word", stop)
        elif ch.isdecimal():
            self._emit("number", self._number_end(start))
        else:
            self._symbol(ch)

    def _symbol(self, ch: str) -> None:
        if ch in "([{":
            self._emit("symbol", self.at + 1)
            self.stack.append(ch)
            return
        if ch in ")]}":
            if self.stack:
                self.stack.pop()
            self._emit("symbol", self.at + 1)
            return
        two = self.text[self.at : self.at + 2]
        self._emit("symbol", self.at + (2 if two in _SYMBOLS_OF_TWO else 1))

    def _emit(self, kind: Kind, stop: int) -> None:
        first = self.last_line != self.line
        piece = self.text[self.at : stop]
        self.tokens.append(Token(kind, piece, self.at, self.line, self._column(), len(self.stack), first))
        self.code.append(piece)
        self._advance(stop)
        self.last_line = self.line

    def _advance(self, stop: int) -> None:
        newlines = self.text.count("\n", self.at, stop)
        if newlines:
            self.line += newlines
            self.line_start = self.text.rindex("\n", self.at, stop) + 1
        self.at = stop

    def _string_end(self, start: int) -> int:
        text, at = self.text, start + 1
        while at < len(text):
            ch = text[at]
            if ch == '"':
                return at + 1
            if ch == "\n":
                return at
            at += (5 if text[at + 1 : at + 2] == "u" else 2) if ch == "\\" else 1
        return len(text)

    def _number_end(self, start: int) -> int:
        text, at = self.text, start
        while at < len(text):
            ch = text[at]
            exponent = text[at - 1] in "eE" and ch in "+-"
            fraction = ch == "." and text[at + 1 : at + 2].isdecimal()
            if not (ch.isdecimal() or _is_letter(ch) or exponent or fraction):
                break
            at += 1
        return at

    def _template_part(self) -> None:
        """From inside a template string to its end or to the next embedded expression."""
        text, at, plain = self.text, self.at, self.stack[-1] == "T"
        while at < len(text):
            ch = text[at]
            if ch == ('"' if plain else "`"):
                self.stack.pop()
                at += 1
                break
            if plain and ch == "\n":
                self.stack.pop()
                break
            if ch == "{":
                self.stack.append("{")
                at += 1
                break
            if ch == "\\" and plain:
                at += 5 if text[at + 1 : at + 2] == "u" else 2
            elif ch == "\\" and text[at + 1 : at + 2] == "{":
                at += 2
            else:
                at += 1
        at = min(at, len(text))
        self.code.append(text[self.at : at])
        self._advance(at)
        self.last_line = self.line


def _is_letter(ch: str) -> bool:
    return ch == "_" or (ch.isascii() and ch.isalpha())


def _read_package(tokens: list[Token]) -> tuple[str, ...] | None:
    if len(tokens) < 2 or tokens[0].text != "package" or tokens[1].kind != "word":
        return None
    parts = [tokens[1].text]
    at = 2
    while at < len(tokens):
        if tokens[at].text == "." and at + 1 < len(tokens) and tokens[at + 1].kind == "word":
            parts.append(tokens[at + 1].text)
            at += 2
        elif tokens[at].text == "[" and not tokens[at].first and at + 2 < len(tokens) and tokens[at + 2].text == "]":
            key = _unquote(tokens[at + 1])
            if key is None:
                return None
            parts.append(key)
            at += 3
        else:
            break
    return tuple(parts)


def _unquote(token: Token) -> str | None:
    if token.kind == "raw":
        return token.text[1:-1]
    if token.kind != "string":
        return None
    try:
        value = json.loads(token.text, strict=False)
    except ValueError:
        return None
    return value if isinstance(value, str) else None


def is_metadata(comment: Comment) -> bool:
    """Whether OPA takes this comment for the first line of a METADATA block."""
    return comment.column == 1 and comment.text.strip().startswith("METADATA")


def _blocks(comments: list[Comment]) -> list[Block]:
    out, at = [], 0
    while at < len(comments):
        first = comments[at]
        at += 1
        if not is_metadata(first):
            continue
        lines, last = [], first
        while at < len(comments):
            comment = comments[at]
            if comment.column != 1 or comment.line != last.line + 1 or is_metadata(comment):
                break
            lines.append(comment.text.removeprefix(" "))
            last = comment
            at += 1
        out.append(Block("\n".join(lines) + "\n" if lines else "", first.line, last.after))
    return out


def read_text(source: str) -> Text:
    """Read a module's text. Never raises: what is not Rego has no package, or heads that OPA will refuse."""
    lexer = _Lexer(source)
    lexer.run()
    package = _read_package(lexer.tokens)
    return Text(
        package=package,
        package_token=None if package is None else 0,
        tokens=tuple(lexer.tokens),
        comments=tuple(lexer.comments),
        blocks=tuple(_blocks(lexer.comments)),
        code_digest_text="".join(lexer.code),
    )


def heads(text: Text, *, v1: bool) -> list[Head]:
    """Every head of a top-level rule in ``text``, in order, helpers included."""
    out = []
    tokens = text.tokens
    for at, token in enumerate(tokens):
        if token.depth or token.kind != "word" or (text.package is not None and at == 0):
            continue
        default = at > 0 and _is_default(tokens, at - 1)
        if not default and not _may_begin(tokens, at, v1=v1):
            continue
        shape = _shape(tokens, at, v1=v1)
        if shape is not None:
            start = at - 1 if default else at
            out.append(Head(token.text, shape, token.line, token.column, default, start))
    return out


def _is_default(tokens: tuple[Token, ...], at: int) -> bool:
    return tokens[at].text == "default" and not (at and tokens[at - 1].text == ".")


def _may_begin(tokens: tuple[Token, ...], at: int, *, v1: bool) -> bool:
    """Whether the word at ``at`` can begin a statement, judged by what stands before it."""
    if tokens[at].text in (_KEYWORDS | _WAITING_IN_V1 if v1 else _KEYWORDS) and not _goes_on_as_reference(tokens, at):
        return False
    if at == 0:
        return True
    before = tokens[at - 1]
    if before.kind == "symbol":
        return before.text[-1] not in _WAITING_SYMBOLS
    if before.kind != "word" or (at > 1 and tokens[at - 2].text == "."):
        return True
    if before.text in _ALWAYS_WAITING:
        return False
    return not (before.text in _WAITING_IN_V1 and (v1 or not tokens[at].first))


def _goes_on_as_reference(tokens: tuple[Token, ...], at: int) -> bool:
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    return (
        following is not None
        and following.text in (".", "[")
        and following.offset == tokens[at].offset + len(tokens[at].text)
    )


def _shape(tokens: tuple[Token, ...], at: int, *, v1: bool) -> Shape | None:
    following = tokens[at + 1] if at + 1 < len(tokens) else None
    if following is None or (following.first and following.text not in _HEAD_FOLLOWERS | {":="}):
        return "complete"
    name = tokens[at]
    adjacent = following.offset == name.offset + len(name.text)
    if following.text == "(" and adjacent:
        return "function"
    if following.text == ".":
        return "reference"
    if following.text == "[" and adjacent:
        return _bracket_shape(tokens, at + 1, v1=v1)
    if following.text == "contains":
        return "set"
    if following.text in ("=", ":=", "if", "{"):
        return "complete"
    return None


def _bracket_shape(tokens: tuple[Token, ...], opening: int, *, v1: bool) -> Shape:
    """The shape of ``name[…]…``: v0's partial set, an object, or a longer reference."""
    closing = opening + 1
    while closing < len(tokens) and not (tokens[closing].text == "]" and tokens[closing].depth == 0):
        closing += 1
    after = tokens[closing + 1] if closing + 1 < len(tokens) else None
    if after is not None and after.text in (".", "[", "contains") and after.offset == tokens[closing].offset + 1:
        return "reference"
    if after is not None and after.text == "contains":
        return "reference"
    if after is not None and after.text in ("=", ":="):
        return "object"
    return "object" if v1 else "set"
