import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from gateway.errors import StoreUnavailable
from gateway.events import StoreTroubled, Trouble
from gateway.store.writer import Writer

SCHEMA = ("CREATE TABLE things (name TEXT NOT NULL) STRICT",)
QUEUE_LIMIT = 5


class Store:
    """A writer with its file and what it told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.troubles: list[StoreTroubled] = []
        self.writer = Writer(
            path, SCHEMA, queue_limit=QUEUE_LIMIT, on_trouble=self.troubles.append, stamp=lambda: "now"
        )

    async def add(self, name: str) -> None:
        """One row, committed."""
        await self.writer.submit(lambda connection: insert(connection, name))

    def on_disk(self) -> list[object]:
        """The rows that another connection sees."""
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        found = [row[0] for row in connection.execute("SELECT name FROM things ORDER BY rowid")]
        connection.close()
        return found

    def files(self) -> set[str]:
        """The names of all files beside the store's."""
        return {path.name for path in self.path.parent.iterdir()}

    def delete(self) -> None:
        """The file and its log, under the writer's feet."""
        for name in self.files():
            (self.path.parent / name).unlink()


def insert(connection: apsw.Connection, name: str) -> None:
    connection.execute("INSERT INTO things VALUES (?)", (name,))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path / "a.db")
    await made.writer.start()
    yield made
    await made.writer.close()


class Gate:
    """A job that keeps the thread busy until it is opened."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()

    def job(self, _connection: apsw.Connection) -> None:
        """Runs in the writer's thread."""
        self.entered.set()
        assert self.open.wait(10)


async def held(store: Store) -> tuple[Gate, asyncio.Task[None]]:
    gate = Gate()
    task = asyncio.ensure_future(store.writer.submit(gate.job))
    await asyncio.to_thread(gate.entered.wait, 10)
    return gate, task


async def test_what_is_answered_is_on_the_disk(store: Store) -> None:
    """Whoever hears of a job may tell the world; another connection must see its result by then."""
    await store.add("a")
    assert store.on_disk() == ["a"]


async def test_jobs_that_wait_are_committed_together(store: Store) -> None:
    """One flush of the disk for each event would be the limit of the whole gateway."""
    gate, task = await held(store)
    commits = 0

    def count_commit() -> bool:
        nonlocal commits
        commits += 1
        return False

    hooking = asyncio.ensure_future(store.writer.submit(lambda connection: connection.set_commit_hook(count_commit)))
    waiting = [asyncio.ensure_future(store.add("x")) for _ in range(50)]
    await asyncio.sleep(0)
    gate.open.set()
    await asyncio.gather(task, hooking, *waiting)
    assert commits == 1
    assert len(store.on_disk()) == 50


async def test_a_caller_that_goes_away_tears_nothing(store: Store) -> None:
    """A client that closes its connection cancels the handler, at any moment; the event is stored whole all the same."""
    gate, task = await held(store)
    adding = asyncio.ensure_future(store.add("a"))
    await asyncio.sleep(0)
    adding.cancel()
    gate.open.set()
    await task
    with pytest.raises(asyncio.CancelledError):
        await adding
    await store.add("b")
    assert store.on_disk() == ["a", "b"]


async def test_a_transaction_that_fails_is_nobodys_success(store: Store) -> None:
    """None of those who shared the commit may be told that they are stored."""
    gate, task = await held(store)

    def fail(_connection: apsw.Connection) -> None:
        raise apsw.FullError("database or disk is full")

    adding = asyncio.ensure_future(store.add("a"))
    failing = asyncio.ensure_future(store.writer.submit(fail))
    await asyncio.sleep(0)
    gate.open.set()
    results = await asyncio.gather(task, adding, failing, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), StoreUnavailable, StoreUnavailable]
    assert store.on_disk() == []
    await store.add("b")
    assert store.on_disk() == ["b"]
    assert [told.trouble for told in store.troubles] == [Trouble.UNAVAILABLE, Trouble.RECOVERED]


async def test_a_disk_that_stays_full_is_told_once(store: Store) -> None:
    """A full disk meets a thousand beacons a second; the log must not fill it further."""
    await store.writer.submit(lambda connection: connection.execute("PRAGMA max_page_count=1").close())
    for _ in range(3):
        with pytest.raises(StoreUnavailable, match="full"):
            await store.writer.submit(lambda connection: insert(connection, "x" * 100_000))
    assert [told.trouble for told in store.troubles] == [Trouble.UNAVAILABLE]


async def test_a_fault_of_ours_does_not_end_the_thread(store: Store) -> None:
    """One odd job must cost its own commit, not every event until the next start."""

    def fault(_connection: apsw.Connection) -> None:
        raise RuntimeError("odd")

    with pytest.raises(StoreUnavailable):
        await store.writer.submit(fault)
    await store.add("a")
    assert store.on_disk() == ["a"]


async def test_an_io_error_makes_it_open_the_file_again(store: Store) -> None:
    """After a failed flush the kernel may have dropped pages without telling again: nothing in memory can be trusted."""
    seen: list[int] = []

    def note(connection: apsw.Connection) -> None:
        seen.append(id(connection))

    def fail(connection: apsw.Connection) -> None:
        note(connection)
        raise apsw.IOError("disk I/O error")

    kept: list[apsw.Connection] = []
    await store.writer.submit(kept.append)  # keeps the first one's id from being used again
    with pytest.raises(StoreUnavailable):
        await store.writer.submit(fail)
    await store.writer.submit(note)
    assert len(set(seen)) == 2


async def test_a_file_that_is_held_by_another_process_is_waited_for(store: Store) -> None:
    """A backup that locks the file for a moment must cost a moment, not events."""
    other = apsw.Connection(str(store.path))
    other.execute("BEGIN IMMEDIATE; INSERT INTO things VALUES ('other')")
    adding = asyncio.ensure_future(store.add("a"))
    await asyncio.sleep(0)
    other.execute("COMMIT")
    other.close()
    await adding
    assert store.on_disk() == ["other", "a"]


async def test_damage_that_shows_later_is_put_aside_too(store: Store) -> None:
    """A disk goes bad while the gateway runs; it must go on collecting."""
    await store.add("a")

    def damaged(_connection: apsw.Connection) -> None:
        raise apsw.CorruptError("database disk image is malformed")

    with pytest.raises(StoreUnavailable):
        await store.writer.submit(damaged)
    await store.add("b")
    assert store.on_disk() == ["b"]
    assert store.files() == {"a.db", "a.db-wal", "a.db-shm", "a.db.damaged-now"}
    assert (Trouble.QUARANTINED, f"{store.path}.damaged-now") in [
        (told.trouble, told.detail) for told in store.troubles
    ]


async def test_a_file_that_is_deleted_is_made_again(store: Store) -> None:
    """What is committed to a file without a name is gone with the next start, though it was acknowledged."""
    await store.add("a")
    store.delete()
    await store.add("b")
    assert store.on_disk() == ["b"]


@pytest.mark.parametrize("waiting", [QUEUE_LIMIT - 1, QUEUE_LIMIT, QUEUE_LIMIT + 1])
async def test_no_more_wait_than_the_limit(store: Store, waiting: int) -> None:
    """A disk that hangs must turn into quick refusals, not into memory."""
    gate, task = await held(store)
    adding = [
        asyncio.ensure_future(store.writer.submit(lambda connection: insert(connection, "x"), bounded=True))
        for _ in range(waiting)
    ]
    await asyncio.sleep(0)
    gate.open.set()
    results = await asyncio.gather(*adding, return_exceptions=True)
    await task
    assert len([result for result in results if isinstance(result, StoreUnavailable)]) == max(0, waiting - QUEUE_LIMIT)


async def test_closing_commits_what_was_handed_over(store: Store) -> None:
    """A stop under load must not lose what is in the queue, and what comes after must hear of it."""
    gate, task = await held(store)
    adding = asyncio.ensure_future(store.add("a"))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(store.writer.close())
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.add("b")
    gate.open.set()
    await asyncio.gather(task, adding, closing)
    assert store.on_disk() == ["a"]
    await store.writer.close()


async def test_a_file_that_cannot_be_opened_is_a_fault_at_the_start(tmp_path: Path) -> None:
    """Better no start than a start that collects nothing."""
    with pytest.raises(StoreUnavailable, match="missing"):
        await Store(tmp_path / "missing" / "a.db").writer.start()
