"""Vendor files prove themselves: each `[[example]]` against the whole catalogue, as a visitor who agreed to nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gateway.consent.model import NECESSARY_ONLY, Basis, Decision
from gateway.page.rewriter import PageLimits, Rewriter
from gateway.vendors import url as urls
from gateway.vendors.catalogue import Catalogue
from gateway.vendors.match import Matcher, Verdict
from gateway.vendors.schema import Example

_NOTHING = Decision(granted=NECESSARY_ONLY, basis=Basis.NO_CHOICE, decided=False)

# The defaults of the settings: an example is smaller than either.
_LIMITS = PageLimits(tag_bytes=262_144, inline_bytes=262_144)


class Subject(StrEnum):
    """What an example shows; none where a file has no example."""

    URL = "url"
    INLINE = "inline"
    COOKIE = "cookie"
    HTML = "html"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of one example. *expected* and *found* are rules of this vendor as in the log, in alphabetical order.

    *number* counts the examples of the file from 1. A file without examples is one result of number 0 that passed.
    """

    vendor: str
    file: str
    number: int
    subject: Subject
    expected: tuple[str, ...]
    found: tuple[str, ...]
    note: str = ""

    @property
    def passed(self) -> bool:
        """The vendor's rules withhold what the file says, no more and no less."""
        return self.expected == self.found


def prove(catalogue: Catalogue, *, vendor: str | None = None) -> list[Proof]:
    """Every example of every file, or of the one of *vendor* (KeyError where there is none), in the order of the files."""
    proofs: list[Proof] = []
    for vendor_id in catalogue.vendors if vendor is None else (vendor,):
        examples = catalogue.vendors[vendor_id].example
        file = catalogue.files[vendor_id]
        if not examples:
            proofs.append(Proof(vendor_id, file, 0, Subject.NONE, (), (), note="no examples"))
        for number, example in enumerate(examples, 1):
            subject, found = _withheld(example, catalogue.matcher, vendor_id)
            proofs.append(
                Proof(
                    vendor=vendor_id,
                    file=file,
                    number=number,
                    subject=subject,
                    expected=tuple(sorted(set(example.expect))),
                    found=tuple(sorted(found)),
                    note=example.note,
                )
            )
    return proofs


def _withheld(example: Example, matcher: Matcher, vendor: str) -> tuple[Subject, set[str]]:
    """The rules of *vendor* that withhold what *example* shows."""
    site = urls.parse(example.site)
    assert site is not None  # the schema saw to it
    if example.url is not None:
        url = urls.parse(example.url, example.site)
        return Subject.URL, _rules(() if url is None else matcher.url(url, site_host=site.host), vendor)
    if example.inline is not None:
        code = example.inline.encode()
        return Subject.INLINE, _rules(matcher.inline(code, where="script", site_host=site.host), vendor)
    if example.cookie is not None:
        return Subject.COOKIE, _rules(matcher.cookie(example.cookie), vendor)
    assert example.html is not None
    return Subject.HTML, _rules_on_page(example.html.encode(), matcher, vendor, site=example.site)


def _rules(verdicts: Iterable[Verdict], vendor: str) -> set[str]:
    return {
        verdict.rule
        for verdict in verdicts
        if verdict.vendor == vendor and not _NOTHING.allows(verdict.needs, vendor=vendor)
    }


def _rules_on_page(page: bytes, matcher: Matcher, vendor: str, *, site: str) -> set[str]:
    rewriter = Rewriter(matcher=matcher, decision=_NOTHING, site=site, charset="utf-8", limits=_LIMITS)
    rewriter.feed(page)
    rewriter.close()
    withheld, _ = rewriter.take_report()
    return {thing.rule for thing in withheld if thing.vendor == vendor}
