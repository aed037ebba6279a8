"""A bundle's files as packs: loaded like a revision's, and exactly those that were packed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from maestro import canonical_json
from maestro.config import Config
from maestro.findings import Location
from policy.bundle.hashing import canonical
from policy.bundle.manifest import MANIFEST, Manifest
from policy.bundle.reasons import Refused
from policy.bundle.signatures import SIGNATURES
from policy.folder import FolderEntry
from policy.pack import Pack, Packs, load_packs
from policy.pack_data import merge

PARITY: Final = "policy/parity.lock"
DATA: Final = "data.json"


@dataclass(frozen=True)
class _Files:
    """Modules and data of a bundle, read like a revision."""

    files: Mapping[str, bytes]

    @property
    def entries(self) -> Mapping[str, FolderEntry]:
        return {path: FolderEntry("100644") for path in sorted(self.files)}

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        return {path: self.files[path] for path in paths}


def packs_of(files: Mapping[str, bytes], manifest: Manifest, where: str) -> Packs:
    """The packs of a bundle.

    Args:
        files: everything in it.
        manifest: its manifest, which names them.
        where: the bundle's file, for every place that is shown.

    Raises:
        Refused: a pack is not the one that was packed, or OPA would load something else than Maestro does.
    """
    packed = manifest.contents.packs
    data: dict[str, bytes] = {}
    for one in packed:
        for path, value in one.data.items():
            written = canonical_json.dumps(value)
            if data.setdefault(path, written) != written:
                raise Refused("contents", f"two packs hold different data for {path!r:.120}")
    modules = {name: content for name, content in files.items() if name.endswith(".rego")}
    if set(data) & set(modules):
        raise Refused("contents", f"{min(set(data) & set(modules))!r:.120} is both data and Rego")
    config = Config(apiVersion="maestro-conductor/v1", packs=tuple(one.entry for one in packed))
    loaded = load_packs(_Files({**modules, **data}), config)
    for problem in loaded.problems:
        if problem.rule.mode == "enforce":
            raise Refused("contents", f"{problem.location.path}:{problem.location.line}: {problem.message}")
    wanted = [(one.entry.path, one.digest) for one in packed]
    found = [(pack.path, pack.digest) for pack in loaded.packs]
    for expected in wanted:
        if expected not in found:
            raise Refused("contents", f"the pack {expected[0]!r:.120} is not the one that its manifest describes")
    if len(found) != len(wanted):
        raise Refused("contents", "it holds packs that its manifest does not describe")
    _check_rest(files, manifest, loaded.packs, data)
    return Packs(
        tuple(_placed(pack, where, files.get(PARITY, b"")) for pack in loaded.packs),
        tuple(
            replace(problem, location=_inside(problem.location, where), pack=f"{where}/{problem.pack}")
            for problem in loaded.problems
        ),
    )


def _check_rest(
    files: Mapping[str, bytes], manifest: Manifest, packs: Iterable[Pack], data: Mapping[str, bytes]
) -> None:
    """Nothing is in the bundle that OPA would load and we would not."""
    known = {f"{pack.path}/{name}" for pack in packs for name in pack.modules}
    parity = files.get(PARITY)
    if manifest.contents.parity != (None if parity is None else canonical_json.digest_of_bytes(parity)):
        raise Refused("contents", f"{PARITY} is not the one that its manifest describes")
    for name in files:
        if name not in known and name not in (MANIFEST, SIGNATURES, PARITY, DATA):
            raise Refused("contents", f"{name!r:.120} belongs to no pack of its manifest")
    merged = merged_bytes(data)
    there = files.get(DATA)
    if there is not None and canonical(DATA, there) != canonical(DATA, merged or b"{}"):
        raise Refused("contents", "its data.json is not what its packs' data make together")
    if there is None and merged is not None:
        raise Refused("contents", "its packs have data, and it has no data.json")


def merged_bytes(data: Mapping[str, bytes]) -> bytes | None:
    """All data files (canonical JSON objects) as OPA's data.json; None where there are none.

    Raises:
        Refused: two give one key different values.
    """
    if not data:
        return None
    whole: dict[str, object] = {}
    for path in sorted(data):
        clash = merge(whole, json.loads(data[path]))
        if clash is not None:
            raise Refused("contents", f"data.{clash} is given by two data files")
    return canonical_json.dumps(whole)


def _inside(location: Location, where: str) -> Location:
    return replace(location, path=f"{where}/{location.path}")


def _placed(pack: Pack, where: str, lock: bytes) -> Pack:
    rules = tuple(replace(rule, location=_inside(rule.location, where)) for rule in pack.rules)
    return replace(
        pack,
        path=f"{where}/{pack.path}",
        location=_inside(pack.location, where),
        rules=rules,
        bundle=where,
        bundle_lock=lock,
    )
