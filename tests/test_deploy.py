"""What deploy/ ships is tried as far as a machine without containers can: parsed, measured against the code, and run."""

import asyncio
import io
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from gateway import rule_files, settings_file
from gateway.app import Gateway
from gateway.cli.run import run
from gateway.demo.server import Server
from gateway.listener import SHARE_OF_FILES
from gateway.log import open_log
from gateway.settings import CollectSettings, ListenSettings, LogSettings, OriginSettings, Settings
from gateway.vendors import catalogue
from tests.fronts import DEPLOY, SITE, VISITOR, Front, front
from tests.origin import PATIENCE_S, Client

ROOT = DEPLOY.parent
LISTEN = ListenSettings()
PORT = LISTEN.address.rpartition(":")[2]
STATE = "/var/lib/consent-gateway"
HEALTH = f"{Settings.model_fields['prefix'].default}/health"


def read(name: str) -> str:
    """One file of deploy/, without the comments that take a whole line."""
    return re.sub(r"^\s*#.*\n", "", (DEPLOY / name).read_text(), flags=re.MULTILINE)


def number(pattern: str, text: str) -> float:
    """The one number that *pattern* finds."""
    (found,) = re.findall(pattern, text, re.MULTILINE)
    return float(found)


def needs(program: str) -> pytest.MarkDecorator:
    """The test runs where *program* is installed."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


# -- the command lines ------------------------------------------------------------------------------------------------------


def unit_command() -> list[str]:
    (line,) = re.findall(r"^ExecStart=(.*)$", read("consent-gateway.service"), re.MULTILINE)
    return shlex.split(line)[1:]


def compose_command() -> list[str]:
    (block,) = re.findall(r"^    command:\n((?:      - .*\n)+)", read("compose.yaml"), re.MULTILINE)
    return re.findall(r"^ +- (.*)$", block, re.MULTILINE)


def image_command() -> list[str]:
    (line,) = re.findall(r"^CMD \[(.*)\]$", read("Dockerfile"), re.MULTILINE)
    return re.findall(r'"([^"]*)"', line)


def shown_command() -> list[str]:
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n# ", "")
    (line,) = re.findall(r"^# +docker run .* consent-gateway +(run .*)$", text, re.MULTILINE)
    return shlex.split(line)


@pytest.mark.parametrize(
    "command", [unit_command, compose_command, image_command, shown_command], ids=lambda f: f.__name__
)
def test_a_command_line_is_one_that_the_gateway_takes(command: object) -> None:
    """An option that was renamed would be found by whoever installs it, at night."""
    assert callable(command)
    words = command()
    assert words[0] == "run"
    given = run.make_context("run", words[1:]).params
    config = given["config"]
    assert config is None or str(config) == "/etc/consent-gateway/gateway.toml"
    overrides = [*given["overrides"], f"origin.url={given['origin'] or 'http://site.example'}"]
    overrides += [f"listen.address={given['listen']}"] if given["listen"] else []
    settings = settings_file.load(None, file="", overrides=overrides, environ={}).settings
    assert str(settings.collect.store.parent) == STATE
    assert settings.listen.address.rpartition(":")[2] == PORT


# -- numbers and paths that must agree --------------------------------------------------------------------------------------


def test_every_port_is_that_of_the_settings() -> None:
    """A front server that asks another port answers 503 to everybody."""
    assert re.findall(r"server ([\d.:]+)", read("nginx.conf")) == [LISTEN.address]
    assert re.findall(r"reverse_proxy (\S+)", read("Caddyfile")) == [LISTEN.address]
    assert re.findall(r'- "([\d.:]+)"', read("compose.yaml")) == [f"{LISTEN.address}:{PORT}"]
    assert re.findall(r"^EXPOSE (\d+)$", read("Dockerfile"), re.MULTILINE) == [PORT]
    assert re.findall(r"HTTPConnection\('127\.0\.0\.1', (\d+)", read("Dockerfile")) == [PORT]


def test_whatever_stops_the_gateway_waits_longer_than_it_needs() -> None:
    """Killed earlier, it would cut requests that it was about to finish."""
    assert number(r"^TimeoutStopSec=(\d+)$", read("consent-gateway.service")) > LISTEN.grace_s
    assert number(r"^    stop_grace_period: (\d+)s$", read("compose.yaml")) > LISTEN.grace_s


def test_front_servers_let_go_of_connections_first_and_of_answers_last() -> None:
    """The other way round requests meet closing connections, and visitors a bare error in the place of the gateway's."""
    answer_s = OriginSettings(url="http://site.example").first_byte_timeout_s
    assert number(r"^ +keepalive_timeout (\d+)s;$", read("nginx.conf")) < LISTEN.keepalive_s
    assert number(r"^\t+keepalive (\d+)s$", read("Caddyfile")) < LISTEN.keepalive_s
    assert number(r"^ +proxy_read_timeout (\d+)s;$", read("nginx.conf")) > answer_s
    assert number(r"^\t+response_header_timeout (\d+)s$", read("Caddyfile")) > answer_s


def test_there_are_files_enough_for_every_connection() -> None:
    """Below it the listener takes fewer visitors than the settings say."""
    for files in (
        number(r"^LimitNOFILE=(\d+)$", read("consent-gateway.service")),
        number(r"^      nofile: (\d+)$", read("compose.yaml")),
    ):
        assert files * SHARE_OF_FILES >= LISTEN.max_connections


def test_the_store_lies_where_it_can_be_written_and_outlives_the_process() -> None:
    """Everything else is read-only; an event that was acknowledged must be there after an update."""
    assert f"StateDirectory={Path(STATE).name}\n" in read("consent-gateway.service")
    assert f"VOLUME {STATE}\n" in read("Dockerfile")
    assert f"- events:{STATE}\n" in read("compose.yaml")


def test_bad_settings_do_not_start_again_and_again() -> None:
    """Status 2 is a fault that only a person can mend."""
    assert "RestartPreventExitStatus=2\n" in read("consent-gateway.service")


def test_the_image_is_built_from_what_the_project_has() -> None:
    """A file that the wheel needs and the builder does not get ends the build, or leaves the rules out."""
    copied = {
        word for line in re.findall(r"^COPY (?!--)(.*) \S+$", read("Dockerfile"), re.MULTILINE) for word in line.split()
    }
    assert all((ROOT / name).exists() for name in copied)
    assert {f"!{name}" for name in copied} <= set(read("Dockerfile.dockerignore").split())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert copied == {"pyproject.toml", project["project"]["readme"], *wheel["packages"], *wheel["force-include"]}


# -- what the programs themselves say ---------------------------------------------------------------------------------------


@needs("shellcheck")
def test_the_scripts_are_clean() -> None:
    """A script of two commands is the first thing that anybody runs."""
    scripts: list[Path] = [*DEPLOY.glob("*.sh"), ROOT / "tests/run.sh", ROOT / ".ci/run"]
    done = subprocess.run(["shellcheck", *map(str, scripts)], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""


@needs("systemd-analyze")
def test_systemd_takes_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    """A misspelt key of a unit is ignored with a warning that nobody reads, and with it the protection."""
    unit = tmp_path / "consent-gateway.service"
    unit.write_text(
        (DEPLOY / "consent-gateway.service")
        .read_text()
        .replace("/opt/consent-gateway/bin/consent-gateway", sys.executable)
    )
    verify = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (verify.returncode, verify.stderr) == (0, "")
    # The level is told in tenths, from 0 to 100.
    security = ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(unit)]
    rated = subprocess.run(security, capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout[-200:] + rated.stderr


# -- the front servers, before a running gateway ----------------------------------------------------------------------------


FIRST, SECOND = b"<title>a</title><p>first</p>", b"<p>second</p>"

HALVES = {
    "/halves": {"Content-Type": "text/html; charset=utf-8"},
    "/halves.bin": {"Content-Type": "application/octet-stream", "Content-Length": str(len(FIRST + SECOND))},
}


@dataclass
class Site:
    """A site that keeps the requests which reached it. What is in `HALVES` comes in two; the second waits for *second*."""

    requests: list[web.BaseRequest] = field(default_factory=list)
    second: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> web.Application:
        """The site's server."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.path in HALVES:
            response = web.StreamResponse(headers=HALVES[request.path])
            await response.prepare(request)
            await response.write(FIRST)
            await self.second.wait()
            await response.write(SECOND)
            return response
        if request.path == "/fails":
            return web.Response(status=502, text="the site's own")
        headers = {"X-Accel-Redirect": "/elsewhere", "Content-Security-Policy": f"img-src {'x' * 12_000}.example"}
        return web.Response(text="<title>a</title>", content_type="text/html", headers=headers)


@dataclass(frozen=True, slots=True)
class Running:
    """A front server before a gateway before a site."""

    front: Front
    gateway: Gateway
    site: Site


@asynccontextmanager
async def a_gateway(tmp_path: Path, origin: Server) -> AsyncIterator[Gateway]:
    """A gateway that believes the front server, as the files say it must."""
    log = open_log(LogSettings(), io.BytesIO())
    settings = Settings(
        origin=OriginSettings(url=f"http://127.0.0.1:{origin.port}"),
        listen=ListenSettings(address="127.0.0.1:0", trusted_proxies=("127.0.0.1/32",), grace_s=0.1),
        collect=CollectSettings(store=tmp_path / "events.db"),
    )
    known = catalogue.load(rule_files.read([], shipped=True))
    async with Gateway(settings, known, secrets={}, log=log) as gateway:
        yield gateway
    log.close()


KINDS = [pytest.param(kind, marks=[needs(kind), needs("openssl")]) for kind in ("nginx", "caddy")]


@pytest.fixture(params=KINDS)
async def running(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    site = Site()
    async with (
        Server(site.app()) as origin,
        a_gateway(tmp_path, origin) as gateway,
        front(request.param, gateway=gateway.address) as before,
    ):
        yield Running(before, gateway, site)


def asking(target: str, *fields: str, method: str = "GET", body: str = "", host: str = SITE) -> bytes:
    """A request of a visitor."""
    length = (f"Content-Length: {len(body)}",) if body else ()
    return "\r\n".join((f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, *length, "", body)).encode()


FORGED = (
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Proto: http",
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Port: 6",
    "X-Forwarded-Prefix: /evil",
    "X-Real-IP: 6.6.6.6",
    "Forwarded: for=6.6.6.6",
)


async def test_the_site_learns_who_came_and_how_and_nothing_forged(running: Running) -> None:
    """Rate limits, absolute links and cookies of the site hang on these fields; visitors must not write them."""
    async with running.front.visit() as visit:
        reply = await visit.ask(asking("/a%2Fb//c?d=%20e", *FORGED))
    assert reply.status == 200
    (seen,) = running.site.requests
    assert seen.raw_path == "/a%2Fb//c?d=%20e"
    assert seen.headers.getall("X-Forwarded-For") == [f"{VISITOR}, 127.0.0.1"]
    assert seen.headers.getall("X-Forwarded-Proto") == ["https"]
    assert seen.headers.getall("X-Forwarded-Host") == [SITE]
    assert seen.headers.getall("Host") == [SITE]
    assert seen.headers.get("X-Forwarded-Port") in {None, str(running.front.secure)}
    assert not [value for value in seen.headers.values() if "evil" in value or "6.6.6.6" in value]


@pytest.mark.parametrize("kind", KINDS)
async def test_upgrades_are_not_passed_on(kind: str) -> None:
    """Half of an upgrade is a request that the two sides read differently. The site stands for the gateway here."""
    site = Site()
    async with (
        Server(site.app()) as origin,
        front(kind, gateway=f"127.0.0.1:{origin.port}") as before,
        before.visit() as visit,
    ):
        reply = await visit.ask(asking("/", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"))
    assert reply.status == 200
    (seen,) = site.requests
    assert "Upgrade" not in seen.headers
    assert "upgrade" not in seen.headers.get("Connection", "").lower()


async def test_visitors_one_after_the_other_share_a_connection_to_the_gateway(running: Running) -> None:
    """A connection for each request would cost a round trip and a file handle each."""
    for _ in range(3):
        async with running.front.visit() as visit:
            assert (await visit.ask(asking("/"))).status == 200
    assert running.gateway._listener.connections == 1


@pytest.mark.parametrize("host", [SITE, f"{SITE}:8443"])
async def test_a_choice_made_over_tls_is_kept_for_tls(running: Running, host: str) -> None:
    """The cookie is Secure, and no page of the plain site, nor of another port, can choose in the visitor's name."""

    async def choose(origin: str) -> tuple[int, list[bytes]]:
        fields = ("Content-Type: application/x-www-form-urlencoded", f"Origin: {origin}", "Connection: close")
        async with running.front.visit() as visit:
            path = f"{Settings.model_fields['prefix'].default}/choice"
            reply = await visit.ask(asking(path, *fields, method="POST", body="action=accept", host=host))
        return reply.status, reply.values(b"set-cookie")

    status, (cookie,) = await choose(f"https://{host}")
    assert status == 303
    assert cookie.startswith(b"cg_consent=")
    assert cookie.endswith(b"; Secure")
    assert await choose(f"http://{host}") == (403, [])
    assert await choose(f"https://{SITE}:9443") == (403, [])


async def test_the_first_half_of_a_page_does_not_wait_for_the_second(running: Running) -> None:
    """A front server that buffers takes away what streaming won."""
    async with running.front.visit() as visit:
        await visit.send(asking("/halves"))
        assert b" 200 " in await visit.head()
        seen = b""
        while b"first" not in seen:
            seen += await visit.chunk()
        assert b"second" not in seen
        running.site.second.set()
        while piece := await visit.chunk():
            seen += piece
    assert seen.endswith(b"<p>second</p>")


async def test_nor_does_that_of_a_download(running: Running) -> None:
    """Its length is known, which some servers take for leave to wait."""
    async with running.front.visit() as visit:
        await visit.send(asking("/halves.bin"))
        assert b" 200 " in await visit.head()
        async with asyncio.timeout(PATIENCE_S):
            assert await visit.reader.readexactly(len(FIRST)) == FIRST
            running.site.second.set()
            assert await visit.reader.readexactly(len(SECOND)) == SECOND


async def test_long_heads_pass_and_commands_to_the_server_are_not_obeyed(running: Running) -> None:
    """Policies and cookies of real sites are longer than the defaults; and a site's header must not steer the front."""
    async with running.front.visit() as visit:
        reply = await visit.ask(asking("/", f"Cookie: a={'x' * 12_000}"))
    assert reply.status == 200
    assert len(b"".join(reply.values(b"content-security-policy"))) > 12_000
    assert [request.path for request in running.site.requests] == ["/"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_gateway_that_is_away_is_told_and_the_site_is_not_asked(tmp_path: Path, kind: str) -> None:
    """The way around the gateway would contact every vendor; and the gateway's own answers about the site pass as they are."""
    site = Site()
    async with AsyncExitStack() as stack:
        origin = await stack.enter_async_context(Server(site.app()))
        async with a_gateway(tmp_path, origin) as gateway:
            before = await stack.enter_async_context(front(kind, gateway=gateway.address))
            async with before.visit() as visit:
                failed = await visit.ask(asking("/fails"))
        async with before.visit() as visit:
            away = await visit.ask(asking("/"))
    assert (failed.status, failed.body) == (502, b"the site's own")
    assert (away.status, away.values(b"retry-after"), away.values(b"cache-control")) == (503, [b"5"], [b"no-store"])
    assert b"not available" in away.body
    assert [request.path for request in site.requests] == ["/fails"]


async def test_plain_http_leads_to_tls(running: Running) -> None:
    """A page that was read on the way can be changed on the way."""
    async with Client(running.front.plain) as visit:
        reply = await visit.ask(asking("/a?b=c"))
    assert reply.status == 308
    (location,) = reply.values(b"location")
    assert re.fullmatch(rb"https://site\.example(:\d+)?/a\?b=c", location)


async def test_the_path_of_the_health_check_answers(tmp_path: Path) -> None:
    """A check of a path that is not there restarts a healthy container for ever."""
    assert re.findall(r"c\.request\('GET', '([^']*)'\)", read("Dockerfile")) == [HEALTH]
    async with (
        Server(Site().app()) as origin,
        a_gateway(tmp_path, origin) as gateway,
        Client(int(gateway.address.rpartition(":")[2])) as client,
    ):
        assert (await client.ask(asking(HEALTH))).status == 200
