"""Which packs, with which digests, a commit has: read from git, each state of the policy's folders once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from maestro.config import Config, PackEntry, load_config
from maestro.errors import MaestroError
from maestro.git_objects import parse_tree
from maestro.repository import Repository
from policy.pack import load_packs

_CONFIG = "maestro.yaml"
_WILDCARD = re.compile(r"[*?\[]")


class PacksAt:
    """Packs by commit. ``read`` first, all commits at once: a thousand merges mostly have one policy."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._by_commit: dict[str, Mapping[str, str] | str] = {}
        self._by_state: dict[tuple[object, ...], Mapping[str, str] | str] = {}
        self._configs: dict[str, Config | str] = {}

    def read(self, commits: Iterable[str]) -> None:
        """Read the packs of these commits."""
        objects = self._repository.objects
        wanted_commits = [commit for commit in commits if commit not in self._by_commit]
        trees = {
            commit: answer[2][5:].partition(b"\n")[0].decode("ascii")  # a commit begins with `tree <id>`
            for commit, answer in objects.read(wanted_commits).items()
            if answer is not None and answer[1] == "commit"
        }
        roots: dict[str, dict[str, str]] = {}
        for tree, answer in objects.read(trees.values()).items():
            if answer is not None and answer[1] == "tree":
                rows = parse_tree(answer[2], len(tree) // 2)
                roots[tree] = {row.name.decode("utf-8", "surrogateescape"): row.oid for row in rows}
        wanted = {root[_CONFIG] for root in roots.values() if _CONFIG in root and root[_CONFIG] not in self._configs}
        for oid, content in objects.read(wanted).items():
            self._configs[oid] = _config(content[2] if content is not None else b"")
        for commit, tree in trees.items():
            self._by_commit[commit] = self._of(commit, tree, roots.get(tree, {}))

    def at(self, commit: str) -> Mapping[str, str] | str:
        """Name → digest of the packs of a commit that was read, or why there are none."""
        return self._by_commit.get(commit, "the commit is not on the default branch")

    def _of(self, commit: str, tree: str, root: Mapping[str, str]) -> Mapping[str, str] | str:
        if _CONFIG not in root:
            return "there is no maestro.yaml at that commit"
        config = self._configs[root[_CONFIG]]
        if isinstance(config, str):
            return config
        folders = _folders(config)
        state = (root[_CONFIG], *(tree if folder is None else root.get(folder) for folder in folders))
        if state not in self._by_state:
            packs = load_packs(self._repository.snapshot(commit), config).packs
            self._by_state[state] = {pack.name: pack.digest for pack in packs}
        return self._by_state[state]


def _config(content: bytes) -> Config | str:
    try:
        return load_config(_CONFIG, content, of_the_past=True)
    except MaestroError as error:
        return f"the maestro.yaml of that commit cannot be read: {error.message}"


def _folders(config: Config) -> list[str | None]:
    """The top-level names that packs are made of; None where a pattern can mean any."""
    names: set[str | None] = set()
    for pack in config.packs:
        entry = PackEntry(path=pack) if isinstance(pack, str) else pack
        names |= set(_tops([entry.path, *(entry.data or ())]))
    return sorted(names, key=lambda name: name or "")


def _tops(paths: Iterable[str]) -> Iterable[str | None]:
    for path in paths:
        top = path.removeprefix("./").partition("/")[0]
        yield None if _WILDCARD.search(top) or top in ("", ".") else top
