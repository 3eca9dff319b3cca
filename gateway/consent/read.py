"""Every source of consent in one request head, each read on its own."""

from collections.abc import Sequence

from gateway.consent import cmp, cookies, gpc, own
from gateway.consent.model import Signal
from gateway.consent.policy import Policy


def read_signals(headers: Sequence[tuple[bytes, bytes]], policy: Policy, *, now: float) -> tuple[Signal, ...]:
    """What each source that *policy* names says in this head; one that is absent says nothing. Never raises.

    The own cookie first, then platforms in the policy's order, then `Sec-GPC`. *now*: unix seconds.
    """
    pairs = cookies.of(headers)
    signals: list[Signal | None] = []
    if own.READER in policy.readers and (values := cookies.values_of(pairs, policy.cookie)):
        signals.append(own.read(values, policy, now=now))
    signals += [cmp.READERS[reader](pairs) for reader in policy.readers if reader != own.READER]
    if policy.gpc:
        signals.append(gpc.read(headers))
    return tuple(signal for signal in signals if signal is not None)
