"""What of a request must not be passed on, and the target in origin form.

aiohttp's parser refuses most malformed requests; what it accepts and should not is refused here. Whoever comes next (a
proxy, the origin) must never read another request than we did: where two readings are possible, the answer is a 4xx.

    status  reason                          what came
    400     version                         HTTP/0.9, whose request has no head
    505     version                         HTTP/2 and later in a request line
    400     method                          not a token (RFC 9110, 9.1)
    405     method-not-allowed              CONNECT (we tunnel for nobody), TRACE (it shows cookies to scripts)
    400     field-name, field-value         not a token; control bytes
    400     framing-on-1.0                  Transfer-Encoding on HTTP/1.0 (RFC 9112, 6.1)
    400     length-and-coding               Content-Length beside Transfer-Encoding
    400     content-length                  repeated, or not digits
    501     transfer-coding                 Transfer-Encoding other than exactly `chunked`
    400     host-missing, host-repeated, host-syntax
    400     target-bytes                    a space, a control byte or raw non-ASCII in the target
    400     target-fragment                 `#` in the target: a browser never sends it, and routers disagree on it
    400     target                          neither origin form nor absolute form, nor `OPTIONS *`
    400     target-host                     absolute form for another host than Host says
    417     expectation                     Expect other than `100-continue`

HTTP/1.0 without Host is refused too: the origin would be given a name that the visitor never typed.
"""

import ipaddress
import re
from dataclasses import replace
from enum import StrEnum

from gateway.errors import ClientFault
from gateway.head.fields import HOP_BY_HOP, OWS, Flaw, Lines, flaw_in, is_length, is_token, tokens
from gateway.head.model import RequestHead

# Narrower than RFC 3986's reg-name: no browser sends `%`, `,` or `@` here, and each has meant something else to somebody.
_NAMED_HOST = re.compile(rb"([0-9A-Za-z._~-]{1,255})(?::([0-9]{0,5}))?")
_IPV6_HOST = re.compile(rb"\[([0-9A-Fa-f:.]{2,45})\](?::([0-9]{0,5}))?")

_ABSOLUTE = re.compile(rb"(https?)://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)
_NOT_IN_TARGET = re.compile(rb"[\x00-\x20\x7f-\xff]")
_DEFAULT_PORTS = {b"http": b"80", b"https": b"443"}

# What applications behind CGI and its likes cannot tell from the fields that we set, remove or decide by, because their
# environment turns dashes into underscores (CVE-2025-64484). X-Forwarded-* is compared by its beginning.
_NOT_BY_UNDERSCORE = HOP_BY_HOP | {
    b"accept-encoding",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"cookie",
    b"expect",
    b"forwarded",
    b"host",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"range",
    b"sec-gpc",
    b"x-real-ip",
}


class Refusal(StrEnum):
    """Why a request is refused; the table above says when."""

    VERSION = "version"
    METHOD = "method"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    FIELD_NAME = "field-name"
    FIELD_VALUE = "field-value"
    FRAMING_ON_1_0 = "framing-on-1.0"
    LENGTH_AND_CODING = "length-and-coding"
    CONTENT_LENGTH = "content-length"
    TRANSFER_CODING = "transfer-coding"
    HOST_MISSING = "host-missing"
    HOST_REPEATED = "host-repeated"
    HOST_SYNTAX = "host-syntax"
    TARGET_BYTES = "target-bytes"
    TARGET_FRAGMENT = "target-fragment"
    TARGET = "target"
    TARGET_HOST = "target-host"
    EXPECTATION = "expectation"


def check(request: RequestHead) -> RequestHead:
    """The request with its target in origin form (or `*`); ClientFault for what must not be passed on.

    Fields with underscores that would pass for one of ours are left out.
    """
    _check_line(request)
    lines = Lines(request.headers)
    flaw = flaw_in(request.headers)
    if flaw:
        raise ClientFault(400, Refusal.FIELD_NAME if flaw is Flaw.NAME else Refusal.FIELD_VALUE)
    _check_framing(lines, request.version)
    host = _host(lines)
    target = _origin_form(request.target, request.method, host)
    expectations = tokens(lines.values(b"expect"))
    if any(expectation != b"100-continue" for expectation in expectations):
        raise ClientFault(417, Refusal.EXPECTATION)
    misleading = {name for name in lines.names() if b"_" in name and _passes_for_ours(name.replace(b"_", b"-"))}
    if misleading:
        lines.drop(misleading)
        return replace(request, target=target, headers=lines.raw())
    return request if target == request.target else replace(request, target=target)


def is_host(value: bytes) -> bool:
    """*value* is a name or an address, with or without a port, as Host and X-Forwarded-Host may carry it."""
    named = _NAMED_HOST.fullmatch(value)
    if named:
        return _is_port(named[2])
    literal = _IPV6_HOST.fullmatch(value)
    if literal is None:
        return False
    try:
        ipaddress.IPv6Address(literal[1].decode("ascii"))
    except ValueError:
        return False
    return _is_port(literal[2])


def _is_port(digits: bytes | None) -> bool:
    return not digits or int(digits) <= 65535


def _check_line(request: RequestHead) -> None:
    if request.version < (1, 0):
        raise ClientFault(400, Refusal.VERSION)
    if request.version >= (2, 0):
        raise ClientFault(505, Refusal.VERSION)
    if not is_token(request.method.encode("utf-8", "surrogateescape")):
        raise ClientFault(400, Refusal.METHOD)
    # Methods tell upper from lower case, but not every server behind us does.
    if request.method.upper() in {"CONNECT", "TRACE"}:
        raise ClientFault(405, Refusal.METHOD_NOT_ALLOWED)


def _check_framing(lines: Lines, version: tuple[int, int]) -> None:
    codings, lengths = lines.values(b"transfer-encoding"), lines.values(b"content-length")
    if codings and version < (1, 1):
        raise ClientFault(400, Refusal.FRAMING_ON_1_0)
    if codings and lengths:
        raise ClientFault(400, Refusal.LENGTH_AND_CODING)
    if codings and [coding.strip(OWS).lower() for coding in codings] != [b"chunked"]:
        raise ClientFault(501, Refusal.TRANSFER_CODING)
    if lengths and (len(lengths) > 1 or not is_length(lengths[0].strip(OWS))):
        raise ClientFault(400, Refusal.CONTENT_LENGTH)


def _host(lines: Lines) -> bytes:
    hosts = lines.values(b"host")
    if not hosts:
        raise ClientFault(400, Refusal.HOST_MISSING)
    if len(hosts) > 1:
        raise ClientFault(400, Refusal.HOST_REPEATED)
    host = hosts[0].strip(OWS)
    if not is_host(host):
        raise ClientFault(400, Refusal.HOST_SYNTAX)
    return host


def _origin_form(target: bytes, method: str, host: bytes) -> bytes:
    if _NOT_IN_TARGET.search(target):
        raise ClientFault(400, Refusal.TARGET_BYTES)
    if b"#" in target:
        raise ClientFault(400, Refusal.TARGET_FRAGMENT)
    if target.startswith(b"/") or (target == b"*" and method == "OPTIONS"):
        return target
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:
        raise ClientFault(400, Refusal.TARGET)
    scheme, authority, rest = absolute[1].lower(), absolute[2], absolute[3]
    if not is_host(authority) or _without_port(authority, scheme) != _without_port(host, scheme):
        raise ClientFault(400, Refusal.TARGET_HOST)
    if not rest:
        return b"*" if method == "OPTIONS" else b"/"  # RFC 9112, section 3.2.4
    return rest if rest.startswith(b"/") else b"/" + rest


def _without_port(host: bytes, scheme: bytes) -> bytes:
    """*host* in lower case, without a port that says nothing."""
    name, colon, port = host.lower().rpartition(b":")
    if colon and (not port or port == _DEFAULT_PORTS[scheme]):
        return name
    return host.lower()


def _passes_for_ours(name: bytes) -> bool:
    return name in _NOT_BY_UNDERSCORE or name.startswith(b"x-forwarded-")
