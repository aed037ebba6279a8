"""Text from documents, made safe to look at: nothing in it can move the cursor, reorder the line or hide."""

from __future__ import annotations

import re
import unicodedata

TAB_WIDTH = 4

_SPECIAL = re.compile(r"[^\x20-\x7e]")
_LOG_COMMAND = re.compile(r"(##[A-Za-z]*)\[")
_LINE_COMMAND = re.compile(r"^((?:\x1b\[[0-9;]*m|[^\S\n])*)::", re.MULTILINE)
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def visible_character(character: str) -> str:
    """The character itself, or an escape when it is a control, a format character (bidi overrides, zero-width) or a
    surrogate. A byte that was not UTF-8 (a surrogate escape) comes out as that byte: ``\\xff``."""
    code = ord(character)
    if unicodedata.category(character) not in _HIDDEN and code & 0xFFFE != 0xFFFE:
        return character
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def visible(text: str) -> str:
    """One line: line breaks, tabs and everything that cannot be seen become escapes."""
    return _SPECIAL.sub(lambda match: visible_character(match.group()), text)


def visible_lines(text: str) -> list[str]:
    """As :func:`visible`, line breaks kept as lines and tabs as spaces. At least one line."""
    lines = text.replace("\r\n", "\n").split("\n")
    return [visible(line.replace("\t", " " * TAB_WIDTH)) for line in lines]


def shorten(text: str, limit: int) -> str:
    """At most about ``limit`` characters; what was left out is counted, never cut silently."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}… ({len(text) - limit:,} more characters)"


def well_formed(text: str) -> str:
    """Surrogates replaced by escapes, everything else as it is: what JSON readers in other languages accept."""
    return re.sub("[\ud800-\udfff]", lambda match: visible_character(match.group()), text)


def without_log_commands(text: str) -> str:
    """Output that a build log may show without obeying it.

    GitHub's runner obeys ``::command::`` at the start of a line (white space before it ignored) and ``##[command]``
    *anywhere* in a line; Azure's and TeamCity's agents know ``##vso[`` and ``##teamcity[``. A backslash breaks each.
    """
    return _LINE_COMMAND.sub(r"\1\\::", _LOG_COMMAND.sub(r"\1\\[", text))
