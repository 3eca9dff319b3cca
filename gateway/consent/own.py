"""The gateway's own choice cookie: written once the visitor has chosen here, and read back strictly.

    v=1&t=1780000000&n=3&g=analytics.functional&a=youtube&r=hotjar

    v   version of this format            g   optional categories granted; those not named are refused
    t   unix seconds of the choice        a   vendors allowed by name; left out where none
    n   version of the notice shown       r   vendors refused by name; left out where none

Support can read it, and every character is a cookie-octet (RFC 6265, section 4.1.1), so that nothing on the way needs to
quote or encode it. It is not signed: a visitor who forges it speaks for nobody else.

A choice that has lapsed (expired, older notice, dated ahead) grants nothing more, and what it refused stays refused until
it is asked again. A cookie that cannot be understood grants nothing either, and says so.
"""

import re
from collections.abc import Iterable, Sequence

from gateway.consent import cookies
from gateway.consent.model import OPTIONAL, Category, Signal
from gateway.consent.policy import Policy

READER = "own"

# Browsers keep 4096 bytes of name and value together, and the settings allow a name of 64.
VALUE_LIMIT_CHARS = 4_000

# Choices dated ahead by more than this are not believed. A day: hosts whose clocks were set wrong, and no longer.
SKEW_S = 86_400

_VERSION = "1"
_NUMBER = re.compile(r"[0-9]{1,12}")
_VENDOR = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_CATEGORIES = {category.value: category for category in OPTIONAL}


def write(
    *,
    granted: Iterable[Category],
    vendors_granted: Iterable[str] = (),
    vendors_refused: Iterable[str] = (),
    now: float,
    notice_version: int,
) -> str:
    """The value of the cookie for a choice made *now* (unix seconds). A vendor both allowed and refused is refused.

    Raises ValueError for what is no vendor id, and where the value would be longer than browsers keep.
    """
    refused = frozenset(vendors_refused)
    allowed = frozenset(vendors_granted) - refused
    for vendor in sorted(allowed | refused):
        if not _VENDOR.fullmatch(vendor):
            raise ValueError(f"not a vendor id: {vendor[:80]!r}")
    fields = [("v", _VERSION), ("t", str(int(now))), ("n", str(notice_version))]
    fields.append(("g", ".".join(sorted(frozenset(granted) & OPTIONAL))))
    fields += [(key, ".".join(sorted(vendors))) for key, vendors in (("a", allowed), ("r", refused)) if vendors]
    value = "&".join(f"{key}={text}" for key, text in fields)
    if len(value) > VALUE_LIMIT_CHARS:
        raise ValueError(f"a choice of {len(value)} characters; browsers keep {VALUE_LIMIT_CHARS}")
    return value


def read(values: Sequence[str], policy: Policy, *, now: float) -> Signal:
    """What all copies of the cookie grant together; each is judged at *now* (unix seconds). Never raises."""
    if not values:
        return Signal(READER, decided=False)
    return cookies.narrowest([_read_copy(value, policy, now=now) for value in values])


def lapse(signal: Signal, policy: Policy, *, now: float) -> Signal:
    """*signal* of this reader as it counts at *now*: as it is, or without its grants once its time is over.

    A choice is looked at again long after it was read, where an event waited for its delivery.
    """
    if signal.time is None or not signal.decided:
        return signal
    if signal.time > now + SKEW_S:
        return _lapsed(signal, "dated ahead")
    if signal.time + policy.lifetime_s <= now:
        return _lapsed(signal, "expired")
    return signal


def _read_copy(value: str, policy: Policy, *, now: float) -> Signal:
    try:
        notice, signal = _parse(value)
    except _Unreadable as unreadable:
        return Signal(READER, decided=False, note=str(unreadable), readable=False)
    if notice < policy.notice_version:
        return _lapsed(signal, "older notice")
    return lapse(signal, policy, now=now)


def _lapsed(signal: Signal, note: str) -> Signal:
    return Signal(
        READER,
        decided=False,
        refused=signal.refused,
        vendors_refused=signal.vendors_refused,
        time=signal.time,
        note=note,
    )


class _Unreadable(ValueError):
    """Not a value that `write` of this version could have made. The message is the signal's note."""


def _parse(value: str) -> tuple[int, Signal]:
    """Version of the notice, and the choice as if it were made now."""
    if len(value) > VALUE_LIMIT_CHARS:
        raise _Unreadable("over limit")
    fields: dict[str, str] = {}
    for part in value.split("&"):
        key, equals, text = part.partition("=")
        if not equals or key in fields:
            raise _Unreadable("malformed")
        fields[key] = text
    if fields.get("v", _VERSION) != _VERSION:
        raise _Unreadable("unknown version")
    if not {"v", "t", "n", "g"} <= fields.keys():
        raise _Unreadable("malformed")
    names = _listed(fields["g"])
    if not names <= _CATEGORIES.keys():
        raise _Unreadable("malformed")
    granted = frozenset(_CATEGORIES[name] for name in names)
    vendors_refused = _vendors(fields.get("r", ""))
    signal = Signal(
        READER,
        decided=True,
        granted=granted,
        refused=OPTIONAL - granted,
        vendors_granted=_vendors(fields.get("a", "")) - vendors_refused,
        vendors_refused=vendors_refused,
        time=_number(fields["t"]),
    )
    return _number(fields["n"]), signal


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise _Unreadable("malformed")
    return int(text)


def _vendors(text: str) -> frozenset[str]:
    vendors = _listed(text)
    if not all(map(_VENDOR.fullmatch, vendors)):
        raise _Unreadable("malformed")
    return vendors


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split(".")) if text else frozenset()
