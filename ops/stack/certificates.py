"""Certificates for one test run, made by the openssl command: a private authority, a server that it vouches for, and an
authority that has nothing to do with either."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import commands
from .layout import Layout
from .progress import Step

# The node that uses them lives for one test run; a clock that is a little off must not make them invalid.
DAYS = "7"
# 127.0.0.2 is left out on purpose: the broker listens there, too, for the test of an address that nobody vouches for.
CONFIGURATION = """\
[req]
distinguished_name = name
prompt = no
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
"""


@dataclass(frozen=True)
class Certificates:
    """Where they are; all PEM."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def other_authority(self) -> Path:
        return self.folder / "other-authority.pem"

    @property
    def server(self) -> Path:
        return self.folder / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.folder / "server.key"


def make(layout: Layout, step: Step) -> Certificates:
    """Makes them in the stack's private folder."""
    made = Certificates(layout.directory / "certificates")
    made.folder.mkdir(mode=0o700)
    (made.folder / "openssl.cnf").write_text(CONFIGURATION)
    for certificate, name, section in (
        (made.authority, "Millrace test authority", "authority"),
        (made.other_authority, "Another authority", "authority"),
        (made.server, "Millrace test broker", "server"),
    ):
        _make_one(made, certificate, name, section, layout, step)
    return made


def _make_one(made: Certificates, certificate: Path, name: str, section: str, layout: Layout, step: Step) -> None:
    command = [
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", DAYS),
        *("-config", str(made.folder / "openssl.cnf"), "-extensions", section, "-subj", f"/CN={name}"),
        *("-keyout", str(certificate.with_suffix(".key")), "-out", str(certificate)),
    ]
    if section == "server":
        command += ["-CA", str(made.authority), "-CAkey", str(made.authority.with_suffix(".key"))]
    commands.run(command, step, layout.log("openssl"), "openssl 3 makes certificates for the tests; see its log")
