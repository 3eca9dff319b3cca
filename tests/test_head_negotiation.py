"""Accept-Encoding narrowed and asked, Content-Encoding read."""

import pytest

from gateway.head.fields import Lines
from gateway.head.negotiation import accepts, coding_of, narrow


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ([b""], [b""]),
        ([b"gzip"], [b"gzip"]),
        ([b"gzip , deflate;q=0.5"], [b"gzip , deflate;q=0.5"]),
        ([b"gzip", b"deflate"], [b"gzip", b"deflate"]),
        ([b"gzip, deflate, br, zstd"], [b"gzip, deflate"]),
        ([b"br;q=1, GZIP;Q=0.8, x-gzip"], [b"GZIP;Q=0.8, x-gzip"]),
        ([b"br", b"gzip"], [b"gzip"]),
        ([b"br"], [b"identity"]),
        ([b"br, *;q=0"], [b"identity"]),
        ([b"br, gzip;q=0"], [b"identity"]),
        ([b"br, identity;q=0.5"], [b"identity;q=0.5"]),
        ([b"gzip, identity;q=0"], [b"gzip, identity;q=0"]),
        ([b"gzip, *;q=0"], [b"gzip, *;q=0"]),
        ([b"*"], [b"gzip, deflate"]),
        ([b"*;q=0.3, gzip;q=0.7"], [b"deflate;q=0.3, gzip;q=0.7"]),
        ([b"identity, *;q=0.1"], [b"identity, gzip;q=0.1, deflate;q=0.1"]),
        ([b"gzip;q=x, deflate"], [b"deflate"]),
        ([b"dcb, dcz, gzip"], [b"gzip"]),
    ],
)
def test_the_origin_is_asked_for_what_we_can_open(values: list[bytes], expected: list[bytes]) -> None:
    """A page in Brotli could only be guarded, not rewritten; the weights are still the visitor's."""
    lines = Lines(tuple((b"Accept-Encoding", value) for value in values))
    narrow(lines)
    assert lines.values(b"accept-encoding") == expected


def test_a_dictionary_of_the_client_is_not_offered() -> None:
    """What is compressed with a dictionary cannot be opened without it."""
    lines = Lines(((b"Available-Dictionary", b":x:"), (b"Dictionary-ID", b'"y"'), (b"X", b"1")))
    narrow(lines)
    assert lines.raw() == ((b"X", b"1"),)


@pytest.mark.parametrize(
    ("values", "coding", "expected"),
    [
        ([], "gzip", True),
        ([b""], "gzip", False),
        ([b"gzip"], "gzip", True),
        ([b"X-Gzip"], "gzip", True),
        ([b"br", b"gzip;q=0.1"], "gzip", True),
        ([b"gzip;q=0"], "gzip", False),
        ([b"gzip;q=0.000"], "gzip", False),
        ([b"deflate"], "gzip", False),
        ([b"*"], "gzip", True),
        ([b"*;q=0"], "gzip", False),
        ([b"*, gzip;q=0"], "gzip", False),
        ([b"gzip"], "identity", True),
        ([b"*;q=0"], "identity", False),
        ([b"gzip;q=x"], "gzip", False),
    ],
)
def test_a_client_takes_what_it_says_it_takes(values: list[bytes], coding: str, expected: bool) -> None:
    """A body in a coding that the client did not ask for is a page of garbage."""
    assert accepts(values, coding) is expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], "identity"),
        ([b""], "identity"),
        ([b"Identity"], "identity"),
        ([b"gzip"], "gzip"),
        ([b"X-GZIP"], "gzip"),
        ([b"identity", b"deflate"], "deflate"),
        ([b"br"], None),
        ([b"gzip, deflate"], None),
        ([b"gzip", b"gzip"], None),
        ([b"compress"], None),
    ],
)
def test_one_coding_that_we_know_can_be_opened(values: list[bytes], expected: str | None) -> None:
    """What cannot be opened must be known before the head goes out."""
    assert coding_of(Lines(tuple((b"Content-Encoding", value) for value in values))) == expected
