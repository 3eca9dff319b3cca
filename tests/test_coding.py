"""Content codings as streams: every cut, every limit, everything that browsers forgive and what nobody does."""

import gzip
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.coding import DECODABLE, IDENTITY, PAGE_LIMITS, BrokenCoding, DecoderLimits, canonical, decoder, encoder
from tests.chunks import chunkings

PAGE = b"<!doctype html><title>caf\xc3\xa9</title>" + b"<p>again and again</p>" * 6
LIMITS = DecoderLimits(piece_bytes=64, ratio=200, ratio_after_bytes=1024, members=4)


def bare(data: bytes, level: int = 6) -> bytes:
    stream = zlib.compressobj(level, zlib.DEFLATED, -15)
    return stream.compress(data) + stream.flush()


def decode(name: str, chunks: Iterable[bytes], limits: DecoderLimits = LIMITS) -> bytes:
    stream = decoder(name, limits=limits)
    out = [piece for chunk in chunks for piece in stream.feed(chunk)]
    out += stream.close()
    assert all(0 < len(piece) <= limits.piece_bytes for piece in out)
    return b"".join(out)


CODED = {
    "gzip": ("gzip", gzip.compress(PAGE, mtime=0)),
    "gzip by its old name": ("X-GZIP", gzip.compress(PAGE, mtime=0)),
    "gzip in two members": ("gzip", gzip.compress(PAGE[:50], mtime=0) + gzip.compress(PAGE[50:], mtime=0)),
    "gzip with an empty member": ("gzip", gzip.compress(b"", mtime=0) + gzip.compress(PAGE, mtime=0)),
    "gzip and garbage": ("gzip", gzip.compress(PAGE, mtime=0) + b"\0\0\0\0"),
    "gzip and half a magic": ("gzip", gzip.compress(PAGE, mtime=0) + b"\x1f"),
    "gzip and nearly a magic": ("gzip", gzip.compress(PAGE, mtime=0) + b"\x1f\x1f\x8b"),
    "deflate as the standard says": ("deflate", zlib.compress(PAGE)),
    "deflate in a small window": ("deflate", zlib.compress(PAGE, wbits=9)),
    "deflate without its header": ("deflate", bare(PAGE)),
    "deflate stored without its header": ("deflate", bare(PAGE, level=0)),
    "deflate and garbage": ("deflate", zlib.compress(PAGE) + b"garbage"),
    "bare deflate and garbage": ("deflate", bare(PAGE) + b"garbage"),
    "identity": ("identity", PAGE),
}


@pytest.mark.parametrize("name", CODED)
def test_a_body_is_the_same_however_it_was_cut(name: str) -> None:
    """The network cuts where it likes."""
    coding, coded = CODED[name]
    for chunks in chunkings(coded):
        assert decode(coding, chunks) == PAGE


@pytest.mark.parametrize("coding", [*DECODABLE, IDENTITY])
def test_an_empty_body_is_an_empty_body(coding: str) -> None:
    """Servers put Content-Encoding on answers without a body; browsers show an empty page."""
    assert decode(coding, []) == b""
    assert decode(coding, [b"", b""]) == b""


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "not gzip": ("gzip", b"<!doctype html>", "damaged"),
    "gzip cut off": ("gzip", gzip.compress(PAGE, mtime=0)[:-9], "cut off"),
    "gzip without its last byte": ("gzip", gzip.compress(PAGE, mtime=0)[:-1], "cut off"),
    "gzip of one byte": ("gzip", b"\x1f", "cut off"),
    "gzip with a wrong check sum": ("gzip", gzip.compress(PAGE, mtime=0)[:-8] + b"\0" * 8, "damaged"),
    "gzip damaged inside": ("gzip", gzip.compress(PAGE, mtime=0)[:10] + b"\xff" * 40, "damaged"),
    "second member cut off": ("gzip", gzip.compress(PAGE, mtime=0) + gzip.compress(PAGE, mtime=0)[:20], "cut off"),
    "deflate cut off": ("deflate", zlib.compress(PAGE)[:-1], "cut off"),
    "bare deflate cut off": ("deflate", bare(PAGE)[:-1], "cut off"),
    "deflate of one byte": ("deflate", b"\x78", "cut off"),
    "deflate with a wrong check sum": ("deflate", zlib.compress(PAGE)[:-4] + b"\0" * 4, "damaged"),
    "deflate with a dictionary": ("deflate", b"\x78\xbb" + zlib.compress(PAGE)[2:], "damaged"),
    "not deflate": ("deflate", b"\xff" * 20, "damaged"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_broken_at_every_cut(name: str) -> None:
    """A body that ends early must never look complete."""
    coding, coded, reason = BROKEN[name]
    for chunks in chunkings(coded):
        with pytest.raises(BrokenCoding) as caught:
            decode(coding, chunks)
        assert caught.value.reason == reason


@pytest.mark.parametrize("member", [b"", b"x"], ids=["empty", "short"])
@pytest.mark.parametrize(("count", "passes"), [(3, True), (4, True), (5, False)])
def test_gzip_members_are_counted(member: bytes, count: int, passes: bool) -> None:
    """Ten thousand members of twenty bytes would cost more than the largest page."""
    coded = gzip.compress(member, mtime=0) * count
    for chunks in ([coded], [coded[at : at + 1] for at in range(len(coded))]):
        if passes:
            assert decode("gzip", chunks) == member * count
        else:
            with pytest.raises(BrokenCoding, match="too many members"):
                decode("gzip", chunks)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, bare], ids=["gzip", "deflate", "bare"])
def test_a_bomb_is_stopped_at_its_first_step_beyond_the_limit(pack: Callable[[bytes], bytes]) -> None:
    """The ratio counts from the limit on, in steps of a piece, and in the same place for every cut."""
    limits = DecoderLimits(piece_bytes=1024, ratio=200, ratio_after_bytes=64 * 1024, members=4)
    coding = "gzip" if pack is gzip.compress else "deflate"
    for size, passes in ((64 * 1024, True), (65 * 1024 - 1, True), (65 * 1024, False)):
        coded = pack(bytes(size))
        assert size > limits.ratio * len(coded)
        for chunks in ([coded], [coded[at : at + 1] for at in range(len(coded))]):
            if passes:
                assert decode(coding, chunks, limits) == bytes(size)
            else:
                with pytest.raises(BrokenCoding, match="bomb"):
                    decode(coding, chunks, limits)


def test_a_bomb_is_never_held_in_memory() -> None:
    """Input of some hundred bytes may hold a megabyte: it is given out in pieces, and made only when asked for."""
    stream = decoder("gzip", limits=replace(PAGE_LIMITS, ratio=10_000))
    pieces = stream.feed(gzip.compress(bytes(10_000_000)))
    assert len(next(pieces)) == PAGE_LIMITS.piece_bytes
    assert max(map(len, pieces)) <= PAGE_LIMITS.piece_bytes


@pytest.mark.parametrize(
    ("coding", "coded"), [("gzip", gzip.compress(PAGE, mtime=0)), ("identity", PAGE)], ids=["gzip", "identity"]
)
def test_what_was_not_taken_comes_with_the_next_call(coding: str, coded: bytes) -> None:
    """A caller that stops half way and comes back must not lose the middle of a page."""
    stream = decoder(coding, limits=replace(LIMITS, piece_bytes=10))
    first = next(stream.feed(coded[:60]))
    stream.feed(coded[60:70])
    assert first + b"".join(stream.feed(coded[70:])) + b"".join(stream.close()) == PAGE


def test_a_long_ordinary_page_is_no_bomb() -> None:
    """The limits of pages let pass what sites send: the ratio of real pages is below fifty."""
    row = b"<tr><td>%d</td><td>same words in every row of a long table</td></tr>"
    table = b"".join(row % number for number in range(60_000))
    assert decode("gzip", [gzip.compress(table)], PAGE_LIMITS) == table


@pytest.mark.parametrize("coding", [*DECODABLE, IDENTITY])
def test_what_was_fed_can_be_read_after_a_flush(coding: str) -> None:
    """A page that the server renders bit by bit must arrive bit by bit."""
    ours, theirs = encoder(coding, level=1), decoder(coding, limits=LIMITS)
    for piece in (b"<p>first", b"", b"second</p>"):
        coded = ours.feed(piece) + ours.flush()
        assert b"".join(theirs.feed(coded)) == piece
    assert b"".join(theirs.feed(ours.close())) + b"".join(theirs.close()) == b""


@pytest.mark.parametrize("coding", DECODABLE)
def test_a_flush_without_news_is_empty(coding: str) -> None:
    """Five bytes for every wake-up of an idle stream would be sent for nothing."""
    stream = encoder(coding, level=1)
    assert stream.flush() == b""
    stream.feed(b"x")
    assert stream.flush() != b""
    assert stream.flush() == b""


@pytest.mark.parametrize(("coding", "window"), [("gzip", 31), ("deflate", 15)])
def test_what_we_encode_is_what_the_standard_says(coding: str, window: int) -> None:
    """Our decoder forgives; others do not have to."""
    stream = encoder(coding, level=6)
    coded = stream.feed(PAGE[:40]) + stream.flush() + stream.feed(PAGE[40:]) + stream.close()
    assert zlib.decompress(coded, window) == PAGE


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([*DECODABLE, IDENTITY]), st.lists(st.integers(1, 60), max_size=8))
def test_codings_there_and_back_at_any_cut(data: bytes, coding: str, sizes: list[int]) -> None:
    """Whatever goes in comes out, wherever either side cuts or flushes."""
    ours, coded, start = encoder(coding, level=1), b"", 0
    for size in sizes:
        coded += ours.feed(data[start : start + size]) + (ours.flush() if size % 2 else b"")
        start += size
    coded += ours.feed(data[start:]) + ours.close()
    cuts = [0]
    for size in sizes:
        cuts.append(min(cuts[-1] + size, len(coded)))
    cuts.append(len(coded))
    chunks = [coded[one:other] for one, other in pairwise(cuts)]
    assert decode(coding, chunks, replace(PAGE_LIMITS, piece_bytes=16)) == data


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(DECODABLE), st.binary(max_size=60))
def test_no_bytes_make_a_decoder_fail_otherwise(coding: str, data: bytes) -> None:
    """A hostile origin gets its response aborted, and nothing else."""
    try:
        whole: bytes | str = decode(coding, [data])
    except BrokenCoding as error:
        whole = error.reason
    try:
        cut: bytes | str = decode(coding, [data[at : at + 1] for at in range(len(data))])
    except BrokenCoding as error:
        cut = error.reason
    assert whole == cut


def test_a_coding_that_nobody_registered_is_refused() -> None:
    """The plan of a head never names one; a slip must not pass a body on as something else."""
    assert canonical("X-GZIP") == "gzip"
    for make in (lambda: decoder("br", limits=LIMITS), lambda: encoder("br", level=1)):
        with pytest.raises(ValueError, match="no content coding 'br'"):
            make()
