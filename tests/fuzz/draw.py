"""Choices taken from bytes: what makes a page of whatever a fuzzer feeds."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Choices, taken from *data* one after another. When it is used up every choice is the first, so that all bytes mean something."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_spent(self) -> bool:
        """Nothing is left to choose by."""
        return self._at >= len(self._data)

    def below(self, count: int) -> int:
        """A number from 0 to *count* - 1: of one byte, or of two where one is too few."""
        size = 1 if count <= 256 else 2
        taken = self._data[self._at : self._at + size]
        self._at += size
        return int.from_bytes(taken, "big") % count

    def pick(self, options: Sequence[T]) -> T:
        """One of *options*."""
        return options[self.below(len(options))]

    def one_in(self, count: int) -> bool:
        """True once in *count* times; never when nothing is left."""
        return self.below(count) == count - 1

    def raw(self, limit: int) -> bytes:
        """At most *limit* of the bytes themselves."""
        taken = self._data[self._at : self._at + self.below(limit + 1)]
        self._at += len(taken)
        return taken

    def rest(self) -> bytes:
        """All bytes that are left."""
        taken = self._data[self._at :]
        self._at = len(self._data)
        return taken

    def cut(self, data: bytes) -> list[bytes]:
        """*data* in pieces: of a few bytes each, or cut in up to three places."""
        size = self.below(24)
        if size:
            return [data[at : at + size] for at in range(0, len(data), size)] or [b""]
        places = sorted(self.below(65_536) % (len(data) + 1) for _ in range(3))
        return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]
