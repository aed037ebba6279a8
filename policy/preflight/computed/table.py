"""Which builtins are computed here, and one answer."""

from __future__ import annotations

from collections.abc import Callable

from policy.preflight.computed import documents, networks, strings, versions
from policy.preflight.computed.values import Unsure, Value

COMPUTED: dict[str, Callable[..., Value]] = {
    "base64.decode": strings.base64_decode,
    "base64.is_valid": strings.base64_is_valid,
    "base64url.decode": strings.base64url_decode,
    "bits.lsh": documents.shift_left,
    "bits.rsh": documents.shift_right,
    "div": documents.divide,
    "format_int": strings.format_int,
    "hex.decode": strings.hex_decode,
    "indexof_n": strings.indexof_n,
    "internal.member_3": documents.member,
    "internal.template_string": strings.template,
    "json.filter": documents.keep,
    "json.is_valid": strings.json_is_valid,
    "json.marshal": strings.marshal,
    "json.marshal_with_options": strings.marshal_with,
    "json.patch": documents.patch,
    "json.remove": documents.remove,
    "json.unmarshal": strings.unmarshal,
    "max": documents.largest,
    "min": documents.smallest,
    "net.cidr_contains": networks.contains,
    "net.cidr_contains_matches": networks.contains_matches,
    "net.cidr_expand": networks.expand,
    "net.cidr_intersects": networks.intersects,
    "net.cidr_is_valid": networks.is_valid,
    "net.cidr_merge": networks.merge,
    "object.subset": documents.subset,
    "semver.compare": versions.semver_compare,
    "semver.is_valid": versions.semver_is_valid,
    "sort": documents.in_order,
    "strings.replace_n": strings.replace_n,
    "strings.split_n": strings.split_n,
    "time.parse_duration_ns": versions.parse_duration,
    "time.parse_rfc3339_ns": versions.parse_rfc3339,
    "units.parse_bytes": strings.parse_bytes,
    "uri.is_valid": strings.uri_is_valid,
    "uri.parse": strings.uri_parse,
    "urlquery.decode": strings.query_decode,
    "urlquery.decode_object": strings.query_decode_object,
    "urlquery.encode": strings.query_encode,
    "urlquery.encode_object": strings.query_encode_object,
    "uuid.parse": versions.uuid_parse,
    "walk": documents.walk,
}


def compute(name: str, arguments: list[Value]) -> Value:
    """The answer, or UNDEFINED.

    Raises:
        Fails: OPA's builtin says it is an error.
        Unsure: nobody has shown what OPA answers.
    """
    try:
        return COMPUTED[name](*arguments)
    except RecursionError as error:
        raise Unsure("a value nested too deeply") from error
