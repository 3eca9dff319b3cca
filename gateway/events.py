"""Events: what a beacon must look like, when it is kept, and what of it is kept.

The policy, in the order in which it is applied:

1. **refused** (4xx): what no honest page of this site sends. A wrong method, origin, type or size is found by the shell; what
   is no JSON object of the known fields is found here.
2. **dropped** (204): the visitor did not agree, or no destination may have the event. What nobody agreed to is not even
   parsed, and nothing of it is stored or logged but the reason.
3. **kept**: bounded, minimised, and together with the decision under which it was admitted, so that delivery can check it.

Minimised means: of addresses only scheme, host and path stay, for queries, fragments and credentials carry people (mail
addresses, order numbers, click ids). The client's own address and browser are no part of an event.

The facts for the log stand here too: one line each, and nothing in them that a visitor wrote.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TypeAlias

import ada_url
import orjson

from gateway.consent.model import Basis, Category, Decision

JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

_FIELDS = frozenset({"name", "id", "url", "title", "referrer", "props", "time"})
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_WEB_SCHEMES = frozenset({"http:", "https:"})


class DropReason(StrEnum):
    """Why an event that was asked for does not exist."""

    NO_CONSENT = "no-consent"  # the visitor did not grant what collection itself needs
    NO_DESTINATION = "no-destination"  # nothing that is configured may have it under this visitor's decision
    NEEDS_CHANGED = "needs-changed"  # the destination has come to need more than was granted when the event was kept


class Refusal(StrEnum):
    """Why a beacon is answered with an error: the request itself is wrong."""

    WRONG_METHOD = "wrong-method"
    WRONG_ORIGIN = "wrong-origin"
    WRONG_TYPE = "wrong-type"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    BROKEN = "broken"  # the body's framing broke half way
    NOT_JSON = "not-json"
    WRONG_SHAPE = "wrong-shape"

    @property
    def status(self) -> int:
        """The status that is owed (RFC 9110, section 15.5)."""
        return _STATUS[self]


_STATUS = {
    Refusal.WRONG_METHOD: 405,
    Refusal.WRONG_ORIGIN: 403,
    Refusal.WRONG_TYPE: 415,
    Refusal.TOO_LARGE: 413,
    Refusal.TOO_SLOW: 408,
    Refusal.BROKEN: 400,
    Refusal.NOT_JSON: 400,
    Refusal.WRONG_SHAPE: 400,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one event. Texts count in characters, *depth* the levels of objects and lists in `props`, itself the first."""

    name_chars: int
    url_chars: int
    title_chars: int
    props_values: int
    props_depth: int
    key_chars: int
    text_chars: int
    past_ms: int


# What the widely used vendors take for one event, rounded up: 25 to 100 parameters of 40 to 100 characters, page addresses
# of 2,048 characters. A day is how long a page, or a queue in it, may have waited before it could send.
LIMITS = Limits(
    name_chars=64,
    url_chars=2048,
    title_chars=512,
    props_values=100,
    props_depth=3,
    key_chars=64,
    text_chars=1024,
    past_ms=86_400_000,
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a visitor did and agreed to have recorded.

    *id* is unique and travels as the idempotency key; *time* is the client's clock, clamped, and *received* ours, both unix
    milliseconds; *decision* is the one under which the event was admitted, without its signals.
    """

    id: str
    name: str
    time: int
    received: int
    decision: Decision
    url: str = ""
    title: str = ""
    referrer: str = ""
    props: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipient:
    """A destination as admission sees it: its name, and the categories without which it gets nothing."""

    name: str
    needs: frozenset[Category]


@dataclass(frozen=True, slots=True)
class Kept:
    """An event to store, and the names of the destinations that may have it: at least one."""

    event: Event
    destinations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dropped:
    """An event that does not exist. Logged when a beacon asked for it, and when delivery gives it up (*destination*)."""

    reason: DropReason
    request_id: str = ""
    destination: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A beacon that is wrong in itself. *detail* is told to whoever wrote the page; it repeats nothing of the body."""

    reason: Refusal
    detail: str = ""


class Outcome(StrEnum):
    """How one beacon that was not dropped ended."""

    STORED = "stored"
    DUPLICATE = "duplicate"  # an event of this id is already stored: answered like the first
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"  # not stored, told so with 503: the page may try again
    GONE = "gone"  # the client left before the answer; what had been handed to the store is stored all the same


@dataclass(frozen=True, slots=True)
class Collected:
    """One beacon, handled. *reason* is the refusal's or why the store could not take it; *size_bytes* the body's as read."""

    request_id: str
    outcome: Outcome
    reason: str = ""
    destinations: tuple[str, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """One event that its destination has taken. *attempt* counts from 1, *waited_ms* from the event's arrival."""

    destination: str
    event_id: str
    attempt: int
    waited_ms: int


@dataclass(frozen=True, slots=True)
class Retried:
    """One attempt that failed and will be made again after *after_s* seconds."""

    destination: str
    event_id: str
    attempt: int
    reason: str
    after_s: float


@dataclass(frozen=True, slots=True)
class Buried:
    """One event that its destination will not get: kept aside with the reason of the last attempt.

    Where a destination has gone from the settings, all that it was owed is one fact: *events* counts them, *event_id* is empty.
    """

    destination: str
    event_id: str
    attempt: int
    reason: str
    events: int = 1


class Trouble(StrEnum):
    """What can happen to the store as a whole."""

    UNAVAILABLE = "unavailable"  # commits fail: beacons get 503 until it has recovered
    RECOVERED = "recovered"
    QUARANTINED = "quarantined"  # the file was damaged and put aside; a new one was begun


@dataclass(frozen=True, slots=True)
class StoreTroubled:
    """The store's state changed. *detail* is the library's message or the name of the file that was put aside."""

    trouble: Trouble
    detail: str


def admit(
    body: bytes,
    *,
    decision: Decision,
    needs: frozenset[Category],
    recipients: Iterable[Recipient],
    fresh_id: str,
    now_ms: int,
    limits: Limits = LIMITS,
) -> Kept | Dropped | Refused:
    """What becomes of one beacon. *decision* is that of the request which brought it; the body has no say in it.

    *fresh_id* names the event if the page did not; *now_ms* is unix time in milliseconds.
    """
    if not decision.allows(needs):
        return Dropped(DropReason.NO_CONSENT)
    destinations = tuple(recipient.name for recipient in recipients if decision.allows(recipient.needs))
    if not destinations:
        return Dropped(DropReason.NO_DESTINATION)
    try:
        fields = orjson.loads(body)
    except (
        orjson.JSONDecodeError
    ):  # NaN, Infinity, numbers beyond them, bad UTF-8 and a depth of over 1,024 are among it
        return Refused(Refusal.NOT_JSON, "the body is not JSON (RFC 8259)")
    if not isinstance(fields, dict):
        return Refused(Refusal.WRONG_SHAPE, "the body must be an object")
    if fields.keys() - _FIELDS:
        return Refused(Refusal.WRONG_SHAPE, f"unknown field; known are {', '.join(sorted(_FIELDS))}")
    for key in ("name", "id", "url", "title", "referrer"):
        if not isinstance(fields.get(key, ""), str):
            return Refused(Refusal.WRONG_SHAPE, f"{key}: must be a string")
    name = fields.get("name", "")
    if not 1 <= len(name) <= limits.name_chars or not name.isprintable():
        return Refused(Refusal.WRONG_SHAPE, f"name: must be 1 to {limits.name_chars} printable characters")
    event_id = fields.get("id", fresh_id)
    if not _ID.fullmatch(event_id):
        return Refused(Refusal.WRONG_SHAPE, "id: must be 8 to 64 of A-Z, a-z, 0-9, - and _")
    url = minimise(fields.get("url", ""))
    if len(url) > limits.url_chars or (fields.get("url") and not url):
        return Refused(
            Refusal.WRONG_SHAPE, f"url: must be an http or https address of up to {limits.url_chars} characters"
        )
    props = fields.get("props", {})
    if not isinstance(props, dict) or not _is_bounded(props, limits):
        return Refused(
            Refusal.WRONG_SHAPE,
            f"props: must be an object of up to {limits.props_values} values in up to {limits.props_depth} levels, "
            f"keys of up to {limits.key_chars} and texts of up to {limits.text_chars} characters",
        )
    time = fields.get("time", now_ms)
    if isinstance(time, bool) or not isinstance(time, int | float):
        return Refused(Refusal.WRONG_SHAPE, "time: must be milliseconds since 1970")
    # An address that is too long, or none of the web (android-app://...), is the browser's doing, not the page's.
    referrer = minimise(fields.get("referrer", ""))
    return Kept(
        Event(
            id=event_id,
            name=name,
            time=min(max(int(time), now_ms - limits.past_ms), now_ms),
            received=now_ms,
            decision=replace(decision, signals=()),
            url=url,
            title=fields.get("title", "")[: limits.title_chars],
            referrer=referrer if len(referrer) <= limits.url_chars else "",
            props=props,
        ),
        destinations,
    )


def minimise(address: str) -> str:
    """Scheme, host, port and path of a web address, as a browser would write them; empty for anything else."""
    try:
        parsed = ada_url.URL(address)
    except ValueError:
        return ""
    return f"{parsed.protocol}//{parsed.host}{parsed.pathname}" if parsed.protocol in _WEB_SCHEMES else ""


def _is_bounded(props: Mapping[str, object], limits: Limits) -> bool:
    """Counts values without recursion: the body decides how deep it is."""
    values = 0
    waiting: list[tuple[object, int]] = [(props, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, str):
            if len(value) > limits.text_chars:
                return False
        elif isinstance(value, dict | list):
            if depth > limits.props_depth:
                return False
            values += len(value)
            if values > limits.props_values:
                return False
            if isinstance(value, dict) and any(len(key) > limits.key_chars for key in value):
                return False
            waiting.extend((item, depth + 1) for item in (value.values() if isinstance(value, dict) else value))
    return True


def to_json(event: Event) -> bytes:
    """The event as it is stored and sent: the same bytes on every attempt."""
    decision = event.decision
    return orjson.dumps(
        {
            "id": event.id,
            "name": event.name,
            "time": event.time,
            "received": event.received,
            "url": event.url,
            "title": event.title,
            "referrer": event.referrer,
            "props": event.props,
            "consent": {
                "granted": sorted(decision.granted),
                "basis": decision.basis,
                "decided": decision.decided,
                "vendors_granted": sorted(decision.vendors_granted),
                "vendors_refused": sorted(decision.vendors_refused),
            },
        }
    )


def from_json(body: bytes) -> Event:
    """The event that `to_json` wrote; ValueError for anything else."""
    try:
        fields = orjson.loads(body)
        consent = fields["consent"]
        return Event(
            id=fields["id"],
            name=fields["name"],
            time=fields["time"],
            received=fields["received"],
            url=fields["url"],
            title=fields["title"],
            referrer=fields["referrer"],
            props=fields["props"],
            decision=Decision(
                granted=frozenset(map(Category, consent["granted"])),
                basis=Basis(consent["basis"]),
                decided=consent["decided"],
                vendors_granted=frozenset(consent["vendors_granted"]),
                vendors_refused=frozenset(consent["vendors_refused"]),
            ),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a stored event ({type(error).__name__})") from error
