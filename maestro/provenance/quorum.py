"""N of M: how many distinct signers together vouch for an artifact."""

from __future__ import annotations

from collections.abc import Iterable


def distinct(pairs: Iterable[tuple[str, int]]) -> int:
    """The largest number of pairs (signer, place in the policy) of which no two share a signer or a place.

    One key that stands under two ids, or one builder that signs with two certificates, counts once.
    """
    places: dict[str, set[int]] = {}
    for signer, place in pairs:
        places.setdefault(signer, set()).add(place)
    taken: dict[int, str] = {}

    def place_for(signer: str, tried: set[int]) -> bool:
        for place in sorted(places[signer] - tried):
            tried.add(place)
            if place not in taken or place_for(taken[place], tried):
                taken[place] = signer
                return True
        return False

    return sum(place_for(signer, set()) for signer in sorted(places))
