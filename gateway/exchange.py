"""One request and its response as a fact: what the log is told."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.consent.model import Basis, Category
from gateway.withheld import Degraded, Withheld


class Outcome(StrEnum):
    """How an exchange ended, and on whose side."""

    SERVED = "served"  # the whole response was handed to the client's connection
    REFUSED = "refused"  # the client's fault: an answer of ours, 4xx or 501
    OVERLOADED = "overloaded"  # more requests under way than the settings allow: 503
    ORIGIN_FAULT = "origin-fault"  # no usable response, or one that broke off half way
    CLIENT_GONE = "client-gone"  # the client closed before the end
    CLIENT_STALLED = "client-stalled"  # the client neither took nor sent anything for too long
    GATEWAY_FAULT = "gateway-fault"  # a fault of ours


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is known of one exchange; while it is under way, what is known so far.

    *id* is 16 hexadecimal digits, drawn at random; *path* is the target without its query, as it came; *status* is 0 until
    a head went out. *bytes_in* and *bytes_out* count bodies as they crossed the wire, without framing. *plan* is what
    happened to the body (`pass`, `rewrite`, `guard`; empty where no response of the origin was used). *basis* is None until
    the decision. *withheld* holds the first `WITHHELD_KEPT` things, *withheld_count* counts all of them. *memo_hits* and *memo_misses* count the segments of a page that were,
    and were not, rewritten before. *reason* is a
    closed word wherever the outcome is not `served`, never text from a peer.
    """

    id: str
    method: str
    path: str
    status: int
    bytes_in: int
    bytes_out: int
    duration_s: float
    plan: str
    basis: Basis | None
    granted: frozenset[Category]
    withheld: tuple[Withheld, ...]
    withheld_count: int
    degraded: tuple[Degraded, ...]
    memo_hits: int
    memo_misses: int
    outcome: Outcome
    reason: str = ""


# A page can name a vendor any number of times; each is told to the log as it is withheld, the record keeps these.
WITHHELD_KEPT = 256
