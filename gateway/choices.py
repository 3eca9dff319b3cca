"""The visitor's choice: shown, and taken, at `{prefix}/choice`. Reading never changes anything.

    GET   the page (choice_form), or with `Accept: application/json` the decision for the site's own scripts:
          {"decided": true, "granted": ["analytics", "necessary"]}
    POST  the page's form: 303 back to where the visitor came from, with the cookie that says what was chosen

The cookie is the only record for now. It is set here, by a response, because browsers cut the life of cookies that scripts
write to seven days. It is not HttpOnly: the site's own scripts may read what the visitor chose, it names nobody, and
whoever could steal it learns three words.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import orjson
from aiohttp import web

from gateway import choice_form
from gateway.body import Unread, read_body
from gateway.choice_form import Chosen
from gateway.consent import gpc, own
from gateway.consent.decide import decide
from gateway.consent.model import Category, Decision
from gateway.consent.policy import Policy
from gateway.consent.read import read_signals
from gateway.head import RawHeaders
from gateway.same_origin import comes_from_site
from gateway.wire import Answer, RawResponse

_UNREAD_STATUS = {Unread.TOO_LARGE: 413, Unread.TOO_SLOW: 408, Unread.BROKEN: 400}

_VARY = (b"Vary", b"Cookie, Sec-GPC, Accept")

# On every page: what it says depends on the visitor, is nobody else's, and is no resource for other sites' pages.
# `same-origin`: with no referrer at all, browsers would send the form with `Origin: null`.
_PRIVATE: RawHeaders = (
    (b"Cache-Control", b"no-store"),
    _VARY,
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
    (b"Referrer-Policy", b"same-origin"),
)


class ChoiceLog(Protocol):
    """What the log is told."""

    def chosen(self, choice: Chosen) -> None:
        """A visitor has chosen."""


class Choices:
    """Answers *path*, the choice page's own. *vendors* names who is behind each category; *clock* is unix seconds."""

    def __init__(
        self,
        *,
        path: str,
        policy: Policy,
        vendors: Mapping[Category, tuple[str, ...]],
        log: ChoiceLog,
        body_timeout_s: float,
        write_timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._path = path
        self._policy = policy
        self._vendors = vendors
        self._log = log
        self._body_timeout_s = body_timeout_s
        self._write_timeout_s = write_timeout_s
        self._clock = clock

    async def handle(self, request: web.BaseRequest, *, request_id: str, secure: bool) -> web.StreamResponse:
        """One look at the page, or one choice. *secure*: the visitor's side is https."""
        if request.method in {"GET", "HEAD"}:
            return await self._show(request)
        if request.method == "POST":
            return await self._take(request, request_id=request_id, secure=secure)
        return self._refuse(
            request, 405, "the choice is read with GET and made with POST", ((b"Allow", b"GET, HEAD, POST"),)
        )

    async def _show(self, request: web.BaseRequest) -> web.StreamResponse:
        decision = self._decide(request, self._clock())
        if choice_form.wants_json(request.headers.get("Accept", "")):
            body = orjson.dumps({"decided": decision.decided, "granted": sorted(decision.granted)})
            return await self._send(request, body, ((b"Content-Type", b"application/json"),))
        page = choice_form.page(
            decision,
            vendors=self._vendors,
            action_path=self._path,
            back_to=choice_form.return_from(
                request.raw_path.partition("?")[2], request.headers.get("Referer", ""), request.headers.get("Host", "")
            ),
            marketing_blocked_by_browser=not self._policy.choice_overrides_gpc,
        )
        return await self._send(
            request,
            page.body,
            (
                (b"Content-Type", b"text/html; charset=utf-8"),
                (b"Content-Security-Policy", page.content_security_policy.encode()),
            ),
        )

    async def _take(self, request: web.BaseRequest, *, request_id: str, secure: bool) -> web.StreamResponse:
        # A form on another site could otherwise agree in the visitor's name.
        if not comes_from_site(request.raw_headers, secure=secure):
            return self._refuse(request, 403, "a choice is made on the site's own page")
        if request.content_type != "application/x-www-form-urlencoded":
            return self._refuse(request, 415, "send the form of this page")
        body = await read_body(request, limit_bytes=choice_form.BODY_LIMIT_BYTES, timeout_s=self._body_timeout_s)
        if isinstance(body, Unread):
            return self._refuse(request, _UNREAD_STATUS[body], "the form could not be read")
        try:
            choice = choice_form.read(body)
        except ValueError as error:
            return self._refuse(request, 400, str(error))
        now = self._clock()
        before = self._decide(request, now)
        value = own.write(granted=choice.granted, now=now, notice_version=self._policy.notice_version)
        self._log.chosen(
            Chosen(
                request_id,
                action=choice.action,
                granted=choice.granted | {Category.NECESSARY},
                before=before.granted,
                gpc=any(signal.reader == gpc.READER for signal in before.signals),
            )
        )
        cookie = f"{self._policy.cookie}={value}; Path=/; Max-Age={self._policy.lifetime_s}; SameSite=Lax"
        return self._answer(
            request,
            303,
            headers=(
                _VARY,
                (b"Location", choice.return_path.encode()),
                (b"Set-Cookie", (cookie + ("; Secure" if secure else "")).encode()),
            ),
        )

    def _decide(self, request: web.BaseRequest, now: float) -> Decision:
        return decide(read_signals(request.raw_headers, self._policy, now=now), self._policy, now=now)

    async def _send(self, request: web.BaseRequest, body: bytes, headers: RawHeaders) -> web.StreamResponse:
        has_body = request.method != "HEAD"
        response = RawResponse(
            request,
            status=200,
            reason=b"OK",
            headers=(*_PRIVATE, *headers, (b"Content-Length", b"%d" % len(body))),
            has_body=has_body,
            length_known=True,
            write_timeout_s=self._write_timeout_s,
        )
        await response.send(body if has_body else b"")
        await response.finish()
        return response

    def _refuse(self, request: web.BaseRequest, status: int, text: str, headers: RawHeaders = ()) -> web.StreamResponse:
        return self._answer(request, status, f"{text}\n", headers, keep_alive=request.content.at_eof())

    def _answer(
        self,
        request: web.BaseRequest,
        status: int,
        text: str = "",
        headers: RawHeaders = (),
        *,
        keep_alive: bool = True,
    ) -> web.StreamResponse:
        return Answer(
            request,
            status=status,
            text=text,
            headers=headers,
            keep_alive=keep_alive,
            write_timeout_s=self._write_timeout_s,
        )
