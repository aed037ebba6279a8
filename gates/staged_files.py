"""The files that say the mode of a pack or a rule, as they would be one step on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gates.repairs import Patch
from maestro.config import CONFIG_PATH, Config, PackEntry, load_config
from maestro.documents.edit import EditRefused, apply, set_value
from maestro.documents.reading import read
from maestro.errors import UsageError
from maestro.findings import Mode
from policy.metadata import Annotation, read_blocks
from policy.metadata_edit import with_custom
from policy.pack import Files, Pack, PackRule, Packs, load_packs
from policy.rego_text import heads, read_text


def step(
    files: Files, config: Config, pack: Pack, rule: PackRule | None, mode: Mode, on: dt.date | None
) -> tuple[list[Patch], Pack]:
    """The edits that give ``mode``, from ``on`` where that is a day, and the pack as it is loaded then.

    Raises:
        UsageError: no edit does that; it must be done by hand.
    """
    try:
        found = list(_patches(files, config, pack, rule, mode, on))
    except EditRefused as error:
        raise UsageError(error.message, where=error.where, remedy=error.remedy) from error
    after = _loaded(files, found, pack.name)
    same = next((one for one in after.rules if rule is not None and one.name == rule.name), None)
    written = after.mode if rule is None else after.mode_of(same) if same is not None else None
    day = after.effective_on if rule is None else same.effective_on if same is not None else None
    if written != mode or day != on:
        raise UsageError(f"no edit of the text gives {pack.name} the mode {mode}", remedy="edit its METADATA by hand")
    return found, after


def _patches(
    files: Files, config: Config, pack: Pack, rule: PackRule | None, mode: Mode, on: dt.date | None
) -> Iterator[Patch]:
    changes = {"mode": mode, "effective_on": None if on is None else on.isoformat()}
    prefix = "" if pack.path == "." else f"{pack.path}/"
    entry = _entry(config, pack) if rule is None else None
    written = False
    for name, data in pack.modules.items():
        source = data.decode("utf-8")
        edited = source
        for block in reversed(list(_blocks(prefix + name, source, pack, rule))):
            # Where maestro.yaml gives the mode, the block at most repeats it.
            wanted = changes if "mode" in block.custom or entry is None else {"effective_on": changes["effective_on"]}
            edited = with_custom(prefix + name, edited, block.line, wanted)
            written = True
        if edited != source:
            yield Patch(prefix + name, source, edited, 1)
    if entry is not None:
        text = files.read_many([CONFIG_PATH])[CONFIG_PATH].decode("utf-8")
        [raw] = read(CONFIG_PATH, text.encode(), dialect="strict").documents
        after = apply(text, [set_value(raw, ["packs", entry, "mode"], mode)])
        yield Patch(CONFIG_PATH, text, after, 1)
        if on is not None and not written:
            raise EditRefused("its modules have no METADATA block to hold effective_on", where=pack.path)


def _entry(config: Config, pack: Pack) -> int | None:
    """The place of the entry of maestro.yaml that gives the pack its mode."""
    for index, one in enumerate(config.packs):
        if isinstance(one, PackEntry) and one.mode is not None and one.path.rstrip("/") == pack.path:
            return index
    return None


def _blocks(path: str, source: str, pack: Pack, rule: PackRule | None) -> Iterator[Annotation]:
    """The blocks that speak of the pack, or of the rule, in one module."""
    text = read_text(source)
    if ".".join(text.package or ()) != (pack.package or pack.name):
        return
    found, _ = read_blocks(path, text, heads(text, v1=pack.rego_version == "v1"))
    if rule is not None:
        yield from (
            one for one in found if one.target is not None and one.target.name == rule.name and "mode" in one.custom
        )
    else:
        yield from [one for one in found if one.on_package][:1]


def _loaded(files: Files, found: Iterable[Patch], name: str) -> Pack:
    edited = _Edited(files, {patch.path: patch.after.encode("utf-8") for patch in found})
    packs: Packs = load_packs(edited, load_config(CONFIG_PATH, edited.read_many([CONFIG_PATH])[CONFIG_PATH]))
    for pack in packs.packs:
        if pack.name == name and not any(
            one.pack == pack.path and one.rule.mode == "enforce" for one in packs.problems
        ):
            return pack
    raise UsageError(f"no edit of the text stages {name}", remedy="edit its METADATA by hand")


@dataclass(frozen=True)
class _Edited:
    """Files, some of them edited."""

    base: Files
    edited: Mapping[str, bytes]

    @property
    def entries(self) -> Mapping[str, Any]:
        return self.base.entries

    def read_many(self, paths: Iterable[str]) -> dict[str, bytes]:
        wanted = list(paths)
        left = self.base.read_many([path for path in wanted if path not in self.edited])
        return {path: self.edited[path] if path in self.edited else left[path] for path in wanted}
