"""Moth Metrics, the made-up vendor: it answers like a vendor, and counts everybody who comes.

    /moth.js     the script: sets a first-party cookie, sends what was queued as beacons
    /beacon      what the script sends          /pixel.gif   the picture for browsers without scripts
    /badge.svg   a picture with content         /frame       an embed
    /contacts    the counts, themselves not counted: {"total": number, "paths": {path: number}}

Browsers take every name under .localhost for this machine (RFC 6761, section 6.3); so `moth.localhost` is another site than
the shop, as a vendor is, without any name being registered anywhere.
"""

import base64
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from aiohttp import web

from gateway.demo import tally
from gateway.demo.server import Server

HOST = "moth.localhost"

_SCRIPT = """\
// Moth Metrics: a made-up vendor. It does what vendors do, so that the demo can show who stops it.
(() => {
  const own = document.currentScript;
  const home = new URL(own.src).origin;

  const visitor = () => {
    const known = document.cookie.match(/(?:^|; )moth_visitor=([^;]*)/);
    if (known) return known[1];
    const made = Math.random().toString(16).slice(2);
    document.cookie = `moth_visitor=${made}; path=/; max-age=31536000; samesite=lax`;
    return made;
  };

  const send = (call) => {
    const [kind, value = ""] = call;
    const query = new URLSearchParams({ site: own.dataset.site || "", kind, value, visitor: visitor() });
    new Image().src = `${home}/beacon?${query}`;
  };

  const waiting = window.mothQueue || [];
  window.mothQueue = { push: send };
  for (const call of waiting) send(call);
})();
"""

_GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")

_BADGE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="160" height="48" viewBox="0 0 160 48" role="img" aria-label="Rated 4.9">
<rect width="160" height="48" rx="8" fill="#3b2a5a"/>
<path d="M24 24c-6-9-14-9-16-4 2 8 9 10 16 6 7 4 14 2 16-6-2-5-10-5-16 4z" fill="#d9c7ff"/>
<text x="50" y="21" fill="#fff" font-family="sans-serif" font-size="13">Moth Metrics</text>
<text x="50" y="38" fill="#ffd58a" font-family="sans-serif" font-size="13">★★★★★ 4.9</text>
</svg>
"""

_FRAME = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Comments by Moth Metrics</title>
<style>body { margin: 0; padding: 1rem; font: 1rem/1.5 sans-serif; color: #fff; background: #3b2a5a; }</style>
<p>“The first shop that asked before it followed me home.” — a reader</p>
<p>Shown to you by Moth Metrics, which now knows that you were here.</p>
</html>
"""

_PATHS = frozenset({"/moth.js", "/beacon", "/pixel.gif", "/badge.svg", "/frame"})

# Whatever else is asked for is counted as one thing: names that strangers make up are not kept.
OTHER = "other"

# The second is asked for by the browser itself, when somebody looks at the counts.
_NOT_COUNTED = frozenset({"/contacts", "/favicon.ico"})


class Moth:
    """The vendor, `async with Moth() as moth`. *on_contact* is told the path of each contact."""

    def __init__(self, *, on_contact: Callable[[str], None] | None = None) -> None:
        self.contacts: Counter[str] = Counter()
        self._on_contact = on_contact
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._server = Server(app)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, trace)

    @property
    def port(self) -> int:
        """Where it answers at 127.0.0.1."""
        return self._server.port

    @property
    def url(self) -> str:
        """Where pages ask for it: scheme, host and port."""
        return f"http://{HOST}:{self.port}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path not in _NOT_COUNTED:
            path = request.path if request.path in _PATHS else OTHER
            self.contacts[path] += 1
            if self._on_contact:
                self._on_contact(path)
        match request.path:
            case "/moth.js":
                return _vendors(body=_SCRIPT.encode(), content_type="text/javascript")
            case "/pixel.gif" | "/beacon":
                return _vendors(body=_GIF, content_type="image/gif")
            case "/badge.svg":
                return _vendors(body=_BADGE.encode(), content_type="image/svg+xml")
            case "/frame":
                return _vendors(body=_FRAME.encode(), content_type="text/html")
            case "/contacts":
                return self._counts(request)
            case _:
                raise web.HTTPNotFound

    def _counts(self, request: web.Request) -> web.Response:
        if not tally.wants_page(request):
            return tally.facts({"total": self.contacts.total(), "paths": dict(sorted(self.contacts.items()))})
        return tally.page(
            title=f"Moth Metrics was contacted {self.contacts.total()} times",
            text="By browsers on the shop's pages, since the demo began. Before somebody agrees, the gateway lets nothing of"
            " it through; without the gateway every page does.",
            heading=("What was asked for", "How often"),
            rows=[(path, str(count)) for path, count in sorted(self.contacts.items())],
        )


def _vendors(*, body: bytes, content_type: str) -> web.Response:
    """Never from a cache: each page is one more contact, as vendors want it."""
    return web.Response(
        body=body,
        content_type=content_type,
        charset="utf-8" if content_type != "image/gif" else None,
        headers={"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"},
    )
