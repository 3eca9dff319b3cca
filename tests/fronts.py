"""The servers of deploy/ that terminate TLS before the gateway, started for real on free ports of this machine."""

import asyncio
import contextlib
import os
import random
import re
import socket
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.origin import Client

DEPLOY = Path(__file__).parent.parent / "deploy"
SITE = "site.example"

# The address that visitors come from, so that it can be told from that of the server itself.
VISITOR = "127.0.0.2"

# Around a site of nginx: what a distribution's own nginx.conf says, with everything it writes under one folder.
_NGINX = """\
daemon off;
master_process off;
pid nginx.pid;
error_log stderr notice;
events {{}}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{site}
}}
"""

_CADDY = """\
{{
	admin off
	skip_install_trust
	http_port {plain}
	https_port {secure}
	storage file_system {folder}
}}
"""

# What each server says on standard error when its ports are taken.
_READY = {"nginx": "event method", "caddy": "serving initial configuration"}


@dataclass(frozen=True, slots=True)
class Front:
    """A running server: its ports, and the certificate that it shows."""

    plain: int
    secure: int
    certificate: Path

    def visit(self) -> "Visit":
        """A visitor's connection over TLS."""
        return Visit(self.secure, ssl.create_default_context(cafile=str(self.certificate)))


class Visit(Client):
    """A raw connection over TLS, which checks the certificate."""

    def __init__(self, port: int, trust: ssl.SSLContext) -> None:
        super().__init__(port)
        self._trust = trust

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=self._trust, server_hostname=SITE, local_addr=(VISITOR, 0), limit=2**22
        )
        return self


@contextlib.asynccontextmanager
async def front(kind: str, *, gateway: str) -> AsyncIterator[Front]:
    """The server *kind* (nginx, caddy) with its file of deploy/, before the gateway at the address *gateway*."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain, secure = free_port(), free_port()
        certificate, key = _certify(folder)
        text = _CONFIGS[kind](folder, plain, secure).replace("127.0.0.1:8080", gateway)
        for shown, real in (("/certs/site.example.pem", certificate), ("/private/site.example.key", key)):
            text = text.replace(f"/etc/ssl{shown}", str(real))
        config = folder / "config"
        config.write_text(text)
        process = await asyncio.create_subprocess_exec(
            *_COMMANDS[kind](folder, config),
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "HOME": name, "XDG_DATA_HOME": name, "XDG_CONFIG_HOME": name},
        )
        try:
            await _ready(process, _READY[kind])
            yield Front(plain=plain, secure=secure, certificate=certificate)
        finally:
            if process.returncode is None:
                process.terminate()
            await process.communicate()


def free_port() -> int:
    """A port that nobody has, from below those that the system gives out itself and so could give away in between."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - no secret
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


async def _ready(process: asyncio.subprocess.Process, word: str) -> None:
    assert process.stderr
    said = ""
    async with asyncio.timeout(20):
        while word not in said:
            line = await process.stderr.readline()
            assert line, f"it did not start: {said}"
            said += line.decode()


def _certify(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "site.pem", folder / "site.key"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-nodes",
                "-days",
                "2",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ),
            *("-subj", f"/CN={SITE}", "-addext", f"subjectAltName=DNS:{SITE}", "-out", certificate, "-keyout", key),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key


def _nginx(_folder: Path, plain: int, secure: int) -> str:
    site = (DEPLOY / "nginx.conf").read_text()
    site = re.sub(r"^ *listen \[::\].*\n", "", site, flags=re.MULTILINE)
    site = site.replace("listen 80;", f"listen 127.0.0.1:{plain};").replace(
        "listen 443 ", f"listen 127.0.0.1:{secure} "
    )
    return _NGINX.format(site=site)


def _caddy(folder: Path, plain: int, secure: int) -> str:
    site = (DEPLOY / "Caddyfile").read_text()
    # The one thing that differs from a site on the internet: nobody is asked for a certificate.
    own = "\n\ttls /etc/ssl/certs/site.example.pem /etc/ssl/private/site.example.key\n\tbind 127.0.0.1\n"
    return _CADDY.format(plain=plain, secure=secure, folder=folder / "storage") + site.replace(
        "site.example {\n", f"site.example {{{own}", 1
    )


_CONFIGS: dict[str, Callable[[Path, int, int], str]] = {"nginx": _nginx, "caddy": _caddy}

_COMMANDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "nginx": lambda folder, config: ["nginx", "-e", "stderr", "-p", f"{folder}/", "-c", str(config)],
    "caddy": lambda _, config: ["caddy", "run", "--adapter", "caddyfile", "--config", str(config)],
}
