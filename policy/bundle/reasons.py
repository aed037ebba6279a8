"""Why a bundle is refused: every code once, with what to do. docs/guides/policy-bundles.md lists them."""

from __future__ import annotations

from typing import Final

from maestro.evidence.errors import BadEvidence

BUILD_AGAIN: Final = "get the file again from where it was published; if it is the same, build and sign it again"
REASONS: Final = {
    "archive-size": "it would unpack to more than is allowed; leave out of it what packs do not need",
    "archive-gzip": BUILD_AGAIN,
    "archive-trailing": BUILD_AGAIN,
    "archive-tar": "write it with `maestro policy bundle build` or `opa build`: plain ustar, nothing before or after",
    "archive-entry": "put only regular files into it: no folders, links, devices or extended headers",
    "archive-name": "name every file by its path in the bundle: no `..`, no `./`, no backslash",
    "archive-duplicate": "leave one of the two files out; names that differ only in case count as one",
    "archive-count": "leave out of it what packs do not need",
    "signature-missing": "sign it: `maestro policy bundle sign FILE`",
    "signature-malformed": "sign it again: `maestro policy bundle sign FILE`",
    "signature-algorithm": "sign it with an ECDSA key on P-256 (ES256): nothing else is believed",
    "signature-scope": "sign it without a `scope` claim",
    "signature-wrong": "the list of files was changed after signing: get the file again from where it was published",
    "key-unknown": "believe it only by listing its public key under `bundles` in maestro.yaml, in a reviewed change",
    "key-not-valid": "have it signed again by a key that is valid",
    "file-hash-weak": "sign it with SHA-256, SHA-384 or SHA-512",
    "file-unlisted": "sign it as it is now, if what was added belongs there",
    "file-missing": "get the file again from where it was published",
    "file-altered": "get the file again from where it was published: somebody changed this one after signing",
    "manifest-malformed": "build it with `maestro policy bundle build`",
    "bundle-unknown": "list it under `bundles` in maestro.yaml, or name the bundle that is expected there",
    "expired": "build it again under a higher revision (`--from-revision` keeps the content), and sign that",
    "expiry-too-far": "build it with an earlier `--expires`, or raise `maximum_age_days` in maestro.yaml",
    "revision-too-low": "take the newest; to go back, build the old again: `--from-revision OLD --revision NEW`",
    "revision-reused": "give every content a revision of its own: build it again under a higher one",
    "contents": "build it with `maestro policy bundle build`, of packs that `maestro policy list` finds sound",
    "statement": "keep FILE.sigstore.json beside FILE as `maestro policy bundle sign` wrote both",
}
"""Code to remedy."""


class Refused(BadEvidence):
    """A bundle that is not let in: ``code`` is one of ``REASONS`` and stays the same when words change."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} [{code}]", remedy=REASONS[code])
        self.code = code
