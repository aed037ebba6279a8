"""What is proven once of a root's chain serves nobody else: each attack comes after a good path was remembered."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from maestro.provenance import certificate
from maestro.provenance.reasons import NotProven
from maestro.provenance.trusted_root import Authority, Span
from tests.support.private_sigstore.authority import Authority as Fulcio
from tests.support.private_sigstore.authority import ca_certificate, name, new_key

START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
AT = START + dt.timedelta(days=30)
WORKFLOW = "https://github.com/acme/build/.github/workflows/build.yml@refs/tags/v1"


def fulcio() -> Fulcio:
    return Fulcio(START)


def leaf(authority: Fulcio, at: dt.datetime = AT, uri: str = WORKFLOW) -> x509.Certificate:
    return authority.issue(new_key().public_key(), [x509.UniformResourceIdentifier(uri)], {}, at, None)


def chain(*certificates: x509.Certificate) -> list[Authority]:
    return [Authority(certificates, Span(START, None))]


def proven(authorities: list[Authority], signing: x509.Certificate, at: dt.datetime = AT) -> bool:
    try:
        certificate.verify_path(authorities, signing, [at])
    except NotProven as error:
        assert error.code == "verify/certificate-untrusted"
        return False
    return True


def again(
    old: x509.Certificate,
    key: ec.EllipticCurvePublicKey,
    by: ec.EllipticCurvePrivateKey,
    *,
    end: dt.datetime | None = None,
    extension: x509.ExtensionType | None = None,
) -> x509.Certificate:
    """A certificate with the same names, for and by other keys, until another time or with one extension more."""
    builder = x509.CertificateBuilder().subject_name(old.subject).issuer_name(old.issuer).public_key(key)
    builder = builder.serial_number(old.serial_number).not_valid_before(old.not_valid_before_utc)
    builder = builder.not_valid_after(end or old.not_valid_after_utc)
    for one in old.extensions:
        value = one.value
        if isinstance(value, x509.SubjectKeyIdentifier):
            value = x509.SubjectKeyIdentifier.from_public_key(key)
        elif isinstance(value, x509.AuthorityKeyIdentifier):
            value = x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key())
        builder = builder.add_extension(value, critical=one.critical)
    if extension is not None:
        builder = builder.add_extension(extension, critical=True)
    return builder.sign(by, SHA256())


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "_proven", {})


def test_the_second_certificate_of_an_authority_needs_its_last_step_only() -> None:
    one = fulcio()
    authorities = chain(one.certificate, one.root)
    assert proven(authorities, leaf(one))
    assert len(certificate._proven) == 1
    assert proven(authorities, leaf(one))
    assert proven(authorities, leaf(one, AT + dt.timedelta(days=300)), AT + dt.timedelta(days=300))


def test_anothers_certificate_under_the_same_name() -> None:
    one, forger = fulcio(), fulcio()
    authorities = chain(one.certificate, one.root)
    assert proven(authorities, leaf(one))
    assert not proven(authorities, leaf(forger))


def test_the_same_issuer_under_another_root() -> None:
    one = fulcio()
    assert proven(chain(one.certificate, one.root), leaf(one))
    assert not proven(chain(one.certificate, fulcio().root), leaf(one))


def test_another_issuer_beside_the_same_root() -> None:
    one, forger = fulcio(), fulcio()
    assert proven(chain(one.certificate, one.root), leaf(one))
    assert not proven(chain(forger.certificate, one.root), leaf(forger))


def test_an_issuer_that_nobody_vouches_for_beside_a_root_of_its_name_that_issues_itself() -> None:
    """The root's own certificate is proven without the one before it, which stays unproven."""
    one = fulcio()
    one.certificate, one.key = one.root, one.root_key
    forger_key = new_key()
    beside = again(one.root, forger_key.public_key(), new_key())
    authorities = chain(beside, one.root)
    assert proven(authorities, leaf(one))
    assert certificate._proven == {}
    one.key = forger_key
    assert not proven(authorities, leaf(one))


@pytest.mark.parametrize("which", ["issuer", "root"])
def test_a_chain_that_has_run_out_since(which: str) -> None:
    one, end = fulcio(), AT + dt.timedelta(days=1)
    issuer, root = one.certificate, one.root
    if which == "issuer":
        issuer = again(issuer, one.key.public_key(), one.root_key, end=end)
    else:
        root = again(root, one.root_key.public_key(), one.root_key, end=end)
    authorities = chain(issuer, root)
    assert proven(authorities, leaf(one))
    later = end + dt.timedelta(days=1)
    assert not proven(authorities, leaf(one, later), later)


def test_a_root_that_may_only_name_some() -> None:
    one = fulcio()
    only = x509.NameConstraints([x509.DNSName("acme.example")], None)
    authorities = chain(one.certificate, again(one.root, one.root_key.public_key(), one.root_key, extension=only))

    def named(host: str) -> x509.Certificate:
        return one.issue(new_key().public_key(), [x509.DNSName(host)], {}, AT, None)

    assert proven(authorities, named("acme.example"))
    assert certificate._proven == {}
    assert not proven(authorities, named("evil.example"))


def test_an_issuer_below_the_issuer() -> None:
    """Its path length is 0: it signs no further authority, whoever was proven before."""
    one = fulcio()
    authorities = chain(one.certificate, one.root)
    assert proven(authorities, leaf(one))
    key = new_key()
    below = ca_certificate("below", key, (one.certificate.subject, one.key), START)
    under = Fulcio(START)
    under.certificate, under.key = below, key
    assert not proven(chain(below, one.certificate, one.root), leaf(under))
    assert not proven(authorities, leaf(under))
    assert name("below") == below.subject
