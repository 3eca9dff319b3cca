"""From the outbox to the destinations: at least once, each at its own pace, and never more than was agreed to.

Consent at delivery. An event carries the decision under which it was admitted; it is sent only if that decision grants what
the destination needs *now*, so that an operator who raises `needs` is obeyed for what waits already. What is not checked is
a withdrawal made after admission: an event names no visitor yet, so nothing can tell whose it was. `allowed` is the one
place for that question.

Retries. An attempt that failed is made again after an exponential pause with full jitter (a random part of 1 s, 2 s, 4 s ...
up to an hour), or later where the destination asked for that. If a whole round fails, the destination itself is taken to be
down: the queue pauses likewise (up to a minute) and then probes with one event at a time, so that an outage costs few of
the events that wait an attempt.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway.destinations import Accepted, Rejected, Retry
from gateway.destinations.http import HttpDestination
from gateway.errors import StoreUnavailable
from gateway.events import Buried, Delivered, Dropped, DropReason, Event, Retried, from_json
from gateway.settings import Destination
from gateway.store.outbox import Delivery, Outbox

# Attempts at once to one destination. At 10 ms an answer that is 1,600 events a second.
_ROUND = 16

# Beyond the attempt's own timeout, for the store to take the result; then somebody else may claim the event.
_LEASE_MARGIN_S = 30.0

_FIRST_PAUSE_S = 1.0
_LAST_PAUSE_S = 3_600.0

# Shorter than an event's own: what fails over and over may be the only event there is, and the next one may be fine.
_LAST_QUEUE_PAUSE_S = 60.0

# A queue that is asked for nothing looks all the same: clocks are set back, and another process may have left something.
_LOOK_S = 60.0

_CLEAR_S = 3_600.0


class DeliveryLog(Protocol):
    """What the log is told."""

    def delivered(self, event: Delivered) -> None:
        """A destination has taken an event."""

    def retried(self, event: Retried) -> None:
        """A delivery failed and will be tried again."""

    def buried(self, event: Buried) -> None:
        """A destination will not get an event."""

    def dropped(self, event: Dropped) -> None:
        """An event is not sent because nobody agreed to it."""


class Deliverer:
    """Serves every destination until it is stopped. *clock* is unix seconds, *chance* uniform in [0, 1)."""

    def __init__(
        self,
        outbox: Outbox,
        destinations: Sequence[HttpDestination],
        log: DeliveryLog,
        *,
        grace_s: float,
        clock: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._destinations = destinations
        self._log = log
        self._grace_s = grace_s
        self._clock = clock
        self._chance = chance
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Returns after `stop`, when the attempts in hand are over or their grace is. What was cut short is sent again."""
        async with asyncio.TaskGroup() as group:
            clearing = group.create_task(self._clear())
            serving = [group.create_task(self._serve(destination)) for destination in self._destinations]
            await self._stopping.wait()
            clearing.cancel()
            if serving:
                _, late = await asyncio.wait(serving, timeout=self._grace_s)
                for task in late:
                    task.cancel()

    def stop(self) -> None:
        """Ends `run`: no further attempt begins."""
        self._stopping.set()
        for destination in self._destinations:
            self._outbox.arrivals(destination.settings.name).set()

    async def _serve(self, destination: HttpDestination) -> None:
        name = destination.settings.name
        arrivals = self._outbox.arrivals(name)
        failures = 0
        while not self._stopping.is_set():
            arrivals.clear()
            try:
                batch = await self._outbox.claim(
                    name,
                    limit=1 if failures else _ROUND,
                    lease_ms=_ms(destination.settings.timeout_s + _LEASE_MARGIN_S),
                    now_ms=_ms(self._clock()),
                )
                if not batch:
                    await _wait(arrivals, await self._idle_s(name))
                    continue
            except StoreUnavailable:  # told by the store itself, once
                failures += 1
                await _wait(self._stopping, self._pause_s(failures, _LAST_QUEUE_PAUSE_S))
                continue
            async with asyncio.TaskGroup() as group:
                attempts = [group.create_task(self._attempt(destination, delivery)) for delivery in batch]
            retries = [retry for attempt in attempts if (retry := attempt.result()) is not None]
            if len(retries) < len(batch):
                failures = 0
            else:
                failures += 1
                pause_s = self._pause_s(failures, _LAST_QUEUE_PAUSE_S)
                await _wait(self._stopping, max(pause_s, *(retry.after_s or 0.0 for retry in retries)))

    async def _attempt(self, destination: HttpDestination, delivery: Delivery) -> Retry | None:
        """One attempt with all that follows from it; the answer where it has to be made again.

        A result that cannot be stored is lost, and the lease brings the event back: rather twice than never.
        """
        with contextlib.suppress(StoreUnavailable):
            try:
                event = from_json(delivery.body)
            except ValueError:
                await self._bury(delivery, "unreadable")
                return None
            if not allowed(event, destination.settings):
                await self._outbox.acknowledge(delivery)
                self._log.dropped(Dropped(DropReason.NEEDS_CHANGED, destination=delivery.destination))
                return None
            answer = await destination.send(delivery.body, idempotency_key=delivery.event_id, now=self._clock())
            if isinstance(answer, Accepted):
                await self._outbox.acknowledge(delivery)
                waited_ms = _ms(self._clock()) - event.received
                self._log.delivered(Delivered(delivery.destination, delivery.event_id, delivery.attempt, waited_ms))
            elif isinstance(answer, Rejected) or delivery.attempt >= destination.settings.max_attempts:
                await self._bury(delivery, answer.reason)
            else:
                await self._retry(delivery, answer)
                return answer
        return None

    async def _retry(self, delivery: Delivery, answer: Retry) -> None:
        after_s = max(self._pause_s(delivery.attempt, _LAST_PAUSE_S), answer.after_s or 0.0)
        await self._outbox.retry_later(delivery, at_ms=_ms(self._clock() + after_s))
        self._log.retried(
            Retried(delivery.destination, delivery.event_id, delivery.attempt, reason=answer.reason, after_s=after_s)
        )

    async def _bury(self, delivery: Delivery, reason: str) -> None:
        await self._outbox.bury(delivery, reason=reason, now_ms=_ms(self._clock()))
        self._log.buried(Buried(delivery.destination, delivery.event_id, delivery.attempt, reason))

    async def _idle_s(self, name: str) -> float:
        due_ms = await self._outbox.next_due(name)
        return _LOOK_S if due_ms is None else min(max(due_ms / 1000 - self._clock(), 0.0), _LOOK_S)

    def _pause_s(self, failures: int, limit_s: float) -> float:
        # Full jitter: those who failed together must not come back together.
        return self._chance() * min(limit_s, _FIRST_PAUSE_S * 2.0 ** min(failures - 1, 32))

    async def _clear(self) -> None:
        names = [destination.settings.name for destination in self._destinations]
        while True:
            with contextlib.suppress(StoreUnavailable):
                now_ms = _ms(self._clock())
                orphans = await self._outbox.bury_orphans(names, reason="destination-removed", now_ms=now_ms)
                for name, count in orphans.items():
                    self._log.buried(Buried(name, "", 0, "destination-removed", events=count))
                await self._outbox.clear(now_ms=now_ms)
            await asyncio.sleep(_CLEAR_S)


def allowed(event: Event, destination: Destination) -> bool:
    """The event may go to *destination* at this moment, by the decision that it carries and by today's settings."""
    return event.decision.allows(frozenset(destination.needs))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
