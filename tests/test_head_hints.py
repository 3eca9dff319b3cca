"""Fields that make a browser contact somebody, and cookies that a line removes."""

import pytest

from gateway.head.cookies import filter_set_cookie
from gateway.head.fields import Lines
from gateway.head.hints import filter_hints
from gateway.head.judge import Judge
from tests.test_head import MATCHER, NOTHING, SITE


def after(name: bytes, value: bytes) -> list[bytes]:
    lines = Lines(((name, value),))
    judge = Judge(NOTHING, MATCHER, site=SITE)
    filter_hints(lines, judge)
    filter_set_cookie(lines, judge)
    return lines.values(name)


@pytest.mark.parametrize(
    "relation",
    [
        "preload",
        "modulepreload",
        "prefetch",
        "prerender",
        "preconnect",
        "dns-prefetch",
        "stylesheet",
        "icon",
        "manifest",
    ],
)
def test_a_link_that_contacts_a_vendor_is_cut_out(relation: str) -> None:
    """Each of these opens a connection before the page has even begun."""
    for link in (
        f"<https://tracker.example/x>; rel={relation}",
        f'<https://tracker.example/x>; as=x; REL="a {relation.upper()}"',
        f"<  https://a.TRACKER.example:8443/x >;rel={relation}",
        f"<//tracker.example>;crossorigin;rel={relation};rel=next",
    ):
        assert after(b"link", link.encode()) == []
        assert after(b"link", f"</a>; rel=preload, {link},</b>; rel=next".encode()) == [
            b"</a>; rel=preload,</b>; rel=next"
        ]


@pytest.mark.parametrize(
    "link",
    [
        b"<https://tracker.example/x>; rel=next",
        b"<https://tracker.example/x>; rel=canonical; title=preload",
        b"<https://tracker.example/x>",
        b"<https://tracker.example/x>; rel=next; rel=preload",
        b"<https://nottracker.example/x>; rel=preload",
        b"<https://tracker.example.evil/x>; rel=preload",
        b"</tracker.example/x>; rel=preload",
        b"<data:text/css,https://tracker.example>; rel=preload",
        b"https://tracker.example/x; rel=preload",
        b"",
    ],
)
def test_a_link_that_contacts_no_vendor_stays(link: bytes) -> None:
    """Relations of pages are what search engines and readers live on."""
    assert after(b"link", link) == [link]


@pytest.mark.parametrize(
    ("value", "stays"),
    [
        (b"0;url=https://tracker.example/", False),
        (b"0; URL = 'https://tracker.example/' ignored", False),
        (b'5.5 , url="https://tracker.example/"', False),
        (b"1 https://tracker.example/", False),
        (b"0;//tracker.example", False),
        (b"0;url=/tracker.example", True),
        (b"5", True),
        (b"5;", True),
        (b"5;url=", True),
        (b"url=https://tracker.example/", True),
        (b"0;url=https://site.example/?to=https://tracker.example/", True),
    ],
)
def test_a_refresh_to_a_vendor_goes(value: bytes, stays: bool) -> None:
    """The visitor would be sent there without a click."""
    assert after(b"refresh", value) == ([value] if stays else [])


@pytest.mark.parametrize("name", [b"report-to", b"reporting-endpoints", b"speculation-rules"])
@pytest.mark.parametrize(
    ("value", "stays"),
    [
        (b'"https://tracker.example/r"', False),
        (b'{"url": "https:\\/\\/tracker.example\\/r"}', False),
        (b'{"url": "https://\\u0074racker.example/r"}', False),
        (b'a="/own", b="//tracker.example"', False),
        (b'"https://tracker.example', True),
        (b'"bad \\escape", "/own"', True),
        (b'"tracker.example"', True),
        (b"https://tracker.example", True),
    ],
)
def test_a_report_to_a_vendor_is_not_asked_for(name: bytes, value: bytes, stays: bool) -> None:
    """A report tells the vendor the page's address and the visitor's; JSON may spell a host in escapes."""
    assert after(name, value) == ([value] if stays else [])


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        (b"_trk=1", False),
        (b"_trk=; Max-Age=0", True),
        (b"_trk=; max-age = -1 ", True),
        (b"_trk=; Max-Age=1", False),
        (b"_trk=; Max-Age=0; Max-Age=9", False),
        (b"_trk=; Max-Age=x; Expires=Thu, 01 Jan 1970 00:00:00 GMT", True),
        (b"_trk=; Expires=Thu, 01-Jan-1970 00:00:01 GMT", True),
        (b"_trk=; expires=Thursday, 01 Jan 1970 00:00:00", True),
        (b"_trk=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=9", False),
        (b"_trk=; Expires=Thu, 01 Jan 2037 00:00:00 GMT", False),
        (b"_trk=; Expires=Thu, 01 Jan 30 1970 00:00:00 GMT", False),
        (b"_trk=; Expires=Thu, 01 Jan 1970", False),
        (b"_trk=Max-Age=0", False),
        (b"\t_trk \t=1", False),
        (b"_trk", True),
        (b"=_trk=1", True),
        (b"_TRK=1", True),
        (b"a_trk=1", True),
        (b"_trk_=1", False),
    ],
)
def test_a_cookie_of_a_vendor_is_set_for_nobody_who_refused(line: bytes, stays: bool) -> None:
    """What removes such a cookie is let through: that is how a site obeys a withdrawal."""
    assert after(b"set-cookie", line) == ([line] if stays else [])
