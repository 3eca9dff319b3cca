"""Scripts and style sheets that stand in the page: held back until their whole text is known, and judged.

One that is longer than the limit is judged in windows, so that no more than the limit is ever held. A script whose first
window was clean has begun to go out; when a later one is not, the script is cut off in a way that no JavaScript parser
accepts, and so nothing of it runs. A style sheet is cut into its blocks, which are judged one window after another.
"""

from typing import Protocol

from gateway.page import css, inert
from gateway.page.attributes import Attribute
from gateway.page.context import Page
from gateway.page.elements import Values
from gateway.vendors.match import Verdict
from gateway.withheld import Action, Degraded, Kind


class HeldText(Protocol):
    """The text of one element, on its way through."""

    def feed(self, data: bytes) -> bytes:
        """More of the text; answers what may go out."""
        ...

    def close(self) -> bytes:
        """The end of the text; answers the rest."""
        ...


class Script:
    """An inline script. *raw* is its start tag, *found* and *values* the tag's attributes, *at* its place in the page."""

    def __init__(self, page: Page, raw: bytes, found: tuple[Attribute, ...], values: Values, *, at: int) -> None:
        self._page = page
        self._raw = raw
        self._found = found
        self._handlers = [value for name, value in values.items() if name.startswith(b"on")]
        self._at = at
        self._text = bytearray()
        self._started = False  # the start tag went out as it was
        self._is_inert = False  # the start tag went out deferred: whatever follows is no code
        self._is_cut = False

    def feed(self, data: bytes) -> bytes:
        """More of its text."""
        if self._is_inert:
            return data
        if self._is_cut:
            return b""
        self._text += data
        out = b""
        limit = self._page.limits.inline_bytes
        while len(self._text) > limit and not (self._is_inert or self._is_cut):
            out += self._judge(limit)
        return out

    def close(self) -> bytes:
        """Its end."""
        if self._is_inert or self._is_cut:
            return b""
        return self._judge(len(self._text), last=True)

    def _judge(self, count: int, *, last: bool = False) -> bytes:
        """What may go out of the first *count* bytes; all of them where they are the last, else half."""
        window = bytes(self._text[:count])
        refused = self._page.refused_code(window, "script")
        if not self._started and not refused:
            for handler in self._handlers:
                refused += self._page.refused_code(handler.encode(), "handler")
        if not last and not self._started:
            self._page.report.degraded.append(Degraded.INLINE_OVER_LIMIT)
        if refused:
            return self._refuse(refused)
        begin = b"" if self._started else self._raw
        self._started = True
        clean = bytes(self._text) if last else bytes(self._text[: count // 2])
        del self._text[: len(clean)]
        return begin + clean

    def _refuse(self, refused: tuple[Verdict, ...]) -> bytes:
        if self._started:
            self._is_cut = True
            self._page.withhold(Kind.INLINE, refused, Action.REMOVED, at=self._at)
            return inert.CUT
        self._is_inert = True
        self._page.withhold(Kind.INLINE, refused, Action.DEFERRED, at=self._at)
        begin = inert.deferred(
            self._raw,
            self._found,
            rename=lambda name: name == b"type" or name.startswith(b"on"),
            added=b' type="text/plain"' + inert.marks_of(refused),
            name=b"script",
        )
        return begin + bytes(self._text)


class StyleSheet:
    """The text of a style element. URLs that are refused are put out of force in their place."""

    def __init__(self, page: Page, *, at: int) -> None:
        self._page = page
        self._at = at
        self._text = b""

    def feed(self, data: bytes) -> bytes:
        """More of its text."""
        self._text += data
        out = b""
        limit = self._page.limits.inline_bytes
        while len(self._text) > limit:
            # Behind the last whole block or statement nothing of it is left open.
            end = max(self._text.rfind(b"}", 0, limit), self._text.rfind(b";", 0, limit)) + 1 or limit
            out += self._judged(self._text[:end])
            self._text = self._text[end:]
        return out

    def close(self) -> bytes:
        """Its end."""
        rest, self._text = self._text, b""
        return self._judged(rest)

    def _judged(self, text: bytes) -> bytes:
        def is_withheld(url: bytes) -> bool:
            refused, host = self._page.refused_url(url.decode("utf-8", "replace"))
            self._page.withhold(Kind.STYLE, refused, Action.REMOVED, host=host, at=self._at)
            return bool(refused)

        return css.without(text, is_withheld)
