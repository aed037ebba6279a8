"""The guide lists every reason code, in the code's order and words."""

from __future__ import annotations

from policy.bundle.reasons import REASONS
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs/guides/policy-bundles.md").read_text("utf-8")
MEANING = {
    "archive-size": "larger than 64 MiB, or made to explode when unpacked",
    "archive-gzip": "not a gzip file, or cut off or damaged",
    "archive-trailing": "bytes or a second gzip member behind the end",
    "archive-tar": "not a plain ustar archive, or something stands between its files",
    "archive-entry": "a link, folder, device or extended header in it",
    "archive-name": "a name with `..`, `.`, an empty part, a backslash or a control character",
    "archive-duplicate": "two names that some reader takes for one",
    "archive-count": "more than 10,000 files",
    "signature-missing": "it is not signed",
    "signature-malformed": "not exactly one plain JWS, or its list of files is odd",
    "signature-algorithm": "the header says something else than ES256",
    "signature-scope": "it was signed for another use",
    "signature-wrong": "the signature is not that of the key it names",
    "key-unknown": "no key listed for this bundle has signed it",
    "key-not-valid": "the key was out of its time, or is revoked",
    "file-hash-weak": "a file is listed with MD5, SHA-1 or the like",
    "file-unlisted": "a file is not in the signed list",
    "file-missing": "a signed file is not there",
    "file-altered": "a file is not as it was signed",
    "manifest-malformed": "`.manifest` is not there or not ours",
    "bundle-unknown": "it is another bundle than the one that is expected",
    "expired": "its last day is over",
    "expiry-too-far": "its last day lies further ahead than `maximum_age_days`",
    "revision-too-low": "a lower revision than `minimum_revision` or than the last one seen",
    "revision-reused": "its revision stood for another content before",
    "contents": "its packs are not those of its manifest, or OPA would load something else",
    "statement": "the statement beside it is not about it, or says something else",
}


def table() -> str:
    rows = [f"| `{code}` | {MEANING[code]} | {remedy} |" for code, remedy in REASONS.items()]
    return "\n".join(["| code | what is wrong | what to do |", "|---|---|---|", *rows])


def test_the_page_lists_every_code() -> None:
    assert list(MEANING) == list(REASONS)
    assert table() in PAGE
