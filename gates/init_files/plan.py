"""Which files a repository lacks, and their text. Pure."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gates.init_files.survey import KIND_FOLDERS, ConftestPolicy, Reason, Survey
from policy.parity.lock import LOCK_PATH

WORKFLOW = ".github/workflows/maestro.yml"
_TEMPLATES = Path(__file__).with_name("templates")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./-]*[A-Za-z_/-][A-Za-z0-9_./-]*")


@dataclass(frozen=True)
class Plan:
    """What to write (path to bytes), what is there already, what a person should know, what decides from now on."""

    files: Mapping[str, bytes]
    kept: tuple[str, ...]
    notes: tuple[str, ...]
    deciding: tuple[str, ...]
    """Paths that CODEOWNERS should cover."""


def plan(
    found: Survey,
    *,
    branch: str,
    action: str | None,
    version: str,
    packs: Mapping[str, bytes],
    lock: bytes,
    today: dt.date,
) -> Plan:
    """Decide what is missing.

    Args:
        found: what is there.
        branch: the default branch.
        action: ``OWNER/REPO@COMMIT`` where the composite action lives, or None when unknown.
        version: of this tool.
        packs: our packs, by path below the folder of packs (``flags/flags.rego``).
        lock: the parity lock for these packs: what lets regopy judge them where no conftest is.
        today: for dates in examples.
    """
    wanted: dict[str, bytes] = {}
    notes: list[str] = []
    deciding = [".github/", "maestro.yaml", "trust.yaml", "policy/"]
    if "maestro.yaml" not in found.paths:
        home = _pack_folder(found)
        folders = _kind_folders(found)
        policies, said = _judging(found)
        notes += said
        wanted["maestro.yaml"] = _settings(found, branch, version, home, folders, policies).encode()
        there = _folders(found.paths)
        wanted |= {
            f"{home}/{name}": data for name, data in packs.items() if f"{home}/{name.split('/')[0]}" not in there
        }
        if "policy" not in found.paths:  # a file of that name leaves no room for the folder
            wanted[LOCK_PATH] = lock
        if found.empty or not policies:
            wanted |= _examples(folders, today)
        places = ["policy", home, folders["waivers"], *(entry.path for entry in policies)]
        deciding += [f"{path}/" for path in _outermost(places) if path != "policy"]
    else:
        deciding.append("waivers/")
    if action is not None:
        wanted[WORKFLOW] = _workflow(branch, action, version).encode()
    elif WORKFLOW not in found.paths:
        notes.append(
            f"{WORKFLOW} is not written: it has to name where Maestro comes from, and this installation does not "
            "know. Say it: maestro init --action OWNER/REPO@COMMIT"
        )
    missing = {path: data for path, data in wanted.items() if path not in found.paths}
    kept = [path for path in ("maestro.yaml", WORKFLOW) if path in found.paths]
    return Plan(missing, tuple(kept), tuple(notes), tuple(deciding))


def _folders(paths: frozenset[str]) -> set[str]:
    return {path[:at] for path in paths for at in range(len(path)) if path[at] == "/"}


def _outermost(folders: list[str]) -> list[str]:
    return [one for one in dict.fromkeys(folders) if not any(one.startswith(other + "/") for other in folders)]


def _pack_folder(found: Survey) -> str:
    """``policy/packs``, unless conftest loads ``policy`` as a whole: its run would then load our packs as well."""
    loaded = any(entry.path in ("policy", "policy/packs") for entry in found.policies) or "policy" in found.paths
    return "maestro/packs" if loaded else "policy/packs"


def _kind_folders(found: Survey) -> dict[str, str]:
    """Where our documents live; below ``maestro/`` where the plain name is taken by other files."""
    return {name: f"maestro/{name}" if name in found.foreign_folders else name for name in KIND_FOLDERS}


def _judging(found: Survey) -> tuple[tuple[ConftestPolicy, ...], list[str]]:
    notes = []
    if found.unmatched:
        notes.append(
            f"{found.unmatched} more Kubernetes files lie too scattered among templates to propose patterns for: "
            "add what you want judged to `match` in maestro.yaml"
        )
    if not found.policies:
        return (), notes + _left_out(found)
    if not found.patterns:
        names = ", ".join(sorted({_shown(entry.path) for entry in found.policies}))
        notes.append(
            f"policies for conftest in {names} are not used yet: no Kubernetes YAML was found for them. "
            "Say in maestro.yaml what they judge (`match`)"
        )
        return (), notes
    notes += [
        f"{_shown(entry.path)}: policies for conftest, package {entry.namespace}, will judge "
        f"{', '.join(map(_shown, entry.match))}; mode warn"
        for entry in found.policies
    ]
    return found.policies, notes + _left_out(found)


_WHY_LEFT_OUT: Mapping[Reason, str] = {
    "reserved": "the packages conftest and system belong to the engines. Give the rules a package of their own",
    "combine": "written for `conftest --combine`, which gives all files at once; here a rule is given one document",
    "file_name": "reads data.conftest, the name of the judged file; here a rule is given the document alone",
    "other_input": "nothing there speaks of Kubernetes YAML (kind, metadata, spec). If it judges other YAML or JSON, "
    "add an entry to `packs` that says which files in `match`",
    "same_namespace": "another entry has the same package. Give it a package of its own to use both",
}


def _left_out(found: Survey) -> list[str]:
    notes = []
    for reason, why in _WHY_LEFT_OUT.items():
        names = [f"{_shown(one.path)} ({one.namespace})" for one in found.left_out if one.reason == reason]
        if names:
            notes.append(f"not used: {', '.join(names)}: {why}")
    return notes


def _shown(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _flow(values: tuple[str, ...]) -> str:
    return "[" + ", ".join(json.dumps(value, ensure_ascii=False) for value in values) + "]"


def _settings(
    found: Survey,
    branch: str,
    version: str,
    home: str,
    folders: Mapping[str, str],
    policies: tuple[ConftestPolicy, ...],
) -> str:
    major, minor = version.split(".")[:2]
    lines = [
        "# What Maestro judges here, and by what. Read from the target branch: a change takes effect once merged.",
        "apiVersion: maestro-conductor/v1",
        f'requires: ">={major}.{minor},<{major}.{int(minor) + 1}"',
        f"default_branch: {_scalar(branch)}",
        f"documents: {_flow(tuple(f'{folder}/**' for folder in folders.values()))}",
        "packs:",
        f"  - {home}/*",
    ]
    if policies:
        lines.append("  # Found here, written for conftest. Mode warn shows and stops nobody; enforce makes them bind.")
    for entry in policies:
        lines += [
            f"  - path: {_scalar(entry.path)}",
            f"    namespace: {_scalar(entry.namespace)}",
            "    mode: warn",
            f"    match: {_flow(entry.match)}",
        ]
        lines += ["    rego_version: v0"] if entry.rego_version == "v0" else []
        lines += [f"    data: {_flow(entry.data)}"] if entry.data else []
    lines += [
        "# Findings that the target branch has already: warn lets a change pass that did not make them.",
        "existing: warn",
        "ledger: {store: .maestro/ledger}",
    ]
    if found.empty or not policies:
        lines += [
            "# Owners besides those in CODEOWNERS. Put yours here, and into the examples.",
            'owners: ["@acme/platform"]',
        ]
    return "\n".join(lines) + "\n"


def _template(name: str, **values: str) -> str:
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace(f"@@{key}@@", value)
    return text


def _examples(folders: Mapping[str, str], today: dt.date) -> dict[str, bytes]:
    ttl = (today + dt.timedelta(days=30)).isoformat()
    return {
        f"{folders['manifests']}/hello.yaml": _template("manifest.yaml").encode(),
        f"{folders['flags']}/hello-banner.yaml": _template("flag.yaml", TTL=ttl).encode(),
        f"{folders['pools']}/local.yaml": _template("pool.yaml").encode(),
    }


def _workflow(branch: str, action: str, version: str) -> str:
    repository, commit = action.split("@")
    used = f"{repository}/.github/actions/check@{commit}"
    return _template("workflow.yml", BRANCH=json.dumps(branch), ACTION=used, VERSION=version)
