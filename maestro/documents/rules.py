"""The rules of reading and validating documents: each declared once, ids ``mc.documents/<name>``."""

from __future__ import annotations

import dataclasses

from maestro.findings import Rule

SYNTAX = Rule("mc.documents/syntax", "A file is valid YAML", "repair the YAML at the marked place")
NOT_UTF8 = Rule("mc.documents/not_utf8", "A file is UTF-8", "save the file as UTF-8")
NUL_BYTE = Rule(
    "mc.documents/nul_byte", "A file holds no NUL", "remove the NUL bytes; a binary file does not belong here"
)
CONTROL_CHARACTER = Rule(
    "mc.documents/control_character",
    "A file holds only printable characters",
    'write it as an escape in double quotes, like "\\u0007"',
)
LINE_BREAK = Rule(
    "mc.documents/line_break",
    "A line ends in LF or CRLF",
    'write the character as an escape in double quotes, like "\\u2028"',
)
BYTE_ORDER_MARK = Rule(
    "mc.documents/byte_order_mark", "A file has no byte order mark", "save the file as UTF-8 without BOM", mode="warn"
)
TAB_INDENTATION = Rule("mc.documents/tab_indentation", "Indentation is spaces", "indent with spaces")
TOO_LARGE = Rule("mc.documents/too_large", "A file has a sensible size", "split the file")
TOO_DEEP = Rule("mc.documents/too_deep", "Nesting has a sensible depth", "nest less deeply")
ALIAS_BOMB = Rule("mc.documents/alias_bomb", "Aliases do not explode", "write the values out, or alias less")
UNKNOWN_ALIAS = Rule("mc.documents/unknown_alias", "An alias has its anchor", "write the &anchor before the *alias")
TAG = Rule("mc.documents/tag", "A value has no tag", "remove the tag; quote the value when it is meant as text")
DIRECTIVE = Rule("mc.documents/directive", "A file has no YAML 1.1 or %TAG directive", "remove the directive")
DUPLICATE_KEY = Rule("mc.documents/duplicate_key", "A key stands once", "keep one of them")
MERGE_KEY = Rule("mc.documents/merge_key", "A document does not merge keys", "write the keys out instead of `<<`")
KEY_NOT_TEXT = Rule("mc.documents/key_not_text", "A key is text", "quote the key")
NUMBER = Rule("mc.documents/number", "A number is finite", "write a finite number, or quote it as text")
EMPTY = Rule("mc.documents/empty", "A file holds a document", "write a document, or remove the file", mode="warn")

UNKNOWN_KIND = Rule("mc.documents/unknown_kind", "A document's kind is known", "write one of the known kinds")
UNKNOWN_KEY = Rule("mc.documents/unknown_key", "A key is known", "remove the key, or see `maestro schema`")
MISSING_FIELD = Rule("mc.documents/missing_field", "A required field is there", "add the field")
WRONG_TYPE = Rule("mc.documents/wrong_type", "A value has the right type", "write a value of the type that is said")
BAD_VALUE = Rule("mc.documents/bad_value", "A value is allowed", "write a value of the form that is said")
RELATIVE_TTL = Rule("mc.documents/relative_ttl", "A flag's ttl is a date", "write the date on which the flag ends")

YAML_1_1 = Rule(
    "mc.documents/yaml_1_1",
    "A scalar means the same in YAML 1.1 and 1.2",
    "quote it when it is text, or write it in the form that both read alike",
    mode="warn",
)
MERGE_ORDER = Rule(
    "mc.documents/merge_order",
    "A merge key stands first in its mapping",
    "put `<<` before the other keys of the mapping",
    mode="warn",
)

RULES: tuple[Rule, ...] = tuple(
    dataclasses.replace(value, hides=value.mode == "enforce")
    for value in list(globals().values())
    if isinstance(value, Rule)
)
"""All of them, in the order above. A document with a problem that blocks is judged by nothing else."""
