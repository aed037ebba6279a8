"""Where N of M have to sign, one key signs once: under two names, in two files, twice in one file."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from in_toto.models.layout import Layout
from in_toto.models.metadata import Metablock

from maestro.chain.reasons import ChainRefused
from maestro.chain.verify import verify_chain
from maestro.config import TrustedKey
from maestro.evidence import bundle
from maestro.evidence.errors import BadEvidence, KeyProblem
from maestro.evidence.trust import trust_of
from maestro.provenance import trusted_root
from maestro.provenance.authenticate import Believed
from maestro.provenance.trust_policy import Artifact, Builder, TrustPolicy
from maestro.provenance.verify import Evidence, Subject, Verification, verify
from policy.bundle.archive_reading import read as read_archive
from policy.bundle.reasons import Refused
from policy.bundle.signatures import SIGNATURES
from tests.maestro.chain import chains
from tests.maestro.evidence import keys, test_verify
from tests.maestro.provenance.refusals import NOW, RUN, SHA256, SIGSTORE, entry
from tests.policy.bundle import bundles
from tests.support.private_sigstore.instance import Signer
from tests.support.private_sigstore.workflow import Run, statement

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # in-toto recording

OTHER = replace(RUN, signer="acme/build/.github/workflows/second.yml@refs/tags/v3")
FIRST, SECOND = entry().builders[0], Builder(builder="other", issuer=OTHER.issuer, identity=OTHER.signer_uri)


def signed(run: Run) -> bytes:
    """Provenance with a certificate and a key of its own."""
    return json.dumps(SIGSTORE.attest(statement(run.provenance_v1(), SHA256), SIGSTORE.signer(run))).encode()


def judged(given: Sequence[bytes], asks: Artifact, *kept: TrustedKey) -> Verification:
    root = trusted_root.load(json.dumps(SIGSTORE.trusted_root()).encode(), name="private", where="root.json")
    policy = TrustPolicy(apiVersion="maestro-conductor/v1", kind="TrustPolicy", artifacts=(asks,))
    evidence = [Evidence(f"{number}.json", data) for number, data in enumerate(given)]
    [found] = verify([Subject("api.tar.gz", SHA256)], evidence, policy, Believed([root], trust_of(kept)), NOW)
    return found


def two_of(*builders: Builder) -> Artifact:
    return entry(builders=builders, signers=2, minimum_level=1)


def refused(found: Verification) -> str:
    assert found.problem is not None
    assert found.problem.message.startswith("1 of 2 distinct signers")
    return found.problem.code


def test_two_builders_are_two() -> None:
    found = judged([signed(RUN), signed(OTHER)], two_of(FIRST, SECOND))
    assert found.proven, found.problem


def test_one_builder_with_two_certificates_is_one() -> None:
    assert refused(judged([signed(RUN), signed(RUN)], two_of(FIRST, SECOND))) == "verify/signers"


def test_one_bundle_handed_in_twice_is_one() -> None:
    once = signed(RUN)
    assert refused(judged([once, once], two_of(FIRST, SECOND))) == "verify/signers"


def test_one_builder_that_two_entries_mean_is_one() -> None:
    again = Builder(builder="other", issuer=RUN.issuer, identity=RUN.signer_uri)
    assert refused(judged([signed(RUN), signed(RUN)], two_of(FIRST, again))) == "verify/signers"


def test_two_builders_that_one_entry_means_are_one() -> None:
    later = replace(RUN, signer=RUN.signer.replace("@refs/tags/v3", "@refs/tags/v4"))
    assert refused(judged([signed(RUN), signed(later)], two_of(FIRST, SECOND))) == "verify/signers"


def listed(name: str, key: str) -> TrustedKey:
    since = NOW - dt.timedelta(days=90)
    return TrustedKey(id=name, public_key=keys.signer(key).public_key_pem, valid_from=since)


def by_key(key: str) -> bytes:
    signer = Signer(keys.private_key(key), None)
    return json.dumps(SIGSTORE.attest(statement(RUN.provenance_v1(), SHA256), signer)).encode()


def test_a_managed_key_signs_once() -> None:
    asks = two_of(Builder(builder="other", key="a"), Builder(builder="other", key="b"))
    kept = listed("a", "first"), listed("b", "second")
    found = judged([by_key("first"), by_key("second")], asks, *kept)
    assert found.proven, found.problem
    assert refused(judged([by_key("first"), by_key("first")], asks, *kept)) == "verify/signers"


def test_a_managed_key_under_two_names_is_refused_before_it_is_asked() -> None:
    with pytest.raises(KeyProblem, match="'a' and 'b' are one key"):
        trust_of([listed("a", "first"), listed("b", "first")], file="trust.yaml")


# A chain's threshold


def _two_for_build(layout: Layout) -> None:
    layout.steps[1].pubkeys.append(chains.key_id("verify"))
    layout.steps[1].threshold = 2


def asked(folder: Path) -> None:
    links = {path.name: path.read_bytes() for path in (folder / "links").iterdir()}
    verify_chain((folder / "layout").read_bytes(), links, [chains.pem()], chains.NOW)


def _block(path: Path, *signers: str) -> bytes:
    block = Metablock.from_dict(json.loads(path.read_text()))
    block.signatures = []
    for one in signers:
        block.create_signature(chains.signer(one))
    return json.dumps(block.to_dict()).encode()


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its step `build` wants two functionaries, and has the link of one."""
    return chains.make(tmp_path_factory.mktemp("chain") / "c", _two_for_build)


@pytest.mark.parametrize(
    ("signers", "code"),
    [
        (("verify",), None),
        (None, "chain/link-missing"),
        (("build",), "chain/link-signature"),
        (("build", "build"), "chain/link-signature"),
    ],
    ids=["another", "nobody", "the same", "the same twice"],
)
def test_a_threshold_counts_keys(
    chain: Path, tmp_path: Path, signers: tuple[str, ...] | None, code: str | None
) -> None:
    folder = tmp_path / "c"
    shutil.copytree(chain, folder)
    first = folder / "links" / chains.link_name("build")
    if signers is not None:
        (folder / "links" / f"build.{chains.key_id('verify')[:8]}.link").write_bytes(_block(first, *signers))
    if code is None:
        asked(folder)
        return
    with pytest.raises(ChainRefused) as caught:
        asked(folder)
    assert caught.value.code == code


def test_two_signatures_in_one_link_are_one_link(chain: Path, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    shutil.copytree(chain, folder)
    first = folder / "links" / chains.link_name("build")
    first.write_bytes(_block(first, "build", "verify"))
    with pytest.raises(ChainRefused):
        asked(folder)


# One file, one signature


def _again(data: bytes, *path: str) -> bytes:
    value: dict[str, Any] = json.loads(data)
    held: Any = value
    for step in path:
        held = held[step]
    held["signatures"] *= 2
    return json.dumps(value).encode()


def test_a_signature_twice_in_one_file_is_refused() -> None:
    with pytest.raises(BadEvidence):
        bundle.parse(_again(test_verify.signed(), "dsseEnvelope"))
    found = judged([_again(signed(RUN), "dsseEnvelope")], entry())
    assert found.problem is not None
    assert found.problem.code == "verify/bundle-ambiguous"
    archive = bundles.signed()
    token = json.loads(read_archive(archive)[SIGNATURES])["signatures"][0]
    with pytest.raises(Refused, match="exactly one signature"):
        bundles.let_in(bundles.with_token(archive, token, signatures=[token, token]))
