"""Traces: every place where a rule could have something to say is told, by either search."""

import importlib.util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.vendors import traces
from gateway.vendors.traces import Traces

HAS_HYPERSCAN = importlib.util.find_spec("hyperscan") is not None
HOSTS = ["tracker.example", "t.co", "sub.tracker.example"]
TEXTS = [b"_tq.push(", b"/f/Embed", b"a&b"]
MARKS = [b"tracked-form"]


@pytest.fixture(params=["hyperscan", "aho-corasick"], autouse=True)
def _search(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both searches answer alike; the faster one is not there on every platform."""
    if request.param == "aho-corasick":
        monkeypatch.setattr(traces, "hyperscan", None)
    elif not HAS_HYPERSCAN:
        pytest.skip("hyperscan has no wheel for this platform")


def made() -> Traces:
    return Traces(hosts=HOSTS, texts=TEXTS, marks=MARKS)


@pytest.mark.parametrize(
    ("data", "found", "marked"),
    [
        (b"nothing at all", False, False),
        (b"//tracker.example/", True, False),
        (b"//TRACKER.Example:80", True, False),
        (b"//a.tracker.example.", True, False),
        (b"tracker.example", True, False),
        (b"//mytracker.example/", False, False),
        (b"//tracker.examples/", False, False),
        (b"//tracker-example/", False, False),
        (b"//support.com//t.com", False, False),
        (b"//t.co", True, False),
        (b"x=_TQ.PUSH(1)", True, False),
        (b"/f/embed.js", True, False),
        (b"a&b", True, False),
        (b"<form class=Tracked-Form>", False, True),
        (b"//tr%61cker.example/", True, False),
        (b"//\xef\xbd\x94racker.example/", True, False),
        (b"//tra\tcker.example/", True, False),
        (rb'"https:\/\/tr%61cker.example\/"', True, False),
        (b"//other.example/a%20b", False, False),
        (b"//other.example?\xc3\xa4", False, False),
        (b"", False, False),
    ],
)
def test_a_text_of_a_rule_is_found_wherever_it_stands(data: bytes, found: bool, marked: bool) -> None:
    """A trace that is not told is a vendor that is passed over; one too many costs a look."""
    places = made().within(data)
    assert (bool(places.traces), bool(places.marks)) == (found, marked)


def test_places_lie_inside_what_was_found_in_order() -> None:
    """A run that ends before such a place cannot hold the whole of it."""
    data = b"<a> //t.co/ <b> _tq.push( tracked-form <c> //sub.tracker.example/"
    places = made().within(data)
    assert places.traces == sorted(places.traces)
    for text in (b"t.co", b"_tq.push(", b"sub.tracker.example"):
        begin = data.index(text)
        assert any(begin < place < begin + len(text) for place in places.traces)
    assert [data[place - 11 : place + 1] for place in places.marks] == [b"tracked-form"]


@pytest.mark.parametrize(
    ("code", "texts", "names_host"),
    [
        (b"f()", set(), False),
        (b"_tq.push(1); _TQ.push(2)", {b"_tq.push("}, False),
        (b"load('//t.co/x'); a&b", {b"a&b"}, True),
        (b"support.com tracked-form", set(), False),
        (b"'//%74.co'", set(), True),
    ],
)
def test_code_is_asked_for_its_texts_and_for_hosts(code: bytes, texts: set[bytes], names_host: bool) -> None:
    """Which signatures to try, and whether its strings are to be read at all."""
    assert made().in_code(code) == (texts, names_host)


def test_without_rules_there_is_no_trace() -> None:
    """A gateway without rules passes everything."""
    nothing = Traces(hosts=[], texts=[], marks=[])
    assert nothing.within(b"<script src=//tracker.example/>") == ([], [])


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from([*HOSTS, "//", "/", ".", "a", "-", "%74", "\u00e4", '"', " ", "_tq.push(", "\t"]), max_size=12
    )
)
def test_no_host_in_plain_spelling_is_overlooked(parts: list[str]) -> None:
    """Found as a slow search over whole labels finds it."""
    text = "".join(parts)
    labelled = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-"
    expected = any(
        text.startswith(host, at)
        and (at == 0 or text[at - 1] not in labelled)
        and (at + len(host) == len(text) or text[at + len(host)] not in labelled)
        for host in HOSTS
        for at in range(len(text))
    )
    if expected:
        assert made().within(text.encode()).traces
