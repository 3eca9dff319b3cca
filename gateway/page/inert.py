"""How a withheld thing stands in the page: inert for every browser and preload scanner, with all that release needs.

A deferred element keeps its place, its bytes and its attributes. Those that would act are renamed, `src` to
`data-consent-src`, and the element is marked with the vendors it waits for and the categories they need:

    <script type="text/plain" data-consent-vendor="x" data-consent-needs="analytics marketing" data-consent-src="…">

Release takes the marks away and the prefix off; nothing else was touched.
"""

from collections.abc import Callable, Iterable
from itertools import chain

from gateway.consent.model import Category
from gateway.page.attributes import Attribute
from gateway.vendors.match import FormVerdict, Verdict

PREFIX = b"data-consent-"

# What is left of a script, in the place where it is cut off: no JavaScript is valid after it, whether it stands in code, a
# string, a template, a regular expression or a comment, so that nothing of the script runs.
CUT = b"\n\x01"


def marks(vendors: Iterable[str], needs: Iterable[Category]) -> bytes:
    """The attributes that say whom and what a withheld element waits for."""
    return b' data-consent-vendor="%b" data-consent-needs="%b"' % (
        " ".join(sorted(set(vendors))).encode(),
        " ".join(sorted(set(needs))).encode(),
    )


def marks_of(verdicts: Iterable[Verdict | FormVerdict]) -> bytes:
    """The attributes of an element that waits for everybody in *verdicts*."""
    found = tuple(verdicts)
    return marks((v.vendor for v in found), chain.from_iterable(v.needs for v in found))


def deferred(
    raw: bytes, found: Iterable[Attribute], *, rename: Callable[[bytes], bool], added: bytes, name: bytes
) -> bytes:
    """The start tag *raw* with *added* behind its name and the attributes that *rename* picks out of force.

    Every attribute of a name is renamed, not only the first: the second would take its place.
    """
    parts = [raw[: 1 + len(name)], added]
    at = 1 + len(name)
    for attribute in found:
        if rename(attribute.name):
            parts.append(raw[at : attribute.at])
            parts.append(PREFIX + attribute.name.replace(b":", b"-"))
            at = attribute.at + len(attribute.name)
    parts.append(raw[at:])
    return b"".join(parts)
