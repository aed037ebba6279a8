"""Who we are to a registry, as ``docker login`` left it: ``config.json``, its credential helpers and store."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.process import run

_LARGEST = 1 << 20
_HELPER_SECONDS = 30.0
# The name becomes part of a program's: no path, no option.
_HELPER = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_NOT_FOUND: Final = b"credentials not found"
_TOKEN_USER: Final = "<token>"  # noqa: S105 - the name that helpers give instead of a user's
HUB: Final = "docker.io"
_HUB_KEY: Final = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user and a password, or a refresh token of the registry's token service. Never shown."""

    user: str
    secret: str = field(repr=False)
    is_refresh_token: bool = False


KnownCredentials = Callable[[str], Credentials | None]
"""Who we are to a registry, by its name."""


def credentials_of(environ: Mapping[str, str]) -> KnownCredentials:
    """:func:`credentials_for`, for one command: what is known of a registry is not asked again, nor is what failed.

    A helper may ask the user, or wait for somebody who is not there.
    """
    answers: dict[str, Credentials | MaestroError | None] = {}

    def asked(registry: str) -> Credentials | None:
        if registry not in answers:
            try:
                answers[registry] = credentials_for(registry, environ)
            except MaestroError as error:
                answers[registry] = error
        answer = answers[registry]
        if isinstance(answer, MaestroError):
            raise answer
        return answer

    return asked


def credentials_for(registry: str, environ: Mapping[str, str]) -> Credentials | None:
    """What ``$DOCKER_CONFIG/config.json`` (``~/.docker/config.json``) has for a registry (``host``, ``host:port``).

    Raises:
        UsageError: the file has not the form it should have.
        ToolFailure: a credential helper failed.
    """
    path = _config_path(environ)
    config = _config(path) if path is not None else None
    if path is None or config is None:
        return None
    helpers = _object(config, "credHelpers", path)
    helper = _matching(helpers, registry) or config.get("credsStore")
    if helper:
        found = _from_helper(helper, registry, environ, path)
        if found is not None:
            return found
    entry = _matching(_object(config, "auths", path), registry)
    return _from_entry(entry, registry, path) if entry else None


def _config_path(environ: Mapping[str, str]) -> Path | None:
    if environ.get("DOCKER_CONFIG"):
        return Path(environ["DOCKER_CONFIG"]) / "config.json"
    return Path(environ["HOME"]) / ".docker" / "config.json" if environ.get("HOME") else None


def _config(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        value = json.loads(data) if len(data) <= _LARGEST else None
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}", where=str(path), remedy="check its mode") from error
    except (ValueError, RecursionError) as error:
        raise _malformed(path, "it is not JSON") from error
    if not isinstance(value, dict):
        raise _malformed(path, "it is not a JSON object of at most 1 MiB")
    return value


def _malformed(path: Path, words: str) -> UsageError:
    return UsageError(f"not Docker's configuration: {words}", where=str(path), remedy="`docker login` writes it")


def _object(config: Mapping[str, Any], key: str, path: Path) -> Mapping[str, Any]:
    value = config.get(key) or {}
    if not isinstance(value, dict):
        raise _malformed(path, f"{key} is not an object")
    return value


def _matching(entries: Mapping[str, Any], registry: str) -> Any:  # noqa: ANN401 - JSON
    """The entry of a registry: by its host, or by an address with that host, as older programs wrote it."""
    wanted = {registry, _HUB_KEY, "index.docker.io"} if registry == HUB else {registry}
    for key, value in entries.items():
        if key in wanted or key.partition("://")[2].partition("/")[0] in wanted:
            return value
    return None


def _from_entry(entry: object, registry: str, path: Path) -> Credentials | None:
    if not isinstance(entry, dict) or not all(isinstance(one, str) for one in entry.values()):
        raise _malformed(path, f"auths has something else than text for {registry}")
    if entry.get("identitytoken"):
        return Credentials(_TOKEN_USER, entry["identitytoken"], is_refresh_token=True)
    if entry.get("auth"):
        try:
            user, colon, secret = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            colon = ""
        if not colon:
            raise _malformed(path, f"the auth of {registry} is not base64 of user:password")
        return Credentials(user, secret.rstrip("\0"))
    if entry.get("username") and entry.get("password"):
        return Credentials(entry["username"], entry["password"])
    return None


def _from_helper(name: object, registry: str, environ: Mapping[str, str], path: Path) -> Credentials | None:
    if not isinstance(name, str) or not _HELPER.fullmatch(name):
        raise _malformed(path, f"{name!r:.80} is not the name of a credential helper")
    program = f"docker-credential-{name}"
    asked = _HUB_KEY if registry == HUB else registry
    done = run([program, "get"], stdin=asked.encode(), timeout=_HELPER_SECONDS, env=environ, output_limit=_LARGEST)
    if done.returncode != 0:
        if _NOT_FOUND in done.stdout + done.stderr:
            return None
        remedy = f"try it: `echo {asked} | {program} get`"
        # Its output stays unsaid: it could hold the secret.
        raise ToolFailure(f"{program} failed with exit code {done.returncode}", remedy=remedy)
    try:
        value = json.loads(done.stdout)
        user, secret = value["Username"], value["Secret"]
    except (ValueError, TypeError, KeyError, RecursionError):
        user = secret = None
    if not isinstance(user, str) or not isinstance(secret, str):
        raise ToolFailure(f"{program} did not answer with Username and Secret", remedy="update the helper")
    return Credentials(user, secret, is_refresh_token=user == _TOKEN_USER)
