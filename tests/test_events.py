import json
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.model import EVERYTHING, NECESSARY_ONLY, Basis, Category, Decision, Signal
from gateway.events import (
    LIMITS,
    Dropped,
    DropReason,
    Event,
    Kept,
    Recipient,
    Refusal,
    Refused,
    admit,
    from_json,
    minimise,
    to_json,
)

NOW_MS = 1_780_000_000_000
FRESH = "fresh-id-0001"
AGREED = Decision(granted=NECESSARY_ONLY | {Category.ANALYTICS}, basis=Basis.CHOICE, decided=True)
NOBODY_ASKED = Decision(granted=NECESSARY_ONLY, basis=Basis.NO_CHOICE, decided=False)
ANALYTICS = frozenset({Category.ANALYTICS})
MARKETING = frozenset({Category.MARKETING})
WAREHOUSE = Recipient("warehouse", ANALYTICS)
NEWSLETTER = Recipient("newsletter", MARKETING)


def admitted(
    body: object, decision: Decision = AGREED, recipients: tuple[Recipient, ...] = (WAREHOUSE,)
) -> Kept | Dropped | Refused:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return admit(
        raw, decision=decision, needs=ANALYTICS, recipients=recipients, fresh_id=FRESH, now_ms=NOW_MS, limits=LIMITS
    )


def event(body: object) -> Event:
    kept = admitted(body)
    assert isinstance(kept, Kept), kept
    return kept.event


def test_a_page_view_is_kept_with_its_fields() -> None:
    """The one thing that every site sends must arrive as it was sent."""
    kept = admitted(
        {
            "name": "page_view",
            "id": "0123-abc_DEF",
            "url": "https://site.example/shop/tea",
            "title": "Tea",
            "referrer": "https://search.example/",
            "props": {"logged_in": False, "items": [1, 2.5, None, "x"]},
            "time": NOW_MS - 5,
        }
    )
    assert kept == Kept(
        Event(
            id="0123-abc_DEF",
            name="page_view",
            url="https://site.example/shop/tea",
            title="Tea",
            referrer="https://search.example/",
            props={"logged_in": False, "items": [1, 2.5, None, "x"]},
            time=NOW_MS - 5,
            received=NOW_MS,
            decision=AGREED,
        ),
        ("warehouse",),
    )


def test_only_a_name_is_needed() -> None:
    """The least beacon gets an id and a time from the gateway."""
    assert event({"name": "x"}) == Event(id=FRESH, name="x", time=NOW_MS, received=NOW_MS, decision=AGREED)


@pytest.mark.parametrize("body", [b'{"name":"x"}', b"", b"{", b'{"consent":{"analytics":true},"name":"x"}'])
def test_without_consent_the_body_has_no_say(body: bytes) -> None:
    """What nobody agreed to is not even parsed: no claim in it and no fault of it can matter."""
    assert admitted(body, NOBODY_ASKED) == Dropped(DropReason.NO_CONSENT)


def test_each_destination_gets_only_what_was_granted_for_it() -> None:
    """Consent to measuring is no consent to advertising, also when both start from one event."""
    both = (WAREHOUSE, NEWSLETTER)
    kept = admitted({"name": "x"}, AGREED, both)
    assert isinstance(kept, Kept)
    assert kept.destinations == ("warehouse",)
    kept = admitted({"name": "x"}, replace(AGREED, granted=EVERYTHING), both)
    assert isinstance(kept, Kept)
    assert kept.destinations == ("warehouse", "newsletter")


@pytest.mark.parametrize("recipients", [(), (NEWSLETTER,)])
def test_an_event_that_nobody_may_have_is_not_kept(recipients: tuple[Recipient, ...]) -> None:
    """Personal data without a purpose must not be stored."""
    assert admitted({"name": "x"}, AGREED, recipients) == Dropped(DropReason.NO_DESTINATION)


def test_the_signals_of_the_request_do_not_travel_with_the_event() -> None:
    """What was read of cookies belongs to the request, not into a store."""
    decision = replace(AGREED, signals=(Signal("own", decided=True, granted=ANALYTICS),))
    kept = admitted({"name": "x"}, decision)
    assert isinstance(kept, Kept)
    assert kept.event.decision.signals == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"name": NaN}',
        b'{"name": "x", "time": Infinity}',
        b'{"name": "x", "time": 1e999}',
        b'{"name": "\\ud800"}',
        b'{"name": "x", "props": ' + b"[" * 2000,
        b'{"name": "x"} trailing',
    ],
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    """Parsers that are kinder disagree with each other about what was said."""
    refused = admitted(body)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.NOT_JSON


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        None,
        {},
        {"name": None},
        {"name": 1},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "x", "id": 12345678},
        {"name": "x", "id": None},
        {"name": "x", "id": "seven77"},
        {"name": "x", "id": "has space"},
        {"name": "x", "id": "newline-\n"},
        {"name": "x", "url": {}},
        {"name": "x", "url": "/relative"},
        {"name": "x", "url": "javascript:alert(1)"},
        {"name": "x", "props": []},
        {"name": "x", "props": None},
        {"name": "x", "time": "now"},
        {"name": "x", "time": True},
        {"name": "x", "time": None},
        {"name": "x", "consent": ["analytics"]},
    ],
    ids=str,
)
def test_what_has_another_shape_is_refused(body: object) -> None:
    """A field that is silently ignored is a fault that its author never finds; a claim of consent is one too."""
    refused = admitted(body)
    assert isinstance(refused, Refused)
    assert refused.reason is Refusal.WRONG_SHAPE
    assert refused.detail


def nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("make", "limit"),
    [
        (lambda n: {"name": "x" * n}, LIMITS.name_chars),
        (lambda n: {"name": "x", "id": "x" * n}, 64),
        (lambda n: {"name": "x", "url": "https://site.example/" + "x" * (n - 21)}, LIMITS.url_chars),
        (lambda n: {"name": "x", "props": {str(i): i for i in range(n)}}, LIMITS.props_values),
        (lambda n: {"name": "x", "props": {"a": list(range(n - 1))}}, LIMITS.props_values),
        (lambda n: {"name": "x", "props": nested(n)}, LIMITS.props_depth),
        (lambda n: {"name": "x", "props": {"a" * n: 1}}, LIMITS.key_chars),
        (lambda n: {"name": "x", "props": {"a": "é" * n}}, LIMITS.text_chars),
    ],
    ids=["name", "id", "url", "values", "list", "depth", "key", "text"],
)
def test_a_limit_is_kept_to_the_last_one(make: object, limit: int) -> None:
    """Bounds are what keeps the store and every destination safe from one page."""
    assert callable(make)
    assert isinstance(admitted(make(limit - 1)), Kept)
    assert isinstance(admitted(make(limit)), Kept)
    assert isinstance(admitted(make(limit + 1)), Refused)


def test_a_long_title_is_cut_and_a_long_referrer_left_out() -> None:
    """Neither is the page author's fault: the event must not be lost for them."""
    assert event({"name": "x", "title": "t" * (LIMITS.title_chars + 1)}).title == "t" * LIMITS.title_chars
    assert event({"name": "x", "referrer": "https://a.example/" + "x" * LIMITS.url_chars}).referrer == ""
    assert event({"name": "x", "referrer": "android-app://com.example"}).referrer == ""


@pytest.mark.parametrize(
    ("time", "kept"),
    [
        (NOW_MS, NOW_MS),
        (NOW_MS + 1, NOW_MS),
        (NOW_MS - LIMITS.past_ms, NOW_MS - LIMITS.past_ms),
        (NOW_MS - LIMITS.past_ms - 1, NOW_MS - LIMITS.past_ms),
        (0, NOW_MS - LIMITS.past_ms),
        (-1e300, NOW_MS - LIMITS.past_ms),
        (10**30, NOW_MS),
        (NOW_MS - 0.5, NOW_MS - 1),
    ],
)
def test_a_clock_that_is_wrong_is_brought_into_bounds(time: float, kept: int) -> None:
    """Visitors' clocks are off by years; the order of events must survive the honest ones."""
    assert event({"name": "x", "time": time}).time == kept


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://site.example/a?mail=ann%40site.example#top", "https://site.example/a"),
        ("https://ann:secret@site.example:8443/a", "https://site.example:8443/a"),
        ("HTTPS://SITE.example:443/A/../B", "https://site.example/B"),
        ("http://münchen.example", "http://xn--mnchen-3ya.example/"),
        ("  https://site.example/a\t", "https://site.example/a"),
        ("", ""),
        ("data:text/html,x", ""),
        ("https://", ""),
    ],
)
def test_an_address_loses_what_may_name_a_person(address: str, kept: str) -> None:
    """Queries, fragments and credentials carry mail addresses, tokens and click ids."""
    assert minimise(address) == kept


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["name", "id", "url", "title", "referrer", "props", "time", "other"]),
        JSON | st.just("https://site.example/x?y=z"),
        max_size=8,
    )
)
def test_whatever_is_sent_is_kept_within_bounds_or_refused(fields: dict[str, object]) -> None:
    """No beacon may raise, and nothing that is kept may fail on its way through the store."""
    outcome = admitted(json.dumps(fields).encode("utf-8", "surrogatepass"))
    if isinstance(outcome, Kept):
        assert from_json(to_json(outcome.event)) == outcome.event
        assert "?" not in outcome.event.url + outcome.event.referrer


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_answer(body: bytes) -> None:
    """Whatever a stranger sends, the endpoint must not fail."""
    assert isinstance(admitted(body), Kept | Refused)


def test_an_event_is_the_same_after_the_store() -> None:
    """The decision travels with the event: without it, delivery could not check consent again."""
    decision = Decision(
        granted=EVERYTHING,
        basis=Basis.PLATFORM,
        decided=True,
        vendors_granted=frozenset({"a", "b"}),
        vendors_refused=frozenset({"c"}),
    )
    kept = Event(id="12345678", name="é", time=1, received=2, decision=decision, props={"a": [{"b": None}]})
    assert from_json(to_json(kept)) == kept
    assert orjson.loads(to_json(kept))["consent"] == {
        "granted": ["analytics", "functional", "marketing", "necessary"],
        "basis": "platform",
        "decided": True,
        "vendors_granted": ["a", "b"],
        "vendors_refused": ["c"],
    }


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"consent": 1}', b"\x00", b'{"consent": {"granted": ["all"]}}'])
def test_what_is_no_stored_event_is_told_apart(body: bytes) -> None:
    """A row that cannot be read must become a buried one, not the end of the delivery."""
    with pytest.raises(ValueError, match=r".+"):
        from_json(body)
