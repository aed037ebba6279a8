"""Why an artifact is not proven: one stable code for each reason, in the order in which things are looked at.

A code never changes its meaning and is never used again for another one. docs/verify/reasons.md has a section for each.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from maestro.evidence.errors import BadEvidence

Stage = Literal[
    "image",
    "bundle",
    "certificate",
    "log",
    "timestamp",
    "envelope",
    "statement",
    "subject",
    "predicate",
    "expectations",
    "summary",
]


class Reason(NamedTuple):
    """A row: the stage that finds it, what it means in one line, what to do next."""

    stage: Stage
    title: str
    remedy: str


_AGAIN = "sign again with a current cosign or actions/attest, and download the bundle whole"
_FORGED = "do not use the artifact: ask whoever published it, and compare with where it was first published"
_REBUILD = "build and attest it again where the policy allows"
_POLICY = "if this is meant, change trust.yaml through a reviewed change"
_ROOT = "if the instance is to be believed, add its trusted root to trust.yaml with its digest"
_LIES = "do not use the image: the registry, or something on the way to it, cannot be relied on"
_PUSH = "attest it again with a current cosign or actions/attest (`push-to-registry: true`)"
_AFRESH = "verify the artifact itself, or have its verifier do so again"
_OTHER = "name the bundle that belongs to this file"

REASONS: dict[str, Reason] = {
    # image: what a registry sends
    "verify/image-unanswered": Reason("image", "the registry cannot be asked: nothing is known", "try again later"),
    "verify/image-missing": Reason("image", "the registry has no such image", "check the name"),
    "verify/image-digest": Reason("image", "the registry sends other bytes than the digest says", _LIES),
    "verify/image-manifest": Reason("image", "the manifest has no single meaning", "push the image again"),
    "verify/image-too-large": Reason("image", "the registry sends more than is read", _LIES),
    "verify/image-redirect": Reason("image", "the registry redirects to where it must not", _LIES),
    "verify/image-listing": Reason("image", "the list of attestations is malformed or has no end", _LIES),
    "verify/image-subject": Reason("image", "the attestation was attached to another image", _PUSH),
    "verify/image-attestation": Reason("image", "the attestation's form is not one that is known", _PUSH),
    "verify/image-unattested": Reason("image", "no attestation lies beside the image", _PUSH),
    "verify/image-platforms": Reason("image", "a platform of the image cannot be told", "build the index again"),
    # bundle
    "verify/bundle-malformed": Reason("bundle", "the bundle is not one JSON document with one meaning", _AGAIN),
    "verify/bundle-too-large": Reason("bundle", "the bundle is larger than any real one", _OTHER),
    "verify/bundle-version": Reason("bundle", "the bundle's format is not one that is known", _AGAIN),
    "verify/bundle-form": Reason("bundle", "a field of the bundle is missing or malformed", _AGAIN),
    "verify/bundle-ambiguous": Reason("bundle", "the bundle says one thing twice", _AGAIN),
    "verify/bundle-root-certificate": Reason("bundle", "the bundle brings its own root of trust", _AGAIN),
    # certificate, key
    "verify/certificate-malformed": Reason("certificate", "the certificate cannot be read", _AGAIN),
    "verify/certificate-untrusted": Reason("certificate", "no root in trust.yaml issued the certificate", _ROOT),
    "verify/certificate-authority-retired": Reason(
        "certificate", "the authority was not in service when the certificate was used", _REBUILD
    ),
    "verify/certificate-expired": Reason("certificate", "signed while the certificate was not valid", _REBUILD),
    "verify/certificate-profile": Reason("certificate", "the certificate is not one for signing code", _AGAIN),
    "verify/certificate-not-logged": Reason(
        "certificate", "no certificate log vouches for the certificate", "do not use it: a hidden certificate"
    ),
    "verify/key-unknown": Reason("certificate", "the key is not one that trust.yaml lists", _POLICY),
    "verify/key-not-valid": Reason("certificate", "the key was not valid, or is revoked", "sign with a valid key"),
    # log
    "verify/log-missing": Reason("log", "the signature is in no transparency log", "sign it with a log"),
    "verify/log-unknown": Reason("log", "the log is none of the root's", _ROOT),
    "verify/log-retired": Reason("log", "the log's key was not in service at that time", _REBUILD),
    "verify/log-promise": Reason("log", "the log's promise is not signed by the log", _FORGED),
    "verify/log-checkpoint": Reason("log", "the log's checkpoint is not signed by the log", _FORGED),
    "verify/log-inclusion": Reason("log", "the entry is not in the log that the checkpoint describes", _FORGED),
    "verify/log-other-entry": Reason("log", "the log entry is that of another signature", _FORGED),
    "verify/log-entry-kind": Reason("log", "the log entry is of a kind that is not known", _AGAIN),
    # timestamps
    "verify/timestamp-missing": Reason("timestamp", "nobody says when it was signed", "sign it with a timestamp"),
    "verify/timestamp-untrusted": Reason("timestamp", "the timestamp is none of the root's authorities'", _ROOT),
    "verify/timestamp-malformed": Reason("timestamp", "the timestamp cannot be read", _AGAIN),
    "verify/timestamp-future": Reason("timestamp", "signed at a time that is yet to come", "set the clocks right"),
    # envelope
    "verify/signature-invalid": Reason("envelope", "the signature is not over this content", _FORGED),
    "verify/signature-algorithm": Reason(
        "envelope", "the signature's algorithm is not accepted", "sign with ECDSA P-256"
    ),
    "verify/payload-type": Reason("envelope", "what was signed is not a statement", "attest it: `actions/attest`"),
    "verify/second-opinion": Reason(
        "envelope", "sigstore-python refuses what our own checks accept", "report it: one of the two is wrong"
    ),
    # statement, subject
    "verify/statement-malformed": Reason("statement", "the signed statement has no single meaning", _AGAIN),
    "verify/statement-version": Reason("statement", "the statement's version is not accepted", _AGAIN),
    "verify/statement-missing": Reason("statement", "only the file is signed; nothing is said about it", _POLICY),
    "verify/subject-mismatch": Reason("subject", "the statement is about other content", _OTHER),
    "verify/subject-weak-digest": Reason("subject", "the subject has no SHA-256 digest", _REBUILD),
    # predicate
    "verify/predicate-type": Reason("predicate", "the statement is of another kind than the policy wants", _POLICY),
    "verify/predicate-malformed": Reason("predicate", "the provenance lacks what its type must have", _REBUILD),
    "verify/predicate-contradiction": Reason("predicate", "provenance and certificate tell two stories", _FORGED),
    # expectations
    "verify/no-policy": Reason("expectations", "no entry of trust.yaml is about this artifact", _POLICY),
    "verify/issuer": Reason("expectations", "another issuer vouches for the identity", _POLICY),
    "verify/builder": Reason("expectations", "built by another builder than the policy names", _POLICY),
    "verify/builder-ref": Reason("expectations", "the builder ran at a ref that the policy does not allow", _POLICY),
    "verify/level": Reason("expectations", "the builder's SLSA level is too low", _POLICY),
    "verify/repository": Reason("expectations", "built from another repository", _POLICY),
    "verify/repository-id": Reason("expectations", "the repository has the name, but is another one", _FORGED),
    "verify/ref": Reason("expectations", "built from a ref that the policy does not allow", _POLICY),
    "verify/pull-request": Reason("expectations", "built from a pull request", _REBUILD),
    "verify/trigger": Reason("expectations", "built on an event that the policy does not allow", _POLICY),
    "verify/runner": Reason("expectations", "built on a machine that somebody else keeps", _POLICY),
    "verify/external-parameters": Reason("expectations", "built with parameters that nobody allowed", _POLICY),
    "verify/too-old": Reason("expectations", "signed too long ago", _REBUILD),
    "verify/signers": Reason("expectations", "too few distinct signers", "have the others sign, too"),
    # summary: what somebody else has verified
    "verify/summary-signer": Reason("summary", "nobody whose summaries are believed has signed it", _POLICY),
    "verify/summary-verifier": Reason("summary", "the summary comes from another verifier", _POLICY),
    "verify/summary-resource": Reason("summary", "the summary is about another resource", _AFRESH),
    "verify/summary-policy": Reason("summary", "it was verified by another policy", _AFRESH),
    "verify/summary-failed": Reason("summary", "the summary does not say that it was proven", _AFRESH),
    "verify/summary-level": Reason("summary", "the summary's SLSA level is too low", _POLICY),
    "verify/summary-future": Reason("summary", "verified at a time that is yet to come", "set the clocks right"),
    "verify/summary-too-old": Reason("summary", "verified too long ago", _AFRESH),
}


class NotProven(BadEvidence):
    """One bundle does not prove what it is for; ``code`` says why. ``remedy``: where more is known."""

    def __init__(self, code: str, message: str, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy or REASONS[code].remedy)
        self.code = code

    @property
    def stage(self) -> Stage:
        """The stage that found it."""
        return REASONS[self.code].stage
