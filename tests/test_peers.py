"""Whose X-Forwarded-* are believed."""

from unittest.mock import Mock

import pytest

from gateway.peers import Peers


@pytest.mark.parametrize(
    ("remote", "trusted"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("2001:db8::7", True),
        ("2001:db9::7", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:11.1.2.3", False),
        ("2001:db8::7%eth0", True),
        ("", False),
        (None, False),
        ("unix:", False),
    ],
)
def test_only_a_peer_within_a_named_network_is_trusted(remote: str | None, *, trusted: bool) -> None:
    """Trusting a stranger lets him name any address, and any host, as the visitor's."""
    peer = Peers(["10.0.0.0/8", "2001:db8::/32"]).of(Mock(remote=remote, secure=False))
    assert (peer.trusted, peer.address, peer.secure) == (trusted, remote or "", False)


def test_without_named_networks_nobody_is_trusted() -> None:
    """The default believes nobody."""
    assert not Peers(()).of(Mock(remote="127.0.0.1", secure=True)).trusted
