import urllib.parse
from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType

import aiohttp
import orjson
import pytest
from aiohttp import web

from gateway.choice_form import BODY_LIMIT_BYTES, ChoiceAction, Chosen
from gateway.choices import Choices
from gateway.consent import own
from gateway.consent.decide import decide
from gateway.consent.model import EVERYTHING, NECESSARY_ONLY, Category, Decision
from gateway.consent.read import read_signals
from tests.killed import POLICY

NOW = 1_780_000_000.0
SENT_BY_THE_PAGE = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
NONE: Mapping[str, str] = MappingProxyType({})


class Answered:
    """An answer, read."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def cookie(self) -> str:
        """The one cookie that is set."""
        (cookie,) = self.headers.getall("Set-Cookie")
        return cookie


class Site:
    """The page behind a real server, and what it logged."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.logged: list[Chosen] = []
        self.secure = False
        self.url = ""
        self._choices = Choices(
            path="/_consent/choice",
            policy=POLICY,
            vendors={Category.MARKETING: ("Tracker Example",)},
            log=self,
            body_timeout_s=5,
            write_timeout_s=5,
            clock=lambda: NOW,
        )

    def chosen(self, choice: Chosen) -> None:
        """Noted."""
        self.logged.append(choice)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """As the gateway would dispatch it."""
        return await self._choices.handle(request, request_id="r1", secure=self.secure)

    async def ask(
        self, method: str = "GET", query: str = "", body: bytes = b"", headers: Mapping[str, str] = NONE
    ) -> Answered:
        """One request for the page."""
        async with self.session.request(
            method,
            f"{self.url}/_consent/choice{query}",
            data=body or None,
            headers=headers,
            allow_redirects=False,
            skip_auto_headers=["Content-Type"],
        ) as response:
            return Answered(response, await response.read())

    async def send(self, *fields: tuple[str, str], **headers: str) -> Answered:
        """The page's form, with these fields."""
        return await self.ask(
            "POST", body=urllib.parse.urlencode(fields).encode(), headers={**SENT_BY_THE_PAGE, **headers}
        )


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        made = Site(session)
        runner = web.ServerRunner(web.Server(made.handle, handler_cancellation=True), shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield made
        await runner.cleanup()


def decided(set_cookie: str) -> Decision:
    """What the gateway decides for a browser that keeps this cookie."""
    headers = [(b"Cookie", set_cookie.partition(";")[0].encode())]
    return decide(read_signals(headers, POLICY, now=NOW), POLICY, now=NOW)


def cookie(*granted: Category) -> dict[str, str]:
    return {"Cookie": "cg_consent=" + own.write(granted=granted, now=NOW, notice_version=1)}


@pytest.mark.parametrize(
    ("fields", "granted"),
    [
        ([("action", "accept")], EVERYTHING),
        ([("action", "reject")], NECESSARY_ONLY),
        ([("action", "save"), ("category", "analytics")], NECESSARY_ONLY | {Category.ANALYTICS}),
    ],
)
async def test_what_was_chosen_counts_from_the_next_request_on(
    site: Site, fields: list[tuple[str, str]], granted: frozenset[Category]
) -> None:
    """The cookie that is set must be understood by the reader that obeys it."""
    answer = await site.send(*fields, ("return", "/shop?a=1"))
    assert (answer.status, answer.headers["Location"], answer.body) == (303, "/shop?a=1", b"")
    assert answer.headers["Cache-Control"] == "no-store"
    decision = decided(answer.cookie)
    assert decision.decided
    assert decision.granted == granted
    assert site.logged == [Chosen("r1", ChoiceAction(fields[0][1]), granted=granted, before=NECESSARY_ONLY, gpc=False)]


@pytest.mark.parametrize("secure", [False, True])
async def test_the_cookie_is_kept_for_the_whole_site_as_long_as_the_choice_lasts(site: Site, *, secure: bool) -> None:
    """Scripts of the site may read it; over https it travels over https only; other sites' posts do not carry it."""
    site.secure = secure
    answer = await site.send(("action", "accept"))
    attributes = answer.cookie.split("; ")[1:]
    assert attributes == ["Path=/", "Max-Age=86400", "SameSite=Lax"] + ["Secure"] * secure


async def test_a_withdrawal_is_as_easy_and_is_told_with_what_was_before(site: Site) -> None:
    """Somebody who wants to prove that a withdrawal was heard needs both."""
    answer = await site.send(("action", "reject"), **cookie(Category.MARKETING), **{"Sec-GPC": "1"})
    assert decided(answer.cookie).granted == NECESSARY_ONLY
    assert site.logged == [Chosen("r1", ChoiceAction.REJECT, NECESSARY_ONLY, before=NECESSARY_ONLY, gpc=True)]
    await site.send(("action", "reject"), **cookie(Category.MARKETING))
    assert site.logged[1].before == NECESSARY_ONLY | {Category.MARKETING}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin, cross-site"},
    ],
)
async def test_nobody_else_can_choose_for_a_visitor(site: Site, headers: dict[str, str]) -> None:
    """A hidden form on another site would otherwise agree to everything."""
    answer = await site.send(("action", "accept"), **headers)
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers
    assert site.logged == []


@pytest.mark.parametrize(("origin", "status"), [("", 303), ("https://evil.example", 403), ("null", 403)])
async def test_without_fetch_metadata_the_origin_tells(site: Site, origin: str, status: int) -> None:
    """Browsers send Sec-Fetch-Site to https and localhost only."""
    headers = {"Content-Type": SENT_BY_THE_PAGE["Content-Type"], "Origin": origin or site.url}
    assert (await site.ask("POST", body=b"action=accept", headers=headers)).status == status


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (400, b"action=maybe", {}),
        (400, b"action=save&category=all", {}),
        (415, b'{"action":"accept"}', {"Content-Type": "application/json"}),
        (415, b"action=accept", {"Content-Type": "text/plain"}),
        (413, b"action=accept".ljust(BODY_LIMIT_BYTES + 1, b"&"), {}),
    ],
)
async def test_a_form_that_is_not_ours_changes_nothing(
    site: Site, status: int, body: bytes, headers: dict[str, str]
) -> None:
    """A choice is what somebody chose, not what could be made of it."""
    answer = await site.ask("POST", body=body, headers={**SENT_BY_THE_PAGE, **headers})
    assert answer.status == status
    assert "Set-Cookie" not in answer.headers
    assert site.logged == []


@pytest.mark.parametrize("size", [BODY_LIMIT_BYTES - 1, BODY_LIMIT_BYTES])
async def test_a_form_is_taken_up_to_the_limit(site: Site, size: int) -> None:
    """A long way back must not cost the choice."""
    body = b"action=accept&other=".ljust(size, b"x")
    assert (await site.ask("POST", body=body, headers=SENT_BY_THE_PAGE)).status == 303


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS"])
async def test_other_methods_are_told_what_there_is(site: Site, method: str) -> None:
    """OPTIONS among them: a page of another site that asks whether it may post gets no leave."""
    answer = await site.ask(method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")
    assert not any(name.lower().startswith("access-control-") for name in answer.headers)


@pytest.mark.parametrize("query", ["", "?action=accept", "?action=reject&category=marketing"])
async def test_looking_changes_nothing(site: Site, query: str) -> None:
    """Mail scanners, previews and prefetching browsers open every link."""
    for method in ("GET", "HEAD"):
        answer = await site.ask(method, query, headers=cookie(Category.MARKETING))
        assert answer.status == 200
        assert "Set-Cookie" not in answer.headers
    assert site.logged == []


async def test_the_page_is_private_and_closed(site: Site) -> None:
    """It shows what one visitor chose: to that visitor, in no frame, in no cache."""
    answer = await site.ask(headers={"Accept": "text/html", **cookie(Category.MARKETING)})
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Cookie, Sec-GPC, Accept"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert b'value="marketing" checked' in answer.body
    assert b"Tracker Example" in answer.body


async def test_a_head_request_gets_the_head_of_the_page(site: Site) -> None:
    """Monitors ask so; a body would be read as the next answer."""
    full, head = await site.ask(), await site.ask("HEAD")
    assert head.body == b""
    assert head.headers == full.headers


async def test_the_way_back_is_the_page_that_linked_here(site: Site) -> None:
    """A link in the footer needs no address of its own in it."""
    answer = await site.ask(headers={"Referer": f"{site.url}/blog?page=2"})
    assert b'name="return" value="/blog?page=2"' in answer.body
    answer = await site.ask(query="?return=/cart&return=/other", headers={"Referer": f"{site.url}/blog"})
    assert b'name="return" value="/cart"' in answer.body
    answer = await site.ask(headers={"Referer": "https://evil.example/blog"})
    assert b'name="return" value="/"' in answer.body


async def test_a_way_back_to_elsewhere_is_not_taken(site: Site) -> None:
    """The field is hidden, not sealed."""
    answer = await site.send(("action", "reject"), ("return", "//evil.example/"))
    assert answer.headers["Location"] == "/"


async def test_scripts_of_the_site_can_ask(site: Site) -> None:
    """They need to know what they may start, without reading the cookie's format."""
    wanted = {"Accept": "application/json"}
    answer = await site.ask(headers=wanted)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert orjson.loads(answer.body) == {"decided": False, "granted": ["necessary"]}
    answer = await site.ask(headers={**wanted, **cookie(Category.ANALYTICS)})
    assert orjson.loads(answer.body) == {"decided": True, "granted": ["analytics", "necessary"]}


async def test_a_browser_that_objects_is_heard_and_told(site: Site) -> None:
    """The page must show what counts, which is less than what the cookie says."""
    answer = await site.ask(headers={"Sec-GPC": "1", **cookie(Category.MARKETING)})
    assert b"Global Privacy Control" in answer.body
    assert b'value="marketing" checked' not in answer.body
