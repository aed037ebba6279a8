"""Merkle trees as in RFC 6962, section 2.1, and the verification of proofs as in RFC 9162, section 2.1. Pure.

A hash is 32 bytes (SHA-256). Sizes and indexes count leaves; ``[start, end)`` are the leaves from start on, before end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

HASH_SIZE = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Subtree = Callable[[int, int], bytes]
"""The hash over the leaves ``[start, end)``."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf that holds ``data``."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node with these two below it."""
    return hashlib.sha256(b"\1" + left + right).digest()


def root(hashes: Iterable[bytes]) -> bytes:
    """The root of the tree with these leaf hashes."""
    edge = Edge()
    for one in hashes:
        edge.push(one)
    return edge.root()


class Edge:
    """The right edge of a tree that grows: the perfect subtrees from left to right, all that a root is made of."""

    def __init__(self) -> None:
        self._subtrees: list[tuple[int, bytes]] = []

    def push(self, hashed: bytes, height: int = 0) -> None:
        """Add a perfect subtree of 2**height leaves; what is there already is a multiple of that many leaves."""
        while self._subtrees and self._subtrees[-1][0] == height:
            hashed = node_hash(self._subtrees.pop()[1], hashed)
            height += 1
        self._subtrees.append((height, hashed))

    def root(self) -> bytes:
        """The root of what was pushed."""
        if not self._subtrees:
            return EMPTY_ROOT
        hashed = self._subtrees[-1][1]
        for _, left in reversed(self._subtrees[:-1]):
            hashed = node_hash(left, hashed)
        return hashed


def split(size: int) -> int:
    """The largest power of two below ``size`` (at least 2): how many leaves lie in the left branch."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """PATH(index, D[size]): from the leaf's sibling up to the root's child.

    Raises:
        ValueError: there is no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    return path[::-1]


def consistency_proof(old: int, size: int, subtree: Subtree) -> list[bytes]:
    """PROOF(old, D[size]): that the tree of ``old`` leaves is the beginning of that of ``size`` leaves.

    Raises:
        ValueError: ``old`` is larger.
    """
    if not 0 <= old <= size:
        raise ValueError(f"a tree of {size} leaves does not begin with one of {old}")
    if old in (0, size):
        return []
    path = []
    start, end = 0, size
    while end != old:
        middle = start + split(end - start)
        if old <= middle:
            path.append(subtree(middle, end))
            end = middle
        else:
            path.append(subtree(start, middle))
            start = middle
    if start > 0:
        path.append(subtree(start, end))
    return path[::-1]


def _hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)


def includes(root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows the leaf hash at ``index`` of the tree (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size or not _hashes(root, leaf, *proof):
        return False
    first, last, hashed = index, size - 1, leaf
    for one in proof:
        if last == 0:
            return False
        if first & 1 or first == last:
            hashed = node_hash(one, hashed)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            hashed = node_hash(hashed, one)
        first, last = first >> 1, last >> 1
    return last == 0 and hashed == root


def continues(old_root: bytes, old: int, root: bytes, size: int, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the tree only grew from ``old`` to ``size`` leaves (RFC 9162, section 2.1.4.2).

    Every tree continues the empty one.
    """
    if old == size:
        return not proof and old_root == root
    if not 0 <= old < size or not _hashes(*proof):
        return False
    if old == 0:
        return not proof
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not proof or not _hashes(old_root, root):
        return False
    first, last = old - 1, size - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old_hash = new_hash = path[0]
    for one in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old_hash, new_hash = node_hash(one, old_hash), node_hash(one, new_hash)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            new_hash = node_hash(new_hash, one)
        first, last = first >> 1, last >> 1
    return last == 0 and old_hash == old_root and new_hash == root
