"""The first-party endpoint: one beacon, top to bottom.

    405  anything but POST                    413  a body over the limit
    403  not from a page of this site         408  a body that does not come
    415  not JSON by its type                 400  not an event (see events.admit)
    204  stored and on the disk; or a repeat of what is stored; or dropped because nobody agreed
    503  the store could not commit: Retry-After says when to come back

The answer tells a page nothing that it does not know: dropped and stored look alike. There are no CORS fields, so that no
other site can read an answer, nor send JSON at all (its browser asks first, by OPTIONS, and gets 405).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from aiohttp import web

from gateway.body import Unread, read_body
from gateway.consent.decide import decide
from gateway.consent.model import Category
from gateway.consent.policy import Policy
from gateway.consent.read import read_signals
from gateway.errors import StoreUnavailable
from gateway.events import Collected, Dropped, Kept, Outcome, Recipient, Refusal, Refused, admit
from gateway.same_origin import comes_from_site
from gateway.store.outbox import Appended, Outbox
from gateway.wire import Answer

# sendBeacon sends a string as text/plain, and everything else would make other browsers' pages ask first.
_TYPES = frozenset({"application/json", "text/plain"})

# Seconds: long enough for a full disk to be noticed or a lock to go, short enough for a page that is still open.
_RETRY_AFTER_S = 30

_UNREAD = {
    Unread.TOO_LARGE: Refusal.TOO_LARGE,
    Unread.TOO_SLOW: Refusal.TOO_SLOW,
    Unread.BROKEN: Refusal.BROKEN,
}


class CollectLog(Protocol):
    """What the log is told: exactly one of the two for each beacon."""

    def collected(self, beacon: Collected) -> None:
        """A beacon that was not dropped is over."""

    def dropped(self, event: Dropped) -> None:
        """Nobody agreed to the event."""


class Collect:
    """Answers `{prefix}/collect`. *clock* is unix seconds, *fresh_id* a new random event id.

    *body_timeout_s* is for the whole body: a beacon is short, and a page sends it in one piece.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        policy: Policy,
        needs: frozenset[Category],
        recipients: Sequence[Recipient],
        log: CollectLog,
        body_limit_bytes: int,
        body_timeout_s: float,
        write_timeout_s: float,
        clock: Callable[[], float],
        fresh_id: Callable[[], str],
    ) -> None:
        self._outbox = outbox
        self._policy = policy
        self._needs = needs
        self._recipients = tuple(recipients)
        self._log = log
        self._body_limit_bytes = body_limit_bytes
        self._body_timeout_s = body_timeout_s
        self._write_timeout_s = write_timeout_s
        self._clock = clock
        self._fresh_id = fresh_id

    async def handle(self, request: web.BaseRequest, *, request_id: str, secure: bool) -> web.StreamResponse:
        """The whole life of one beacon. *secure*: the visitor's side is https.

        A client that leaves takes nothing with it: what was handed to the store is committed by the store's own thread.
        """
        done = Collected(request_id, Outcome.GONE)
        try:
            refused = _refusal(request, secure=secure)
            if refused is not None:
                return self._refuse(request, refused, done)
            body = await read_body(request, limit_bytes=self._body_limit_bytes, timeout_s=self._body_timeout_s)
            if isinstance(body, Unread):
                return self._refuse(request, Refused(_UNREAD[body]), done)
            done = replace(done, size_bytes=len(body))
            now = self._clock()
            admitted = admit(
                body,
                decision=decide(read_signals(request.raw_headers, self._policy, now=now), self._policy, now=now),
                needs=self._needs,
                recipients=self._recipients,
                fresh_id=self._fresh_id(),
                now_ms=int(now * 1000),
            )
            if isinstance(admitted, Refused):
                return self._refuse(request, admitted, done)
            if isinstance(admitted, Dropped):
                self._log.dropped(replace(admitted, request_id=request_id))
                return self._answer(request, 204)
            return await self._store(request, admitted, done)
        except (asyncio.CancelledError, ConnectionError):
            self._log.collected(replace(done, outcome=Outcome.GONE))
            raise

    async def _store(self, request: web.BaseRequest, kept: Kept, done: Collected) -> web.StreamResponse:
        try:
            appended = await self._outbox.append(kept.event, kept.destinations)
        except StoreUnavailable:
            self._log.collected(replace(done, outcome=Outcome.UNAVAILABLE, reason="store-unavailable"))
            return self._answer(request, 503, headers=((b"Retry-After", b"%d" % _RETRY_AFTER_S),))
        outcome = Outcome.STORED if appended is Appended.STORED else Outcome.DUPLICATE
        self._log.collected(replace(done, outcome=outcome, destinations=kept.destinations))
        return self._answer(request, 204)

    def _refuse(self, request: web.BaseRequest, refused: Refused, done: Collected) -> web.StreamResponse:
        self._log.collected(replace(done, outcome=Outcome.REFUSED, reason=refused.reason))
        headers = ((b"Allow", b"POST"),) if refused.reason is Refusal.WRONG_METHOD else ()
        # A body that was not read to its end must not be taken for the next request.
        keep_alive = request.content.at_eof()
        return self._answer(request, refused.reason.status, refused.detail, headers, keep_alive=keep_alive)

    def _answer(
        self,
        request: web.BaseRequest,
        status: int,
        text: str = "",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        *,
        keep_alive: bool = True,
    ) -> web.StreamResponse:
        return Answer(
            request,
            status=status,
            text=f"{text}\n" if text else "",
            headers=headers,
            keep_alive=keep_alive,
            write_timeout_s=self._write_timeout_s,
        )


def _refusal(request: web.BaseRequest, *, secure: bool) -> Refused | None:
    """What can be refused by the head alone."""
    if request.method != "POST":
        return Refused(Refusal.WRONG_METHOD, "send events with POST")
    if not comes_from_site(request.raw_headers, secure=secure):
        return Refused(Refusal.WRONG_ORIGIN, "only pages of this site may send events")
    charset = (request.charset or "utf-8").lower()
    coding = request.headers.get("Content-Encoding", "identity").lower()
    if request.content_type not in _TYPES or charset not in {"utf-8", "utf8"} or coding != "identity":
        return Refused(
            Refusal.WRONG_TYPE, "an event is application/json or text/plain, in UTF-8, without content coding"
        )
    return None
