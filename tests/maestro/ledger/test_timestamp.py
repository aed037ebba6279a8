"""Timestamps of an authority that is openssl, which also verifies them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maestro.errors import UsageError
from maestro.evidence.errors import BadEvidence
from maestro.ledger.timestamp import time_of
from tests.maestro.ledger.authority import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ts") / "authority")


@pytest.fixture(scope="module")
def stamped(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("stamped")
    (folder / "checkpoint").write_bytes(b"the very bytes\n")
    authority.stamp(folder / "checkpoint", folder / "response")
    assert authority.verifies(folder / "checkpoint", folder / "response")
    return folder / "checkpoint", folder / "response"


def test_the_time_is_the_authoritys_with_its_accuracy(authority: Authority, stamped: tuple[Path, Path]) -> None:
    file, response = stamped
    said = time_of(response.read_bytes(), file.read_bytes(), [authority.root])
    assert abs(dt.datetime.now(dt.UTC) - said) < dt.timedelta(minutes=2)


def test_other_bytes_are_not_stamped(authority: Authority, stamped: tuple[Path, Path]) -> None:
    file, response = stamped
    with pytest.raises(BadEvidence, match="not believed: Mismatch"):
        time_of(response.read_bytes(), file.read_bytes() + b"!", [authority.root])


def test_another_authority_is_not_believed(stamped: tuple[Path, Path], tmp_path: Path) -> None:
    file, response = stamped
    with pytest.raises(BadEvidence, match="not believed"):
        time_of(response.read_bytes(), file.read_bytes(), [Authority(tmp_path / "other").root])


def test_without_an_authority_nobody_is_believed(stamped: tuple[Path, Path]) -> None:
    file, response = stamped
    with pytest.raises(UsageError, match="lists no authority"):
        time_of(response.read_bytes(), file.read_bytes(), [])
    with pytest.raises(UsageError, match="is no certificate"):
        time_of(
            response.read_bytes(), file.read_bytes(), ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
        )


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0), st.integers(1, 255))
def test_a_changed_response_is_refused_or_says_the_same(
    authority: Authority, stamped: tuple[Path, Path], place: int, change: int
) -> None:
    file, response = stamped
    data = bytearray(response.read_bytes())
    data[place % len(data)] ^= change
    before = time_of(response.read_bytes(), file.read_bytes(), [authority.root])
    try:
        said = time_of(bytes(data), file.read_bytes(), [authority.root])
    except BadEvidence:
        return
    assert said == before


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises((BadEvidence, UsageError)):
        time_of(data, b"", ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
