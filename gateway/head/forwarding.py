"""Who the visitor is and what the site is called, told to the origin (RFC 7239's forerunners, which every server reads).

    peer      X-Forwarded-For          X-Forwarded-Proto, -Host      other X-Forwarded-*, Forwarded, X-Real-IP
    anybody   replaced by its address  replaced by what we saw       removed
    trusted   its address appended     its own word, else the same   kept

These fields are set after the hop-by-hop fields are out, so that Connection cannot name them away. Of several values of a
trusted peer the last counts: that one the peer wrote itself, the others it may only have passed on. The origin is told
that one alone, so that it cannot take another.
"""

from gateway.head.check import is_host
from gateway.head.fields import OWS, Lines
from gateway.head.model import Peer

_FOR, _PROTO, _HOST = b"X-Forwarded-For", b"X-Forwarded-Proto", b"X-Forwarded-Host"


def set_forwarding(lines: Lines, peer: Peer) -> tuple[bytes, bytes]:
    """The forwarding fields as the origin shall see them; answers scheme and host of the site as the visitor knows it.

    *lines* still hold the visitor's own Host.
    """
    hosts = lines.values(b"host")
    scheme = b"https" if peer.secure else b"http"
    host = hosts[0].strip(OWS) if hosts else b""
    address = peer.address.encode("ascii", "ignore")
    if not peer.trusted:
        lines.drop(
            {name for name in lines.names() if name.startswith(b"x-forwarded-") or name in {b"forwarded", b"x-real-ip"}}
        )
        if address:
            lines.add(_FOR, address)
        lines.add(_PROTO, scheme)
        lines.add(_HOST, host)
        return scheme, host

    # A peer on a Unix socket has no address of its own; what it forwards is all there is to tell.
    chain = [value for value in (*lines.values(_FOR.lower()), address) if value.strip(OWS)]
    if chain:
        lines.put(_FOR, b", ".join(chain))
    told_scheme, told_host = _last(lines, _PROTO), _last(lines, _HOST)
    if told_scheme.lower() in {b"http", b"https"}:
        scheme = told_scheme.lower()
    if is_host(told_host):
        host = told_host
    lines.put(_PROTO, scheme)
    lines.put(_HOST, host)
    return scheme, host


def _last(lines: Lines, name: bytes) -> bytes:
    values = lines.values(name.lower())
    return values[-1].rpartition(b",")[2].strip(OWS) if values else b""
