"""What goes through `long_value`: filters for the kinds of value that honest pages make longer than is buffered.

| value                   | filter        | what becomes of a vendor's part                                        |
|-------------------------|---------------|------------------------------------------------------------------------|
| `srcset`                | Candidates    | the candidate is left out                                              |
| `style`                 | `css.Cleaner` | the URL is put out of force                                            |
| `srcdoc`                | Document      | withheld inside, as in the page                                        |
| code in an address      | Code          | the value ends in what no parser of JavaScript, or of base64, accepts  |

Nothing of this can be released: what is left in the page is not what the site sent.
"""

import base64
import re
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote_from_bytes, unquote_to_bytes

from gateway.page.context import Page
from gateway.page.inert import CUT
from gateway.page.texts import HeldText
from gateway.withheld import Action


class Candidates:
    """The text of a srcset (HTML Standard, 4.8.4.2.3). *is_withheld* is asked about each URL, or about the begin of a longer one."""

    _SEPARATOR = re.compile(rb"[\t\n\f\r ,]*+")
    _URL = re.compile(rb"[^\t\n\f\r ]*+")
    # Parentheses do not nest; those that are open at the end hide all.
    _DESCRIPTOR = re.compile(rb"(?:[^,()]|\)|\([^)]*+\))*+")
    _REST = re.compile(rb"[^)]*+\)?")

    def __init__(self, is_withheld: Callable[[bytes], bool], *, limit_bytes: int) -> None:
        self._is_withheld = is_withheld
        self._limit = limit_bytes
        self._text = bytearray()
        self._is_dropped = False  # the candidate in hand
        self._last = b""  # byte of a URL that was too long to be held
        self._step = self._separator

    def feed(self, data: bytes) -> bytes:
        """More of the text; answers what may go out."""
        return self._taken(data, final=False)

    def close(self) -> bytes:
        """The end of the text; answers the rest."""
        return self._taken(b"", final=True)

    def _taken(self, data: bytes, *, final: bool) -> bytes:
        self._text += data
        out: list[bytes] = []
        while self._text and self._step(out, final=final):
            pass
        return b"".join(out)

    # Each step answers whether what it looked for has ended.

    def _separator(self, out: list[bytes], *, final: bool) -> bool:  # noqa: ARG002 - they share one signature
        out.append(self._take(self._end(self._SEPARATOR)))
        if self._text:
            self._step = self._url
        return bool(self._text)

    def _url(self, out: list[bytes], *, final: bool) -> bool:
        end = self._end(self._URL)
        if end == len(self._text) and end <= self._limit and not final:
            return False
        is_long = end > self._limit
        url = bytes(self._text[: self._limit + 1 if is_long else end])
        url = url if is_long else url.rstrip(b",")
        self._is_dropped = bool(url) and self._is_withheld(url)
        self._step = self._rest_of_url
        return self._rest_of_url(out, final=final)

    def _rest_of_url(self, out: list[bytes], *, final: bool) -> bool:
        url = self._take(self._end(self._URL))
        self._last = url[-1:] or self._last
        out.append(b"" if self._is_dropped else url)
        if not self._text and not final:
            return False
        # A URL that ends in commas has no descriptor.
        self._step = self._separator if self._last == b"," else self._descriptor
        self._last = b""
        return True

    def _descriptor(self, out: list[bytes], *, final: bool) -> bool:  # noqa: ARG002
        text = self._take(self._end(self._DESCRIPTOR))
        if self._text[:1] == b"(":
            self._step = self._parenthesis
        elif self._text:
            self._step = self._separator
        out.append(b"" if self._is_dropped else text)
        return bool(self._text)

    def _parenthesis(self, out: list[bytes], *, final: bool) -> bool:  # noqa: ARG002
        text = self._take(self._end(self._REST))
        if text.endswith(b")"):
            self._step = self._descriptor
        out.append(b"" if self._is_dropped else text)
        return bool(self._text)

    def _end(self, pattern: re.Pattern[bytes]) -> int:
        found = pattern.match(self._text)
        assert found is not None  # all of them may be empty
        return found.end()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._text[:count])
        del self._text[:count]
        return taken


class Code:
    """JavaScript in a `data:` or `javascript:` address (Fetch Standard, 6), judged in windows that overlap by half.

    *is_withheld* is asked about each window. `is_refused` when one was: then the value ended there. What is in an encoding in which
    its signatures could not be found counts as refused; so does an address in which no code begins.
    """

    _HEADER = re.compile(rb"[\x00-\x20]*(?:data:([^,]*),|javascript:)", re.IGNORECASE)
    _BASE64 = re.compile(rb"; *base64\Z", re.IGNORECASE)
    _NEWLINES = re.compile(rb"[\t\n\r]")  # the URL parser takes them out
    _OPEN_BYTE = re.compile(rb"%[0-9a-fA-F]?\Z")
    _NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
    # UTF-16 has the one in every letter, ISO-2022-JP the other before all that is hidden; no code has either.
    _UNREADABLE = re.compile(rb"[\0\x1b]")

    def __init__(self, is_withheld: Callable[[bytes], bool], *, limit_bytes: int) -> None:
        self.is_refused = False
        self._is_withheld = is_withheld
        self._limit = limit_bytes
        self._header: bytes | None = b""  # None once it is whole
        self._is_base64 = False
        self._open = b""  # begin of a percent-encoded byte
        self._digits = b""  # of base64, fewer than four
        self._held: deque[tuple[bytes, bytes]] = deque()  # text, and the code in it
        self._held_bytes = 0  # of text

    def feed(self, data: bytes) -> bytes:
        """More of the text; answers what may go out."""
        if self.is_refused:
            return b""
        self._held.append((data, self._code(data)))
        self._held_bytes += len(data)
        return self._looked(self._limit // 2) if self._held_bytes > self._limit else b""

    def close(self) -> bytes:
        """The end of the text; answers the rest."""
        if self.is_refused:
            return b""
        if len(self._digits) > 1:
            self._held.append((b"", base64.b64decode(self._digits + b"==")))
        return self._looked(0)

    def look(self) -> bool:
        """Judge what came so far; answers whether it may stay."""
        code = b"".join(code for _, code in self._held)
        unreadable = self._header is not None or self._UNREADABLE.search(code) is not None
        self.is_refused = self.is_refused or unreadable or self._is_withheld(code)
        return not self.is_refused

    def _looked(self, kept_bytes: int) -> bytes:
        if not self.look():
            # "!" stands in no base64: the address as a whole means nothing any more.
            return b"!" if self._is_base64 else quote_from_bytes(CUT).encode()
        out = []
        while self._held and self._held_bytes - len(self._held[0][0]) >= kept_bytes:
            text, _ = self._held.popleft()
            self._held_bytes -= len(text)
            out.append(text)
        return b"".join(out)

    def _code(self, text: bytes) -> bytes:
        text = self._NEWLINES.sub(b"", text)
        if self._header is not None:
            whole = self._HEADER.match(self._header + text)
            if whole is None:
                self._header = (self._header + text)[: self._limit]
                return b""
            text = (self._header + text)[whole.end() :]
            self._is_base64 = self._BASE64.search(whole[1] or b"") is not None
            self._header = None
        text = self._open + text
        begun = self._OPEN_BYTE.search(text)
        self._open = begun[0] if begun else b""
        code = unquote_to_bytes(text[: len(text) - len(self._open)])
        if not self._is_base64:
            return code
        digits = self._digits + self._NOT_BASE64.sub(b"", code)
        whole_digits = len(digits) - len(digits) % 4
        self._digits = digits[whole_digits:]
        return base64.b64decode(digits[:whole_digits])


class Document:
    """The text of a srcdoc: *markup* is the document's, *inner* its page. What is withheld is told as standing at *at* in *page*."""

    def __init__(self, page: Page, inner: Page, markup: HeldText, *, at: int) -> None:
        self._page = page
        self._inner = inner
        self._markup = markup
        self._at = at

    def feed(self, data: bytes) -> bytes:
        """More of the text; answers what may go out."""
        return self._told(self._markup.feed(data))

    def close(self) -> bytes:
        """The end of the text; answers the rest."""
        return self._told(self._markup.close())

    def _told(self, out: bytes) -> bytes:
        report = self._inner.report
        self._page.report.withheld += (
            replace(fact, action=Action.REMOVED, offset=self._at) for fact in report.withheld
        )
        self._page.report.degraded += report.degraded
        report.withheld, report.degraded = [], []
        return out
