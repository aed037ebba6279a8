"""Merkle trees: the published vectors, and a naive implementation straight from the definitions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.ledger import merkle

# transparency-dev/merkle: rfc6962/rfc6962_test.go, proof/verify_test.go (the test data of Certificate Transparency).
LEAVES = tuple(
    map(
        bytes.fromhex,
        ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
)
ROOTS = tuple(
    map(
        bytes.fromhex,
        (
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ),
    )
)
A, B, C, D, E, F, G = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
)
INCLUSION = [
    (0, 1, []),
    (0, 8, [A, B, C]),
    (5, 8, [D, E, F]),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (1, 5, ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", B, D]),
]
CONSISTENCY = [
    (1, 1, []),
    (1, 8, [A, B, C]),
    (6, 8, [G, E, F]),
    (2, 5, [B, D]),
    (6, 7, [G, "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f", F]),
]
SOME = bytes.fromhex("abacaba000000000000000000000000000000000000000000060061e00123456")


def test_the_hashes_of_rfc_6962() -> None:
    assert merkle.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert merkle.leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert merkle.leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    node = merkle.node_hash(b"N123", b"N456")
    assert node.hex() == "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_the_published_leaves(size: int) -> None:
    expected = ROOTS[size - 1] if size else merkle.EMPTY_ROOT
    assert merkle.root(map(merkle.leaf_hash, LEAVES[:size])) == expected


def subtree_of(leaves: Sequence[bytes]) -> merkle.Subtree:
    return lambda start, end: naive_root(leaves[start:end])


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH, RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return merkle.EMPTY_ROOT
    if len(leaves) == 1:
        return merkle.leaf_hash(leaves[0])
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return merkle.node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH, RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(old: int, leaves: Sequence[bytes], complete: bool = True) -> list[bytes]:
    """SUBPROOF, RFC 6962, section 2.1.2."""
    if old == len(leaves):
        return [] if complete else [naive_root(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if old <= k:
        return [*naive_proof(old, leaves[:k], complete), naive_root(leaves[k:])]
    return [*naive_proof(old - k, leaves[k:], False), naive_root(leaves[:k])]


@pytest.mark.parametrize(("index", "size", "path"), INCLUSION)
def test_the_published_inclusion_proofs(index: int, size: int, path: list[str]) -> None:
    proof = [bytes.fromhex(one) for one in path]
    leaf, root = merkle.leaf_hash(LEAVES[index]), ROOTS[size - 1]
    assert merkle.inclusion_proof(index, size, subtree_of(LEAVES[:size])) == proof
    assert merkle.includes(root, size, index, leaf, proof)
    wrong = [
        (root, size, index - 1, leaf, proof),
        (root, size, index + 1, leaf, proof),
        (root, size, index ^ 2, leaf, proof),
        (root, size * 2, index, leaf, proof),
        (root, size // 2, index, leaf, proof),
        (root, size, index, b"WrongLeaf", proof),
        (merkle.EMPTY_ROOT, size, index, leaf, proof),
        (SOME, size, index, leaf, proof),
        (root, size, index, leaf, [*proof, b""]),
        (root, size, index, leaf, [*proof, root]),
        (root, size, index, leaf, [b"", *proof]),
        (root, size, index, leaf, [root, *proof]),
        *(
            (root, size, index, leaf, [*proof[:at], bytes([proof[at][0] ^ 8]) + proof[at][1:], *proof[at + 1 :]])
            for at in range(len(proof))
        ),
        *([(root, size, index, leaf, proof[:-1])] if proof else []),
        *([(root, size, index, leaf, [proof[0], SOME, *proof[1:]])] if len(proof) > 1 else []),
    ]
    assert [one for one in wrong if merkle.includes(*one)] == []


@pytest.mark.parametrize(("old", "size", "path"), CONSISTENCY)
def test_the_published_consistency_proofs(old: int, size: int, path: list[str]) -> None:
    proof = [bytes.fromhex(one) for one in path]
    first, second = ROOTS[old - 1], ROOTS[size - 1]
    assert merkle.consistency_proof(old, size, subtree_of(LEAVES[:size])) == proof
    assert merkle.continues(first, old, second, size, proof)
    if not proof:
        return
    wrong = [
        (first, old - 1, second, size, proof),
        (first, old + 1, second, size, proof),
        (first, old ^ 2, second, size, proof),
        (first, old, second, size * 2, proof),
        (first, old, second, size // 2, proof),
        (b"WrongRoot", old, second, size, proof),
        (first, old, b"WrongRoot", size, proof),
        (second, old, first, size, proof),
        (first, old, second, size, []),
        *((first, old, second, size, [*proof, more]) for more in (b"", first, second)),
        *((first, old, second, size, [more, *proof]) for more in (b"", first, second, proof[0])),
        (first, old, second, size, proof[:-1]),
        *(
            (first, old, second, size, [*proof[:at], bytes([proof[at][0] ^ 16]) + proof[at][1:], *proof[at + 1 :]])
            for at in range(len(proof))
        ),
    ]
    assert [one for one in wrong if merkle.continues(*one)] == []


R1, R2 = b"don't care 1", b"don't care 2"


@pytest.mark.parametrize(
    ("old", "size", "first", "second", "proof", "holds"),
    [
        (0, 0, R1, R2, [], False),
        (1, 1, R1, R2, [], False),
        (0, 0, R1, R1, [], True),
        (0, 1, R1, R2, [], True),
        (1, 1, R2, R2, [], True),
        (1, 0, R1, R2, [], False),
        (2, 1, R1, R2, [], False),
        (1, 2, R1, R2, [], False),
        (0, 0, merkle.EMPTY_ROOT, R2, [], False),
        (1, 1, merkle.EMPTY_ROOT, R2, [], False),
        (0, 0, merkle.EMPTY_ROOT, merkle.EMPTY_ROOT, [merkle.EMPTY_ROOT], False),
        (0, 1, merkle.EMPTY_ROOT, merkle.EMPTY_ROOT, [merkle.EMPTY_ROOT], False),
        (1, 1, merkle.EMPTY_ROOT, merkle.EMPTY_ROOT, [merkle.EMPTY_ROOT], False),
    ],
)
def test_the_published_borders_of_consistency(
    old: int, size: int, first: bytes, second: bytes, proof: list[bytes], holds: bool
) -> None:
    assert merkle.continues(first, old, second, size, proof) is holds


@given(st.lists(st.binary(max_size=4), min_size=1, max_size=70), st.data())
def test_as_the_definitions_have_it(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    root = naive_root(leaves)
    assert merkle.root(map(merkle.leaf_hash, leaves)) == root
    index = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion_proof(index, size, subtree_of(leaves))
    assert path == naive_path(index, leaves)
    assert merkle.includes(root, size, index, merkle.leaf_hash(leaves[index]), path)
    old = data.draw(st.integers(1, size))
    proof = merkle.consistency_proof(old, size, subtree_of(leaves))
    assert proof == naive_proof(old, leaves)
    assert merkle.continues(naive_root(leaves[:old]), old, root, size, proof)
    other = naive_root([*leaves[: old - 1], leaves[old - 1] + b"!"])
    assert not merkle.continues(other, old, root, size, proof)


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(-1, 40),
    st.integers(-1, 40),
    st.lists(st.binary(min_size=32, max_size=32), max_size=6),
)
def test_a_made_up_proof_shows_nothing(value: bytes, one: int, other: int, proof: list[bytes]) -> None:
    assert not merkle.includes(value, other, one, SOME, proof) or (proof == [] and value == SOME)
    assert not merkle.continues(SOME, one, value, other, proof) or one == 0 or (one == other and value == SOME)


def test_there_is_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(ValueError, match="no leaf 3"):
        merkle.inclusion_proof(3, 3, subtree_of(LEAVES))
    with pytest.raises(ValueError, match="does not begin"):
        merkle.consistency_proof(4, 3, subtree_of(LEAVES))
