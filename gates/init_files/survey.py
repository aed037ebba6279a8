"""What a repository already has: Kubernetes YAML, policies written for conftest, folders whose names we would use."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True)
class ConftestPolicy:
    """A folder of Rego with rules that conftest asks for, in one package. Values as maestro.yaml wants them."""

    path: str
    namespace: str
    rego_version: Literal["v0", "v1"]
    data: tuple[str, ...] = ()


@dataclass(frozen=True)
class Survey:
    """What is there. ``patterns`` match the Kubernetes YAML and nothing else; each matches at least one file."""

    paths: frozenset[str]
    policies: tuple[ConftestPolicy, ...]
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
    patterns, unmatched = _patterns(kubernetes - odd, frozenset(yaml), odd)
    foreign = {
        folder
        for folder in KIND_FOLDERS
        for path in names
        if path == folder or (path.startswith(folder + "/") and not _OURS.search(texts.get(path, b"")))
    }
    toml = _toml(texts.get("conftest.toml", b""))
    return Survey(
        paths=names,
        policies=_policies({path: texts[path].decode("utf-8", "replace") for path in rego}, toml),
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


def _policies(rego: Mapping[str, str], toml: Mapping[str, object]) -> tuple[ConftestPolicy, ...]:
    """Folders and packages as conftest sees them: a policy folder is loaded with everything below it."""
    wanted = _texts(toml.get("namespace"))
    asked: dict[str, list[str]] = {}
    for path, source in rego.items():
        text = read_text(source)
        if text.package is None or text.package[0] == "mc":
            continue
        if any(_RESULTS.fullmatch(head.name) for head in heads(text, v1=not is_old(source))):
            asked.setdefault(".".join(text.package), []).append(path)
    namespaces = {name: files for name, files in asked.items() if not wanted or name in wanted}
    roots = _roots([path for files in namespaces.values() for path in files], _texts(toml.get("policy")))
    out = []
    for root in roots:
        for name, files in sorted(namespaces.items()):
            below = [path for path in files if _below(path, root)]
            if below:
                version: Literal["v0", "v1"] = "v0" if any(is_old(rego[path]) for path in below) else "v1"
                out.append(ConftestPolicy(root, name, version, _texts(toml.get("data"))))
    return tuple(out)


def is_old(source: str) -> bool:
    """Whether a module is written in Rego v0: rule bodies without ``if``, and nothing that only v1 has."""
    code = re.sub(r"#[^\n]*", "", source)
    return not _NEW_SYNTAX.search(code) and bool(_OLD_SYNTAX.search(code))


def _below(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")


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
