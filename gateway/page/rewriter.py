"""A page through the gateway: bytes in, bytes out, and what was withheld.

Every element that would contact a vendor who was not agreed to is withheld where it stands: removed where nothing needs it
again (hints, refreshes, pixels for visitors without scripting), deferred where release wants it back. Whatever else the
page holds goes out byte for byte. How markup is judged is in `markup`; here it is brought into an encoding that can be scanned.
"""

import codecs

from gateway.consent.model import Decision
from gateway.page.context import Page, PageLimits, Report
from gateway.page.encoding import Family, codec_of, family_of
from gateway.page.markup import Markup
from gateway.page.memo import Memo, Segments
from gateway.vendors.match import Matcher
from gateway.withheld import Degraded, Withheld

__all__ = ["PageLimits", "Rewriter", "UnreadableCharset"]

_BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_LONGEST_BOM = max(map(len, _BOMS))


class UnreadableCharset(ValueError):
    """The page is in an encoding in which its tags cannot be found."""


class Rewriter:
    """Feed it a page in any pieces; what comes out does not depend on the cut. Dead after an error.

    *site* is the page's own address, the base of its URLs; *charset* the label of its Content-Type, empty where none;
    *xml* for application/xhtml+xml; *memo*, of this rule set, is asked for segments that were rewritten before. Encodings that
    cannot be scanned as bytes raise UnreadableCharset here.
    """

    def __init__(
        self,
        *,
        matcher: Matcher,
        decision: Decision,
        site: str,
        charset: str,
        limits: PageLimits,
        xml: bool = False,
        memo: Memo | None = None,
    ) -> None:
        if family_of(charset) is Family.UNREADABLE:
            raise UnreadableCharset(charset[:80])
        self._page = Page(matcher, decision, site, limits, xml=xml)
        self._markup: Markup | Segments = Markup(self._page)
        self._memo = memo
        self._label = charset
        self._begin: bytes | None = None if decision.allows_everything else b""
        self._decode: codecs.IncrementalDecoder | None = None
        self._redecode = codecs.getincrementaldecoder("utf-8")(
            "surrogatepass"
        )  # what comes out may end within a character
        self._utf_16 = ""

    def feed(self, data: bytes) -> bytes:
        """Take the next piece of the page; answers what may go out already."""
        if self._page.decision.allows_everything:
            return data
        if self._begin is not None:
            self._begin += data
            if len(self._begin) < _LONGEST_BOM:
                return b""
            data = self._settle_encoding(self._begin)
        return self._transcoded(data, final=False)

    def close(self) -> bytes:
        """The end of the page; answers the rest."""
        if self._page.decision.allows_everything:
            return b""
        rest = b"" if self._begin is None else self._settle_encoding(self._begin)
        return self._transcoded(rest, final=True)

    @property
    def memo_use(self) -> tuple[int, int]:
        """How many segments of this page the memo knew, and how many it did not."""
        return (self._markup.hits, self._markup.misses) if isinstance(self._markup, Segments) else (0, 0)

    def take_report(self) -> tuple[list[Withheld], list[Degraded]]:
        """What was withheld, and which degraded paths were taken, since the last call."""
        report, self._page.report = self._page.report, Report()
        return report.withheld, report.degraded

    def _settle_encoding(self, begin: bytes) -> bytes:
        """A byte order mark wins over the label (HTML Standard, 13.2.3.2)."""
        self._begin = None
        by_mark = next((name for bom, name in _BOMS.items() if begin.startswith(bom)), None)
        codec = by_mark or codec_of(self._label)
        if codec is not None:
            self._page.codec, self._page.codec_is_settled = codec, True
            if codec.startswith("utf-16"):
                self._utf_16 = codec
                # Lone surrogates go through as they are: the page is somebody else's.
                self._decode = codecs.getincrementaldecoder(codec)("surrogatepass")
                self._page.codec = "utf-8"
        if self._memo is not None and isinstance(self._markup, Markup):
            self._markup = Segments(self._page, self._markup, self._memo)
        return begin

    def _transcoded(self, data: bytes, *, final: bool) -> bytes:
        if self._decode is None:
            out = self._markup.feed(data)
            return out + self._markup.close() if final else out
        out = self._markup.feed(self._decode.decode(data).encode("utf-8", "surrogatepass"))
        if final:
            out += self._markup.close()
        encoded = self._redecode.decode(out, final=final).encode(self._utf_16, "surrogatepass")
        # Half a character at the very end is no markup, but somebody's byte all the same.
        return encoded + self._decode.getstate()[0] if final else encoded
