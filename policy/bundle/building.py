"""From the packs of a revision to the files of a bundle."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from maestro import canonical_json
from maestro.config import Config, PackEntry
from maestro.errors import UsageError
from policy.bundle.archive_reading import read
from policy.bundle.archive_writing import write
from policy.bundle.manifest import MANIFEST, Contents, Manifest, PackedPack
from policy.bundle.packs import DATA, PARITY, merged_bytes, packs_of
from policy.bundle.reasons import Refused
from policy.pack import Files, Pack, load_packs
from policy.rego_text import read_text


def build(
    snapshot: Files, config: Config, *, name: str, revision: int, commit: str, expires: dt.date
) -> tuple[bytes, Manifest]:
    """The unsigned bundle of the packs at a revision: the same bytes for the same arguments.

    Raises:
        UsageError: a pack cannot judge, two would be one to OPA, or there is none.
    """
    own = config.model_copy(update={"bundles": ()})
    packs = _usable(snapshot, own)
    _one_package_each(packs)
    files = {_path(pack, module): source for pack in packs for module, source in pack.modules.items()}
    data = {path: content for pack in packs for path, content in pack.data.items()}
    try:
        merged = merged_bytes(data)
    except Refused as error:
        raise UsageError(error.message, remedy="put them under keys of their own: OPA reads all data as one") from error
    if merged is not None:
        files[DATA] = merged
    parity = snapshot.read_many([PARITY]).get(PARITY) if PARITY in snapshot.entries else None
    if parity is not None:
        files[PARITY] = parity
    manifest = Manifest(
        revision=revision,
        roots=_roots(packs, merged),
        file_rego_versions={_path(pack, one): 0 for pack in packs if pack.rego_version == "v0" for one in pack.modules},
        contents=Contents(
            name=name,
            commit=commit,
            expires=expires.isoformat(),
            parity=None if parity is None else canonical_json.digest_of_bytes(parity),
            packs=tuple(_packed(pack, own) for pack in packs),
        ),
    )
    files[MANIFEST] = manifest.to_bytes()
    archive = write(files)
    try:
        packs_of(read(archive), manifest, name)
    except Refused as error:
        raise UsageError(f"these packs cannot travel in a bundle: {error.message}", remedy=error.remedy) from error
    return archive, manifest


def _usable(snapshot: Files, config: Config) -> tuple[Pack, ...]:
    loaded = load_packs(snapshot, config)
    for problem in loaded.problems:
        if problem.rule.mode == "enforce":
            place = problem.location
            raise UsageError(
                f"the pack {problem.pack} cannot judge: {problem.message}",
                where=f"{place.path}:{place.line}:{place.column}",
                remedy=problem.remedy or problem.rule.remedy,
            )
    if not loaded.packs:
        raise UsageError("there is no pack to put into a bundle", remedy="`packs` in maestro.yaml names their folders")
    return tuple(sorted(loaded.packs, key=lambda pack: pack.path))


def _path(pack: Pack, module: str) -> str:
    return f"{pack.path}/{module}"


def _packages(pack: Pack) -> set[tuple[str, ...]]:
    return {read_text(source.decode("utf-8")).package or () for source in pack.modules.values()}


def _one_package_each(packs: tuple[Pack, ...]) -> None:
    met: dict[tuple[str, ...], Pack] = {}
    for pack in packs:
        for package in sorted(_packages(pack)):
            other = met.setdefault(package, pack)
            if other is not pack:
                raise UsageError(
                    f"{other.path} and {pack.path} both have the package {'.'.join(package)}: to OPA they are one",
                    remedy="give each a package of its own",
                )


def _packed(pack: Pack, config: Config) -> PackedPack:
    """The pack with the settings of its entry in maestro.yaml, for its own folder alone."""
    from policy.loading import folders_of

    entry = next(
        one
        for item in config.packs
        for one in [PackEntry(path=item) if isinstance(item, str) else item]
        if pack.path in folders_of(one.path, [_path(pack, module) for module in pack.modules])
    )
    alone = entry.model_copy(update={"path": pack.path, "data": tuple(sorted(pack.data)) or None})
    return PackedPack(
        entry=alone,
        digest=pack.digest,
        data={path: json.loads(content) for path, content in sorted(pack.data.items())},
    )


def _roots(packs: tuple[Pack, ...], merged: bytes | None) -> tuple[str, ...]:
    """What of ``data`` the bundle owns: its packages and the keys of its data, none of them inside another."""
    data: Mapping[str, Any] = json.loads(merged) if merged else {}
    if any(not key or "/" in key for key in data):
        return ("",)
    paths = {(key,) for key in data} | {package for pack in packs for package in _packages(pack)}
    outer = {path for path in paths if not any(path[:length] in paths for length in range(1, len(path)))}
    return tuple(sorted("/".join(path) for path in outer))
