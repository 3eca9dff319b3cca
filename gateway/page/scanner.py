"""Pages as tokens that keep their raw bytes: the WHATWG tokenizer's view of where tags, text and comments begin and end.

Joining the raw bytes of all tokens gives the input, whatever the cut. Where the scanner is told which texts the rules are found by, it
passes over whatever holds none of them (`runs`), and only what is left comes out token by token.

A token stream cannot know everything that a tree builder does. Where it matters:

- `svg` and `math` are followed with a stack, because inside them raw text elements are markup, `<![CDATA[` is a section
  and `/>` closes (13.2.6.5); an element that HTML does not allow there ends them.
- `noscript` is raw text up to its end tag, as for a browser that runs scripts; what is inside is for the caller to scan
  again, as for a browser that does not.
- XML documents (application/xhtml+xml) are read as foreign content throughout.

Source: HTML Standard, 13.2.5 (tokenization), 13.2.6.5 (foreign content).
"""

import re
from collections.abc import Callable, Iterator
from enum import Enum, IntEnum, auto
from typing import NamedTuple

from gateway.page.attributes import TAG_REST, TagEnd, attributes
from gateway.page.foreign import BREAKOUT, Foreign
from gateway.page.runs import CAREFUL, CLEAN, MAY_ACT, SCRIPT, SURE
from gateway.vendors.traces import Traces

# Elements whose content is not markup (13.2.6.4.4 to 13.2.6.4.8). noscript: see above.
RAW_TEXT = frozenset({b"style", b"xmp", b"iframe", b"noembed", b"noframes", b"noscript", b"textarea", b"title"})
_CONTENT_IS_TEXT = RAW_TEXT | {b"script", b"plaintext"}


class Token(IntEnum):
    """What a piece of the page is. Up to RUN it is nothing that anybody asked for."""

    OPAQUE = auto()  # nothing to look at: passed over as a whole, or a declaration, comment or CDATA section in pieces
    RUN = auto()  # text, or a whole tag that nobody asked for
    START = auto()  # a start tag that was asked for
    END = auto()  # an end tag that was asked for, or of an element whose content is text
    TEXT = auto()  # content of the last START, whose element holds text only
    COMMENT = auto()  # a whole comment that begins with "consent" or "/consent"
    INSTRUCTION = auto()  # a whole processing instruction of XML that links a style sheet
    LONG = auto()  # a piece of a start tag beyond the limit; the tag goes on
    LONG_END = auto()  # the last piece of a start tag beyond the limit


class Piece(NamedTuple):
    """One token: its kind, raw bytes, and for tags the lower-case name and whether it stands in svg, math or XML."""

    token: Token
    raw: bytes
    name: bytes = b""
    foreign: bool = False


class _State(Enum):
    DATA = auto()
    TAG = auto()  # inside a tag whose end has not come yet
    COMMENT = auto()
    BOGUS_COMMENT = auto()  # also doctype: up to the next ">"
    INSTRUCTION = auto()  # of XML, up to "?>"
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

_COMMENT_END = re.compile(rb"--!?>")
_START_TAG = re.compile(rb"<([A-Za-z][^\t\n\f\r />]*+)" + TAG_REST)
_CHANGES_STATE = _CONTENT_IS_TEXT | {b"svg", b"math"}

_XML_COMMENT_END = re.compile(rb"-->")
_SHEET_LINK = b"<?xml-stylesheet"

# What paints in svg may name where its paint is: fill, mask, filter ...
_MAY_PAINT = re.compile(rb"url|[\\\\&]", re.IGNORECASE)

# A comment that begins so, or so behind a "/", is an author's; a longer one is none.
_FENCE = b"consent"
_FENCE_LIMIT_BYTES = 1024

# All match anywhere: each of their parts may be empty.
_match_clean, _match_sure, _match_careful = CLEAN.match, SURE.match, CAREFUL.match
_match_script = SCRIPT.match
_SCRIPT_BEGINS = (b"<script", b"<SCRIPT")


def _nothing_may(_code: bytes) -> bool:
    return False


_NAME = re.compile(rb"</?([A-Za-z][^\t\n\f\r />]*+)")
_TAG = re.compile(rb"</?[A-Za-z][^\t\n\f\r />]*+" + TAG_REST)

# The end of a script inside svg or math: its end tag, or a start tag that ends the foreign content around it.
_FOREIGN_STOP = re.compile(
    rb"</script(?=[\t\n\f\r />])|<(?:" + b"|".join(sorted(BREAKOUT)) + rb")(?=[\t\n\f\r />])", re.IGNORECASE
)
_FOREIGN_TAIL_BYTES = len(b"<blockquote")
_RAW_END = {name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.IGNORECASE) for name in RAW_TEXT | {b"script"}}


class Scanner:
    """Feed it a page in any pieces; each call yields the tokens that are certain, and must be exhausted. Dead after `close`.

    *wanted* are the lower-case names whose tags are told one by one; other start tags are where one of their attributes may act. A
    start tag that is longer than *tag_limit_bytes* comes in pieces. With *traces*, what holds none is passed over while `quick` is
    set; whoever reads takes it back where every tag counts: in a template, say. Of a script with a trace in its text *may_run*
    is asked whether it can be passed over all the same.
    """

    def __init__(
        self,
        *,
        wanted: frozenset[bytes],
        tag_limit_bytes: int,
        traces: Traces | None = None,
        may_run: Callable[[bytes], bool] = _nothing_may,
        xml: bool = False,
    ) -> None:
        self.quick = True
        self._may_run = may_run
        self._told = wanted | _CONTENT_IS_TEXT
        self._limit = tag_limit_bytes
        self._traces = None if xml else traces
        self._xml = xml
        self._buffer = b""
        self._at = 0
        self._state = _State.DATA
        self._foreign = Foreign(always=xml)
        self._element = b""  # whose text content is being read
        self._script = _Script.PLAIN
        self._text_is_foreign = False
        self._tag = bytearray()  # a tag whose end has not come
        self._tag_end = TagEnd(0)
        self._tag_name = b""
        self._tag_closes = False
        self._tag_over_limit = False
        self._places: _Places | None = None  # of the traces in the buffer

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take the next piece of the page."""
        if self._state is _State.TAG:
            yield from self._more_of_tag(data)
        else:
            self._buffer = self._buffer + data if self._buffer else data
            self._at = 0
        self._places = None
        # Each step either moves on or stops for more.
        while self._at < len(self._buffer) and self._state is not _State.TAG:
            before = self._at, self._state
            if self._state is not _State.DATA:
                yield from self._step()
            elif self._traces is not None and not self._foreign:
                yield from self._pass_over(self._traces)
            else:
                yield from self._data()
            if (self._at, self._state) == before:
                break
        self._buffer = self._buffer[self._at :]
        self._at = 0

    def close(self) -> Iterator[Piece]:
        """The end of the page. A tag that has not ended is no tag: it comes as a RUN that begins with "<"."""
        if self._state is _State.TAG:
            if self._tag:
                yield Piece(Token.RUN, bytes(self._tag))
        elif self._buffer:
            is_text = self._state in (_State.SCRIPT, _State.RAW, _State.PLAINTEXT)
            yield self._take(len(self._buffer), Token.TEXT if is_text else Token.RUN)

    @property
    def in_doubt(self) -> bool:
        """Whether what follows stands in svg depends on what stands around it."""
        return self._foreign.in_doubt

    @property
    def is_at_rest(self) -> bool:
        """Between two tokens of HTML, with nothing open and nothing kept."""
        return self._state is _State.DATA and not (self._buffer or self._foreign or self._foreign.in_doubt)

    def _step(self) -> Iterator[Piece]:
        match self._state:
            case _State.COMMENT:
                return self._comment()
            case _State.BOGUS_COMMENT:
                return self._until(b">")
            case _State.INSTRUCTION:
                return self._until(b"?>")
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

    def _pass_over(self, traces: Traces) -> Iterator[Piece]:
        """The hot loop: runs, and the start tags between them."""
        buffer, limit = self._buffer, self._limit
        places = self._places = self._places or _Places(traces, buffer, self._may_run)
        while True:
            end = places.end_of_run(self._at, limit) if self.quick else places.end_of_careful_run(self._at, limit)
            if end > self._at:
                yield self._take(end, Token.OPAQUE)
            if end == len(buffer):
                return
            tag = _START_TAG.match(buffer, end)
            if tag is not None and tag.end() - end <= limit:
                self._at = tag.end()
                self._tag_name = tag[1].lower()
                raw = tag[0]
                if self._tag_name in _CHANGES_STATE:
                    self._enter(raw)
                yield Piece(Token.START, raw, self._tag_name, self._tag_name == b"svg")
                if self._state is not _State.DATA or self._foreign:
                    return
            else:
                yield from self._markup()
                if self._at == end or self._state is not _State.DATA or self._foreign:
                    return

    def _data(self) -> Iterator[Piece]:
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
        elif second == b"?" and self._xml:
            yield from self._instruction_open()
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
            if begin.startswith((b"<!-->", b"<!--->")) and not self._xml:
                yield self._take(self._buffer.index(b">", self._at) + 1, Token.OPAQUE)
            elif begin not in (b"<!--", b"<!---"):
                yield from self._comment_open()
        elif begin == b"<![CDATA[" and self._foreign.takes_cdata:
            self._state = _State.CDATA
            yield self._take(self._at + len(begin), Token.OPAQUE)
        elif begin == b"<![CDATA[" or not (b"<!--".startswith(begin) or b"<![CDATA[".startswith(begin)):
            self._state = _State.BOGUS_COMMENT

    def _comment_open(self) -> Iterator[Piece]:
        """Authors speak in comments: such a one is told whole."""
        most = min(self._limit, _FENCE_LIMIT_BYTES)
        begin = self._buffer[self._at + len(b"<!--") : self._at + most].lstrip(b"\t\n\f\r ").lower().removeprefix(b"/")
        if begin.startswith(_FENCE) or _FENCE.startswith(begin):
            end = _COMMENT_END.search(self._buffer, self._at + len(b"<!--"), self._at + most)
            if end is not None and begin.startswith(_FENCE):
                yield self._take(end.end(), Token.COMMENT)
                return
            if end is None and self._left() < most:
                return
        self._state = _State.COMMENT
        yield self._take(self._at + len(b"<!--"), Token.OPAQUE)

    def _instruction_open(self) -> Iterator[Piece]:
        """One that links a style sheet is told whole."""
        if _SHEET_LINK.startswith(self._buffer[self._at : self._at + len(_SHEET_LINK)]):
            end = self._buffer.find(b"?>", self._at, self._at + self._limit)
            if end >= 0:
                yield self._take(end + len(b"?>"), Token.INSTRUCTION)
            if end >= 0 or self._left() < self._limit:
                return
        self._state = _State.INSTRUCTION

    def _comment(self) -> Iterator[Piece]:
        end = (_XML_COMMENT_END if self._xml else _COMMENT_END).search(self._buffer, self._at)
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
        # A name longer than the limit may come in pieces; the first of them must do.
        self._tag_name = name[1][: self._limit - len(b"</")].lower()
        self._tag_over_limit = False
        whole = _TAG.match(self._buffer, self._at)
        if whole is not None:
            self._at = whole.end()
            self._tag += whole[0]
            if len(whole[0]) > self._limit:
                self._tag_end = TagEnd(name.end() - whole.start())
                self._tag_end.find(self._tag)
            yield from self._end_of_tag()
        elif name.end() < len(self._buffer) or self._left() > self._limit:
            self._tag += self._buffer[self._at :]
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
            return
        self._buffer, self._at = b"", 0
        if self._tag_over_limit or len(self._tag) > self._limit:
            self._tag_over_limit = True
            raw = bytes(self._tag)
            self._tag_end.forget(len(raw))
            self._tag.clear()
            if self._tag_closes:
                yield Piece(Token.OPAQUE, raw)
            else:
                foreign = self._foreign.before_long(self._tag_name) or self._tag_name == b"svg"
                yield Piece(Token.LONG, raw, self._tag_name, foreign)

    def _end_of_tag(self) -> Iterator[Piece]:
        """The last bytes of a tag are in `_tag`; all of it where the tag is within the limit."""
        raw = bytes(self._tag)
        self._tag.clear()
        if not self._tag_over_limit and len(raw) <= self._limit:
            yield from self._tag_token(raw)
        elif self._tag_closes:
            self._foreign.end(self._tag_name)
            yield Piece(Token.OPAQUE, raw)
        else:
            foreign = self._foreign.before_long(self._tag_name) or self._tag_name == b"svg"
            self._enter(b"<" + self._tag_name + (b"/>" if self._tag_end.closes_itself else b">"))
            yield Piece(Token.LONG_END, raw, self._tag_name, foreign)

    def _tag_token(self, raw: bytes) -> Iterator[Piece]:
        if self._tag_closes:
            self._foreign.end(self._tag_name)
            yield Piece(Token.END if self._tag_name in self._told else Token.RUN, raw, self._tag_name)
            return
        foreign = self._enter(raw) or self._tag_name == b"svg"  # whose own attributes paint as those inside it
        told = self._tag_name in self._told or MAY_ACT.search(raw) is not None
        told = told or (foreign and _MAY_PAINT.search(raw) is not None)
        yield Piece(Token.START if told else Token.RUN, raw, self._tag_name, foreign)

    def _enter(self, raw: bytes) -> bool:
        """What a start tag does: the tokenizer's state after it, and the open elements. Whether it is foreign."""
        name = self._tag_name
        closes = raw.endswith(b"/>") and _is_self_closing(raw)
        foreign = self._foreign.start(name, raw, closes=closes)
        if foreign:
            if name == b"script" and not closes:
                self._text_of(name, _State.SCRIPT, foreign=True)
        elif name in _CONTENT_IS_TEXT:
            states = {b"script": _State.SCRIPT, b"plaintext": _State.PLAINTEXT}
            self._text_of(name, states.get(name, _State.RAW), foreign=False)
        return foreign

    def _text_of(self, name: bytes, state: _State, *, foreign: bool) -> None:
        self._element, self._state, self._script, self._text_is_foreign = name, state, _Script.PLAIN, foreign

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


class _Places:
    """Where the traces in one buffer are, and so how far runs go in it."""

    __slots__ = ("_buffer", "_mark", "_marks", "_may_run", "_trace", "_traces")

    def __init__(self, traces: Traces, buffer: bytes, may_run: Callable[[bytes], bool]) -> None:
        self._buffer = buffer
        self._may_run = may_run
        found = traces.within(buffer)
        # Read from the end; behind the last comes the end of the buffer.
        self._traces, self._marks = [len(buffer), *reversed(found.traces)], [len(buffer), *reversed(found.marks)]
        self._trace = self._mark = -1

    def end_of_run(self, at: int, most: int) -> int:
        """Where the run ends that begins at *at*; nothing in it is longer than *most*."""
        buffer, trace, mark = self._buffer, self._trace, self._mark
        size = len(buffer)
        while at < size:
            while trace <= at:
                trace = self._traces.pop()
            while mark <= at:
                mark = self._marks.pop()
            # Whatever ends behind a trace may hold it, and whatever the window cuts off is too long.
            window = at + most
            stop = min(window, mark)
            end = _match_clean(buffer, at, min(stop, trace)).end()  # type: ignore[union-attr]
            if end < stop:
                end = _match_sure(buffer, end, stop).end()  # type: ignore[union-attr]
            if end == at:
                script = _match_script(buffer, at, stop) if buffer.startswith(_SCRIPT_BEGINS, at) else None
                if script is None or trace < script.start(2) or not self._is_harmless(script[1], script[2]):
                    break
                end = script.end()
            at = end
        self._trace, self._mark = trace, mark
        return at

    def _is_harmless(self, tag: bytes, text: bytes) -> bool:
        # Data that names what to load is not judged as code.
        lower = tag.lower()
        return (b"type" not in lower or b"javascript" in lower) and self._may_run(text)

    def end_of_careful_run(self, at: int, most: int) -> int:
        """The same where every tag counts that is not sure to load nothing."""
        size = len(self._buffer)
        while at < size:
            while self._mark <= at:
                self._mark = self._marks.pop()
            end = _match_careful(self._buffer, at, min(self._mark, at + most)).end()  # type: ignore[union-attr]
            if end == at:
                break
            at = end
        return at


def _is_self_closing(raw: bytes) -> bool:
    """The "/" before the ">" is no part of an unquoted value."""
    last = None
    for attribute in attributes(raw):
        last = attribute
    return last is None or not (last.value.endswith(b"/") and raw.endswith(last.value + b">"))
