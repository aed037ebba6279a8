"""From a revision's files and maestro.yaml to packs, and to everything that is wrong with them."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from maestro import canonical_json
from maestro.config import Config, PackEntry
from maestro.documents.reading import read
from maestro.findings import MILDNESS, Location, Mode, Rule
from maestro.patterns import PatternError, check, matches
from policy import pack_rules
from policy.engines.engine import RegoVersion
from policy.metadata import Annotation, read_blocks
from policy.pack import Admission, Door, Files, InputKind, Pack, PackProblem, PackRule, Packs, RuleKind
from policy.pack_data import merge
from policy.rego_text import Head, Text, heads, read_text

if TYPE_CHECKING:
    from policy.bundle.last_seen import Seen

CONFIG_PATH = "maestro.yaml"
_RULE_NAME = re.compile(r"(deny|violation|warn)((?:_[a-zA-Z0-9]+)*)\Z")
_LIKE_A_RULE = re.compile(r"(deny|violation|warn)_")
_ENDINGS = (".yaml", ".yml", ".json")
"""Of the files that are judged."""
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WILDCARD = re.compile(r"[*?\[]")
_REGULAR = ("100644", "100755")
_INPUTS: tuple[str, ...] = get_args(InputKind)


def load(snapshot: Files, config: Config, door: Door | None) -> Packs:
    """See ``policy.pack.load_packs``."""
    packs: list[Pack] = []
    problems: list[PackProblem] = []
    modules = _module_paths(snapshot)
    for item in config.packs:
        entry = PackEntry(path=item) if isinstance(item, str) else item
        folders = folders_of(entry.path, modules)
        # Somebody who wrote no `packs` promised none; a folder that was named must be there.
        if not folders and "packs" in config.model_fields_set:
            problems.append(_nothing_there(entry.path))
        for folder, paths in folders.items():
            loader = _Loader(folder, paths, entry, snapshot)
            pack = loader.load()
            problems += loader.problems
            if pack is not None:
                packs.append(pack)
    bundles = []
    for admission in _admissions(snapshot, config, door):
        packs += admission.packs
        problems += admission.problems
        bundles += [admission.bundle] if admission.bundle is not None else []
    return _one_pack_per_namespace(packs, problems, tuple(bundles))


def _admissions(snapshot: Files, config: Config, door: Door | None) -> Iterable[Admission]:
    if door is not None:
        return door.admit(snapshot, config)
    message = "a signed bundle is not read here"
    return [
        Admission((), (PackProblem(pack_rules.BUNDLE, message, Location(row.path), row.path),), None)
        for row in config.bundles
    ]


def _module_paths(snapshot: Files) -> list[str]:
    return sorted(
        path
        for path in snapshot.entries
        if path.endswith(".rego")
        and not path.endswith("_test.rego")
        and "fixtures" not in PurePosixPath(path).parts[:-1]
    )


def folders_of(pattern: str, modules: list[str]) -> dict[str, list[str]]:
    """The pack folders that an entry names, each with its modules. A folder inside a named one is a part of it."""
    pattern = pattern.removeprefix("./").rstrip("/")
    out: dict[str, list[str]] = {}
    if not _WILDCARD.search(pattern):
        inside = [path for path in modules if path.startswith(pattern + "/")]
        return {pattern: inside} if inside else {}
    for path in modules:
        parents = [str(parent) for parent in PurePosixPath(path).parents][::-1]
        for folder in parents:
            if folder == pattern or matches(pattern, folder):
                out.setdefault(folder, []).append(path)
                break
    return out


def _nothing_there(pattern: str) -> PackProblem:
    return PackProblem(
        pack_rules.NO_PACK,
        f"`packs` names {pattern}, where there is no Rego to judge with",
        Location(CONFIG_PATH),
        pattern,
    )


def _one_pack_per_namespace(
    packs: list[Pack], problems: list[PackProblem], bundles: tuple[tuple[str, Seen], ...]
) -> Packs:
    by_name: dict[str, list[Pack]] = {}
    for pack in packs:
        by_name.setdefault(pack.name, []).append(pack)
    for name, several in by_name.items():
        for other in several[1:]:
            message = f"the name {name} is that of {several[0].path} as well as of {other.path}"
            problems.append(PackProblem(pack_rules.SAME_NAMESPACE, message, other.location, other.path))
    return Packs(tuple(several[0] for several in by_name.values() if len(several) == 1), tuple(problems), bundles)


@dataclass
class _Module:
    """A module of the pack as read; ``name`` is its path inside the pack."""

    path: str
    name: str
    source: bytes
    text: Text
    heads: list[Head]
    annotations: list[Annotation]


@dataclass
class _Loader:
    """Loads one folder. ``problems`` fills up as it reads."""

    folder: str
    paths: list[str]
    entry: PackEntry
    snapshot: Files
    problems: list[PackProblem] = field(default_factory=list)
    _texts: dict[str, Text] = field(default_factory=dict)
    """Modules that were scanned for their syntax's version already."""

    def load(self) -> Pack | None:
        v1 = self._rego_version() == "v1"
        modules = self._read(v1=v1)
        if not modules:
            return None
        namespace = self._namespace(modules)
        if namespace is None:
            return None
        own = [module for module in modules if ".".join(module.text.package or ()) == namespace]
        settings = self._settings(own)
        rules = self._rules(own, settings.mode)
        if not self.entry.namespace:
            self._never_asked(modules, own)
        names = {head.name for module in own for head in module.heads if head.shape != "function"}
        data = self._data()
        if not rules and "decision" not in names:
            message = f"{namespace} has no rule that could speak: no deny, warn, violation or decision"
            self._problem(pack_rules.NOTHING_TO_ASK, message, settings.location)
            return None
        if settings.input == "placement-request" and "decision" not in names:
            message = f"{namespace} is given placement requests and has no rule `decision`"
            self._problem(pack_rules.NO_DECISION, message, settings.location)
        if settings.input == "document" and not settings.match:
            message = f"{namespace} judges files and names none: it is only asked for files given by --input"
            self._problem(pack_rules.NO_MATCH, message, settings.location)
        if data is None:
            return None
        if not self.entry.namespace and settings.mode == "enforce":
            self._plain_deny(own)
        sources = {module.name: module.source for module in modules}
        return Pack(
            name=self.entry.name or namespace,
            package=namespace if self.entry.name else None,
            path=self.folder,
            mode=settings.mode,
            effective_on=settings.effective_on,
            owner=settings.owner,
            input=settings.input,
            match=settings.match,
            rego_version=settings.rego_version,
            builtin_errors=settings.builtin_errors,
            title=settings.title,
            rules=rules,
            modules=sources,
            data=data,
            digest=_digest(namespace, settings, sources, data),
            location=settings.location,
            conftest_style=bool(self.entry.namespace),
            decides="decision" in names,
            exceptions="exception" in names,
        )

    def _problem(self, rule: Rule, message: str, location: Location, remedy: str | None = None) -> None:
        self.problems.append(PackProblem(rule, message, location, self.folder, remedy))

    def _rego_version(self) -> RegoVersion:
        """The syntax the folder is written in. Needed before anything else can be read for certain: a block in any
        module may say so, and METADATA reads the same in both."""
        if self.entry.rego_version:
            return self.entry.rego_version
        for path, source in self.snapshot.read_many(self._regular()).items():
            text = self._texts[path] = read_text(source.decode("utf-8", "replace"))
            found, _ = read_blocks("", text, [])
            if any(block.on_package and block.custom.get("rego") == "v0" for block in found):
                return "v0"
        return "v1"

    def _regular(self) -> list[str]:
        return [path for path in self.paths if self.snapshot.entries[path].mode in _REGULAR]

    def _read(self, *, v1: bool) -> list[_Module]:
        sources = self.snapshot.read_many(self._regular())
        out = []
        sound = True
        for path in self.paths:
            source = sources.get(path)
            if source is None:
                self._problem(pack_rules.UNREADABLE, "the module is a link, not a file", Location(path))
                sound = False
                continue
            try:
                decoded = source.decode("utf-8")
            except UnicodeDecodeError as error:
                message = f"the module is not UTF-8 (byte {error.start})"
                self._problem(pack_rules.UNREADABLE, message, Location(path))
                sound = False
                continue
            if "\0" in decoded:
                line = decoded.count("\n", 0, decoded.index("\0")) + 1
                self._problem(pack_rules.UNREADABLE, "the module holds a NUL byte", Location(path, line))
                sound = False
                continue
            text = self._texts.get(path) or read_text(decoded)
            found = heads(text, v1=v1)
            blocks, complaints = read_blocks(path, text, found)
            for complaint in complaints:
                self._problem(complaint.rule, complaint.message, complaint.location)
            self._file_name(path, text)
            name = path[len(self.folder) + 1 :] if self.folder != "." else path
            out.append(_Module(path, name, source, text, found, blocks))
        return out if sound else []

    def _file_name(self, path: str, text: Text) -> None:
        for at, token in enumerate(text.tokens[:-2]):
            follows = text.tokens[at + 2].text.strip('"`') if text.tokens[at + 1].text in (".", "[") else ""
            if token.text == "data" and follows == "conftest":
                message = "data.conftest.file is conftest's own: here a rule is given the document alone"
                self._problem(pack_rules.FILE_NAME, message, Location(path, token.line, token.column))
                return

    def _namespace(self, modules: list[_Module]) -> str | None:
        sound = True
        if self.entry.name and self.entry.name.split(".")[0] == "mc":
            message = f"maestro.yaml calls {self.folder} {self.entry.name}, but names in `mc` are the gates' own"
            self._problem(pack_rules.PACKAGE, message, Location(CONFIG_PATH), "choose a name outside of `mc`")
            sound = False
        for module in modules:
            if module.text.package is None:
                message = "the module does not begin with `package <namespace>`"
                self._problem(pack_rules.PACKAGE, message, Location(module.path))
                sound = False
        if not sound:
            return None
        packages = {module.text.package: module for module in modules if module.text.package}
        if self.entry.namespace:
            wanted = tuple(self.entry.namespace.split("."))
            if wanted not in packages:
                message = f"no module of {self.folder} is in the package {self.entry.namespace} that maestro.yaml names"
                self._problem(pack_rules.PACKAGE, message, Location(modules[0].path))
                return None
        else:
            wanted = min(packages, key=lambda parts: (len(parts), parts))
        for parts, module in packages.items():
            reserved = parts[0] in ("system", "conftest") or parts[0].startswith("maestro_")
            inside = parts[: len(wanted)] == wanted
            if reserved or not (inside or self.entry.namespace):
                why = "is reserved" if reserved else f"lies outside of the pack's namespace {'.'.join(wanted)}"
                line = module.text.tokens[0].line
                remedy = None
                if reserved:
                    remedy = "give it another package: conftest and system are the engines' own, maestro_… is ours"
                message = f"the package {'.'.join(parts)} {why}"
                self._problem(pack_rules.PACKAGE, message, Location(module.path, line), remedy)
                sound = False
        odd = [part for part in wanted if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", part)]
        if odd:
            message = f"the namespace {'.'.join(wanted)} holds {odd[0]!r}: letters, digits and _ only"
            self._problem(pack_rules.PACKAGE, message, Location(packages[wanted].path))
            sound = False
        return ".".join(wanted) if sound else None

    def _settings(self, own: list[_Module]) -> _Settings:
        first = next((m for m in own if any(a.on_package for a in m.annotations)), own[0])
        location = Location(first.path, first.text.tokens[0].line)
        given: dict[str, tuple[Any, Location]] = {}
        title = None
        for module in own:
            for block in module.annotations:
                if not block.on_package:
                    continue
                title = title or block.title
                for key, value in block.custom.items():
                    where = block.place(key)
                    if key in given and given[key][0] != value:
                        message = f"custom.{key} is {given[key][0]!r} in {given[key][1].path} and {value!r} here"
                        self._problem(pack_rules.CONTRADICTION, message, where)
                        if key == "mode" and value not in MILDNESS:
                            continue
                        if key == "mode" and _stricter(given[key][0], value):
                            continue
                    given[key] = (value, where)
        entry = self.entry
        from_entry: dict[str, Any] = {
            "mode": entry.mode,
            "owner": entry.owner,
            "input": entry.input,
            "match": list(entry.match) if entry.match else None,
            "rego": entry.rego_version,
        }
        for key, value in from_entry.items():
            if value is None:
                continue
            if key in given and given[key][0] != value:
                message = f"{key} is {value!r} for this pack in {CONFIG_PATH} and {given[key][0]!r} in its METADATA"
                self._problem(pack_rules.CONTRADICTION, message, given[key][1])
                if key != "mode" or not _stricter(value, given[key][0]):
                    continue
            given.setdefault(key, (value, Location(CONFIG_PATH)))
            if key == "mode":
                given[key] = (value, given[key][1])
        # As conftest does by default: policies written for it give what it gives.
        builtin_errors = ("undefined", "strict") if entry.namespace else ("strict", "undefined")
        mode = cast("Mode", self._one_of(given, "mode", ("enforce", "warn", "shadow"), pack_rules.MODE))
        return _Settings(
            mode=mode,
            effective_on=self._day(*given["effective_on"], mode) if "effective_on" in given else None,
            owner=self._text(given, "owner"),
            input=cast(InputKind, self._one_of(given, "input", ("document", *_INPUTS), pack_rules.METADATA)),
            match=self._patterns(given),
            rego_version=cast(RegoVersion, self._one_of(given, "rego", ("v1", "v0"), pack_rules.METADATA)),
            builtin_errors=cast(
                Literal["strict", "undefined"],
                self._one_of(given, "builtin_errors", builtin_errors, pack_rules.METADATA),
            ),
            title=title,
            location=location,
        )

    def _one_of(self, given: Mapping[str, tuple[Any, Location]], key: str, allowed: tuple[str, ...], rule: Rule) -> str:
        """The setting, or ``allowed[0]``: the default is also what a wrong value is judged by."""
        if key not in given:
            return allowed[0]
        value, where = given[key]
        if isinstance(value, str) and value in allowed:
            return value
        words = ", ".join(dict.fromkeys(allowed))
        self._problem(rule, f"{key} {value!r} is none of {words}", where)
        return allowed[0]

    def _day(self, value: Any, where: Location, mode: Mode) -> dt.date | None:  # noqa: ANN401
        """The day from which on ``mode`` holds. None when it is no day: the mode then holds at once."""
        day = None
        if isinstance(value, str) and _DAY.fullmatch(value):
            with suppress(ValueError):
                day = dt.date.fromisoformat(value)
        if day is None:
            message = f"effective_on is {value!r}: a day of the calendar is wanted, in quotes or not, like 2027-01-15"
            self._problem(pack_rules.EFFECTIVE_ON, message, where)
        elif mode == "shadow":
            message = "effective_on has nothing to harden: the mode from that day on is shadow, and no mode is milder"
            self._problem(pack_rules.EFFECTIVE_ON, message, where)
            return None
        return day

    def _text(self, given: Mapping[str, tuple[Any, Location]], key: str) -> str | None:
        if key not in given:
            return None
        value, where = given[key]
        if isinstance(value, str) and value.strip():
            return value
        self._problem(pack_rules.METADATA, f"{key} is {value!r}: a text is wanted", where)
        return None

    def _patterns(self, given: Mapping[str, tuple[Any, Location]]) -> tuple[str, ...]:
        if "match" not in given:
            return ()
        value, where = given["match"]
        patterns = [value] if isinstance(value, str) else value
        if not isinstance(patterns, list) or not all(isinstance(item, str) for item in patterns):
            self._problem(pack_rules.METADATA, f"match is {value!r}: a list of patterns is wanted", where)
            return ()
        for pattern in patterns:
            try:
                check(pattern)
            except PatternError as error:
                self._problem(pack_rules.METADATA, f"match holds {pattern!r}, which must {error}", where)
                return ()
            if _reads_nothing(pattern):
                message = f"match holds {pattern!r}: only .yaml, .yml and .json are read, so it matches nothing"
                remedy = (
                    "a folder is written `k8s/**`; what was converted to JSON is judged by `--input FILE.json=PACK`"
                )
                self._problem(pack_rules.NO_MATCH, message, where, remedy)
        return tuple(patterns)

    def _rules(self, own: list[_Module], pack_mode: Mode) -> tuple[PackRule, ...]:
        bodies: dict[str, list[tuple[_Module, Head, Annotation | None]]] = {}
        for module in own:
            by_head = {id(block.target): block for block in module.annotations if block.target is not None}
            for head in module.heads:
                where = Location(module.path, head.line, head.column)
                name = _RULE_NAME.match(head.name)
                if name is None:
                    if _LIKE_A_RULE.match(head.name) and head.shape != "function":
                        message = f"{head.name} looks like a rule and is never asked for"
                        self._problem(pack_rules.RULE_NAME, message, where)
                    continue
                if head.shape in ("object", "reference", "function"):
                    message = f"{head.name} is {_A_SHAPE[head.shape]}, not a set of results"
                    self._problem(pack_rules.RULE_HEAD, message, where)
                if head.shape != "function":
                    bodies.setdefault(head.name, []).append((module, head, by_head.get(id(head))))
        return tuple(self._rule(name, found, pack_mode) for name, found in bodies.items())

    def _never_asked(self, modules: list[_Module], own: list[_Module]) -> None:
        """Rules in a package below the pack's own: they look as if they judged, and only the namespace is asked."""
        for module in modules:
            for head in module.heads if module not in own else ():
                if _RULE_NAME.match(head.name) and head.shape != "function":
                    package = ".".join(module.text.package or ())
                    message = f"{head.name} stands in the helper package {package}, whose rules are never asked for"
                    remedy = (
                        f"give it an entry in maestro.yaml with `namespace: {package}`, or give the helper another name"
                    )
                    where = Location(module.path, head.line, head.column)
                    self._problem(pack_rules.RULE_NAME, message, where, remedy)

    def _rule(self, name: str, found: list[tuple[_Module, Head, Annotation | None]], pack_mode: Mode) -> PackRule:
        kind, _, suffix = name.partition("_")
        shown = next((item for item in found if not item[1].default), found[0])
        modes: list[Mode | None] = []
        whole: Mode | None = None
        for _module, _head, block in found:
            mode = self._rule_mode(name, kind, block, pack_mode)
            if block is not None and block.scope == "document":
                whole = mode or whole
            if not _head.default or len(found) == 1:
                modes.append(mode)
        strictest: Mode | None = None
        given = [mode for mode in modes if mode is not None]
        if given and len(given) == len(modes):
            by_strictness: list[Mode] = sorted(given, key=MILDNESS.__getitem__)
            strictest = by_strictness[0]
        mode = whole or strictest
        limit = self._limit(kind, pack_mode)
        effective_on = self._rule_day(name, found, mode or limit)
        blocks = [block for _module, _head, block in found if block is not None]
        custom: dict[str, Any] = {}
        for block in blocks:
            custom = {**block.custom, **custom}
        return PackRule(
            name=name,
            kind=cast(RuleKind, kind),
            suffix=suffix or name,
            mode=limit if mode is None and effective_on is not None else mode,
            effective_on=effective_on,
            title=next((block.title for block in blocks if block.title), None),
            location=Location(shown[0].path, shown[1].line, shown[1].column),
            custom=custom,
        )

    def _rule_mode(self, name: str, kind: str, block: Annotation | None, pack_mode: Mode) -> Mode | None:
        if block is None or "mode" not in block.custom:
            return None
        mode = block.custom["mode"]
        where = block.place("mode")
        if not isinstance(mode, str) or mode not in MILDNESS:
            self._problem(pack_rules.MODE, f"the mode {mode!r} of {name} is none of enforce, warn, shadow", where)
            return None
        chosen: Mode = mode
        limit = self._limit(kind, pack_mode)
        if _stricter(chosen, limit):
            why = "a warn rule never blocks" if kind == "warn" else f"its pack is {pack_mode}"
            self._problem(pack_rules.MODE, f"{name} is {chosen}, but {why}: a rule is at most milder", where)
            return None
        return chosen

    def _limit(self, kind: str, pack_mode: Mode) -> Mode:
        """The strictest mode that a rule can have."""
        return "warn" if kind == "warn" and pack_mode == "enforce" else pack_mode

    def _rule_day(self, name: str, found: list[tuple[_Module, Head, Annotation | None]], mode: Mode) -> dt.date | None:
        """The day that the rule's blocks give. Its bodies harden together, or none of them is put off."""
        given = [block for _module, _head, block in found if block is not None and "effective_on" in block.custom]
        if not given:
            return None
        days = [self._day(block.custom["effective_on"], block.place("effective_on"), mode) for block in given]
        bodies = [block for _module, head, block in found if not head.default or len(found) == 1]
        complete = any(block.scope == "document" for block in given) or all(block in given for block in bodies)
        if not complete or len(set(days)) > 1:
            message = f"{name} has several bodies, and not one effective_on for all of them: so nothing is put off"
            remedy = "write the same day at each body, or once in a block with `scope: document`"
            self._problem(pack_rules.EFFECTIVE_ON, message, given[0].place("effective_on"), remedy)
            return None
        return days[0]

    def _plain_deny(self, own: list[_Module]) -> None:
        for name in ("deny", "violation"):
            found = [
                (module, head)
                for module in own
                for head in module.heads
                if head.name == name and not head.default and head.shape != "function"
            ]
            told_apart = any(token.text == '"rule"' for module in own for token in module.text.tokens)
            if len(found) > 1 and not told_apart:
                module, head = found[1]
                message = f"{len(found)} bodies are named plain {name}: they are one rule, waived only together"
                self._problem(pack_rules.PLAIN_DENY, message, Location(module.path, head.line, head.column))

    def _data(self) -> dict[str, bytes] | None:
        out: dict[str, bytes] = {}
        wanted = [path.removeprefix("./").rstrip("/") for path in self.entry.data or ()]
        for pattern in wanted:
            found = [
                path
                for path in self.snapshot.entries
                if path.endswith((".json", ".yaml", ".yml"))
                and (path == pattern or path.startswith(pattern + "/") or matches(pattern, path))
            ]
            if not found:
                self._problem(pack_rules.DATA, f"data names {pattern}, where there is no file", Location(CONFIG_PATH))
                return None
            regular = [path for path in found if self.snapshot.entries[path].mode in _REGULAR]
            for path, content in self.snapshot.read_many(regular).items():
                value = self._data_file(path, content)
                if value is None:
                    return None
                out[path] = value
        return self._merged(out)

    def _data_file(self, path: str, content: bytes) -> bytes | None:
        reading = read(path, content, dialect="lenient")
        wrong = [problem for problem in reading.problems if problem.rule.mode == "enforce"]
        if wrong:
            self._problem(pack_rules.DATA, wrong[0].message, wrong[0].location)
            return None
        if len(reading.documents) != 1 or not isinstance(reading.documents[0].value, dict):
            self._problem(pack_rules.DATA, "a data file holds one object", Location(path))
            return None
        try:
            return canonical_json.dumps(reading.documents[0].value)
        except ValueError as error:
            self._problem(pack_rules.DATA, str(error), Location(path))
            return None

    def _merged(self, files: dict[str, bytes]) -> dict[str, bytes] | None:
        whole: dict[str, Any] = {}
        for path, content in files.items():
            clash = merge(whole, json.loads(content))
            if clash is not None:
                message = f"data.{clash} is given by another data file as well"
                self._problem(pack_rules.DATA, message, Location(path))
                return None
            reserved = [key for key in whole if key in ("conftest", "system") or key.startswith("maestro_")]
            if reserved:
                self._problem(pack_rules.DATA, f"data.{reserved[0]} is reserved", Location(path))
                return None
        return files


_A_SHAPE = {"object": "an object", "reference": "the first part of a longer name", "function": "a function"}


@dataclass(frozen=True)
class _Settings:
    mode: Mode
    effective_on: dt.date | None
    owner: str | None
    input: InputKind
    match: tuple[str, ...]
    rego_version: RegoVersion
    builtin_errors: Literal["strict", "undefined"]
    title: str | None
    location: Location


def _reads_nothing(pattern: str) -> bool:
    """Whether a pattern's last segment ends as no file does that is read."""
    segment = pattern.rpartition("/")[2].lower()
    tail = re.split(r"[*?\]]", segment)[-1]
    wild = tail != segment or not segment
    return not any(tail.endswith(ending) or (wild and ending.endswith(tail)) for ending in _ENDINGS)


def _stricter(one: Any, other: Any) -> bool:  # noqa: ANN401
    return MILDNESS.get(one, 0) < MILDNESS.get(other, 0)


def _digest(namespace: str, settings: _Settings, modules: Mapping[str, bytes], data: Mapping[str, bytes]) -> str:
    def listing(files: Mapping[str, bytes]) -> Iterable[list[str]]:
        return [[name, canonical_json.digest_of_bytes(files[name])] for name in sorted(files)]

    return canonical_json.digest(
        {
            "namespace": namespace,
            "input": settings.input,
            "rego": settings.rego_version,
            "builtin_errors": settings.builtin_errors,
            "modules": listing(modules),
            "data": listing(data),
        }
    )
