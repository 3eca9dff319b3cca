"""Where in a page any rule could have anything to say: every place at which one of the texts stands that rules are found by.

Most of a page holds no trace of any vendor, and what holds none can go out as it is. So the page is searched once, for all texts
of all rules together, and only around what is found is anything taken apart. An answer errs on one side: a place that is told may
turn out to be nothing; one that is not told is nothing for certain, as long as the text stands there in plain spelling. Spellings
that hide a host inside an authority (percent-encoding, characters that IDNA maps) count as traces; character references, control
characters and percent-encoded paths are for whoever reads the page to mind.

The search is hyperscan's where it is installed (about 700 MB/s, for ten thousand vendors as for ten), else Aho-Corasick's.
"""

import re
from collections.abc import Callable, Collection
from typing import NamedTuple

import ahocorasick_rs

try:
    import hyperscan
except ImportError:  # no wheel for this platform: slower, the same answers
    hyperscan = None  # type: ignore[assignment]

# A host that is not spelt in plain ASCII letters: "//" and what stands up to the end of the authority.
_ODD_HOST = rb"//[^/?#\"'<>\s]*[%\t\x80-\xff]"
_ODD_HOST_IN_CODE = rb"\\/\\/[^\\/?#\"'<>\s]*[%\x80-\xff]"

_LABEL = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")

# (data, told): *told* is called with the number of a text and the place behind it, in no order that means.
_Search = Callable[[bytes, Callable[[int, int], None]], None]


class Found(NamedTuple):
    """Places inside a text, ascending; each lies within the trace, behind its first byte.

    *traces* are of hosts, paths and code, which matter where something loads or runs; *marks* of what matters in any tag and in
    comments.
    """

    traces: list[int]
    marks: list[int]


class Traces:
    """Immutable. *hosts* that rules name; *texts* of their paths and code; *marks* that matter wherever they stand in a tag.

    Not to be used by two threads at once.
    """

    __slots__ = ("_host_bytes", "_hosts", "_names", "_odd", "_search", "_texts")

    def __init__(self, *, hosts: Collection[str], texts: Collection[bytes], marks: Collection[bytes]) -> None:
        lower_hosts = sorted({host.encode("ascii", "replace") for host in hosts})
        lower_texts = sorted({text.lower() for text in texts})
        lower_marks = sorted({mark.lower() for mark in marks})
        self._names = lower_texts
        self._hosts = len(lower_hosts)
        self._texts = self._hosts + len(lower_texts)
        self._host_bytes = tuple(map(len, lower_hosts))
        self._search = _search([*lower_hosts, *lower_texts, *lower_marks])
        self._odd = _odd_search()

    def within(self, data: bytes) -> Found:
        """Every trace in *data*."""
        traces: list[int] = []
        marks: list[int] = []
        hosts, texts, host_bytes, end = self._hosts, self._texts, self._host_bytes, len(data)

        def told(number: int, at: int) -> None:
            if number >= texts:
                marks.append(at - 1)
            elif number >= hosts:
                traces.append(at - 1)
            else:
                # Whole labels only: "t.co" is no trace in "support.com".
                before = at - host_bytes[number] - 1
                if (before < 0 or data[before] not in _LABEL) and (at == end or data[at] not in _LABEL):
                    traces.append(at - 1)

        self._search(data, told)
        if b"//" in data or b"\\/" in data:
            traces += self._odd(data)
        traces.sort()
        marks.sort()
        return Found(traces, marks)

    def in_code(self, code: bytes) -> tuple[set[bytes], bool]:
        """The texts, lower case, that stand in *code*, and whether a host does."""
        found: set[bytes] = set()
        names_host = False
        hosts, texts, host_bytes, end = self._hosts, self._texts, self._host_bytes, len(code)

        def told(number: int, at: int) -> None:
            nonlocal names_host
            if hosts <= number < texts:
                found.add(self._names[number - hosts])
            elif number < hosts and not names_host:
                before = at - host_bytes[number] - 1
                names_host = (before < 0 or code[before] not in _LABEL) and (at == end or code[at] not in _LABEL)

        self._search(code, told)
        return found, names_host or bool(self._odd(code))


def _search(texts: list[bytes]) -> _Search:
    if not texts:
        return _nothing
    return _aho_corasick(texts) if hyperscan is None else _hyperscan(texts)


def _nothing(_data: bytes, _told: Callable[[int, int], None]) -> None:
    """No rule: no trace."""


def _hyperscan(texts: list[bytes]) -> _Search:
    database = _database(texts, flags=hyperscan.HS_FLAG_CASELESS, literal=True)

    def search(data: bytes, told: Callable[[int, int], None]) -> None:
        database.scan(data, match_event_handler=lambda number, _begin, end, _flags, _context: told(number, end))

    return search


def _aho_corasick(texts: list[bytes]) -> _Search:
    automaton = ahocorasick_rs.BytesAhoCorasick(texts)

    def search(data: bytes, told: Callable[[int, int], None]) -> None:
        for number, _, end in automaton.find_matches_as_indexes(data.lower(), overlapping=True):
            told(number, end)

    return search


def _odd_search() -> Callable[[bytes], list[int]]:
    if hyperscan is None:
        odd = re.compile(_ODD_HOST + rb"|" + _ODD_HOST_IN_CODE)
        return lambda data: [match.end() - 1 for match in odd.finditer(data)]
    database = _database([_ODD_HOST, _ODD_HOST_IN_CODE], flags=0, literal=False)

    def search(data: bytes) -> list[int]:
        found: list[int] = []
        database.scan(data, match_event_handler=lambda _number, _begin, end, _flags, _context: found.append(end - 1))
        return found

    return search


def _database(patterns: list[bytes], *, flags: int, literal: bool) -> "hyperscan.Database":
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=patterns,
        ids=list(range(len(patterns))),
        elements=len(patterns),
        flags=[flags] * len(patterns),
        literal=literal,
    )
    return database
