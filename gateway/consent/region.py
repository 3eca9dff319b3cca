"""Country or region to the regime of its law, from regions.toml beside this file."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from types import MappingProxyType


class Regime(StrEnum):
    """What the law asks before a tracker runs."""

    OPT_IN = "opt-in"  # a yes beforehand
    OPT_OUT = "opt-out"  # that a no is obeyed
    NOTICE = "notice"  # that visitors are told; a no is obeyed here too

    @property
    def asks_first(self) -> bool:
        """Nothing may run until the visitor said yes."""
        return self is Regime.OPT_IN


@dataclass(frozen=True, slots=True)
class Jurisdiction:
    """The row that applies to a visitor. *region* is empty, and *law* says so, where no row does."""

    region: str
    regime: Regime
    law: str


# The strictest: a visitor of whom nothing is known may be anywhere.
UNKNOWN = Jurisdiction(region="", regime=Regime.OPT_IN, law="unknown region: as the strictest")

# Written by people and by some geographic headers for what ISO 3166-1 calls otherwise.
_ALIASES = {"UK": "GB"}

_REGION = re.compile(r"([A-Za-z]{2})(?:-([A-Za-z0-9]{1,3}))?")


def jurisdiction(region: str) -> Jurisdiction:
    """The row for `CC` or `CC-SUB` (ISO 3166, any letter case), of the country where the subdivision has none.

    `UNKNOWN` for anything else, as for `T1` (Tor), `EU`, `ZZ` and the empty string.
    """
    if not (parts := _REGION.fullmatch(region)):
        return UNKNOWN
    country, subdivision = parts[1].upper(), (parts[2] or "").upper()
    country = _ALIASES.get(country, country)
    rows = _rows()
    return rows.get(f"{country}-{subdivision}") or rows.get(country) or UNKNOWN


def regime(region: str) -> Regime:
    """The regime of `CC` or `CC-SUB`; opt-in where the region is empty or not known."""
    return jurisdiction(region).regime


def as_of() -> str:
    """Year and month (`2026-11`) whose law the rows describe."""
    return _table()[0]


def _rows() -> Mapping[str, Jurisdiction]:
    return _table()[1]


@cache
def _table() -> tuple[str, Mapping[str, Jurisdiction]]:
    document = tomllib.loads(resources.files(__package__).joinpath("regions.toml").read_text("utf-8"))
    rows = {
        region: Jurisdiction(region, regime, law) for regime in Regime for region, law in document[regime.value].items()
    }
    return document["as_of"], MappingProxyType(rows)
