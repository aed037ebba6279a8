"""Rego of ours beside a pack: each function gives its argument back, or breaks the input where engines would differ.

Breaking is an error of a builtin, which regopy's strict mode reports; nothing here can become undefined instead.
"""

from __future__ import annotations

from collections.abc import Iterable

from policy.preflight.ordering import PREFIX

_BREAK = ' else := v if {\n\tv := to_number("unsupported")\n}'
_ORDERED_TEXT = "`^[#-Z^-~]*$`"
"""Without blank and `!`: regopy compares text with its closing quote, which sorts after them."""

_INTEGER = "floor(x) == x\n\tx <= 9007199254740992\n\tx >= -9007199254740992"
"""Both engines compute exactly with whole numbers up to 2^53."""

_CALL = "\tcall := [name, args]\n\tkey := crypto.md5(json.marshal(call))\n\tnear := substring(key, 0, 2)\n"
ASKED = (
    "asks(near, key, call) := false if {\n\tentry := input[near][key]\n\tentry[0] == call\n} else := v if {\n"
    '\tprint([key, call])\n\tv := to_number("unsupported")\n}\n\n'
    f"asked(name, args) := v if {{\n{_CALL}\tentry := input[near][key]\n\tentry[0] == call\n\tv := entry[1]\n"
    f"}} else := v if {{\n{_CALL}\tv := asks(near, key, call)\n\tv == true\n}}"
)
"""A computed call: its value from what stands beside the input, undefined if nothing stands in its entry, else the
question."""

_HELPERS = {
    "text": ["text(x) := x if {\n\tis_string(x)\n}"],
    "ascii": ["ascii(x) := x if {\n\tis_string(x)\n\tregex.match(`^[ !#-Z^-~\\[\\]]*$`, x)\n}"],
    "globbed": ["globbed(x) := x if {\n\tis_string(x)\n\tregex.match(`^[A-Za-z0-9@:/_.*? -]*$`, x)\n}"],
    "integer": [f"integer(x) := x if {{\n\tis_number(x)\n\t{_INTEGER}\n}}"],
    "integers": [
        "integers(x) := x if {\n\tis_array(x)\n\tall := {k |\n\tsome k\n\tv := x[k]\n}\n\tgood := {k |\n\tsome k\n"
        f"\ty := x[k]\n\tis_number(y)\n\t{_INTEGER.replace('x', 'y')}\n}}\n\tall == good\n}}"
    ],
    "array": ["array(x) := x if {\n\tis_array(x)\n}"],
    "key": ["key(x) := x if {\n\tis_string(x)\n} else := x if {\n\tis_number(x)\n}"],
    "scalar": [f"scalar(x) := x if {{\n\tis_string(x)\n}} else := x if {{\n\tis_number(x)\n\t{_INTEGER}\n}}"],
    "filled": ['filled(x) := x if {\n\tis_string(x)\n\tx != ""\n}'],
    "decimal": ["decimal(x) := x if {\n\tis_string(x)\n\tregex.match(`^(0|[1-9][0-9]{0,14})$`, x)\n}"],
    "whole": [f"whole(x) := x if {{\n\tis_number(x)\n\t{_INTEGER}\n\tx >= 0\n}}"],
    "instant": ["instant(x) := x if {\n\tis_number(x)\n\tfloor(x) == x\n\tx >= 0\n\tx < 9000000000000000000\n}"],
    "collection": [
        "collection(x) := true if {\n\tis_array(x)\n} else := true if {\n\tis_object(x)\n} else := true if {\n\tis_set(x)\n}"  # noqa: E501
    ],
    "order": [
        "order(x, y) := true if {\n\tis_number(x)\n\tis_number(y)\n} else := true if {\n\tis_string(x)\n\tis_string(y)\n"  # noqa: E501
        f"\tregex.match({_ORDERED_TEXT}, x)\n\tregex.match({_ORDERED_TEXT}, y)\n}}"
    ],
    "ordered": [
        "ordered(x) := x if {\n\tis_array(x)\n} else := x if {\n\tnot is_array(x)\n\tnot is_object(x)\n\tnot is_set(x)\n"  # noqa: E501
        "} else := x if {\n\tall := {k |\n\tsome k\n\tv := x[k]\n}\n\tgood := {k |\n\tsome k\n\tv := x[k]\n\tis_string(k)\n"  # noqa: E501
        f"\tregex.match({_ORDERED_TEXT}, k)\n}}\n\tall == good\n}}"
    ],
}
_NEEDS = dict.fromkeys(_HELPERS, _BREAK)


def module(wanted: Iterable[str]) -> str:
    """The module that defines these."""
    rules = [ASKED if name == "asked" else _HELPERS[name][0] + _NEEDS[name] for name in sorted(wanted)]
    return f"package {PREFIX}\n\n" + "\n\n".join(rules) + "\n"
