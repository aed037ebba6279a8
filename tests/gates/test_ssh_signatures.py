from __future__ import annotations

import datetime as dt
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gates.ssh_signatures import (
    Bad,
    Good,
    agent_keys,
    fingerprint_of,
    listed,
    plain_principal,
    public_key_of,
    sign,
    verify,
)
from maestro.errors import ToolFailure, UsageError
from tests.support.ssh_keys import certified, key, keygen

NAMESPACE = "maestro-approval"
NOW = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
MESSAGE = b'{"head_tree":"x"}'
ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def check(
    signature: str,
    allowed: str,
    *,
    principal: str = "dev@acme.example",
    message: bytes = MESSAGE,
    revoked: bytes | None = None,
    at: dt.datetime = NOW,
) -> Good | Bad:
    return verify(
        message,
        signature,
        principal=principal,
        namespace=NAMESPACE,
        allowed_signers=allowed.encode(),
        revoked=revoked,
        at=at,
        environ=ENVIRON,
    )


def signed(name: str = "alice", namespace: str = NAMESPACE) -> str:
    return sign(MESSAGE, key(name).private, namespace=namespace, environ=ENVIRON)


@pytest.mark.parametrize(
    "line",
    [
        "dev@acme.example {key}",
        "dev@acme.example,@acme/platform {key} a comment",
        '"dev@acme.example" {key}',
        "*@acme.example {key}",
        'dev@acme.example namespaces="git,maestro-approval" {key}',
        'dev@acme.example valid-after="20260101",valid-before="20270101" {key}',
        "# nobody\n\ndev@acme.example {key}",
    ],
)
def test_what_ssh_accepts(line: str) -> None:
    alice = key("alice")
    answer = check(signed(), line.format(key=alice.public))
    assert answer == Good(fingerprint_of(alice.public))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "other@acme.example {key}",
        "!dev@acme.example,* {key}",
        'dev@acme.example namespaces="git" {key}',
        'dev@acme.example valid-before="20260101" {key}',
        'dev@acme.example valid-after="20270101" {key}',
        "dev@acme.example cert-authority {key}",
        "dev@acme.example {other}",
        "dev@acme.example unknown-option {key}",
        "# dev@acme.example {key}",
    ],
)
def test_what_ssh_does_not_accept(line: str) -> None:
    answer = check(signed(), line.format(key=key("alice").public, other=key("bob").public))
    assert isinstance(answer, Bad)
    assert answer.reason


def test_a_key_that_ended_no_longer_signs_and_times_are_utc() -> None:
    line = f'dev@acme.example valid-before="20261123120000" {key("alice").public}'
    assert isinstance(check(signed(), line, at=NOW - dt.timedelta(seconds=2)), Good)
    assert isinstance(check(signed(), line, at=NOW + dt.timedelta(seconds=2)), Bad)


def test_another_message_namespace_principal_or_garbage_is_no_signature() -> None:
    line = f"dev@acme.example {key('alice').public}"
    assert isinstance(check(signed(), line), Good)
    assert isinstance(check(signed(), line, message=MESSAGE + b" "), Bad)
    assert isinstance(check(signed(namespace="git"), line), Bad)
    assert isinstance(check(signed(), line, principal="other@acme.example"), Bad)
    assert isinstance(check("", line), Bad)
    assert isinstance(check(signed().replace("U1NI", "U1NJ"), line), Bad)
    assert isinstance(check("\ud800\0" + signed(), line), Bad)


@pytest.mark.parametrize("principal", ["", "*", "-Overify-time=1", "a,b", "a b", "a\nb", "!a", "d?v"])
def test_a_principal_is_one_name(principal: str) -> None:
    assert not plain_principal(principal)
    assert isinstance(check(signed(), f"* {key('alice').public}", principal=principal), Bad)


def test_a_revoked_key_no_longer_signs(tmp_path: Path) -> None:
    line = f"dev@acme.example {key('alice').public}"
    assert isinstance(check(signed(), line, revoked=key("alice").public.encode()), Bad)
    assert isinstance(check(signed(), line, revoked=key("bob").public.encode()), Good)
    keygen("-q", "-k", "-f", str(tmp_path / "krl"), f"{key('alice').private}.pub")
    assert isinstance(check(signed(), line, revoked=(tmp_path / "krl").read_bytes()), Bad)
    assert isinstance(check(signed(), line, revoked=(tmp_path / "krl").read_bytes()[:-9]), Bad)
    listing = f"# left\n\n{key('bob').public}\n"
    assert isinstance(check(signed(), line, revoked=listing.encode()), Good)
    for garbage in (b"\0garbage", b"ssh-ed25519\n", listing.encode() + b"SHA256:x\n"):
        assert isinstance(check(signed(), line, revoked=garbage), Bad), "a list that cannot be read revokes all"


def test_a_certificate_signs_for_its_principals_only() -> None:
    certificate = certified("carol", "authority", "dev@acme.example")
    signature = sign(MESSAGE, certificate, namespace=NAMESPACE, environ=ENVIRON)
    line = f"*@acme.example cert-authority {key('authority').public}"
    assert check(signature, line) == Good(fingerprint_of(key("carol").public))
    assert isinstance(check(signature, line, principal="other@acme.example"), Bad)
    assert isinstance(check(signature, f"*@acme.example {key('authority').public}"), Bad)


def test_an_rsa_and_an_ecdsa_key_sign_as_well() -> None:
    for name, kind in (("rsa", "rsa"), ("ecdsa", "ecdsa")):
        pair = key(name, kind)
        signature = sign(MESSAGE, pair.private, namespace=NAMESPACE, environ=ENVIRON)
        assert check(signature, f"dev@acme.example {pair.public}") == Good(fingerprint_of(pair.public))


def test_the_agent_signs_for_a_public_key(tmp_path: Path) -> None:
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(tmp_path / "agent")], stdout=subprocess.PIPE)
    try:
        assert agent.stdout is not None
        agent.stdout.readline()
        environ = {**ENVIRON, "SSH_AUTH_SOCK": str(tmp_path / "agent")}
        subprocess.run(["ssh-add", "-q", str(key("alice").private)], env=environ, check=True, capture_output=True)
        assert [fingerprint_of(line) for line in agent_keys(environ)] == [fingerprint_of(key("alice").public)]
        only_public = tmp_path / "only.pub"
        only_public.write_text(key("alice").public)
        signature = sign(MESSAGE, only_public, namespace=NAMESPACE, environ=environ)
        assert isinstance(check(signature, f"dev@acme.example {key('alice').public}"), Good)
    finally:
        agent.terminate()
        agent.communicate()
    assert agent_keys(ENVIRON) == ()


def test_a_key_that_cannot_sign_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="could not sign"):
        sign(MESSAGE, tmp_path / "missing", namespace=NAMESPACE, environ=ENVIRON)
    with pytest.raises(UsageError, match="no such key"):
        public_key_of(tmp_path / "missing", ENVIRON)
    keygen("-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "locked"))
    assert public_key_of(tmp_path / "locked", ENVIRON).startswith("ssh-ed25519 ")
    with pytest.raises(UsageError, match="could not sign") as caught:
        sign(MESSAGE, tmp_path / "locked", namespace=NAMESPACE, environ=ENVIRON)
    assert "ssh-add" in (caught.value.remedy or "")
    (tmp_path / "locked.pub").unlink()
    with pytest.raises(UsageError, match="public half"):
        public_key_of(tmp_path / "garbage", ENVIRON) if (tmp_path / "garbage").write_text("x") else None
    assert public_key_of(key("alice").private, ENVIRON) == key("alice").public


def test_without_ssh_keygen_nothing_is_known(tmp_path: Path) -> None:
    with pytest.raises(ToolFailure, match="ssh-keygen is not on PATH"):
        verify(
            MESSAGE,
            "",
            principal="a",
            namespace=NAMESPACE,
            allowed_signers=b"",
            revoked=None,
            at=NOW,
            environ={"PATH": str(tmp_path)},
        )


def test_a_program_that_says_good_for_somebody_else_is_not_believed(tmp_path: Path) -> None:
    program = tmp_path / "ssh-keygen"
    program.write_text('#!/bin/sh\necho "Good \\"$5\\" signature for other with ED25519 key SHA256:x"\n')
    program.chmod(0o755)
    answer = verify(
        MESSAGE,
        "",
        principal="dev@acme.example",
        namespace=NAMESPACE,
        allowed_signers=b"",
        revoked=None,
        at=NOW,
        environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )
    assert isinstance(answer, Bad)
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    with pytest.raises(ToolFailure, match="signal 9"):
        verify(
            MESSAGE,
            "",
            principal="dev@acme.example",
            namespace=NAMESPACE,
            allowed_signers=b"",
            revoked=None,
            at=NOW,
            environ={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        )


def test_listed_says_who_could_sign() -> None:
    alice, bob = key("alice").public, key("bob").public
    text = (
        f"# who\n\ndev@acme.example,@acme/platform {alice} dev's laptop\n"
        f'"*@acme.example" cert-authority,namespaces="a b" {bob}\nbroken ssh-ed25519 !!!\nssh-ed25519\n'
    )
    first, second = listed(text.encode())
    assert first.principals == ("dev@acme.example", "@acme/platform")
    assert (first.fingerprint, first.public_key, first.authority) == (fingerprint_of(alice), alice, False)
    assert (second.principals, second.authority) == (("*@acme.example",), True)


def test_fingerprints_are_those_of_ssh_keygen() -> None:
    path = key("alice").private
    shown = subprocess.run(["ssh-keygen", "-lf", str(path)], check=True, capture_output=True, text=True).stdout
    assert fingerprint_of(key("alice").public) in shown.split()


@given(st.binary(max_size=300))
def test_listed_never_raises(data: bytes) -> None:
    for signer in listed(data):
        assert signer.fingerprint.startswith("SHA256:")


@given(st.text(max_size=100))
def test_fingerprint_of_refuses_with_a_value_error(text: str) -> None:
    try:
        assert fingerprint_of(text).startswith("SHA256:")
    except ValueError as error:
        assert "not an OpenSSH public key" in str(error)
