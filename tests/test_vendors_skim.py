"""The first look at a tag: "no" must be certain."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.page.attributes import attributes, decode_references
from gateway.page.elements import srcset_urls
from gateway.vendors.match import Matcher
from gateway.vendors.schema import VendorFile
from gateway.vendors.skim import Skim
from gateway.vendors.url import parse

MATCHER = Matcher(
    [
        VendorFile.model_validate(
            {
                "format": 1,
                "vendor": {"id": "one", "name": "One"},
                "consent": {"categories": ("marketing",)},
                "hosts": ({"name": "tracker.example"},),
                "scripts": ({"id": "embed", "path": r"^/f/embed\.php$"}, {"id": "gtag", "path": "^/gtag/js"}),
            }
        )
    ]
)
SITE = "https://site.example/shop/page"


@pytest.mark.parametrize(
    ("tag", "may"),
    [
        (b'<img src="/a.png" alt="caf\xc3\xa9, 100">', False),
        (b'<img src="https://cdn.example/a.png?b=1&amp;c=2&d=3">', False),
        (b'<img src="//nottracker.example/a.png">', False),
        (b'<link rel=stylesheet href="../style.css">', False),
        (b'<img src="//TRACKER.example/a">', True),
        (b'<img src="//a.tracker.example.:443/a">', True),
        (b'<img src="https:tracker.example/a">', True),
        (b'<img src="https:/tracker.example/a">', True),
        (b'<img src="///tracker.example/a">', True),
        (b'<img src="//user@tracker.example/a">', True),
        (b'<img src="//tra\ncker.example/a">', True),
        (b'<img src="\\\\tracker.example/a">', True),
        (b'<img src="&sol;/tracker.example/a">', True),
        (b'<img src="&#x2f/tracker.example/a">', True),
        (b'<img src="//tr%61cker.example/a">', True),
        (b'<img src="//trac\xc2\xadker.example/a">', True),
        (b'<script src="/f/EMBED.php">', True),
        (b'<script src="/x/../gtag/js">', True),
    ],
)
def test_plain_tags_are_told_from_those_that_need_a_look(tag: bytes, *, may: bool) -> None:
    """Most tags of a page load its own files: they must not cost a parse each, and nothing may slip by."""
    assert MATCHER.skim.may_concern(tag) is may


@pytest.mark.parametrize(
    ("base", "suits"),
    [
        ("https://site.example/shop/", True),
        ("https://cdn.example/", True),
        ("https://tracker.example/", False),
        ("https://site.example/gtag/", False),
        ("https://site.example/g%74ag/", False),
    ],
)
def test_a_base_that_could_complete_a_vendors_url_needs_a_look_at_every_tag(base: str, *, suits: bool) -> None:
    """Under `/gtag/` the plain `js?id=1` is a vendor's."""
    url = parse(base)
    assert url is not None
    assert MATCHER.skim.suits(url.host, url.path, site_host="site.example") is suits


def test_a_vendors_host_that_is_the_sites_own_suits() -> None:
    """Relative addresses of a site under a vendor's domain are the site's."""
    assert Skim({"tracker.example"}, ()).suits("shop.tracker.example", "/", site_host="shop.tracker.example")


FRAGMENTS = st.sampled_from(
    [
        "https:", "http:", "ws:", "//", "/", "\\", ":", "@", ".", "..", "/./", "/../", "?", "#", "%74", "%2f", "&sol;", "&#47;",
        "&amp;", "&copy", "&", "\n", "\t", " ", ",", "tracker.example", "TRACKER.EXAMPLE", "tracker", ".example", "cdn.example",
        "a", "x.js", "f", "embed.php", "gtag", "js", "\u00ad", "\uff54racker.example", "1x", "data:", "javascript:", "'", "<",
    ]
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(value=st.lists(FRAGMENTS, max_size=7).map("".join), name=st.sampled_from(["src", "srcset"]))
def test_what_is_waved_through_matches_nothing(value: str, name: str) -> None:
    """The whole point: no spelling that parses to a vendor's URL passes the first look."""
    tag = f'<img alt="x" {name}="{value}">'.encode()
    if MATCHER.skim.may_concern(tag):
        return
    for attribute in attributes(tag):
        text = decode_references(attribute.value.decode())
        for candidate in [text, *srcset_urls(text)]:
            url = parse(candidate, SITE)
            assert url is None or MATCHER.url(url, site_host="site.example") == (), re.escape(value)
