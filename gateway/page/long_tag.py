"""Start tags longer than is buffered: each attribute is judged by itself, as soon as it is whole, and goes out.

What is known of the element when an attribute is judged is what stands in the first bytes of the tag, as many as the limit, and
whatever came since; the rest is taken for the worst (see `unfinished`).

| attribute                                     | within the limit                  | longer than the limit                        |
|-----------------------------------------------|-----------------------------------|----------------------------------------------|
| nothing acts on it (`alt`, `class`, `d`)      | passes                            | passes                                       |
| a URL that the element loads                  | as in shorter tags, but by itself | passes where it is data that contacts nobody |
| `srcset`, `style`, `srcdoc`, code in a URL    | as in shorter tags                | judged as it passes, see `long_filters`      |
| anything else that acts                       | as in shorter tags                | put out of force                             |

An attribute is put out of force by its name, as in `inert`; where release does not want it back its value goes, too. The marks stand
at the end of the tag, where all are known. Of equal names the first that is in force counts, as for a browser.

A script must be inert as a whole. Where its type has not gone out yet it becomes `text/plain`, and everything of it that acts is
renamed; where it has, its text is made to mean nothing. What an author says of the element counts from where it stands, or, where
that is among the first bytes, for all of it.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from gateway.consent.model import OPTIONAL
from gateway.page import authors, css, inert
from gateway.page.acting import Acting
from gateway.page.attributes import Attribute, attributes, decode_references
from gateway.page.context import Page
from gateway.page.elements import Loads, Values, is_loading_data, runs_code
from gateway.page.forms import Forms
from gateway.page.long_filters import Candidates, Code, Document
from gateway.page.long_value import LongValue
from gateway.page.nested import Nested
from gateway.page.tag_stream import Part, TagStream, read_begin, whole_attributes
from gateway.page.texts import HeldText, Script
from gateway.page.unfinished import Holds, Unfinished
from gateway.vendors.match import FormVerdict, Verdict
from gateway.withheld import Action, Degraded, Kind

# Who stands for what was too long to be read: nobody less than everybody.
_UNREAD = Verdict("unread", Degraded.TAG_OVER_LIMIT, OPTIONAL)

# Attributes on which the rest of the page depends, or the text of the element.
_TOLD = frozenset(
    b"charset content data-wpmeteor-type href http-equiv language name shadowrootmode src type".split(),
)
# Values as short as these, which is as long as any that matters, are kept whatever else is.
_SHORT_CHARS = 64
# A name that goes on behind so many bytes is none that acts.
_LONGEST_NAME = 64
# Attributes of one tag that are judged: enough for every honest one. Others behind them are put out of force unread.
_ATTRIBUTES_JUDGED = 1024


class Judges(NamedTuple):
    """What the markup around the tag judges with.

    *refused* tells what is refused of all that an element loads, with whom the author has it wait for, and the first host; *action*
    what becomes of an element for that; *document* opens a document inside the page, or does not where it lies too deep.
    """

    refused: Callable[[Loads, tuple[Verdict, ...]], tuple[tuple[Verdict, ...], str]]
    action: Callable[[bytes, Kind, tuple[Verdict, ...]], Action]
    document: Callable[[], tuple[Page, HeldText] | None]
    acting: Acting
    nested: Nested
    forms: Forms
    authors: authors.Authors


class LongTag:
    """One start tag. Feed it all bytes from "<" to ">"; dead after `close`.

    *name* is lower case; *in_text*: the markup is the text of an element; *at* is the tag's place in the page. What of the tag is in
    force stands in `values` when all of it came; `said` is what the author says of the element.
    """

    def __init__(self, page: Page, judges: Judges, *, name: bytes, foreign: bool, in_text: bool, at: int) -> None:
        self.said = authors.Said(judges.authors.waits)
        self._page = page
        self._judges = judges
        self._element = Unfinished(name, foreign=foreign)
        self._foreign = foreign
        self._in_text = in_text
        self._at = at
        self._limit = page.limits.tag_bytes
        self._first_bytes: bytearray | None = bytearray()  # None once they were looked at
        self._in_force: set[bytes] = set()
        self._stream = TagStream(name_bytes=len(name), limit_bytes=self._limit, passing=self._in_force)
        self._values: dict[bytes, str] = {}
        self._values_bytes = 0
        self._verdicts: dict[Verdict | FormVerdict, None] = {}
        self._facts: set[tuple[Kind, str]] = set()
        self._count = 0  # of the attributes judged
        self._has_heard = False  # what the author says of this element
        self._loads_something = False
        self._is_refused = False  # a script that must not run
        self._is_inert = False  # one that is told to be text
        self._puts_value = False  # a field whose value is out of force
        self._long: LongValue | None = None  # the value in hand, where it is long and judged as it passes
        self._long_kind = Kind.STYLE
        self._long_refused: dict[Verdict, None] = {}
        self._long_is_empty = False  # nothing of it went out, and no quotes are around it

    def feed(self, raw: bytes) -> bytes:
        """More of the tag; answers what may go out."""
        if self._first_bytes is not None:
            self._first_bytes += raw
            if len(self._first_bytes) < self._limit:
                return b""
            raw = self._look_ahead(bytes(self._first_bytes))
        return b"".join(self._part(part, data) for part, data in self._stream.feed(raw))

    def close(self) -> bytes:
        """The end of the tag, or of the page; answers the rest.

        What the end of an element's text cuts off goes on behind it for those who see markup there: the tag ends here, without
        what of it is not whole.
        """
        out = b""
        if self._first_bytes is not None:
            first_bytes = self._look_ahead(bytes(self._first_bytes))
            out = b"".join(self._part(part, data) for part, data in self._stream.feed(first_bytes))
        if self._stream.is_over:
            return out
        out += self._end_of_long()
        if not self._in_text:
            return out + self._stream.rest
        return out + (b"" if self._stream.rest else self._stream.missing) + self._tail() + b">"

    @property
    def values(self) -> Values:
        """What is in force of the attributes on which the page depends, and of those of a form; empty where too long."""
        return self._values

    @property
    def waits(self) -> tuple[Verdict, ...]:
        """Whom the element waits for."""
        return tuple(verdict for verdict in self._verdicts if isinstance(verdict, Verdict))

    def held_text(self, configured: tuple[Verdict, ...] | None) -> HeldText | None:
        """What the text of a script, whose tag is whole, has to go through, if anything.

        *configured*: whom an AMP element around the script waits for; None where there is none.
        """
        if self._element.name != b"script" or self._is_inert or self.said.ignored:
            return None
        if self._is_refused:
            return _DeadText()
        if runs_code(self._values, foreign=self._foreign):
            return _ScriptText(self._page, at=self._at)
        if is_loading_data(self._values, configures=configured is not None):
            return _ScriptText(self._page, at=self._at, waits=configured or (), is_data=True)
        return None

    def _look_ahead(self, begin: bytes) -> bytes:
        """What the first bytes say of the element."""
        self._first_bytes = None
        self._page.report.degraded.append(Degraded.TAG_OVER_LIMIT)
        first: dict[bytes, str] = {}
        for raw in whole_attributes(begin[: self._limit]):
            attribute = _read(raw)
            if attribute.name not in first:
                first[attribute.name] = self._text(attribute.value)
                self._element.learn(attribute.name, first[attribute.name])
        what = [what for name, value in first.items() for what in self._element.loads(name, value)]
        self._loads_something = bool(what)
        if authors.ATTRIBUTE in first:
            self._hear(first[authors.ATTRIBUTE])
        self._heed_author()
        if self._element.name == b"script" and not self.said.ignored:
            self._is_inert = self._is_inert or any(self._judges.refused(each, self.said.waits)[0] for each in what)
        return begin

    def _part(self, part: Part, raw: bytes) -> bytes:
        match part:
            case Part.WHOLE:
                return self._whole(raw)
            case Part.BEGIN:
                return self._begun(raw)
            case Part.MORE if self._long is not None:
                out = self._long.feed(raw)
                self._long_is_empty = self._long_is_empty and not out
                return out
            case Part.END:
                return self._end_of_long() + raw
            case Part.CLOSE:
                if self._is_inert and not self._facts:
                    self._tell(Kind.INLINE, self.said.waits, Action.DEFERRED)
                return self._tail() + raw
            case _:
                return raw

    def _tail(self) -> bytes:
        """What stands at the end of the tag."""
        type_ = b' type="text/plain"' if self._is_inert else b""
        marks = inert.marks_of(self._verdicts) if self._verdicts else b""
        return type_ + marks + (b' value=""' if self._puts_value else b"")

    # -- attributes within the limit ------------------------------------------------------------------------------------

    def _whole(self, raw: bytes) -> bytes:
        """What becomes of an attribute."""
        if self._is_one_too_many():
            return inert.PREFIX + raw
        attribute = _read(raw)
        name, value = attribute.name, self._text(attribute.value)
        if name in self._in_force:
            return raw
        if name == authors.ATTRIBUTE:
            self._hear(value)
        emptied = self._emptied_for(name)
        if emptied:
            return self._empty(raw, name, emptied)
        withheld = None if self.said.ignored else self._withheld(raw, name, value)
        if withheld is not None:
            return withheld
        if self._stays_away(name):
            return _renamed(raw, name)
        if not self._keep(name, value) and self._element.name == b"base" and name == b"href":
            # What all addresses behind it depend on must be known.
            del self._values[name]
            self._in_force.discard(name)
            return self._unread(raw, name, Kind.LINK)
        return raw

    def _withheld(self, raw: bytes, name: bytes, value: str) -> bytes | None:
        """What stands in the place of an attribute that must not act; None where it may."""
        for what in self._element.loads(name, value):
            self._loads_something = True
            refused, host = self._judges.refused(what, self.said.waits)
            if refused:
                action = self._judges.action(self._element.name, what.kind, refused)
                self._tell(what.kind, refused, action, host)
                if action is Action.DEFERRED:
                    return self._out_of_force(raw, name, refused, loads=True)
                # The name stays: what stands behind it might make a value of another attribute.
                return self._out_of_force(name + b'=""', name, (), loads=True)
        found = self._judges.acting.refused(
            self._element.name, name, value, foreign=self._foreign, waits=self.said.waits, at=self._at
        )
        if not found.verdicts:
            return None
        if found.put:
            self._in_force.add(name)
        return self._out_of_force(raw, name, found.verdicts) + found.put

    def _is_one_too_many(self) -> bool:
        self._count += 1
        if self._count == _ATTRIBUTES_JUDGED + 1:
            self._tell(Kind.HANDLER, (_UNREAD,), Action.DEFERRED)
            self._verdicts[_UNREAD] = None
        return self._count > _ATTRIBUTES_JUDGED

    def _stays_away(self, name: bytes) -> bool:
        """The name is the gateway's own, or that of what a script that is told to be text would do."""
        if name.startswith(inert.PREFIX):
            return True
        return self._is_inert and (name == b"type" or name.startswith(b"on") or bool(self._element.loads(name, "x")))

    def _out_of_force(
        self, raw: bytes, name: bytes, verdicts: tuple[Verdict | FormVerdict, ...], *, loads: bool = False
    ) -> bytes:
        self._verdicts |= dict.fromkeys(verdicts)
        if loads and self._element.name == b"script":
            self._stop_script()
        return _renamed(raw, name)

    def _stop_script(self) -> None:
        self._is_refused = True
        # Too late for that where a type went out already: see `held_text`.
        self._is_inert = b"type" not in self._in_force

    def _hear(self, text: str) -> None:
        """What the author says of this element, once."""
        if not self._has_heard:
            self._has_heard = True
            loads = self._loads_something or self._element.name == b"script"
            self.said = self._judges.authors.said({authors.ATTRIBUTE: text}, loads=loads)
            self._heed_author()

    def _heed_author(self) -> None:
        """A script that waits for the author's sake must not run, whatever it is."""
        if self.said.waits and self._element.runs():
            self._verdicts |= dict.fromkeys(self.said.waits)
            self._stop_script()

    def _tell(self, kind: Kind, refused: tuple[Verdict, ...], action: Action, host: str = "") -> None:
        """One fact a kind and vendor, however often it stands in the tag."""
        new = [verdict for verdict in refused if (kind, verdict.vendor) not in self._facts]
        self._facts |= {(kind, verdict.vendor) for verdict in new}
        self._page.withhold(kind, new, action, host=host, at=self._at)

    def _keep(self, name: bytes, value: str | None) -> bool:
        """Remember an attribute that goes out as it is; answers whether its value is known if it has to be."""
        self._in_force.add(name)
        self._element.learn(name, value)
        if name not in _TOLD and self._element.name != b"form":
            return True
        size = 0 if value is None else len(name) + len(value)
        is_short = name in _TOLD and size <= _SHORT_CHARS
        if value is None or (self._values_bytes + size > self._limit and not is_short):
            self._values[name] = ""
            return False
        self._values_bytes += size
        self._values[name] = value
        return True

    def _emptied_for(self, name: bytes) -> tuple[Verdict | FormVerdict, ...]:
        """Whom the value of a field must be kept from, for all that is known of the field."""
        if name != b"value" or self._element.name != b"input" or not self._judges.forms:
            return ()
        field = {b"type": "hidden", **self._element.known}
        if b"name" not in field and field[b"type"].lower() == "hidden":
            return (_UNREAD,)
        return self._judges.forms.emptied_for(field)

    def _empty(self, raw: bytes, name: bytes, verdicts: tuple[Verdict | FormVerdict, ...]) -> bytes:
        self._puts_value = True
        self._in_force.add(name)
        return self._out_of_force(raw, name, verdicts)

    def _text(self, value: bytes) -> str:
        return decode_references(value.decode(self._page.codec, "replace"))

    # -- longer attributes ----------------------------------------------------------------------------------------------

    def _begun(self, raw: bytes) -> bytes:
        """What becomes of an attribute of which these are the first bytes."""
        if self._is_one_too_many():
            return inert.PREFIX + raw
        name, value_at, quote = read_begin(raw)
        if not name:
            # Handlers, and the gateway's own, are told by how they begin.
            is_one = self._limit < _LONGEST_NAME or raw.lower().startswith((b"on", inert.PREFIX))
            return inert.PREFIX + raw if is_one else raw
        if name in self._in_force:
            return raw
        emptied = self._emptied_for(name)
        if emptied:
            return self._empty(raw, name, emptied)
        if self._element.name == b"base" and name == b"href":
            return self._unread(raw, name, Kind.LINK)
        text = "" if value_at is None else self._text(raw[value_at:])
        if name == authors.ATTRIBUTE:
            self._hear(f"{text} unread")
        # Behind so much space anything may follow.
        holds = None if self.said.ignored else self._element.holds(name, text or "0")
        if holds is None:
            return self._sent(raw, name, text) if name == b"formaction" else self._pass(raw, name, text)
        self._loads_something = True
        kind, what = holds
        if what is Holds.ADDRESS and self._element.is_harmless(name, text):
            return self._pass(raw, name, text)
        if self.said.waits:
            return self._unread(raw, name, kind, self.said.waits)
        if value_at is None:
            return self._unread(raw, name, kind)
        text_filter = self._filter(name, kind, what)
        if text_filter is None:
            return self._unread(raw, name, kind)
        long = LongValue(text_filter, codec=self._page.codec, limit_bytes=self._limit, bare=not quote)
        begin = long.feed(raw[value_at:])
        if isinstance(text_filter, Code) and not text_filter.look():
            return self._unread(raw, name, kind, tuple(self._long_refused))
        self._long, self._long_kind, self._long_is_empty = long, kind, not (quote or begin)
        return self._pass(raw[:value_at], name, text) + begin

    def _sent(self, raw: bytes, name: bytes, text: str) -> bytes:
        """What becomes of a long address that a form is sent to: its host stands first."""
        found = None if self.said.ignored else self._withheld(raw, name, text)
        return self._pass(raw, name, text) if found is None else found

    def _pass(self, raw: bytes, name: bytes, text: str) -> bytes:
        if self._stays_away(name):
            return _renamed(raw, name)
        self._keep(name, None)
        if self._element.name == b"form" and name == b"action":
            self._values[name] = text  # its host stands first
        return raw

    def _unread(self, raw: bytes, name: bytes, kind: Kind, refused: tuple[Verdict, ...] = ()) -> bytes:
        refused = refused or (_UNREAD,)
        self._tell(kind, refused, Action.DEFERRED)
        return self._out_of_force(raw, name, refused, loads=kind is Kind.SCRIPT)

    def _end_of_long(self) -> bytes:
        if self._long is None:
            return b""
        long, self._long = self._long, None
        out = long.close()
        self._tell(self._long_kind, (_UNREAD,) if long.is_cut else tuple(self._long_refused), Action.REMOVED)
        # A bare value of nothing would take what follows for its own.
        return b'""' if self._long_is_empty and not out else out

    def _filter(self, name: bytes, kind: Kind, what: Holds) -> HeldText | None:
        """What a value goes through that acts; None where it cannot be judged as it passes."""
        self._long_refused.clear()
        match what:
            case Holds.CANDIDATES:
                return Candidates(lambda url: self._withholds_candidate(name, url, kind), limit_bytes=self._limit)
            case Holds.STYLE:
                return css.Cleaner(self._withholds_style, limit_bytes=self._limit)
            case Holds.CODE_ADDRESS:
                where: Literal["script", "handler"] = "script" if kind is Kind.SCRIPT else "handler"
                return Code(lambda code: self._withholds_code(code, where), limit_bytes=self._limit)
            case Holds.DOCUMENT:
                opened = self._judges.document()
                return None if opened is None else Document(self._page, *opened, at=self._at)
            case _:
                return None

    def _withholds_candidate(self, name: bytes, url: bytes, kind: Kind) -> bool:
        text = url.decode("utf-8", "replace")
        if len(url) > self._limit:
            if self._element.is_harmless(name, text):
                return False
            self._tell(kind, (_UNREAD,), Action.REMOVED)
            return True
        refused, host = self._judges.refused(Loads(kind, (text,), frozenset({name})), ())
        self._tell(kind, refused, Action.REMOVED, host)
        return bool(refused)

    def _withholds_style(self, url: bytes) -> bool:
        refused, host = self._judges.nested.refused_fetch(url.decode("utf-8", "replace"))
        self._tell(Kind.STYLE, refused, Action.REMOVED, host)
        return bool(refused)

    def _withholds_code(self, code: bytes, where: Literal["script", "handler"]) -> bool:
        refused = self._page.refused_code(code, where)
        self._long_refused |= dict.fromkeys(refused)
        return bool(refused)


class _ScriptText(Script):
    """The text of a script whose tag has gone out."""

    def __init__(self, page: Page, *, at: int, waits: tuple[Verdict, ...] = (), is_data: bool = False) -> None:
        super().__init__(page, inert.Tag(b"", b"script", ()), at=at, waits=waits, is_data=is_data)
        self._started = True


class _DeadText:
    """The text of a script that must not run, whose tag says nothing of it: it begins with what no parser accepts."""

    def __init__(self) -> None:
        self._begin = inert.CUT

    def feed(self, data: bytes) -> bytes:
        """More of the text."""
        begin, self._begin = self._begin, b""
        return begin + data

    def close(self) -> bytes:
        """The end of the text; one that is empty may stay so."""
        return b""


def _read(raw: bytes) -> Attribute:
    """One raw attribute, taken apart."""
    return next(attributes(b"<a " + raw + b">"))


def _renamed(raw: bytes, name: bytes) -> bytes:
    """A raw attribute, or its begin, of this lower-case name, put out of force."""
    return inert.PREFIX + name.replace(b":", b"-") + raw[len(name) :]
