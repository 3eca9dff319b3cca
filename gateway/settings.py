"""Settings: one TOML file, every key also on the command line, secrets only from the environment.

The models below are the whole list of keys; deploy/gateway.toml shows each with its default and its reason, and a test
keeps the two and README's table in step.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from gateway.consent.model import Category
from gateway.consent.policy import Policy
from gateway.consent.region import regime
from gateway.vendors import url

# The highest port of TCP (RFC 9293, section 3.1: sixteen bits).
_PORT_MAX = 65_535


def _is_network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        try:
            meant = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ValueError("not a network; write it as 10.0.0.0/8 or 2001:db8::/32") from error
        raise ValueError(f"has bits beyond its prefix length; the network is {meant}") from error
    return text


def _is_prefix(text: str) -> str:
    if not re.fullmatch(r"(/(?!\.\.?(/|$))[A-Za-z0-9._~-]+)+", text):
        raise ValueError(
            "not a path prefix; write it as /_consent: letters, digits and ._~-, without a slash at the end"
        )
    return text


def _is_address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > _PORT_MAX:
        raise ValueError("not an address; write it as 127.0.0.1:8080, [::]:8080 or localhost:8080")
    if host.startswith("[") or ":" in host:
        try:
            ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]") if host.endswith("]") else "")
        except ValueError as error:
            raise ValueError("not an address; an IPv6 address stands in brackets: [::1]:8080") from error
    elif not re.fullmatch(r"[A-Za-z0-9._-]+", host):
        raise ValueError("not an address; write it as 127.0.0.1:8080, [::]:8080 or localhost:8080")
    return text


def _is_http_url(text: str) -> str:
    parsed = url.parse(text)
    if parsed is None or not re.match(r"https?://", text) or re.search(r"\s", text):
        raise ValueError("not an address of the web; write it as https://host or https://host:port")
    if "@" in text:
        raise ValueError("carries a name or a password; secrets stand in the environment only")
    if "?" in text or "#" in text:
        raise ValueError("carries a query or a fragment; an address here is scheme, host, port and path")
    return text


def _is_site(text: str) -> str:
    parsed = url.parse(_is_http_url(text))
    if parsed is None or parsed.path != "/":
        raise ValueError("carries a path; the origin is scheme, host and port, and paths are passed on as they come")
    return text.removesuffix("/")


def _is_region(text: str) -> str:
    if not re.fullmatch(r"([A-Z]{2}(-[A-Z0-9]{1,3})?)?", text):
        raise ValueError("not a region of ISO 3166; write it as DE, or with a subdivision as US-CA")
    return text


Network = Annotated[str, AfterValidator(_is_network)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Bytes = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")]
CookieName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=64)]
HttpUrl = Annotated[str, AfterValidator(_is_http_url)]
Site = Annotated[str, AfterValidator(_is_site)]
Address = Annotated[str, AfterValidator(_is_address)]
Region = Annotated[str, AfterValidator(_is_region)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OriginSettings(_Table):
    """`[origin]`: the site behind the gateway."""

    url: Site = Field(description="the site behind the gateway: scheme, host and port")
    preserve_host: bool = Field(True, description="send the visitor's Host header; false sends the origin's own name")
    verify_tls: bool = Field(True, description="check the certificate of an https origin")
    connections: Count = Field(256, description="connections to the origin at once; more requests wait for one")
    connect_timeout_s: Seconds = Field(5.0, description="until a connection stands")
    first_byte_timeout_s: Seconds = Field(60.0, description="from the request sent to the response's head")
    idle_timeout_s: Seconds = Field(60.0, description="between two pieces of a response body")
    keepalive_s: Seconds = Field(4.0, description="how long an idle connection is kept; below the origin's own")


class ListenSettings(_Table):
    """`[listen]`: where the gateway answers, and what it takes from clients."""

    address: Address = Field("127.0.0.1:8080", description="host and port; [::]:8080 for every address")
    trusted_proxies: tuple[Network, ...] = Field(
        (), description="networks whose X-Forwarded-* are believed; the load balancer's"
    )
    keepalive_s: Seconds = Field(75.0, description="how long an idle client is kept, and the limit for sending a head")
    body_timeout_s: Seconds = Field(30.0, description="between two pieces of a request body")
    write_timeout_s: Seconds = Field(30.0, description="how long a client may refuse to take more of a response")
    max_connections: Count = Field(2048, description="clients at once; one more is refused")
    max_requests: Count = Field(1024, description="requests under way at once; one more is answered 503")
    head_limit_bytes: Bytes = Field(32_768, description="one header field of a request")
    grace_s: Seconds = Field(30.0, description="how long running requests may take to finish at a stop")


class RulesSettings(_Table):
    """`[rules]`: which vendor files count."""

    dirs: tuple[Path, ...] = Field(
        (), description="folders of vendor files; a later one overrides an earlier by vendor id"
    )
    shipped: bool = Field(True, description="start from the vendors that the gateway ships")
    disabled: tuple[Name, ...] = Field((), description="vendor ids to leave alone")


class ConsentSettings(_Table):
    """`[consent]`: whose word counts, and for how long."""

    cookie: CookieName = Field("cg_consent", description="name of the gateway's own choice cookie")
    readers: tuple[Literal["own", "onetrust", "cookiebot"], ...] = Field(
        ("own", "onetrust", "cookiebot"), description="sources of a choice that are read"
    )
    gpc: bool = Field(True, description="Sec-GPC: 1 refuses marketing")
    choice_overrides_gpc: bool = Field(
        False, description="a yes given on this site after GPC was seen counts all the same"
    )
    lifetime_days: Annotated[int, Field(ge=1, le=400)] = Field(
        182, description="how long a choice lasts before it is asked again"
    )
    notice_version: Annotated[int, Field(ge=1)] = Field(
        1, description="raise it when the notice changes: everybody is asked again"
    )
    region: Region = Field(
        "", description="country, or country and subdivision, whose law applies; empty asks first everywhere"
    )


class CollectSettings(_Table):
    """`[collect]`: the first-party endpoint for beacons."""

    enabled: bool = Field(True, description="answer POST {prefix}/collect")
    store: Path = Field(Path("consent-gateway.db"), description="the SQLite file of events that wait to be delivered")
    needs: tuple[Category, ...] = Field((Category.ANALYTICS,), description="categories without which no event is kept")
    body_limit_bytes: Bytes = Field(65_536, description="one beacon; browsers' own cap for sendBeacon")
    store_limit_events: Count = Field(1_000_000, description="events waiting at most; more are answered 503")


class Destination(_Table):
    """`[[destinations]]`: where collected events are sent."""

    name: Name = Field(description="names the destination in logs and in the store; do not reuse")
    type: Literal["http"] = Field("http", description="http: POST of the event as JSON")
    url: HttpUrl = Field(description="the endpoint, first-party: yours")
    needs: tuple[Category, ...] = Field(
        (Category.ANALYTICS,), description="categories that must still be granted on delivery"
    )
    secret_env: Variable | None = Field(None, description="environment variable with the bearer token")
    timeout_s: Seconds = Field(10.0, description="for one attempt")
    max_attempts: Count = Field(24, description="then the event is buried with its last reason")


class LogSettings(_Table):
    """`[log]`: what is written, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least level that is written")
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: readable on a terminal, JSON on a pipe"
    )


class PageSettings(_Table):
    """`[page]`: bounds of the rewriter."""

    tag_limit_bytes: Bytes = Field(
        16_384, description="one start tag; a longer one is judged attribute by attribute as it passes"
    )
    inline_limit_bytes: Bytes = Field(131_072, description="one script's text; a longer one is judged as it passes")
    memo_bytes: Bytes = Field(
        33_554_432, description="segments of pages that are remembered as rewritten, in each process; 0 remembers none"
    )


class Settings(_Table):
    """Everything an operator can set."""

    prefix: Annotated[str, AfterValidator(_is_prefix)] = Field(
        "/_consent", description="path of the gateway's own pages"
    )
    origin: OriginSettings
    listen: ListenSettings = ListenSettings()
    rules: RulesSettings = RulesSettings()
    consent: ConsentSettings = ConsentSettings()
    page: PageSettings = PageSettings()
    collect: CollectSettings = CollectSettings()
    destinations: tuple[Destination, ...] = Field((), description="where collected events go")
    log: LogSettings = LogSettings()

    @field_validator("destinations")
    @classmethod
    def _name_each_destination_once(cls, destinations: tuple[Destination, ...]) -> tuple[Destination, ...]:
        names = [destination.name for destination in destinations]
        twice = next((name for name in names if names.count(name) > 1), "")
        if twice:
            raise ValueError(
                f"the name {twice!r} is used twice; names tell the events of one destination from another's"
            )
        return destinations


def consent_policy(settings: ConsentSettings, *, region: str | None = None) -> Policy:
    """What the core decides by. *region* (`CC` or `CC-SUB`) is where this visitor is, instead of the setting."""
    return Policy(
        cookie=settings.cookie,
        readers=settings.readers,
        gpc=settings.gpc,
        choice_overrides_gpc=settings.choice_overrides_gpc,
        lifetime_s=settings.lifetime_days * 86_400,
        notice_version=settings.notice_version,
        asks_first=regime(settings.region if region is None else region).asks_first,
    )
