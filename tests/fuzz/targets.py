"""Every parser of what comes from outside, with sound files to start from and what may be the answer."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maestro.chain.reading import read_layout, read_link
from maestro.errors import UsageError
from maestro.evidence import bundle, dsse, verdict
from maestro.evidence.errors import BadEvidence
from maestro.evidence.statement import parse
from maestro.evidence.strict_json import loads
from maestro.evidence.trust import Trust, trust_of
from maestro.evidence.types import PAYLOAD
from maestro.ledger import checkpoint, entry, tiles
from maestro.ledger import head as heads
from maestro.ledger.timestamp import time_of
from maestro.oci.challenge import parse_challenges
from maestro.oci.credentials import credentials_for
from maestro.oci.legacy import bundle_of
from maestro.oci.manifests import parse_manifest
from maestro.provenance import bundle as sigstore_bundle
from maestro.provenance import trusted_root
from maestro.provenance.reading import Fields
from maestro.provenance.trust_policy import TrustPolicy, read_trust_policy
from policy import merge_record
from policy.bundle.archive_reading import read as read_archive
from policy.bundle.signatures import SIGNATURES
from policy.parity.lock import read_lock, shipped_bytes
from policy.recorded_json import read_lines, to_line
from runner import archive, receipt, segment, session
from runner.drivers.local_journal import Journals
from runner.kept_runs import KeptRun, fetch
from runner.ledger_check import check_run
from runner.receipt_index import with_index
from runner.receipt_row import Row, Wanted, row_in
from runner.run_folder import RunFolder
from tests.maestro.chain import chains
from tests.maestro.evidence import keys, test_verdict
from tests.maestro.ledger import entries
from tests.maestro.ledger.authority import Authority
from tests.maestro.oci.test_legacy import old_form
from tests.maestro.provenance import refusals, test_summaries
from tests.policy import test_merge_record, test_recorded_json
from tests.policy.bundle import bundles
from tests.runner import plans
from tests.support.memory_store import MemoryStore
from tests.support.private_sigstore.workflow import statement
from tests.support.registries import CONFIG, INDEX, MANIFEST, descriptor

TRUST = trust_of([keys.row()])


@dataclass(frozen=True)
class Target:
    """A parser.

    Args:
        name: of it.
        seeds: sound files.
        read: what a file means to us; whatever is wrong with it is a MaestroError.
        sealed: what it reads is signed or named by its digest, so a changed file is refused or means what a seed means.
    """

    name: str
    seeds: tuple[bytes, ...]
    read: Callable[[bytes], object]
    sealed: bool = False


def targets(folder: Path) -> tuple[Target, ...]:
    """All of them; ``folder`` is theirs to write in."""
    return (*_provenance(), *_registries(folder), *_chains(folder), *_bundles(), *_ledger(folder), *_statements(folder))


def _dumped(value: object) -> bytes:
    return json.dumps(value).encode()


# What proves where an artifact is from


def _proven(tried: refusals.Tried) -> object:
    found = refusals.judge(tried)
    if found.problem is not None:
        raise found.problem
    return [(met.signer, met.built.index) for result in found.entries for met in result.met]


def _provenance() -> Iterator[Target]:
    tried = [refusals.attested(log=log, stamp=True) for log in (1, 2)] + [refusals.attested(kind="intoto")]
    yield Target(
        "sigstore bundle",
        tuple(one.data for one in tried),
        lambda data: _proven(replace(tried[0], raw=data)),
        sealed=True,
    )
    yield Target("sigstore bundle, its form", tuple(one.data for one in tried), sigstore_bundle.parse)
    said = statement(refusals.RUN.provenance_v1(), refusals.SHA256)
    old = statement(refusals.RUN.provenance_v0_2(), refusals.SHA256, kind="https://slsa.dev/provenance/v0.2")
    signer = refusals.SIGSTORE.signer(refusals.RUN)
    kinds = refusals.entry(predicate_types=("https://slsa.dev/provenance/v1", "https://slsa.dev/provenance/v0.2"))

    def attested(payload: bytes) -> object:
        return _proven(refusals.Tried(refusals.SIGSTORE.attest(payload, signer), entry=kinds))

    yield Target("in-toto statement that the builder signed", (_dumped(said), _dumped(old)), attested)
    yield Target("trusted root", (_dumped(refusals.SIGSTORE.trusted_root()),), _root)
    yield Target("trust.yaml", (_TRUST, _dumped(_json_of(_TRUST))), _policy)


def _root(data: bytes) -> object:
    return trusted_root.load(data, name="private", where="root.json")


_TRUST = b"""\
apiVersion: maestro-conductor/v1
kind: TrustPolicy
roots:
  - {id: private, path: trust/root.json, sha256: "0000000000000000000000000000000000000000000000000000000000000000"}
artifacts:
  - name: api
    match: ["ghcr.io/acme/api", "api.tar.gz"]
    builders: [{builder: github-artifact-attestations, workflow: acme/b/.github/workflows/b.yml, tags: ["v*"]}]
    source: {repository: "https://github.com/acme/api", repository_id: 7, owner_id: 4, tags: ["v*"]}
    signers: 1
    max_age_days: 90
    loosen: {self_hosted_runners: true}
"""


def _json_of(text: bytes) -> object:
    import yaml

    return yaml.safe_load(text)


def _policy(data: bytes) -> object:
    found = read_trust_policy("trust.yaml", data)
    if isinstance(found, TrustPolicy):
        return [one.loosened() for one in found.artifacts]
    return [one.rule for one in found]


# What a registry says


def _registries(folder: Path) -> Iterator[Target]:
    layer, annotations = old_form(refusals.SHA256)
    config = descriptor(b"{}", CONFIG)
    image = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "artifactType": "a/b"}
    image |= {"layers": [descriptor(layer, "a/b", annotations=annotations)], "subject": descriptor(b"x", MANIFEST)}
    platform = {"os": "linux", "architecture": "arm64", "variant": "v8"}
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(b"x", MANIFEST) | {"platform": platform}]}
    seeds = (_dumped(image), _dumped(index))

    def manifest(data: bytes) -> object:
        kind = INDEX if b'"manifests"' in data else MANIFEST
        return parse_manifest(data, kind, "0" * 64)

    yield Target("OCI manifest", seeds, manifest)
    yield Target("OCI manifest under its digest", seeds, lambda data: manifest(_named(data, seeds)), sealed=True)

    def legacy(data: bytes) -> object:
        texts = Fields(loads(data, what="the manifest"), "", UsageError).texts()  # as a manifest's reader does
        return sigstore_bundle.parse(bundle_of(texts.pop("layer", "").encode(), texts, Trust({})))

    yield Target("cosign's annotations", (_dumped({"layer": layer.decode()} | annotations),), legacy)
    challenge = b'Bearer realm="https://a.example/token",service="r",scope="repository:a:pull,push"'
    yield Target(
        "login challenge",
        (challenge, b'Basic realm="a\\"b"', challenge + b", " + challenge),
        lambda data: parse_challenges([data.decode("latin-1")]),
    )
    docker = folder / "docker"
    docker.mkdir()

    def credentials(data: bytes) -> object:
        (docker / "config.json").write_bytes(data)
        return credentials_for("ghcr.io", {"DOCKER_CONFIG": str(docker), "PATH": str(docker)})

    login = {"auths": {"ghcr.io": {"auth": "bWU6c2VjcmV0"}, "a": {"identitytoken": "t", "auth": "bTo="}}}
    helper = login | {"credHelpers": {"gcr.io": "gcloud"}}
    yield Target("docker's configuration", (_dumped(login), _dumped(helper)), credentials)


def _named(data: bytes, seeds: Sequence[bytes]) -> bytes:
    """As ``Registry`` does it: what is not the bytes of the digest is refused before it is read."""
    from maestro.provenance.reasons import NotProven

    if data not in seeds:
        raise NotProven("verify/image-digest", "other bytes")
    return data


# Steps of a release


def _chains(folder: Path) -> Iterator[Target]:
    chains.make(folder / "chain")
    chains.make(folder / "chain-dsse", dsse=True)
    made = [folder / "chain", folder / "chain-dsse"]
    links = [path.read_bytes() for one in made for path in sorted((one / "links").iterdir())]
    yield Target("in-toto layout", tuple((one / "layout").read_bytes() for one in made), read_layout)
    yield Target("in-toto link", tuple(links), lambda data: read_link(data, "a.link"))


# Policy bundles


def _bundles() -> Iterator[Target]:
    archived, attestation = bundles.attested()

    def admitted(data: bytes) -> object:
        found = bundles.let_in(data)
        return found.manifest, [(one.name, one.digest) for one in found.packs.packs], found.seen

    yield Target("policy bundle", (archived,), admitted, sealed=True)
    yield Target("archive of a bundle", (archived,), read_archive)
    files = read_archive(archived)

    def with_file(name: str) -> Callable[[bytes], object]:
        return lambda data: admitted(bundles.changed(archived, lambda held: held.update({name: data}), again=True))

    yield Target(".signatures.json", (files[SIGNATURES],), lambda data: _signatures(archived, data), sealed=True)
    yield Target("signed list of a bundle", (_dumped(bundles.payload_of(archived)),), _listed(archived))
    for name in sorted(files):
        if name == ".manifest" or name.endswith(("data.json", ".rego")):
            yield Target(f"{name} of a bundle that its owner signed", (files[name],), with_file(name))

    def beside(data: bytes) -> object:
        found = bundles.let_in(archived, statement=data)
        return found.attested, found.manifest

    yield Target("statement beside a bundle", (attestation,), beside, sealed=True)
    yield Target("parity.lock", (shipped_bytes(),), read_lock)


def _signatures(archived: bytes, data: bytes) -> object:
    return bundles.let_in(bundles.changed(archived, lambda held: held.update({SIGNATURES: data}))).manifest


def _listed(archived: bytes) -> Callable[[bytes], object]:
    header = {"alg": "ES256", "kid": bundles.SIGNER.key_id, "typ": "JWT"}
    return lambda data: (
        bundles.let_in(bundles.with_token(archived, bundles.token(header, loads(data, what="the list")))).manifest
    )


# The ledger


def _ledger(folder: Path) -> Iterator[Target]:
    run = _run(folder / "run")
    trust = plans.dispatcher(folder / "run").trust
    (name, *_), (signed_segment,) = run.receipts(), [data for _, data in run.numbered("segments")]
    (signed_session,) = [data for _, data in run.numbered("sessions")]
    receipt_data = run.receipt_path(name).read_bytes()

    def receipt_of(data: bytes) -> object:
        return receipt.read(data, trust, run_id=plans.RUN, execution=name).payload

    yield Target("receipt", (receipt_data,), receipt_of, sealed=True)
    yield Target("receipt, for the index", (receipt_data,), lambda data: row_in(data, plans.RUN, name))
    yield Target(
        "segment", (signed_segment,), lambda data: segment.read(data, trust, run_id=plans.RUN, number=1), sealed=True
    )
    yield Target(
        "session", (signed_session,), lambda data: session.read(data, trust, plans.RUN, 1).predicate, sealed=True
    )
    payloads = {kind: bundle.parse(data).payload for kind, data in
                (("receipt", receipt_data), ("segment", signed_segment), ("session", signed_session))}  # fmt: skip
    files = {"receipt": run.receipt_path(name), "segment": run.path / "segments/1.sigstore.json",
             "session": run.path / "sessions/1.sigstore.json"}  # fmt: skip
    for kind, payload in payloads.items():
        yield Target(f"{kind} that a listed key signed, in its run", (payload,), _in_run(run, files[kind], trust))
    yield Target("archive of a run", (dict(archive.pieces(run, 1))[archive.name_of(plans.RUN, 1)],),
                 lambda data: _unpacked(data, folder / "unpacked"))  # fmt: skip
    (journal,) = [path.read_bytes() for path in sorted((run.path / "journals").glob("*.jsonl"))][:1]
    yield Target("journal", (journal.rstrip(b"\0"),), lambda data: _journal(data, folder / "journals"))
    yield from _log(folder)
    index = folder / "index" / "index.sqlite"
    row = Row("acme", "2026-01-31", "a", "0" * 32, "r1", "abcd" * 10, "failed", ("sha256:1",))

    def indexed(data: bytes | None) -> object:
        index.parent.mkdir(exist_ok=True)
        for old in index.parent.glob("index.sqlite*"):
            old.unlink()
        if data is not None:
            index.write_bytes(data)

        def work(held: Any) -> object:
            if not held.stamps():
                held.put("r1", "1", [row])
            return held.find(Wanted(tenant="acme"), None, 10)

        return with_index(index, "here", work, lambda _words: None)

    indexed(None)
    yield Target("index of receipts", (index.read_bytes(),), indexed)


def _run(path: Path) -> RunFolder:
    plans.dispatcher(path).dispatch(
        plans.facts(), [plans.planned("echo $MAESTRO_ARRAY_INDEX", size=2)], plans.local(path)
    )
    return plans.folder(path)


def _in_run(run: RunFolder, file: Path, trust: Trust) -> Callable[[bytes], object]:
    """What ``receipts verify`` says of the run: objections, or nothing, and in no case a crash."""
    sound = file.read_bytes()

    def judged(payload: bytes) -> object:
        file.write_bytes(_signed(payload))
        try:
            return [one.kind for one in check_run(run, trust, lambda _run: False).objections]
        finally:
            file.write_bytes(sound)

    return judged


def _unpacked(data: bytes, target: Path) -> object:
    import shutil

    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    store = MemoryStore()
    store.create(archive.name_of("run-1", 1), data)
    fetched = fetch(store, KeptRun("run-1", archives=(1,)), target)
    if fetched.unreadable is not None:
        assert [path.name for path in target.rglob("*")] == ["runs", "run-1", "unreadable"], "something is left of it"
        raise BadEvidence(fetched.unreadable)
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*"))
    assert all(path.startswith("runs") for path in found), "a file outside of the run"
    assert not any(path.is_symlink() for path in target.rglob("*")), "a link"
    return found


def _journal(data: bytes, folder: Path) -> object:
    folder.mkdir(exist_ok=True)
    (folder / "1-a.0.jsonl").write_bytes(data)
    journals = Journals(folder)
    found = list(journals.read())
    return found, journals.any_slot_alive, journals.first_birth


def _log(folder: Path) -> Iterator[Target]:
    leaves = tuple(entries.entry(number).to_bytes() for number in range(300))
    whole = heads.grown(None, "example.org/log", leaves[:200], keys.signer())
    note = whole.checkpoint.to_bytes()

    def believed(data: bytes) -> object:
        found = checkpoint.parse(data)
        checkpoint.signer_of(found, TRUST)
        return found.origin, found.size, found.root

    def head(data: bytes) -> object:
        found = heads.parse(data)
        checkpoint.signer_of(found.checkpoint, TRUST)
        return found.checkpoint.origin, found.size, found.checkpoint.root, found.tail

    yield Target("checkpoint", (note,), believed, sealed=True)
    yield Target("head of the log", (whole.to_bytes(),), head, sealed=True)
    yield Target("entry of the log", leaves[:1], entry.parse)
    yield Target("bundle of entries", (tiles.bundle(leaves[:256]),), lambda data: tiles.unbundle(data, 256))
    yield Target("tile", (bytes(range(256)) * 32,), lambda data: tiles.hashes(data, 256))
    authority = Authority(folder / "authority")
    (folder / "checkpoint").write_bytes(note)
    authority.stamp(folder / "checkpoint", folder / "response")
    response = (folder / "response").read_bytes()
    yield Target("timestamp", (response,), lambda data: time_of(data, note, [authority.root]), sealed=True)


# Statements that a key of maestro.yaml signed


def _signed(payload: bytes) -> bytes:
    signature = keys.signer().sign(dsse.pre_authentication_encoding(PAYLOAD, payload))
    return bundle.to_bytes(dsse.Envelope(PAYLOAD, payload, signature, keys.signer().key_id))


def _statements(folder: Path) -> Iterator[Target]:
    del folder
    good = verdict.attest(test_verdict.GOOD, keys.signer())
    yield Target("verdict", (good,), lambda data: verdict.read_attested(data, TRUST), sealed=True)
    (record,) = merge_record.sign(test_merge_record.RECORD, keys.signer())

    def recorded(data: bytes) -> object:
        return merge_record.read(data, TRUST, name=record.name)

    yield Target("record of a merge", (record.data,), recorded, sealed=True)

    made = test_summaries.made()

    def summary(data: bytes) -> object:
        return test_summaries.read(made, data=data)

    yield Target("summary", (_signed(made.to_bytes()),), summary, sealed=True)
    for name, payload, read in (
        ("verdict", bundle.parse(good).payload, lambda data: verdict.read_attested(data, TRUST)),
        ("record of a merge", bundle.parse(record.data).payload, recorded),
        ("summary", made.to_bytes(), summary),
    ):
        yield Target(f"{name} that a listed key signed", (payload,), _then(read))
    yield Target("statement", (made.to_bytes(),), lambda data: parse(data, predicate_type=made.predicate_type))
    lines = to_line(test_recorded_json.ONE)
    yield Target("recorded decisions", (lines * 3,), lambda data: list(read_lines(io.BytesIO(data), "d.jsonl")))


def _then(read: Callable[[bytes], object]) -> Callable[[bytes], object]:
    return lambda payload: read(_signed(payload))
