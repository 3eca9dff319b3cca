"""The exceptions of the gateway; each class says whose fault it was.

    GatewayError
    ├── StartupFaults      the operator's: settings or rule files, all faults at once
    ├── ClientFault        the client's: an answer of 4xx, 501 or 505 is owed
    ├── OriginFault        the origin's: an answer of 502, 503 or 504 is owed
    └── StoreUnavailable   ours: nothing was stored, nothing may be acknowledged

Outcomes are not here: a withheld script or a dropped event is a value with a reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class GatewayError(Exception):
    """Anything that the gateway itself raises."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in one file, told so that its author can mend it.

    *file* is the path or name the author knows, *key* the dotted path inside it (empty: the file as a whole).
    """

    file: str
    key: str
    message: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.key, self.message) if part)


class StartupFaults(GatewayError):
    """Settings or rules that cannot be used; carries every fault found, in file order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


class ClientFault(GatewayError):
    """A request that is refused. *status* is the answer's, *reason* a closed word for the log."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class OriginFault(GatewayError):
    """The origin could not be reached, or answered with something that must not be passed on."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason


class StoreUnavailable(GatewayError):
    """The store could not commit; the caller answers 503 and the client tries again."""
