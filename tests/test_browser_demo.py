"""The demo in Chromium: who is contacted before the visitor agrees, after it, and after the visitor took it back."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.demo import shop
from tests.browser import Visitor, browse
from tests.stage import Stage, staged

pytestmark = pytest.mark.browser

# What the shop's pages ask of the real vendors once they may: the paths, and the hosts beside those of every page.
EVERYWHERE = {
    "www.googletagmanager.com",
    "connect.facebook.net",
    "diffuser-cdn.app-us1.com",
    "optassets.ontraport.com",
}
THERE_TOO = {"/lamp": {"www.youtube.com"}, "/workshops": {"lanternandloom.activehosted.com"}}

# Pictures that were asked for and have not arrived.
_BROKEN_IMAGES = "[...document.images].filter(one => one.currentSrc && !one.naturalWidth).map(one => one.src)"


@pytest.fixture
async def stage(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    async with staged(monkeypatch) as stage:
        yield stage


async def choose(visitor: Visitor, button: str) -> None:
    """From the page that is open to the choice page, as people go, and back."""
    came_from = visitor.page.url
    await visitor.press("text='Privacy choices'")
    visitor.forget()
    await visitor.press(f"text='{button}'")
    assert visitor.page.url == came_from


def is_untouched(visitor: Visitor, stage: Stage) -> None:
    """Nobody but the shop was asked for anything, or so much as connected to."""
    assert set(visitor.hosts) == {stage.host}, visitor.hosts
    assert not visitor.elsewhere.contacts, visitor.elsewhere.hosts
    assert not stage.scene.moth.contacts


@pytest.mark.parametrize("scripting", [True, False], ids=["scripts", "no-scripts"])
async def test_before_a_choice_no_page_contacts_anybody_but_the_shop(
    stage: Stage, tmp_path: Path, *, scripting: bool
) -> None:
    """The product in one sentence: no request, no connection, not even a name looked up; and the shop works."""
    async with browse(tmp_path, scripting=scripting) as visitor:
        for path in shop.PAGES:
            visitor.forget()
            response = await visitor.open(f"{stage.scene.shop_url}{path}")
            assert response.status == 200
            is_untouched(visitor, stage)
            assert "Lantern & Loom" in await visitor.page.title()
            assert not visitor.complaints
            assert await visitor.page.evaluate(_BROKEN_IMAGES) == []
            sent = [asked.path for asked in visitor.asked if asked.kind == "ping"]
            assert sent == ([f"{stage.scene.prefix}/collect"] if scripting else [])
        visitor.forget()
        assert (await visitor.open(f"{stage.scene.shop_url}/no-such-page")).status == 404
        is_untouched(visitor, stage)
    assert visitor.lookups() == 0


@pytest.mark.parametrize("scripting", [True, False], ids=["scripts", "no-scripts"])
async def test_without_the_gateway_every_vendor_is_contacted(stage: Stage, tmp_path: Path, *, scripting: bool) -> None:
    """What the tests above would see if anything got through."""
    async with browse(tmp_path, scripting=scripting) as visitor:
        await visitor.open(f"{stage.scene.origin_url}/")
        if scripting:
            assert set(visitor.elsewhere.hosts) == EVERYWHERE
            assert set(stage.scene.moth.contacts) == {"/moth.js", "/beacon", "/badge.svg"}
        else:
            assert set(visitor.elsewhere.hosts) >= {"www.googletagmanager.com", "www.facebook.com"}
            assert set(stage.scene.moth.contacts) == {"/pixel.gif", "/badge.svg"}
    assert visitor.lookups() > 0


async def test_a_yes_lets_every_vendor_in_and_leaves_the_pages_alone(stage: Stage, tmp_path: Path) -> None:
    """After "Accept all" the visitor has the site as its owner made it, byte for byte, and the vendors work."""
    async with browse(tmp_path) as visitor:
        await visitor.open(f"{stage.scene.shop_url}/")
        await choose(visitor, "Accept all")
        assert set(visitor.elsewhere.hosts) == EVERYWHERE
        assert stage.scene.moth.contacts == {"/moth.js": 1, "/beacon": 1, "/badge.svg": 1}
        assert sum(visitor.hosts[host] for host in visitor.hosts if host.startswith("moth.localhost")) == 3
        for path in shop.PAGES:
            visitor.forget()
            response = await visitor.open(f"{stage.scene.shop_url}{path}")
            assert await response.body() == await stage.from_origin(path)
            assert set(visitor.elsewhere.hosts) == EVERYWHERE | THERE_TOO.get(path, set())
        assert stage.scene.moth.contacts["/frame"] == 1


async def test_a_no_after_a_yes_counts_from_the_next_page_on(stage: Stage, tmp_path: Path) -> None:
    """Withdrawing is as easy as agreeing: what was loaded, cached or set as a cookie before does not come back."""
    async with browse(tmp_path) as visitor:
        await visitor.open(f"{stage.scene.shop_url}/")
        await choose(visitor, "Accept all")
        assert "moth_visitor" in {cookie.get("name") for cookie in await visitor.context.cookies()}
        await visitor.open(f"{stage.scene.shop_url}/blog")
        assert "moth_visitor" in stage.cookies[-1][1] | stage.cookies[-2][1]
        stage.scene.moth.contacts.clear()
        stage.cookies.clear()
        await choose(visitor, "Reject all")
        is_untouched(visitor, stage)
        for path in shop.PAGES:
            visitor.forget()
            await visitor.open(f"{stage.scene.shop_url}{path}")
            is_untouched(visitor, stage)
        await visitor.page.reload()
        await visitor.settle()
        is_untouched(visitor, stage)
    assert len(stage.cookies) > len(shop.PAGES)
    assert {name for _, names in stage.cookies for name in names} == {"basket"}


async def test_a_browser_that_objects_keeps_marketing_out_whatever_is_pressed(stage: Stage, tmp_path: Path) -> None:
    """Sec-GPC is an objection that the law of several states makes binding."""
    async with browse(tmp_path, headers={"Sec-GPC": "1"}) as visitor:
        await visitor.open(f"{stage.scene.shop_url}/lamp")
        await choose(visitor, "Accept all")
        assert not stage.scene.moth.contacts
        assert set(visitor.elsewhere.hosts) == {"www.googletagmanager.com"}, "analytics was agreed to"
        asked = [asked.path for asked in visitor.asked if asked.host == "www.googletagmanager.com"]
        assert asked == ["/gtag/js"], "a tag manager lets marketing in"
        await visitor.open(stage.scene.choice_url)
        assert "Global Privacy Control" in await visitor.page.inner_text("main")


async def test_page_views_of_the_shop_itself_arrive_after_consent_only(stage: Stage, tmp_path: Path) -> None:
    """The owner's own numbers come from those who agreed, and lose nobody of them."""
    async with browse(tmp_path) as visitor:
        await visitor.open(f"{stage.scene.shop_url}/lamp")
        dropped = await stage.lines.wait_for("dropped")
        assert [line["reason"] for line in dropped] == ["no-consent"]
        await choose(visitor, "Accept all")
        await stage.lines.wait_for("delivered", 1)
        await visitor.open(f"{stage.scene.shop_url}/blog")
        await stage.lines.wait_for("delivered", 2)
        await choose(visitor, "Reject all")
        dropped = await stage.lines.wait_for("dropped", 2)
        assert len(dropped) == 2
    seen = [str(event["url"]) for event in stage.scene.inbox.events.values()]
    assert [url.removeprefix(stage.scene.shop_url) for url in seen] == ["/lamp", "/blog"]


# Groups of OneTrust's cookie, whether its box was closed; hosts contacted, and whether the made-up vendor was.
ONETRUST: tuple[tuple[str, bool, set[str], bool], ...] = (
    ("C0001:1,C0002:1,C0003:1,C0004:1,C0005:1", False, set(), False),
    ("C0001:1,C0002:1,C0003:1,C0004:1,C0005:1", True, EVERYWHERE, True),
    ("C0001:1,C0002:1,C0003:0,C0004:0,C0005:0", True, {"www.googletagmanager.com"}, False),
    ("C0001:1,C0002:0,C0003:0,C0004:0,C0005:0", True, set(), False),
)


async def test_the_choice_that_a_platform_took_down_is_obeyed(stage: Stage, tmp_path: Path) -> None:
    """A site that has a banner keeps it. The platform's defaults, before anybody chose, are nobody's choice."""
    async with browse(tmp_path) as visitor:
        for groups, closed, contacted, moth in ONETRUST:
            consent = f"version=202401.1.0&isGpcEnabled=0&groups={quote(groups)}&AwaitingReconsent=false"
            closing = {"OptanonAlertBoxClosed": datetime.now(UTC).isoformat()} if closed else {}
            await visitor.context.clear_cookies()
            await visitor.set_cookies(stage.scene.shop_url, {"OptanonConsent": consent} | closing)
            visitor.forget()
            stage.scene.moth.contacts.clear()
            await visitor.open(f"{stage.scene.shop_url}/")
            assert set(visitor.elsewhere.hosts) == contacted, groups
            assert bool(stage.scene.moth.contacts) is moth, groups


async def test_the_gateway_does_not_make_the_pages_jump(stage: Stage, tmp_path: Path) -> None:
    """While a page loads, nothing moves under the visitor's finger that would not move without the gateway."""
    async with browse(tmp_path) as visitor:
        for path in ("/", "/lamp", "/blog"):
            await visitor.open(f"{stage.scene.origin_url}{path}")
            without = await visitor.layout_shift()
            await visitor.open(f"{stage.scene.shop_url}{path}")
            assert await visitor.layout_shift() <= without + 0.01, path
