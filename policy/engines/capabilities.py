"""What Rego may use here: the embedded OPA's own capabilities, minus everything that is not a function of its input.

``capabilities.json`` beside this file is generated from ``opa capabilities --current`` of the pinned version
(``python -m policy.engines.capabilities < opa-capabilities.json > capabilities.json``; a test compares). It is an
allow-list: what conftest adds (``parse_config*`` opens files) is not in OPA's list and so not in ours.
"""

from __future__ import annotations

import json
import sys
from importlib import resources
from typing import Any

OPA_VERSION = "1.22.2"
"""The version whose capabilities are shipped; an older OPA may not know all of them and is refused anyway."""

_OUT = frozenset({"http.send", "opa.runtime", "net.lookup_ip_addr", "time.now_ns", "rand.intn", "uuid.rfc4122"})
"""Never allowed, whatever a future OPA says of them."""


def allowed(current: dict[str, Any]) -> dict[str, Any]:
    """OPA's capabilities without what is nondeterministic, and without any network."""
    builtins = [
        builtin
        for builtin in current["builtins"]
        if not builtin.get("nondeterministic") and builtin["name"] not in _OUT
    ]
    return {**current, "builtins": builtins, "allow_net": []}


def shipped() -> bytes:
    """The bytes of ``capabilities.json``."""
    return resources.files("policy.engines").joinpath("capabilities.json").read_bytes()


def render(current: dict[str, Any]) -> str:
    """The text of ``capabilities.json``: compact, one builtin a line, so that a change of OPA can be reviewed."""
    value = allowed(current)
    lines = [json.dumps(builtin, sort_keys=True, separators=(",", ":")) for builtin in value.pop("builtins")]
    rest = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return '{"builtins":[\n' + ",\n".join(lines) + "\n]," + rest[1:] + "\n"


if __name__ == "__main__":
    sys.stdout.write(render(json.load(sys.stdin)))
