"""SSH signatures through ``ssh-keygen -Y`` (OpenSSH 8.2 and later; format: PROTOCOL.sshsig).

Whether a signature is good is decided by ssh-keygen alone, over the very bytes that were signed. What is read of
``allowed_signers`` here (``listed``) only serves to tell people who could sign, and to ask ssh-keygen again.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from maestro.errors import ToolFailure, UsageError
from maestro.process import find_program, run

VERIFY_SECONDS = 20.0
SIGN_SECONDS = 120.0
"""Long enough to touch a security key."""

_GOOD = re.compile(
    r'^Good "(?P<namespace>[^"]+)" signature for (?P<who>.+) with \S+ key (?P<key>SHA256:[A-Za-z0-9+/]+)$'
)
_KRL_MAGIC = b"SSHKRL\n\0"
_KEY_TYPE = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9-]+(?:@openssh\.com)?")
_PRINCIPAL = re.compile(r"[^\s,!*?\"\x00-\x1f\x7f-][^\s,!*?\"\x00-\x1f\x7f]{0,253}")


@dataclass(frozen=True, slots=True)
class Signer:
    """One line of allowed_signers: principals as written, the key's fingerprint (``SHA256:…``), the public key."""

    principals: tuple[str, ...]
    fingerprint: str
    public_key: str
    authority: bool
    """The key is a certificate authority's: it signs keys, not messages."""


@dataclass(frozen=True, slots=True)
class Good:
    """The signature holds; ``fingerprint`` is that of the key that made it."""

    fingerprint: str


@dataclass(frozen=True, slots=True)
class Bad:
    """The signature does not hold, in ssh-keygen's words."""

    reason: str


def plain_principal(text: str) -> bool:
    """Whether ``text`` names one principal: no pattern, no list, nothing that a shell or option could be."""
    return _PRINCIPAL.fullmatch(text) is not None


def fingerprint_of(public_key: str) -> str:
    """The fingerprint of an OpenSSH public key line (``ssh-ed25519 AAAA… comment``).

    Raises:
        ValueError: it is not such a line.
    """
    fields = public_key.split()
    if len(fields) < 2 or not _KEY_TYPE.fullmatch(fields[0]):
        raise ValueError("not an OpenSSH public key")
    try:
        blob = base64.b64decode(fields[1], validate=True)
    except binascii.Error as error:
        raise ValueError("not an OpenSSH public key") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def listed(allowed_signers: bytes) -> tuple[Signer, ...]:
    """Who allowed_signers names (ssh-keygen(1), ALLOWED SIGNERS). Lines that cannot be read are passed over."""
    out = []
    for line in allowed_signers.decode("utf-8", "replace").splitlines():
        fields = _fields(line)
        at = next((index for index, field in enumerate(fields) if index and _KEY_TYPE.fullmatch(field)), None)
        if at is None or at + 1 >= len(fields):
            continue
        key = f"{fields[at]} {fields[at + 1]}"
        try:
            fingerprint = fingerprint_of(key)
        except ValueError:
            continue
        options = ",".join(fields[1:at]).lower().split(",")
        principals = tuple(name for name in fields[0].strip('"').split(",") if name)
        out.append(Signer(principals, fingerprint, key, "cert-authority" in options))
    return tuple(out)


def _fields(line: str) -> list[str]:
    """Fields split at blanks outside of double quotes; none for a comment."""
    if line.lstrip().startswith("#"):
        return []
    return re.findall(r'(?:"[^"]*"|[^\s"])+', line)


def verify(
    message: bytes,
    signature: str,
    *,
    principal: str,
    namespace: str,
    allowed_signers: bytes,
    revoked: bytes | None,
    at: dt.datetime,
    environ: Mapping[str, str],
) -> Good | Bad:
    """Whether ``principal`` signed ``message``, by allowed_signers as of ``at``; ``revoked`` is a KRL or a key list.

    Raises:
        ToolFailure: ssh-keygen is missing or did not end by itself, so nothing is known.
    """
    if not plain_principal(principal):
        return Bad(f"{principal!r} is not one principal")
    fault = _fault_of_revoked(revoked) if revoked is not None else None
    if fault:
        return Bad(fault)
    with tempfile.TemporaryDirectory(prefix="maestro-") as name:
        folder = Path(name)
        (folder / "allowed_signers").write_bytes(allowed_signers)
        (folder / "signature").write_text(signature, encoding="utf-8", errors="replace")
        argv = [_ssh_keygen(environ), "-Y", "verify", "-n", namespace, "-I", principal]
        # Without a zone in it, as older ssh-keygen wants it; TZ below makes it, and the file's dates, UTC.
        argv += ["-O", f"verify-time={at.astimezone(dt.UTC):%Y%m%d%H%M%S}"]
        argv += ["-f", str(folder / "allowed_signers"), "-s", str(folder / "signature")]
        if revoked is not None:
            (folder / "revoked").write_bytes(revoked)
            argv += ["-r", str(folder / "revoked")]
        env = {"PATH": environ.get("PATH", ""), "HOME": name, "TZ": "UTC0", "LC_ALL": "C"}
        done = run(argv, stdin=message, timeout=VERIFY_SECONDS, env=env, cwd=folder)
    if done.returncode < 0:
        raise ToolFailure(f"ssh-keygen was ended by signal {-done.returncode}; no approval could be verified")
    good = _GOOD.fullmatch(done.stdout.decode("utf-8", "replace").strip())
    if done.returncode == 0 and good and good["namespace"] == namespace and good["who"] == principal:
        return Good(good["key"])
    # ssh-keygen gives no reason of its own for these.
    silent = "the key is revoked, or not listed for this name, or not valid now"
    return Bad(_last_line(done.stderr) or silent)


def sign(message: bytes, key: Path, *, namespace: str, environ: Mapping[str, str]) -> str:
    """An armored signature by the private key ``key``, or by the agent's where ``key`` is a public one.

    Raises:
        UsageError: ssh-keygen could not sign with it.
        ToolFailure: ssh-keygen is missing or hangs.
    """
    argv = [_ssh_keygen(environ), "-Y", "sign", "-n", namespace, "-f", str(key)]
    done = run(argv, stdin=message, timeout=SIGN_SECONDS, env=dict(environ))
    armored = done.stdout.decode("ascii", "replace")
    if done.returncode != 0 or "BEGIN SSH SIGNATURE" not in armored:
        raise UsageError(
            f"ssh-keygen could not sign with this key: {_last_line(done.stderr) or 'no signature came back'}",
            where=str(key),
            remedy="a key with a passphrase must be in the agent: `ssh-add` it, then run the command again",
        )
    return armored


def public_key_of(key: Path, environ: Mapping[str, str]) -> str:
    """The public key line of a private or public key file.

    Raises:
        UsageError: there is no readable key.
    """
    for candidate in (key, key.with_name(key.name + ".pub")):
        try:
            text = candidate.read_text(encoding="utf-8").strip()
            fingerprint_of(text)
        except (OSError, ValueError):
            continue
        return text
    if not key.is_file():
        raise UsageError(
            "there is no such key", where=str(key), remedy="name your SSH key: `maestro approve --key PATH`"
        )
    done = run([_ssh_keygen(environ), "-y", "-P", "", "-f", str(key)], timeout=VERIFY_SECONDS, env=dict(environ))
    if done.returncode != 0:
        raise UsageError(
            f"its public half cannot be read: {_last_line(done.stderr)}",
            where=str(key),
            remedy=f"put the public key beside it as {key.name}.pub",
        )
    return done.stdout.decode("utf-8", "replace").strip()


def agent_keys(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The public key lines that the running SSH agent offers; none where there is no agent."""
    program = find_program("ssh-add", environ)
    if program is None or not environ.get("SSH_AUTH_SOCK"):
        return ()
    done = run([str(program), "-L"], timeout=VERIFY_SECONDS, env=dict(environ))
    lines = done.stdout.decode("utf-8", "replace").splitlines() if done.returncode == 0 else []
    return tuple(line for line in lines if _KEY_TYPE.match(line))


def _fault_of_revoked(data: bytes) -> str | None:
    """What cannot be read of a list of revoked keys. ssh-keygen passes such lines over, and so un-revokes them."""
    if data.startswith(_KRL_MAGIC):
        return None
    for number, line in enumerate(data.split(b"\n"), start=1):
        text = line.decode("utf-8", "replace").strip()
        if not text or text.startswith("#"):
            continue
        try:
            fingerprint_of(text)
        except ValueError:
            return f"line {number} of the revoked keys is no public key, so every key counts as revoked"
    return None


def _ssh_keygen(environ: Mapping[str, str]) -> str:
    program = find_program("ssh-keygen", environ)
    if program is None:
        raise ToolFailure(
            "ssh-keygen is not on PATH, so approvals can be neither signed nor verified",
            remedy="install OpenSSH's client (8.2 or later)",
        )
    return str(program)


def _last_line(data: bytes) -> str:
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip()]
    return lines[-1] if lines else ""
