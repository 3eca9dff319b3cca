"""What all parts of one page share: the decision, the base of its URLs, its encoding, and the report."""

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from gateway.consent.model import Decision
from gateway.page.attributes import Attribute, attributes, decode_references
from gateway.page.elements import Values
from gateway.vendors.match import FormVerdict, Matcher, Verdict
from gateway.vendors.url import Url, parse
from gateway.withheld import Action, Degraded, Kind, Withheld

# Of the base, what URLs that begin with "/" need; and URLs that need no more.
_ORIGIN = re.compile(r"[a-z]+://[^/?#]*")
_IS_ROOTED = re.compile(
    r"[\x00-\x20]*(?:[/\\]|(?:https?|wss?):[/\\]|(?!(?:https?|wss?|ftp|file):)[a-z][a-z0-9+.-]*:)", re.IGNORECASE
)

# Start tags are repeated within a page and across pages; longer ones are not worth keeping.
_TAGS_REMEMBERED = 4096
_TAG_REMEMBERED_BYTES = 512


@dataclass(frozen=True, slots=True)
class PageLimits:
    """Bounds of what is buffered of one page, in bytes."""

    tag_bytes: int
    inline_bytes: int


@dataclass(slots=True)
class Report:
    """What was withheld, and which degraded paths were taken."""

    withheld: list[Withheld] = field(default_factory=list)
    degraded: list[Degraded] = field(default_factory=list)


@dataclass(slots=True)
class Event:
    """Whether something has happened."""

    happened: bool = False


@dataclass(slots=True)
class Page:
    """What all parts of one page share."""

    matcher: Matcher
    decision: Decision
    site: str
    limits: PageLimits
    xml: bool
    base: str = ""
    site_host: str = ""
    codec: str = "cp1252"
    codec_is_settled: bool = False
    base_is_settled: bool = False
    # Texts of which one stands in every match of a `near` pattern; none once all patterns were seen.
    near: tuple[bytes, ...] = ()
    marks: frozenset[str] = frozenset()
    skims: bool = False
    report: Report = field(default_factory=Report)
    depth: int = 0
    # Set when a URL, also one of a document inside, needs more of the base than its scheme and host.
    leans_on_path: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        url = parse(self.site)
        # A document inside the page brings the base along that it stands under.
        self.base = self.base or (url.href if url else self.site)
        self.site_host = url.host if url else ""
        self.near = self.matcher.near_texts
        self.settle_skimming()

    def settle_skimming(self) -> None:
        """Whether a first look at a tag can tell, under the base that URLs have now."""
        url = parse(self.base)
        self.skims = url is not None and self.matcher.skim.suits(url.host, url.path, site_host=self.site_host)

    @property
    def state(self) -> Hashable:
        """All that the meaning of markup depends on here, but for the path of the base."""
        origin = _ORIGIN.match(self.base)
        return (
            *(
                self.matcher.version,
                self.decision.granted,
                self.decision.vendors_granted,
                self.decision.vendors_refused,
            ),
            *(
                origin[0] if origin else self.base,
                self.site_host,
                self.base_is_settled,
                self.codec,
                self.codec_is_settled,
            ),
            *(self.marks, self.skims, self.limits, self.xml, self.depth),
        )

    def refused(self, verdicts: Iterable[Verdict]) -> tuple[Verdict, ...]:
        """Those of *verdicts* that this visitor did not agree to."""
        return tuple(v for v in verdicts if not self.decision.allows(v.needs, vendor=v.vendor))

    def url(self, text: str) -> Url | None:
        """A URL of the page, resolved."""
        if _IS_ROOTED.match(text) is None:
            self.leans_on_path.happened = True
        return parse(text, self.base)

    def refused_url(self, text: str) -> tuple[tuple[Verdict, ...], str]:
        """What is refused of one URL as it stands in the page, and its host."""
        url = self.url(text)
        if url is None:
            return (), ""
        return self.refused(self.matcher.url(url, site_host=self.site_host, marks=self.marks)), url.host

    def refused_connection(self, text: str) -> tuple[tuple[Verdict, ...], str]:
        """What refuses a mere connection to the host of a URL (nobody who may run needs it), and that host."""
        url = self.url(text)
        if url is None:
            return (), ""
        verdicts = self.matcher.connection(url, site_host=self.site_host)
        refused = self.refused(verdicts)
        return (refused[:1] if len(refused) == len(verdicts) else ()), url.host

    def refused_code(self, code: bytes, where: Literal["script", "handler"]) -> tuple[Verdict, ...]:
        """What is refused of one piece of code."""
        return self.refused(self.matcher.inline(code, where=where, site_host=self.site_host)) if code.strip() else ()

    def may_run(self, code: bytes) -> bool:
        """Nothing of this script is refused; it is short enough to be judged as a whole."""
        return len(code) <= self.limits.inline_bytes and not self.refused_code(code, "script")

    def withhold(
        self, kind: Kind, verdicts: Iterable[Verdict | FormVerdict], action: Action, *, host: str = "", at: int
    ) -> None:
        """One fact for each vendor that a thing was withheld from."""
        self.report.withheld.extend(
            Withheld(kind=kind, vendor=v.vendor, rule=v.rule, needs=v.needs, action=action, host=host, offset=at)
            for v in verdicts
        )

    def inner(self) -> "Page":
        """The context of a document inside this one, whose text is in hand: the same base, in UTF-8, with a report of its own."""
        return replace(self, codec="utf-8", codec_is_settled=True, xml=False, report=Report(), depth=self.depth + 1)

    def look_for_marks(self, tag: bytes) -> None:
        """Remember which `near` patterns stand in a whole start tag: of text and comments they say nothing."""
        found = self.matcher.marks_in(tag)
        if found:
            self.marks |= found
            if self.marks.issuperset(self.matcher.near):
                self.near = ()

    def read(self, raw: bytes) -> tuple[tuple[Attribute, ...], Values]:
        """The attributes of a start tag, and their values as a browser has them."""
        return (_read_cached if len(raw) <= _TAG_REMEMBERED_BYTES else _read)(raw, self.codec)


def _read(raw: bytes, codec: str) -> tuple[tuple[Attribute, ...], Values]:
    found = tuple(attributes(raw))
    values: dict[bytes, str] = {}
    for attribute in found:
        if attribute.name not in values:
            values[attribute.name] = decode_references(attribute.value.decode(codec, "replace"))
    return found, MappingProxyType(values)


_read_cached = lru_cache(_TAGS_REMEMBERED)(_read)
