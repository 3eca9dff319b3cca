"""Facts that the core reports: what was withheld, and where a narrower way had to be taken. The shell logs them."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.consent.model import Category


class Kind(StrEnum):
    """What a withheld thing is: an element of a page, a field of a head."""

    SCRIPT = "script"
    INLINE = "inline"
    HANDLER = "handler"
    IFRAME = "iframe"
    PIXEL = "pixel"
    IMAGE = "image"
    HINT = "hint"
    STYLESHEET = "stylesheet"
    STYLE = "style"
    LINK = "link"
    OBJECT = "object"
    MEDIA = "media"
    FORM = "form"
    PING = "ping"
    REFRESH = "refresh"
    SET_COOKIE = "set-cookie"
    COOKIE = "cookie"
    LINK_HEADER = "link-header"
    REFRESH_HEADER = "refresh-header"
    REPORTING_HEADER = "reporting-header"


class Action(StrEnum):
    """Removed: gone from this response. Deferred: in its place, inert, with all that release needs."""

    REMOVED = "removed"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True)
class Withheld:
    """One thing withheld. *rule* names the rule inside the vendor's file (`hosts.trackcmp.net`, `scripts.diffuser`).

    *host* is the host it would have contacted, empty where none is known (inline code, cookies); *needs* the categories
    that were asked for; *offset* the byte position in the decoded body, -1 in a head.
    """

    kind: Kind
    vendor: str
    rule: str
    needs: frozenset[Category]
    action: Action
    host: str = ""
    offset: int = -1


class Degraded(StrEnum):
    """Every path on which less than the full service is given: named here, counted, logged as a warning, tested."""

    UNREADABLE_CODING = "unreadable-coding"  # a page in a Content-Encoding that cannot be decoded: guard policy
    UNREADABLE_CHARSET = "unreadable-charset"  # a page in a character encoding that cannot be scanned: guard policy
    PARTIAL_PAGE = "partial-page"  # a 206 of a page, or no-transform: guard policy
    SNIFFED_TYPE = "sniffed-type"  # a body without a type, in which a browser may find a page: guard policy
    TAG_OVER_LIMIT = "tag-over-limit"  # a start tag longer than is buffered: judged attribute by attribute
    NESTED_TOO_DEEP = "nested-too-deep"  # a document or a noscript within others, deeper than is looked into: deferred or gone, unread
    INLINE_OVER_LIMIT = "inline-over-limit"  # a script longer than is buffered, judged late: the script is cut off
    UNKNOWN_FENCE = "unknown-fence"  # an author's fence or attribute that names nobody known: everything is asked for
    UNCLOSED_FENCE = "unclosed-fence"  # an author's fence without an end: it holds until the end of the page
    BROKEN_CODING = "broken-coding"  # the body's Content-Encoding broke half way: the response is aborted
    REWRITER_FAULT = "rewriter-fault"  # a fault of ours inside a page: the response is aborted
