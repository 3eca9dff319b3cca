"""The gateway's own paths, under `prefix`: what is answered here never reaches the origin.

    {prefix}/collect   beacons
    {prefix}/choice    the visitor's choice
    {prefix}/health    200 while the gateway takes requests, 503 while it drains
    {prefix}/…         404

A request passes the same checks as one for the origin.
"""

import secrets
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from gateway.errors import ClientFault
from gateway.head import RequestHead, check, field
from gateway.peers import Peers
from gateway.wire import Answer

_NOT_READY_RETRY_S = 5


class OwnPath(Protocol):
    """Answers one path. *secure*: the visitor's side is https."""

    async def handle(self, request: web.BaseRequest, *, request_id: str, secure: bool) -> web.StreamResponse:
        """Answer *request*."""


class OwnPaths:
    """Answers what lies under *prefix*. *pages* are by the path behind it; *is_ready* turns false when draining begins."""

    def __init__(
        self,
        prefix: str,
        pages: dict[str, OwnPath],
        *,
        peers: Peers,
        is_ready: Callable[[], bool],
        write_timeout_s: float,
    ) -> None:
        self._prefix = prefix
        self._pages = pages
        self._peers = peers
        self._is_ready = is_ready
        self._write_timeout_s = write_timeout_s

    def owns(self, target: str) -> bool:
        """*target*, in whichever form it stood in the request line, may be one of ours: `handle` looks closer."""
        return self._prefix in target

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse | None:
        """The answer, or None where the path is the origin's after all."""
        head = RequestHead(
            method=request.method,
            target=request.raw_path.encode("utf-8", "surrogateescape"),
            version=(request.version.major, request.version.minor),
            headers=tuple(request.raw_headers),
        )
        try:
            path = check(head).target.decode("latin-1").partition("?")[0]
        except ClientFault:
            return None  # refused, and told, where all others are
        if path != self._prefix and not path.startswith(self._prefix + "/"):
            return None
        name = path[len(self._prefix) + 1 :]
        if name == "health":
            return self._health(request)
        page = self._pages.get(name)
        if page is None:
            return self._answer(request, 404, "404 Not Found\n\nThe gateway has no such page.\n")
        return await page.handle(request, request_id=secrets.token_hex(8), secure=self._is_secure(request, head))

    def _is_secure(self, request: web.BaseRequest, head: RequestHead) -> bool:
        """The visitor uses https, as far as this connection or a trusted peer tells."""
        peer = self._peers.of(request)
        told = list(field(head.headers, b"x-forwarded-proto")) if peer.trusted else []
        return told[-1].rpartition(b",")[2].strip().lower() == b"https" if told else peer.secure

    def _health(self, request: web.BaseRequest) -> Answer:
        if self._is_ready():
            return self._answer(request, 200, "ok\n")
        return self._answer(request, 503, "draining\n", retry_after_s=_NOT_READY_RETRY_S)

    def _answer(self, request: web.BaseRequest, status: int, text: str, *, retry_after_s: int | None = None) -> Answer:
        return Answer(
            request,
            status=status,
            text=text,
            headers=() if retry_after_s is None else ((b"Retry-After", b"%d" % retry_after_s),),
            # What is left of the request's body would be read as the next request.
            keep_alive=request.content.is_eof(),
            write_timeout_s=self._write_timeout_s,
        )
