"""What evidence can be wrong about."""

from __future__ import annotations

from maestro.errors import MaestroError, UsageError


class BadEvidence(MaestroError):
    """Evidence that is malformed, altered or signed by nobody we believe. It blocks: exit 10."""

    exit_code = 10


class KeyProblem(UsageError):
    """The signing key is missing, unreadable, of another type, or not one the policy revision lists: exit 2."""
