"""What a request is for, and what a response is, as a browser tells: the question of whether a body is a page.

Sources: Fetch Standard, "extract a MIME type" and Sec-Fetch-Dest; MIME Sniffing Standard, sections 4.4 and 7.
"""

import re
from dataclasses import dataclass

from gateway.head.fields import OWS, Lines, is_token, split_list, tokens, unquote

_PAGE_TYPES = frozenset({b"text/html", b"application/xhtml+xml"})

# What a browser shows as a document, and what it never does, whatever the response calls itself.
_DOCUMENT_DESTINATIONS = frozenset({b"document", b"iframe", b"frame", b"object", b"embed", b"fencedframe"})
_ASSET_DESTINATIONS = frozenset(
    {
        b"audio",
        b"audioworklet",
        b"font",
        b"image",
        b"json",
        b"manifest",
        b"paintworklet",
        b"script",
        b"serviceworker",
        b"sharedworker",
        b"style",
        b"track",
        b"video",
        b"worker",
        b"xslt",
    }
)

# A browser looks into the body where the type says nothing (MIME Sniffing, 7).
_UNKNOWN_TYPES = frozenset({b"", b"*/*", b"unknown/unknown", b"application/unknown"})

_PARAMETER = re.compile(rb';\s*([^\s;="]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^;]*)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class MediaType:
    """The type of a body: *essence* lower case (`text/html`), empty where none is told; *charset* lower case or empty."""

    essence: bytes
    charset: str

    @property
    def is_page(self) -> bool:
        """A browser runs what is in it."""
        return self.essence in _PAGE_TYPES

    @property
    def is_xml(self) -> bool:
        """A page by the rules of XML."""
        return self.essence == b"application/xhtml+xml"

    @property
    def is_unknown(self) -> bool:
        """A browser looks into the body, and may find a page."""
        return self.essence in _UNKNOWN_TYPES


def is_likely_page(request: Lines) -> bool:
    """The answer to this request will be shown as a page, as far as a request can tell."""
    if not _DOCUMENT_DESTINATIONS.isdisjoint(request.values(b"sec-fetch-dest")):
        return True
    accepted = b",".join(request.values(b"accept")).lower()
    return any(essence in accepted for essence in _PAGE_TYPES)


def is_never_page(request: Lines) -> bool:
    """Whatever comes, the browser that asked will not read it as a page: it said what it wants it for."""
    destinations = request.values(b"sec-fetch-dest")
    return len(destinations) == 1 and destinations[0] in _ASSET_DESTINATIONS


def may_be_shown(request: Lines) -> bool:
    """The browser did not say that it wants the answer for something else than showing it."""
    destinations = request.values(b"sec-fetch-dest")
    return not destinations or not _DOCUMENT_DESTINATIONS.isdisjoint(destinations)


def media_type(response: Lines) -> MediaType:
    """The type that a browser takes from all Content-Type lines: the last that can be read, as Fetch says.

    A blank or a bracket ends the type as well as `;`, which is how Chromium reads it; so more is a page, never less.
    """
    essence, charset = b"", ""
    for value in response.values(b"content-type"):
        for piece in split_list(value):
            name = re.split(rb"[;\s(]", piece.strip(OWS), maxsplit=1)[0].lower()
            kind, slash, subtype = name.partition(b"/")
            if not slash or not is_token(kind) or not is_token(subtype) or name == b"*/*":
                continue
            told = _charset(piece)
            charset = told or (charset if name == essence else "")
            essence = name
    return MediaType(essence, charset)


def is_sniffed(response: Lines) -> bool:
    """Nothing forbids the browser to look into the body for its type."""
    return not any(value.strip(OWS).lower() == b"nosniff" for value in response.values(b"x-content-type-options"))


def is_download(response: Lines) -> bool:
    """The browser saves the body and shows nothing of it (RFC 6266)."""
    return any(
        value.partition(b";")[0].strip(OWS).lower() == b"attachment"
        for value in response.values(b"content-disposition")
    )


def forbids_transforming(response: Lines) -> bool:
    """Cache-Control: no-transform (RFC 9110, section 7.7)."""
    return b"no-transform" in tokens(response.values(b"cache-control"))


def _charset(piece: bytes) -> str:
    for name, value in _PARAMETER.findall(piece):
        if name.lower() == b"charset":
            # Browsers forgive single quotes.
            return unquote(value.strip(OWS)).strip(b"' \t").decode("latin-1").lower()
    return ""
