"""What an element does of which only a part of the start tag is known.

What is not known yet is taken for the worst: a `link` without a rel loads and connects, a `meta` may refresh, an `input` is a picture.
"""

import re
from enum import Enum, auto

from gateway.page.elements import LATE_BACKGROUNDS, PRESENTATION, Loads, Values, is_loading_data, loads, runs_code
from gateway.page.nested import runs_on_click
from gateway.withheld import Kind

# Attributes that say what the others do.
_SAYING = frozenset(b"attributename data-wpmeteor-type height http-equiv language name rel type width".split())

# What to take an element for while the attribute, the first, is not known: each value in turn.
_WORST: dict[bytes, tuple[bytes, tuple[str, ...]]] = {
    b"animate": (b"attributename", ("href", "fill")),
    b"input": (b"type", ("image",)),
    b"link": (b"rel", ("stylesheet", "preconnect")),
    b"meta": (b"http-equiv", ("refresh",)),
    b"param": (b"name", ("src",)),
    b"script": (b"data-wpmeteor-type", ("",)),
    b"set": (b"attributename", ("href", "fill")),
}
# A description is no refresh: that begins with a number.
_COULD_REFRESH = re.compile(r"[\t\n\f\r ]*[0-9.+;,]")

# Addresses that contact nobody, whatever follows. What is a picture is one even where it could be a document; a list of media is
# none; what is framed must be of a type that no browser reads as markup.
_DATA = re.compile(r"[\x00-\x20]*data:", re.IGNORECASE)
_DATA_OF_LINK = re.compile(r"[\x00-\x20]*data:(?:image|font|audio|video)/", re.IGNORECASE)
_DATA_OF_MEDIA = re.compile(r"[\x00-\x20]*data:(?:text/vtt|(?:image|audio|video)/(?!(?:x-)?mpegurl))", re.IGNORECASE)
_DATA_OF_FRAME = re.compile(
    r"[\x00-\x20]*data:(?:image/(?:avif|bmp|gif|jpe?g|png|webp)|(?:audio|video)/[a-z0-9]+|application/pdf)[;,]",
    re.IGNORECASE,
)
_HARMLESS = {
    **dict.fromkeys((b"img", b"image", b"input", b"feimage", b"amp-img", b"amp-anim"), _DATA),
    **dict.fromkeys((b"source", b"video", b"audio", b"track", b"bgsound"), _DATA_OF_MEDIA),
    **dict.fromkeys((b"iframe", b"frame", b"object", b"embed"), _DATA_OF_FRAME),
    b"link": _DATA_OF_LINK,
}
# Tells one address from several in a row.
_ONE = "data:, b; c"


class Holds(Enum):
    """What an attribute holds that acts."""

    ADDRESS = auto()
    CANDIDATES = auto()  # of a srcset
    CODE_ADDRESS = auto()  # of a script, or one that is clicked and is code
    STYLE = auto()
    DOCUMENT = auto()
    OTHER = auto()  # code, several addresses, or what moves them


class Unfinished:
    """The element *name*, lower case, of which more becomes known as its start tag comes."""

    def __init__(self, name: bytes, *, foreign: bool) -> None:
        self.name = name
        self._foreign = foreign
        self._known: dict[bytes, str] = {}

    def learn(self, name: bytes, value: str | None) -> None:
        """The first attribute of this name; None where its value is not known."""
        if name in _SAYING:
            self._known.pop(name, None)
            if value is not None:
                self._known[name] = value

    @property
    def known(self) -> Values:
        """The attributes that say what the others do."""
        return self._known

    def loads(self, name: bytes, value: str) -> list[Loads]:
        """What the element may load through one attribute."""
        if self.name == b"meta" and _COULD_REFRESH.match(value) is None:
            return []
        unknown, guesses = _WORST.get(self.name, (b"", ()))
        contexts = [self._known]
        if guesses and unknown not in self._known:
            contexts = [{**self._known, unknown: guess} for guess in guesses]
        found = (loads(self.name, {**context, name: value}, foreign=self._foreign) for context in contexts)
        return [what for what in found if what is not None and name in what.attributes]

    def runs(self) -> bool:
        """It is a script that a browser may run, or that names what to load."""
        if self.name != b"script":
            return False
        # Without a source: with one, its text would not run.
        known = {b"data-wpmeteor-type": "", **self._known}
        return runs_code(known, foreign=self._foreign) or is_loading_data(known)

    def holds(self, name: bytes, value: str) -> tuple[Kind, Holds] | None:
        """What an attribute whose value begins so holds, and would be withheld as; None where nothing acts on it."""
        if what := self.loads(name, value):
            return what[0].kind, self._address(name, what[0].kind)
        if name.startswith(b"on"):
            return Kind.HANDLER, Holds.OTHER
        if name == b"style" or (self._foreign and name in PRESENTATION):
            return Kind.STYLE, Holds.STYLE
        if name in (b"href", b"xlink:href", b"action", b"formaction") and runs_on_click(value):
            return Kind.HANDLER, Holds.CODE_ADDRESS
        if name == b"background":
            return Kind.IMAGE, Holds.ADDRESS
        if name in LATE_BACKGROUNDS:
            return Kind.IMAGE, Holds.OTHER
        if name == b"srcdoc" and self.name == b"iframe":
            return Kind.IFRAME, Holds.DOCUMENT
        if name in (b"ping", b"attributionsrc"):
            return Kind.PING, Holds.OTHER
        return None

    def _address(self, name: bytes, kind: Kind) -> Holds:
        if self.name == b"script" and kind is Kind.SCRIPT:
            return Holds.CODE_ADDRESS
        if name.endswith(b"srcset"):
            return Holds.CANDIDATES
        is_one = any(what.urls == (_ONE,) for what in self.loads(name, _ONE))
        return Holds.ADDRESS if is_one else Holds.OTHER

    def is_harmless(self, name: bytes, address: str) -> bool:
        """One address that contacts nobody, by how it begins."""
        pattern = _DATA if name == b"background" else _HARMLESS.get(self.name)
        return pattern is not None and pattern.match(address) is not None
