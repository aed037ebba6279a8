"""What libyaml says of a syntax error, in words for people who do not know libyaml."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from maestro.documents import rules
from maestro.documents.show import show_text
from maestro.findings import Rule


@dataclass(frozen=True, slots=True)
class SyntaxProblem:
    """``offset`` in code points of the text the parser was given."""

    rule: Rule
    message: str
    remedy: str | None
    offset: int


_QUOTE = "put the text into quotes"


def explain(error: Any, text: str) -> SyntaxProblem:  # noqa: ANN401 - the errors have no types
    """The problem in an error of the parser (``MarkedYAMLError``) about ``text``."""
    problem = str(error.problem or "")
    context = str(error.context or "")
    mark = error.problem_mark or error.context_mark
    at = min(mark.index, len(text)) if mark is not None else 0
    opened = error.context_mark.index if error.context_mark is not None else at
    char = text[at] if at < len(text) else ""

    def here(message: str, remedy: str | None = None, offset: int = at) -> SyntaxProblem:
        return SyntaxProblem(rules.SYNTAX, message, remedy, offset)

    if char == "\t" and ("cannot start any token" in problem or "violates indentation" in problem):
        return SyntaxProblem(rules.TAB_INDENTATION, "a tab is used for indentation", None, at)
    if "cannot start any token" in problem:
        return here(f"a text cannot begin with {show_text(char)} unless it is in quotes", _QUOTE)
    if "mapping values are not allowed" in problem:
        return _colon(text, at)
    if "could not find expected ':'" in problem:
        return here(
            "this is no `key: value`: the colon is missing", "add `: ` after the key, or check the indentation", opened
        )
    if "end of stream" in problem and "quoted scalar" in context:
        return here("the quotes opened here are never closed", "close the quotes", opened)
    if "document indicator" in problem and "quoted scalar" in context:
        return here("the quotes opened here are not closed before the document ends", "close the quotes", opened)
    if "expected ',' or ']'" in problem:
        return here(
            "the list opened here with `[` is not closed, or a comma is missing in it", "add `]` or `,`", opened
        )
    if "expected ',' or '}'" in problem:
        return here(
            "the mapping opened here with `{` is not closed, or a comma is missing in it", "add `}` or `,`", opened
        )
    if "expected node content" in problem:
        return here("a value is missing here")
    if "did not find expected key" in problem:
        return here(
            "the indentation of this line does not fit the lines above it", "indent it like the keys it belongs to"
        )
    if "expected '-' indicator" in problem:
        return here("this line does not fit the list above it", "begin it with `- `, or check the indentation")
    if "block sequence entries are not allowed" in problem:
        return here("a list item cannot begin here", "begin the list on a line of its own")
    if "unknown escape character" in problem:
        return here(
            f"in double quotes, a backslash before {show_text(char)} means nothing",
            "write `\\\\` for a backslash, or use single quotes",
        )
    if "expected <document start>" in problem:
        return here("something stands after the end of the document", "separate documents with a line of `---`")
    if "undefined tag handle" in problem:
        return here("the tag here has an unknown handle", "remove the tag, or quote a text that begins with `!`")
    return here(f"this is not valid YAML: {problem or context or 'the parser stopped here'}")


_TIGHT = re.compile(r"[ ]*(?:- )?([A-Za-z_][\w-]*):(?![ \t/])\S")
_PAIR = re.compile(r"([ ]*)(?:- )?[^\s#][^#]*:[ ]+[^\s#|>&]")


def _colon(text: str, at: int) -> SyntaxProblem:
    """A colon where none can be: most often it is the line before that went wrong, or this line's indentation."""
    start = text.rfind("\n", 0, at) + 1
    above = start
    line = ""
    while above > 0 and (not line.strip() or line.lstrip().startswith("#")):
        end = above - 1
        above = text.rfind("\n", 0, end) + 1
        line = text[above:end]
    if tight := _TIGHT.match(line):
        after = above + tight.end(1) + 1
        message = f"no space stands after the colon of {show_text(tight[1])}, so this line is no `key: value`"
        return SyntaxProblem(rules.SYNTAX, message, f"write `{tight[1]}: …`, with a space", after)
    pair = _PAIR.match(line)
    indent = len(text[start:at]) - len(text[start:at].lstrip(" "))
    if pair and indent > len(pair[1]):
        message = "this line is indented further than the line above it, which has its value already"
        return SyntaxProblem(rules.SYNTAX, message, "indent it like the line above", start + indent)
    return SyntaxProblem(
        rules.SYNTAX,
        "a `:` stands where no key can be",
        "put the text into quotes when the colon belongs to it; otherwise check the indentation of this line",
        at,
    )
