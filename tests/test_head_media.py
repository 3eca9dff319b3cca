"""What a response is and what a request is for, as a browser tells."""

import pytest

from gateway.head.fields import Lines
from gateway.head.media import MediaType, is_likely_page, is_never_page, may_be_shown, media_type


@pytest.mark.parametrize(
    ("values", "essence", "charset"),
    [
        ([b"text/html"], b"text/html", ""),
        ([b" TEXT/HTML ; Charset=UTF-8 "], b"text/html", "utf-8"),
        ([b'text/html;charset="iso-8859-1"'], b"text/html", "iso-8859-1"),
        ([b"text/html;charset='utf-8'"], b"text/html", "utf-8"),
        ([b"text/html;charset=a;charset=b"], b"text/html", "a"),
        ([b'text/html;x=";charset=evil";charset=utf-8'], b"text/html", "utf-8"),
        ([b'text/html;x="\\";charset=evil";charset=utf-8'], b"text/html", "utf-8"),
        ([b"text/html;charset"], b"text/html", ""),
        ([b"text/html; charset="], b"text/html", ""),
        ([b"text/html charset=utf-8"], b"text/html", ""),
        ([b"text/html(comment)"], b"text/html", ""),
        ([b"text/plain", b"text/html"], b"text/html", ""),
        ([b"text/html", b"text/plain"], b"text/plain", ""),
        ([b"text/plain, text/html"], b"text/html", ""),
        ([b"text/html;charset=gbk, text/html"], b"text/html", "gbk"),
        ([b"text/html;charset=gbk, text/plain, text/html"], b"text/html", ""),
        ([b"text/html, */*"], b"text/html", ""),
        ([b"text/html, nonsense"], b"text/html", ""),
        ([b'text/plain;x="a,text/html"'], b"text/plain", ""),
        ([b"nonsense"], b"", ""),
        ([b"/html"], b"", ""),
        ([b""], b"", ""),
        ([], b"", ""),
    ],
)
def test_the_type_is_the_one_a_browser_takes(values: list[bytes], essence: bytes, charset: str) -> None:
    """A page that we take for text and a browser for a page goes out with every tracker in it."""
    assert media_type(Lines(tuple((b"content-type", value) for value in values))) == MediaType(essence, charset)


@pytest.mark.parametrize(
    ("destination", "accept", "likely", "never", "shown"),
    [
        (b"document", b"*/*", True, False, True),
        (b"iframe", b"", True, False, True),
        (b"frame", b"", True, False, True),
        (b"object", b"", True, False, True),
        (b"embed", b"", True, False, True),
        (b"empty", b"*/*", False, False, False),
        (b"empty", b"text/html, */*", True, False, False),
        (b"image", b"image/*", False, True, False),
        (b"script", b"*/*", False, True, False),
        (b"something-new", b"*/*", False, False, False),
        (None, b"*/*", False, False, True),
        (None, b"TEXT/HTML", True, False, True),
        (None, b"application/xhtml+xml;q=0.9", True, False, True),
    ],
)
def test_a_request_tells_whether_a_page_is_wanted(
    destination: bytes | None,
    accept: bytes,
    likely: bool,
    never: bool,
    shown: bool,
) -> None:
    """Conditions and ranges are taken off requests for pages only; assets must keep theirs."""
    told = () if destination is None else ((b"Sec-Fetch-Dest", destination),)
    request = Lines((*told, (b"Accept", accept)))
    assert (is_likely_page(request), is_never_page(request), may_be_shown(request)) == (likely, never, shown)
