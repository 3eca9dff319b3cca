"""Ways to cut a stream: a stream object's output may not depend on any of them."""

from collections.abc import Iterator


def chunkings(data: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, and cut in two at every place."""
    yield [data]
    yield [data[at : at + 1] for at in range(len(data))]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]
