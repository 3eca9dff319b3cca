import pytest

from gateway.same_origin import comes_from_site

HOST = (b"Host", b"site.example")


@pytest.mark.parametrize(
    "fields",
    [
        [(b"Sec-Fetch-Site", b"same-origin")],
        [(b"sec-fetch-site", b"same-origin"), (b"Origin", b"null")],
        [(b"Origin", b"https://site.example")],
        [(b"Origin", b"https://site.example:443")],
        [(b"origin", b"https://SITE.example")],
        [],
    ],
)
def test_a_page_of_the_site_is_heard(fields: list[tuple[bytes, bytes]]) -> None:
    """The site's own pages, and programs that are no browser, must get through."""
    assert comes_from_site([HOST, *fields], secure=True)


@pytest.mark.parametrize(
    "fields",
    [
        [(b"Sec-Fetch-Site", b"cross-site")],
        [(b"Sec-Fetch-Site", b"same-site")],
        [(b"Sec-Fetch-Site", b"none")],
        [(b"Sec-Fetch-Site", b"")],
        [(b"Sec-Fetch-Site", b"same-origin"), (b"Sec-Fetch-Site", b"cross-site")],
        [(b"Sec-Fetch-Site", b"cross-site"), (b"Origin", b"https://site.example")],
        [(b"Origin", b"https://evil.example")],
        [(b"Origin", b"https://site.example.evil.example")],
        [(b"Origin", b"https://site.example:8443")],
        [(b"Origin", b"http://site.example")],
        [(b"Origin", b"null")],
        [(b"Origin", b"")],
        [(b"Origin", b"file://")],
        [(b"Origin", b"\xff")],
        [(b"Origin", b"https://site.example"), (b"Origin", b"https://evil.example")],
        [(b"Origin", b"https://site.example"), (b"Host", b"site.example")],
    ],
)
def test_a_page_of_anybody_else_is_not(fields: list[tuple[bytes, bytes]]) -> None:
    """Another site could otherwise send events, or a choice, with the visitor's cookies."""
    assert not comes_from_site([HOST, *fields], secure=True)


def test_the_scheme_is_only_held_against_a_page_where_it_is_known() -> None:
    """Behind a proxy that nobody declared trusted the gateway sees plain HTTP, whatever the visitor uses."""
    assert comes_from_site([HOST, (b"Origin", b"https://site.example")], secure=False)
    assert comes_from_site([HOST, (b"Origin", b"http://site.example")], secure=False)
    assert not comes_from_site([HOST, (b"Origin", b"ws://site.example")], secure=False)


@pytest.mark.parametrize("host", [b"evil.example/site.example", b"a, site.example", b"user@site.example", b"", b"x y"])
def test_a_host_field_that_is_no_authority_matches_nothing(host: bytes) -> None:
    """What two parsers read differently is not what was compared."""
    assert not comes_from_site([(b"Host", host), (b"Origin", b"https://site.example")], secure=True)
