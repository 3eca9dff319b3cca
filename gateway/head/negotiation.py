"""Content-Encoding: what the origin may send, what has come, and what the client takes (RFC 9110, section 12.5.3).

A page in a coding that we cannot open cannot be rewritten; so the origin is only asked for codings that we can.
"""

import re
from collections.abc import Sequence

from gateway.coding import DECODABLE, IDENTITY, canonical
from gateway.head.fields import OWS, Lines, tokens

# `coding`, `coding;q=0.5`; a weight of more than three decimals is taken too, as servers do.
_ITEM = re.compile(rb"\s*([^\s;,]+)\s*(?:;\s*[qQ]\s*=\s*([01](?:\.[0-9]*)?)\s*)?")


def narrow(lines: Lines) -> None:
    """Accept-Encoding less what we cannot decode; weights kept, and the line itself where nothing goes.

    A dictionary that the client holds is not offered: codings that need one cannot be opened without it.
    `*` stands for codings that we cannot decode as well, so it is spelt out; where nothing usable is left, the origin is
    asked for `identity`. Without the field nothing is added: an origin that is not asked does not compress.
    """
    lines.drop({b"available-dictionary", b"dictionary-id"})
    values = lines.values(b"accept-encoding")
    items = [item for value in values for item in value.split(b",") if item.strip(OWS)]
    if not items:
        return
    parsed = [(item.strip(OWS), *_read(item)) for item in items]
    named = {canonical(coding) for _, coding, weight in parsed if weight is not None}
    kept: list[bytes] = []
    for item, coding, weight in parsed:
        if weight is None:
            continue
        if coding == "*" and weight > 0:
            suffix = b";" + item.partition(b";")[2].strip(OWS) if b";" in item else b""
            kept += [name.encode() + suffix for name in DECODABLE if name not in named]
        elif coding in ("*", IDENTITY) or canonical(coding) in DECODABLE:
            kept.append(item)
    if kept == [item for item, _, _ in parsed]:
        return
    if not any(weight for _, weight in map(_read, kept)):
        kept = [IDENTITY.encode()]
    lines.put(b"accept-encoding", b", ".join(kept))


def accepts(values: Sequence[bytes], coding: str) -> bool:
    """A client that sent these Accept-Encoding fields takes *coding*. Without the field it takes any."""
    if not values:
        return True
    weights: dict[str, float] = {}
    for item in b",".join(values).split(b","):
        name, weight = _read(item)
        if weight is not None:
            weights.setdefault(canonical(name), weight)
    default = weights.get("*", 1.0 if coding == IDENTITY else 0.0)
    return weights.get(coding, default) > 0


def coding_of(lines: Lines) -> str | None:
    """The one coding of this body as `gateway.coding` names it; None where there are several, or one we cannot decode."""
    codings = [
        name
        for token in tokens(lines.values(b"content-encoding"))
        if (name := canonical(token.decode("latin-1"))) != IDENTITY
    ]
    if not codings:
        return IDENTITY
    return codings[0] if len(codings) == 1 and codings[0] in DECODABLE else None


def _read(item: bytes) -> tuple[str, float | None]:
    """Coding and weight of one item; no weight for what cannot be read, which counts as not said."""
    found = _ITEM.fullmatch(item)
    if found is None:
        return "", None
    return found[1].decode("latin-1").lower(), float(found[2] or b"1")
