"""The schema of a vendor file, format 1. rules/README.md explains it to whoever writes one.

Everything a file may say stands here; what a later reader of the file does not need, it leaves alone. Unknown keys are
faults: a misspelt key that is silently ignored would leave a vendor running.
"""

import re
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from gateway.consent.model import Category
from gateway.vendors import url as urls
from gateway.vendors.patterns import Glob, compile_pattern, key_length

# The format that this gateway reads. A file of a newer one is refused as such: what it says is not known here.
FORMAT = 1

# Longer patterns are a sign of a list that belongs into several rules; RE2 bounds their cost either way.
_PATTERN_CHARS = 500

# A shorter literal stands in nearly every script and would make the first pass useless.
_SIGNATURE_CHARS = 3

# Rules that no host leads to are found by a plain text that stands in every match: without one, each URL, form or cookie
# of a page would have to be tried against each such rule, and a slip would match them all.
_KEY_CHARS = 3
_COOKIE_KEY_CHARS = 2


def _is_known_format(value: object) -> object:
    if isinstance(value, int) and value > FORMAT:
        raise ValueError(f"made for a newer gateway; this one reads format {FORMAT}")
    return value


def _compiles(pattern: str) -> str:
    compile_pattern(pattern)
    return pattern


def _has_key(pattern: str) -> bool:
    return key_length(pattern) >= _KEY_CHARS


def _is_host(name: str) -> str:
    if not re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", name):
        raise ValueError(
            "not a host name; write lower-case ASCII labels (xn--... for others) without scheme, port or path"
        )
    return name


def _is_cookie_name(name: str) -> str:
    if "*" in name and len(Glob(name).plain) < _COOKIE_KEY_CHARS:
        raise ValueError(
            f"needs {_COOKIE_KEY_CHARS} characters in a row besides '*'; it would take cookies of the site"
        )
    return name


def _is_asked_for(categories: tuple[Category, ...]) -> tuple[Category, ...]:
    if Category.NECESSARY in categories and len(categories) > 1:
        raise ValueError("'necessary' stands alone: it means that nobody is asked")
    return categories


Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
# 253: the longest name that DNS can hold (RFC 1035, section 2.3.4, less its length octets).
Host = Annotated[str, StringConstraints(max_length=253), AfterValidator(_is_host)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=_PATTERN_CHARS), AfterValidator(_compiles)]
Signature = Annotated[str, StringConstraints(min_length=_SIGNATURE_CHARS, max_length=_PATTERN_CHARS)]
CookieGlob = Annotated[
    str,
    StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=128),
    AfterValidator(_is_cookie_name),
]
Lifetime = Annotated[str, StringConstraints(pattern=r"^(session|\d+(s|min|h|d|mo|y)|until \d{4}-\d{2}-\d{2})$")]
Categories = Annotated[tuple[Category, ...], Field(min_length=1), AfterValidator(_is_asked_for)]
TcfPurpose = Annotated[int, Field(ge=1, le=11)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class About(_Table):
    """`[vendor]`: who it is."""

    id: Id
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    company: str = ""
    aliases: tuple[str, ...] = ()
    homepage: str = ""
    privacy: str = ""
    description: str = ""
    industries: tuple[str, ...] = ()
    role: Literal["", "processor", "controller", "joint-controller"] = ""


class Consent(_Table):
    """`[consent]`: what must be granted before anything of this vendor runs, and the legal notes behind it."""

    categories: Categories
    tcf_vendor_id: Annotated[int, Field(ge=1, le=65535)] | None = None
    tcf_purposes: tuple[TcfPurpose, ...] = ()
    gdpr: str = ""
    eprivacy: str = ""
    cpra: str = ""
    transfers: tuple[str, ...] = ()
    transfer_basis: tuple[str, ...] = ()
    form_notice: bool = False


class DataUse(_Table):
    """`[data]`: what the vendor collects, how it recognises people, and what it does with that."""

    collects: tuple[str, ...] = ()
    identifies_by: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()


class HostRule(_Table):
    """`[[hosts]]`: a host and everything under it; whatever would contact it is withheld, whatever the element.

    A host with the one role `site` is the vendor's own web site: elements that load from it are withheld like others, but a
    string in inline code that names it is taken for a link.
    """

    name: Host
    role: tuple[str, ...] = ()
    account_subdomain: bool = False
    categories: Categories | None = None
    note: str = ""


class UrlRule(_Table):
    """`[[scripts]]`, `[[iframes]]`, `[[pixels]]`, `[[links]]`: a URL by host, path and query.

    The four sections share one table: a URL is the vendor's whichever element loads it. Without a host any host matches,
    which is how a vendor behind a name of the site's own is caught; `near` then names what must stand earlier in the page.
    """

    id: Id
    host: Host | None = None
    path: Pattern | None = None
    query: Pattern | None = None
    near: Pattern | None = None
    categories: Categories | None = None
    action: Literal["defer", "remove"] | None = None
    personal: tuple[str, ...] = ()
    note: str = ""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.host is None and self.path is None:
            raise ValueError("needs a host or a path; without either it would match every URL")
        if self.host is None and self.path is not None and not _has_key(self.path):
            raise ValueError(
                f"without a host, path needs {_KEY_CHARS} plain characters in a row, in each of its alternatives"
            )
        if self.near is not None and not _has_key(self.near):
            raise ValueError(f"near needs {_KEY_CHARS} plain characters in a row, in each of its alternatives")
        return self


class InlineRule(_Table):
    """`[[inline]]`: code in the page. It matches where every string of `all` and every pattern of `match` stands in one
    script (or one event handler), and none of `unless`.
    """

    id: Id
    all: Annotated[tuple[Signature, ...], Field(min_length=1)]
    match: tuple[Pattern, ...] = ()
    unless: tuple[Signature, ...] = ()
    where: tuple[Literal["script", "handler"], ...] = ("script", "handler")
    account: Pattern | None = None
    beacon_host: Pattern | None = None
    categories: Categories | None = None
    note: str = ""


class Stubs(_Table):
    """`[stubs]`: globals that page code calls; queued while the vendor is withheld."""

    functions: tuple[str, ...] = ()
    values: dict[str, str | int | bool] = Field(default_factory=dict)


class Claim(_Table):
    """What another source says of a cookie, kept where it differs."""

    by: str
    lifetime: Lifetime | None = None
    says: str = ""


class CookieRule(_Table):
    """`[[cookies]]`: a cookie by name; `*` stands for any characters.

    `needs_vendor_on_page` marks a name too general to act on in a head: only the runtime, which sees the page, may. Nor is
    a third party's cookie acted on there: in a head of the site, a cookie of that name is the site's own.
    """

    name: CookieGlob
    lifetime: Lifetime | None = None
    party: Literal["first", "third"] = "first"
    host: Host | None = None
    purpose: str = ""
    source: str = ""
    claims: tuple[Claim, ...] = ()
    needs_vendor_on_page: bool = False
    sensitive: bool = False
    categories: Categories | None = None


class StorageRule(_Table):
    """`[[storage]]`: a key of the browser's own storage."""

    area: Literal["local", "session", "indexed-db"]
    key: str
    lifetime: Lifetime | None = None
    purpose: str = ""
    needs_vendor_on_page: bool = False


class UrlParams(_Table):
    """`[[url_params]]`: parameters of page addresses that carry campaign or person."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]
    action: Literal["hold", "pass"]
    sensitive: bool = False
    needs_vendor_on_page: bool = False
    note: str = ""


class FormRule(_Table):
    """`[[forms]]`: a form that posts to the vendor.

    `keep` leaves it as it is (the visitor sends it himself); `blank-hidden` empties the hidden fields named in `hidden`,
    which carry tracking into the form.
    """

    id: Id
    host: Host | None = None
    action_path: Pattern | None = None
    marks: dict[str, Pattern] = Field(default_factory=dict)
    hidden: tuple[str, ...] = ()
    action: Literal["keep", "blank-hidden"] = "keep"
    personal: tuple[str, ...] = ()
    categories: Categories | None = None
    note: str = ""

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if self.host is None and self.action_path is None and not self.marks:
            raise ValueError("needs a host, an action_path or marks; without any it would match every form")
        if self.host is None and not any(map(_has_key, (self.action_path or "", *self.marks.values()))):
            raise ValueError(
                f"without a host, action_path or one of marks needs {_KEY_CHARS} plain characters in a row, "
                "in each of its alternatives"
            )
        if self.action == "blank-hidden" and not self.hidden:
            raise ValueError("'blank-hidden' needs the names of the fields in hidden")
        return self


class Beacon(_Table):
    """`[[beacons]]`: a request that the vendor's script sends, or an interface that takes the same from a server."""

    id: Id
    url: str
    method: Literal["GET", "POST", "PUT"] = "GET"
    content_type: str = ""
    params: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, str] = Field(default_factory=dict)
    personal: tuple[str, ...] = ()
    answer: Literal["", "javascript", "json", "image", "empty"] = ""
    limits: dict[str, int] = Field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    relay: bool = False
    rate_per_second: Annotated[float, Field(gt=0)] | None = None
    note: str = ""


class GrantCookie(_Table):
    """The cookie in which the vendor's own code remembers a yes."""

    name: CookieGlob
    value: str
    lifetime: Lifetime
    path: str = "/"
    samesite: Literal["", "None", "Lax", "Strict"] = ""
    secure: bool = False


class SnippetDefault(_Table):
    """How the vendor's own switch is turned off in its snippet."""

    find: Pattern
    replace: str


class Grant(_Table):
    """`[grant]`: how the vendor is told of a yes."""

    call: str = ""
    cookie: GrantCookie | None = None
    snippet_default: SnippetDefault | None = None
    note: str = ""


class Withdraw(_Table):
    """`[withdraw]`: how the vendor is told of a no that follows a yes."""

    call: str = ""
    delete_cookies: bool = True
    reload: bool = False
    note: str = ""


class Source(_Table):
    """`[[sources]]`: where a fact of the file comes from."""

    title: str
    url: str = ""
    licence: str = ""
    checked: str = ""


# The page that an example stands on where it names none.
DEFAULT_SITE = "https://site.example/"


class Example(_Table):
    """`[[example]]`: a thing, and the rules of this file that withhold it from a visitor who agreed to nothing.

    One of `url`, `inline`, `cookie` or `html`; `expect` lists rules as they stand in the log (`scripts.visit`), in any
    order, and is empty for what must be left alone. `site` is the page's own address. A rule with `near` needs `html`.
    """

    url: str | None = None
    inline: str | None = None
    cookie: str | None = None
    html: str | None = None
    site: str = DEFAULT_SITE
    expect: tuple[str, ...]
    note: str = ""

    @model_validator(mode="after")
    def _shows_one_thing(self) -> Self:
        if sum(subject is not None for subject in (self.url, self.inline, self.cookie, self.html)) != 1:
            raise ValueError("needs exactly one of url, inline, cookie or html")
        return self

    @field_validator("site")
    @classmethod
    def _is_address(cls, site: str) -> str:
        if urls.parse(site) is None:
            raise ValueError(f"not the address of a page; write it as {DEFAULT_SITE}")
        return site


class VendorFile(_Table):
    """One vendor, as its file tells it."""

    format: Annotated[Literal[1], BeforeValidator(_is_known_format)]
    vendor: About
    consent: Consent
    data: DataUse = DataUse()
    hosts: tuple[HostRule, ...] = ()
    scripts: tuple[UrlRule, ...] = ()
    iframes: tuple[UrlRule, ...] = ()
    pixels: tuple[UrlRule, ...] = ()
    links: tuple[UrlRule, ...] = ()
    inline: tuple[InlineRule, ...] = ()
    stubs: Stubs = Stubs()
    cookies: tuple[CookieRule, ...] = ()
    storage: tuple[StorageRule, ...] = ()
    url_params: tuple[UrlParams, ...] = ()
    forms: tuple[FormRule, ...] = ()
    beacons: tuple[Beacon, ...] = ()
    grant: Grant = Grant()
    withdraw: Withdraw = Withdraw()
    sources: tuple[Source, ...] = ()
    example: tuple[Example, ...] = ()

    @model_validator(mode="after")
    def _names_each_rule_once(self) -> Self:
        for section in ("scripts", "iframes", "pixels", "links", "inline", "forms", "beacons"):
            ids = [rule.id for rule in getattr(self, section)]
            twice = sorted({name for name in ids if ids.count(name) > 1})
            if twice:
                raise ValueError(f"{section}: the id {twice[0]!r} is used twice; ids name rules in the log")
        names = [host.name for host in self.hosts]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"hosts: {twice[0]!r} is listed twice")
        return self
