"""Start tags in pieces: every byte comes out once, in parts that no cut changes."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.page.attributes import attributes
from gateway.page.tag_stream import Begin, Part, TagStream, read_begin, whole_attributes
from tests.chunks import chunkings

Parts = list[tuple[Part, bytes]]


def parts_of(chunks: list[bytes], *, name: bytes, limit: int = 1000, passing: frozenset[bytes] = frozenset()) -> Parts:
    """The parts of a tag; what only came in more pieces is put together."""
    stream = TagStream(name_bytes=len(name), limit_bytes=limit, passing=passing)
    merged: Parts = []
    for chunk in chunks:
        for part, raw in stream.feed(chunk):
            if merged and part is merged[-1][0] and part in (Part.BETWEEN, Part.MORE):
                merged[-1] = (part, merged[-1][1] + raw)
            elif raw or part is Part.END:
                merged.append((part, raw))
    assert stream.is_over
    assert stream.rest == b""
    return merged


def name_of(tag: bytes) -> bytes:
    return re.split(rb"[\s/>]", tag[1:], maxsplit=1)[0]


TAGS = [
    b"<img>",
    b"<img/>",
    b"<img src=a alt='b'title=\"c\"/ >",
    b"<img\n src = 'a' / alt\t=b//>",
    b"<img src=a/>",
    b"<img a b=c d>",
    b"<img =a ==b c==d>",
    b"<img a='>' b=\">\" c=>",
    b"<img a=\"\" b=''>",
    b"<img a=b\"c'd>",
    b"<img a   =   b   c   >",
    b"<img/a/b=c/d>",
    b"<img x\"=1 y'>",
    b"<IMG SRC=a>",
    b"<p a<b=<c>",
]


@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("limit", [3, 5, 1000])
def test_a_tag_comes_out_in_the_same_parts_at_every_cut(tag: bytes, limit: int) -> None:
    """What is judged must not depend on how the page came, and no byte may get lost."""
    whole = parts_of([tag], name=name_of(tag), limit=limit)
    assert b"".join(raw for _, raw in whole) == tag
    for chunks in chunkings(tag):
        assert parts_of(chunks, name=name_of(tag), limit=limit) == whole


@pytest.mark.parametrize("tag", TAGS)
def test_attributes_are_those_that_a_whole_tag_has(tag: bytes) -> None:
    """The longer way must see what the shorter one sees."""
    parts = parts_of([tag], name=name_of(tag))
    found = [next(attributes(b"<a " + raw + b">")) for part, raw in parts if part is Part.WHOLE]
    assert [(each.name, each.value) for each in found] == [(each.name, each.value) for each in attributes(tag)]
    assert parts[-1] == (Part.CLOSE, b"/>" if tag == b"<img/>" else b">")


@given(
    st.lists(st.sampled_from([b"a", b"=", b"'", b'"', b" ", b"/", b"bc", b"<", b"\n"]), max_size=30).map(b"".join),
    st.lists(st.integers(0, 40), max_size=5),
    st.integers(1, 12),
)
@settings(max_examples=300, deadline=None)
def test_no_tag_and_no_cut_loses_a_byte(inner: bytes, cuts: list[int], limit: int) -> None:
    """Whatever stands in the tag, its parts join to it, and one that is longer than the limit is no attribute that is whole."""
    tag = b"<p " + inner + b"'>\">"
    places = [0, *sorted(cut for cut in cuts if cut < len(tag)), len(tag)]
    chunks = [tag[begin:end] for begin, end in pairwise(places)]
    stream = TagStream(name_bytes=1, limit_bytes=limit, passing=frozenset())
    found = [part for chunk in chunks for part in stream.feed(chunk)]
    joined = b"".join(raw for _, raw in found)
    assert tag == joined + (stream.rest if not stream.is_over else tag[len(joined) :])
    assert all(len(raw) <= limit for part, raw in found if part is Part.WHOLE)
    assert all(len(raw) == limit for part, raw in found if part is Part.BEGIN)


@pytest.mark.parametrize("length", [19, 20, 21])
def test_an_attribute_is_whole_up_to_the_limit(length: int) -> None:
    """A bound that is off by one is a bound that nobody knows."""
    attribute = b'src="' + b"x" * (length - 6) + b'"'
    for chunks in chunkings(b"<img " + attribute + b">"):
        parts = parts_of(chunks, name=b"img", limit=20)
        if length <= 20:
            assert (Part.WHOLE, attribute) in parts
        else:
            assert parts[1:] == [(Part.BEGIN, attribute[:20]), (Part.END, b'"'), (Part.CLOSE, b">")]


def test_no_more_than_the_limit_is_held() -> None:
    """Whatever the tag is made of: a name, a value, space."""
    for unit in (b"a", b" ", b"=", b"/", b"a=b ", b"a='b'"):
        stream = TagStream(name_bytes=1, limit_bytes=100, passing=frozenset())
        list(stream.feed(b"<p x='" if unit == b"'" else b"<p "))
        for _ in range(100):
            list(stream.feed(unit * 50))
            assert len(stream.rest) <= 100


def test_names_that_are_to_pass_are_not_told() -> None:
    """A tag of a million equal attributes is not worth a look at each."""
    tag = b"<p a=1 b=2 A=3 c a = 4>"
    for chunks in chunkings(tag):
        told = [raw for part, raw in parts_of(chunks, name=b"p", passing=frozenset({b"b", b"c"})) if part is Part.WHOLE]
        assert [raw for raw in told if raw[:1].lower() == b"a"] == [b"a=1", b"A=3", b"a = 4"]
    assert [part for part, _ in parts_of([tag], name=b"p", passing=frozenset({b"a", b"b", b"c"}))] == [
        Part.BETWEEN,
        Part.CLOSE,
    ]


@pytest.mark.parametrize(
    ("tag", "missing"),
    [
        (b"<p", b""),
        (b"<p a", b""),
        (b"<p a ", b""),
        (b"<p a=", b'""'),
        (b"<p a= ", b'""'),
        (b"<p a=b", b""),
        (b"<p a='b", b"'"),
        (b'<p a="', b'"'),
        (b"<p a='b'", b""),
        (b"<p a='b' /", b""),
    ],
)
def test_a_tag_that_is_cut_off_tells_what_it_lacks(tag: bytes, missing: bytes) -> None:
    """With that, and a ">", it can be ended."""
    for chunks in chunkings(tag):
        stream = TagStream(name_bytes=1, limit_bytes=1000, passing=frozenset())
        for chunk in chunks:
            list(stream.feed(chunk))
        assert not stream.is_over
        assert stream.missing == missing


def test_a_name_that_is_longer_than_it_was_known_to_be_goes_on() -> None:
    """Whoever cuts the page into tags may know no more than the begin of it."""
    tag = b'<abcdef="x" src=a>'
    for chunks in chunkings(tag):
        assert parts_of(chunks, name=b"abc", limit=4) == [
            (Part.BETWEEN, b'<abcdef="x" '),
            (Part.BEGIN, b"src="),
            (Part.MORE, b"a"),
            (Part.END, b""),
            (Part.CLOSE, b">"),
        ]


@pytest.mark.parametrize(
    ("raw", "begin"),
    [
        (b"src='abc", Begin(b"src", 5, b"'")),
        (b'SRC = "abc', Begin(b"src", 7, b'"')),
        (b"src=abc", Begin(b"src", 4, b"")),
        (b"src=  ", Begin(b"src", None, b"")),
        (b"src   ", Begin(b"src", None, b"")),
        (b"srcabc", Begin(b"", None, b"")),
        (b"=src='a", Begin(b"=src", 6, b"'")),
    ],
)
def test_the_begin_of_an_attribute_says_what_it_is(raw: bytes, begin: Begin) -> None:
    """What is decided about an attribute that is too long is decided by this."""
    assert read_begin(raw) == begin


def test_only_attributes_that_end_for_certain_are_whole() -> None:
    """`type=module` cut behind `mod` would say something else."""
    for tag, whole in [
        (b"<p a=b c='d", [b"a=b"]),
        (b"<p a=b c='d'", [b"a=b"]),
        (b"<p a=b c='d' ", [b"a=b"]),
        (b"<p a=b c='d' e", [b"a=b", b"c='d'"]),
        (b"<p a b ", [b"a"]),
        (b"<p a=b", []),
        (b"<p", []),
    ]:
        assert list(whole_attributes(tag)) == whole
