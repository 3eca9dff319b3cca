"""A destination of the operator's own that takes each event as JSON by HTTP POST.

    2xx                      accepted
    408, 425, 429            later: not now, too early, too much (RFC 9110, RFC 8470, RFC 6585)
    any other 4xx            rejected: the same event would be refused again
    3xx, 5xx, no answer      later. A redirect is not followed: where events go is what the settings say. It is retried and
                             not given up, so that whoever mends the address loses nothing.

Every attempt carries the same bytes and the same `Idempotency-Key`, the event's id: an event may arrive twice (an answer
was lost, the gateway was killed), and the receiver can tell.
"""

import asyncio
import contextlib
import email.utils
import math

import aiohttp
import yarl

from gateway import __version__
from gateway.destinations import Accepted, Answer, Rejected, Retry
from gateway.settings import Destination

_LATER = frozenset({408, 425, 429})

# What is read of an answer, and for how long, so that the connection can be used again; a longer one costs its connection.
_ANSWER_BYTES = 16 * 1024
_ANSWER_S = 1.0

# The longest pause that a destination can ask for; it may ask again. Far dates are mistakes more often than wishes.
_RETRY_AFTER_LIMIT_S = 3_600.0


def open_session() -> aiohttp.ClientSession:
    """A session for destinations: no cookies, no proxies or credentials of the environment, nothing unpacked."""
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"User-Agent": f"consent-gateway/{__version__}"},
        # A destination that stalls must not take the connections of the others; each limits itself.
        connector=aiohttp.TCPConnector(limit=0),
    )


class HttpDestination:
    """Sends to one `[[destinations]]` entry. *session* comes from `open_session` and is closed by whoever opened it."""

    def __init__(self, settings: Destination, session: aiohttp.ClientSession, *, secret: str | None) -> None:
        self.settings = settings
        self._session = session
        self._url = yarl.URL(settings.url, encoded=True)
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout_s)
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if secret is not None:
            self._headers["Authorization"] = f"Bearer {secret}"

    async def send(self, body: bytes, *, idempotency_key: str, now: float) -> Answer:
        """One attempt, at most `timeout_s` long. *now* is unix seconds, to read a Retry-After that names a date."""
        try:
            async with self._session.post(
                self._url,
                data=body,
                headers={**self._headers, "Idempotency-Key": idempotency_key},
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                answer = _judge(response.status, response.headers.get("Retry-After"), now)
                await _drain(response)
                return answer
        except TimeoutError:
            return Retry("timeout")
        except (aiohttp.ClientError, OSError):
            return Retry("unreachable")


def _judge(status: int, retry_after: str | None, now: float) -> Answer:
    if 200 <= status < 300:
        return Accepted()
    reason = f"status-{status}"
    if 400 <= status < 500 and status not in _LATER:
        return Rejected(reason)
    return Retry(reason, parse_retry_after(retry_after, now=now) if retry_after else None)


def parse_retry_after(value: str, *, now: float) -> float | None:
    """Seconds from *now* (unix seconds) that a Retry-After field asks for, at most an hour; None where it cannot be read.

    (RFC 9110, section 10.2.3: whole seconds, or a date.)
    """
    if value.isascii() and value.isdigit():
        return min(float(value[:10]), _RETRY_AFTER_LIMIT_S)
    try:
        seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _RETRY_AFTER_LIMIT_S) if math.isfinite(seconds) else None


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Reads a short answer to its end; leaves a long, slow or broken one, whose connection is closed. The status stands."""
    left = _ANSWER_BYTES
    with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
        async with asyncio.timeout(_ANSWER_S):
            while left > 0 and (piece := await response.content.read(left)):
                left -= len(piece)
