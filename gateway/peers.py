"""Who a request came from: the load balancer, whose word is believed, or anybody."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from aiohttp import web

from gateway.head import Peer

# Peers of the load balancer's network come back; strangers come once.
_REMEMBERED = 4096


class Peers:
    """Tells trusted peers from others. *networks* are those of `listen.trusted_proxies`."""

    def __init__(self, networks: Iterable[str]) -> None:
        parsed = tuple(map(ipaddress.ip_network, networks))
        self._is_trusted = lru_cache(_REMEMBERED)(lambda address: _is_within(address, parsed))

    def of(self, request: web.BaseRequest) -> Peer:
        """The peer at the other end of the request's connection."""
        address = request.remote or ""
        return Peer(address=address, secure=request.secure, trusted=self._is_trusted(address))


def _is_within(address: str, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    try:
        # Without a zone: `fe80::1%eth0` is no address to `ipaddress` networks.
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False  # a Unix socket has none
    mapped = getattr(parsed, "ipv4_mapped", None)
    return any((mapped or parsed) in network for network in networks)
