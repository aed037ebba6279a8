"""The builtins that regopy was shown to answer as OPA does, in the conformance run and by the fuzzer.

Their types are OPA's own, from the capabilities. A name that is not here is unsupported. ``GUARDS``: what has to hold
of an argument when it is asked; it is checked by a helper that breaks the input otherwise.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from policy.engines import capabilities

ARITHMETIC = frozenset({"plus", "minus", "mul", "rem", "sum", "product", "abs", "round", "ceil", "floor"})
"""Exact in both engines on whole numbers only."""

ALLOWED = ARITHMETIC | {
    "and", "array.concat", "array.flatten", "array.reverse", "array.slice", "base64.encode", "base64url.encode",
    "base64url.encode_no_pad", "bits.and", "bits.negate", "bits.or", "bits.xor", "concat", "contains", "count",
    "crypto.hmac.equal", "crypto.hmac.md5", "crypto.hmac.sha1", "crypto.hmac.sha256", "crypto.hmac.sha512",
    "crypto.md5", "crypto.sha1", "crypto.sha256", "endswith", "equal", "glob.match", "glob.quote_meta",
    "graph.reachable", "gt", "gte", "hex.encode", "indexof", "internal.member_2", "intersection", "is_array",
    "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string", "lower", "lt", "lte", "neq",
    "numbers.range", "numbers.range_step", "object.filter", "object.get", "object.keys", "object.remove",
    "object.union", "object.union_n", "or", "regex.match", "replace", "split", "sprintf", "startswith",
    "strings.any_prefix_match", "strings.any_suffix_match", "strings.count", "strings.reverse", "substring",
    "time.clock", "time.date", "time.weekday", "to_number", "trim", "trim_left", "trim_prefix", "trim_right",
    "trim_space", "trim_suffix", "type_name", "union", "units.parse", "upper",
}  # fmt: skip

GUARDS: dict[tuple[str, int], str] = {
    ("lt", 0): "order", ("lte", 0): "order", ("gt", 0): "order", ("gte", 0): "order",
    ("array.slice", 0): "array", ("array.slice", 1): "integer", ("array.slice", 2): "integer",
    ("bits.and", 0): "whole", ("bits.and", 1): "whole", ("bits.or", 0): "whole", ("bits.or", 1): "whole",
    ("bits.xor", 0): "whole", ("bits.xor", 1): "whole", ("bits.negate", 0): "whole", ("concat", 1): "array",
    ("indexof", 0): "filled", ("indexof", 1): "filled", ("numbers.range", 0): "integer",
    ("numbers.range", 1): "integer", ("numbers.range_step", 0): "integer", ("numbers.range_step", 1): "integer",
    ("numbers.range_step", 2): "integer", ("replace", 1): "filled", ("strings.count", 1): "filled",
    ("substring", 1): "whole", ("substring", 2): "integer", ("time.clock", 0): "instant",
    ("time.date", 0): "instant", ("time.weekday", 0): "instant", ("to_number", 0): "decimal",
    ("trim", 1): "filled", ("trim_left", 1): "filled", ("trim_right", 1): "filled",
    ("base64.encode", 0): "ascii",
    ("base64url.encode", 0): "ascii",
    ("base64url.encode_no_pad", 0): "ascii",
    ("crypto.md5", 0): "ascii",
    ("crypto.sha1", 0): "ascii",
    ("crypto.sha256", 0): "ascii",
    ("hex.encode", 0): "ascii",
    ("lower", 0): "ascii",
    ("upper", 0): "ascii",
    ("trim_space", 0): "ascii",
    ("units.parse", 0): "ascii",
    ("glob.quote_meta", 0): "ascii",
    ("crypto.hmac.md5", 0): "ascii", ("crypto.hmac.md5", 1): "ascii",
    ("crypto.hmac.sha1", 0): "ascii", ("crypto.hmac.sha1", 1): "ascii",
    ("crypto.hmac.sha256", 0): "ascii", ("crypto.hmac.sha256", 1): "ascii",
    ("crypto.hmac.sha512", 0): "ascii", ("crypto.hmac.sha512", 1): "ascii",
    ("glob.match", 0): "globbed", ("glob.match", 2): "ascii", ("regex.match", 1): "ascii",
}  # fmt: skip


@functools.cache
def declared() -> dict[str, dict[str, Any]]:
    """Name to declaration (``args`` and ``result`` types) of every builtin that a pack may use."""
    listed = json.loads(capabilities.shipped())["builtins"]
    return {builtin["name"]: builtin["decl"] for builtin in listed}
