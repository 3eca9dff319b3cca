"""Runs a target on many inputs, and tells new faults from those that are known."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Generic, TypeVar

from tests.fuzz import charsets, css, page, urls
from tests.fuzz.case import ATTEMPTS, Case, law_broken, shrink
from tests.fuzz.found import explanation

H = TypeVar("H")

_LENGTHS = (8, 20, 40, 80, 160, 320)
_KNOWN_BY_THEN = 20


@dataclass(frozen=True, slots=True)
class Target(Generic[H]):
    """A target in its two halves: an input of bytes, and what must hold for it."""

    name: str
    draw: Callable[[bytes], Case[H]]
    check: Callable[[Case[H]], None]


TARGETS: dict[str, Target[Any]] = {
    target.name: target
    for target in (
        Target("page", page.draw, page.check),
        Target("css", css.draw, css.check),
        Target("urls", urls.draw, urls.check),
        Target("charsets", charsets.draw, charsets.check),
    )
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A law that was broken: by which *data*, and by how little (*smallest*)."""

    law: str
    data: bytes
    smallest: bytes


@dataclass(slots=True)
class Tally:
    """What a run has come to: new faults by law, the first of each, and how often known ones were met."""

    target: Target[Any]
    runs: int = 0
    began: float = field(default_factory=monotonic)
    faults: dict[str, Fault] = field(default_factory=dict)
    known: Counter[str] = field(default_factory=Counter)

    def take(self, data: bytes) -> None:
        """One more input."""
        self.take_case(data, self.target.draw(data))

    def take_case(self, data: bytes, case: Case[Any]) -> None:
        """What was drawn from *data*."""
        self.runs += 1
        law = law_broken(self.target.check, case)
        if law is None or law in self.faults:
            return
        # What is known is met again and again, and told in less.
        attempts = ATTEMPTS if self.known.total() < _KNOWN_BY_THEN else ATTEMPTS // 5
        smallest = shrink(self.target.check, case, law, attempts=attempts)
        name = explanation(self.target.name, smallest.given, law)
        if name is None:
            self.faults[law] = Fault(law, data, smallest.given)
        else:
            self.known[name] += 1

    @property
    def seconds(self) -> float:
        """Since the begin."""
        return monotonic() - self.began

    def summary(self) -> str:
        """One line for a record."""
        rate = self.runs / max(self.seconds, 0.001)
        return (
            f"target={self.target.name} runs={self.runs} seconds={self.seconds:.0f} per_second={rate:.0f} "
            f"faults={len(self.faults)} known={dict(self.known)}"
        )


def inputs(seed: str) -> Iterator[bytes]:
    """Random bytes without end, the same for the same seed."""
    number = 0
    while True:
        source = random.Random(f"{seed}:{number}")  # noqa: S311 - not a secret
        yield source.randbytes(source.choice(_LENGTHS))
        number += 1
