"""Errors a user can act on. Every one can say what to do next; the class fixes the exit code."""

from __future__ import annotations

from typing import ClassVar


class MaestroError(Exception):
    """Something Maestro can explain.

    Args:
        message: what is wrong, one sentence, no trailing newline.
        remedy: what to do next, or None where nothing can be said.
        where: ``path``, ``path:line`` or ``path:line:column`` (from 1), or None.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str | None = None, where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.where = where


class ToolFailure(MaestroError):
    """The tool itself or something it needs failed (a defect, an outage): exit 1."""


class UsageError(MaestroError):
    """The command line or a configuration file is wrong: exit 2."""

    exit_code = 2


class SelectionError(MaestroError):
    """An explicit name or path matched nothing, or the patterns match nothing at all: exit 3."""

    exit_code = 3
