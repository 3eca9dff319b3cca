import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from gateway.consent.model import NECESSARY_ONLY, Basis, Category, Decision
from gateway.deliver import Deliverer
from gateway.destinations.http import HttpDestination, open_session
from gateway.errors import StoreUnavailable
from gateway.events import Buried, Delivered, Dropped, DropReason, Event, Retried
from gateway.settings import Destination
from gateway.store.outbox import Counts, Outbox
from tests.sink import Received, Sink

START = 1_780_000_000.0
AGREED = Decision(granted=NECESSARY_ONLY | {Category.ANALYTICS}, basis=Basis.CHOICE, decided=True)


def event(number: int) -> Event:
    ms = int(START * 1000)
    return Event(id=f"event-{number:04}", name="page_view", time=ms, received=ms, decision=AGREED)


class Facts:
    """What the log was told, in order; `wait_for` returns when a number of facts of one kind is there."""

    def __init__(self) -> None:
        self.told: list[Delivered | Retried | Buried | Dropped] = []
        self._changed = asyncio.Event()

    def delivered(self, event: Delivered) -> None:
        """Noted."""
        self._note(event)

    def retried(self, event: Retried) -> None:
        """Noted."""
        self._note(event)

    def buried(self, event: Buried) -> None:
        """Noted."""
        self._note(event)

    def dropped(self, event: Dropped) -> None:
        """Noted."""
        self._note(event)

    def _note(self, fact: Delivered | Retried | Buried | Dropped) -> None:
        self.told.append(fact)
        self._changed.set()

    async def wait_for(self, kind: type[object], count: int = 1) -> None:
        """Until *count* facts of this kind were told."""
        async with asyncio.timeout(10):
            while sum(isinstance(fact, kind) for fact in self.told) < count:
                self._changed.clear()
                await self._changed.wait()


class House:
    """An outbox, a log, and deliverers that run until the block ends. *chance* 0: no pause between attempts."""

    def __init__(self, outbox: Outbox, session: aiohttp.ClientSession) -> None:
        self.outbox = outbox
        self.facts = Facts()
        self.now = START
        self.chance = 0.0
        self._session = session

    def destination(self, url: str, **keys: object) -> HttpDestination:
        """The `[[destinations]]` entry named `sink`, or as *keys* say."""
        return HttpDestination(
            Destination.model_validate({"name": "sink", "url": url, **keys}), self._session, secret=None
        )

    async def settle(self) -> None:
        """Long enough for a deliverer that does not pause to have come back for more."""
        for _ in range(50):
            await self.outbox.count()

    @contextlib.asynccontextmanager
    async def delivering(self, *destinations: HttpDestination, grace_s: float = 10) -> AsyncIterator[Deliverer]:
        """A deliverer at work; stopped, and waited for, at the end."""
        deliverer = Deliverer(
            self.outbox,
            destinations,
            self.facts,
            grace_s=grace_s,
            clock=lambda: self.now,
            chance=lambda: self.chance,
        )
        running = asyncio.ensure_future(deliverer.run())
        try:
            yield deliverer
        finally:
            deliverer.stop()
            async with asyncio.timeout(10):
                await running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "store").mkdir()
    outbox = await Outbox.open(tmp_path / "store" / "a.db", limit_events=1000, on_trouble=print, stamp=lambda: "now")
    async with open_session() as session:
        yield House(outbox, session)
    await outbox.close()


def answers(*statuses: int) -> Callable[[Received], web.StreamResponse]:
    """One status after the other, the last one for ever."""
    left = list(statuses)
    return lambda _: web.Response(status=left.pop(0) if len(left) > 1 else left[0])


async def test_what_waits_is_delivered_and_then_forgotten(house: House) -> None:
    """The whole point: what was accepted arrives."""
    await house.outbox.append(event(1), ["sink"])
    house.now = START + 2
    async with Sink() as sink, house.delivering(house.destination(sink.url)):
        await house.facts.wait_for(Delivered)
    assert house.facts.told == [Delivered("sink", "event-0001", attempt=1, waited_ms=2000)]
    assert [received.event_id for received in sink.received] == ["event-0001"]
    assert await house.outbox.count() == Counts(0, 0, 0)


async def test_what_comes_later_wakes_the_delivery(house: House) -> None:
    """Nobody polls, so an event must not wait for the next look at the queue."""
    async with Sink() as sink, house.delivering(house.destination(sink.url)):
        for number in range(40):
            await house.outbox.append(event(number), ["sink"])
        await house.facts.wait_for(Delivered, 40)
    assert sorted({received.event_id for received in sink.received}) == [f"event-{n:04}" for n in range(40)]


async def test_an_attempt_that_failed_is_made_again_with_the_same_key(house: House) -> None:
    """At least once, and the receiver can tell the second from the first."""
    await house.outbox.append(event(1), ["sink"])
    async with Sink(answers(503, 500, 200)) as sink, house.delivering(house.destination(sink.url)):
        await house.facts.wait_for(Delivered)
    assert [type(fact) for fact in house.facts.told] == [Retried, Retried, Delivered]
    assert house.facts.told[0] == Retried("sink", "event-0001", attempt=1, reason="status-503", after_s=0.0)
    assert {received.headers["Idempotency-Key"] for received in sink.received} == {"event-0001"}
    assert len({received.body for received in sink.received}) == 1


async def test_pauses_double_up_to_an_hour(house: House) -> None:
    """Those who were sent away must come back later and later, and not together."""
    house.chance = 1 - 2**-53
    await house.outbox.append(event(1), ["sink"])
    pauses = []
    async with Sink(answers(500)) as sink:
        for number in range(14):
            async with house.delivering(house.destination(sink.url)):  # its first pause is not waited for
                await house.facts.wait_for(Retried, number + 1)
            fact = house.facts.told[-1]
            assert isinstance(fact, Retried)
            pauses.append(round(fact.after_s))
            house.now += fact.after_s + 0.001
    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600]


async def test_a_pause_that_is_asked_for_is_kept(house: House) -> None:
    """The destination knows better than a formula when it will be back, and the whole queue obeys."""
    for number in range(2):
        await house.outbox.append(event(number), ["sink"])

    def later(_: Received) -> web.StreamResponse:
        return web.Response(status=429, headers={"Retry-After": "300"})

    async with Sink(later) as sink, house.delivering(house.destination(sink.url)):
        await house.facts.wait_for(Retried, 2)
        await house.outbox.append(event(2), ["sink"])
        await house.settle()
    assert {fact.after_s for fact in house.facts.told if isinstance(fact, Retried)} == {300.0}
    assert len(sink.received) == 2


async def test_what_is_refused_is_buried_with_the_reason(house: House) -> None:
    """An event that the destination cannot read must not stand before all others for ever."""
    await house.outbox.append(event(1), ["sink"])
    async with Sink(answers(422)) as sink, house.delivering(house.destination(sink.url)):
        await house.facts.wait_for(Buried)
    assert house.facts.told == [Buried("sink", "event-0001", attempt=1, reason="status-422")]
    assert await house.outbox.count() == Counts(events=1, deliveries=0, buried=1)


@pytest.mark.parametrize("most", [1, 2, 3])
async def test_attempts_come_to_an_end(house: House, most: int) -> None:
    """After the last attempt that the settings allow, the event is buried with what was said last."""
    await house.outbox.append(event(1), ["sink"])
    async with Sink(answers(500)) as sink, house.delivering(house.destination(sink.url, max_attempts=most)):
        await house.facts.wait_for(Buried)
    assert house.facts.told[-1] == Buried("sink", "event-0001", attempt=most, reason="status-500")
    assert len(sink.received) == most


async def test_one_destination_does_not_wait_for_another(house: House) -> None:
    """A vendor's outage is no reason to keep events from the operator's own warehouse."""
    await house.outbox.append(event(1), ["slow", "sink"])
    async with Sink() as slow, Sink() as quick:
        slow.gate.clear()
        async with house.delivering(house.destination(slow.url, name="slow"), house.destination(quick.url)):
            await house.facts.wait_for(Delivered)
            assert [received.event_id for received in quick.received] == ["event-0001"]
            slow.gate.set()
            await house.facts.wait_for(Delivered, 2)


async def test_an_outage_costs_few_of_those_who_wait_an_attempt(house: House) -> None:
    """After an hour of outage a thousand events must not have used up their attempts."""
    for number in range(100):
        await house.outbox.append(event(number), ["sink"])
    async with Sink(answers(503)) as sink:
        house.chance = 0.9
        async with house.delivering(house.destination(sink.url)):
            await house.facts.wait_for(Retried, 16)
            await house.settle()
    assert len(sink.received) == 16


async def test_what_a_destination_has_come_to_need_is_checked_again(house: House) -> None:
    """An operator who raises `needs` must be obeyed for what waits already: consent to less is no consent to more."""
    await house.outbox.append(event(1), ["sink"])
    async with Sink() as sink, house.delivering(house.destination(sink.url, needs=["marketing"])):
        await house.facts.wait_for(Dropped)
    assert house.facts.told == [Dropped(DropReason.NEEDS_CHANGED, destination="sink")]
    assert sink.received == []
    assert await house.outbox.count() == Counts(0, 0, 0)


async def test_what_is_owed_to_a_removed_destination_is_told(house: House) -> None:
    """A destination that was renamed by mistake must show in the log, not as events that wait in silence."""
    for number in range(3):
        await house.outbox.append(event(number), ["old-name"])
    async with Sink() as sink, house.delivering(house.destination(sink.url)):
        await house.facts.wait_for(Buried)
    assert house.facts.told == [Buried("old-name", "", 0, "destination-removed", events=3)]


async def test_a_stop_finishes_the_attempt_in_hand(house: House) -> None:
    """What the destination has taken must be noted as taken, or it is sent twice after every restart."""
    await house.outbox.append(event(1), ["sink"])
    async with Sink() as sink:
        sink.gate.clear()
        async with house.delivering(house.destination(sink.url)) as deliverer:
            await sink.wait_for(1)
            deliverer.stop()
            sink.gate.set()
    assert await house.outbox.count() == Counts(0, 0, 0)


async def test_a_stop_does_not_wait_longer_than_its_grace(house: House) -> None:
    """A destination that hangs must not hang the gateway; the event is sent again when the lease is over."""
    await house.outbox.append(event(1), ["sink"])
    async with Sink() as sink:
        sink.gate.clear()
        async with house.delivering(house.destination(sink.url), grace_s=0.01):
            await sink.wait_for(1)
        assert await house.outbox.count() == Counts(events=1, deliveries=1, buried=0)
        assert (await house.outbox.next_due("sink") or 0) > START * 1000
        sink.gate.set()
        house.now += 60
        async with house.delivering(house.destination(sink.url)):
            await house.facts.wait_for(Delivered)
    assert [received.headers["Idempotency-Key"] for received in sink.received] == ["event-0001"] * 2


async def test_a_store_that_is_out_of_order_does_not_end_the_delivery(house: House, tmp_path: Path) -> None:
    """The disk is full for an hour; afterwards everything goes on by itself."""
    await house.outbox.append(event(1), ["sink"])
    # The folder as a whole, so that the file and its log vanish and come back in one step.
    (tmp_path / "store").rename(tmp_path / "away")
    async with Sink() as sink, house.delivering(house.destination(sink.url)):
        with pytest.raises(StoreUnavailable):
            await house.outbox.count()
        (tmp_path / "away").rename(tmp_path / "store")
        await house.facts.wait_for(Delivered)


async def test_without_destinations_there_is_nothing_to_do_but_to_stop(house: House) -> None:
    """A gateway without `[[destinations]]` is a gateway."""
    async with house.delivering():
        pass
