"""The words of consent: categories, signals, and the decision that every room of the house obeys."""

from dataclasses import dataclass, field
from enum import StrEnum


class Category(StrEnum):
    """What a thing is for. The four that consent platforms agree on; `necessary` never needs asking."""

    NECESSARY = "necessary"
    FUNCTIONAL = "functional"
    ANALYTICS = "analytics"
    MARKETING = "marketing"


NECESSARY_ONLY = frozenset({Category.NECESSARY})
OPTIONAL = frozenset(Category) - NECESSARY_ONLY
EVERYTHING = frozenset(Category)


class Basis(StrEnum):
    """Where a decision came from: the one fact that settled it."""

    CHOICE = "choice"  # the visitor chose on this site, in the gateway's own cookie
    PLATFORM = "platform"  # the cookie of the consent platform that the site uses
    GPC = "gpc"  # Sec-GPC: 1 refused what was otherwise granted
    NO_CHOICE = "no-choice"  # nobody chose, and the region asks first: nothing is granted
    OPT_OUT_REGION = "opt-out-region"  # nobody chose, and the region's law lets it pass until somebody objects
    GIVEN = "given"  # named on the command line


@dataclass(frozen=True, slots=True)
class Signal:
    """What one reader read in one request. A category in neither set was not told by this source.

    *decided* is false where a platform wrote its cookie before the visitor chose: such a cookie is not a choice, its
    values are shown to people and ignored by `decide`, save that what it refuses stays refused.
    *reader* is the reader's name (`own`, `gpc`, `onetrust`, `cookiebot`); *time* is unix seconds of the choice, where told.
    *note* says in a few words what was odd (`malformed`, `expired`, `different copies`), never the cookie's value.
    *readable* is false where something of this source was there and could not be understood. It may have been a refusal,
    so nothing is granted on the strength of a region's law alone while it is there.
    """

    reader: str
    decided: bool
    granted: frozenset[Category] = frozenset()
    refused: frozenset[Category] = frozenset()
    vendors_granted: frozenset[str] = frozenset()
    vendors_refused: frozenset[str] = frozenset()
    time: int | None = None
    note: str = ""
    readable: bool = True

    def answer(self, category: Category) -> bool | None:
        """Granted, refused, or not told. What a source both grants and refuses is refused."""
        if category in self.refused:
            return False
        return True if category in self.granted else None


@dataclass(frozen=True, slots=True)
class Decision:
    """What one visitor allows on one request, and where that answer came from.

    *granted* always holds `necessary`. Vendor ids refine it: a refused vendor stays out whatever its categories, a granted
    one comes in without them.
    """

    granted: frozenset[Category]
    basis: Basis
    decided: bool
    vendors_granted: frozenset[str] = frozenset()
    vendors_refused: frozenset[str] = frozenset()
    signals: tuple[Signal, ...] = field(default=(), compare=False)

    def allows(self, needed: frozenset[Category], *, vendor: str = "") -> bool:
        """Every category in *needed* is granted, or the vendor by name. A refusal of the vendor wins."""
        if vendor in self.vendors_refused:
            return False
        return needed <= self.granted or vendor in self.vendors_granted

    @property
    def allows_everything(self) -> bool:
        """Nothing can be withheld from this visitor: pages need not be looked at."""
        return self.granted == EVERYTHING and not self.vendors_refused
