"""Whom a page contacts: an oracle that shares nothing with the rewriter but the standard's words and the URL parser.

The page is parsed into a tree, and the tree is walked as a browser would load it: elements that fetch or connect, style, code
that would run, and the documents inside the document, each of them parsed and walked in the same way. A contact is told where a
browser of the day makes it, by itself or (handlers, `ping`) when the visitor does something. Where that is not sure, it is not told.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import ada_url

from tests.fuzz import addresses, styles, trees
from tests.fuzz.trees import Seen, Space, Tree

# Documents within documents, looked into.
_DEPTH = 12

_PLAIN: dict[str, tuple[str, ...]] = {
    "iframe": ("src",),
    "frame": ("src",),
    "img": ("src",),
    "source": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "track": ("src",),
    "object": ("data",),
    "embed": ("src",),
    **dict.fromkeys(("body", "table", "thead", "tbody", "tfoot", "tr", "td", "th"), ("background",)),
}
_SETS = {"img": "srcset", "source": "srcset"}
_LOADING_RELS = frozenset(
    {
        *("apple-touch-icon", "compression-dictionary", "dns-prefetch", "icon", "manifest", "modulepreload"),
        *("preconnect", "prefetch", "preload", "stylesheet"),
    }
)
# Attributes of svg that are properties of CSS, and take addresses as those do (SVG 2, 6.6).
_PRESENTATION = frozenset(
    {
        *("clip-path", "cursor", "fill", "filter", "marker", "marker-end", "marker-mid", "marker-start", "mask"),
        "stroke",
    }
)
_JAVASCRIPT = frozenset(
    {
        *("application/ecmascript", "application/javascript", "application/x-ecmascript", "application/x-javascript"),
        *("text/ecmascript", "text/javascript", "text/jscript", "text/livescript", "text/x-ecmascript"),
        *("text/x-javascript", *(f"text/javascript1.{minor}" for minor in range(6))),
    }
)
_DOCUMENTS = frozenset({"iframe", "frame", "object", "embed"})
_XML_TYPES = frozenset({"application/xhtml+xml", "application/xml", "image/svg+xml", "text/xml"})

# What the rewriter writes where it cuts a script off: no script in which it stands is valid, so none of it runs.
_CUT = "\n\x01"

# A string that is an address from its first character to its last, in JavaScript; what may begin a comment.
_STRING = re.compile(r"([\"'`])((?:https?:)?//[A-Za-z0-9.-]+(?:[/?#:][^\"'`\\\s<>$]*)?)\1")
_COMMENT = re.compile(r"/\*|(?<![:\"'`])//|<!--|-->")
_NETWORK = re.compile(r"(?:https?|wss?)://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/:?#]*)")
_PSEUDO_HREF = re.compile(r"href\s*=\s*[\"']([^\"']*)")


class Contact(NamedTuple):
    """An address that is asked for, or connected to, and by what: the element, and the attribute where one says it."""

    url: str
    by: str

    @property
    def host(self) -> str:
        """Who is contacted."""
        return _host(self.url)


@dataclass(frozen=True, slots=True)
class _Reading:
    """How a document is read. *base* of its URLs is empty for one whose own address cannot be a base."""

    base: str
    scripting: bool
    depth: int = 0

    def inside(self, base: str) -> "_Reading":
        return replace(self, base=base, depth=self.depth + 1)


def contacts(page: bytes, *, site: str, charset: str = "utf-8", scripting: bool = True) -> set[Contact]:
    """Whom *page* at *site* contacts, in the encoding that its head names, for a visitor with or without scripting."""
    tree = trees.of_html(page, charset=charset or None, scripting=scripting)
    return set(_of_tree(tree, _Reading(site, scripting)))


def contacts_of_xml(page: str, *, site: str) -> set[Contact] | None:
    """Whom an XHTML page contacts; None where it is not well-formed."""
    tree = trees.of_xml(page)
    return None if tree is None else set(_of_tree(tree, _Reading(site, scripting=True)))


def _of_tree(tree: Tree, reading: _Reading) -> Iterator[Contact]:
    if reading.depth > _DEPTH:
        return
    for data in tree.style_sheets:
        found = _PSEUDO_HREF.search(data)
        yield from _of_address(found[1] if found else "", "xml-stylesheet href", reading)
    bases = [
        seen
        for seen in tree.elements
        if seen.space is Space.HTML and seen.name == "base" and "href" in seen.attributes and not seen.is_in_shadow
    ]
    for seen in tree.elements:
        # The first in the tree of those that the parser had met by then.
        base = next((base.attributes["href"] for base in bases if base.place < seen.place), None)
        yield from _of_element(seen, replace(reading, base=_based(base, reading.base)))


def _of_element(seen: Seen, reading: _Reading) -> Iterator[Contact]:
    if seen.space is Space.OTHER:
        return
    is_html = seen.space is Space.HTML
    for by, address in _addresses(seen):
        yield from _of_address(address, f"{seen.name} {by}", reading)
    for attribute, value in seen.attributes.items():
        if attribute == "style" or (attribute in _PRESENTATION and seen.space is Space.SVG):
            yield from _of_style(value, f"{seen.name} {attribute}", reading)
        elif attribute.startswith("on") and attribute != "on" and reading.scripting:
            yield from _of_code(value, f"{seen.name} {attribute}", reading)
    if seen.name == "style" and seen.space is not Space.MATHML:
        if seen.attributes.get("type", "").lower() in ("", "text/css"):
            yield from _of_style(seen.text, "style", reading)
    elif seen.name == "script" and seen.space is not Space.MATHML and reading.scripting:
        yield from _of_script(seen, reading)
    elif seen.name == "iframe" and is_html and "srcdoc" in seen.attributes:
        inner = trees.of_html(seen.attributes["srcdoc"], charset=None, scripting=reading.scripting)
        yield from _of_tree(inner, reading.inside(reading.base))


def _addresses(seen: Seen) -> Iterator[tuple[str, str]]:
    """Addresses in attributes, each with the attribute's name."""
    if seen.name in ("a", "area"):
        yield from (("ping", address) for address in seen.attributes.get("ping", "").split())
    if seen.space is Space.SVG and seen.name in _SVG:
        yield from _SVG[seen.name](seen)
    if seen.space is not Space.HTML:
        return
    if seen.name in _HTML:
        yield from _HTML[seen.name](seen)
    for attribute in _PLAIN.get(seen.name, ()):
        if attribute in seen.attributes and not (seen.name == "iframe" and "srcdoc" in seen.attributes):
            yield attribute, seen.attributes[attribute]
    if seen.name in _SETS:
        candidates = addresses.candidates(seen.attributes.get(_SETS[seen.name], ""))
        yield from ((_SETS[seen.name], address) for address in candidates)


def _of_input(seen: Seen) -> Iterator[tuple[str, str]]:
    if seen.attributes.get("type", "").lower() == "image":
        yield "src", seen.attributes.get("src", "")


def _of_link(seen: Seen) -> Iterator[tuple[str, str]]:
    rels = set(seen.attributes.get("rel", "").lower().split())
    if rels & _LOADING_RELS:
        yield "href", seen.attributes.get("href", "")
    if "preload" in rels and seen.attributes.get("as", "").lower() == "image":
        for address in addresses.candidates(seen.attributes.get("imagesrcset", "")):
            yield "imagesrcset", address


def _of_meta(seen: Seen) -> Iterator[tuple[str, str]]:
    if seen.attributes.get("http-equiv", "").lower() == "refresh":
        yield "content", addresses.refresh(seen.attributes.get("content", "")) or ""


def _of_image(seen: Seen) -> Iterator[tuple[str, str]]:
    holder = "href" if "href" in seen.attributes else "xlink:href"
    if holder in seen.attributes:
        yield holder, seen.attributes[holder]


def _of_animation(seen: Seen) -> Iterator[tuple[str, str]]:
    moved = seen.attributes.get("attributeName", seen.attributes.get("attributename", "")).strip(addresses.SPACE)
    holders = ("to",) if seen.name == "set" else ("to", "from", "by", "values")
    texts = [(holder, part) for holder in holders for part in seen.attributes.get(holder, "").split(";")]
    if moved in ("href", "xlink:href") and seen.parent in ("image", "feImage"):
        yield from texts
    elif moved in _PRESENTATION:
        for holder, text in texts:
            yield from ((holder, address.url) for address in styles.loaded(text))


_Finder = Callable[[Seen], Iterator[tuple[str, str]]]
_HTML: dict[str, _Finder] = {"input": _of_input, "link": _of_link, "meta": _of_meta}
_SVG: dict[str, _Finder] = {
    "image": _of_image,
    "feImage": _of_image,
    "animate": _of_animation,
    "set": _of_animation,
}


def _of_script(seen: Seen, reading: _Reading) -> Iterator[Contact]:
    is_html = seen.space is Space.HTML
    kind = seen.attributes.get("type", "")
    language = seen.attributes.get("language", "") if "type" not in seen.attributes and is_html else ""
    kind = (kind or f"text/{language or 'javascript'}").strip(addresses.SPACE).lower()
    if kind in ("importmap", "speculationrules"):
        yield from _of_code(seen.text, f"script {kind}", reading)
    if kind not in _JAVASCRIPT | {"module"}:
        return
    for holder in ("src",) if is_html else ("href", "xlink:href"):
        if holder in seen.attributes:
            yield from _of_address(seen.attributes[holder], f"script {holder}", reading)
            return
    yield from _of_code(seen.text, "script", reading)


def _of_code(code: str, by: str, reading: _Reading) -> Iterator[Contact]:
    """Addresses that are strings, up to where a comment may begin."""
    if _CUT in code:
        return
    comment = _COMMENT.search(code)
    for found in _STRING.finditer(code, 0, comment.start() if comment else len(code)):
        resolved = _resolved(found[2], reading.base or "https://base.invalid/")
        if _host(resolved):
            yield Contact(resolved, by)


def _of_style(css: str, by: str, reading: _Reading) -> Iterator[Contact]:
    for address, is_import in styles.loaded(css):
        yield from _of_address(address, f"{by} @import" if is_import else by, reading)


def _of_address(address: str, by: str, reading: _Reading) -> Iterator[Contact]:
    # An empty one is none, wherever it stands (HTML Standard, 4.2.4.3, 4.8.4.3.5, 4.12.1.1; CSS Values 4, 4.5.1).
    resolved = _resolved(address, reading.base) if address else ""
    if _host(resolved):
        yield Contact(resolved, by)
    elif resolved.startswith("javascript:") and by in ("iframe src", "frame src") and reading.scripting:
        code = addresses.percent_decoded(resolved.removeprefix("javascript:"))
        yield from _of_code(code.decode(errors="replace"), by, reading)
    elif resolved.startswith("data:") and reading.depth < _DEPTH:
        document = addresses.data_of(resolved)
        for contact in _of_data(document, by, reading.inside("")) if document else ():
            yield contact._replace(by=f"{by} > {contact.by}")


def _of_data(document: addresses.Document, by: str, reading: _Reading) -> Iterator[Contact]:
    """What a document in an address contacts, which has no base of its own."""
    text = document.body.decode(errors="replace")
    if by.partition(" ")[0] in _DOCUMENTS and document.essence == "text/html":
        try:
            tree = trees.of_html(document.body, charset=document.charset or None, scripting=reading.scripting)
        except LookupError:
            tree = trees.of_html(document.body, charset=None, scripting=reading.scripting)
        yield from _of_tree(tree, reading)
    elif by.partition(" ")[0] in _DOCUMENTS and document.essence in _XML_TYPES:
        yield from _of_tree(trees.of_xml(text) or Tree([]), reading)
    elif by in ("script src", "script href") and document.essence in _JAVASCRIPT and reading.scripting:
        yield from _of_code(text, "script", reading)
    elif (by == "link href" or by.endswith("@import")) and document.essence == "text/css":
        yield from _of_style(text, "style", reading)


def _resolved(address: str, base: str) -> str:
    """*address* against *base*, or by itself without one; empty where it is no URL."""
    try:
        return str((ada_url.URL(address, base=base) if base else ada_url.URL(address)).href)
    except (ValueError, UnicodeEncodeError):
        return ""


def _based(address: str | None, base: str) -> str:
    """The base that a base element's *address* makes of *base* (HTML Standard, 4.2.3)."""
    href = "" if address is None else _resolved(address, base)
    return base if not href or href.startswith(("data:", "javascript:")) else href


def _host(href: str) -> str:
    found = _NETWORK.match(href)
    return found[1].rstrip(".") if found else ""
