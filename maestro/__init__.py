"""The ground floor: what every other floor shares. Knows no cloud, no GitHub, no Rego."""

import os

__version__ = "0.1.0"

# pydantic would load plugins of whatever else is installed beside it. Nothing may change how documents are validated
# (and looking for plugins costs 20 ms of every command).
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
