"""What a URL, a piece of code, a cookie or a form has to do with a vendor: the immutable matcher."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gateway.consent.model import Category
from gateway.vendors.url import Url


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule that matched. *rule* as in the log: `hosts.trackcmp.net`, `scripts.visit`, `inline.v4-vgo`, `cookies._ga`."""

    vendor: str
    rule: str
    needs: frozenset[Category]
    action: Literal["defer", "remove"] | None = None


@dataclass(frozen=True, slots=True)
class FormVerdict:
    """A form of a vendor. *hidden* are the names of fields to empty; empty where the form stays as it is."""

    vendor: str
    rule: str
    needs: frozenset[Category]
    hidden: frozenset[str]


class Matcher:
    """Immutable; one per rule set; shared by all requests. `version` is a short digest of the rules.

    Every question answers with all rules that matched, at most one per vendor, so that a thing two vendors share is
    withheld until both are allowed. Host rules never match the site's own host.
    """

    version: str

    def url(self, url: Url, *, site_host: str = "", marks: frozenset[str] = frozenset()) -> tuple[Verdict, ...]:
        """Rules for one URL, however it is loaded. *marks*: the `near` patterns that were seen earlier in the page."""
        raise NotImplementedError

    def inline(self, code: bytes, *, where: Literal["script", "handler"], site_host: str = "") -> tuple[Verdict, ...]:
        """Rules for one piece of code: the signatures, and vendor hosts that begin a string as a URL."""
        raise NotImplementedError

    def cookie(self, name: str) -> tuple[Verdict, ...]:
        """Rules for one cookie name, save those too general to act on without seeing the page."""
        raise NotImplementedError

    def form(self, action: Url, attributes: Mapping[str, str]) -> tuple[FormVerdict, ...]:
        """Rules for one form, by where it posts to and by its attributes (names lower case)."""
        raise NotImplementedError

    @property
    def near(self) -> tuple[str, ...]:
        """All `near` patterns: what a page must be searched for, in rule order."""
        raise NotImplementedError
