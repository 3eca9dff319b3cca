"""One request, top to bottom: checked, decided, asked, judged, passed on or rewritten, told.

What goes wrong, by position:

    before the head went out    a plain page of ours: 4xx for the client's fault, 502, 503 or 504 for the origin's, 500
                                for ours; 503 at once for one request more than `max_requests`
    a rewriter that fails on    the page goes out as it is, under the guard policy, which lets nobody else be contacted
    the page's first bytes
    after the head              the connection is reset: never half a page with a clean end, never an error page behind it

One `proxied` fact for each request whatever happened, one `blocked` fact for each thing withheld, as it is withheld.
"""

import asyncio
import itertools
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Protocol, Self

from aiohttp import web
from yarl import URL

from gateway.coding import PAGE_LIMITS, BrokenCoding, decoder, encoder
from gateway.consent.decide import decide, variant
from gateway.consent.model import Decision
from gateway.consent.policy import Policy
from gateway.consent.read import read_signals
from gateway.errors import ClientFault, OriginFault
from gateway.exchange import WITHHELD_KEPT, Exchange, Outcome
from gateway.head import (
    ClientHead,
    HeadPolicy,
    Plan,
    RequestHead,
    ResponseHead,
    check,
    to_client,
    to_upstream,
)
from gateway.page.memo import Memo
from gateway.page.rewriter import PageLimits, Rewriter
from gateway.peers import Peers
from gateway.settings import Settings
from gateway.upstream import Upstream, UpstreamResponse
from gateway.vendors.catalogue import Catalogue
from gateway.vendors.match import Matcher
from gateway.wire import Answer, RawResponse, send_continue
from gateway.withheld import Degraded, Withheld

# Told to whoever gets a 502, 503 or 504 of ours: short, because most of them pass.
RETRY_AFTER_S = 5

# zlib's fastest: twice as fast as its default, for a sixth more bytes.
GZIP_LEVEL = 1

# Gathered of a page before it is sent, where more is at hand.
_SENT_AT_ONCE_BYTES = 64 * 1024

# Refusals after which a connection is not to be trusted.
_DOUBTFUL = frozenset({400, 408, 501, 505})

_PATH_END = re.compile(rb"[?#]")

_SENTENCES = {
    400: "The request could not be understood.",
    405: "This method is not passed on.",
    408: "The request did not arrive in time.",
    417: "This expectation cannot be met.",
    500: "Something went wrong in the gateway before the site.",
    501: "This request cannot be passed on.",
    502: "The site gave no usable answer.",
    503: "Too much is under way at the moment.",
    504: "The site did not answer in time.",
    505: "This version of HTTP is not spoken here.",
}


class Log(Protocol):
    """Who is told. Its methods neither raise nor wait; an exchange that is under way is told as far as it is known."""

    def proxied(self, exchange: Exchange) -> None:
        """A request is over."""

    def blocked(self, exchange: Exchange, thing: Withheld) -> None:
        """A thing was withheld."""

    def degraded(self, exchange: Exchange, path: Degraded) -> None:
        """Less than the full service was given."""

    def failed(self, exchange: Exchange, error: BaseException) -> None:
        """A fault of ours, or of the origin's."""


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules and consent policy of one moment. Replaced as a whole; a request keeps the one that it began with."""

    catalogue: Catalogue
    policy: Policy


class Proxy:
    """Handles what is not the gateway's own. *rulebook* may be replaced at any time; *clock* is unix seconds."""

    def __init__(
        self,
        settings: Settings,
        upstream: Upstream,
        log: Log,
        rulebook: Rulebook,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.rulebook = rulebook
        self._listen = settings.listen
        self._upstream = upstream
        self._log = log
        self._clock = clock
        self._under_way = 0
        self._memo = Memo(limit_bytes=settings.page.memo_bytes) if settings.page.memo_bytes else None
        self._page_limits = PageLimits(
            tag_bytes=settings.page.tag_limit_bytes, inline_bytes=settings.page.inline_limit_bytes
        )
        self._head_policy = HeadPolicy(
            origin_host=URL(settings.origin.url).host_port_subcomponent or "",
            preserve_host=settings.origin.preserve_host,
            own_cookie=settings.consent.cookie,
        )
        self._peers = Peers(settings.listen.trusted_proxies)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer *request*. Raises nothing but the cancellation that a client's leaving brings."""
        record = _Record(request, self._log)
        try:
            if self._under_way >= self._listen.max_requests:
                record.end(Outcome.OVERLOADED, "too-many-requests")
                return await self._answer(request, record, 503)
            self._under_way += 1
            try:
                return await self._serve(request, record)
            except Exception as error:  # noqa: BLE001 - the last place where a request's fault can be answered
                return await self._fail(request, record, error)
            finally:
                self._under_way -= 1
        except asyncio.CancelledError:
            record.end(Outcome.CLIENT_GONE, "closed")
            raise
        finally:
            self._log.proxied(record.exchange())

    async def _serve(self, request: web.BaseRequest, record: "_Record") -> RawResponse:
        rulebook, now = self.rulebook, self._clock()
        asked = check(record.head)
        record.head = asked
        decision = decide(read_signals(asked.headers, rulebook.policy, now=now), rulebook.policy, now=now)
        record.decision = decision
        version = variant(decision, rulebook.catalogue.version)
        upward = to_upstream(
            asked,
            decision,
            rulebook.catalogue.matcher,
            peer=self._peers.of(request),
            policy=self._head_policy,
            variant=version,
        )
        record.withhold(upward.withheld)
        has_body = upward.chunked or bool(upward.body_length)
        body = _RequestBody(request, record, timeout_s=self._listen.body_timeout_s) if has_body else None
        async with await self._upstream.open(upward, body) as origin:
            return await self._pass_on(
                request, record, origin, decision, rulebook.catalogue.matcher, site=upward.site, version=version
            )

    async def _pass_on(
        self,
        request: web.BaseRequest,
        record: "_Record",
        origin: UpstreamResponse,
        decision: Decision,
        matcher: Matcher,
        *,
        site: str,
        version: str,
    ) -> RawResponse:
        def judged(response: ResponseHead) -> ClientHead:
            return to_client(response, record.head, decision, matcher, site=site, variant=version)

        head = judged(origin.head)
        first, page = b"", None
        if head.plan is Plan.REWRITE:
            # Until the first bytes of the page were rewritten there is a narrower way than to fail.
            first = await origin.read()
            try:
                page = _Page(head, decision, matcher, site, self._page_limits, self._memo).begin(first)
            except BrokenCoding:
                raise
            except Exception as error:  # noqa: BLE001 - told, and answered by the guard policy
                record.fail(error)
                record.degrade([Degraded.REWRITER_FAULT])
                head = replace(judged(_untransformable(origin.head)), degraded=())
        record.plan = head.plan
        record.withhold(head.withheld)
        record.degrade(head.degraded)
        record.response = response = RawResponse(
            request,
            status=head.status,
            reason=head.reason,
            headers=head.headers,
            has_body=head.has_body,
            length_known=head.plan is not Plan.REWRITE,
            write_timeout_s=self._listen.write_timeout_s,
        )
        if page is not None:
            await _send_page(page, origin, response, record)
        else:
            await _send_untouched(first, origin, response)
        record.end(Outcome.SERVED)
        return response

    async def _fail(self, request: web.BaseRequest, record: "_Record", error: Exception) -> web.StreamResponse:
        status = 500
        match error:
            case ClientFault(status=status, reason=reason):
                stalled = record.has_begun and status == HTTPStatus.REQUEST_TIMEOUT
                record.end(Outcome.CLIENT_STALLED if stalled else Outcome.REFUSED, reason)
            case OriginFault(status=status, reason=reason):
                record.end(Outcome.ORIGIN_FAULT, reason)
            case BrokenCoding():
                status = 502
                record.degrade([Degraded.BROKEN_CODING])
                record.end(Outcome.ORIGIN_FAULT, Degraded.BROKEN_CODING)
            case ConnectionError():
                record.end(Outcome.CLIENT_GONE, "closed")
            case TimeoutError():
                record.end(Outcome.CLIENT_STALLED, "write-timeout")
            case _:
                if record.plan is Plan.REWRITE:
                    record.degrade([Degraded.REWRITER_FAULT])
                record.end(Outcome.GATEWAY_FAULT, "fault")
        if record.response is not None and record.has_begun:
            record.response.abort()
            response: web.StreamResponse = record.response
        else:
            response = await self._answer(request, record, status)
        if record.outcome in {Outcome.ORIGIN_FAULT, Outcome.GATEWAY_FAULT}:
            record.fail(error)
        return response

    async def _answer(self, request: web.BaseRequest, record: "_Record", status: int) -> web.StreamResponse:
        phrase = HTTPStatus(status).phrase
        record.response = answer = Answer(
            request,
            status=status,
            text=f"{status} {phrase}\n\n{_SENTENCES.get(status, '')}\nRequest {record.id}\n",
            headers=((b"Retry-After", b"%d" % RETRY_AFTER_S),) if status in {502, 503, 504} else (),
            # What is left of the request's body would be read as the next request; and where the framing is in doubt, so is
            # where the next one begins.
            keep_alive=request.content.is_eof() and status not in _DOUBTFUL,
            write_timeout_s=self._listen.write_timeout_s,
        )
        try:
            await answer.write_eof()
        except (ConnectionError, TimeoutError):
            answer.abort()
        return answer


async def _send_untouched(first: bytes, origin: UpstreamResponse, response: RawResponse) -> None:
    if first or not origin.ready:
        # Without waiting for a body that may be long in coming (an event stream).
        await response.send(first)
    last = b""
    while data := await origin.read():
        if origin.at_end:
            last = data
        else:
            await response.send(data)
    await response.finish(last)


async def _send_page(page: "_Page", origin: UpstreamResponse, response: RawResponse, record: "_Record") -> None:
    out = b""
    while True:
        for piece in page.pieces:
            out += piece
            if len(out) >= _SENT_AT_ONCE_BYTES:
                record.report(page.rewriter)
                await response.send(out)
                out = b""
                # A few compressed bytes may be megabytes of page; others want their turn in between.
                await asyncio.sleep(0)
        record.report(page.rewriter)
        if page.closed:
            return await response.finish(out)
        if not origin.at_end:
            # Somebody may be waiting for the rest; what came so far goes out first.
            await response.send(out + page.flush())
            out = b""
        page.feed(await origin.read())


class _Page:
    """Decode, rewrite, encode: what is fed comes out of *pieces*, a bounded one at a time."""

    def __init__(
        self,
        head: ClientHead,
        decision: Decision,
        matcher: Matcher,
        site: str,
        limits: PageLimits,
        memo: Memo | None,
    ) -> None:
        self._decoder = decoder(head.decode, limits=PAGE_LIMITS)
        self._encoder = encoder(head.encode, level=GZIP_LEVEL)
        self.rewriter = Rewriter(
            matcher=matcher,
            decision=decision,
            site=site,
            charset=head.charset,
            limits=limits,
            xml=head.xml,
            memo=memo,
        )
        self.pieces: Iterator[bytes] = iter(())
        self.closed = False

    def begin(self, data: bytes) -> Self:
        """Feed the first bytes, and rewrite the first piece of them already."""
        self.feed(data)
        self.pieces = itertools.chain([next(self.pieces, b"")], self.pieces)
        return self

    def feed(self, data: bytes) -> None:
        """The next bytes of the body as it came; none for its end."""
        self.closed = not data
        self.pieces = self._rewritten(data)

    def flush(self) -> bytes:
        """What the encoder still holds of what was fed."""
        return self._encoder.flush()

    def _rewritten(self, data: bytes) -> Iterator[bytes]:
        for piece in self._decoder.feed(data) if data else self._decoder.close():
            if out := self._encoder.feed(self.rewriter.feed(piece)):
                yield out
        if not data and (out := self._encoder.feed(self.rewriter.close()) + self._encoder.close()):
            yield out


class _RequestBody:
    """The client's body as it comes, with a limit on silence. Not a generator: nothing is left to close."""

    def __init__(self, request: web.BaseRequest, record: "_Record", *, timeout_s: float) -> None:
        self._request = request
        self._record = record
        self._timeout_s = timeout_s
        # RFC 9110 section 10.1.1: an expectation from HTTP/1.0 is ignored.
        self._is_awaited = request.version >= (1, 1) and "Expect" in request.headers

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._is_awaited:
            self._is_awaited = False
            send_continue(self._request)
        try:
            async with asyncio.timeout(self._timeout_s):
                data = await self._request.content.readany()
        except TimeoutError:
            raise ClientFault(408, "body-timeout") from None
        except web.RequestPayloadError:
            raise ClientFault(400, "body-framing") from None
        if not data:
            raise StopAsyncIteration
        self._record.bytes_in += len(data)
        return data


class _Record:
    """What is known of one exchange so far."""

    def __init__(self, request: web.BaseRequest, log: Log) -> None:
        self.id = secrets.token_hex(8)
        self.head = RequestHead(
            method=request.method,
            target=request.raw_path.encode("utf-8", "surrogateescape"),
            version=(request.version.major, request.version.minor),
            headers=tuple(request.raw_headers),
        )
        self.bytes_in = 0
        self.plan: Plan | None = None
        self.decision: Decision | None = None
        self.response: RawResponse | None = None
        self._log = log
        self._began = time.monotonic()
        self._withheld: list[Withheld] = []
        self._withheld_count = 0
        self._degraded: list[Degraded] = []
        self._memo_use = (0, 0)
        self.outcome: Outcome | None = None
        self._reason = ""

    @property
    def has_begun(self) -> bool:
        """Bytes of the response are out."""
        return self.response is not None and self.response.started

    def end(self, outcome: Outcome, reason: str = "") -> None:
        """How it ended. The first word counts: what follows is its consequence."""
        if self.outcome is None:
            self.outcome, self._reason = outcome, reason

    def withhold(self, things: Iterable[Withheld]) -> None:
        """Tell each thing, and keep the first of them."""
        for thing in things:
            self._withheld_count += 1
            if len(self._withheld) < WITHHELD_KEPT:
                self._withheld.append(thing)
            self._log.blocked(self.exchange(), thing)

    def degrade(self, paths: Iterable[Degraded]) -> None:
        """Tell each path, once in an exchange."""
        for path in paths:
            if path not in self._degraded:
                self._degraded.append(path)
                self._log.degraded(self.exchange(), path)

    def report(self, rewriter: Rewriter) -> None:
        """Tell what the rewriter has done since the last time."""
        withheld, degraded = rewriter.take_report()
        self.withhold(withheld)
        self.degrade(degraded)
        self._memo_use = rewriter.memo_use

    def fail(self, error: BaseException) -> None:
        """Tell a fault."""
        self._log.failed(self.exchange(), error)

    def exchange(self) -> Exchange:
        """All of it, as a fact."""
        response, decision = self.response, self.decision
        return Exchange(
            id=self.id,
            method=self.head.method,
            path=_PATH_END.split(self.head.target, maxsplit=1)[0].decode("latin-1"),
            status=response.status if response is not None and response.started else 0,
            bytes_in=self.bytes_in,
            bytes_out=response.bytes_out if response is not None else 0,
            duration_s=time.monotonic() - self._began,
            plan=self.plan or "",
            basis=decision.basis if decision else None,
            granted=decision.granted if decision else frozenset(),
            withheld=tuple(self._withheld),
            withheld_count=self._withheld_count,
            degraded=tuple(self._degraded),
            memo_hits=self._memo_use[0],
            memo_misses=self._memo_use[1],
            outcome=self.outcome or Outcome.SERVED,
            reason=self._reason,
        )


def _untransformable(response: ResponseHead) -> ResponseHead:
    """A head under which no page is rewritten: `no-transform` (RFC 9111 section 5.2.2.6) asks for the guard policy."""
    return replace(response, headers=(*response.headers, (b"Cache-Control", b"no-transform")))
