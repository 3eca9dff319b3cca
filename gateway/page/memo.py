"""Pages that come again and again, rewritten once: a memory of segments, and the cutting of a page into them.

Most of a page is the same for every visitor who decided alike: header, navigation, footer, articles; a token or a time of day differs.
So the page is cut where its content says, behind an end tag that stands at least so many bytes behind the last cut, and what became of
each segment is remembered. After a change the cuts fall into their old places again, and all but the changed segment is known.

Exact, never a guess: a segment is looked up by its bytes, and by all that its rewriting may depend on; it is remembered only if it began
and ended between two things (no tag, script, template or form was open) and changed nothing that what follows depends on.
"""

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto

from gateway.page.context import Page
from gateway.page.markup import Markup
from gateway.withheld import Degraded, Withheld

# Shorter segments cost more look-ups than they save, longer ones are changed more often.
SEGMENT_LEAST_BYTES = 2048
# Longer ones, in which no such end tag comes, are not likely to come again, and would fill the memory.
_PART_MOST_BYTES = 32 * 1024

_CUT = re.compile(rb"</(?:div|p|li|ul|ol|tr|table|script|style|section|article|header|footer|nav|noscript|h[1-6])>")

# What an entry takes besides its bytes, roughly: two objects, a key, its place in the dict.
_ENTRY_BYTES = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one segment: its bytes, None where they stayed as they were, and the facts with offsets from its begin."""

    out: bytes | None
    withheld: tuple[Withheld, ...]
    degraded: tuple[Degraded, ...]


class _Mark(Enum):
    GOES_ON = auto()


# What is known of a part that ends within something.
_GOES_ON = _Mark.GOES_ON


class Memo:
    """Segments that were rewritten, at most about *limit_bytes* of them; shared by all pages of one rule set.

    Two halves: what was not asked for while the newer half filled up is forgotten with the older one.
    """

    def __init__(self, *, limit_bytes: int) -> None:
        self._half_bytes = limit_bytes // 2
        self._new: dict[Hashable, Entry | _Mark] = {}
        self._old: dict[Hashable, Entry | _Mark] = {}
        self._new_bytes = self._old_bytes = 0

    @property
    def held_bytes(self) -> int:
        """What is held, roughly."""
        return self._new_bytes + self._old_bytes

    def get(self, scope: Hashable, segment: bytes) -> Entry | _Mark | None:
        """What became of *segment* under *scope*, or that it goes on."""
        key = (scope, segment)
        entry = self._new.get(key)
        if entry is None:
            entry = self._old.pop(key, None)
            if entry is not None:
                size = _size(segment, entry)
                self._old_bytes -= size
                self._keep(key, entry, size)
        return entry

    def put(self, scope: Hashable, segment: bytes, entry: Entry | _Mark) -> None:
        """Remember what became of *segment*; one that would fill a half by itself is not kept."""
        size = _size(segment, entry)
        if size <= self._half_bytes:
            self._keep((scope, segment), entry, size)

    def _keep(self, key: Hashable, entry: Entry | _Mark, size: int) -> None:
        if self._new_bytes + size > self._half_bytes:
            self._old, self._old_bytes = self._new, self._new_bytes
            self._new, self._new_bytes = {}, 0
        if key not in self._new:
            self._new[key] = entry
            self._new_bytes += size


def _size(segment: bytes, entry: Entry | _Mark) -> int:
    if isinstance(entry, _Mark):
        return len(segment) + _ENTRY_BYTES
    facts = len(entry.withheld) + len(entry.degraded)
    return len(segment) + len(entry.out or b"") + _ENTRY_BYTES * (1 + facts)


class Segments:
    """A page on its way through *markup*, but for what *memo* knows of it. Dead after `close`.

    What arrives is passed on at once, so that a segment may come in parts; each part is looked up and remembered by itself. One that
    ends within something goes on to the cut at which nothing is open; what is remembered of it is that it does.
    """

    def __init__(self, page: Page, markup: Markup, memo: Memo) -> None:
        self._page = page
        self._markup = markup
        self._memo = memo
        self.hits = 0
        self.misses = 0
        self._segment_bytes = 0  # since the last cut
        self._state: Hashable = None  # of the page, where it is known

    def feed(self, data: bytes) -> bytes:
        """Take the next piece; answers what may go out already."""
        out: list[bytes] = []
        at = 0
        while at < len(data):
            end = self._cut(data, at)
            if self._state is None and self._markup.is_at_rest:
                self._state = self._page.state
            while (known := self._known(data[at:end])) is _GOES_ON and end < len(data):
                end = self._cut(data, end)
            if isinstance(known, Entry):
                out.append(self._again(data[at:end], known))
            else:
                more, end = self._learn(data, at, end)
                out.append(more)
            at = end
        return b"".join(out)

    def close(self) -> bytes:
        """The end; answers the rest."""
        return self._markup.close()

    def _cut(self, data: bytes, at: int) -> int:
        """Where the segment ends that goes on at *at*, or the data do."""
        found = _CUT.search(data, at + max(0, SEGMENT_LEAST_BYTES - self._segment_bytes))
        if found is not None:
            self._segment_bytes = 0
            return found.end()
        self._segment_bytes += len(data) - at
        return len(data)

    def _known(self, part: bytes) -> "Entry | _Mark | None":
        if self._state is None or len(part) > _PART_MOST_BYTES:
            return None
        return self._memo.get(self._state, part) or self._memo.get((self._state, self._page.base), part)

    def _again(self, part: bytes, known: Entry) -> bytes:
        self.hits += 1
        if known.withheld or known.degraded:
            report = self._page.report
            report.withheld += _moved(known.withheld, by=self._markup.at)
            report.degraded += known.degraded
        self._markup.pass_by(len(part))
        return part if known.out is None else known.out

    def _learn(self, data: bytes, at: int, end: int) -> tuple[bytes, int]:
        """Rewrite what stands from *at* to *end*, and on to the next rest; answers what comes of it, and where that is."""
        page, markup, state, begin = self._page, self._markup, self._state, self._markup.at
        withheld, degraded = len(page.report.withheld), len(page.report.degraded)
        page.leans_on_path.happened = False
        self.misses += state is not None
        out = markup.feed(data[at:end])
        while state is not None and not markup.is_at_rest and end < len(data) and end - at <= _PART_MOST_BYTES:
            self._memo.put(state, data[at:end], _GOES_ON)
            more, end = end, self._cut(data, end)
            out += markup.feed(data[more:end])
        self._state = page.state if markup.is_at_rest else None
        if state is not None and self._state == state and end - at <= _PART_MOST_BYTES:
            part = data[at:end]
            entry = Entry(
                out=None if out == part else out,
                withheld=tuple(_moved(page.report.withheld[withheld:], by=-begin)),
                degraded=tuple(page.report.degraded[degraded:]),
            )
            self._memo.put((state, page.base) if page.leans_on_path.happened else state, part, entry)
        return out, end


def _moved(facts: Iterable[Withheld], *, by: int) -> Iterator[Withheld]:
    return (
        Withheld(fact.kind, fact.vendor, fact.rule, fact.needs, fact.action, fact.host, fact.offset + by)
        for fact in facts
    )
