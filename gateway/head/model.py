"""The words of heads: what comes in, what goes out, and the plan for a body."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.withheld import Degraded, Withheld

# Field lines as they stood on the wire: order, repeats, letter case and bytes kept.
RawHeaders = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request as the client sent it. *target* is the raw request-target of the request line."""

    method: str
    target: bytes
    version: tuple[int, int]
    headers: RawHeaders


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A response as the origin sent it."""

    status: int
    reason: bytes
    version: tuple[int, int]
    headers: RawHeaders


@dataclass(frozen=True, slots=True)
class Peer:
    """Who the request came from, as the listener knows it. *trusted*: its X-Forwarded-* are believed."""

    address: str
    secure: bool
    trusted: bool


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """What is sent to the origin, framing left to the sender (Content-Length or chunked, as *body* tells).

    *body_length* is the Content-Length that the client announced; with *chunked* false and no length there is no body.
    *site* is the address of the page as the visitor knows it (scheme, host, path; no query): the base of its URLs.
    """

    method: str
    target: bytes
    headers: RawHeaders
    body_length: int | None
    chunked: bool
    site: str
    withheld: tuple[Withheld, ...]


class Plan(StrEnum):
    """What happens to the body: passed untouched, rewritten, or passed under a guard policy that contacts nobody else."""

    PASS = "pass"  # noqa: S105 - no password
    REWRITE = "rewrite"
    GUARD = "guard"


@dataclass(frozen=True, slots=True)
class ClientHead:
    """What the client is told; final before the first body byte.

    *decode* and *encode* are the Content-Encoding that the body comes in and goes out with (`identity`, `gzip`, `deflate`);
    both are `identity` for a body that is not rewritten, whatever its coding: nobody opens it.
    *charset* is the label from Content-Type, lower case, empty where it has none; *xml* tells XHTML, which
    browsers read by other rules than HTML; *has_body* is false for HEAD, 204, 304.
    Where the plan is to rewrite, *headers* hold no Content-Length: the sender frames the body.
    """

    status: int
    reason: bytes
    headers: RawHeaders
    plan: Plan
    has_body: bool
    decode: str
    encode: str
    charset: str
    xml: bool
    withheld: tuple[Withheld, ...]
    degraded: tuple[Degraded, ...]


@dataclass(frozen=True, slots=True)
class HeadPolicy:
    """What of the settings concerns heads."""

    origin_host: str
    preserve_host: bool
    own_cookie: str


def field(headers: RawHeaders, name: bytes) -> Iterable[bytes]:
    """Every value of the field *name* (lower case), in order."""
    return (value for key, value in headers if key.lower() == name)
