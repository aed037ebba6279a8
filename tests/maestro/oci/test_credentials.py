"""What ``docker login`` left: found for the right registry only, never shown, a clear error where it is malformed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from maestro.errors import MaestroError, ToolFailure, UsageError
from maestro.oci.credentials import Credentials, credentials_for, credentials_of

AUTH = base64.b64encode(b"me:secret:with:colons").decode()


def _world(folder: Path, config: Any, **helpers: str) -> dict[str, str]:
    (folder / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name, script in helpers.items():
        program = folder / f"docker-credential-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return {"DOCKER_CONFIG": str(folder), "PATH": f"{folder}:/usr/bin:/bin"}


@pytest.mark.parametrize("key", ["ghcr.io", "https://ghcr.io", "https://ghcr.io/v2/", "http://ghcr.io/"])
def test_by_host(tmp_path: Path, key: str) -> None:
    environ = _world(tmp_path, {"auths": {"evil.example/ghcr.io": {"auth": "bm8="}, key: {"auth": AUTH}}})
    assert credentials_for("ghcr.io", environ) == Credentials("me", "secret:with:colons")
    for other in ("ghcr.io:443", "evil-ghcr.io", "ghcr.io.evil.example", "io"):
        assert credentials_for(other, environ) is None


def test_the_hub_has_an_old_name(tmp_path: Path) -> None:
    environ = _world(tmp_path, {"auths": {"https://index.docker.io/v1/": {"auth": AUTH}}})
    assert credentials_for("docker.io", environ) == Credentials("me", "secret:with:colons")


def test_no_configuration_no_credentials(tmp_path: Path) -> None:
    assert credentials_for("ghcr.io", {}) is None
    assert credentials_for("ghcr.io", {"HOME": str(tmp_path)}) is None
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": {"ghcr.io": {"identitytoken": "t"}}}))
    assert credentials_for("ghcr.io", {"HOME": str(tmp_path)}) == Credentials("<token>", "t", is_refresh_token=True)


def test_a_helper_is_asked_on_standard_input(tmp_path: Path) -> None:
    script = f'echo "$# $*" > {tmp_path}/argv; cat > {tmp_path}/stdin; echo \'{{"Username":"u","Secret":"s"}}\''
    environ = _world(tmp_path, {"credHelpers": {"r.example": "one"}, "credsStore": "two"}, one=script, two="exit 7")
    assert credentials_for("r.example", environ) == Credentials("u", "s")
    assert ((tmp_path / "argv").read_text(), (tmp_path / "stdin").read_text()) == ("1 get\n", "r.example")
    with pytest.raises(ToolFailure, match="docker-credential-two failed with exit code 7"):
        credentials_for("other.example", environ)


@pytest.mark.parametrize(
    "script", ["exit 7", """echo '{"Username":"u","Secret":"s"}'""", "echo credentials not found; exit 1"]
)
def test_a_helper_is_asked_once_in_a_command_whatever_it_says(tmp_path: Path, script: str) -> None:
    environ = _world(
        tmp_path, {"credsStore": "one"}, one=f"cat >> {tmp_path}/asked; echo >> {tmp_path}/asked; {script}"
    )
    known = credentials_of(environ)

    def ask(registry: str) -> Credentials | str | None:
        try:
            return known(registry)
        except ToolFailure as error:
            return error.message

    assert ask("r.example") == ask("r.example")
    assert ask("s.example") == ask("s.example") == ask("r.example")
    assert (tmp_path / "asked").read_text().split() == ["r.example", "s.example"]


def test_a_helper_that_has_none_leaves_the_file(tmp_path: Path) -> None:
    missing = "echo 'credentials not found in native keychain'; exit 1"
    environ = _world(
        tmp_path, {"credsStore": "one", "auths": {"r.example": {}, "s.example": {"auth": AUTH}}}, one=missing
    )
    assert credentials_for("r.example", environ) is None
    assert credentials_for("s.example", environ) is not None


@pytest.mark.parametrize("name", ["../evil", "a/b", "-x", "", "a b", "a;b", 7, None])
def test_the_name_of_a_helper_is_no_path(tmp_path: Path, name: object) -> None:
    environ = _world(tmp_path, {"credHelpers": {"r.example": name}})
    if name in ("", None):
        assert credentials_for("r.example", environ) is None
        return
    with pytest.raises(UsageError, match="is not the name of a credential helper"):
        credentials_for("r.example", environ)


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"auths": [1]}',
        '{"auths": {"r.example": 7}}',
        '{"auths": {"r.example": {"auth": 7}}}',
        '{"auths": {"r.example": {"auth": "no base64"}}}',
        '{"auths": {"r.example": {"auth": "bm9jb2xvbg=="}}}',
        '{"credHelpers": "x"}',
        "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
        " " * (2 << 20),
    ],
)
def test_a_malformed_configuration_is_said(tmp_path: Path, config: str) -> None:
    with pytest.raises(UsageError, match="not Docker's configuration") as caught:
        credentials_for("r.example", _world(tmp_path, config))
    assert caught.value.where == str(tmp_path / "config.json")


@pytest.mark.parametrize(
    "script", ["echo secret-word", "echo '[]'", "echo '{\"Username\": 1}'", "echo secret-word; exit 3"]
)
def test_a_helper_that_misbehaves_is_said_without_its_words(tmp_path: Path, script: str) -> None:
    environ = _world(tmp_path, {"credsStore": "one"}, one=script)
    with pytest.raises(MaestroError) as caught:
        credentials_for("r.example", environ)
    assert "secret-word" not in f"{caught.value.message}{caught.value.remedy}"


def test_a_helper_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure, match="docker-credential-nothing"):
        credentials_for("r.example", _world(tmp_path, {"credsStore": "nothing"}))


def test_a_secret_is_not_shown() -> None:
    assert "hidden" not in repr(Credentials("u", "hidden"))
