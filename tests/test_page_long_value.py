"""Long attribute values: an honest one keeps every byte, whatever its spelling and wherever the page is cut."""

import html
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.page.attributes import decode_references
from gateway.page.long_value import LongValue, References, escaped
from tests.chunks import chunkings

VALUES = [
    "plain text",
    "a &amp; b &lt;c&gt; &quot;d&quot; &#39;e&#x27;",
    "&copy &copy; &copy=1 &copyx &notin; &notit; &not",
    "&#104;&#x68;&#X68;&#000104;&#104 &#x68g &#; &#x; & &&amp;",
    "caf\xe9 &eacute; \u20ac &euro; \U0001d11e",
    "&NotEqualTilde;&ngE;&#1114112;&#xd800;&#128;",
]


class Unchanged:
    """A filter that gives what it takes, late: it holds one byte back."""

    def __init__(self) -> None:
        self.taken = b""
        self.closed = 0

    def feed(self, data: bytes) -> bytes:
        """All but the last byte."""
        held, self.taken = self.taken[-1:], self.taken + data
        return (held + data)[:-1] if data else b""

    def close(self) -> bytes:
        """The last byte."""
        self.closed += 1
        return self.taken[-1:]


class Marker:
    """A filter that writes `!` for every `x`."""

    def feed(self, data: bytes) -> bytes:
        """The text, marked."""
        return data.replace(b"x", b"!")

    def close(self) -> bytes:
        """Nothing was held."""
        return b""


def through(chunks: list[bytes], value: LongValue) -> bytes:
    return b"".join(map(value.feed, chunks)) + value.close()


@pytest.mark.parametrize("text", VALUES)
@pytest.mark.parametrize("codec", ["utf-8", "cp1252", "cp932", "gb18030"])
def test_references_are_decoded_as_in_a_whole_value_at_every_cut(text: str, codec: str) -> None:
    """A vendor's host may be spelt in numbers that two pieces share."""
    raw = text.encode(codec, "xmlcharrefreplace")
    for chunks in chunkings(raw):
        references = References(codec)
        out = b""
        for count, chunk in enumerate(chunks, start=1):
            out += references.feed(chunk)
            seen = sum(map(len, chunks[:count]))
            held = references.held_bytes
            assert out.decode() == decode_references(raw[: seen - held].decode(codec))
        out += references.feed(b"", final=True)
        assert out.decode() == decode_references(raw.decode(codec))


@pytest.mark.parametrize("text", VALUES)
@pytest.mark.parametrize("limit", [32, 100, 1000])
def test_a_value_that_the_filter_leaves_as_it_is_keeps_its_spelling(text: str, limit: int) -> None:
    """Everything else is byte-identical."""
    raw = text.encode()
    for chunks in chunkings(raw):
        unchanged = Unchanged()
        assert through(chunks, LongValue(unchanged, codec="utf-8", limit_bytes=limit, bare=False)) == raw
        assert unchanged.taken.decode() == decode_references(text)
        assert unchanged.closed == 1


@pytest.mark.parametrize("bare", [True, False])
def test_from_the_first_change_on_a_value_is_spelt_anew(bare: bool) -> None:
    """What comes out must decode to what the filter gave, in either quoting or none."""
    raw = b"&lt;a&gt;'\"  =`" * 5 + b"x" + b"&lt;\xc3\xa9 \"'=" * 5
    expected = decode_references(raw.decode()).replace("x", "!")
    outs = {
        through(chunks, LongValue(Marker(), codec="cp1252", limit_bytes=64, bare=bare))
        for chunks in chunkings(raw.decode().encode("cp1252"))
    }
    assert len(outs) == 1
    out = outs.pop()
    assert html.unescape(out.decode("cp1252")) == expected
    assert out.startswith(b"&lt;a&gt;'\"  =`" * 4)
    tail = out[out.index(b"!") :]
    assert not set(tail) & set(b"\"'<>")
    assert not (bare and set(tail) & set(b" =`"))


@given(st.text(alphabet="ax&;#1quotlt<\xe9", max_size=60), st.lists(st.integers(0, 60), max_size=4), st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_no_cut_and_no_block_changes_what_comes_out(text: str, cuts: list[int], limit: int) -> None:
    """The blocks are counted from the begin of the value, not from that of a piece."""
    raw = text.encode()
    places = [0, *sorted(cut for cut in cuts if cut < len(raw)), len(raw)]
    chunks = [raw[begin:end] for begin, end in pairwise(places)]
    value = LongValue(Marker(), codec="utf-8", limit_bytes=limit, bare=False)
    out = through(chunks, value)
    again = LongValue(Marker(), codec="utf-8", limit_bytes=limit, bare=False)
    assert out == through([raw], again)
    if not value.is_cut:
        assert decode_references(out.decode()) == decode_references(text).replace("x", "!")


@pytest.mark.parametrize("zeros", [30, 300])
def test_a_character_that_has_no_end_ends_the_value(zeros: int) -> None:
    """`&#000…` may go on for megabytes and still be one letter; nobody waits for it."""
    raw = b"abc &#" + b"0" * zeros + b"120; def"
    outs = set()
    for chunks in ([raw], [raw[:50], raw[50:]], [raw[at : at + 1] for at in range(len(raw))]):
        value = LongValue(Marker(), codec="utf-8", limit_bytes=64, bare=False)
        outs.add(through(chunks, value))
        assert value.is_cut == (zeros == 300)
    assert outs == {b"abc "} if zeros == 300 else {b"abc ! def"}


def test_what_a_page_cannot_spell_is_written_as_a_number() -> None:
    """The page's encoding need not have every character that a reference can name."""
    assert escaped("\u20ac\xe9<", "latin-1", bare=False) == b"&#8364;\xe9&lt;"
