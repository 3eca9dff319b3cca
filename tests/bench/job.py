"""What is measured: pages through the gateway's rewriter, for a visitor who agreed to nothing or to everything."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.consent.model import EVERYTHING, NECESSARY_ONLY, Basis, Decision
from gateway.page.memo import Memo
from gateway.page.rewriter import PageLimits, Rewriter
from gateway.settings import PageSettings
from gateway.vendors.match import Matcher
from gateway.withheld import Withheld

NOTHING_GRANTED = Decision(granted=NECESSARY_ONLY, basis=Basis.NO_CHOICE, decided=False)
EVERYTHING_GRANTED = Decision(granted=EVERYTHING, basis=Basis.GIVEN, decided=True)

_DEFAULTS = PageSettings()
_LIMITS = PageLimits(tag_bytes=_DEFAULTS.tag_limit_bytes, inline_bytes=_DEFAULTS.inline_limit_bytes)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A round over pages: CPU time, and the number of places where something was withheld, by kind.

    *known* and *unknown* are numbers of segments, where there is a memo to ask for them.
    """

    seconds: float
    withheld: Counter[str]
    known: int = 0
    unknown: int = 0

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.seconds + other.seconds,
            self.withheld + other.withheld,
            self.known + other.known,
            self.unknown + other.unknown,
        )


@dataclass(frozen=True, slots=True)
class Job:
    """Rules, a visitor, and what is remembered from one page to the next, if anything."""

    matcher: Matcher
    decision: Decision = NOTHING_GRANTED
    memo: Memo | None = None

    def rewriter(self) -> Rewriter:
        """A new page."""
        return Rewriter(
            matcher=self.matcher,
            decision=self.decision,
            site="https://site.example/",
            charset="utf-8",
            limits=_LIMITS,
            memo=self.memo,
        )

    def rewritten(self, page: Sequence[bytes]) -> tuple[bytes, list[Withheld]]:
        """A page in pieces, and what was withheld of it."""
        rewriter = self.rewriter()
        out = b"".join([*map(rewriter.feed, page), rewriter.close()])
        return out, rewriter.take_report()[0]

    def round(self, pages: Sequence[Sequence[bytes]]) -> Outcome:
        """All pages, one after another; what comes out goes nowhere, as from a proxy."""
        places: Counter[str] = Counter()
        seconds, known, unknown = 0.0, 0, 0
        for page in pages:
            began = time.process_time()
            rewriter = self.rewriter()
            for piece in page:
                rewriter.feed(piece)
            rewriter.close()
            facts, _ = rewriter.take_report()
            seconds += time.process_time() - began
            hits, misses = rewriter.memo_use
            known, unknown = known + hits, unknown + misses
            places.update(kind for kind, _ in {(str(fact.kind), fact.offset) for fact in facts})
        return Outcome(seconds, places, known, unknown)
