"""The demo's origin: a small shop that knows nothing of the gateway, as sites do not.

It behaves like a site: validators and 304, gzip for who asks, a preload in the Link field, a cookie of its own and cookies
that it sets for vendors (`_fbp`, `moth_visitor`), because that is how vendors live longer than browsers let their scripts.
The pages stand in `site/`, one file each, whose first line is its title; `layout.html` goes around them.
"""

import gzip
import hashlib
import html
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

SITE = Path(__file__).parent / "site"

# Path and file of each page.
PAGES = {
    "/": "index.html",
    "/lamp": "lamp.html",
    "/blog": "blog.html",
    "/workshops": "workshops.html",
    "/contact": "contact.html",
    "/thanks": "thanks.html",
}

_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

_TITLE = re.compile(r"<title>(.*?)</title>\n")
_TAKES_GZIP = re.compile(r"(?i)\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))")

_LOST = "<title>Not found</title>\n<h1>We have no such page</h1>\n<p>Try <a href='/'>the shop</a>.</p>\n"
_NO_GATEWAY = """\
<title>No gateway here</title>
<h1>Nobody asks you here</h1>
<p>This is the shop without the gateway: its vendors are contacted whatever you want. Open the shop through the gateway to choose.</p>
"""


@dataclass(frozen=True, slots=True)
class File:
    """One page or asset, ready to be sent."""

    content_type: str
    body: bytes
    gzipped: bytes
    etag: str
    modified: datetime

    @property
    def is_page(self) -> bool:
        """A page, not something that a page loads."""
        return self.content_type == "text/html"


def read_site(*, moth_url: str, prefix: str) -> dict[str, File]:
    """Every path of the shop; its pages name the vendor at *moth_url* and the gateway's own paths under *prefix*."""
    assets = {
        f"/{path.name}": _file(
            _TYPES[path.suffix],
            _filled(path.read_text("utf-8"), moth_url=moth_url, prefix=prefix),
            path.stat().st_mtime,
        )
        for path in sorted(SITE.iterdir())
        if path.suffix in _TYPES
    }
    changed = max(path.stat().st_mtime for path in SITE.glob("*.html"))
    pages = {
        path: _file(
            "text/html", _page((SITE / name).read_text("utf-8"), path=path, moth_url=moth_url, prefix=prefix), changed
        )
        for path, name in PAGES.items()
    }
    return assets | pages


def app(*, moth_url: str, prefix: str) -> web.Application:
    """The shop's server."""
    files = read_site(moth_url=moth_url, prefix=prefix)
    links = f"</style.css>; rel=preload; as=style, <{moth_url}/moth.js>; rel=preload; as=script"

    async def answer(request: web.Request) -> web.Response:
        file = files.get(request.path)
        if request.method == "POST" and request.path == "/thanks":
            await request.read()
            return web.Response(status=303, headers={"Location": "/thanks"})
        if file is None:
            content = _NO_GATEWAY if request.path.startswith(f"{prefix}/") else _LOST
            text = _page(content, path="/", moth_url=moth_url, prefix=prefix)
            return web.Response(status=404, text=text, content_type="text/html")
        if request.method not in {"GET", "HEAD"}:
            raise web.HTTPMethodNotAllowed(request.method, ["GET", "HEAD"])
        response = _found(file, request)
        if file.is_page and response.status == 200:
            response.headers["Link"] = links
            for cookie in _cookies(request.cookies):
                response.headers.add("Set-Cookie", cookie)
        return response

    shop = web.Application()
    shop.router.add_route("*", "/{path:.*}", answer)
    return shop


def _found(file: File, request: web.Request) -> web.Response:
    """The file, or that the visitor has it already (RFC 9110, section 13.2.2)."""
    zipped = _TAKES_GZIP.search(request.headers.get("Accept-Encoding", "")) is not None
    etag = f"{file.etag}-gzip" if zipped else file.etag
    headers = {
        "Cache-Control": "no-cache" if file.is_page else "max-age=3600",
        "ETag": f'"{etag}"',
        "Vary": "Accept-Encoding",
    }
    asked, since = request.if_none_match, request.if_modified_since
    unchanged = any(one.value in {etag, "*"} for one in asked) if asked else since and file.modified <= since
    if unchanged:
        response = web.Response(status=304, headers=headers)
    else:
        response = web.Response(
            body=file.gzipped if zipped else file.body,
            headers=headers | ({"Content-Encoding": "gzip"} if zipped else {}),
            content_type=file.content_type,
            charset="utf-8",
        )
    response.last_modified = file.modified
    return response


def _cookies(known: Mapping[str, str]) -> list[str]:
    """Set-Cookie lines for what this visitor does not have yet."""
    made = {
        "basket": f"{secrets.token_hex(8)}; Path=/; HttpOnly; SameSite=Lax",
        "_fbp": f"fb.0.{int(time.time() * 1000)}.{secrets.randbelow(10**10)}; Path=/; Max-Age=7776000",
        "moth_visitor": f"{secrets.token_hex(6)}; Path=/; Max-Age=31536000; SameSite=Lax",
    }
    return [f"{name}={value}" for name, value in made.items() if name not in known]


def _page(content: str, *, path: str, moth_url: str, prefix: str) -> str:
    title = _TITLE.match(content)
    assert title, "a page's first line is its title"
    text = (SITE / "layout.html").read_text("utf-8")
    text = text.replace("{{title}}", html.escape(title[1], quote=False)).replace(
        "{{content}}", content[title.end() :].strip()
    )
    return _filled(text.replace("{{path}}", path), moth_url=moth_url, prefix=prefix)


def _filled(text: str, *, moth_url: str, prefix: str) -> str:
    for name, value in (("moth", moth_url), ("choice", f"{prefix}/choice"), ("prefix", prefix)):
        text = text.replace(f"{{{{{name}}}}}", value)
    return text


def _file(content_type: str, text: str, modified: float) -> File:
    body = text.encode()
    return File(
        content_type=content_type,
        body=body,
        gzipped=gzip.compress(body, mtime=0),
        etag=hashlib.sha256(body).hexdigest()[:16],
        # Whole seconds: what the Last-Modified field can say.
        modified=datetime.fromtimestamp(int(modified), UTC),
    )
