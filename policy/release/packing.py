"""What proves a release, laid out for an auditor who has cosign, openssl, opa and sha256sum, and not us.

Every check of its README is one command; what a signature is over is laid beside it where a tool wants the bytes.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from maestro.chain.reading import read_layout
from maestro.commands.files import read_named
from maestro.commands.verify_chain import read_links
from maestro.evidence import bundle as bundles
from maestro.evidence.strict_json import SIZE_LIMIT, loads
from maestro.evidence.summary import summary_of
from maestro.evidence.types import POLICY_BUNDLE, SUMMARY
from policy.bundle.statement import ENDING

if TYPE_CHECKING:
    import datetime as dt

    from maestro.config import Config
    from maestro.evidence.signer import Signer
    from maestro.provenance.deciding import Decider
    from maestro.provenance.expectations import Met
    from policy.release.document import Release
    from policy.release.verifying import Judged

_LARGEST: Final = 2 << 30
_SIGNED_BY_KEY: Final = "--insecure-ignore-tlog"


class Pack:
    """The files of a pack by their path in it, and the README's checks, in order."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.checks: list[tuple[str, list[str]]] = []

    def add(self, path: str, data: bytes) -> str:
        """Lay a file into the pack; two of one path are told apart by a number."""
        free, number = path, 2
        while self.files.get(free, data) != data:
            head, dot, tail = path.rpartition("/")
            free = f"{head}{dot}{number}-{tail}"
            number += 1
        self.files[free] = data
        return free

    def check(self, title: str, *commands: str) -> None:
        """A section of the README."""
        self.checks.append((title, list(commands)))


def pack(
    release: Release,
    folder: Path,
    config: Config,
    decider: Decider | None,
    judged: Judged,
    signer: Signer,
    now: dt.datetime,
    roots: dict[str, bytes],
) -> dict[str, bytes]:
    """The files by path, README.md and SHA256SUMS among them. ``judged`` holds; ``roots``: trusted roots by id."""
    made = Pack()
    _artifacts(made, release, folder, judged, decider, roots)
    _policy_bundles(made, release, folder, config)
    if release.chain is not None:
        _chain(made, release, folder, config)
    for name in release.verdicts:
        _verdict(made, read_named(folder / name, name, SIZE_LIMIT), name, config)
    if decider is not None and judged.artifacts:
        _summary(made, release, judged, decider, signer, now)
    sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(made.files.items()))
    readme = "\n".join(_readme(release, made)) + "\n"
    return {**made.files, "SHA256SUMS": sums.encode(), "README.md": readme.encode()}


def _file(text: str) -> str:
    """Text as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:80]


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def _artifacts(
    made: Pack, release: Release, folder: Path, judged: Judged, decider: Decider | None, roots: dict[str, bytes]
) -> None:
    if decider is None:
        return
    for name, data in roots.items():
        made.add(f"roots/{_file(name)}.json", data)
    for row, found in zip(release.artifacts, judged.artifacts, strict=True):
        file = made.add(f"artifacts/{row.path}", read_named(folder / row.path, row.path, _LARGEST))
        counted = {one.evidence: one.met for entry in found.entries for one in entry.judged if one.met is not None}
        given = {one.name: one.data for one in judged.evidence}
        for evidence, met in counted.items():
            bundle = made.add(f"attestations/{_file(evidence)}", given[evidence])
            made.check(f"{row.path}: {met.built.name}", *_cosign(made, file, bundle, met, decider, roots))


def _cosign(made: Pack, file: str, bundle: str, met: Met, decider: Decider, roots: dict[str, bytes]) -> Iterator[str]:
    verb = "verify-blob-attestation" if met.predicate_type else "verify-blob"
    kind = f" --type {_quoted(met.predicate_type)}" if met.predicate_type else ""
    rest = f"--bundle {_quoted(bundle)}{kind} {_quoted(file)}"
    who, _, name = met.signer.partition(" ")
    if who == "key":
        key = decider.believed.keys.keys[name]
        path = made.add(f"keys/{_file(key.id)}.pub", key.pem.encode())
        yield f"cosign {verb} --key {_quoted(path)} {_SIGNED_BY_KEY} {rest}"
        return
    identity = f"--certificate-identity {_quoted(name)} --certificate-oidc-issuer {_quoted(who)}"
    tried = [f"cosign {verb} --trusted-root roots/{_quoted(_file(one))}.json {identity} {rest}" for one in roots]
    yield " || ".join(tried)


def _policy_bundles(made: Pack, release: Release, folder: Path, config: Config) -> None:
    for name in release.policy_bundles:
        file = made.add(f"policy/{name}", read_named(folder / name, name, SIZE_LIMIT << 2))
        keys = [
            made.add(f"keys/{_file(key.id)}.pub", key.public_key.encode()) for row in config.bundles for key in row.keys
        ]
        made.check(
            f"{name}: OPA's signature",
            " || ".join(
                f"opa build -b {_quoted(file)} --verification-key {_quoted(key)} --signing-alg ES256 -o /dev/null"
                for key in keys
            ),
        )
        beside = folder / (name + ENDING)
        if beside.exists():
            statement = made.add(f"policy/{name}{ENDING}", read_named(beside, name + ENDING, SIZE_LIMIT))
            made.check(f"{name}: the statement beside it", _by_one_of(keys, file, statement, POLICY_BUNDLE))


def _by_one_of(keys: list[str], file: str, bundle: str, kind: str) -> str:
    return " || ".join(
        f"cosign verify-blob-attestation --key {_quoted(key)} {_SIGNED_BY_KEY} --type {_quoted(kind)} "
        f"--bundle {_quoted(bundle)} {_quoted(file)}"
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
        digest = f"$(sha256sum < {_quoted(file)} | cut -c1-64)"
        made.check(
            f"{file}: recorded by the last step", f'grep -q "{digest}" {" ".join(f"{one}.signed" for one in last)}'
        )


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
        made.check(f"{path}: signed with {key}", _openssl(key, sig, f"{path}.signed"))


def _openssl(key: str, signature: str, signed: str) -> str:
    return f"openssl dgst -sha256 -verify {_quoted(key)} -signature {_quoted(signature)} {_quoted(signed)}"


def _verdict(made: Pack, data: bytes, name: str, config: Config) -> None:
    from maestro.evidence.trust import trust_of

    path = made.add(f"verdicts/{_file(name)}", data)
    envelope = bundles.parse(data)
    key = trust_of(config.keys).key(envelope.key_id)
    pem = made.add(f"keys/{_file(key.id)}.pub", key.pem.encode())
    signed = made.add(f"{path}.signed", envelope.signed)
    signature = made.add(f"{path}.sig", envelope.signature)
    made.check(
        f"{name}: the verdict of the gates",
        _openssl(pem, signature, signed),
        f"grep -o '\"allowed\":true' {_quoted(signed)}",
    )


def _summary(made: Pack, release: Release, judged: Judged, decider: Decider, signer: Signer, now: dt.datetime) -> None:
    from maestro.evidence.signer import sign_statement

    resource = f"pkg:generic/{release.name}@{release.version}"
    statement = summary_of(judged.artifacts, resource, decider.sha256, judged.evidence, now, holds=judged.holds)
    path = made.add("summary.sigstore.json", sign_statement(statement, signer))
    key = made.add("keys/packed-by.pub", signer.public_key_pem.encode())
    for row in release.artifacts:
        made.check(f"{row.path}: what Maestro concluded", _by_one_of([key], f"artifacts/{row.path}", path, SUMMARY))


def _readme(release: Release, made: Pack) -> Iterator[str]:
    yield f"# What proves {release.name} {release.version}"
    yield ""
    yield "Run each command in this folder; each must succeed. They take `sha256sum`, `cosign`, `openssl` and `opa`."
    yield "A key or root that lies here proves nothing by lying here: compare `keys/` and `roots/` with those you know"
    yield "from elsewhere (`trust.yaml` and `maestro.yaml` of the repository, at the revision that decides)."
    yield "`--insecure-ignore-tlog` is for signatures of plain keys, which are in no transparency log."
    yield ""
    yield "## Nothing was changed since it was packed"
    yield ""
    yield "```sh"
    yield "sha256sum -c SHA256SUMS"
    yield "```"
    for title, commands in made.checks:
        yield ""
        yield f"## {title}"
        yield ""
        yield "```sh"
        yield from commands
        yield "```"
