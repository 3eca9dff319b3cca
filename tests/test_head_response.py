"""Responses that are refused, and the plan for every kind of body."""

import pytest

from gateway.errors import OriginFault
from gateway.head import ClientHead, OriginRefusal, Plan, RawHeaders, ResponseHead, field, to_client
from gateway.withheld import Degraded
from tests.test_head import ALL, MATCHER, NAVIGATION, NOTHING, SITE, VARIANT, read_request


def down(*headers: tuple[bytes, bytes], status: int = 200, method: str = "GET", reason: bytes = b"OK") -> ClientHead:
    request = read_request(NAVIGATION.replace("GET", method, 1))
    response = ResponseHead(status, reason, (1, 1), headers)
    return to_client(response, request, NOTHING, MATCHER, site=SITE, variant=VARIANT)


CHUNKED = (b"Transfer-Encoding", b"chunked")
HTML = (b"Content-Type", b"text/html")
REFUSED: dict[str, tuple[int, tuple[int, int], RawHeaders, OriginRefusal]] = {
    "101": (101, (1, 1), ((b"Upgrade", b"websocket"),), OriginRefusal.INTERIM_STATUS),
    "100": (100, (1, 1), (), OriginRefusal.INTERIM_STATUS),
    "a field name with a space": (200, (1, 1), ((b"X A", b"1"),), OriginRefusal.FIELD_NAME),
    "CR in a value": (200, (1, 1), ((b"X", b"a\rb"),), OriginRefusal.FIELD_VALUE),
    "LF in a value": (200, (1, 1), ((b"X", b"a\nb"),), OriginRefusal.FIELD_VALUE),
    "NUL in a value": (200, (1, 1), ((b"X", b"a\x00b"),), OriginRefusal.FIELD_VALUE),
    "another control byte": (200, (1, 1), ((b"X", b"a\x01b"),), OriginRefusal.FIELD_VALUE),
    "two lengths": (200, (1, 1), ((b"Content-Length", b"1"), (b"Content-Length", b"1")), OriginRefusal.FRAMING),
    "no number": (200, (1, 1), ((b"Content-Length", b"1x"),), OriginRefusal.FRAMING),
    "length and chunked": (200, (1, 1), ((b"Content-Length", b"1"), CHUNKED), OriginRefusal.FRAMING),
    "chunked on HTTP/1.0": (200, (1, 0), (CHUNKED,), OriginRefusal.FRAMING),
    "gzip, chunked": (200, (1, 1), ((b"Transfer-Encoding", b"gzip, chunked"),), OriginRefusal.TRANSFER_CODING),
    "chunked twice": (200, (1, 1), (CHUNKED, CHUNKED), OriginRefusal.TRANSFER_CODING),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_response_that_lies_about_itself_is_not_passed_on(name: str) -> None:
    """A body mislabelled, or a head split in two, is worse than a 502."""
    status, version, headers, reason = REFUSED[name]
    with pytest.raises(OriginFault) as caught:
        to_client(
            ResponseHead(status, b"OK", version, headers),
            read_request(NAVIGATION),
            NOTHING,
            MATCHER,
            site=SITE,
            variant=VARIANT,
        )
    assert (caught.value.status, caught.value.reason) == (502, reason)


def test_every_reason_is_shown_by_an_example() -> None:
    """A reason that no response can get is a word in the log that nobody can look up."""
    assert {reason for _, _, _, reason in REFUSED.values()} == set(OriginRefusal)


def disposition(value: bytes) -> tuple[bytes, bytes]:
    return (b"Content-Disposition", value)


PLANS: dict[str, tuple[ClientHead, Plan, Degraded | None]] = {
    "a page": (down(HTML), Plan.REWRITE, None),
    "a page of unknown length": (down(HTML, CHUNKED), Plan.REWRITE, None),
    "a page of one byte": (down(HTML, (b"Content-Length", b"1")), Plan.REWRITE, None),
    "an empty page": (down(HTML, (b"Content-Length", b"0")), Plan.PASS, None),
    "a page for HEAD": (down(HTML, method="HEAD"), Plan.PASS, None),
    "204": (down(HTML, status=204), Plan.PASS, None),
    "304": (down(HTML, status=304), Plan.PASS, None),
    "an error page": (down(HTML, status=500), Plan.REWRITE, None),
    "an answer to POST": (down(HTML, method="POST"), Plan.REWRITE, None),
    "a page of XHTML": (down((b"Content-Type", b"application/xhtml+xml")), Plan.REWRITE, None),
    "text": (down((b"Content-Type", b"text/plain")), Plan.PASS, None),
    "a fragment of an error": (down(HTML, (b"Content-Range", b"bytes */9"), status=416), Plan.REWRITE, None),
    "a part": (down(HTML, (b"Content-Range", b"bytes 0-8/9"), status=206), Plan.GUARD, Degraded.PARTIAL_PAGE),
    "several parts": (down(HTML, status=206), Plan.GUARD, Degraded.PARTIAL_PAGE),
    "a range of a whole": (down(HTML, (b"Content-Range", b"bytes 0-8/9")), Plan.GUARD, Degraded.PARTIAL_PAGE),
    "no-transform": (down(HTML, (b"Cache-Control", b"a, No-Transform")), Plan.GUARD, Degraded.PARTIAL_PAGE),
    "a download": (down(HTML, disposition(b'attachment; filename="x"')), Plan.PASS, None),
    "shown all the same": (down(HTML, disposition(b"inline; filename=attachment")), Plan.REWRITE, None),
    "gzip": (down(HTML, (b"Content-Encoding", b"GZip")), Plan.REWRITE, None),
    "deflate": (down(HTML, (b"Content-Encoding", b"identity, deflate")), Plan.REWRITE, None),
    "gzip twice": (down(HTML, (b"Content-Encoding", b"gzip, gzip")), Plan.GUARD, Degraded.UNREADABLE_CODING),
    "two codings": (
        down(HTML, (b"Content-Encoding", b"gzip"), (b"Content-Encoding", b"br")),
        Plan.GUARD,
        Degraded.UNREADABLE_CODING,
    ),
    "zstd": (down(HTML, (b"Content-Encoding", b"zstd")), Plan.GUARD, Degraded.UNREADABLE_CODING),
    "UTF-16": (down((b"Content-Type", b"text/html; charset=utf-16le")), Plan.REWRITE, None),
    "UTF-7": (down((b"Content-Type", b"text/html; charset=utf-7")), Plan.GUARD, Degraded.UNREADABLE_CHARSET),
    "no charset at all": (down((b"Content-Type", b"text/html; charset=x")), Plan.GUARD, Degraded.UNREADABLE_CHARSET),
    "no type": (down(), Plan.GUARD, Degraded.SNIFFED_TYPE),
    "an empty type": (down((b"Content-Type", b"")), Plan.GUARD, Degraded.SNIFFED_TYPE),
    "an unknown type": (down((b"Content-Type", b"application/unknown")), Plan.GUARD, Degraded.SNIFFED_TYPE),
    "no type, no sniffing": (down((b"X-Content-Type-Options", b"nosniff")), Plan.PASS, None),
    "a redirect without a type": (down((b"Location", b"/x"), status=302), Plan.PASS, None),
}


@pytest.mark.parametrize("name", PLANS)
def test_each_body_gets_the_plan_of_the_table(name: str) -> None:
    """A page that slips through as an asset leaks; an asset that is rewritten breaks."""
    head, plan, degraded = PLANS[name]
    assert head.plan is plan
    assert head.degraded == ((degraded,) if degraded else ())
    guards = [
        value for value in field(head.headers, b"content-security-policy") if value.startswith(b"default-src 'self'")
    ]
    assert len(guards) == (plan is Plan.GUARD)


def test_no_page_that_is_guarded_can_be_validated() -> None:
    """A 304 would replace the stored guard policy by the origin's own fields."""
    head = down((b"ETag", b'"a"'), (b"Last-Modified", b"x"), (b"Content-Encoding", b"br"), HTML)
    assert not list(field(head.headers, b"etag")) + list(field(head.headers, b"last-modified"))


def test_the_same_page_for_everybody_who_agreed_is_nobodys_shared_copy() -> None:
    """An untouched page in a shared cache would be given to a visitor who refused."""
    response = ResponseHead(200, b"OK", (1, 1), (HTML, (b"Cache-Control", b"public, max-age=9")))
    head = to_client(response, read_request(NAVIGATION), ALL, MATCHER, site=SITE, variant=VARIANT)
    assert list(field(head.headers, b"cache-control")) == [b"max-age=9, private"]
    assert list(field(head.headers, b"vary")) == [b"Cookie, Sec-GPC"]


@pytest.mark.parametrize(
    ("reason", "kept"), [(b"Fine \xe9", b"Fine \xe9"), (b"", b""), (b"a\rb", b""), (b"a\nX: y", b"")]
)
def test_a_reason_that_would_split_the_head_is_left_out(reason: bytes, kept: bytes) -> None:
    """The reason is the origin's word, and the end of a line (CVE-2026-34519)."""
    assert down(reason=reason).reason == kept


def test_the_origins_connection_cannot_name_away_what_protects() -> None:
    """An origin behind a careless framework must not lose its own policy on the way."""
    head = down(HTML, (b"Content-Security-Policy", b"x"), (b"Connection", b"content-security-policy, content-type"))
    assert [name for name, _ in head.headers][:2] == [b"Content-Type", b"Content-Security-Policy"]
    assert head.plan is Plan.REWRITE
