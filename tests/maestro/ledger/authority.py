"""A timestamp authority (RFC 3161) made of openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.tools import tool

_CONFIG = """\
[tsa]
default_tsa = main
[main]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256, sha384, sha512
accuracy = secs:1
"""


class Authority:
    """Stamps files with the present time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        ec = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self._openssl(
            "req", "-x509", *ec, "-keyout", "root.key", "-out", "root.pem", "-days", "30", "-subj", "/CN=Root"
        )
        self._openssl("req", "-new", *ec, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", "/CN=Time")
        (folder / "extensions").write_text(
            "extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n"
        )
        signing = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-extfile", "extensions")
        self._openssl("x509", "-req", "-in", "tsa.csr", *signing, "-out", "tsa.pem", "-days", "30")
        (folder / "serial").write_text("01\n")
        (folder / "config").write_text(_CONFIG.format(folder=folder))

    @property
    def root(self) -> str:
        return (self._folder / "root.pem").read_text()

    def stamp(self, file: Path, target: Path) -> None:
        """The response about a file."""
        self._openssl("ts", "-query", "-data", str(file), "-sha256", "-cert", "-out", "query")
        self._openssl(
            "ts", "-reply", "-queryfile", "query", "-out", str(target), "-config", "config", "-section", "main"
        )

    def verifies(self, file: Path, response: Path) -> bool:
        """What openssl itself says of it."""
        command = ["ts", "-verify", "-data", str(file), "-in", str(response), "-CAfile", "root.pem"]
        return "Verification: OK" in self._openssl(*command)

    def _openssl(self, *arguments: str) -> str:
        command = [tool("openssl"), *arguments]
        done = subprocess.run(command, cwd=self._folder, check=True, capture_output=True, text=True)
        return done.stdout + done.stderr
