"""The whole demo on free ports: what a visitor gets before and after agreeing, and what the vendor gets."""

import asyncio
import io
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import pytest

from gateway import rule_files
from gateway.demo import shop
from gateway.demo.scene import Scene
from gateway.log import Log, open_log
from gateway.prove import prove
from gateway.settings import LogSettings
from gateway.vendors import catalogue

# What a test waits for comes within it, or never.
PATIENCE_S = 10

IDENTITY = {"Accept-Encoding": "identity"}

# What makes a browser fetch: element and attribute. Links and forms, which wait for a click, are not among them.
LOADING = {
    "script": ("src",),
    "img": ("src", "srcset"),
    "iframe": ("src", "srcdoc"),
    "link": ("href",),
    "source": ("src", "srcset"),
}


@dataclass(frozen=True, slots=True)
class Played:
    """The scene, a browser's worth of cookies, and the log so far."""

    scene: Scene
    browser: aiohttp.ClientSession
    stream: io.BytesIO
    log: Log

    async def get(self, path: str, **headers: str) -> aiohttp.ClientResponse:
        """One page or asset through the gateway, read to its end."""
        response = await self.browser.get(f"{self.scene.shop_url}{path}", headers=IDENTITY | headers)
        await response.read()
        return response

    async def from_origin(self, path: str) -> bytes:
        """The same from the shop itself, by a visitor without cookies."""
        async with (
            aiohttp.ClientSession() as stranger,
            stranger.get(f"http://127.0.0.1:{self.scene.origin_port}{path}", headers=IDENTITY) as response,
        ):
            return await response.read()

    async def choose(self, action: str, **fields: str) -> aiohttp.ClientResponse:
        """Send the choice page's form; not led back."""
        url = f"{self.scene.shop_url}{self.scene.prefix}/choice"
        return await self.browser.post(url, data={"action": action, **fields}, allow_redirects=False)

    async def view(self, event_id: str) -> int:
        """One page view of the shop's own script; the answer's status."""
        body = orjson.dumps(
            {"name": "page-view", "id": event_id, "url": f"{self.scene.shop_url}/lamp?mail=a@b.example"}
        )
        headers = {"Content-Type": "text/plain", "Origin": self.scene.shop_url}
        async with self.browser.post(self.scene.collect_url, data=body, headers=headers) as response:
            return response.status

    def told(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one kind."""
        assert self.log.flush()
        return [line for line in map(orjson.loads, self.stream.getvalue().splitlines()) if line["event"] == event]

    def cookies(self) -> set[str]:
        """Names that the browser keeps for the shop."""
        return {cookie.key for cookie in self.browser.cookie_jar}


@pytest.fixture
async def played() -> AsyncIterator[Played]:
    stream = io.BytesIO()
    log = open_log(LogSettings(format="json"), stream)
    jar = aiohttp.CookieJar(unsafe=True, quote_cookie=False)  # for an address, as browsers keep them
    async with Scene(log) as scene, aiohttp.ClientSession(cookie_jar=jar) as browser:
        yield Played(scene, browser, stream, log)
    log.close()


class Active(HTMLParser):
    """Addresses that a page makes a browser fetch, and the scripts that it runs; by another parser than the gateway's."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self._templates = 0
        self._runs = False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102 - the parser's own
        self._templates += tag == "template"
        values = {name: value or "" for name, value in reversed(attrs)}
        runs = values.get("type", "text/javascript") in {"", "text/javascript", "module"}
        self._runs = tag == "script" and runs and not self._templates
        if not self._templates and (tag != "script" or runs):
            self.addresses += [values[name] for name in LOADING.get(tag, ()) if name in values]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: D102 - the parser's own
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:  # noqa: D102 - the parser's own
        self._templates -= tag == "template"
        self._runs = False

    def handle_data(self, data: str) -> None:  # noqa: D102 - the parser's own
        if self._runs:
            self.scripts.append(data)

    @property
    def hosts(self) -> set[str]:
        """Hosts other than the site's own."""
        return {urlsplit(address).hostname or "" for address in self.addresses} - {""}


def inside(folder: Path) -> list[str]:
    """Names of what is in *folder*."""
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("path", shop.PAGES)
async def test_before_a_choice_no_page_makes_a_browser_contact_anybody_else(played: Played, path: str) -> None:
    """The promise of the whole house: a page that was not agreed to asks nobody but the site for anything."""
    raw = Active((await played.from_origin(path)).decode())
    assert "moth.localhost" in raw.hosts, "the page carries no vendor to withhold"
    assert any("mothQueue" in script for script in raw.scripts)

    page = Active(await (await played.get(path)).text())
    assert page.hosts == set()
    assert not [script for script in page.scripts if re.search(r"mothQueue|fbq|gtag|vgo|mrtracking|gtm", script)]


@pytest.mark.parametrize("path", shop.PAGES)
async def test_what_only_speaks_of_vendors_stays(played: Played, path: str) -> None:
    """Links, structured data, code shown as text and templates contact nobody; a shop's words are not ours to cut."""
    before, after = (await played.from_origin(path)).decode(), await (await played.get(path)).text()
    for kept in (
        r'<script type="application/ld\+json">.*?</script>',
        r'<a href="https://www\.activecampaign\.com/">.*?</a>',
        r"<pre>.*?</pre>",
        r"<textarea.*?</textarea>",
        r"<template>.*?</template>",
        r"<title>.*?</title>",
    ):
        assert re.findall(kept, after, re.DOTALL) == re.findall(kept, before, re.DOTALL)


async def test_before_a_choice_only_the_shops_own_cookie_arrives(played: Played) -> None:
    """A vendor's cookie that the site's own server sets tracks as well as one that a script sets."""
    response = await played.get("/")
    assert played.cookies() == {"basket"}
    assert "moth" not in response.headers.get("Link", "")
    assert "/style.css" in response.headers["Link"]
    assert [field.partition("=")[0] for field in response.headers.getall("Set-Cookie")] == ["basket"]


async def test_the_log_tells_each_thing_that_a_page_lost(played: Played) -> None:
    """What was done to a page must be seen by whoever answers for it, with the rule that did it."""
    await played.get("/")
    lines = played.told("blocked")
    (proxied,) = played.told("proxied")
    assert proxied["withheld"] == len(lines)
    assert {line["page"] for line in lines} == {"/"}
    assert {line["basis"] for line in lines} == {"no-choice"}
    assert {line["request_id"] for line in lines} == {proxied["request_id"]}
    moth = {(line["kind"], line["rule"]) for line in lines if line["vendor"] == "moth-metrics"}
    assert moth >= {
        ("script", "hosts.moth.localhost"),
        ("inline", "inline.queue"),
        ("pixel", "hosts.moth.localhost"),
        ("hint", "hosts.moth.localhost"),
        ("link-header", "hosts.moth.localhost"),
        ("set-cookie", "cookies.moth_visitor"),
    }
    others = {line["vendor"] for line in lines}
    assert others >= {"activecampaign", "ontraport", "meta", "google-analytics", "google-tag-manager"}


async def test_the_embeds_and_forms_of_vendors_are_withheld(played: Played) -> None:
    """The demo shows every kind of thing that shops embed; a kind that slips through is seen here first."""
    for path in ("/lamp", "/blog", "/workshops"):
        await played.get(path)
    withheld = {(line["page"], line["vendor"], line["kind"]) for line in played.told("blocked")}
    assert withheld >= {
        ("/lamp", "youtube", "iframe"),
        ("/blog", "moth-metrics", "iframe"),
        ("/workshops", "activecampaign", "script"),
        ("/workshops", "ontraport", "form"),
    }


async def test_after_agreeing_every_byte_is_the_shops_own(played: Played) -> None:
    """Who agreed to everything must get the very site; anything else would be ours to answer for."""
    await played.get("/")
    answer = await played.choose("accept", **{"return": "/lamp"})
    assert (answer.status, answer.headers["Location"]) == (303, "/lamp")
    blocked = len(played.told("blocked"))
    for path in (*shop.PAGES, "/style.css", "/shop.js", "/lamp.svg"):
        response = await played.get(path)
        assert (response.status, await response.read()) == (200, await played.from_origin(path)), path
    assert played.cookies() == {"basket", "cg_consent", "_fbp", "moth_visitor"}
    assert len(played.told("blocked")) == blocked


async def test_a_choice_that_is_taken_back_counts_from_the_next_page_on(played: Played) -> None:
    """Withdrawing is as easy as agreeing (GDPR article 7(3)), and cookies of before do not travel on."""
    await played.choose("accept")
    await played.get("/")
    await played.choose("reject")
    assert Active(await (await played.get("/")).text()).hosts == set()
    assert ("moth-metrics", "cookie") in {(line["vendor"], line["kind"]) for line in played.told("blocked")}


async def test_agreeing_to_analytics_alone_releases_analytics_alone(played: Played) -> None:
    """Each purpose is chosen by itself; the made-up vendor is marketing."""
    await played.choose("save", category="analytics")
    page = Active(await (await played.get("/")).text())
    assert any("gtag('config'" in script for script in page.scripts)
    assert "moth.localhost" not in page.hosts


async def test_page_views_reach_the_warehouse_after_agreeing_only(played: Played) -> None:
    """Collected with consent, dropped without; and nothing of a query string leaves the page's site."""
    assert await played.view("before-choice") == 204
    assert [line["reason"] for line in played.told("dropped")] == ["no-consent"]

    await played.choose("accept")
    assert await played.view("after-choice") == 204
    async with asyncio.timeout(PATIENCE_S):
        await played.scene.inbox.wait_for(1)
    (event,) = played.scene.inbox.events.values()
    assert (event["id"], event["url"]) == ("after-choice", f"{played.scene.shop_url}/lamp")
    assert "marketing" in event["consent"]["granted"]

    async with played.browser.get(played.scene.events_url) as response:
        shown = await response.json()
    assert (shown["total"], [one["id"] for one in shown["events"]]) == (1, ["after-choice"])


async def test_the_vendor_counts_who_comes_and_not_who_looks(played: Played) -> None:
    """The counts are what the demo is believed for."""
    moth, port = played.scene.moth, played.scene.moth.port
    for path in ("/moth.js", "/beacon?kind=page", "/pixel.gif", "/badge.svg", "/frame", "/made-up", "/favicon.ico"):
        async with played.browser.get(f"http://127.0.0.1:{port}{path}") as response:
            assert response.status == (404 if path in {"/made-up", "/favicon.ico"} else 200), path
    async with played.browser.get(f"http://127.0.0.1:{port}/contacts") as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        counted = await response.json()
    paths = dict.fromkeys(("/badge.svg", "/beacon", "/frame", "/moth.js", "/pixel.gif", "other"), 1)
    assert counted == {"total": 6, "paths": paths}
    assert dict(moth.contacts) == paths

    async with played.browser.get(f"http://127.0.0.1:{port}/contacts", headers={"Accept": "text/html"}) as response:
        assert "contacted 6 times" in await response.text()


async def test_the_shop_behaves_as_sites_do(played: Played) -> None:
    """Validators, gzip, a form and a missing page: what a real site sends must pass the gateway unharmed."""
    asset = await played.get("/style.css", **{"Accept-Encoding": "gzip"})
    assert asset.headers["Content-Encoding"] == "gzip"
    again = await played.get("/style.css", **{"Accept-Encoding": "gzip", "If-None-Match": asset.headers["ETag"]})
    assert again.status == 304
    since = await played.get("/style.css", **{"If-Modified-Since": asset.headers["Last-Modified"]})
    assert since.status == 304

    page = await played.get("/lamp")
    assert (await played.get("/lamp", **{"If-None-Match": page.headers["ETag"]})).status == 304
    await played.choose("accept")
    assert (await played.get("/lamp", **{"If-None-Match": page.headers["ETag"]})).status == 200, (
        "another visitor's page"
    )

    sent = await played.browser.post(f"{played.scene.shop_url}/thanks", data={"count": "1"}, allow_redirects=False)
    assert (sent.status, sent.headers["Location"]) == (303, "/thanks")
    assert (await played.get("/nowhere")).status == 404


async def test_the_shop_without_the_gateway_says_that_nobody_asks(played: Played) -> None:
    """Whoever compares the two will click the privacy link there, too."""
    async with played.browser.get(
        f"http://127.0.0.1:{played.scene.origin_port}{played.scene.prefix}/choice"
    ) as response:
        assert response.status == 404
        assert "Nobody asks you here" in await response.text()


async def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A demo that fills the disk of whoever tried it is no good first impression."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    log = open_log(LogSettings(), io.BytesIO())
    async with Scene(log):
        assert len(inside(tmp_path)) == 1
    log.close()
    assert inside(tmp_path) == []


async def test_a_port_that_is_taken_leaves_nothing_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a demo would hold its ports and its folder until the process ends."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    log = open_log(LogSettings(), io.BytesIO())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        scene = Scene(log, port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            async with scene:
                pytest.fail("the port was taken")
    log.close()
    assert inside(tmp_path) == []
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{scene.origin_port}/")


def test_the_made_up_vendor_proves_its_own_examples() -> None:
    """Its file is the shortest complete one that a reader finds; it must be right."""
    known = catalogue.load(rule_files.read([Path(shop.__file__).parent], shipped=False))
    proofs = prove(known)
    assert {proof.vendor for proof in proofs} == {"moth-metrics"}
    assert all(proof.passed for proof in proofs)
