"""The request's way up: what the origin is told."""

from gateway.consent.model import Decision
from gateway.head.caching import map_conditions
from gateway.head.cookies import filter_cookie
from gateway.head.fields import OWS, Lines
from gateway.head.forwarding import set_forwarding
from gateway.head.judge import Judge
from gateway.head.media import is_likely_page, is_never_page
from gateway.head.model import HeadPolicy, Peer, RequestHead, UpstreamRequest
from gateway.head.negotiation import narrow
from gateway.vendors.match import Matcher


def to_upstream(
    request: RequestHead, decision: Decision, matcher: Matcher, *, peer: Peer, policy: HeadPolicy, variant: str
) -> UpstreamRequest:
    """The head for the origin, of a request that `check` let through. *variant*: lower-case letters and digits, at most 32.

    Upgrade goes with the other hop-by-hop fields: the origin sees a plain request and answers it as one.
    """
    lines = Lines(request.headers)
    lengths = lines.values(b"content-length")
    chunked = b"transfer-encoding" in lines

    lines.drop_hop_by_hop()
    # Framing is the sender's. An Expect that goes on would make the sender wait for a 100 that may never come.
    lines.drop({b"content-length", b"expect"})
    scheme, host = set_forwarding(lines, peer)
    path = request.target.partition(b"?")[0]
    site = (scheme + b"://" + host + (path if path.startswith(b"/") else b"/")).decode("latin-1")
    if not policy.preserve_host:
        lines.put(b"host", policy.origin_host.encode("latin-1"))

    judge = Judge(decision, matcher, site=site)
    filter_cookie(lines, judge, own=policy.own_cookie.encode("latin-1"))
    # A visitor who agreed to everything gets the site's own bytes: they need not be in a coding that we can open, and
    # parts of them are as good as the whole. The same holds for what a browser will not show as a page.
    everything = decision.allows_everything
    if not everything and not is_never_page(lines):
        narrow(lines)
    likely_page = is_likely_page(lines)
    map_conditions(lines, variant=variant, likely_page=likely_page, ranges=everything or not likely_page)
    return UpstreamRequest(
        method=request.method,
        target=request.target,
        headers=lines.raw(),
        body_length=int(lengths[0].strip(OWS)) if lengths and not chunked else None,
        chunked=chunked,
        site=site,
        withheld=tuple(judge.withheld),
    )
