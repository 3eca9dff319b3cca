"""svg and math in a page: which open elements make the tokenizer read on by other rules, and when they end.

Inside svg and math raw text elements are markup, `<![CDATA[` opens a section, and `/>` closes (13.2.6.5). Some of their elements hold
HTML again (integration points), and start tags of HTML that have no place there end them. So a stack is kept of what is open from the
first svg or math on; below, where elements are not followed, only HTML can be.

What happens there decides about an end tag that fits nothing inside: `</div>` ends an svg if a div is open around it, and means
nothing else. It is taken to end it, since authors who forget `</svg>` are more than those who write end tags for nothing; from then on
the reading is *in doubt*, and whoever reads may look at text both ways.

Source: HTML Standard, 13.2.4.2 (the stack of open elements), 13.2.6 (tree construction dispatcher), 13.2.6.5.
"""

from typing import NamedTuple

from gateway.page.attributes import attributes, decode_references

# Start tags that end foreign content; font does with one of three attributes.
BREAKOUT = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    b"nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)
_FONT_ATTRIBUTES = frozenset({b"color", b"face", b"size"})

_SVG_POINTS = frozenset({b"foreignobject", b"desc", b"title"})
_MATH_TEXT_POINTS = frozenset({b"mi", b"mo", b"mn", b"ms", b"mtext"})
_SPECIAL_IN_MATH = _MATH_TEXT_POINTS | {b"annotation-xml"}
_MATH_IN_TEXT = frozenset({b"mglyph", b"malignmark"})
_HTML_ENCODINGS = ("text/html", "application/xhtml+xml")

_VOID = frozenset(
    b"area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr".split()
)
# HTML elements that an end tag of another name passes through; all others it stops at (13.2.6.4.7, any other end tag).
_PASSED = frozenset(
    b"a abbr b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q s samp small span strike strong".split()
)
_PASSED |= frozenset(b"sub sup time tt u var output picture slot".split())
# A start tag of these ends a paragraph, and one of its own kind.
_ENDS_PARAGRAPH = frozenset(
    b"address article aside blockquote center details dialog dir div dl dd dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6 "
    b"header hgroup hr li main menu nav ol p pre search section summary table ul".split()
)
_ENDS_LIKE = frozenset(b"p li dd dt option tr td th".split())

# As deep as the tree of a browser goes.
_DEPTH_LIMIT = 512


class _Open(NamedTuple):
    name: bytes
    space: str  # of the element: svg, math or html
    inside: str  # of what it holds


class Foreign:
    """The open elements from the first svg or math on. *always*: everything is foreign, as in an XML document."""

    def __init__(self, *, always: bool = False) -> None:
        self._always = always
        self._open: list[_Open] = []
        self._reopens = False  # a browser opens again what stood open for its looks when an element around it ended
        self.in_doubt = False

    def __bool__(self) -> bool:
        return bool(self._open)

    @property
    def holds(self) -> bool:
        """What comes next stands in svg, math or XML."""
        return self._always or (bool(self._open) and self._open[-1].inside != "html")

    @property
    def takes_cdata(self) -> bool:
        """`<![CDATA[` opens a section here, not a comment."""
        if self._always or not self._open:
            return self._always
        top = self._open[-1]
        return top.space != "html" and not (top.inside == "html" and self._reopens)

    def start(self, name: bytes, raw: bytes, *, closes: bool) -> bool:
        """Take a start tag; *raw* is as much of it as is known, *closes*: it ends with "/>". Whether it is foreign."""
        if self._always:
            return True
        if not self._open:
            if name in (b"svg", b"math") and not closes:
                self._push(name, name.decode())
            return False
        top = self._open[-1]
        if top.inside != "html" and _breaks_out(name, raw):
            self._break_out()
            if not self._open:
                return False
            top = self._open[-1]
        if top.inside == "html" and not (
            top.name in _MATH_TEXT_POINTS and name in _MATH_IN_TEXT and top.space == "math"
        ):
            self._start_html(name, closes=closes)
            return False
        space = (
            "svg"
            if name == b"svg" and top.name == b"annotation-xml"
            else top.inside
            if top.inside != "html"
            else "math"
        )
        if not closes:
            self._push(name, space, raw)
        return True

    def before_long(self, name: bytes) -> bool:
        """A start tag begins whose attributes will not be known together. Whether it is foreign."""
        if name in BREAKOUT or name == b"font":
            self._break_out()
        return self.holds

    def _break_out(self) -> None:
        while self._open and self._open[-1].inside != "html":
            self._open.pop()

    def end(self, name: bytes) -> None:
        """An end tag *name*."""
        stack = self._open
        if not stack:
            return
        at = len(stack) - 1
        if stack[-1].inside != "html" and name in (b"br", b"p"):
            self._break_out()
            return
        while at >= 0:
            element = stack[at]
            if element.name == name:
                self._reopens = self._reopens or at < len(stack) - 1
                del stack[at:]
                return
            if element.space == "html" and name != b"template" and element.name not in _PASSED:
                return
            if element.space != "html" and element.inside == "html" and at < len(stack) - 1:
                self.in_doubt = True  # what is open in an integration point may have ended without a tag
                return
            at -= 1
        # Nothing inside is called so. An element around may be, which would end it all.
        if not any(element.inside == "html" for element in stack) and name not in _ONLY_FOREIGN:
            stack.clear()
            self.in_doubt = True

    def _start_html(self, name: bytes, *, closes: bool) -> None:
        if name in (b"svg", b"math"):
            if not closes:
                self._push(name, name.decode())
            return
        top = self._open[-1]
        if top.space == "html" and (
            (name in _ENDS_PARAGRAPH and top.name == b"p") or (name in _ENDS_LIKE and top.name == name)
        ):
            self._open.pop()
        if name not in _VOID and name not in (b"script", b"plaintext"):
            self._push(name, "html")

    def _push(self, name: bytes, space: str, raw: bytes = b"") -> None:
        if len(self._open) < _DEPTH_LIMIT:
            is_point = (
                (space == "svg" and name in _SVG_POINTS)
                or (space == "math" and name in _MATH_TEXT_POINTS)
                or (space == "math" and name == b"annotation-xml" and _holds_html(raw))
            )
            self._open.append(_Open(name, space, "html" if is_point else space))


# Elements of svg and math that HTML has none of: their end tags end nothing around.
_ONLY_FOREIGN = frozenset(
    b"svg math g path rect circle ellipse line polyline polygon text tspan textpath use defs symbol marker mask pattern image filter "
    b"lineargradient radialgradient stop clippath switch view animate animatetransform animatemotion mpath set foreignobject desc metadata "
    b"mi mo mn ms mtext mrow mfrac msqrt mroot mstyle msub msup msubsup munder mover munderover mtable mtr mtd annotation annotation-xml "
    b"semantics merror mpadded mphantom mspace mglyph malignmark".split()
)


def _breaks_out(name: bytes, raw: bytes) -> bool:
    if name == b"font":
        return any(attribute.name in _FONT_ATTRIBUTES for attribute in attributes(raw))
    return name in BREAKOUT


def _holds_html(raw: bytes) -> bool:
    for attribute in attributes(raw):
        if attribute.name == b"encoding":
            return decode_references(attribute.value.decode("latin-1")).lower() in _HTML_ENCODINGS
    return False
