"""How a withheld thing stands in the page: inert for every browser and preload scanner, with all that release needs.

A deferred element keeps its place, its bytes and its attributes. Those that would act are renamed, `src` to
`data-consent-src`, and the element is marked with the vendors it waits for and the categories they need:

    <script type="text/plain" data-consent-vendor="x" data-consent-needs="analytics marketing" data-consent-src="…">

Release takes the marks away and the prefix off; nothing else was touched. A vendor `*` stands for an author who asked for categories:
no vendor's id is `*`, so that a yes to a vendor by name never stands in for it, and an element that waits for nobody in
particular still waits for somebody. Release is due when no vendor named is refused, and either all needs are granted or every
vendor named is allowed by name.

Names that begin with the prefix are the gateway's own. Where the site's page has such attributes they are renamed like others
(`data-consent-onclick` to `data-consent-data-consent-onclick`), because release would make them act. Who can write attributes
cannot always write handlers: sanitizers let `data-` attributes pass, which would make release a way around them, and around the
rules too, by naming a vendor who is granted. Marks carry no secret, though: markup that a script puts into the page later can
bear them, so release must take only what it found in the page as parsed.
"""

from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import chain

from gateway.consent.model import Category
from gateway.page.attributes import Attribute
from gateway.vendors.match import FormVerdict, Verdict

PREFIX = b"data-consent-"

# Whom an element waits for where an author asked for categories.
_ANYBODY = "*"

# What is left of a script, in the place where it is cut off: no JavaScript is valid after it, whether it stands in code, a
# string, a template, a regular expression or a comment, so that nothing of the script runs.
CUT = b"\n\x01"


def marks(vendors: Iterable[str], needs: Iterable[Category]) -> bytes:
    """The attributes that say whom and what a withheld element waits for."""
    return b' data-consent-vendor="%b" data-consent-needs="%b"' % (
        " ".join(sorted({vendor or _ANYBODY for vendor in vendors})).encode(),
        " ".join(sorted(set(needs))).encode(),
    )


def marks_of(verdicts: Iterable[Verdict | FormVerdict]) -> bytes:
    """The attributes of an element that waits for everybody in *verdicts*."""
    found = tuple(verdicts)
    return marks((v.vendor for v in found), chain.from_iterable(v.needs for v in found))


def one_a_vendor(verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
    """At most one verdict a vendor: the first, with the needs of all."""
    every = tuple(verdicts)
    if len(every) < 2:
        return every
    found: dict[str, Verdict] = {}
    for verdict in every:
        known = found.get(verdict.vendor)
        if known is None:
            found[verdict.vendor] = verdict
        elif not verdict.needs <= known.needs:
            found[verdict.vendor] = replace(known, needs=known.needs | verdict.needs)
    return tuple(found.values())


class Tag:
    """A start tag on its way out: which of its attributes are out of force, what stands in their place, whom it waits for."""

    __slots__ = ("_found", "_name", "_put", "_raw", "_renamed", "_type", "waits")

    def __init__(self, raw: bytes, name: bytes, found: Collection[Attribute]) -> None:
        self._raw = raw
        self._name = name
        self._found = found
        self._renamed = {attribute.name for attribute in found if attribute.name.startswith(PREFIX)}
        self._put = b""
        self._type = b""
        self.waits: list[Verdict | FormVerdict] = []

    def withhold(self, names: Iterable[bytes], verdicts: Iterable[Verdict | FormVerdict], *, put: bytes = b"") -> None:
        """Put the attributes *names* out of force until *verdicts* are granted, and *put* in their place."""
        self._renamed.update(names)
        self.waits += verdicts
        self._put += put

    def make_text(self) -> None:
        """No browser takes what is in this element for code, or for a style sheet."""
        self._renamed.add(b"type")
        self._type = b' type="text/plain"'

    @property
    def is_text(self) -> bool:
        """No browser takes what is in the element for anything but text."""
        return self._type != b""

    @property
    def handlers(self) -> frozenset[bytes]:
        """The attributes that are code."""
        return frozenset(attribute.name for attribute in self._found if attribute.name.startswith(b"on"))

    def acts(self, name: bytes) -> bool:
        """The attribute is still in force."""
        return name not in self._renamed

    def render(self) -> bytes:
        """The tag as it goes out: the same bytes where nothing of it was withheld."""
        if not self._renamed:
            return self._raw
        added = self._type + (marks_of(self.waits) if self.waits else b"") + self._put
        parts = [self._raw[: 1 + len(self._name)], added]
        at = 1 + len(self._name)
        # Every attribute of a name, not only the first: the second would take its place.
        for attribute in self._found:
            if attribute.name in self._renamed:
                parts += (self._raw[at : attribute.at], PREFIX, attribute.name.replace(b":", b"-"))
                at = attribute.at + len(attribute.name)
        parts.append(self._raw[at:])
        return b"".join(parts)
