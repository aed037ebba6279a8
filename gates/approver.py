"""Whoever approves something: the key they sign with, the name they sign as, for how long, and their yes."""

from __future__ import annotations

import datetime as dt
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gates.approvals import NAMESPACE
from gates.approvers import Approvers
from gates.ssh_signatures import agent_keys, fingerprint_of, plain_principal, public_key_of, sign
from maestro.errors import UsageError
from maestro.git_command import Git
from maestro.world import World

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk", "id_rsa")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True)
class ApproverKey:
    """A key to sign with: where it is (None: in the agent), its public line, the names it is listed with."""

    path: Path | None
    public: str
    names: tuple[str, ...]


def approver_key(asked: str | None, approvers: Approvers, root: Path, world: World) -> ApproverKey:
    """The key that was asked for, or the first of the usual ones that may approve.

    Raises:
        UsageError: it is not in allowed_signers of the policy revision, or there is none.
    """
    listed = ", ".join(dict.fromkeys(name for signer in approvers.signers for name in signer.principals))
    if not listed:
        raise UsageError(
            f"nobody may approve yet: the target has no {approvers.signers_path}",
            remedy=f'merge one with a line like `you@example.com namespaces="{NAMESPACE}" ssh-ed25519 AAAA…`',
        )
    tried = []
    for path, public in _keys(asked, root, world):
        fingerprint = fingerprint_of(public)
        mine = [one for one in approvers.signers if one.fingerprint == fingerprint and not one.authority]
        if mine or (asked and "-cert-" in public.split()[0]):
            names = dict.fromkeys(name for one in mine for name in one.principals if plain_principal(name))
            return ApproverKey(path, public, tuple(names))
        tried.append(f"{path or 'agent'} ({fingerprint})")
    what = f"not in {approvers.signers_path} of the target: " + ", ".join(tried) if tried else "no SSH key was found"
    raise UsageError(what, remedy=f"name your key with --key PATH; who may approve: {listed}")


def _keys(asked: str | None, root: Path, world: World) -> Iterator[tuple[Path | None, str]]:
    """(path or None for the agent's, public key) of the keys to try, in order."""
    home = Path(world.environ.get("HOME", "/"))
    if asked is not None:
        path = home / asked[2:] if asked.startswith("~/") else world.cwd / asked
        yield path, public_key_of(path, world.environ)
        return
    git = Git(root, world.environ)
    configured = git.run("config", "--get", "user.signingkey").stdout.decode("utf-8", "replace").strip()
    literal = configured.removeprefix("key::")
    paths = [home / ".ssh" / name for name in _DEFAULT_KEYS]
    if _is_public_key(literal):
        yield None, literal
    elif "/" in configured:
        paths.insert(0, home / configured[2:] if configured.startswith("~/") else Path(configured))
    for path in paths:
        if path.is_file():
            yield path, public_key_of(path, world.environ)
    for public in agent_keys(world.environ):
        yield None, public


def _is_public_key(text: str) -> bool:
    try:
        fingerprint_of(text)
    except ValueError:
        return False
    return True


def principal_of(asked: str | None, key: ApproverKey, approvers: Approvers) -> str:
    """The name to sign with: the one asked for, or the first that the key is listed with.

    Raises:
        UsageError: it is not one name, or none can be told.
    """
    if asked is not None and not plain_principal(asked):
        raise UsageError(f"--as wants one name, not {asked!r}")
    if asked is None and not key.names:
        patterns = ", ".join(dict.fromkeys(name for one in approvers.signers for name in one.principals))
        raise UsageError(
            f"{approvers.signers_path} names you by a pattern only ({patterns})", remedy="say who you are: --as NAME"
        )
    return asked if asked is not None else key.names[0]


def lifetime_of(text: str | None, *, usual: dt.timedelta, longest: dt.timedelta) -> dt.timedelta:
    """How long an approval shall hold: what ``--expires`` says, or the usual.

    Raises:
        UsageError: it is no time, or longer than the longest.
    """
    if text is None:
        return usual
    found = re.fullmatch(r"([1-9][0-9]{0,3})([hdw])", text, re.ASCII)
    lifetime = dt.timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else None
    if lifetime is None or lifetime > longest:
        example = "12h or 7d" if longest > dt.timedelta(days=1) else "4h"
        limit = f"{longest.days}d" if longest > dt.timedelta(days=1) else "24h"
        raise UsageError(f"--expires wants a time such as {example}, at most {limit}, not {text!r}")
    return lifetime


def confirm(question: str, world: World) -> None:
    """Ask a person.

    Raises:
        UsageError: they do not say yes, or there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise UsageError("nobody can be asked: this is no terminal", remedy="read what is shown, then give --yes")
    world.stderr.write(f"{question} Type yes: ")
    world.stderr.flush()
    if sys.stdin.readline().strip().lower() != "yes":
        raise UsageError("not approved; nothing was written")


def signature_of(message: bytes, key: ApproverKey, world: World) -> str:
    """The armored signature over ``message``, by the key's file or by the agent.

    Raises:
        UsageError: ssh-keygen could not sign with it.
    """
    with tempfile.TemporaryDirectory(prefix="maestro-") as folder:
        path = key.path
        if path is None:
            path = Path(folder) / "key.pub"
            path.write_text(key.public + "\n", encoding="utf-8")
        return sign(message, path, namespace=NAMESPACE, environ=world.environ)
