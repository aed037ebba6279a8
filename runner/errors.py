"""What the runner refuses to do."""

from __future__ import annotations

from maestro.errors import MaestroError


class Refused(MaestroError):
    """Everything works, and the answer is no: not merged, changed since, denied, not approved. Exit 10."""

    exit_code = 10
