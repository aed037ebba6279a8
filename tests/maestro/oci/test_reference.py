"""Names of images, beside go-containerregistry's reading of the same."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maestro.errors import UsageError
from maestro.oci.reference import is_loopback, parse_reference
from tests.support.registries import free_port
from tests.support.tools import tool

HEX = "ab" * 32
GOOD = (
    "ghcr.io/acme/api:v1",
    f"ghcr.io/acme/api@sha256:{HEX}",
    f"ghcr.io/acme/api:v1@sha256:{HEX}",
    "localhost/a:b",
    "localhost:5000/a/b/c__d-e.f:V_1.2-x",
    "127.0.0.1:65535/api:1",
)
BAD = (
    "",
    "api",
    "api:v1",
    "acme/api:v1",
    "ghcr.io/acme/api",
    "ghcr.io/:v1",
    "ghcr.io//api:v1",
    "ghcr.io/Acme/api:v1",
    "ghcr.io/acme/../api:v1",
    "ghcr.io/acme/api:",
    "ghcr.io/acme/api:-v",
    "ghcr.io/acme/api:" + "v" * 129,
    "ghcr.io/acme/api@sha256:" + HEX[:-1],
    "ghcr.io/acme/api@sha256:" + HEX.upper(),
    "ghcr.io/acme/api@sha512:" + HEX * 2,
    "ghcr.io/acme/api@",
    "user@ghcr.io/acme/api:v1",
    "https://ghcr.io/acme/api:v1",
    "ghcr.io:0/api:v1",
    "ghcr.io:99999/api:v1",
    "ghcr.io:443x/api:v1",
    "[::g]/api:v1",
    "-ghcr.io/api:v1",
    "ghcr.io/api:v1\n",
    "ghcr.io/api:v\u0661",
    "ghcr.io/" + "a" * 260 + ":v1",
    "--help",
)


@pytest.mark.parametrize("text", GOOD)
def test_whole_names(text: str) -> None:
    found = parse_reference(text)
    assert (found.tag is None) != (found.sha256 is None)
    assert str(found) == (text if "@" not in text else f"{found.name}@sha256:{HEX}")


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="is not the name of an image"):
        parse_reference(text)


@given(st.text(alphabet="aZ09./:@-_[]é\n", max_size=40) | st.text(max_size=40))
def test_no_text_crashes_and_what_is_read_is_what_was_written(text: str) -> None:
    try:
        found = parse_reference(text)
    except UsageError:
        return
    again = parse_reference(str(found))
    assert again == found
    assert str(found).lower() == text.lower() or found.sha256 is not None


def test_crane_reads_the_same() -> None:
    """Whatever we read, crane reads; it is milder with short names and odd tags only. Nobody listens on the port."""
    port = free_port()
    for tail in (
        "acme/api:v1",
        f"a@sha256:{HEX}",
        "c__d-e.f:V_1.2-x",
        "Acme/api:v1",
        "api:",
        f"a@sha256:{HEX[:-2]}",
        "a b:1",
    ):
        text = f"127.0.0.1:{port}/{tail}"
        done = subprocess.run(
            [tool("crane"), "manifest", text], capture_output=True, text=True, timeout=30, check=False
        )
        crane = "parsing reference" not in done.stderr and "could not parse" not in done.stderr
        try:
            parse_reference(text)
            ours = True
        except UsageError:
            ours = False
        assert ours == crane, (text, done.stderr)


@pytest.mark.parametrize(
    ("registry", "expected"),
    [
        ("localhost:5000", True),
        ("127.0.0.1", True),
        ("127.9.9.9:1", True),
        ("[::1]:5000", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("10.0.0.1", False),
        ("ghcr.io", False),
        ("", False),
    ],
)
def test_this_machine_is_told_by_its_name(registry: str, expected: bool) -> None:
    assert is_loopback(registry) is expected
