"""Why a release may not go out, beyond what its parts' own judges say: stable codes, each with what to do next.

A code never changes its meaning and is never used again for another one. docs/verify/reasons.md has a section for each.
"""

from __future__ import annotations

from typing import Final

EMPTY: Final = "release/empty"
NO_POLICY: Final = "release/no-policy"
PART_MISSING: Final = "release/part-missing"
SEVERAL_COMMITS: Final = "release/several-commits"
OTHER_VERSION: Final = "release/other-version"
OTHER_RELEASE: Final = "release/other-release"
UNREADABLE: Final = "release/unreadable"
NOT_JUDGED: Final = "release/not-judged"
VERDICT: Final = "release/verdict"
RUN_NOT_BELIEVED: Final = "release/run-not-believed"
RUN_UNSUCCESSFUL: Final = "release/run-unsuccessful"
RUN_REHEARSED: Final = "release/run-rehearsed"

REASONS: Final[dict[str, tuple[str, str]]] = {
    EMPTY: ("no part is named", "name what is released"),
    NO_POLICY: (
        "nothing at the policy revision says what the release must consist of",
        "name its parts under `releases` in trust.yaml, and merge that",
    ),
    PART_MISSING: ("a part that must be there is not named", "add it to release.yaml"),
    SEVERAL_COMMITS: (
        "its parts come from different commits",
        "build them again from one; `loosen: {several_commits: true}` in trust.yaml does without",
    ),
    OTHER_RELEASE: (
        "a part belongs to another release",
        "name the release as trust.yaml does, or list the part at this one there, too",
    ),
    OTHER_VERSION: (
        "a part was built at the tag of another version",
        "name what was built for this version; `loosen: {any_version: true}` in trust.yaml does without",
    ),
    UNREADABLE: ("a file is not there, or nothing says who is believed", "read the sentence beside it"),
    NOT_JUDGED: ("the part could not be judged: nothing is known about it", "try again"),
    VERDICT: (
        "the verdict is not signed by a listed key, or it blocks, or it was not the default branch that decided",
        "see `maestro check`",
    ),
    RUN_NOT_BELIEVED: (
        "the run, or the ledger's log, does not hold",
        "`maestro receipts verify --run ID --checkpoint FILE` has every objection",
    ),
    RUN_UNSUCCESSFUL: (
        "the run is not complete, or something in it did not succeed",
        "`maestro run --resume ID` completes it",
    ),
    RUN_REHEARSED: ("the run was a rehearsal", "name the run that was none"),
}
"""Code to its title and what to do next."""
