"""Where events are sent: one module a kind of destination. Each attempt ends as one of three values, never as an exception."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Accepted:
    """The destination has taken the event."""


@dataclass(frozen=True, slots=True)
class Retry:
    """It may take the event later. *reason* is a closed word (`timeout`, `unreachable`, `status-503`).

    *after_s* is what the destination itself asked for, in seconds; None where it said nothing.
    """

    reason: str
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """It will never take this event: sending it again would change nothing."""

    reason: str


Answer = Accepted | Retry | Rejected
