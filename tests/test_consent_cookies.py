import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent import cookies
from gateway.consent.model import Category, Signal

HERE = Path(__file__).parent
VECTOR_FILES = [HERE / "vectors" / "consent.json", HERE.parents[1] / "shared" / "vectors" / "consent.json"]
VECTORS: list[Any] = [
    vector for path in VECTOR_FILES if path.exists() for vector in json.loads(path.read_text("utf-8"))["cookie_split"]
]

# What a browser lets into a name and a value: anything but the separators, and no blanks at the ends.
NAMES = st.text(st.characters(max_codepoint=255, exclude_characters=";="), min_size=1).map(
    lambda text: text.strip(" \t")
)
VALUES = st.text(st.characters(max_codepoint=255, exclude_characters=";")).map(lambda text: text.strip(" \t"))
CATEGORIES = st.frozensets(st.sampled_from(Category))
VENDORS = st.frozensets(st.sampled_from(["youtube", "hotjar", "ontraport"]))
COPIES = st.builds(
    Signal,
    reader=st.just("own"),
    decided=st.booleans(),
    granted=CATEGORIES,
    refused=CATEGORIES,
    vendors_granted=VENDORS,
    vendors_refused=VENDORS,
    time=st.none() | st.integers(0, 3),
    note=st.sampled_from(["", "expired"]),
    readable=st.booleans(),
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["header"])
def test_a_header_is_split_as_browsers_join_it(vector: dict[str, Any]) -> None:
    """The usual splitters lose whole headers to one odd value, and with them what the visitor refused."""
    assert cookies.split(vector["header"]) == tuple(map(tuple, vector["pairs"]))


@given(st.lists(st.tuples(NAMES.filter(bool), VALUES), max_size=6))
@settings(max_examples=100, deadline=None)
def test_every_cookie_a_browser_sends_is_found_again(pairs: list[tuple[str, str]]) -> None:
    """Order and repeats tell of twins on host and parent domain; both must be seen."""
    assert cookies.split("; ".join(f"{name}={value}" for name, value in pairs)) == tuple(pairs)


@given(st.binary(max_size=80))
@settings(max_examples=100, deadline=None)
def test_any_bytes_can_be_split(value: bytes) -> None:
    """A hostile header must not cost the visitor the page, and the bytes of a value must survive."""
    for name, text in cookies.of([(b"Cookie", value)]):
        assert name.encode("latin-1") in value
        assert text.encode("latin-1") in value


def test_cookies_of_all_fields_count_whatever_the_case_of_the_name() -> None:
    """HTTP/2 sends one field a cookie; a front proxy may pass them on as they came."""
    headers = [(b"Host", b"a=0"), (b"cookie", b"a=1; b=\xff"), (b"Set-Cookie", b"c=3"), (b"COOKIE", b"a=2")]
    assert cookies.of(headers) == (("a", "1"), ("b", "\xff"), ("a", "2"))


def test_values_of_a_name_are_all_its_copies_in_order() -> None:
    """The first copy alone would let the narrower one be overlooked; names tell upper from lower case."""
    assert cookies.values_of((("a", "1"), ("A", "2"), ("a", ""), ("b", "3")), "a") == ("1", "")


@given(COPIES, COPIES)
@settings(max_examples=100, deadline=None)
def test_copies_of_a_cookie_grant_what_all_grant_and_refuse_what_any_refuses(one: Signal, other: Signal) -> None:
    """Nobody can tell which twin is newer, so neither may widen the other, in either order."""
    both = cookies.narrowest([one, other])
    assert both == cookies.narrowest([other, one])
    assert both.granted == one.granted & other.granted
    assert both.refused == one.refused | other.refused
    assert both.vendors_granted == one.vendors_granted & other.vendors_granted
    assert both.vendors_refused == one.vendors_refused | other.vendors_refused
    assert both.decided == (one.decided and other.decided)
    assert both.readable == (one.readable and other.readable)
    if None in (one.time, other.time) and one != other:
        assert both.time is None
    assert (both.note == cookies.DIFFERENT_COPIES) == (one != other)


def test_equal_copies_are_one() -> None:
    """The same cookie on two paths is common and nothing odd."""
    copy = Signal("own", decided=True, granted=frozenset({Category.ANALYTICS}), time=5)
    assert cookies.narrowest([copy, copy]) == copy


def test_the_older_of_two_times_counts() -> None:
    """A choice must not live longer because a younger copy stands beside it."""
    one, other = (Signal("own", decided=True, time=time) for time in (7, 5))
    assert cookies.narrowest([one, other]).time == 5
