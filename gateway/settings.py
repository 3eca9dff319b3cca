"""Settings: one TOML file, every key also on the command line, secrets only from the environment.

The models below are the whole list of keys; deploy/gateway.toml shows each with its default and its reason, and a test
keeps the two and README's table in step.
"""

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from gateway.consent.model import Category


def _is_network(text: str) -> str:
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError("not a network; write it as 10.0.0.0/8 or 2001:db8::/32") from error
    return text


def _is_prefix(text: str) -> str:
    if not text.startswith("/") or text.endswith("/") or "//" in text or text == "/":
        raise ValueError("not a path prefix; write it as /_consent, without a slash at the end")
    return text


Network = Annotated[str, AfterValidator(_is_network)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Bytes = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")]
CookieName = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", max_length=64)]
HttpUrl = Annotated[str, StringConstraints(pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$")]
Address = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:]+\]|[^:\s]+):\d{1,5}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OriginSettings(_Table):
    """`[origin]`: the site behind the gateway."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^/?#\s]+/?$")] = Field(
        description="the site behind the gateway: scheme, host and port"
    )
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
    region: Annotated[str, StringConstraints(pattern=r"^([A-Z]{2}(-[A-Z0-9]{1,3})?)?$")] = Field(
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

    tag_limit_bytes: Bytes = Field(262_144, description="one start tag; a longer one is dropped")
    inline_limit_bytes: Bytes = Field(262_144, description="one script's text; a longer one is judged as it passes")


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
