"""Global Privacy Control: the browser's own refusal of sale, sharing and targeted advertising."""

from collections.abc import Sequence

from gateway.consent.model import Category, Signal

READER = "gpc"

# The law that gives the signal its force (California and eleven other states) speaks of sale, sharing and targeted
# advertising; measurement by the site's own processor is not in it.
_REFUSAL = Signal(READER, decided=True, refused=frozenset({Category.MARKETING}))


def read(headers: Sequence[tuple[bytes, bytes]]) -> Signal | None:
    """A refusal of marketing where a `Sec-GPC` field says exactly `1`; any other value is as if it were absent.

    (W3C Global Privacy Control, section 3.2.) Of several fields one is enough: an intermediary may add its own.
    """
    for name, value in headers:
        if name.lower() == b"sec-gpc" and value.strip(b" \t") == b"1":
            return _REFUSAL
    return None
