"""Target `page`: any bytes, and any markup, through the rewriter.

Whole or cut, the same comes out; nobody who was refused is contacted by it, whoever reads it; a visitor who agreed gets the page
itself; nothing changes without a word in the report; and in what went through once there is nothing left to withhold.
"""

from dataclasses import dataclass

from gateway.page.rewriter import PageLimits
from tests.fuzz import markup, oracle
from tests.fuzz.case import Broken, Case
from tests.fuzz.draw import Draw
from tests.fuzz.vendors import AGREED, LARGE, SITE, SMALL, is_withheld, rewrite


@dataclass(frozen=True, slots=True)
class How:
    """*cutting* says where the page is cut."""

    cutting: bytes = b""
    limits: PageLimits = LARGE
    xml: bool = False


def draw(data: bytes) -> Case[How]:
    """A page: as often as not of markup, else of the bytes themselves."""
    choices = Draw(data)
    limits = choices.pick((LARGE, LARGE, SMALL))
    xml = choices.one_in(8)
    cutting = choices.raw(12)
    if choices.one_in(4):
        return Case(choices.rest(), How(cutting, limits, xml))
    page = markup.xml_page(choices) if xml else markup.page(choices)
    return Case(page, How(cutting, limits, xml))


def check(case: Case[How]) -> None:
    """What must hold for every page."""
    page, limits, xml = case.given, case.how.limits, case.how.xml
    pieces = Draw(case.how.cutting).cut(page)
    whole = rewrite([page], limits=limits, xml=xml)
    cut = rewrite(pieces, limits=limits, xml=xml)
    if cut != whole:
        raise Broken("cut", f"{cut} instead of {whole}")
    if rewrite(pieces, decision=AGREED, limits=limits, xml=xml).page != page:
        raise Broken("agreed")
    if not whole.withheld and not whole.degraded and whole.page != page:
        raise Broken("silent", whole.page)
    for contact in contacts(whole.page, xml=xml):
        raise Broken(f"contact by {contact.by}", whole.page)
    if not whole.degraded and b"consent" not in page:
        again = rewrite([whole.page], xml=xml)
        if again.withheld:
            raise Broken("again", f"{again.withheld} from {whole.page!r}")


def target(data: bytes) -> None:
    """For fuzzers that want a function."""
    check(draw(data))


def contacts(page: bytes, *, charset: str = "utf-8", xml: bool = False) -> list[oracle.Contact]:
    """Whom of the withheld vendors a page contacts, for a visitor with scripting or without."""
    if xml:
        found = oracle.contacts_of_xml(page.decode(errors="replace"), site=SITE) or set()
    else:
        found = oracle.contacts(page, site=SITE, charset=charset)
        found |= oracle.contacts(page, site=SITE, charset=charset, scripting=False)
    return sorted(contact for contact in found if is_withheld(contact.host))
