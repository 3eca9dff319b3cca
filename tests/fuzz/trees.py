"""Documents as trees, by a parser that follows the standard's tree construction: the elements of them that are part of the document.

What stands in a template is not, what stands in a shadow root is. Of XML, turbohtml tells names as they are written: the namespaces
are found here (Namespaces in XML 1.0, 6).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

import turbohtml
from turbohtml import Element, Namespace, Node


class Space(Enum):
    """The namespace of an element."""

    HTML = auto()
    SVG = auto()
    MATHML = auto()
    OTHER = auto()


_SPACES = {Namespace.HTML: Space.HTML, Namespace.SVG: Space.SVG, Namespace.MATHML: Space.MATHML}
_XLINK = "http://www.w3.org/1999/xlink"
_SPACES_OF_XML = {
    "http://www.w3.org/1999/xhtml": Space.HTML,
    "http://www.w3.org/2000/svg": Space.SVG,
    "http://www.w3.org/1998/Math/MathML": Space.MATHML,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An element, by its local name. *place* tells which came first; *text* is of its own, not of elements inside it."""

    space: Space
    name: str
    attributes: dict[str, str]
    place: tuple[int, int]
    text: str
    parent: str = ""
    is_in_shadow: bool = False


@dataclass(frozen=True, slots=True)
class Tree:
    """The elements of a document in tree order, and the data of its `xml-stylesheet` instructions."""

    elements: list[Seen]
    style_sheets: tuple[str, ...] = ()


def of_html(page: bytes | str, *, charset: str | None, scripting: bool) -> Tree:
    """An HTML document. LookupError for a label that no browser knows."""
    document = turbohtml.parse(page, encoding=charset, scripting=scripting)
    return Tree([_seen(element, is_in_shadow=in_shadow) for element, in_shadow in _elements(document)])


def of_xml(page: str) -> Tree | None:
    """An XML document; None where it is not well-formed."""
    try:
        document = turbohtml.parse_xml(page)
    except turbohtml.HTMLParseError:
        return None
    elements = [_seen_in_xml(element, place) for place, (element, _) in enumerate(_elements(document))]
    instructions = (node for node in document.children if isinstance(node, turbohtml.ProcessingInstruction))
    return Tree(elements, tuple(node.data for node in instructions if node.target == "xml-stylesheet"))


def _elements(root: Node) -> Iterator[tuple[Element, bool]]:
    waiting: list[tuple[Node, bool]] = [(root, False)]
    while waiting:
        node, in_shadow = waiting.pop()
        if isinstance(node, Element):
            yield node, in_shadow
            if node.shadow_root is not None:
                waiting.append((node.shadow_root, True))
            if node.tag.rpartition(":")[2] == "template" and node.namespace is Namespace.HTML:
                continue
        waiting += [(child, in_shadow) for child in reversed(list(node.children))]


def _seen(element: Element, *, is_in_shadow: bool) -> Seen:
    return Seen(
        space=_SPACES[element.namespace],
        name=element.tag,
        attributes={name: _value(element, name) for name in element.attrs},
        place=(element.source_line or 0, element.source_col or 0),
        text=_text(element),
        parent=element.parent.tag if isinstance(element.parent, Element) else "",
        is_in_shadow=is_in_shadow,
    )


def _seen_in_xml(element: Element, place: int) -> Seen:
    prefix, _, name = element.tag.rpartition(":")
    attributes = {}
    for written in element.attrs:
        of, _, local = written.rpartition(":")
        attributes[f"xlink:{local}" if of and _declared(element, of) == _XLINK else written] = _value(element, written)
    return Seen(
        space=_SPACES_OF_XML.get(_declared(element, prefix), Space.OTHER),
        name=name,
        attributes=attributes,
        place=(0, place),
        text=_text(element),
        parent=element.parent.tag.rpartition(":")[2] if isinstance(element.parent, Element) else "",
    )


def _declared(element: Element, prefix: str) -> str:
    """What a prefix, or none, stands for at *element*."""
    holder = f"xmlns:{prefix}" if prefix else "xmlns"
    node: Node | None = element
    while isinstance(node, Element):
        if holder in node.attrs:
            return _value(node, holder)
        node = node.parent
    return ""


def _value(element: Element, attribute: str) -> str:
    value = element.attrs[attribute]
    return " ".join(value) if isinstance(value, list) else value or ""


def _text(element: Element) -> str:
    return "".join(child.data for child in element.children if isinstance(child, turbohtml.Text | turbohtml.CData))
