import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent import cmp, cookies
from gateway.consent.model import OPTIONAL, Category, Signal

HERE = Path(__file__).parent
VECTOR_FILES = [HERE / "vectors" / "consent.json", HERE.parents[1] / "shared" / "vectors" / "consent.json"]
VECTORS: list[Any] = [
    vector
    for path in VECTOR_FILES
    if path.exists()
    for vector in json.loads(path.read_text("utf-8"))["cmp_cookies"]
    if vector["cmp"] in cmp.READERS
]
NAMES = {"onetrust": ("OptanonConsent", "OptanonAlertBoxClosed"), "cookiebot": ("CookieConsent",)}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['cmp']}: {vector['name']}")
def test_a_platforms_cookies_are_read(vector: dict[str, Any]) -> None:
    """Most sites ask through a platform; what it recorded is the visitor's answer."""
    signal = cmp.READERS[vector["cmp"]](cookies.split(vector["cookie"]))
    assert signal is not None
    expected = vector["expect"]
    assert signal.reader == vector["cmp"]
    assert signal.decided == expected["decided"]
    assert {category.value: signal.answer(category) for category in OPTIONAL} == expected["categories"]
    assert not signal.granted & signal.refused
    for key in ("readable", "note", "time"):
        if key in expected:
            assert getattr(signal, key) == expected[key]


@pytest.mark.parametrize("reader", cmp.READERS)
def test_a_platform_that_is_not_there_says_nothing(reader: str) -> None:
    """A source that is absent must not count as a refusal, nor as anything else. Cookie names tell upper from lower case."""
    others = [(name.lower(), "-1") for name in NAMES[reader]]
    others += [(name, "-1") for other, names in NAMES.items() if other != reader for name in names]
    assert cmp.READERS[reader](()) is None
    assert cmp.READERS[reader](tuple(others)) is None


@pytest.mark.parametrize("reader", cmp.READERS)
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_value_over_the_limit_is_not_looked_at(reader: str, over: int) -> None:
    """Parsing time is bounded by the visitor's browser no more than the header is."""
    head, tail = {
        "onetrust": ("version=1&groups=C0002%3A1&x=", ""),
        "cookiebot": ("{statistics:true,method:'explicit',stamp:'", "'}"),
    }[reader]
    value = head + "x" * (cmp.VALUE_LIMIT_CHARS + over - len(head + tail)) + tail
    pairs = ((NAMES[reader][0], value), ("OptanonAlertBoxClosed", "2026-01-05T08:30:00Z"))
    signal = cmp.READERS[reader](pairs)
    if over > 0:
        assert signal == Signal(reader, decided=False, note="over limit", readable=False)
    else:
        assert signal is not None
        assert signal.decided
        assert signal.granted == {Category.ANALYTICS}


@pytest.mark.parametrize(
    "date",
    [
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "2026-02-30",
        "1",
        "%00",
        "2026-01-05T08:30:00" + "0" * 5000,
    ],
)
def test_a_strange_date_is_no_fault(date: str) -> None:
    """Dates at the ends of the calendar overflow in arithmetic, not in the parser."""
    signal = cmp.onetrust((("OptanonConsent", "version=1&groups=2:0"), ("OptanonAlertBoxClosed", date)))
    assert signal is not None
    assert signal.answer(Category.ANALYTICS) is False


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_cookie_can_break_a_reader(data: st.DataObject) -> None:
    """Anybody can send anything; a reader that raised would take the page down, one that guessed would let vendors in."""
    reader = data.draw(st.sampled_from(sorted(cmp.READERS)))
    values = st.text(max_size=60) | st.from_regex(r"[-{}:',%=&+0-9A-Za-z]{0,40}", fullmatch=True)
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(NAMES[reader]), values), min_size=1, max_size=4))
    signal = cmp.READERS[reader](tuple(pairs))
    assert signal is not None
    assert signal.readable or not signal.granted
    assert not signal.granted & signal.refused


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_cookie_is_read_or_refused_but_never_raises(data: st.DataObject) -> None:
    """Cookies arrive cut off, spliced and re-encoded; damage near the true format reaches deeper than noise does."""
    vector = data.draw(st.sampled_from(VECTORS))
    text = vector["cookie"]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    damaged = text[:start] + data.draw(st.text(max_size=6)) + text[end:]
    signal = cmp.READERS[vector["cmp"]](cookies.split(damaged))
    if signal is not None:
        assert signal.readable or not signal.granted
        assert not signal.granted & signal.refused


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_a_cookie_cut_off_never_grants_more(data: st.DataObject) -> None:
    """A cookie cut at a browser's or a proxy's limit must not lose its refusals and keep its grants unnoticed."""
    single = [vector for vector in VECTORS if vector["cmp"] == "cookiebot" and ";" not in vector["cookie"]]
    vector = data.draw(st.sampled_from(single))
    whole = cmp.cookiebot(cookies.split(vector["cookie"]))
    cut = cmp.cookiebot(cookies.split(vector["cookie"][: data.draw(st.integers(15, len(vector["cookie"])))]))
    assert whole is not None
    if cut is not None:
        assert cut.granted <= whole.granted
