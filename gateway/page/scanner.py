"""Pages as tokens that keep their raw bytes: the WHATWG tokenizer's view of where tags, text and comments begin and end.

Joining the raw bytes of all tokens gives the input, whatever the cut. What nobody asked for (text, comments, tags of
other elements) comes out in runs, matched inside the regular-expression engine; only elements that matter are looked at
one by one.

A token stream cannot know everything that a tree builder does. Where it matters:

- `svg` and `math` are followed with a stack, because inside them raw text elements are markup, `<![CDATA[` is a section
  and `/>` closes (13.2.6.5); an element that HTML does not allow there ends them.
- `noscript` is raw text up to its end tag, as for a browser that runs scripts; what is inside is for the caller to scan
  again, as for a browser that does not.
- XML documents (application/xhtml+xml) are read as foreign content throughout.

Source: HTML Standard, 13.2.5 (tokenization), 13.2.6.5 (foreign content).
"""

import re
from collections.abc import Iterable, Iterator
from enum import Enum, IntEnum, auto
from functools import cache
from typing import NamedTuple

from gateway.page.attributes import ATTRIBUTE, TAG_REST, TagEnd, attributes

# Elements whose content is not markup (13.2.6.4.4 to 13.2.6.4.8). noscript: see above.
RAW_TEXT = frozenset({b"style", b"xmp", b"iframe", b"noembed", b"noframes", b"noscript", b"textarea", b"title"})
_CONTENT_IS_TEXT = RAW_TEXT | {b"script", b"plaintext"}

# Attributes that can make any element contact a host or run code: a tag with one of them, or with one whose name begins like
# them, is told whatever its element.
ACTING = (b"on", b"style", b"ping", b"background")

# Start tags that end foreign content (13.2.6.5); font does with one of three attributes.
_BREAKOUT = frozenset(
    b"b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta "
    b"nobr ol p pre ruby s small span strong strike sub sup table tt u ul var".split()
)
_FONT_ATTRIBUTES = frozenset({b"color", b"face", b"size"})

# Inside these the content is HTML again (13.2.6.5, integration points).
_SVG_INTEGRATION = frozenset({b"foreignobject", b"desc", b"title"})
_MATH_INTEGRATION = frozenset({b"mi", b"mo", b"mn", b"ms", b"mtext", b"annotation-xml"})


class Token(IntEnum):
    """What a piece of the page is. Up to OPAQUE it is nothing that anybody asked for."""

    RUN = auto()  # text, comments, and whole tags of elements nobody asked for
    OPAQUE = auto()  # declarations, CDATA sections, comments and tags nobody asked for that come in pieces
    START = auto()  # a start tag that was asked for
    END = auto()  # an end tag that was asked for, or of an element whose content is text
    TEXT = auto()  # content of the last START, whose element holds text only
    OVERSIZE = auto()  # a start tag beyond the limit: raw is empty, the tag is gone


class Piece(NamedTuple):
    """One token: its kind, raw bytes, and for tags the lower-case name and whether it stands in svg, math or XML.

    *lost* is the number of input bytes that an OVERSIZE tag had.
    """

    token: Token
    raw: bytes
    name: bytes = b""
    foreign: bool = False
    lost: int = 0


class _State(Enum):
    DATA = auto()
    TAG = auto()  # inside a tag whose end has not come yet
    COMMENT = auto()
    BOGUS_COMMENT = auto()  # also doctype: up to the next ">"
    CDATA = auto()
    SCRIPT = auto()
    RAW = auto()
    PLAINTEXT = auto()


class _Script(Enum):
    """Script data states (13.2.5.4, 13.2.5.20, 13.2.5.27): inside `<!--` a `<script` hides the next end tag."""

    PLAIN = auto()
    ESCAPED = auto()
    DOUBLE_ESCAPED = auto()


_SCRIPT_EVENT = re.compile(rb"<!--|-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE)
_SCRIPT_TAIL_BYTES = len(b"</script")

_MAY_ACT = re.compile(rb"[\t\n\f\r /\"'](?:" + b"|".join(ACTING) + rb")", re.IGNORECASE)
_COMMENT_END = re.compile(rb"--!?>")
_NAME = re.compile(rb"</?([A-Za-z][^\t\n\f\r />]*+)")
_TAG = re.compile(rb"</?[A-Za-z][^\t\n\f\r />]*+" + TAG_REST)

# The end of a script inside svg or math: its end tag, or a start tag that ends the foreign content around it.
_FOREIGN_STOP = re.compile(
    rb"</script(?=[\t\n\f\r />])|<(?:" + b"|".join(sorted(_BREAKOUT)) + rb")(?=[\t\n\f\r />])", re.IGNORECASE
)
_FOREIGN_TAIL_BYTES = len(b"<blockquote")
_RAW_END = {name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.IGNORECASE) for name in RAW_TEXT | {b"script"}}


class Scanner:
    """Feed it a page in any pieces; each call yields the tokens that are certain. Dead after `close`.

    *wanted* are the lower-case names whose tags are told one by one; a start tag of theirs that is longer than
    *tag_limit_bytes* is not told but comes as OVERSIZE, without its bytes. Longer tags of other elements pass in a run.
    """

    def __init__(self, *, wanted: frozenset[bytes], tag_limit_bytes: int, xml: bool = False) -> None:
        self._told = wanted | _CONTENT_IS_TEXT
        self._limit = tag_limit_bytes
        self._xml = xml
        self._run = _run_pattern(self._told)
        self._buffer = b""
        self._at = 0
        self._state = _State.DATA
        self._foreign: list[bytes] = []  # names of svg, math and integration points that are open, outermost first
        self._element = b""  # whose text content is being read
        self._script = _Script.PLAIN
        self._text_is_foreign = False
        self._tag = bytearray()  # a tag whose end has not come
        self._tag_end = TagEnd(0)
        self._tag_name = b""
        self._tag_closes = False
        self._tag_over_limit = False
        self._tag_lost = 0

    def feed(self, data: bytes) -> list[Piece]:
        """Take the next piece of the page."""
        out: list[Piece] = []
        if self._state is _State.TAG:
            out += self._more_of_tag(data)
        else:
            self._buffer = self._buffer[self._at :] + data if self._at < len(self._buffer) else data
            self._at = 0
        # Each step either moves on or stops for more.
        while self._at < len(self._buffer) and self._state is not _State.TAG:
            before = self._at, self._state
            if self._state is _State.DATA and not (self._foreign or self._xml):
                self._html(out)
            else:
                out += self._step()
            if (self._at, self._state) == before:
                break
        return out

    def close(self) -> Iterator[Piece]:
        """The end of the page. A tag that has not ended is no tag: it comes as a RUN that begins with "<"."""
        if self._state is _State.TAG:
            if self._tag_over_limit and self._is_told_start():
                yield Piece(Token.OVERSIZE, b"", self._tag_name, lost=self._tag_lost)
            elif self._tag:
                yield Piece(Token.RUN, bytes(self._tag))
        elif self._at < len(self._buffer):
            is_text = self._state in (_State.SCRIPT, _State.RAW, _State.PLAINTEXT)
            yield self._take(len(self._buffer), Token.TEXT if is_text else Token.RUN)

    def _step(self) -> Iterator[Piece]:
        match self._state:
            case _State.DATA:
                return self._foreign_data()
            case _State.COMMENT:
                return self._comment()
            case _State.BOGUS_COMMENT:
                return self._until(b">")
            case _State.CDATA:
                return self._until(b"]]>")
            case _State.SCRIPT:
                return self._script_data()
            case _State.RAW:
                return self._text_until(_RAW_END[self._element], len(self._element) + 2)
            case _:
                return iter([self._take(len(self._buffer), Token.TEXT)])

    def _take(self, end: int, token: Token) -> Piece:
        """The buffer up to *end* as one token."""
        raw = self._buffer[self._at : end]
        self._at = end
        return Piece(token, raw, self._element if token is Token.TEXT else b"", self._text_is_foreign)

    def _left(self) -> int:
        return len(self._buffer) - self._at

    # -- data -------------------------------------------------------------------------------------------------------

    def _html(self, out: list[Piece]) -> None:
        """The hot loop: one match for a run and the told start tag behind it, if that one is whole and within the limit."""
        buffer, at, limit, match_run = self._buffer, self._at, self._limit, self._run.match
        while True:
            match = match_run(buffer, at)
            assert match is not None  # both its parts may be empty
            tag, end = match.span(1)
            if tag < 0 or end - tag > limit:
                run_end = match.end() if tag < 0 else tag
                if run_end > at:
                    out.append(self._take(run_end, Token.RUN))
                elif at < len(buffer):
                    out += self._markup()
                return
            if tag > at:
                out.append(Piece(Token.RUN, buffer[at:tag]))
            name = match[2].lower()
            at = self._at = end
            out.append(Piece(Token.START, buffer[tag:end], name))
            if name in _CONTENT_IS_TEXT:
                self._tag_name = name
                self._enter(is_closed=False)
                return

    def _foreign_data(self) -> Iterator[Piece]:
        text_end = self._buffer.find(b"<", self._at)
        if text_end == self._at:
            yield from self._markup()
        else:
            yield self._take(len(self._buffer) if text_end < 0 else text_end, Token.RUN)

    def _markup(self) -> Iterator[Piece]:
        """The buffer goes on with "<"."""
        if self._left() == 1:
            return
        second, third = self._buffer[self._at + 1 : self._at + 2], self._buffer[self._at + 2 : self._at + 3]
        if second.isalpha() or (second == b"/" and third.isalpha()):
            yield from self._tag_open()
        elif second == b"/":
            if third:  # "</>" is nothing, "</" before anything else opens a bogus comment: both end at ">"
                self._state = _State.BOGUS_COMMENT
        elif second == b"?":
            self._state = _State.BOGUS_COMMENT
        elif second == b"!":
            yield from self._declaration()
        else:
            yield self._take(self._at + 1, Token.RUN)

    def _declaration(self) -> Iterator[Piece]:
        begin = self._buffer[self._at : self._at + len(b"<![CDATA[")]
        if begin.startswith(b"<!--"):
            # "<!-->" and "<!--->" are whole comments: their dashes count twice.
            if begin.startswith((b"<!-->", b"<!--->")):
                yield self._take(self._buffer.index(b">", self._at) + 1, Token.OPAQUE)
            elif begin not in (b"<!--", b"<!---"):
                self._state = _State.COMMENT
                yield self._take(self._at + len(b"<!--"), Token.OPAQUE)
        elif begin == b"<![CDATA[" and (self._xml or self._in_foreign_content()):
            self._state = _State.CDATA
            yield self._take(self._at + len(begin), Token.OPAQUE)
        elif begin == b"<![CDATA[" or not (b"<!--".startswith(begin) or b"<![CDATA[".startswith(begin)):
            self._state = _State.BOGUS_COMMENT

    def _comment(self) -> Iterator[Piece]:
        end = _COMMENT_END.search(self._buffer, self._at)
        if end is not None:
            self._state = _State.DATA
            yield self._take(end.end(), Token.OPAQUE)
        elif self._left() > len(b"--!"):
            yield self._take(len(self._buffer) - len(b"--!"), Token.OPAQUE)

    def _until(self, mark: bytes) -> Iterator[Piece]:
        end = self._buffer.find(mark, self._at)
        if end >= 0:
            self._state = _State.DATA
            yield self._take(end + len(mark), Token.OPAQUE)
        elif self._left() >= len(mark):
            yield self._take(len(self._buffer) - len(mark) + 1, Token.OPAQUE)

    # -- tags -------------------------------------------------------------------------------------------------------

    def _tag_open(self) -> Iterator[Piece]:
        name = _NAME.match(self._buffer, self._at)
        assert name is not None
        self._tag_closes = self._buffer[self._at + 1 : self._at + 2] == b"/"
        self._tag_name = name[1].lower()
        self._tag_over_limit, self._tag_lost = False, 0
        whole = _TAG.match(self._buffer, self._at)
        if whole is not None:
            self._at = whole.end()
            if len(whole[0]) > self._limit:
                self._tag = bytearray(whole[0])
                yield from self._end_of_tag()
            else:
                yield from self._tag_token(whole[0])
        elif name.end() < len(self._buffer) or self._left() > self._limit:
            self._tag = bytearray(self._buffer[self._at :])
            self._tag_end = TagEnd(name.end() - self._at)
            self._state = _State.TAG
            yield from self._more_of_tag(b"")

    def _more_of_tag(self, data: bytes) -> Iterator[Piece]:
        self._tag += data
        end = self._tag_end.find(self._tag)
        if end is not None:
            self._buffer, self._at = bytes(self._tag[end:]), 0
            del self._tag[end:]
            self._state = _State.DATA
            yield from self._end_of_tag()
        elif self._tag_over_limit or len(self._tag) > self._limit:
            self._tag_over_limit = True
            if self._is_told_start():
                self._tag_lost += len(self._tag)
            else:
                yield Piece(Token.OPAQUE, bytes(self._tag))
            self._tag_end.forget(len(self._tag))
            self._tag.clear()

    def _end_of_tag(self) -> Iterator[Piece]:
        """The last bytes of a tag are in `_tag`; all of it where the tag is within the limit."""
        raw = bytes(self._tag)
        self._tag.clear()
        if not self._tag_over_limit and len(raw) <= self._limit:
            yield from self._tag_token(raw)
            return
        if self._tag_closes:
            self._leave_foreign()
        elif self._in_foreign_content() and (self._tag_name in _BREAKOUT or self._tag_name == b"font"):
            self._foreign.clear()
        if self._is_told_start():
            yield Piece(Token.OVERSIZE, b"", self._tag_name, self._is_foreign(), self._tag_lost + len(raw))
        else:
            yield Piece(Token.OPAQUE, raw)
        if not self._tag_closes:
            self._enter(is_closed=False)

    def _tag_token(self, raw: bytes) -> Iterator[Piece]:
        if self._tag_closes:
            self._leave_foreign()
            yield Piece(Token.END if self._tag_name in self._told else Token.RUN, raw, self._tag_name)
            return
        told = self._tag_name in self._told or _MAY_ACT.search(raw) is not None
        if self._in_foreign_content() and self._breaks_out(raw):
            self._foreign.clear()
        foreign = self._is_foreign()
        yield Piece(Token.START if told else Token.RUN, raw, self._tag_name, foreign)
        self._enter(is_closed=raw.endswith(b"/>") and _is_self_closing(raw))

    def _is_told_start(self) -> bool:
        return self._tag_name in self._told and not self._tag_closes

    def _enter(self, *, is_closed: bool) -> None:
        """What a start tag does: the tokenizer's state after it, and the stack of foreign elements."""
        name = self._tag_name
        if self._is_foreign():
            if is_closed:
                return
            if name == b"script":
                self._text_of(name, _State.SCRIPT, foreign=True)
            elif self._foreign:
                points = _SVG_INTEGRATION if self._foreign[-1] == b"svg" else _MATH_INTEGRATION
                if name in points or name in (b"svg", b"math"):
                    self._foreign.append(name)
        elif name in (b"svg", b"math"):
            if not is_closed:
                self._foreign.append(name)
        elif name in _CONTENT_IS_TEXT:
            states = {b"script": _State.SCRIPT, b"plaintext": _State.PLAINTEXT}
            self._text_of(name, states.get(name, _State.RAW), foreign=False)

    def _text_of(self, name: bytes, state: _State, *, foreign: bool) -> None:
        self._element, self._state, self._script, self._text_is_foreign = name, state, _Script.PLAIN, foreign

    def _leave_foreign(self) -> None:
        """An end tag closes the nearest open foreign element of its name, and all inside it."""
        if self._tag_name in self._foreign:
            last = len(self._foreign) - 1 - self._foreign[::-1].index(self._tag_name)
            del self._foreign[last:]
        elif self._in_foreign_content() and self._tag_name in (b"br", b"p"):
            self._foreign.clear()

    def _is_foreign(self) -> bool:
        return self._xml or self._in_foreign_content()

    def _in_foreign_content(self) -> bool:
        return bool(self._foreign) and self._foreign[-1] in (b"svg", b"math")

    def _breaks_out(self, raw: bytes) -> bool:
        if self._tag_name == b"font":
            return any(attribute.name in _FONT_ATTRIBUTES for attribute in attributes(raw))
        return self._tag_name in _BREAKOUT

    # -- elements whose content is text -----------------------------------------------------------------------------

    def _script_data(self) -> Iterator[Piece]:
        if self._xml:
            yield from self._text_until(_RAW_END[b"script"], _SCRIPT_TAIL_BYTES)
            return
        if self._text_is_foreign:
            yield from self._text_until(_FOREIGN_STOP, _FOREIGN_TAIL_BYTES)
            return
        at = self._at
        while event := _SCRIPT_EVENT.search(self._buffer, at):
            at = event.end()
            mark = event[0]
            if mark == b"<!--":
                at -= 2  # its dashes may belong to a "-->" as well
                if self._script is _Script.PLAIN:
                    self._script = _Script.ESCAPED
            elif mark == b"-->":
                self._script = _Script.PLAIN
            elif not event[1]:
                if self._script is _Script.ESCAPED:
                    self._script = _Script.DOUBLE_ESCAPED
            elif self._script is _Script.DOUBLE_ESCAPED:
                self._script = _Script.ESCAPED
            else:
                yield from self._end_of_text(event.start())
                return
        yield from self._certain_text(at, _SCRIPT_TAIL_BYTES)

    def _text_until(self, mark: re.Pattern[bytes], tail_bytes: int) -> Iterator[Piece]:
        end = mark.search(self._buffer, self._at)
        if end is not None:
            yield from self._end_of_text(end.start())
        else:
            yield from self._certain_text(self._at, tail_bytes)

    def _end_of_text(self, end: int) -> Iterator[Piece]:
        self._state = _State.DATA
        if end > self._at:
            yield self._take(end, Token.TEXT)
        usual = b"</" + self._element + b">"
        if self._buffer.startswith(usual, end) and not (self._foreign or self._xml):
            self._at += len(usual)
            yield Piece(Token.END, usual, self._element)
        self._text_is_foreign = False

    def _certain_text(self, seen: int, tail_bytes: int) -> Iterator[Piece]:
        """All text but a tail, not *seen* yet, that may be the begin of a mark."""
        first = max(seen, len(self._buffer) - tail_bytes)
        places = [place for mark in (b"<", b"-") if (place := self._buffer.find(mark, first)) >= 0]
        end = min(places, default=len(self._buffer))
        if end > self._at:
            yield self._take(end, Token.TEXT)


# Elements that most tags of most pages are: tried before the list of those that matter, which takes longer.
_COMMON = (
    b"a b br center dd div dl dt em font h1 h2 h3 h4 h5 h6 hr i label li ol option p small span strong table tbody td th tr u ul"
).split()

# A comment of more than its dashes, whole.
COMMENT = rb"<!--(?!-?>)[^-]*+(?:-(?!-!?>)[^-]*+)*+--!?>"

_AFTER_NAME = rb"(?=[\t\n\f\r />])"


@cache
def _run_pattern(told: frozenset[bytes]) -> re.Pattern[bytes]:
    """A run (text, comments, whole tags that nobody asked for), then the whole start tag behind it (1), its name (2).

    Either may be empty. A "<" at the very end waits for its next byte. Letters are spelt in both cases: the engine is faster
    so than with a flag.
    """
    acting = rb"(?!" + b"|".join(map(_any_case, ACTING)) + rb")"
    # The usual spelling of attributes, tried before the whole grammar: ` name="value"`, any number of times.
    usual = rb"(?: " + acting + rb"[\w:-]++=\"[^\"]*+\")*+"
    rest = usual + rb"(?:>|(?:[\t\n\f\r /]*+" + acting + ATTRIBUTE + rb")*+[\t\n\f\r /]*+>)"
    common = rb"(?:" + _either(name for name in _COMMON if name not in told) + rb")" + _AFTER_NAME
    other = rb"(?!(?:" + _either(told | {b"svg", b"math"}) + rb")" + _AFTER_NAME + rb")[A-Za-z][^\t\n\f\r />]*+"
    boring = rb"(?:" + common + rb"|" + other + rb")" + rest
    boring_end = rb"/(?:" + common + rb"|" + other + rb")(?:>|" + TAG_REST + rb")"
    run = rb"[^<]*+(?:(?:<(?:" + boring + rb"|" + boring_end + rb"|(?=[^A-Za-z/!?]))|" + COMMENT + rb")[^<]*+)*+"
    name = rb"(?!(?:" + _either({b"svg", b"math"}) + rb")" + _AFTER_NAME + rb")([A-Za-z][^\t\n\f\r />]*+)"
    return re.compile(run + rb"(<" + name + TAG_REST + rb")?+")


def _either(names: Iterable[bytes]) -> bytes:
    """A pattern for any of *names* in any case, sorted into a trie one letter deep."""
    by_first: dict[bytes, list[bytes]] = {}
    for name in sorted(names, key=len, reverse=True):
        by_first.setdefault(name[:1], []).append(_any_case(name[1:]))
    return b"|".join(_any_case(first) + b"(?:" + b"|".join(rest) + b")" for first, rest in sorted(by_first.items()))


def _any_case(text: bytes) -> bytes:
    letters = (bytes([code]) for code in text)
    return b"".join(b"[" + c + c.upper() + b"]" if c.isalpha() else re.escape(c) for c in letters)


def _is_self_closing(raw: bytes) -> bool:
    """The "/" before the ">" is no part of an unquoted value."""
    last = None
    for attribute in attributes(raw):
        last = attribute
    return last is None or not (last.value.endswith(b"/") and raw.endswith(last.value + b">"))
