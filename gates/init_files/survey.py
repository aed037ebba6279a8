"""What a repository already has: Kubernetes YAML, policies written for conftest, folders whose names we would use."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

from policy.rego_text import heads, read_text

KIND_FOLDERS = ("manifests", "flags", "pools", "waivers")
PATTERNS_LIMIT = 20
"""More patterns than this are no help to a reader of maestro.yaml."""

_RESULTS = re.compile(r"(deny|warn|violation)(_\w+)?")
_OLD_SYNTAX = re.compile(r"^\s*\w+\s*(\[[^\]\n]*\]|\([^)\n]*\))?\s*(:?=[^\n{]*\w\s*)?\{", re.MULTILINE)
_NEW_SYNTAX = re.compile(r"^\s*import\s+(rego\.v1|future\.keywords)\b|^\w[^\n#\"`]*\s(if|contains)\s", re.MULTILINE)
_KUBERNETES = re.compile(rb"^apiVersion:\s*(?!maestro-conductor/)\S", re.MULTILINE)
_KIND = re.compile(rb"^kind:\s*\S", re.MULTILINE)
_OURS = re.compile(rb"^apiVersion:\s*[\"']?maestro-conductor/", re.MULTILINE)
_GLOB_SIGNS = frozenset("*?[]{}!\\")
_RESERVED = ("conftest", "system")
_COMBINED = re.compile(r"\binput\[[^\]\n]*\]\.contents\b")
_FILE_NAME = re.compile(r"\bdata\.conftest\b")
_OF_EVERY_OBJECT = re.compile(r"\b(apiVersion|kind|metadata|spec)\b")


@dataclass(frozen=True)
class ConftestPolicy:
    """A folder of Rego with rules that conftest asks for, in one package. Values as maestro.yaml wants them."""

    path: str
    namespace: str
    rego_version: Literal["v0", "v1"]
    data: tuple[str, ...] = ()
    match: tuple[str, ...] = ()


Reason = Literal["reserved", "combine", "file_name", "other_input", "same_namespace"]
"""Why rules that conftest would ask are not proposed: their package is an engine's own; they need all files at once;
they read ``data.conftest``; nothing in them speaks of what every Kubernetes object has; another folder's rules are in
the same package."""


@dataclass(frozen=True)
class LeftOut:
    """A policy for conftest that is there and not proposed."""

    path: str
    namespace: str
    reason: Reason


@dataclass(frozen=True)
class Survey:
    """What is there. ``patterns`` match the Kubernetes YAML and nothing else; each matches at least one file."""

    paths: frozenset[str]
    policies: tuple[ConftestPolicy, ...]
    left_out: tuple[LeftOut, ...]
    patterns: tuple[str, ...]
    unmatched: int
    """Kubernetes files that no pattern was found for."""
    foreign_folders: frozenset[str]
    """Of KIND_FOLDERS, those holding files that are not our documents."""

    @property
    def empty(self) -> bool:
        """Nothing but what every new repository has."""
        return all(
            PurePosixPath(path).name.lower().split(".")[0] in {"readme", "license", "licence", "", "codeowners"}
            for path in self.paths
        )


def survey(paths: Iterable[str], read: Callable[[list[str]], Mapping[str, bytes]]) -> Survey:
    """Look at a repository through its list of files and a function that reads some of them."""
    names = frozenset(paths)
    yaml = [path for path in names if path.endswith((".yaml", ".yml")) and not _hidden(path)]
    rego = [path for path in names if path.endswith(".rego") and not path.endswith("_test.rego") and not _hidden(path)]
    settings = [path for path in ("conftest.toml",) if path in names]
    texts = read(sorted([*yaml, *rego, *settings]))
    kubernetes = {path for path in yaml if _is_kubernetes(texts[path])}
    odd = {path for path in yaml if b"{{" in texts[path] or _OURS.search(texts[path])}
    good = kubernetes - odd
    patterns, unmatched = _patterns(good, frozenset(yaml), odd)
    foreign = {
        folder
        for folder in KIND_FOLDERS
        for path in names
        if path == folder or (path.startswith(folder + "/") and not _OURS.search(texts.get(path, b"")))
    }
    toml = _toml(texts.get("conftest.toml", b""))
    there = _policies({path: texts[path].decode("utf-8", "replace") for path in rego}, toml)

    def beside(folder: str) -> set[str]:
        """The files that lie nearest to a folder of policies: below the folder that it is in, or one further out."""
        scope = _parent(folder)
        while scope and not any(_below(path, scope) for path in good):
            scope = _parent(scope)
        return {path for path in good if _below(path, scope)}

    def rank(policy: ConftestPolicy) -> tuple[bool, bool, int]:
        """conftest's own default first, then the folder that has the most files of its own."""
        files = beside(policy.path)
        return policy.path != "policy", files == good, -len(files)

    policies, left_out = _proposed(there, rank, trusted="namespace" in toml)

    return Survey(
        paths=names,
        policies=tuple(
            replace(policy, match=_patterns(beside(policy.path), frozenset(yaml), odd)[0]) for policy in policies
        ),
        left_out=left_out,
        patterns=patterns,
        unmatched=unmatched,
        foreign_folders=frozenset(foreign),
    )


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _is_kubernetes(data: bytes) -> bool:
    return bool(_KUBERNETES.search(data) and _KIND.search(data))


def _toml(data: bytes) -> Mapping[str, object]:
    try:
        return tomllib.loads(data.decode())
    except ValueError:
        return {}


def _texts(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(item.strip("/").removeprefix("./") for item in values if isinstance(item, str))


@dataclass(frozen=True)
class _Found:
    """A policy, and what its rules say: their own text, and that of the packages they use."""

    policy: ConftestPolicy
    own: str
    used: str


def _policies(rego: Mapping[str, str], toml: Mapping[str, object]) -> tuple[_Found, ...]:
    """Folders and packages as conftest sees them: a policy folder is loaded with everything below it."""
    wanted = _texts(toml.get("namespace"))
    asked: dict[str, list[str]] = {}
    packages: dict[str, str] = {}
    for path, source in rego.items():
        text = read_text(source)
        if text.package is None or text.package[0] == "mc":
            continue
        name = ".".join(text.package)
        packages[path] = name
        if any(_RESULTS.fullmatch(head.name) for head in heads(text, v1=not is_old(source))):
            asked.setdefault(name, []).append(path)
    namespaces = {name: files for name, files in asked.items() if not wanted or name in wanted}
    roots = _roots([path for files in namespaces.values() for path in files], _texts(toml.get("policy")))
    code = {path: re.sub(r"#[^\n]*", "", rego[path]) for path in packages}
    out = []
    for root in roots:
        for name, files in sorted(namespaces.items()):
            below = [path for path in files if _below(path, root)]
            if below:
                version: Literal["v0", "v1"] = "v0" if any(is_old(rego[path]) for path in below) else "v1"
                policy = ConftestPolicy(root, name, version, _texts(toml.get("data")))
                beside = {path: package for path, package in packages.items() if _below(path, root)}
                own = "\n".join(code[path] for path, package in beside.items() if package == name)
                out.append(_Found(policy, own, _used(name, beside, code)))
    return tuple(out)


def _used(name: str, packages: Mapping[str, str], code: Mapping[str, str]) -> str:
    """The code of a package and of all that it names as ``data.<package>``, directly or not."""
    known = {name}
    while True:
        text = "\n".join(code[path] for path, package in packages.items() if package in known)
        named = {package for package in packages.values() if re.search(rf"\bdata\.{re.escape(package)}\b", text)}
        if named <= known:
            return text
        known |= named


def _proposed(
    found: Iterable[_Found], rank: Callable[[ConftestPolicy], tuple[bool, bool, int]], *, trusted: bool
) -> tuple[list[ConftestPolicy], tuple[LeftOut, ...]]:
    """What can judge Kubernetes YAML as it is, one policy for a package; and what is left out, with the reason.

    Args:
        found: all there is.
        rank: which one gets a package that several want; the smallest does.
        trusted: conftest.toml names the packages, so they are asked whatever they speak of.
    """
    left: list[LeftOut] = []

    def leave(one: _Found, reason: Reason) -> None:
        left.append(LeftOut(one.policy.path, one.policy.namespace, reason))

    usable = []
    for one in found:
        if one.policy.namespace.split(".")[0] in _RESERVED:
            leave(one, "reserved")
        elif _COMBINED.search(one.own):
            leave(one, "combine")
        elif _FILE_NAME.search(one.used):
            leave(one, "file_name")
        else:
            usable.append(one)
    of_objects = [one for one in usable if _OF_EVERY_OBJECT.search(one.used)]
    if of_objects and not trusted:
        for one in usable:
            if one not in of_objects:
                leave(one, "other_input")
        usable = of_objects
    chosen: dict[str, ConftestPolicy] = {}
    for one in sorted(usable, key=lambda one: (rank(one.policy), one.policy.path)):
        if one.policy.namespace in chosen:
            leave(one, "same_namespace")
        else:
            chosen[one.policy.namespace] = one.policy
    return sorted(chosen.values(), key=lambda one: (one.path, one.namespace)), tuple(left)


def is_old(source: str) -> bool:
    """Whether a module is written in Rego v0: rule bodies without ``if``, and nothing that only v1 has."""
    code = re.sub(r"#[^\n]*", "", source)
    return not _NEW_SYNTAX.search(code) and bool(_OLD_SYNTAX.search(code))


def _below(path: str, folder: str) -> bool:
    return not folder or path.startswith(folder + "/")


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _roots(files: Iterable[str], configured: tuple[str, ...]) -> list[str]:
    """The outermost folders with rules in them, or what conftest.toml names; never the whole repository."""
    folders = {str(PurePosixPath(path).parent) for path in files} - {"."}
    named = [root for root in configured if root and any(root == folder or _below(folder, root) for folder in folders)]
    if named:
        return sorted(named)
    if any(folder == "policy" or _below(folder, "policy") for folder in folders):
        folders = {"policy"} | {folder for folder in folders if not _below(folder, "policy")}
    return sorted(folder for folder in folders if not any(_below(folder, other) for other in folders))


def _patterns(good: set[str], yaml: frozenset[str], odd: set[str]) -> tuple[tuple[str, ...], int]:
    """Patterns for ``good`` files: a whole folder where nothing odd is below it, else smaller ones."""
    files_in: dict[str, set[str]] = defaultdict(set)
    children: dict[str, set[str]] = defaultdict(set)
    for path in yaml:
        parts = path.split("/")
        files_in["/".join(parts[:-1])].add(path)
        for depth in range(1, len(parts)):
            children["/".join(parts[: depth - 1])].add("/".join(parts[:depth]))

    def below(folder: str) -> set[str]:
        return {path for path in yaml if _below(path, folder)}

    out: dict[str, int] = {}
    """Pattern to how many files it is for."""

    def propose(prefix: str, files: set[str]) -> None:
        for suffix in _suffixes(files):
            out[f"{prefix}*{suffix}"] = sum(path.endswith(suffix) for path in files)

    waiting = [""]
    while waiting:
        folder = waiting.pop()
        inside = below(folder) if folder else set(yaml)
        if not inside & good:
            continue
        if _GLOB_SIGNS & set(folder):
            continue
        if folder and not inside & odd:
            propose(f"{folder}/**/", inside & good)
            continue
        here = files_in[folder]
        if folder and not here & odd and here & good:
            propose(f"{folder}/", here & good)
        else:
            out |= {path: 1 for path in here & good if not _GLOB_SIGNS & set(path)}
        waiting.extend(children[folder])
    chosen = sorted(out, key=lambda pattern: (-out[pattern], pattern))[:PATTERNS_LIMIT]
    return tuple(sorted(chosen)), len(good) - sum(out[pattern] for pattern in chosen)


def _suffixes(paths: Iterable[str]) -> list[str]:
    return sorted({PurePosixPath(path).suffix for path in paths})
