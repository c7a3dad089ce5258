"""nginx and HAProxy with the deployed configurations, in which only addresses and paths are replaced."""

from __future__ import annotations

import asyncio
import csv
import ipaddress
import os
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.deploy.files import DEPLOY
from tests.fixtures.eventually import eventually

SYSTEM_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
"""Where distributions install servers."""


@dataclass(frozen=True)
class Proxy:
    """A running proxy."""

    url: str
    certificate: Path | None = None
    admin: Path | None = None

    @property
    def tls(self) -> ssl.SSLContext | bool:
        """For HTTP clients."""
        return ssl.create_default_context(cafile=str(self.certificate)) if self.certificate else False

    async def command(self, text: str) -> str:
        """The answer of HAProxy's admin socket."""
        assert self.admin
        reader, writer = await asyncio.open_unix_connection(self.admin)
        writer.write(f"{text}\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        return answer

    async def states(self) -> list[str]:
        """HAProxy's states of the servers that get clients: `UP`, `DOWN`, or on the way to either."""
        table = (await self.command("show stat")).removeprefix("# ").splitlines()
        rows = [row for row in csv.DictReader(table) if row["pxname"] == "fullon"]
        return [row["status"] for row in rows if row["svname"] not in {"FRONTEND", "BACKEND"}]


def program(name: str) -> str | None:
    """The path of a server that the distribution installs; None if it is missing."""
    return shutil.which(name, path=SYSTEM_PATH)


@asynccontextmanager
async def nginx(folder: Path, servers: Sequence[str]) -> AsyncIterator[Proxy]:
    """nginx in front of these addresses."""
    plain, secure = free_ports(2)
    certificate, key = folder / "fullon.crt", folder / "fullon.key"
    write_certificate(certificate, key)
    text = (DEPLOY / "nginx" / "nginx.conf").read_text()
    text = _replaced(text, "listen 80;", f"listen 127.0.0.1:{plain};")
    text = _replaced(text, "listen 443 ssl", f"listen 127.0.0.1:{secure} ssl")
    for deployed, address in zip(("127.0.0.1:8001", "127.0.0.1:8002"), servers, strict=True):
        text = _replaced(text, deployed, address)
    for deployed in ("/run/", "/var/log/nginx/", "/var/lib/nginx/", "/etc/nginx/"):
        text = _replaced(text, deployed, f"{folder}/")
    configuration = folder / "nginx.conf"
    configuration.write_text(text)
    found = program("nginx")
    assert found
    command = [found, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration), "-g", "daemon off;"]
    async with _running(command, plain, folder):
        yield Proxy(f"https://127.0.0.1:{secure}", certificate)


@asynccontextmanager
async def haproxy(folder: Path, servers: Sequence[str]) -> AsyncIterator[Proxy]:
    """HAProxy in front of these addresses."""
    [port] = free_ports(1)
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    text = _replaced(text, "bind :8000", f"bind 127.0.0.1:{port}")
    for deployed, address in zip(("server-a:8000", "server-b:8000"), servers, strict=True):
        text = _replaced(text, deployed, address)
    text = _replaced(text, "stats socket /run/haproxy/", f"stats socket {folder}/")
    configuration = folder / "haproxy.cfg"
    configuration.write_text(text)
    found = program("haproxy")
    assert found
    async with _running([found, "-db", "-f", str(configuration)], port, folder):
        yield Proxy(f"http://127.0.0.1:{port}", admin=folder / "admin.sock")


def free_ports(count: int) -> list[int]:
    """Different ports that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def write_certificate(certificate: Path, key: Path) -> None:
    """A certificate of 127.0.0.1 for an hour, which signs itself."""
    private, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")]),
    )
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    no_password = serialization.NoEncryption()
    key.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password))


def _replaced(text: str, deployed: str, tested: str) -> str:
    assert re.search(re.escape(deployed), text), f"the deployed file has no {deployed}"
    return text.replace(deployed, tested)


@asynccontextmanager
async def _running(command: Sequence[str], port: int, folder: Path) -> AsyncIterator[None]:
    output = folder / "output"
    with output.open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, stdout=log, stderr=log)
    try:

        async def listens() -> bool:
            assert process.returncode is None, output.read_text()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionError:
                return False
            writer.close()
            return True

        await eventually(listens)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
