"""Readers for the cookies of consent platforms that a site already uses: one small function each.

    platform   cookies                                what makes it a choice
    onetrust   OptanonConsent, OptanonAlertBoxClosed  the second one exists, with a date
    cookiebot  CookieConsent                          method:'explicit', or the whole value 0 (a refusal)

Every platform writes its cookie when the page loads, filled with its template's defaults: only the mark in the last column
turns it into a choice. Formats follow the vendors' own scripts and public uses of their cookies.

A reader answers None where its platform's cookies are not there, and never raises. It parses strictly: what cannot be
understood is a signal that grants nothing (note `malformed`). Only a plain yes grants; any other value of a known category
is a refusal.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from urllib.parse import unquote, unquote_plus

from gateway.consent import cookies
from gateway.consent.cookies import Pairs
from gateway.consent.model import OPTIONAL, Category, Signal

Reader = Callable[[Pairs], Signal | None]

# One copy of one platform's cookie. Browsers keep 4 KiB; platforms that split a string over several join to four times that.
VALUE_LIMIT_CHARS = 16 * 1024

# What parsing of hostile text raises: a reader must never take a page down.
_FAULTS = (ValueError, LookupError, TypeError, ArithmeticError, RecursionError)

_NO_CHOICE = "no choice yet"
_NO_RULE = "region without a consent rule"

# Scripts and proxies encode a value that is encoded already; beyond two layers on top of each other it is no accident.
_LAYERS = 3


class _Malformed(ValueError):
    """Not the platform's format. The message is the signal's note."""


def onetrust(pairs: Pairs) -> Signal | None:
    """OneTrust and CookiePro. Decided by the date in `OptanonAlertBoxClosed`; categories from the list `groups`.

    Group ids are C0001 to C0005 or 1 to 4; a site's own ids mean what its operator says, and are not read here.
    """
    consents = cookies.values_of(pairs, "OptanonConsent")
    closings = cookies.values_of(pairs, "OptanonAlertBoxClosed")
    if not consents:
        # Closed without saying what was chosen: a choice is on record somewhere, and cannot be read.
        return Signal("onetrust", decided=False, note="no groups", readable=False) if closings else None
    dates = [date for date in map(_time, closings) if date is not None]
    closed = min(dates) if dates and len(dates) == len(closings) else None
    return _each_copy("onetrust", consents, lambda value: _optanon_consent(value, closed=closed, asked=bool(closings)))


_ONETRUST_CATEGORY = {
    **dict.fromkeys(("C0002", "2"), Category.ANALYTICS),  # "performance"
    **dict.fromkeys(("C0003", "3"), Category.FUNCTIONAL),
    **dict.fromkeys(("C0004", "4"), Category.MARKETING),  # "targeting"
}
# Social media: marketing when it is refused, not enough for marketing when it alone is granted.
_ONETRUST_SOCIAL = "C0005"


def _optanon_consent(value: str, *, closed: int | None, asked: bool) -> Signal:
    """One copy. *closed*: when the visitor chose, where that is certain; *asked*: whether something says that they did."""
    fields = _query(value)
    decided = closed is not None
    if not fields.get("groups"):
        # Older scripts write the list on the second page only; a cookie with neither list nor version is not theirs.
        if asked:
            raise _Malformed("no groups")
        if "version" not in fields:
            raise _Malformed("malformed")
    granted: set[Category] = set()
    refused: set[Category] = set()
    for group in filter(None, _decoded(fields.get("groups", ""), unquote_plus).split(",")):
        name, colon, answer = group.partition(":")
        if not colon:
            raise _Malformed("malformed")
        category = _ONETRUST_CATEGORY.get(name)
        if name == _ONETRUST_SOCIAL and answer != "1":
            refused.add(Category.MARKETING)
        elif category is not None:
            (granted if answer == "1" else refused).add(category)
    return Signal(
        "onetrust",
        decided=decided,
        granted=frozenset(granted - refused),
        refused=frozenset(refused),
        time=closed,
        note="" if decided else _NO_CHOICE,
    )


def cookiebot(pairs: Pairs) -> Signal | None:
    """Cookiebot. `CookieConsent` is a literal of JavaScript, not JSON; `-1` says that the region has no consent rule."""
    values = cookies.values_of(pairs, "CookieConsent")
    return _each_copy("cookiebot", values, _cookie_consent) if values else None


_COOKIEBOT_CATEGORY = {
    "preferences": Category.FUNCTIONAL,
    "statistics": Category.ANALYTICS,
    "marketing": Category.MARKETING,
}
_COOKIEBOT_PAIR = re.compile(r"(\w{1,40}):('[^']*'|[^,'{}]*)")
_COOKIEBOT_UTC_MS = re.compile(r"[0-9]{1,15}")


def _cookie_consent(value: str) -> Signal:
    text = _decoded(value, unquote)
    if text == "-1":
        return Signal("cookiebot", decided=False, granted=OPTIONAL, note=_NO_RULE)
    if text == "0":
        return Signal("cookiebot", decided=True, refused=OPTIONAL)
    fields = _literal(text)
    if not _COOKIEBOT_CATEGORY.keys() & fields.keys():
        raise _Malformed("malformed")
    granted: set[Category] = set()
    refused: set[Category] = set()
    for name, category in _COOKIEBOT_CATEGORY.items():
        if name in fields:
            (granted if fields[name] == "true" else refused).add(category)
    no_rule = fields.get("stamp") == "-1"
    decided = fields.get("method") == "explicit" and not no_rule
    stamp = fields.get("utc", "")
    return Signal(
        "cookiebot",
        decided=decided,
        granted=frozenset(granted),
        refused=frozenset(refused),
        time=int(stamp) // 1000 if _COOKIEBOT_UTC_MS.fullmatch(stamp) else None,
        note="" if decided else _NO_RULE if no_rule else _NO_CHOICE,
    )


def _literal(text: str) -> dict[str, str]:
    """Names and values of a flat object literal, quotes removed; the whole text must be one, no name twice."""
    if not (text.startswith("{") and text.endswith("}")):
        raise _Malformed("malformed")
    fields: dict[str, str] = {}
    position, end = 1, len(text) - 1
    while position < end:
        pair = _COOKIEBOT_PAIR.match(text, position, end)
        if pair is None or pair[1] in fields or text[pair.end()] not in ",}":
            raise _Malformed("malformed")
        fields[pair[1]] = pair[2].strip("'")
        position = pair.end() + 1
    return fields


READERS: Mapping[str, Reader] = MappingProxyType({"onetrust": onetrust, "cookiebot": cookiebot})


def _each_copy(reader: str, values: Sequence[str], parse: Callable[[str], Signal]) -> Signal:
    """The narrowest of all copies of one cookie, each parsed on its own."""
    return cookies.narrowest([_copy(reader, value, parse) for value in values])


def _copy(reader: str, value: str, parse: Callable[[str], Signal]) -> Signal:
    """One copy; what cannot be parsed grants nothing, and says so."""
    if len(value) > VALUE_LIMIT_CHARS:
        return Signal(reader, decided=False, note="over limit", readable=False)
    try:
        return parse(value)
    except _Malformed as malformed:
        return Signal(reader, decided=False, note=str(malformed), readable=False)
    except _FAULTS:
        return Signal(reader, decided=False, note="malformed", readable=False)


def _query(value: str) -> dict[str, str]:
    """Fields of a query string, values still encoded; one that is encoded as a whole is decoded first.

    The first of a name counts, save that two lists of groups cannot both: an address in another field may hold the second.
    """
    for _ in range(_LAYERS):
        if "=" in value:
            break
        value = unquote(value)
    fields: dict[str, str] = {}
    for part in value.split("&"):
        name, _, text = part.partition("=")
        if fields.setdefault(name, text) != text and name == "groups":
            raise _Malformed("malformed")
    return fields


def _decoded(value: str, decode: Callable[[str], str]) -> str:
    """*value* without its layers of percent-encoding."""
    for _ in range(_LAYERS):
        if "%" not in value and "+" not in value:
            break
        value = decode(value)
    return value


def _time(value: str) -> int | None:
    """Unix seconds of an ISO 8601 date and time (UTC where it names no zone); None where it is none."""
    try:
        moment = datetime.fromisoformat(unquote(value))
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except _FAULTS:
        return None
