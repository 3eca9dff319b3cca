"""What the memo is worth on pages that are written anew for each request, and what it costs.

A page of the corpus gets three places that change with each visit, as pages have them: a token against forged requests in the
head, the time of day in the middle, and a comment at the end that says who made the page in how long. Each visit is a
request for all pages. The first fills the memo; the later ones are what a site in operation sees.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.page.memo import Memo
from tests.bench.corpus import pieces, uneven_pieces
from tests.bench.job import Job, Outcome
from tests.bench.page_memory import held_by, reachable

TARGET_MB_S = 300

_HEAD = re.compile(rb"<head(?:[\t\n\f\r /][^>]*)?>", re.IGNORECASE)
_BODY_END = re.compile(rb"</body>", re.IGNORECASE)
_BLOCK_END = re.compile(rb"</(?:div|p|li|td)>", re.IGNORECASE)
# Where an end tag may be no end tag.
_NO_MARKUP = re.compile(
    rb"<!--.*?-->|<(script|style|textarea|noscript|title|iframe)\b.*?</\1", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Written:
    """A page that is written anew for each visit: what stands around its three places."""

    begin: bytes
    middle: bytes
    more: bytes
    end: bytes

    def at_visit(self, number: int) -> bytes:
        """The page of one visit."""
        token = hashlib.sha256(b"%d" % number).hexdigest().encode()
        return (
            b'%b<meta name="csrf-token" content="%b">' % (self.begin, token)
            + b'%b<span class="now">%02d:%02d:%02d</span>'
            % (self.middle, number // 3600 % 24, number // 60 % 60, number % 60)
            + b"%b<!-- web%d, 0.%03d s -->%b" % (self.more, number % 7, number % 1000, self.end)
        )


def written(page: bytes) -> Written:
    """*page* with places for what changes."""
    head, body_end = _HEAD.search(page), _BODY_END.search(page)
    first = head.end() if head else 0
    last = max(first, body_end.start() if body_end else len(page))
    middle = _place_behind(page, (first + last) // 2, last)
    return Written(page[:first], page[first:middle], page[middle:last], page[last:])


def _place_behind(page: bytes, begin: int, most: int) -> int:
    """Behind the first end tag of a block from *begin* on that is one; *most* where there is none."""
    hidden = [match.span() for match in _NO_MARKUP.finditer(page)]
    for end in _BLOCK_END.finditer(page, begin, most):
        if not any(first < end.end() < last for first, last in hidden):
            return end.end()
    return most


@dataclass(frozen=True, slots=True)
class Remembered:
    """The first visit, the later ones, and the same without a memo, each of *page_bytes*. *hit_rate* is that of the later visits.

    *held* are the bytes that the memo takes, *counted* what it says. *differing* pages came out otherwise than without it.
    """

    page_bytes: int
    first: Outcome
    later: tuple[Outcome, ...]
    plain: Outcome
    hit_rate: float
    held: int
    counted: int
    differing: int

    def rate(self, outcome: Outcome) -> float:
        """MB a second."""
        return self.page_bytes / 1e6 / outcome.seconds


def remembered(pages: Sequence[Written], job: Job, *, limit_bytes: int, piece_bytes: int, visits: int) -> Remembered:
    """*visits* later visits of all pages with a memo of so many bytes; in uneven pieces, others each time, where *piece_bytes* is 0."""
    memo = Memo(limit_bytes=limit_bytes)
    with_memo = replace(job, memo=memo)
    shared = reachable((job.matcher, job.decision))

    def visit(number: int) -> list[list[bytes]]:
        now = [page.at_visit(number) for page in pages]
        if piece_bytes:
            return [pieces(page, piece_bytes) for page in now]
        return [uneven_pieces(page, seed=number * len(now) + n) for n, page in enumerate(now)]

    first = with_memo.round(visit(0))
    later = tuple(with_memo.round(visit(number)) for number in range(1, visits + 1))
    known, unknown = sum(outcome.known for outcome in later), sum(outcome.unknown for outcome in later)
    last = visit(visits + 1)
    return Remembered(
        sum(len(piece) for page in last for piece in page),
        first,
        later,
        plain=job.round(last),
        hit_rate=known / max(1, known + unknown),
        held=held_by(memo, shared),
        counted=memo.held_bytes,
        differing=sum(with_memo.rewritten(page) != job.rewritten(page) for page in last),
    )
