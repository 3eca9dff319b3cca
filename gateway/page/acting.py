"""Attributes that act, whatever their element: judged one by one, and what stands in the place of one that is refused.

| attribute                                  | acts by                                                       | in its place                   |
|--------------------------------------------|---------------------------------------------------------------|--------------------------------|
| on…                                        | its code                                                      | nothing                        |
| href, action, formaction: `javascript:`    | its code, once somebody clicks: judged as a handler           | nothing                        |
| formaction                                 | taking a form to a vendor (see `forms`)                       | nothing                        |
| ping, attributionsrc                       | its addresses                                                 | nothing                        |
| background, data-bg and its like           | its address                                                   | nothing                        |
| style; in svg fill, filter, mask …         | `url(…)` in it                                                | itself, without those          |
| srcdoc                                     | a document of its own                                         | the document, rewritten        |
"""

import html
from typing import NamedTuple

from gateway.page import css, inert
from gateway.page.context import Page
from gateway.page.elements import LATE_BACKGROUNDS, PRESENTATION, srcset_urls
from gateway.page.forms import Forms
from gateway.page.nested import Nested, runs_on_click
from gateway.vendors.match import FormVerdict, Verdict
from gateway.withheld import Action, Kind

_CLICKED: dict[bytes, frozenset[bytes]] = {
    b"href": frozenset({b"a", b"area"}),
    b"xlink:href": frozenset({b"a"}),
    b"action": frozenset({b"form"}),
    b"formaction": frozenset({b"button", b"input"}),
}


_NAMES = LATE_BACKGROUNDS | PRESENTATION | {*_CLICKED, b"attributionsrc", b"background", b"ping", b"srcdoc", b"style"}


class Refused(NamedTuple):
    """What is refused of one attribute, and what stands in its place, with a space in front."""

    verdicts: tuple[Verdict | FormVerdict, ...] = ()
    put: bytes = b""


def may_act(name: bytes) -> bool:
    """Some element has an attribute of this name that acts."""
    return name in _NAMES or name.startswith(b"on")


class Acting:
    """Judges the attributes in one stream of markup, and tells the report what it withholds."""

    def __init__(self, page: Page, nested: Nested, forms: Forms) -> None:
        self._page = page
        self._nested = nested
        self._forms = forms

    def refused(
        self, element: bytes, name: bytes, value: str, *, foreign: bool, waits: tuple[Verdict, ...], at: int
    ) -> Refused:
        """One attribute, decoded, of an element that stays. *waits* is whom the author has it wait for, whatever it loads."""
        if name.startswith(b"on"):
            return self._code(value, waits, at)
        if name in _CLICKED and element in _CLICKED[name]:
            return self._clicked(name, value, waits, at)
        if name == b"attributionsrc" or (name == b"ping" and element in (b"a", b"area")):
            return self._addresses(Kind.PING, value.split(), waits, at)
        if name == b"background":
            return self._addresses(Kind.IMAGE, [value], waits, at)
        if name in LATE_BACKGROUNDS:
            return self._addresses(Kind.IMAGE, _background_urls(value), waits, at)
        if name == b"style" or (foreign and name in PRESENTATION):
            return self._style(name, value, waits, at)
        if name == b"srcdoc" and element == b"iframe":
            return self._srcdoc(value, waits, at)
        return Refused()

    def loads(self, text: str) -> bool:
        """The address makes a browser ask somebody: it is neither empty, nor a place in the page itself, nor data."""
        plain = text.strip()
        return plain != "" and not plain.startswith("#") and self._page.url(plain) is not None

    def _code(self, value: str, waits: tuple[Verdict, ...], at: int) -> Refused:
        refused = self._page.refused_code(value.encode("utf-8", "replace"), "handler")
        return self._told(Kind.HANDLER, waits if value.strip() else (), [(refused, "")], at)

    def _clicked(self, name: bytes, value: str, waits: tuple[Verdict, ...], at: int) -> Refused:
        if runs_on_click(value):
            return self._told(Kind.HANDLER, waits, [(self._nested.refused_click(value), "")], at)
        if name != b"formaction":
            return Refused()
        refused, host = self._forms.refused_button(value)
        self._page.withhold(Kind.FORM, refused, Action.DEFERRED, host=host, at=at)
        return Refused(refused)

    def _addresses(self, kind: Kind, urls: list[str], waits: tuple[Verdict, ...], at: int) -> Refused:
        waits = waits if any(map(self.loads, urls)) else ()
        return self._told(kind, waits, list(map(self._nested.refused_fetch, urls)), at)

    def _style(self, name: bytes, value: str, waits: tuple[Verdict, ...], at: int) -> Refused:
        sheet = value.encode("utf-8", "replace")
        found = self._addresses(Kind.STYLE, [_text(fetch.url) for fetch in css.fetches(sheet)], waits, at)
        if not found.verdicts:
            return found

        def is_withheld(url: bytes) -> bool:
            return bool(self._nested.refused_fetch(_text(url))[0]) or (bool(waits) and self.loads(_text(url)))

        return Refused(found.verdicts, self._attribute(name, _text(css.without(sheet, is_withheld))))

    def _srcdoc(self, value: str, waits: tuple[Verdict, ...], at: int) -> Refused:
        if waits:
            return self._told(Kind.IFRAME, waits, [], at)
        verdicts, body = self._nested.refused_srcdoc(value, at=at)
        return Refused(verdicts, self._attribute(b"srcdoc", body)) if verdicts else Refused()

    def _told(
        self, kind: Kind, waits: tuple[Verdict, ...], answers: list[tuple[tuple[Verdict, ...], str]], at: int
    ) -> Refused:
        """Everybody who is refused, since release brings all of the attribute back; each is reported with the first host of his."""
        verdicts: list[Verdict] = []
        for refused, host in ((waits, ""), *answers):
            told = {verdict.vendor for verdict in verdicts}
            self._page.withhold(
                kind, [each for each in refused if each.vendor not in told], Action.DEFERRED, host=host, at=at
            )
            verdicts += refused
        return Refused(inert.one_a_vendor(verdicts))

    def _attribute(self, name: bytes, value: str) -> bytes:
        return b' %b="%b"' % (name, html.escape(value).encode(self._page.codec, "xmlcharrefreplace"))


def _background_urls(value: str) -> list[str]:
    """The pictures of a `data-bg`: `url(…)`, one address, or candidates with descriptors, some with "|" between them."""
    found = [_text(fetch.url) for fetch in css.fetches(value.encode("utf-8", "replace"))]
    return found or [value, *(url for part in value.split("|") for url in srcset_urls(part))]


def _text(url: bytes) -> str:
    return url.decode("utf-8", "replace")
