"""Scripts and style sheets that stand in the page: held back until their whole text is known, and judged.

One that is longer than the limit is judged in windows, so that no more than the limit is ever held. A script whose first
window was clean has begun to go out; when a later one is not, the script is cut off in a way that no JavaScript parser
accepts, and so nothing of it runs. A style sheet goes out as it is read.
"""

from collections.abc import Callable, Iterator
from typing import Protocol

import orjson

from gateway.page import css, inert
from gateway.page.context import Page
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
    """An inline script. *tag* is its start tag, which goes out with its text; *at* its place in the page.

    *waits* is whom it waits for, whatever it does, if only it holds anything. *is_data*: it is JSON that names what to load.
    """

    def __init__(
        self, page: Page, tag: inert.Tag, *, at: int, waits: tuple[Verdict, ...] = (), is_data: bool = False
    ) -> None:
        self._page = page
        self._tag = tag
        self._at = at
        self._waits = waits
        self._is_data = is_data
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
        if self._is_data:
            refused += _refused_in_json(self._page, window)
        if window.strip():
            refused = inert.one_a_vendor((*self._waits, *refused))
        if not last and not self._started:
            self._page.report.degraded.append(Degraded.INLINE_OVER_LIMIT)
        if refused:
            return self._refuse(refused)
        begin = b"" if self._started else self._tag.render()
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
        self._tag.make_text()
        self._tag.withhold(self._tag.handlers, refused)
        return self._tag.render() + bytes(self._text)


class StyleSheet:
    """The text of a style element. URLs that are refused are put out of force in their place."""

    def __init__(self, page: Page, refused: Callable[[str], tuple[tuple[Verdict, ...], str]], *, at: int) -> None:
        self._page = page
        self._refused = refused
        self._at = at
        self._sheet = css.Cleaner(self._is_withheld, limit_bytes=page.limits.inline_bytes)

    def feed(self, data: bytes) -> bytes:
        """More of its text."""
        return self._sheet.feed(data)

    def close(self) -> bytes:
        """Its end."""
        return self._sheet.close()

    def _is_withheld(self, url: bytes) -> bool:
        refused, host = self._refused(url.decode("utf-8", "replace"))
        self._page.withhold(Kind.STYLE, refused, Action.REMOVED, host=host, at=self._at)
        return bool(refused)


class WaitingStyleSheet:
    """The text of a style element that the author has wait, if it fetches anything: then all of it is deferred.

    *refused* tells whom a URL waits for. A sheet beyond the limit that fetched nothing in its begin goes out, and what it fetches
    later is put out of force in its place.
    """

    def __init__(
        self, page: Page, tag: inert.Tag, refused: Callable[[str], tuple[tuple[Verdict, ...], str]], *, at: int
    ) -> None:
        self._page = page
        self._tag = tag
        self._refused = refused
        self._at = at
        self._text = bytearray()
        self._rest: StyleSheet | None = None
        self._is_inert = False

    def feed(self, data: bytes) -> bytes:
        """More of its text."""
        if self._is_inert:
            return data
        if self._rest is not None:
            return self._rest.feed(data)
        self._text += data
        limit = self._page.limits.inline_bytes
        return self._judge(limit) if len(self._text) > limit else b""

    def close(self) -> bytes:
        """Its end."""
        begin = b"" if self._is_inert or self._rest is not None else self._judge(len(self._text))
        return begin + (self._rest.close() if self._rest is not None else b"")

    def _judge(self, count: int) -> bytes:
        urls = (fetch.url.decode("utf-8", "replace") for fetch in css.fetches(bytes(self._text[:count])))
        refused = inert.one_a_vendor(verdict for url in urls for verdict in self._refused(url)[0])
        if refused:
            self._is_inert = True
            self._page.withhold(Kind.STYLE, refused, Action.DEFERRED, at=self._at)
            self._tag.make_text()
            self._tag.withhold((), refused)
            return self._tag.render() + bytes(self._text)
        self._rest = StyleSheet(self._page, self._refused, at=self._at)
        return self._tag.render() + self._rest.feed(bytes(self._text))


class Gone:
    """Text that lies too deep to be judged, and does not go out."""

    def feed(self, data: bytes) -> bytes:  # noqa: ARG002 - it is what becomes of it
        """More of the text."""
        return b""

    def close(self) -> bytes:
        """Its end."""
        return b""


class Both:
    """Text that one parser takes for text and another for markup: judged as *first*, and what comes of it as *second*."""

    def __init__(self, first: HeldText, second: HeldText) -> None:
        self._first = first
        self._second = second

    def feed(self, data: bytes) -> bytes:
        """More of the text."""
        return self._second.feed(self._first.feed(data))

    def close(self) -> bytes:
        """Its end."""
        return self._second.feed(self._first.close()) + self._second.close()


def _refused_in_json(page: Page, text: bytes) -> tuple[Verdict, ...]:
    """What is refused of every address in JSON that is whole: names and values alike, relative ones too."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return ()
    return tuple(verdict for string in _strings(found) for verdict in page.refused_url(string)[0])


def _strings(value: object) -> Iterator[str]:
    """All strings in a JSON value, at any depth."""
    left = [value]
    while left:
        match left.pop():
            case str() as text:
                yield text
            case dict() as table:
                left += (*table.keys(), *table.values())
            case list() as items:
                left += items
            case _:
                pass
