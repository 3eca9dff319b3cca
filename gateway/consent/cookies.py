"""The Cookie header, split as browsers join it, and what several copies of one cookie say together.

The splitters of the standard library and of aiohttp lose data: one value with a space, a quote or raw JSON in it empties
the whole header, cuts the value, or unquotes it. Browsers join `name=value` with `; ` and escape nothing (RFC 6265bis,
section 5.8.3), so that the first `=` and every `;` are all there is to find.
"""

from collections.abc import Sequence
from functools import reduce

from gateway.consent.model import Signal

Pairs = tuple[tuple[str, str], ...]

DIFFERENT_COPIES = "different copies"


def split(header: str) -> Pairs:
    """Names and values of one Cookie header, in its order, repeats kept; a name without `=` has an empty value."""
    pairs = []
    for part in header.split(";"):
        name, _, value = part.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        if name or value:
            pairs.append((name, value))
    return tuple(pairs)


def of(headers: Sequence[tuple[bytes, bytes]]) -> Pairs:
    """All cookies of a raw head. Values are its bytes as latin-1, so that every byte survives."""
    return tuple(
        pair for name, value in headers if name.lower() == b"cookie" for pair in split(value.decode("latin-1"))
    )


def values_of(pairs: Pairs, name: str) -> tuple[str, ...]:
    """Every copy of the cookie *name*, in order; cookie names tell upper from lower case."""
    return tuple(value for found, value in pairs if found == name)


def narrowest(copies: Sequence[Signal]) -> Signal:
    """What the copies of one cookie, at least one, grant together: what all grant; what any refuses stays refused.

    A browser sends a name twice where host and parent domain, or two paths, each set it, and does not tell which is newer.
    """
    return reduce(_narrower, dict.fromkeys(copies))


def _narrower(one: Signal, other: Signal) -> Signal:
    times = (one.time, other.time)
    return Signal(
        reader=one.reader,
        decided=one.decided and other.decided,
        granted=one.granted & other.granted,
        refused=one.refused | other.refused,
        vendors_granted=one.vendors_granted & other.vendors_granted,
        vendors_refused=one.vendors_refused | other.vendors_refused,
        time=None if None in times else min(time for time in times if time is not None),
        note=DIFFERENT_COPIES,
        readable=one.readable and other.readable,
    )
