"""Heads: the request's on its way up, the response's on its way down.

    check         what of a request must not be passed on         check.py
    to_upstream   the request as the origin sees it               request.py
    to_client     the response as the client sees it, and the     response.py
                  plan for its body

Framing, validators and cacheability are decided here and nowhere else. All values are raw bytes: what no rule names goes on as
it came, in its order, its repeats and its letter case.
"""

from gateway.head.check import Refusal, check
from gateway.head.model import (
    ClientHead,
    HeadPolicy,
    Peer,
    Plan,
    RawHeaders,
    RequestHead,
    ResponseHead,
    UpstreamRequest,
    field,
)
from gateway.head.request import to_upstream
from gateway.head.response import GUARD_POLICY, OriginRefusal, to_client

__all__ = [
    "GUARD_POLICY",
    "ClientHead",
    "HeadPolicy",
    "OriginRefusal",
    "Peer",
    "Plan",
    "RawHeaders",
    "Refusal",
    "RequestHead",
    "ResponseHead",
    "UpstreamRequest",
    "check",
    "field",
    "to_client",
    "to_upstream",
]
