"""AMP elements."""

import pytest

from gateway.page import amp
from gateway.vendors.url import parse
from gateway.withheld import Kind
from tests.chunks import chunkings
from tests.test_page_rewriter import rewrite
from tests.test_rules_others import CATALOGUE


@pytest.mark.parametrize(
    ("tag", "vendors"),
    [
        (b"<amp-youtube data-videoid=dQw4w9WgXcQ width=9 height=9>", {"youtube"}),
        (b"<amp-facebook data-href=https://www.facebook.com/a/posts/1>", {"meta"}),
        (b"<amp-facebook-like data-href=https://www.facebook.com/a>", {"meta"}),
        (b"<amp-pinterest data-do=embedPin data-url=https://www.pinterest.com/pin/1/>", {"pinterest"}),
        (b"<amp-tiktok data-src=7000000000000000000>", {"tiktok"}),
        (b"<amp-analytics type=googleanalytics>", {"google-analytics"}),
        (b"<amp-analytics type=gtag data-credentials=include>", {"google-analytics", "google-ads"}),
        (b"<amp-analytics type=' FacebookPixel '>", {"meta"}),
        (b"<amp-analytics type=googleadwords>", {"google-ads"}),
        (b"<amp-analytics config='https://www.googletagmanager.com/amp.json?id=GTM-ABC1234'>", {"google-tag-manager"}),
        (b"<amp-story-auto-analytics gtag-id=G-1>", {"google-analytics", "google-ads"}),
        (b"<amp-ad type=doubleclick data-slot=/1/a width=9 height=9>", {"google-ads"}),
        (b"<amp-ad type=adsense data-ad-client=a>", {"google-ads"}),
        (b"<amp-auto-ads type=adsense data-ad-client=a>", {"google-ads"}),
        (b"<amp-pixel src=https://www.facebook.com/tr?id=1>", {"meta"}),
        (b"<amp-iframe src=https://www.youtube.com/embed/a>", {"youtube"}),
        (b"<amp-img src=https://i.ytimg.com/vi/a/hq.jpg width=9 height=9>", {"youtube"}),
        (b"<amp-img src=/a.jpg srcset='https://i.ytimg.com/vi/a/hq.jpg 2x' width=9 height=9>", {"youtube"}),
        (b"<amp-video poster=https://i.ytimg.com/vi/a/hq.jpg src=/a.mp4>", {"youtube"}),
    ],
)
def test_an_element_of_a_vendors_is_put_out_of_force(tag: bytes, vendors: set[str]) -> None:
    """AMP builds none of them without the attributes that say what to load."""
    name = tag[1:].split()[0].rstrip(b">")
    page = tag + b"<p placeholder>kept</p></" + name + b">"
    out, withheld, _ = rewrite([page], rules=CATALOGUE, site="https://site.example/")
    assert {fact.vendor for fact in withheld} == vendors
    assert out.endswith(b"<p placeholder>kept</p></" + name + b">")
    assert b" type=" not in out
    assert b" src=" not in out.replace(b"data-consent-src=", b"")
    assert (b"width=9" in out) == (b"width=9" in tag), "what it looks like stays"


@pytest.mark.parametrize(
    "page",
    [
        b"<script async custom-element=amp-analytics src=https://cdn.ampproject.org/v0/amp-analytics-0.1.js></script>",
        b'<amp-analytics type=somebody><script type=application/json>{"vars": {"a": "b"}}</script></amp-analytics>',
        b"<amp-youtube-like data-videoid=a></amp-youtube-like>",
        b"<amp-carousel type=slides><amp-img src=/a.png width=9 height=9></amp-img></amp-carousel>",
        b"<amp-social-share type=facebook></amp-social-share>",
        b"<amp-vimeo data-videoid=1></amp-vimeo>",
        b'<amp-consent><script type=application/json>{"a": "https://www.facebook.com/tr"}</script></amp-consent>',
        b"<amp-ad type=nobody data-slot=a></amp-ad>",
    ],
)
def test_everything_else_of_amp_stays_as_it_is(page: bytes) -> None:
    """The runtime and its components come from AMP's own network, for everybody alike."""
    assert rewrite([page], rules=CATALOGUE, site="https://site.example/") == (page, [], [])


@pytest.mark.parametrize("name", [b"amp-analytics", b"amp-ad"])
def test_json_that_names_whom_an_element_asks_is_judged(name: bytes) -> None:
    """An unknown type may send to anybody."""
    json = b'{"requests": {"base": "https:\\/\\/tracker.example/p?a=${b}"}, "triggers": {}}'
    page = b"<%b><script type='application/json'>%b</script></%b><script type=application/json>%b</script>" % (
        *(name, json, name, json),
    )
    for chunks in chunkings(page):
        out, withheld, _ = rewrite(chunks)
        assert [fact.kind for fact in withheld] == [Kind.INLINE]
        assert b'<script type="text/plain" data-consent-vendor="tracker-example"' in out
        assert out.endswith(b"<script type=application/json>" + json + b"</script>"), "elsewhere it is data"


def test_json_of_an_element_that_is_withheld_waits_with_it() -> None:
    """Without the type it would be a configuration that says by itself where to send."""
    page = b"<amp-analytics config=//tracker.example/a><script type=application/json>{}</script></amp-analytics>"
    out, withheld, _ = rewrite([page])
    assert [fact.kind for fact in withheld] == [Kind.SCRIPT, Kind.INLINE]
    assert out.count(b'data-consent-vendor="tracker-example"') == 2
    assert rewrite([page], grant=("marketing",)) == (page, [], [])


def test_every_address_in_the_table_is_one() -> None:
    """A slip there would never match a rule."""
    for name in amp.ELEMENTS:
        for kind in ("", *amp._NETWORKS, *amp._COUNTERS):
            for address in amp.addresses(name, {b"type": kind}):
                assert address.startswith("https://")
                assert parse(address) is not None
        assert amp.kind(name) in Kind


def test_whatever_an_embed_says_of_what_to_load_is_put_out_of_force() -> None:
    """And nothing of how it looks, or who wrote it."""
    values = dict.fromkeys(
        [
            b"data-videoid",
            b"data-param-autoplay",
            b"autoplay",
            b"width",
            b"layout",
            b"class",
            b"aria-label",
            b"data-consent",
        ],
        "a",
    )
    assert amp.holders(b"amp-youtube", values) == {b"data-videoid", b"data-param-autoplay", b"autoplay"}
