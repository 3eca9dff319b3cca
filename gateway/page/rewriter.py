"""A page through the gateway: bytes in, bytes out, and what was withheld."""

from dataclasses import dataclass

from gateway.consent.model import Decision
from gateway.vendors.match import Matcher
from gateway.withheld import Degraded, Withheld


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Bounds of what is buffered of one page."""

    tag_bytes: int
    inline_bytes: int


class Rewriter:
    """Feed it a page in any pieces; what comes out does not depend on the cut. Dead after an error.

    *site* is the page's own address, the base of its URLs; *charset* the label of Content-Type, empty where none.
    Encodings that cannot be scanned as bytes raise `UnreadableCharset` from the constructor.
    """

    def __init__(self, *, matcher: Matcher, decision: Decision, site: str, charset: str, limits: PageLimits) -> None:
        raise NotImplementedError

    def feed(self, data: bytes) -> bytes:
        """The next piece of the page; answers what may go out already."""
        raise NotImplementedError

    def close(self) -> bytes:
        """The end of the page; answers the rest."""
        raise NotImplementedError

    def take_report(self) -> tuple[list[Withheld], list[Degraded]]:
        """What was withheld, and which degraded paths were taken, since the last call."""
        raise NotImplementedError
