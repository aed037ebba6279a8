"""The parser under everything: libyaml's events through PyYAML's C extension.

libyaml 0.2.5 is wanted: the older one within ruamel.yaml.clib refuses ``[db.acme.example:5432]`` and
``{from: env:DB_URL}``. PyYAML's own classes that build objects are used nowhere.
"""

from __future__ import annotations

from maestro.errors import ToolFailure

try:
    from yaml._yaml import CParser
except ImportError as error:
    raise ToolFailure(
        "PyYAML is installed without its C parser",
        remedy="install a wheel of it: `pip install --only-binary :all: PyYAML`",
    ) from error

from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)
from yaml.reader import ReaderError

__all__ = [
    "AliasEvent",
    "CParser",
    "DocumentEndEvent",
    "DocumentStartEvent",
    "MappingEndEvent",
    "MappingStartEvent",
    "MarkedYAMLError",
    "ReaderError",
    "ScalarEvent",
    "SequenceEndEvent",
    "SequenceStartEvent",
    "StreamEndEvent",
    "StreamStartEvent",
    "YAMLError",
]
