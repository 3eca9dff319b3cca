"""A few vendors to fuzz with, and a page through the rewriter as somebody who refused them gets it."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.consent.decide import given
from gateway.consent.model import Decision
from gateway.page.rewriter import PageLimits, Rewriter
from gateway.vendors import catalogue
from gateway.withheld import Degraded, Withheld

SITE = "https://site.example/shop/page"

# Hosts only: so the oracle can tell a vendor by the name it is contacted at, and nothing else. The last one may run.
_FILE = """
format = 1
[vendor]
id = "{id}"
name = "{id}"
[consent]
categories = ["{category}"]
[[hosts]]
name = "{host}"
"""
_HOSTS = {"tracker.example": "marketing", "stats.example": "analytics", "friend.example": "functional"}

CATALOGUE = catalogue.load(
    [
        {
            f"{host}.toml": _FILE.format(id=host.replace(".", "-"), category=category, host=host).encode()
            for host, category in _HOSTS.items()
        }
    ]
)
REFUSED = given(("functional",), vendors=CATALOGUE.vendors)
AGREED = given(("all",), vendors=CATALOGUE.vendors)
WITHHELD = tuple(host for host, category in _HOSTS.items() if category != "functional")

# Small, so that a short input reaches what lies beyond them; and so large that none does.
SMALL = PageLimits(tag_bytes=200, inline_bytes=120)
LARGE = PageLimits(tag_bytes=65_536, inline_bytes=262_144)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of a page, and what was reported."""

    page: bytes
    withheld: list[Withheld]
    degraded: list[Degraded]


def rewrite(
    pieces: Iterable[bytes],
    *,
    decision: Decision = REFUSED,
    charset: str = "utf-8",
    limits: PageLimits = LARGE,
    xml: bool = False,
) -> Rewritten:
    """The page in *pieces* through the rewriter."""
    rewriter = Rewriter(
        matcher=CATALOGUE.matcher, decision=decision, site=SITE, charset=charset, limits=limits, xml=xml
    )
    out = b"".join(map(rewriter.feed, pieces)) + rewriter.close()
    return Rewritten(out, *rewriter.take_report())


def is_withheld(host: str) -> bool:
    """A vendor that this visitor refused is contacted at *host*."""
    return any(host == name or host.endswith(f".{name}") for name in WITHHELD)
