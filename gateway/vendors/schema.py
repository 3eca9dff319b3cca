"""The schema of a vendor file, format 1. rules/README.md explains it to whoever writes one.

Everything a file may say stands here; what a later reader of the file does not need, it leaves alone. Unknown keys are
faults: a misspelt key that is silently ignored would leave a vendor running.
"""

import re as standard_re
from typing import Annotated, Literal, Self

import re2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from gateway.consent.model import Category

# Longer patterns are a sign of a list that belongs into several rules; RE2 bounds their cost either way.
_PATTERN_CHARS = 500

# A shorter literal stands in nearly every script and would make the first pass useless.
_SIGNATURE_CHARS = 3

# RE2 would print what it rejects; the fault says it already.
_QUIET = re2.Options()
_QUIET.log_errors = False


def _compiles(pattern: str) -> str:
    try:
        re2.compile(pattern, options=_QUIET)
    except re2.error as error:
        detail = error.args[0] if error.args else "invalid"
        text = detail.decode() if isinstance(detail, bytes) else str(detail)
        raise ValueError(f"not a regular expression of the RE2 syntax ({text})") from error
    return pattern


def _is_host(name: str) -> str:
    if not standard_re.fullmatch(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*", name):
        raise ValueError("not a host name; write lower-case ASCII labels without scheme, port or path")
    return name


def _is_asked_for(categories: tuple[Category, ...]) -> tuple[Category, ...]:
    if Category.NECESSARY in categories and len(categories) > 1:
        raise ValueError("'necessary' stands alone: it means that nobody is asked")
    return categories


Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Host = Annotated[str, AfterValidator(_is_host)]
Pattern = Annotated[str, StringConstraints(min_length=1, max_length=_PATTERN_CHARS), AfterValidator(_compiles)]
Signature = Annotated[str, StringConstraints(min_length=_SIGNATURE_CHARS, max_length=_PATTERN_CHARS)]
CookieGlob = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=128)]
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
    """`[[hosts]]`: a host and everything under it; whatever would contact it is withheld, whatever the element."""

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

    `needs_vendor_on_page` marks a name too general to act on in a head: only the runtime, which sees the page, may.
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


class Example(_Table):
    """`[[example]]`: a thing, and the rules of this file that it meets for a visitor who agreed to nothing.

    One of `url`, `inline`, `cookie` or `html`; `expect` lists rules as they stand in the log (`scripts.visit`), in any
    order, and is empty for what must be left alone. `site` is the page's own address.
    """

    url: str | None = None
    inline: str | None = None
    cookie: str | None = None
    html: str | None = None
    site: str = "https://site.example/"
    expect: tuple[str, ...]
    note: str = ""

    @model_validator(mode="after")
    def _shows_one_thing(self) -> Self:
        if sum(subject is not None for subject in (self.url, self.inline, self.cookie, self.html)) != 1:
            raise ValueError("needs exactly one of url, inline, cookie or html")
        return self


class VendorFile(_Table):
    """One vendor, as its file tells it."""

    format: Literal[1]
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
        return self
