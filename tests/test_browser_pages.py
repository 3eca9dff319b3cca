"""Pages with every way there is to load something, in Chromium: nobody known is contacted before the visitor agrees."""

import io
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from gateway import rule_files
from gateway.app import Gateway
from gateway.consent import own
from gateway.consent.model import NECESSARY_ONLY, OPTIONAL
from gateway.demo.server import Server
from gateway.log import open_log
from gateway.settings import CollectSettings, ListenSettings, LogSettings, OriginSettings, Settings
from gateway.vendors import catalogue
from gateway.vendors.url import parse
from tests.browser import Visitor, browse

pytestmark = pytest.mark.browser

_HERE = Path(__file__).parent
_GOLDEN = _HERE / "golden"

PAGES = {
    "/elements": (_GOLDEN / "pages" / "elements.txt").read_text().split("-----\n")[1],
    **{
        f"/{name}": (_HERE / "pages" / f"{name}.html").read_text()
        for name in ("activecampaign", "ontraport", "vendors")
    },
}
# Every hint of these pages in a page of its own, without the one to a neighbour.
HINTS = "".join(
    f"{hint}\n"
    for page in PAGES.values()
    for hint in re.findall(r"<link [^>]*rel=[\"']?(?:preconnect|dns-prefetch|preload)[^>]*>", page)
    if "fonts.gstatic.com" not in hint
)

CATALOGUE = catalogue.load(rule_files.read([_GOLDEN / "rules"], shipped=True))

ALL_AGREED = {"cg_consent": own.write(granted=OPTIONAL, now=time.time(), notice_version=1)}

# Whom the pages contact whatever the visitor says: look-alikes, others whom no file calls a vendor, and a field for cards.
NEIGHBOURS = {
    "/elements": set[str](),
    "/activecampaign": {"nottrackcmp.net"},
    "/ontraport": {"notontraport.com", "forms.ontraport.com"},
    "/vendors": {
        "fonts.googleapis.com",
        "fonts.gstatic.com",
        "i.pinimg.com",
        "js.hs-banner.com",
        "maps.googleapis.com",
        "media.licdn.com",
        "www.bing.com",
        "www.google.com",
    },
}

# Whom they contact besides, once they may: without scripting already, and with it.
VENDORS = {
    "/elements": {"tracker.example", "stats.example"},
    "/activecampaign": {
        "content.app-us1.com",
        "diffuser-cdn.app-us1.com",
        "northwind.activehosted.com",
        "northwind.emlnk1.com",
        "northwind.img-us3.com",
        "platform-cdn.app-us1.com",
        "trackcmp.net",
        "www.activecampaign.com",
    },
    "/ontraport": {
        "cedar.ontralink.com",
        "cedar.ontraport.net",
        "cedar.pages.ontraport.net",
        "forms.ontrapages.com",
        "i.ontraport.com",
    },
    "/vendors": {
        "1234567.fls.doubleclick.net",
        "bat.bing.com",
        "ct.pinterest.com",
        "googleads.g.doubleclick.net",
        "i.ytimg.com",
        "meetings.hubspot.com",
        "px.ads.linkedin.com",
        "static.hotjar.com",
        "www.clarity.ms",
        "www.facebook.com",
        "www.googleadservices.com",
        "www.googletagmanager.com",
        "www.youtube-nocookie.com",
        "www.youtube.com",
    },
}
VENDORS_BY_SCRIPT = {
    "/elements": set[str](),
    "/activecampaign": {"conversations.app-us1.com", "prism.app-us1.com"},
    "/ontraport": {
        "app.ontraport.com",
        "cedar.ontraport.com",
        "go.site.example",
        "optassets.ontraport.com",
        "www1.moon-ray.com",
    },
    "/vendors": {
        "analytics.tiktok.com",
        "assets.pinterest.com",
        "connect.facebook.net",
        "js.hs-scripts.com",
        "js.hsforms.net",
        "pagead2.googlesyndication.com",
        "s.pinimg.com",
        "securepubads.g.doubleclick.net",
        "sgtm.site.example",
        "snap.licdn.com",
        "www.google-analytics.com",
        "www.tiktok.com",
    },
}


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """The pages behind the gateway: where it answers."""

    async def answer(request: web.Request) -> web.Response:
        text = pages.get(request.path)
        if text is None:
            raise web.HTTPNotFound
        return web.Response(text=text, content_type="text/html")

    pages = {**PAGES, "/hints": f"<!doctype html><title>Hints</title>\n{HINTS}"}
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    log = open_log(LogSettings(format="json"), io.BytesIO())
    async with Server(app) as origin:
        settings = Settings(
            origin=OriginSettings(url=f"http://127.0.0.1:{origin.port}"),
            listen=ListenSettings(address="127.0.0.1:0"),
            collect=CollectSettings(enabled=False),
        )
        async with Gateway(settings, CATALOGUE, secrets={}, log=log) as gateway:
            yield f"http://{gateway.address}"
    log.close()


def refused(visitor: Visitor) -> list[str]:
    """Requests that a visitor who agreed to nothing must not make, as the rules have it."""
    urls = [asked.url for asked in visitor.asked if asked.url.startswith("http")]
    return [
        url
        for url in urls
        if (parsed := parse(url))
        and not all(verdict.needs <= NECESSARY_ONLY for verdict in CATALOGUE.matcher.url(parsed, site_host="127.0.0.1"))
    ]


@pytest.mark.parametrize("scripting", [True, False], ids=["scripts", "no-scripts"])
async def test_no_way_of_loading_leads_to_a_vendor_before_consent(
    site: str, tmp_path: Path, *, scripting: bool
) -> None:
    """Each element, attribute, snippet and hint that the golden pages hold, as a browser really takes it."""
    async with browse(tmp_path, scripting=scripting) as visitor:
        for path in PAGES:
            visitor.forget()
            await visitor.open(f"{site}{path}")
            assert set(visitor.elsewhere.hosts) <= NEIGHBOURS[path], path
            assert refused(visitor) == [], path
            if scripting:
                assert set(visitor.elsewhere.hosts) == NEIGHBOURS[path], "who is no vendor is let alone"


@pytest.mark.parametrize("scripting", [True, False], ids=["scripts", "no-scripts"])
async def test_with_consent_each_of_these_ways_leads_there(site: str, tmp_path: Path, *, scripting: bool) -> None:
    """The pages do what the test above relies on: a page that loads nothing would pass it, too."""
    async with browse(tmp_path, scripting=scripting) as visitor:
        await visitor.set_cookies(site, ALL_AGREED)
        for path in PAGES:
            visitor.forget()
            await visitor.open(f"{site}{path}")
            expected = VENDORS[path] | (VENDORS_BY_SCRIPT[path] if scripting else set())
            assert set(visitor.elsewhere.hosts) >= expected, path


@pytest.mark.parametrize("agreed", [False, True])
async def test_hints_are_taken_back_before_they_are_taken(site: str, tmp_path: Path, *, agreed: bool) -> None:
    """Looking up a vendor's name tells whoever runs the resolver, and often the vendor, who reads what."""
    async with browse(tmp_path) as visitor:
        if agreed:
            await visitor.set_cookies(site, ALL_AGREED)
        await visitor.open(f"{site}/hints")
    assert (visitor.lookups() > 0) is agreed
    assert bool(visitor.elsewhere.contacts) is agreed
