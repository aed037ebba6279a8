"""Counts as a person says them."""

from __future__ import annotations


def many(count: int, what: str) -> str:
    """``1 receipt``, ``2 receipts``, ``0 receipts``; for nouns that take an s."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
