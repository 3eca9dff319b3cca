"""Validators and cacheability, field by field."""

import pytest

from gateway.head.caching import is_marked, make_private, map_conditions, mark
from gateway.head.fields import Lines

VARIANT = "0123456789"


@pytest.mark.parametrize(
    ("tag", "marked"),
    [
        (b'"a"', b'"a~cg-0123456789"'),
        (b'W/"a"', b'W/"a~cg-0123456789"'),
        (b'""', b'"~cg-0123456789"'),
        (b' "a,b" ', b'"a,b~cg-0123456789"'),
        (b'"caf\xe9"', b'"caf\xe9~cg-0123456789"'),
        (b"a", None),
        (b'"a', None),
        (b'"a""b"', None),
        (b'w/"a"', None),
        (b'"a b"', None),
        (b"", None),
    ],
)
def test_an_entity_tag_is_marked_and_nothing_else_is_taken_for_one(tag: bytes, marked: bytes | None) -> None:
    """A tag that cannot carry the variant would revive another visitor's page."""
    assert mark(tag, VARIANT) == marked


@pytest.mark.parametrize(
    ("value", "page", "asset"),
    [
        (b'"a"', [], [b'"a"']),
        (b'"a~cg-0123456789"', [b'"a"'], [b'"a"']),
        (b'W/"a~cg-0123456789"', [b'W/"a"'], [b'W/"a"']),
        (b'"~cg-0123456789"', [b'""'], [b'""']),
        (b'"a~cg-9999999999"', [], []),
        (b'"a~cg-9999999999~cg-0123456789"', [b'"a~cg-9999999999"'], [b'"a~cg-9999999999"']),
        (b'"a~cg-"', [], [b'"a~cg-"']),
        (b'"a~cg-0123456789x"', [], []),
        (b"*", [], [b"*"]),
        (b"unquoted", [], [b"unquoted"]),
        (b'"a", "b~cg-0123456789"', [b'"b"'], [b'"a", "b"']),
    ],
)
def test_only_this_visitors_variant_finds_its_way_back(value: bytes, page: list[bytes], asset: list[bytes]) -> None:
    """A 304 for another variant would show the visitor what he refused, or keep from him what he allowed."""
    for likely_page, expected in ((True, page), (False, asset)):
        lines = Lines(((b"If-None-Match", value),))
        map_conditions(lines, variant=VARIANT, likely_page=likely_page, ranges=True)
        assert lines.values(b"if-none-match") == expected


def test_the_client_holds_what_it_says_it_holds() -> None:
    """A 304 whose request named no variant of ours is an asset's, and stays as it is."""
    assert is_marked(Lines(((b"If-None-Match", b'"x", W/"a~cg-0123456789"'),)), VARIANT)
    assert not is_marked(Lines(((b"If-None-Match", b'"a~cg-9999999999"'),)), VARIANT)
    assert not is_marked(Lines(()), VARIANT)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], [b"private"]),
        ([b"public"], [b"private"]),
        ([b"PUBLIC, max-age=5, S-Maxage=9"], [b"max-age=5, private"]),
        ([b"private"], [b"private"]),
        ([b"no-store , no-cache"], [b"no-store , no-cache"]),
        ([b"private, s-maxage=5"], [b"private"]),
        ([b'private="x-field", max-age=1'], [b'private="x-field", max-age=1, private']),
        ([b'ext="public, s-maxage", max-age=1'], [b'ext="public, s-maxage", max-age=1, private']),
        ([b"max-age=5", b"must-revalidate"], [b"max-age=5, must-revalidate, private"]),
        ([b"public", b"max-age=5"], [b"max-age=5, private"]),
    ],
)
def test_only_the_visitors_own_browser_keeps_what_depends_on_him(values: list[bytes], expected: list[bytes]) -> None:
    """What the site said of freshness stays; what it said of shared caches goes."""
    lines = Lines(tuple((b"Cache-Control", value) for value in values))
    make_private(lines)
    assert lines.values(b"cache-control") == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], [b"Cookie, Sec-GPC"]),
        ([b"Accept-Encoding"], [b"Accept-Encoding", b"Cookie, Sec-GPC"]),
        ([b"a, cookie"], [b"a, cookie", b"Sec-GPC"]),
        ([b"SEC-GPC", b"Cookie"], [b"SEC-GPC", b"Cookie"]),
        ([b"*"], [b"*"]),
    ],
)
def test_vary_names_what_the_decision_is_read_from_once(values: list[bytes], expected: list[bytes]) -> None:
    """The browser's own cache asks again when a cookie or Sec-GPC changed."""
    lines = Lines(tuple((b"Vary", value) for value in values))
    make_private(lines)
    assert lines.values(b"vary") == expected


def test_caches_before_us_are_not_told_otherwise_behind_our_back() -> None:
    """CDNs and nginx read fields of their own in the place of Cache-Control."""
    names = (b"CDN-Cache-Control", b"Surrogate-Control", b"Cloudflare-CDN-Cache-Control", b"X-Accel-Expires", b"Age")
    lines = Lines(tuple((name, b"60") for name in names))
    make_private(lines)
    assert [name for name, _ in lines.raw()] == [b"Age", b"Vary", b"Cache-Control"]
