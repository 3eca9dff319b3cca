"""Requests that are refused, with status and reason, and targets brought into origin form."""

import pytest

from gateway.errors import ClientFault
from gateway.head import RawHeaders, Refusal, RequestHead, check
from gateway.head.check import is_host

HOST = (b"Host", b"site.example")


def request(
    *headers: tuple[bytes, bytes], method: str = "GET", target: bytes = b"/", version: tuple[int, int] = (1, 1)
) -> RequestHead:
    return RequestHead(method, target, version, headers)


CHUNKED = (b"Transfer-Encoding", b"chunked")
REFUSED: dict[str, tuple[RequestHead, int, Refusal]] = {
    "HTTP/0.9": (request(HOST, version=(0, 9)), 400, Refusal.VERSION),
    "HTTP/2.0": (request(HOST, version=(2, 0)), 505, Refusal.VERSION),
    "a method with a space": (request(HOST, method="GET X"), 400, Refusal.METHOD),
    "an empty method": (request(HOST, method=""), 400, Refusal.METHOD),
    "a method beyond ASCII": (request(HOST, method="GÉT"), 400, Refusal.METHOD),
    "CONNECT": (request(HOST, method="CONNECT", target=b"a:443"), 405, Refusal.METHOD_NOT_ALLOWED),
    "TRACE": (request(HOST, method="TRACE"), 405, Refusal.METHOD_NOT_ALLOWED),
    "trace": (request(HOST, method="trace"), 405, Refusal.METHOD_NOT_ALLOWED),
    "a field name with a space": (request(HOST, (b"X A", b"1")), 400, Refusal.FIELD_NAME),
    "a field name with a colon": (request(HOST, (b"X:", b"1")), 400, Refusal.FIELD_NAME),
    "an empty field name": (request(HOST, (b"", b"1")), 400, Refusal.FIELD_NAME),
    "a line break in a value": (request(HOST, (b"X", b"1\r\nY: 2")), 400, Refusal.FIELD_VALUE),
    "a NUL in a value": (request(HOST, (b"X", b"1\x00")), 400, Refusal.FIELD_VALUE),
    "a DEL in a value": (request(HOST, (b"X", b"\x7f")), 400, Refusal.FIELD_VALUE),
    "chunked on HTTP/1.0": (request(HOST, CHUNKED, version=(1, 0)), 400, Refusal.FRAMING_ON_1_0),
    "length and chunked": (request(HOST, CHUNKED, (b"content-length", b"1")), 400, Refusal.LENGTH_AND_CODING),
    "gzip, chunked": (request(HOST, (b"Transfer-Encoding", b"gzip, chunked")), 501, Refusal.TRANSFER_CODING),
    "chunked twice": (request(HOST, CHUNKED, CHUNKED), 501, Refusal.TRANSFER_CODING),
    "chunked, chunked": (request(HOST, (b"Transfer-Encoding", b"chunked, chunked")), 501, Refusal.TRANSFER_CODING),
    "identity": (request(HOST, (b"Transfer-Encoding", b"identity")), 501, Refusal.TRANSFER_CODING),
    "no coding": (request(HOST, (b"Transfer-Encoding", b"")), 501, Refusal.TRANSFER_CODING),
    "two lengths": (
        request(HOST, (b"Content-Length", b"1"), (b"content-length", b"1")),
        400,
        Refusal.CONTENT_LENGTH,
    ),
    "a list of lengths": (request(HOST, (b"Content-Length", b"1, 1")), 400, Refusal.CONTENT_LENGTH),
    "a signed length": (request(HOST, (b"Content-Length", b"+1")), 400, Refusal.CONTENT_LENGTH),
    "an empty length": (request(HOST, (b"Content-Length", b"")), 400, Refusal.CONTENT_LENGTH),
    "a length of nineteen digits": (request(HOST, (b"Content-Length", b"1" * 19)), 400, Refusal.CONTENT_LENGTH),
    "no host": (request(), 400, Refusal.HOST_MISSING),
    "no host on HTTP/1.0": (request(version=(1, 0)), 400, Refusal.HOST_MISSING),
    "two hosts": (request(HOST, (b"host", b"site.example")), 400, Refusal.HOST_REPEATED),
    "a host with a path": (request((b"Host", b"h/../@evil:80#x")), 400, Refusal.HOST_SYNTAX),
    "a space in the target": (request(HOST, target=b"/a b"), 400, Refusal.TARGET_BYTES),
    "a line break in the target": (request(HOST, target=b"/a\r\n"), 400, Refusal.TARGET_BYTES),
    "raw bytes in the target": (request(HOST, target=b"/caf\xe9"), 400, Refusal.TARGET_BYTES),
    "a fragment": (request(HOST, target=b"/a#b"), 400, Refusal.TARGET_FRAGMENT),
    "an empty target": (request(HOST, target=b""), 400, Refusal.TARGET),
    "a relative target": (request(HOST, target=b"a/b"), 400, Refusal.TARGET),
    "an authority as target": (request(HOST, target=b"site.example:443"), 400, Refusal.TARGET),
    "another scheme": (request(HOST, target=b"ftp://site.example/"), 400, Refusal.TARGET),
    "GET *": (request(HOST, target=b"*"), 400, Refusal.TARGET),
    "another host": (request(HOST, target=b"http://evil.example/"), 400, Refusal.TARGET_HOST),
    "another port": (request(HOST, target=b"http://site.example:81/"), 400, Refusal.TARGET_HOST),
    "the other scheme's port": (request(HOST, target=b"http://site.example:443/"), 400, Refusal.TARGET_HOST),
    "a user in the target": (request(HOST, target=b"http://site.example@site.example/"), 400, Refusal.TARGET_HOST),
    "an unknown expectation": (request(HOST, (b"Expect", b"100-continue, x")), 417, Refusal.EXPECTATION),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_two_readers_may_read_differently_is_refused(name: str) -> None:
    """Each of these was somebody's request smuggling, cache poisoning or forged identity."""
    head, status, reason = REFUSED[name]
    with pytest.raises(ClientFault) as caught:
        check(head)
    assert (caught.value.status, caught.value.reason) == (status, reason)


def test_every_reason_is_shown_by_an_example() -> None:
    """A reason that no request can get is a word in the log that nobody can look up."""
    assert {reason for _, _, reason in REFUSED.values()} == set(Refusal)


@pytest.mark.parametrize(
    ("target", "method", "expected"),
    [
        (b"/", "GET", b"/"),
        (b"/a?", "GET", b"/a?"),
        (b"/a?b?c", "GET", b"/a?b?c"),
        (b"//evil.example/x", "GET", b"//evil.example/x"),
        (b"/%00/%2F/%0d%0a/../\\", "GET", b"/%00/%2F/%0d%0a/../\\"),
        (b"*", "OPTIONS", b"*"),
        (b"http://site.example", "GET", b"/"),
        (b"http://site.example", "OPTIONS", b"*"),
        (b"http://site.example/", "OPTIONS", b"/"),
        (b"http://site.example?", "GET", b"/?"),
        (b"HTTP://SITE.EXAMPLE:80/A%41?x=http://b/", "GET", b"/A%41?x=http://b/"),
        (b"https://site.example:443//x", "GET", b"//x"),
        (b"http://site.example:/x", "GET", b"/x"),
    ],
)
def test_a_target_comes_out_in_origin_form_with_its_bytes_kept(target: bytes, method: str, expected: bytes) -> None:
    """Percent-encoding, an empty query and double slashes are the site's own; only the absolute form is ours to change."""
    assert check(request(HOST, target=target, method=method)).target == expected


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "PURGE", "M-SEARCH", "get", "X!#$%&'*+.^_`|~9"])
def test_every_other_method_passes(method: str) -> None:
    """Sites have methods of their own; a proxy is not the place to teach them otherwise."""
    head = request(HOST, (b"Content-Length", b"3"), method=method)
    assert check(head) is head


@pytest.mark.parametrize(
    ("host", "good"),
    [
        (b"site.example", True),
        (b"SITE.example:8080", True),
        (b"site.example.", True),
        (b"my_site.example", True),
        (b"localhost", True),
        (b"192.0.2.1:80", True),
        (b"[::1]", True),
        (b"[2001:db8::1]:443", True),
        (b"[::ffff:192.0.2.1]", True),
        (b"site.example:", True),
        (b"site.example:65535", True),
        (b"site.example:65536", False),
        (b"site.example:999999", False),
        (b"site.example:x", False),
        (b"site.example:80:80", False),
        (b"", False),
        (b":80", False),
        (b"a, b", False),
        (b"a,b", False),
        (b"a b", False),
        (b"user@site.example", False),
        (b"site.example/", False),
        (b"site.example?x", False),
        (b"site%2eexample", False),
        (b"caf\xc3\xa9.example", False),
        (b"[::1", False),
        (b"::1", False),
        (b"[::1]x", False),
        (b"[fe80::1%25eth0]", False),
        (b"[1.2.3.4]", False),
        (b"[12345::]", False),
        (b"[v1.x]", False),
        (b"a" * 255, True),
        (b"a" * 256, False),
    ],
)
def test_a_host_is_a_name_or_an_address_with_or_without_a_port(host: bytes, good: bool) -> None:
    """Host ends up in the base of all URLs of a page, in the origin's links and in log lines."""
    assert is_host(host) is good


def test_fields_that_pass_for_ours_once_dashes_are_underscores_are_left_out() -> None:
    """Behind CGI, WSGI or PHP X_Forwarded_For and X-Forwarded-For are one variable (CVE-2025-64484)."""
    forged: RawHeaders = (
        (b"X_Forwarded_For", b"1"),
        (b"x-forwarded_anything", b"1"),
        (b"Content_Length", b"1"),
        (b"Transfer_Encoding", b"chunked"),
        (b"Sec_GPC", b"0"),
        (b"X_Real_IP", b"1"),
    )
    own: RawHeaders = (HOST, (b"Session_Id", b"1"), (b"_", b"1"))
    assert check(request(*own, *forged)).headers == own
    head = request(*own)
    assert check(head) is head


def test_bytes_beyond_ascii_and_tabs_are_no_fault() -> None:
    """A Referer with raw Latin letters is what some browsers send; refusing it would lose the visit."""
    head = request(HOST, (b"Referer", b"http://a/caf\xe9\t\xff"), (b"Expect", b"100-Continue"), CHUNKED)
    assert check(head) is head
