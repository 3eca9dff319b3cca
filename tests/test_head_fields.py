"""The small grammars that fields are written in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.head.fields import Lines, split_links, split_list, tokens, unquote, without


@pytest.mark.parametrize(
    ("value", "pieces"),
    [
        (b"", [b""]),
        (b"a", [b"a"]),
        (b"a, b,,c", [b"a", b" b", b"", b"c"]),
        (b'a="x,y", b', [b'a="x,y"', b" b"]),
        (b'a="\\",", b', [b'a="\\","', b" b"]),
        (b'a="open, b', [b'a="open, b']),
        (b'a="open\\', [b'a="open\\']),
        (b"<a,b>,c", [b"<a", b"b>", b"c"]),
    ],
)
def test_a_list_is_cut_at_commas_outside_quotes(value: bytes, pieces: list[bytes]) -> None:
    """A comma inside a quoted string is a letter."""
    assert split_list(value) == pieces


@pytest.mark.parametrize(
    ("value", "pieces"),
    [
        (b"<a,b>; x, <c>", [b"<a,b>; x", b" <c>"]),
        (b'<a>; t="<,", <c>', [b'<a>; t="<,"', b" <c>"]),
        (b'<a",b>, <c>', [b'<a",b>', b" <c>"]),
        (b"<a, <c>, d", [b"<a, <c>", b" d"]),
        (b"<open, x", [b"<open, x"]),
    ],
)
def test_links_are_cut_at_commas_outside_brackets(value: bytes, pieces: list[bytes]) -> None:
    """URLs hold commas; a URL cut in two would be judged as two harmless halves."""
    assert split_links(value) == pieces


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='a,"\\<> ;=', max_size=30).map(str.encode))
def test_the_pieces_of_a_list_are_the_list(value: bytes) -> None:
    """What is not removed goes on as it came, so nothing may be lost in the cutting."""
    assert b",".join(split_list(value)) == value
    assert b",".join(split_links(value)) == value
    assert without(value, split_list, lambda _: False) is value
    assert without(value, split_list, lambda _: True) is None


def test_the_words_of_token_fields_are_read_in_lower_case() -> None:
    """Connection, Vary and Content-Encoding are lists in several lines."""
    assert tokens([b" A ,b,, ", b"C"]) == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("text", "said"), [(b"a", b"a"), (b'"a b"', b"a b"), (b'"a\\"b"', b'a"b'), (b'"open', b"open"), (b'"', b"")]
)
def test_a_quoted_string_says_what_stands_inside(text: bytes, said: bytes) -> None:
    """Relations and charsets come with and without quotes."""
    assert unquote(text) == said


def test_lines_keep_their_place_when_one_is_changed() -> None:
    """Order and spelling of what is not changed are the sender's."""
    lines = Lines(((b"A", b"1"), (b"b", b"2"), (b"B", b"3"), (b"C", b"4")))
    lines.put(b"B", b"5")
    lines.add(b"D", b"6")
    lines.edit(b"c", lambda value: value + b"!")
    assert lines.raw() == ((b"A", b"1"), (b"b", b"5"), (b"C", b"4!"), (b"D", b"6"))
    lines.drop({b"a", b"d"})
    assert lines.names() == {b"b", b"c"}
    assert b"a" not in lines
    assert b"b" in lines
