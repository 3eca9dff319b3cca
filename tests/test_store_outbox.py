import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.consent.model import EVERYTHING, Basis, Decision
from gateway.errors import StoreUnavailable
from gateway.events import Event, StoreTroubled, to_json
from gateway.store.outbox import Appended, Counts, Delivery, Outbox

NOW = 1_780_000_000_000
DAY = 86_400_000
LIMIT = 50
AGREED = Decision(granted=EVERYTHING, basis=Basis.CHOICE, decided=True)


def event(number: int, *, received: int = NOW) -> Event:
    return Event(id=f"event-{number:04}", name="page_view", time=received, received=received, decision=AGREED)


def fail(trouble: StoreTroubled) -> None:
    raise AssertionError(trouble)


async def opened(path: Path, *, limit_events: int = LIMIT) -> Outbox:
    return await Outbox.open(path, limit_events=limit_events, on_trouble=fail, stamp=lambda: "now")


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    box = await opened(tmp_path / "a.db")
    yield box
    await box.close()


async def claimed(outbox: Outbox, *, now: int = NOW, destination: str = "a", limit: int = 100) -> list[Delivery]:
    return await outbox.claim(destination, limit=limit, lease_ms=1000, now_ms=now)


async def test_an_event_is_owed_to_each_destination_until_that_one_has_it(outbox: Outbox) -> None:
    """A destination that is down must not keep the event from another one, nor lose it."""
    assert await outbox.append(event(1), ["a", "b"]) is Appended.STORED
    (first,) = await claimed(outbox)
    assert first == Delivery("a", first.seq, 1, "event-0001", to_json(event(1)))
    await outbox.acknowledge(first)
    assert await outbox.count() == Counts(events=1, deliveries=1, buried=0)
    (second,) = await claimed(outbox, destination="b")
    await outbox.acknowledge(second)
    assert await outbox.count() == Counts(events=0, deliveries=0, buried=0)


async def test_an_event_that_comes_again_changes_nothing(outbox: Outbox) -> None:
    """Pages repeat what was not answered; the repeat must count once, also after the delivery."""
    await outbox.append(event(1), ["a"])
    assert await outbox.append(event(1), ["a"]) is Appended.DUPLICATE
    (delivery,) = await claimed(outbox)
    await outbox.acknowledge(delivery)
    assert await outbox.append(event(1), ["a"]) is Appended.DUPLICATE
    assert await outbox.count() == Counts(events=0, deliveries=0, buried=0)


async def test_two_of_one_id_in_one_commit_are_one_event(outbox: Outbox) -> None:
    """Two tabs send the same beacon within a millisecond."""
    results = await asyncio.gather(*[outbox.append(event(1), ["a"]) for _ in range(5)])
    assert sorted(results) == [Appended.DUPLICATE] * 4 + [Appended.STORED]


async def test_what_was_stored_is_there_after_the_next_start(tmp_path: Path) -> None:
    """The outbox is what must outlive the process."""
    first = await opened(tmp_path / "a.db")
    await first.append(event(1), ["a"])
    await first.close()
    second = await opened(tmp_path / "a.db")
    assert [delivery.event_id for delivery in await claimed(second)] == ["event-0001"]
    assert await second.append(event(1), ["a"]) is Appended.DUPLICATE
    await second.close()


async def test_a_claim_is_a_lease(outbox: Outbox) -> None:
    """Who claims and dies must not keep the event for ever; who claims and lives must not be overtaken."""
    await outbox.append(event(1), ["a"])
    (first,) = await claimed(outbox)
    assert await claimed(outbox, now=NOW + 999) == []
    assert await outbox.next_due("a") == NOW + 1000
    (second,) = await claimed(outbox, now=NOW + 1000)
    assert (first.attempt, second.attempt) == (1, 2)
    assert (first.event_id, first.body) == (second.event_id, second.body)


async def test_a_lease_that_ran_out_can_only_report_success(outbox: Outbox) -> None:
    """The late one may have delivered, which is true whoever says it; it may not undo what the next one does."""
    await outbox.append(event(1), ["a"])
    (late,) = await claimed(outbox)
    (current,) = await claimed(outbox, now=NOW + 1000)
    await outbox.retry_later(late, at_ms=NOW)
    await outbox.bury(late, reason="late", now_ms=NOW)
    assert await outbox.next_due("a") == NOW + 2000
    await outbox.acknowledge(late)
    await outbox.retry_later(current, at_ms=NOW)
    assert await outbox.count() == Counts(events=0, deliveries=0, buried=0)


async def test_a_late_acknowledgement_hits_no_other_event(outbox: Outbox) -> None:
    """If numbers were used again, the new event under the old number would be lost without a trace."""
    await outbox.append(event(1), ["a"])
    (late,) = await claimed(outbox)
    (current,) = await claimed(outbox, now=NOW + 1000)
    await outbox.acknowledge(current)
    await outbox.append(event(2), ["a"])
    await outbox.acknowledge(late)
    assert [delivery.event_id for delivery in await claimed(outbox)] == ["event-0002"]


async def test_deliveries_come_in_the_order_in_which_they_are_due(outbox: Outbox) -> None:
    """What waits longest goes first, and what was put off does not stand in the way."""
    for number, received in ((1, NOW + 2), (2, NOW), (3, NOW + 1)):
        await outbox.append(event(number, received=received), ["a"])
    (first,) = await claimed(outbox, now=NOW + 5, limit=1)
    assert first.event_id == "event-0002"
    await outbox.retry_later(first, at_ms=NOW + 10)
    assert [delivery.event_id for delivery in await claimed(outbox, now=NOW + 9)] == ["event-0003", "event-0001"]
    (again,) = await claimed(outbox, now=NOW + 10)
    assert (again.event_id, again.attempt) == ("event-0002", 2)


async def test_nothing_owed_is_nothing_due(outbox: Outbox) -> None:
    """Whoever serves an empty queue sleeps."""
    assert await outbox.next_due("a") is None


async def test_new_events_wake_only_those_who_get_them(outbox: Outbox) -> None:
    """Delivery sleeps until there is work, so the work must wake it; a repeat is no work."""
    await outbox.append(event(1), ["a"])
    assert outbox.arrivals("a").is_set()
    assert not outbox.arrivals("b").is_set()
    outbox.arrivals("a").clear()
    await outbox.append(event(1), ["a"])
    assert not outbox.arrivals("a").is_set()


async def test_what_is_buried_is_kept_and_no_longer_owed(outbox: Outbox) -> None:
    """Somebody will want to see, and perhaps to send again, what a destination refused."""
    await outbox.append(event(1), ["a", "b"])
    (delivery,) = await claimed(outbox)
    await outbox.bury(delivery, reason="status-400", now_ms=NOW)
    assert await outbox.count() == Counts(events=1, deliveries=1, buried=1)
    (other,) = await claimed(outbox, destination="b")
    await outbox.acknowledge(other)
    assert await outbox.count() == Counts(events=1, deliveries=0, buried=1)
    assert await claimed(outbox, now=NOW + DAY) == []


async def test_what_is_owed_to_a_destination_that_is_gone_is_buried(outbox: Outbox) -> None:
    """Nobody would ever ask for it, and it would fill the store."""
    await outbox.append(event(1), ["gone", "a"])
    await outbox.append(event(2), ["gone"])
    assert await outbox.bury_orphans(["a"], reason="destination-removed", now_ms=NOW) == {"gone": 2}
    assert await outbox.count() == Counts(events=2, deliveries=1, buried=2)
    assert await outbox.bury_orphans(["a"], reason="destination-removed", now_ms=NOW) == {}


@pytest.mark.parametrize("number", [LIMIT - 1, LIMIT, LIMIT + 1])
async def test_the_store_takes_no_more_than_its_limit(outbox: Outbox, number: int) -> None:
    """A destination that is down for a week must fill a bounded file, and pages must be told that nothing is stored."""
    results = await asyncio.gather(
        *[outbox.append(event(index), ["a"]) for index in range(number)], return_exceptions=True
    )
    refused = [result for result in results if isinstance(result, StoreUnavailable)]
    assert len(refused) == max(0, number - LIMIT)
    if refused:
        assert await outbox.append(event(0), ["a"]) is Appended.DUPLICATE
        (delivery,) = await claimed(outbox, limit=1)
        await outbox.acknowledge(delivery)
        assert await outbox.append(event(LIMIT), ["a"]) is Appended.STORED


@pytest.mark.parametrize(("days", "appended"), [(7, Appended.DUPLICATE), (8, Appended.STORED)])
async def test_ids_are_forgotten_after_a_week(outbox: Outbox, days: int, appended: Appended) -> None:
    """An id is kept as long as a repeat may come, and no longer: it is about somebody."""
    await outbox.append(event(1), ["a"])
    (delivery,) = await claimed(outbox)
    await outbox.acknowledge(delivery)
    await outbox.clear(now_ms=NOW + days * DAY)
    assert await outbox.append(event(1), ["a"]) is appended


async def test_clearing_leaves_alone_what_is_owed(outbox: Outbox) -> None:
    """An event that waits for its destination is not old, however long it waits."""
    await outbox.append(event(1), ["a"])
    await outbox.clear(now_ms=NOW + 1000 * DAY)
    assert len(await claimed(outbox)) == 1


async def test_what_is_buried_is_cleared_by_age_and_by_number(outbox: Outbox) -> None:
    """A destination that refuses everything must neither keep events for ever nor fill the store."""
    for number in range(LIMIT // 10 + 2):
        await outbox.append(event(number), ["a"])
        (delivery,) = await claimed(outbox, now=NOW + number)
        await outbox.bury(delivery, reason="status-400", now_ms=NOW + number)
    await outbox.clear(now_ms=NOW)
    assert await outbox.count() == Counts(events=LIMIT // 10, deliveries=0, buried=LIMIT // 10)
    await outbox.clear(now_ms=NOW + 30 * DAY + 2)
    assert await outbox.count() == Counts(events=LIMIT // 10, deliveries=0, buried=LIMIT // 10)
    await outbox.clear(now_ms=NOW + 30 * DAY + 3)
    assert (await outbox.count()).buried == LIMIT // 10 - 1


async def test_clearing_more_than_one_transaction_holds(tmp_path: Path) -> None:
    """The clearing goes in steps, so that beacons need not wait for it; it must still come to its end."""
    outbox = await opened(tmp_path / "a.db", limit_events=5_000)
    await asyncio.gather(*[outbox.append(event(number), ["gone"]) for number in range(2_600)])
    await outbox.bury_orphans([], reason="destination-removed", now_ms=NOW)
    await outbox.clear(now_ms=NOW + 40 * DAY)
    assert await outbox.count() == Counts(events=0, deliveries=0, buried=0)
    assert await outbox.append(event(1), ["a"]) is Appended.STORED
    await outbox.close()


async def test_two_processes_on_one_file_share_the_work(tmp_path: Path) -> None:
    """Two generations of the gateway overlap at a restart: nothing is stored twice, and nothing claimed by both."""
    old, new = await opened(tmp_path / "a.db"), await opened(tmp_path / "a.db")
    results = await asyncio.gather(
        *[outbox.append(event(number), ["a"]) for number in range(LIMIT) for outbox in (old, new)]
    )
    assert results.count(Appended.STORED) == LIMIT
    claims = await asyncio.gather(*[claimed(outbox, limit=5) for _ in range(LIMIT // 10) for outbox in (old, new)])
    assert sorted(delivery.seq for claim in claims for delivery in claim) == list(range(1, LIMIT + 1))
    await old.close()
    await new.close()
