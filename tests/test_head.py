"""Whole heads, up and down: golden files, and what holds for every head.

A file in tests/heads is settings (TOML), `---`, the head that comes in, `---`, the head that goes out, and what else is told.
Files that begin with `up-` are requests, with `down-` responses. Bytes are latin-1.
"""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.model import EVERYTHING, NECESSARY_ONLY, Basis, Category, Decision
from gateway.head import (
    ClientHead,
    HeadPolicy,
    Peer,
    Plan,
    RawHeaders,
    RequestHead,
    ResponseHead,
    UpstreamRequest,
    check,
    field,
    to_client,
    to_upstream,
)
from gateway.vendors import catalogue
from gateway.withheld import Withheld

HEADS = Path(__file__).parent / "heads"
VARIANT = "0123456789"
SITE = "https://site.example/shop"

TRACKER = b"""
format = 1
[vendor]
id = "tracker"
name = "Tracker"
[consent]
categories = ["marketing"]
[[hosts]]
name = "tracker.example"
[[cookies]]
name = "_trk"
[[cookies]]
name = "_trk_*"
[[cookies]]
name = "__hs*"
"""
COUNTER = b"""
format = 1
[vendor]
id = "counter"
name = "Counter"
[consent]
categories = ["analytics"]
[[hosts]]
name = "counter.example"
[[cookies]]
name = "_cnt"
"""
MATCHER = catalogue.load([{"tracker.toml": TRACKER, "counter.toml": COUNTER}]).matcher


def decide(*granted: str) -> Decision:
    """What was agreed to, besides the necessary; `all` for everything."""
    categories = EVERYTHING if "all" in granted else NECESSARY_ONLY.union(map(Category, granted))
    return Decision(granted=categories, basis=Basis.GIVEN, decided=True)


NOTHING, ALL = decide(), decide("all")


def read_headers(lines: list[str]) -> RawHeaders:
    pairs = (line.encode("latin-1").partition(b": ") for line in lines)
    return tuple((name, value) for name, _, value in pairs)


def read_request(text: str) -> RequestHead:
    first, *lines = text.strip("\n").split("\n")
    method, target, version = first.split(" ")
    return RequestHead(method, target.encode("latin-1"), (1, int(version[-1])), read_headers(lines))


def read_response(text: str) -> ResponseHead:
    first, *lines = text.strip("\n").split("\n")
    version, status, reason = first.split(" ", 2)
    return ResponseHead(int(status), reason.encode("latin-1"), (1, int(version[-1])), read_headers(lines))


def up(text: str, decision: Decision = NOTHING, *, peer: Peer | None = None, **policy: str | bool) -> UpstreamRequest:
    return to_upstream(
        check(read_request(text)),
        decision,
        MATCHER,
        peer=peer or Peer(address="192.0.2.7", secure=True, trusted=False),
        policy=HeadPolicy(
            origin_host=str(policy.get("origin_host", "origin.internal:8000")),
            preserve_host=bool(policy.get("preserve_host", True)),
            own_cookie="cg_consent",
        ),
        variant=VARIANT,
    )


NAVIGATION = "GET /shop HTTP/1.1\nHost: site.example\nAccept: text/html\nAccept-Encoding: gzip, br"


def down(text: str, decision: Decision = NOTHING, *, request: str = NAVIGATION) -> ClientHead:
    return to_client(read_response(text), check(read_request(request)), decision, MATCHER, site=SITE, variant=VARIANT)


def told(withheld: tuple[Withheld, ...]) -> list[str]:
    return [
        f"withheld: {thing.kind} {thing.vendor} {thing.rule} {thing.host or '-'} {thing.action}" for thing in withheld
    ]


def written(headers: RawHeaders) -> list[str]:
    return [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in headers]


def show_up(sent: UpstreamRequest) -> str:
    facts = [f"body: {sent.body_length} {'chunked' if sent.chunked else 'plain'}", f"site: {sent.site}"]
    line = f"{sent.method} {sent.target.decode('latin-1')}"
    return "\n".join([line, *written(sent.headers), "", *facts, *told(sent.withheld)])


def show_down(sent: ClientHead) -> str:
    facts = [f"plan: {sent.plan} {sent.decode}->{sent.encode} charset={sent.charset or '-'} body={sent.has_body}"]
    facts += [f"degraded: {degraded}" for degraded in sent.degraded]
    line = f"{sent.status} {sent.reason.decode('latin-1')}".rstrip()
    return "\n".join([line, *written(sent.headers), "", *facts, *told(sent.withheld)])


def shown(path: Path) -> tuple[str, str]:
    """What a golden file shows, as it comes out and as it should."""
    head, given_head, expected = path.read_text("latin-1").split("---\n")
    told_settings = tomllib.loads(head)
    decision = decide(*told_settings.get("grant", ()))
    if path.name.startswith("up-"):
        peer = Peer(**{"address": "192.0.2.7", "secure": True, "trusted": False, **told_settings.get("peer", {})})
        result = show_up(up(given_head, decision, peer=peer, **told_settings.get("policy", {})))
    else:
        result = show_down(down(given_head, decision, request=told_settings.get("request", NAVIGATION)))
    return result, expected.strip("\n")


@pytest.mark.parametrize("path", sorted(HEADS.glob("*.txt")), ids=lambda path: path.stem)
def test_a_head_comes_out_as_its_file_shows(path: Path) -> None:
    """The files are read by people before a change of policy, and by this test after it."""
    result, expected = shown(path)
    assert result == expected


FIELD_NAMES = st.sampled_from(
    [b"Accept", b"accept", b"X-Custom", b"x-custom", b"X-CUSTOM", b"Referer", b"Cookie", b"DNT"]
)
FIELD_VALUES = st.binary(max_size=12).map(lambda value: bytes(byte for byte in value if byte > 31 and byte != 127))
FIELDS = st.lists(st.tuples(FIELD_NAMES, FIELD_VALUES), max_size=8).map(tuple)


@settings(max_examples=150, deadline=None)
@given(FIELDS)
def test_fields_that_no_rule_names_go_up_byte_for_byte_and_in_order(headers: RawHeaders) -> None:
    """Order, repeats, letter case and odd bytes are the client's business: sites rely on every one of them."""
    request = RequestHead("GET", b"/", (1, 1), (*headers, (b"Host", b"site.example")))
    peer = Peer(address="192.0.2.7", secure=False, trusted=False)
    policy = HeadPolicy(origin_host="o", preserve_host=True, own_cookie="cg_consent")
    sent = to_upstream(check(request), NOTHING, MATCHER, peer=peer, policy=policy, variant=VARIANT)
    assert sent.headers[: len(headers) + 1] == request.headers
    assert {name for name, _ in sent.headers[len(headers) + 1 :]} == {
        b"X-Forwarded-For",
        b"X-Forwarded-Proto",
        b"X-Forwarded-Host",
    }


ASSET_FIELDS = st.sampled_from(
    [b"ETag", b"Last-Modified", b"Vary", b"Cache-Control", b"X-A", b"x-a", b"Set-Cookie", b"Link"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(ASSET_FIELDS, FIELD_VALUES), max_size=8).map(tuple))
def test_an_asset_comes_down_byte_for_byte(headers: RawHeaders) -> None:
    """Validators, caching and bytes of what is not a page are none of ours."""
    response = ResponseHead(200, b"OK", (1, 1), ((b"Content-Type", b"text/css"), *headers, (b"Content-Length", b"3")))
    sent = to_client(response, read_request(NAVIGATION), NOTHING, MATCHER, site=SITE, variant=VARIANT)
    assert sent.headers == response.headers
    assert sent.plan is Plan.PASS


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=40),
    st.sampled_from([b"Link", b"Refresh", b"Report-To", b"Set-Cookie", b"Content-Type", b"ETag"]),
)
def test_no_field_value_makes_us_fail(value: bytes, name: bytes) -> None:
    """An origin's odd field must cost at most that field, never the page."""
    value = bytes(byte for byte in value if byte > 31 and byte != 127)
    response = ResponseHead(200, b"OK", (1, 1), ((b"Content-Type", b"text/html"), (name, value)))
    assert to_client(response, read_request(NAVIGATION), NOTHING, MATCHER, site=SITE, variant=VARIANT).status == 200


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"a=1", b" _trk=2", b'q="x; y"', b" b = 3 ", b"_cnt=4", b"", b" \xff=\xfe", b"cg_consent=v"])
    )
)
def test_the_cookies_that_stay_are_the_segments_that_came(segments: list[bytes]) -> None:
    """A cookie that is parsed and written again is a cookie that is changed: sessions are lost that way."""
    header = b";".join(segments)
    request = RequestHead("GET", b"/", (1, 1), ((b"Host", b"site.example"), (b"Cookie", header)))
    peer = Peer(address="192.0.2.7", secure=False, trusted=False)
    policy = HeadPolicy(origin_host="o", preserve_host=True, own_cookie="cg_consent")
    sent = to_upstream(check(request), NOTHING, MATCHER, peer=peer, policy=policy, variant=VARIANT)
    gone = {b"_trk", b"_cnt", b"cg_consent"}
    kept = [piece for piece in header.split(b";") if piece.partition(b"=")[0].strip() not in gone]
    cut = len(kept) < len(header.split(b";"))
    expected = b";".join(kept).strip() if cut else header
    assert list(field(sent.headers, b"cookie")) == ([expected] if expected or not cut else [])


@pytest.mark.parametrize("decision", [NOTHING, ALL], ids=["nothing", "everything"])
def test_what_is_kept_of_a_page_finds_its_way_back(decision: Decision) -> None:
    """A 304 saves the page's transfer: the tag that we hand out must come back to the origin as its own."""
    page = down('HTTP/1.1 200 OK\nContent-Type: text/html\nETag: W/"v1,2"', decision)
    (tag,) = field(page.headers, b"etag")
    again = up(f"{NAVIGATION}\nIf-None-Match: {tag.decode()}", decision)
    assert list(field(again.headers, b"if-none-match")) == [b'W/"v1,2"']
    not_modified = down(
        'HTTP/1.1 304 Not Modified\nETag: W/"v1,2"', decision, request=f"{NAVIGATION}\nIf-None-Match: {tag.decode()}"
    )
    assert list(field(not_modified.headers, b"etag")) == [tag]
