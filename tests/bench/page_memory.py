"""How much memory one open response costs: pages of all kinds, ill-meant ones too, through one rewriter under tracemalloc.

What a rewriter holds between two pieces is what can be reached from it, less what can be reached from the rules, which all
responses share. What it needs on top while it works on a piece is what tracemalloc sees; the answer is part of it, the piece
is not. A page goes through once before it is measured, so that what all responses share (remembered tags, hosts and
verdicts, each with its own bound) is full by then and grows no more.
"""

import gc
import html
import itertools
import re
import sys
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType

from tests.bench.corpus import joined, pieces
from tests.bench.job import Job

PIECE_BYTES = 65_536
TARGET_BYTES = 512 * 1024

_LONG = 2_000_000
_PAGE = 10_000_000
_VENDOR = b"http://ad.doubleclick.net/a"

# So many cases suffice for a first impression.
_TELLING = 5

# Pieces after which nothing that is shared grows any more.
_FILLING = 48

# Part of the program, whoever refers to them.
_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, re.Pattern)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one response: *peak* at any moment, *held* between two pieces."""

    peak: int
    held: int


def memory_of(page: Sequence[bytes], job: Job) -> Memory:
    """What a rewriter needs for a page in pieces."""
    shared = reachable((job.matcher, job.decision))
    tracemalloc.start()
    try:
        _memory_of(page[:_FILLING], job, shared)
        return _memory_of(page, job, shared)
    finally:
        tracemalloc.stop()


def _memory_of(page: Sequence[bytes], job: Job, shared: AbstractSet[int]) -> Memory:
    rewriter = job.rewriter()
    peak = held = 0
    for piece in page:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        rewriter.feed(piece)
        peak = max(peak, held + tracemalloc.get_traced_memory()[1] - before)
        rewriter.take_report()
        held = max(held, held_by(rewriter, shared))
    return Memory(peak, held)


def held_by(thing: object, shared: AbstractSet[int]) -> int:
    """Bytes of all that can be reached from *thing*, and is not among *shared*, ids of objects."""
    return sum(map(sys.getsizeof, _walk((thing,), set(shared))))


def reachable(roots: Iterable[object]) -> frozenset[int]:
    """Ids of all that can be reached from *roots*, parts of the program apart."""
    return frozenset(map(id, _walk(roots, set())))


def _walk(roots: Iterable[object], seen: set[int]) -> Iterator[object]:
    todo = list(roots)
    while todo:
        thing = todo.pop()
        if id(thing) not in seen and not isinstance(thing, _SHARED):
            seen.add(id(thing))
            yield thing
            todo += gc.get_referents(thing)


def memory_cases(pages: Sequence[bytes], *, quick: bool = False) -> Mapping[str, list[bytes]]:
    """Pages in pieces, by what is special about them, the most telling first; where *quick*, no more than these."""
    usual = sorted(pages, key=len)[len(pages) // 2]
    cases = {
        "usual page": usual,
        "longest page of the corpus": max(pages, key=len),
        "2 MB tag that loads": b'<script src="' + b"x" * _LONG + b'"></script>',
        "2 MB inline script": b"<script>" + b"var a = f(1);\n" * (_LONG // 14) + b"</script>",
        "240 KB srcdoc, four deep": _nested(),
        "10 MB page": joined(pages, _PAGE),
        "2 MB text with < and &": b"a < b & c " * (_LONG // 10),
        "2 MB tag, of no interest": b'<p title="' + b"x" * _LONG + b'">',
        "250 KB tag with a data: URL": b'<img src="data:' + b"x" * 250_000 + b'">',
        "250 KB tag of attributes": b"<img src=%b " % _VENDOR + b"".join(b"a%05x=b " % n for n in range(27_000)) + b">",
        "1 MB inline script of URLs": b"<script>" + b"a('//a.site.example/b');" * (_LONG // 48) + b"</script>",
        "600 KB style sheet": b"<style>" + b"a { b: url(c.png) }\n" * (600_000 // 20) + b"</style>",
        "2 MB comment": b"<!--" + b"x" * _LONG + b"-->",
        "2 MB noscript": b"<noscript>" + usual.replace(b"noscript", b"p") * (_LONG // len(usual) + 1) + b"</noscript>",
        "1 MB of what is withheld": b'<img src="%b">' % _VENDOR * (1_000_000 // 40),
    }
    chosen = itertools.islice(cases.items(), _TELLING if quick else None)
    return {name: pieces(page, PIECE_BYTES) for name, page in chosen}


def _nested() -> bytes:
    """Frames whose documents hold frames, the innermost with pixels of a vendor: 240 KB, just below the limit of a tag."""
    body = f'<img src="{_VENDOR.decode()}">' * 2000
    for _ in range(4):
        body = f'<iframe srcdoc="{html.escape(body)}"></iframe>'
    return body.encode()
