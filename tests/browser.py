"""Debian's Chromium with nobody watching it, as one visitor: what it asks for, whom it contacts, what it complains about.

Every name but those of this machine leads to a recorder (`Elsewhere`), so that nothing leaves the machine and every contact
is seen: of requests the browser tells, but of connections that a hint makes it tells nothing, and of names that are merely
looked up only its own network log does. The profile is an ordinary one, in a fresh folder: in a private one, as browser
automation likes to use, Chromium takes no hint at all, and a test would prove nothing.
"""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import orjson
from playwright.async_api import BrowserContext, ConsoleMessage, Page, Request, Response, async_playwright

from tests.elsewhere import Elsewhere

# What a page needs is there within it, or never comes.
PATIENCE_S = 15.0

# Chromium talks to its maker on its own account, whatever page is open. Those names lead nowhere.
_CHROMIUMS_OWN = (
    "accounts.google.com",
    "clients*.google.com",
    "content-autofill.googleapis.com",
    "update.googleapis.com",
    "safebrowsing*.googleapis.com",
    "*-pa.googleapis.com",
    "*.gvt1.com",
)

_FLAGS = (
    "--no-sandbox",  # containers, where tests run as root
    "--disable-gpu",
    "--disable-quic",  # the recorder listens to TCP
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# What scripts put off until the page has nothing else to do has run by then.
_IDLE = "() => new Promise(done => requestIdleCallback(() => done()))"

# W3C Layout Instability: how much of what the visitor sees has moved, and how far.
_COUNT_SHIFTS = """
window.layoutShift = 0;
new PerformanceObserver(list => { for (const entry of list.getEntries()) window.layoutShift += entry.value; })
  .observe({type: "layout-shift", buffered: true});
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that the browser attempted. *kind* as the browser names it: document, script, image, ping ..."""

    url: str
    kind: str

    @property
    def host(self) -> str:
        """Host, and port where the URL names one."""
        return urlsplit(self.url).netloc

    @property
    def path(self) -> str:
        """The path, without its query."""
        return urlsplit(self.url).path


@dataclass  # without slots: Playwright marks the object whose methods it calls
class Visitor:
    """One browser, one open page. *asked* and *complaints* hold what has happened since the last `forget`."""

    page: Page
    elsewhere: Elsewhere
    fence: Page
    scripting: bool
    net_log: Path
    asked: list[Asked] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    under_way: set[Request] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def context(self) -> BrowserContext:
        """Cookies and everything else of the browser."""
        return self.page.context

    @property
    def hosts(self) -> Counter[str]:
        """Requests per host: those that were attempted, answered or not."""
        return Counter(asked.host for asked in self.asked)

    def forget(self) -> None:
        """Begin to count anew."""
        self.asked.clear()
        self.complaints.clear()
        self.elsewhere.contacts.clear()

    async def open(self, url: str) -> Response:
        """Go to *url* and wait until the page has asked for everything it wants."""
        response = await self.page.goto(url)
        assert response
        await self.settle()
        return response

    async def press(self, selector: str) -> Response:
        """Click what leads to another page, and wait for all of that."""
        async with self.page.expect_navigation() as navigation:
            await self.page.click(selector)
        response = await navigation.value
        assert response
        await self.settle()
        return response

    async def set_cookies(self, url: str, cookies: Mapping[str, str]) -> None:
        """Have *cookies* for the site of *url*."""
        await self.context.add_cookies([{"name": name, "value": text, "url": url} for name, text in cookies.items()])

    async def settle(self) -> None:
        """Wait until nothing is under way and what was begun earlier has reached the recorder."""
        await self.page.wait_for_load_state()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                while self.under_way:
                    self.changed.clear()
                    await self.changed.wait()
                so_far = len(self.asked)
                if self.scripting:
                    await self.page.evaluate(_IDLE)
                await self.fence.goto(f"{self.elsewhere.fence_url}?{so_far}")
                if not self.under_way and len(self.asked) == so_far:
                    return

    async def layout_shift(self) -> float:
        """The sum of the page's layout shifts so far."""
        return float(await self.page.evaluate("window.layoutShift"))

    def lookups(self) -> int:
        """How often a name elsewhere was looked up ahead of any request: hints. After the browser is closed."""
        log = orjson.loads(self.net_log.read_bytes())
        request = log["constants"]["logEventTypes"]["HOST_RESOLVER_MANAGER_REQUEST"]
        begin = log["constants"]["logEventPhase"]["PHASE_BEGIN"]
        port = f":{self.elsewhere.port}"
        return sum(
            entry["params"]["is_speculative"] and entry["params"]["host"].endswith(port)
            for entry in log["events"]
            if entry["type"] == request and entry["phase"] == begin
        )

    def watch(self) -> None:
        """Begin to record."""
        self.context.on("request", self._begun)
        self.context.on("requestfinished", self._ended)
        self.context.on("requestfailed", self._ended)
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def _begun(self, request: Request) -> None:
        if not request.url.startswith(self.elsewhere.fence_url):
            self.asked.append(Asked(url=request.url, kind=request.resource_type))
            self.under_way.add(request)

    def _ended(self, request: Request) -> None:
        self.under_way.discard(request)
        self.changed.set()

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)


@asynccontextmanager
async def browse(
    folder: Path,
    *,
    scripting: bool = True,
    headers: Mapping[str, str] | None = None,
    width: int = 1280,
    scheme: Literal["light", "dark"] = "light",
) -> AsyncIterator[Visitor]:
    """A visitor with an empty profile in *folder*, who sends *headers* with every request."""
    net_log = folder / "net-log.json"
    async with Elsewhere() as elsewhere, async_playwright() as playwright:
        rules = [f"MAP {name} ~NOTFOUND" for name in _CHROMIUMS_OWN]
        rules += [f"MAP * 127.0.0.1:{elsewhere.port}"]
        rules += [f"EXCLUDE {name}" for name in ("localhost", "*.localhost", "127.0.0.1")]
        context = await playwright.chromium.launch_persistent_context(
            folder / "profile",
            executable_path=shutil.which("chromium") or "/usr/bin/chromium",
            args=[*_FLAGS, f"--host-resolver-rules={', '.join(rules)}", f"--log-net-log={net_log}"],
            java_script_enabled=scripting,
            extra_http_headers=dict(headers or {}),
            viewport={"width": width, "height": 800},
            color_scheme=scheme,
        )
        try:
            context.set_default_timeout(PATIENCE_S * 1000)
            visitor = Visitor(
                await context.new_page(), elsewhere, context.pages[0], scripting=scripting, net_log=net_log
            )
            visitor.watch()
            await visitor.page.add_init_script(_COUNT_SHIFTS)
            yield visitor
        finally:
            await context.close()
