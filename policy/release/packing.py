"""What proves a release, laid out for an auditor who has cosign, openssl, opa and sha256sum, and not us.

Every check of its README is one command; what a signature is over is laid beside it where a tool wants the bytes.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from maestro.chain.reading import read_layout
from maestro.commands.files import read_named
from maestro.commands.verify_chain import read_links
from maestro.evidence import bundle as bundles
from maestro.evidence.strict_json import SIZE_LIMIT, loads
from maestro.evidence.summary import summary_of
from maestro.evidence.types import POLICY_BUNDLE, SUMMARY
from maestro.provenance.loosening import loosened_texts
from maestro.report.visible_text import visible
from policy.bundle.statement import ENDING
from policy.release.pack_files import SIGNED_BY_KEY, Pack, digest_of, file_name, openssl, quoted

if TYPE_CHECKING:
    from maestro.config import Config
    from maestro.evidence.signer import Signer
    from maestro.provenance.deciding import Decider
    from maestro.provenance.expectations import Met
    from maestro.provenance.verify import Verification
    from policy.release.document import Receipts, Release
    from policy.release.verifying import Judged

_LARGEST: Final = 2 << 30


@dataclass(frozen=True)
class Given:
    """What a pack is made of.

    Attributes:
        release: it; it holds.
        folder: that its paths are taken from.
        config: maestro.yaml of the policy revision, and ``config_data`` its bytes.
        commit: the policy revision.
        decider: trust.yaml of the policy revision; None where there is none.
        judged: the verdict.
        roots: the trusted roots' files by id.
        runs: the files of each run's folder, by run and by their path in it.
    """

    release: Release
    folder: Path
    config: Config
    config_data: bytes
    commit: str
    decider: Decider | None
    judged: Judged
    roots: Mapping[str, bytes]
    runs: Mapping[str, Mapping[str, bytes]]


def pack(given: Given, signer: Signer, now: dt.datetime) -> dict[str, bytes]:
    """The files by path, README.md and SHA256SUMS among them. ``signer``: of the summary."""
    made = Pack()
    release, folder, config, decider = given.release, given.folder, given.config, given.decider
    _decision(made, given)
    if decider is not None:
        for name, data in given.roots.items():
            made.add(f"roots/{file_name(name)}.json", data)
        _artifacts(made, given, decider)
        _images(made, given, decider)
    _policy_bundles(made, release, folder, config)
    if release.chain is not None:
        _chain(made, release, folder, config)
    for name in release.verdicts:
        _verdict(made, read_named(folder / name, name, SIZE_LIMIT), name, config)
    if release.receipts is not None:
        _receipts(made, release.receipts, given)
    if decider is not None and given.judged.proven:
        _summary(made, given, decider, signer, now)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(made.files.items()))
    readme = "\n".join(_readme(given, made)) + "\n"
    return {**made.files, "SHA256SUMS": sums.encode(), "README.md": readme.encode()}


def _decision(made: Pack, given: Given) -> None:
    """The settings that decided, whole, and of trust.yaml the entries that did."""
    files = {"maestro.yaml": given.config_data}
    if given.decider is not None:
        files["trust.yaml"] = given.decider.data
    for name, data in files.items():
        path = made.add(f"decided-by/{name}", data)
        digest = hashlib.sha256(data).hexdigest()
        made.check(f"{name} at the commit {given.commit}", f"sha256sum {path} | grep {digest}")
    if given.decider is not None:
        excerpt = json.dumps(_excerpt(given, given.decider), indent=2, ensure_ascii=False) + "\n"
        made.add("decided-by/trust.excerpt.json", excerpt.encode())


def _excerpt(given: Given, decider: Decider) -> dict[str, Any]:
    """What of trust.yaml decided, as it was read: its entries, and the roots, keys that they name."""
    named = {entry.entry.name for one in given.judged.proven for entry in one.entries}
    entries = [one for one in decider.policy.artifacts if one.name in named]
    keys = {builder.key for entry in entries for builder in entry.builders}
    shown = {
        "roots": decider.policy.roots,
        "keys": [one for one in decider.policy.keys if one.id in keys],
        "artifacts": entries,
        "releases": [one for one in decider.policy.releases if one.name == given.release.name],
    }
    return {
        "file": "trust.yaml",
        "commit": given.commit,
        "sha256": hashlib.sha256(decider.data).hexdigest(),
        **{name: [one.model_dump(mode="json", exclude_unset=True) for one in some] for name, some in shown.items()},
        "loosened": [
            {"part": f"{part.kind} {part.name}", "entry": one.entry, "fields": list(one.fields)}
            for part in given.judged.parts
            for one in part.loosened
        ],
    }


def _artifacts(made: Pack, given: Given, decider: Decider) -> None:
    for row, found in zip(given.release.artifacts, given.judged.artifacts, strict=True):
        file = made.add(f"artifacts/{row.path}", read_named(given.folder / row.path, row.path, _LARGEST))
        _attestations(made, given, decider, found, row.path, quoted(file))


def _images(made: Pack, given: Given, decider: Decider) -> None:
    for name, image in zip(given.release.images, given.judged.images, strict=True):
        path = made.add(f"images/{file_name(name)}.json", image.manifest)
        made.check(f"{name}: its manifest", f"sha256sum {quoted(path)} | grep {image.image.sha256}")
        for found in image.verifications:
            sha256 = found.subject.sha256
            if sha256 != image.image.sha256:
                made.check(f"{found.subject.shown}: listed by the index", f"grep 'sha256:{sha256}' {quoted(path)}")
            _attestations(made, given, decider, found, found.subject.shown, f"--digest {sha256} --digestAlg sha256")


def _attestations(made: Pack, given: Given, decider: Decider, found: Verification, name: str, subject: str) -> None:
    """Every bundle that counted for one subject; ``subject``: cosign's words for it."""
    counted = {one.evidence: one.met for entry in found.entries for one in entry.judged if one.met is not None}
    data = {one.name: one.data for one in given.judged.evidence}
    for evidence, met in counted.items():
        bundle = made.add(f"attestations/{file_name(evidence)}", data[evidence])
        made.check(f"{name}: {met.built.name}", *_cosign(made, subject, bundle, met, decider, given.roots))


def _cosign(
    made: Pack, subject: str, bundle: str, met: Met, decider: Decider, roots: Mapping[str, bytes]
) -> Iterator[str]:
    verb = "verify-blob-attestation" if met.predicate_type else "verify-blob"
    kind = f" --type {quoted(met.predicate_type)}" if met.predicate_type else ""
    rest = f"--bundle {quoted(bundle)}{kind} {subject}"
    who, _, name = met.signer.partition(" ")
    if who == "key":
        key = decider.believed.keys.keys[name]
        yield f"cosign {verb} --key {quoted(made.key(key.id, key.pem))} {SIGNED_BY_KEY} {rest}"
        return
    identity = f"--certificate-identity {quoted(name)} --certificate-oidc-issuer {quoted(who)}"
    tried = [f"cosign {verb} --trusted-root roots/{quoted(file_name(one))}.json {identity} {rest}" for one in roots]
    yield " || ".join(tried)


def _receipts(made: Pack, named: Receipts, given: Given) -> None:
    from maestro.evidence.trust import trust_of
    from policy.release.packing_runs import pack_checkpoint, pack_run

    trust = trust_of(given.config.keys)
    for run in named.runs:
        pack_run(made, run, given.runs[run], trust)
    data = read_named(given.folder / named.checkpoint, named.checkpoint, SIZE_LIMIT)
    pack_checkpoint(made, named.checkpoint, data, trust)


def _policy_bundles(made: Pack, release: Release, folder: Path, config: Config) -> None:
    for name in release.policy_bundles:
        file = made.add(f"policy/{name}", read_named(folder / name, name, SIZE_LIMIT << 2))
        keys = [
            made.add(f"keys/{file_name(key.id)}.pub", key.public_key.encode())
            for row in config.bundles
            for key in row.keys
        ]
        made.check(
            f"{name}: OPA's signature",
            " || ".join(
                f"opa build -b {quoted(file)} --verification-key {quoted(key)} --signing-alg ES256 -o /dev/null"
                for key in keys
            ),
        )
        beside = folder / (name + ENDING)
        if beside.exists():
            statement = made.add(f"policy/{name}{ENDING}", read_named(beside, name + ENDING, SIZE_LIMIT))
            made.check(f"{name}: the statement beside it", _by_one_of(keys, file, statement, POLICY_BUNDLE))


def _by_one_of(keys: list[str], file: str, bundle: str, kind: str) -> str:
    return " || ".join(
        f"cosign verify-blob-attestation --key {quoted(key)} {SIGNED_BY_KEY} --type {quoted(kind)} "
        f"--bundle {quoted(bundle)} {quoted(file)}"
        for key in keys
    )


def _chain(made: Pack, release: Release, folder: Path, config: Config) -> None:
    if release.chain is None:
        raise TypeError("there is no chain")
    layout = read_named(folder / release.chain.layout, release.chain.layout, SIZE_LIMIT)
    made.add("chain/layout", layout)
    asked = read_layout(layout)
    owners = {_key_id(key.public_key): key.public_key for key in config.release.layout_keys}
    _signatures(made, "chain/layout", layout, owners)
    links = read_links(folder / release.chain.links, release.chain.links)
    listed = _listed(layout)
    for step in asked.steps:
        for name in step.link_names():
            if name in links:
                path = made.add(f"chain/links/{name}", links[name])
                _signatures(made, path, links[name], {key: listed[key] for key in step.keys})
    last = [f"chain/links/{name}" for name in asked.steps[-1].link_names() if name in links]
    for file in [
        path for path in made.files if path.startswith(("artifacts/", "policy/")) and not path.endswith(ENDING)
    ]:
        signed = " ".join(f"{one}.signed" for one in last)
        command = f'sha256sum {quoted(file)} > /dev/null && grep -q "{digest_of(file)}" {signed}'
        made.check(f"{file}: recorded by the last step", command)


def _key_id(pem: str) -> str:
    from in_toto.models._signer import SSlibKey

    from maestro.evidence.public_key import load

    return str(SSlibKey.from_crypto(load(pem)).keyid)


def _listed(layout: bytes) -> dict[str, str]:
    value = loads(layout, what="the layout")
    signed = loads(base64.b64decode(value["payload"]), what="the layout") if "payload" in value else value["signed"]
    return {name: key["keyval"]["public"] for name, key in signed["keys"].items()}


def _signatures(made: Pack, path: str, data: bytes, keys: dict[str, str]) -> None:
    """The signed bytes and each signature beside in-toto metadata, as openssl wants them (ECDSA on P-256)."""
    from in_toto.models.metadata import Metablock

    from maestro.evidence.dsse import pre_authentication_encoding

    value: dict[str, Any] = loads(data, what=path)
    if "payload" in value:
        signed = pre_authentication_encoding(value["payloadType"], base64.b64decode(value["payload"]))
    else:
        signed = Metablock.from_dict(value).signed.signable_bytes
    made.add(f"{path}.signed", signed)
    for row in value["signatures"]:
        pem = keys.get(row["keyid"], "")
        if "BEGIN PUBLIC KEY" not in pem:
            continue
        signature = base64.b64decode(row["sig"]) if "payload" in value else bytes.fromhex(row["sig"])
        sig = made.add(f"{path}.{row['keyid'][:8]}.sig", signature)
        key = made.add(f"keys/{row['keyid'][:16]}.pub", pem.encode())
        made.check(f"{path}: signed with {key}", openssl(key, sig, f"{path}.signed"))


def _verdict(made: Pack, data: bytes, name: str, config: Config) -> None:
    from maestro.evidence.trust import trust_of

    signed, command = made.statement(f"verdicts/{file_name(name)}", data, trust_of(config.keys))
    made.check(f"{name}: the verdict of the gates", command, f"grep -o '\"allowed\":true' {quoted(signed)}")


def _summary(made: Pack, given: Given, decider: Decider, signer: Signer, now: dt.datetime) -> None:
    from maestro.evidence.dsse import Envelope
    from maestro.evidence.signer import sign_statement

    judged, release = given.judged, given.release
    resource = f"pkg:generic/{release.name}@{release.version}"
    decided = decider.decided_by(with_config=True)
    statement = summary_of(
        judged.proven,
        resource,
        decided,
        judged.evidence,
        now,
        subjects=judged.subjects,
        holds=judged.holds,
        loosened=judged.loosened,
    )
    data = sign_statement(statement, signer)
    envelope: Envelope = bundles.parse(data)
    path = made.add("summary.sigstore.json", data)
    signed = made.add(f"{path}.signed", envelope.signed)
    signature = made.add(f"{path}.sig", envelope.signature)
    key = made.add("keys/packed-by.pub", signer.public_key_pem.encode())
    made.check("What Maestro concluded, by what decided", openssl(key, signature, signed), *_same_policy(signed))
    for row in release.artifacts:
        made.check(f"{row.path}: what Maestro concluded", _by_one_of([key], f"artifacts/{row.path}", path, SUMMARY))
    for image in judged.images:
        subjects = (f"--digest {one.sha256} --digestAlg sha256" for one in image.subjects)
        made.check(
            f"{image.image}: what Maestro concluded",
            *(
                f"cosign {_ATTESTATION} --key {key} {SIGNED_BY_KEY} --type {SUMMARY} --bundle {path} {one}"
                for one in subjects
            ),
        )


_ATTESTATION: Final = "verify-blob-attestation"


def _same_policy(signed: str) -> Iterator[str]:
    listed = "$(cd decided-by && sha256sum maestro.yaml trust.yaml | sha256sum | cut -c1-64)"
    yield f'grep -q "\\"policy\\":{{\\"digest\\":{{\\"sha256\\":\\"{listed}\\"}}" {signed}'
    yield f'grep -o \'"verificationResult":"PASSED"\' {signed}'


def _readme(given: Given, made: Pack) -> Iterator[str]:
    release = given.release
    yield visible(f"# What proves {release.name} {release.version}")
    yield ""
    yield "Run each command in this folder; each must succeed. They take `sha256sum`, `cosign`, `openssl` and `opa`."
    yield "A key or root that lies here proves nothing by lying here: compare `keys/` and `roots/` with those you know"
    yield "from elsewhere. What decided lies in `decided-by/`, as it stood in the repository at the commit"
    yield f"`{given.commit}`: `git show {given.commit}:trust.yaml` must print the same file."
    yield "`decided-by/trust.excerpt.json` has the entries that were asked, and what they loosen."
    yield "`--insecure-ignore-tlog` is for signatures of plain keys, which are in no transparency log."
    if release.receipts is not None:
        yield "That the ledger's log continues `runs/checkpoint` is a proof over a Merkle tree, which these tools"
        yield "cannot follow: Maestro did, and `maestro receipts verify --checkpoint FILE` does it again."
    loosened = [one for part in given.judged.parts for one in part.loosened]
    for text in dict.fromkeys(loosened_texts(loosened)):
        yield f"Loosened by trust.yaml: {visible(text)}"
    yield ""
    yield "## Nothing was changed since it was packed"
    yield ""
    yield "```sh"
    yield "sha256sum -c SHA256SUMS"
    yield "```"
    for title, commands in made.checks:
        yield ""
        yield f"## {visible(title)}"
        yield ""
        yield "```sh"
        yield from commands
        yield "```"
