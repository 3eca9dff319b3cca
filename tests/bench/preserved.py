"""Whether a rewritten page differs from the page only where something is reported as withheld, and how.

The check knows nothing of how the rewriter works: it walks both pages side by side, from one reported place to the next.
What lies between must be the same bytes. At a reported place the page has a start tag, and the rewritten page either nothing
(removed), or a tag that becomes the page's own again once the marks are taken off (deferred).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.withheld import Action, Kind, Withheld
from tests.bench.corpus import pieces
from tests.bench.job import Job

_TAG = re.compile(
    rb"<[A-Za-z][^\t\n\f\r />]*+"
    rb"(?:[\t\n\f\r /]*+[^\t\n\f\r />][^\t\n\f\r />=]*+"
    rb"(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+(?:\"[^\"]*+\"|'[^']*+'|[^\"'>\t\n\f\r ][^>\t\n\f\r ]*+|(?=>)))?+)*+"
    rb"[\t\n\f\r /]*+>"
)
_MARKS = re.compile(rb'(?: type="text/plain")? data-consent-vendor="[^"]*" data-consent-needs="[^"]*"')
# What may stand in the place of an attribute that was put out of force.
_INSTEAD = re.compile(rb' (?:src="data:image/svg[^"]*"|(?:style|srcdoc)="[^"]*"|value="")')
_RENAMED = re.compile(rb"(?<=[\t\n\f\r /\"'])data-consent-([^\t\n\f\r />=]+)")
_STYLE_END = re.compile(rb"</style", re.IGNORECASE)


class Changed(Exception):
    """Bytes changed that nothing reported accounts for; the message says where."""


@dataclass(frozen=True, slots=True)
class Preserved:
    """What the comparison of pages with what came out of them found: *changed* places of *withheld* ones, and the *faults*."""

    withheld: int
    changed: int
    faults: tuple[str, ...]


def preserved(pages: Sequence[bytes], job: Job, empty: Job) -> Preserved:
    """Whether pages keep their bytes: all of them without rules, those of reported places apart with rules, at every cut alike."""
    withheld = changed = 0
    faults: list[str] = []
    for number, page in enumerate(pages):
        out, facts = job.rewritten([page])
        withheld += len({fact.offset for fact in facts})
        if empty.rewritten(pieces(page, 4096))[0] != page:
            faults.append(f"page {number}: changed, and there are no rules")
        if any(job.rewritten(pieces(page, size))[0] != out for size in (65_536, 16_384)):
            faults.append(f"page {number}: what comes out depends on the cut")
        try:
            changed += count_changes(page, out, facts)
        except Changed as error:
            faults.append(f"page {number}: {error}")
    return Preserved(withheld, changed, tuple(faults))


def count_changes(page: bytes, out: bytes, withheld: Iterable[Withheld]) -> int:
    """How many places of *page* differ in *out*, all of them reported in *withheld*; Changed where one is not.

    A reported place that does not differ is a fault, too.
    """
    at = at_out = places = 0
    for offset, group in groupby(sorted(withheld, key=lambda fact: fact.offset), key=lambda fact: fact.offset):
        facts = tuple(group)
        _same(page[at:offset], out, at_out, offset=at)
        at_out += offset - at
        tag = _tag(page, offset)
        if not tag:
            raise Changed(f"no start tag stands at byte {offset}, where something was withheld")
        changed = _tag(out, at_out)
        if _is_deferred(tag, changed):
            at, at_out = offset + len(tag), at_out + len(changed)
        elif any(fact.kind is Kind.STYLE for fact in facts) and tag == changed:
            at, at_out = _end_of_style(page, offset), _end_of_style(out, at_out)
        elif any(fact.action is Action.REMOVED for fact in facts):
            at = offset + len(tag)
        else:
            raise Changed(f"at byte {offset}: {tag[:80]!r} became {changed[:80]!r}")
        places += 1
    _same(page[at:], out, at_out, offset=at)
    if len(out) - at_out != len(page) - at:
        raise Changed(f"{len(out) - at_out} bytes stand where the last {len(page) - at} of the page should")
    return places


def _same(expected: bytes, out: bytes, at_out: int, *, offset: int) -> None:
    """Fails with the first byte that differs."""
    if out.startswith(expected, at_out):
        return
    found = out[at_out : at_out + len(expected)]
    same = next((n for n, (one, other) in enumerate(zip(expected, found, strict=False)) if one != other), len(found))
    raise Changed(f"byte {offset + same} changed, where nothing was withheld: {expected[same : same + 40]!r}")


def _tag(text: bytes, at: int) -> bytes:
    """The start tag at this place; empty where there is none."""
    tag = _TAG.match(text, at)
    return tag[0] if tag else b""


def _is_deferred(tag: bytes, changed: bytes) -> bool:
    """*changed* is *tag* again once the marks are off and names of attributes have lost their prefix (they are lower case)."""
    marks = _MARKS.search(changed)
    if marks is None:
        return False
    rest = changed[marks.end() :]
    while True:
        # Texts that stay and names that were changed take turns.
        parts = [
            b"(?i:%b)" % re.escape(part) if n % 2 else re.escape(part) for n, part in enumerate(_RENAMED.split(rest))
        ]
        if re.fullmatch(re.escape(changed[: marks.start()]) + b"".join(parts), tag):
            return True
        instead = _INSTEAD.match(rest)
        if instead is None:
            return False
        rest = rest[instead.end() :]


def _end_of_style(text: bytes, at: int) -> int:
    end = _STYLE_END.search(text, at)
    return len(text) if end is None else end.start()
