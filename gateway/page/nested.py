"""What stands inside an address or an attribute: documents, scripts and style sheets within the document.

| holder                                     | what is read                                             | as                               |
|--------------------------------------------|----------------------------------------------------------|----------------------------------|
| srcdoc                                     | HTML                                                     | a page of its own                |
| iframe, object, embed and the like         | `data:` of HTML, XHTML, SVG or XML                       | a page of its own                |
|                                            | `javascript:`                                            | code                             |
| script src                                 | `data:` of any type that a browser runs                  | code                             |
| link rel=stylesheet, `@import`             | `data:text/css`                                          | a style sheet                    |
| a, area, form, button                      | `javascript:`                                            | code of a handler: a click away  |

Pictures are left alone whatever they hold: a browser lets an svg that is a picture neither run code nor load anything.

Source: Fetch Standard, 6 (data: URLs); HTML Standard, 7.4.2.3.2 (javascript: URLs); 8.1.4.2 (types that are no script).
"""

import base64
import binascii
import codecs
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from gateway.consent.model import OPTIONAL
from gateway.page import css
from gateway.page.context import Page
from gateway.page.encoding import codec_of
from gateway.page.texts import HeldText
from gateway.vendors.match import Verdict
from gateway.withheld import Action, Degraded, Kind, Withheld

# Documents within documents: each level at least doubles the length of its quotes, so honest pages have one or two.
_DEPTH_LIMIT = 4

# Who stands for what was not read: nobody less than everybody.
_UNREAD = Verdict("unread", Degraded.NESTED_TOO_DEEP, OPTIONAL)

# What a URL parser drops: blanks and control characters around, tabs and ends of lines inside (URL Standard, 4.4).
_AROUND = "".join(map(chr, range(0x21)))
_INSIDE = {ord(char): None for char in "\t\n\r"}

_JAVASCRIPT = "javascript:"
_DATA = re.compile(r"data:([^,;]*)([^,]*),", re.IGNORECASE)
_CHARSET = re.compile(r";\s*charset=([^;]*)", re.IGNORECASE)
_BASE64 = re.compile(r";\s*base64\s*", re.IGNORECASE)

_HTML = "text/html"
_XML = re.compile(r"(?:text|application)/xml|[^/]+/[^/]+\+xml")
# Served as one of these, a classic script is refused by the browser.
_NO_SCRIPT = re.compile(r"(?:audio|image|video)/.*|text/csv")

# A page in it cannot be scanned; here the text is in hand.
_ALSO_READ = {"iso-2022-jp": "iso2022_jp", "csiso2022jp": "iso2022_jp"}

# Reads and rewrites the markup of a document inside the page, which is told as standing at this place of the page.
Open = Callable[[Page, int], HeldText]


class _Data(NamedTuple):
    kind: str
    body: bytes


class Nested:
    """What is refused of what one stream of markup holds inside addresses and attributes. *read* reads it as the page is read."""

    def __init__(self, page: Page, read: Open) -> None:
        self._page = page
        self._read = read

    def holds_code(self, text: str, kind: Kind) -> bool:
        """The address contacts nobody, and makes what loads it run or style something all the same."""
        plain = _plain(text)[: len(_JAVASCRIPT)].lower()
        if kind in (Kind.IFRAME, Kind.OBJECT):
            return plain.startswith(("data:", _JAVASCRIPT))
        return kind in (Kind.SCRIPT, Kind.STYLESHEET) and plain.startswith("data:")

    def refused(self, text: str, kind: Kind, *, at: int) -> tuple[Verdict, ...]:
        """What is refused of an address that contacts nobody, loaded as *kind* by the tag at this place of the page."""
        match kind:
            case Kind.IFRAME | Kind.OBJECT:
                code = _code_of(text)
                return self._page.refused_code(code, "script") if code else self._refused_document(text, at)
            case Kind.SCRIPT:
                data = _data_of(text)
                is_script = data is not None and _NO_SCRIPT.fullmatch(data.kind) is None
                return self._page.refused_code(data.body, "script") if data is not None and is_script else ()
            case Kind.STYLESHEET:
                return self.refused_fetch(text)[0]
            case _:
                return ()

    def refused_click(self, text: str) -> tuple[Verdict, ...]:
        """What is refused of the code in an address that somebody must click, or send a form to."""
        code = _code_of(text)
        return self._page.refused_code(code, "handler") if code else ()

    def refused_fetch(self, text: str, depth: int = 0) -> tuple[tuple[Verdict, ...], str]:
        """What is refused of one URL of a style sheet, and its host: a style sheet in the address is read, too."""
        if not is_data(text):
            return self._page.refused_url(text)
        data = _data_of(text)
        if data is None or data.kind != "text/css":
            return (), ""
        if depth == _DEPTH_LIMIT:
            self._page.report.degraded.append(Degraded.NESTED_TOO_DEEP)
            return (_UNREAD,), ""
        inner = (fetch.url.decode("utf-8", "replace") for fetch in css.fetches(data.body))
        return next((found for url in inner if (found := self.refused_fetch(url, depth + 1))[0]), ((), ""))

    def refused_srcdoc(self, value: str, *, at: int) -> tuple[tuple[Verdict, ...], str]:
        """A document of its own: rewritten like the page. What it withheld is told as standing at its tag."""
        inner = self._page.inner()
        body = self._document(inner, value.encode("utf-8", "replace"), at)
        self._page.report.withheld += (replace(fact, offset=at) for fact in inner.report.withheld)
        self._page.report.degraded += inner.report.degraded
        return _verdicts_of(inner.report.withheld), body.decode("utf-8", "replace")

    def open(self, *, at: int) -> tuple[Page, HeldText] | None:
        """A srcdoc that comes in pieces: its own page, and its markup; None where it lies too deep."""
        inner = self._page.inner()
        return None if inner.depth > _DEPTH_LIMIT else (inner, self._read(inner, at))

    def _refused_document(self, text: str, at: int) -> tuple[Verdict, ...]:
        data = _data_of(text)
        is_xml = data is not None and _XML.fullmatch(data.kind) is not None
        if data is None or not (is_xml or data.kind == _HTML):
            return ()
        inner = replace(self._page.inner(), xml=is_xml)
        self._document(inner, data.body, at)
        self._page.report.degraded += inner.report.degraded
        return _verdicts_of(inner.report.withheld)

    def _document(self, inner: Page, body: bytes, at: int) -> bytes:
        """A document inside the page, rewritten; its report is its own. One that lies too deep is refused unread."""
        if inner.depth > _DEPTH_LIMIT:
            inner.report.degraded.append(Degraded.NESTED_TOO_DEEP)
            inner.withhold(Kind.IFRAME, (_UNREAD,), Action.DEFERRED, at=at)
            return b""
        markup = self._read(inner, at)
        return markup.feed(body) + markup.close()


def is_data(text: str) -> bool:
    """A `data:` address."""
    return _plain(text)[:5].lower() == "data:"


def runs_on_click(text: str) -> bool:
    """A `javascript:` address."""
    return _plain(text)[: len(_JAVASCRIPT)].lower() == _JAVASCRIPT


def _plain(text: str) -> str:
    return text.strip(_AROUND).translate(_INSIDE)


def _code_of(text: str) -> bytes:
    """The code in a `javascript:` address; empty where it is none."""
    plain = _plain(text)
    if plain[: len(_JAVASCRIPT)].lower() != _JAVASCRIPT:
        return b""
    return unquote_to_bytes(plain[len(_JAVASCRIPT) :].encode("utf-8", "replace"))


def _data_of(text: str) -> _Data | None:
    """Type and body, in UTF-8, of a `data:` address; None where it is none, or is damaged."""
    plain = _plain(text)
    data = _DATA.match(plain)
    if data is None:
        return None
    body = unquote_to_bytes(plain[data.end() :].encode("utf-8", "replace"))
    parameters = data[2]
    if (encoded := _BASE64.search(parameters)) is not None and encoded.end() == len(parameters):
        try:
            body = base64.b64decode(re.sub(rb"[^A-Za-z0-9+/]", b"", body) + b"==")
        except binascii.Error:
            return None
    charset = _CHARSET.search(parameters)
    label = charset[1].strip("\"' ").lower() if charset is not None else ""
    codec = _ALSO_READ.get(label) or codec_of(label)
    if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        codec = "utf-16"
    if codec is not None and codec != "utf-8":
        body = body.decode(codec, "replace").encode("utf-8", "replace")
    return _Data(data[1].strip().lower(), body)


def _verdicts_of(facts: Iterable[Withheld]) -> tuple[Verdict, ...]:
    """What a document inside the page withheld, as a reason to withhold its frame."""
    return tuple(Verdict(fact.vendor, fact.rule, fact.needs) for fact in facts)
