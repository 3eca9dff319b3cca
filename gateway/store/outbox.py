"""The outbox: events that were acknowledged, and what each destination still has to get.

    ids         every event id seen lately: an event that comes twice is stored once
    events      the event itself, until every destination has it or has been given up
    deliveries  one row for each event and destination that is owed: when it is due, and how often it was tried
    buried      one row for each that was given up, with the reason; the event stays as long as the row does
    totals      the number of events, kept by triggers: counting a million rows for each beacon would not do

A claim leases a delivery: it becomes due again when the lease ends, so that nothing is lost with whoever claimed it. The
number of the attempt fences the lease: who comes back after it has been claimed anew can still report success, which is
true whoever says it, but no longer put it off or bury it.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self, cast

import apsw

from gateway.errors import StoreUnavailable
from gateway.events import Event, StoreTroubled, to_json
from gateway.store.writer import Writer

# AUTOINCREMENT: a number is never used again. An acknowledgement that comes late must not hit another event's delivery.
MIGRATIONS = (
    """
    CREATE TABLE ids (id TEXT PRIMARY KEY, received INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE INDEX ids_received ON ids (received);
    CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, body BLOB NOT NULL) STRICT;
    CREATE TABLE deliveries (
        destination TEXT NOT NULL,
        seq INTEGER NOT NULL REFERENCES events (seq),
        due INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (destination, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX deliveries_due ON deliveries (destination, due);
    CREATE INDEX deliveries_seq ON deliveries (seq);
    CREATE TABLE buried (
        destination TEXT NOT NULL,
        seq INTEGER NOT NULL REFERENCES events (seq),
        at INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (destination, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX buried_at ON buried (at);
    CREATE INDEX buried_seq ON buried (seq);
    CREATE TABLE totals (events INTEGER NOT NULL) STRICT;
    INSERT INTO totals VALUES (0);
    CREATE TRIGGER events_grow AFTER INSERT ON events BEGIN UPDATE totals SET events = events + 1; END;
    CREATE TRIGGER events_shrink AFTER DELETE ON events BEGIN UPDATE totals SET events = events - 1; END
    """,
)

# Jobs that may wait for the disk: a second's worth on a slow one. More is answered 503 while the answer is still quick.
_QUEUE_LIMIT = 4_096

# A page, or a queue in it, tries again within a day (the limit of an event's age); a week leaves room for restored tabs.
_IDS_KEPT_MS = 7 * 86_400_000

# Time enough for somebody to see the log, mend the destination and have the events sent again.
_BURIED_KEPT_MS = 30 * 86_400_000

# Rows that one transaction of the clearing takes, so that beacons wait for milliseconds only.
_CLEAR_ROWS = 2_000


class Appended(StrEnum):
    """What became of an event that was handed over."""

    STORED = "stored"
    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one destination, leased. *attempt* counts from 1; *body* is the event as `to_json` wrote it."""

    destination: str
    seq: int
    attempt: int
    event_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the store holds: events, deliveries that are owed, and deliveries that were given up."""

    events: int
    deliveries: int
    buried: int


class Outbox:
    """Made by `open`, ended by `close`; used from one event loop. Every method raises StoreUnavailable where it cannot commit.

    Times are unix milliseconds.
    """

    def __init__(self, writer: Writer, limit_events: int) -> None:
        self._writer = writer
        self._limit_events = limit_events
        self._arrivals: dict[str, asyncio.Event] = {}

    @classmethod
    async def open(
        cls, path: Path, *, limit_events: int, on_trouble: Callable[[StoreTroubled], None], stamp: Callable[[], str]
    ) -> Self:
        """The outbox in the file at *path*, made if need be. *stamp* names the moment, for the name of a damaged file."""
        writer = Writer(path, MIGRATIONS, queue_limit=_QUEUE_LIMIT, on_trouble=on_trouble, stamp=stamp)
        outbox = cls(writer, limit_events)
        await writer.start()
        return outbox

    async def close(self) -> None:
        """Commits what has been handed over and closes the file."""
        await self._writer.close()

    def arrivals(self, destination: str) -> asyncio.Event:
        """Set whenever something new may be due for *destination*; whoever waits for it clears it."""
        return self._arrivals.setdefault(destination, asyncio.Event())

    async def append(self, event: Event, destinations: Iterable[str]) -> Appended:
        """Returns when the event is on the disk, owed to each of *destinations*. An id already known changes nothing."""
        body, names = to_json(event), tuple(destinations)

        def run(connection: apsw.Connection) -> Appended | None:
            return self._append(connection, event, body, names)

        appended = await self._writer.submit(run, bounded=True)
        if appended is None:
            raise StoreUnavailable(f"the store is full ({self._limit_events} events wait)")
        if appended is Appended.STORED:
            for name in names:
                self.arrivals(name).set()
        return appended

    def _append(
        self, connection: apsw.Connection, event: Event, body: bytes, names: tuple[str, ...]
    ) -> Appended | None:
        if int(connection.execute("SELECT events FROM totals").get) >= self._limit_events:
            known = connection.execute("SELECT 1 FROM ids WHERE id = ?", (event.id,)).get
            return Appended.DUPLICATE if known else None
        connection.execute("INSERT INTO ids VALUES (?, ?) ON CONFLICT DO NOTHING", (event.id, event.received))
        if connection.changes() == 0:
            return Appended.DUPLICATE
        connection.execute("INSERT INTO events (id, body) VALUES (?, ?)", (event.id, body))
        seq = connection.last_insert_rowid()
        for name in names:
            connection.execute(
                "INSERT INTO deliveries (destination, seq, due) VALUES (?, ?, ?)", (name, seq, event.received)
            )
        return Appended.STORED

    async def claim(self, destination: str, *, limit: int, lease_ms: int, now_ms: int) -> list[Delivery]:
        """Up to *limit* deliveries that are due, the longest due first; each is the caller's for *lease_ms*."""

        def run(connection: apsw.Connection) -> list[Delivery]:
            due = cast(
                "list[tuple[int, int, str, bytes]]",  # what the STRICT tables hold
                connection.execute(
                    "SELECT d.seq, d.attempts + 1, e.id, e.body FROM deliveries d JOIN events e USING (seq) "
                    "WHERE d.destination = ? AND d.due <= ? ORDER BY d.due, d.seq LIMIT ?",
                    (destination, now_ms, limit),
                ).fetchall(),
            )
            connection.executemany(
                "UPDATE deliveries SET attempts = attempts + 1, due = ? WHERE destination = ? AND seq = ?",
                [(now_ms + lease_ms, destination, row[0]) for row in due],
            )
            return [Delivery(destination, *row) for row in due]

        return await self._writer.submit(run)

    async def next_due(self, destination: str) -> int | None:
        """When the next delivery to *destination* is due, leased ones included; None when nothing is owed."""
        due = await self._writer.submit(
            lambda connection: (
                connection.execute("SELECT min(due) FROM deliveries WHERE destination = ?", (destination,)).get
            )
        )
        assert due is None or isinstance(due, int)
        return due

    async def acknowledge(self, delivery: Delivery) -> None:
        """The destination has it, or must not get it any more: nothing is owed."""

        def run(connection: apsw.Connection) -> None:
            connection.execute(
                "DELETE FROM deliveries WHERE destination = ? AND seq = ?", (delivery.destination, delivery.seq)
            )
            self._forget(connection, delivery.seq)

        await self._writer.submit(run)

    async def retry_later(self, delivery: Delivery, *, at_ms: int) -> None:
        """Due again at *at_ms*, unless somebody else has claimed it since."""
        await self._writer.submit(
            lambda connection: connection.execute(
                "UPDATE deliveries SET due = ? WHERE destination = ? AND seq = ? AND attempts = ?",
                (at_ms, delivery.destination, delivery.seq, delivery.attempt),
            ).close()
        )

    async def bury(self, delivery: Delivery, *, reason: str, now_ms: int) -> None:
        """Given up: kept aside with *reason* for thirty days, unless somebody else has claimed it since."""

        def run(connection: apsw.Connection) -> None:
            key = (delivery.destination, delivery.seq)
            connection.execute(
                "DELETE FROM deliveries WHERE destination = ? AND seq = ? AND attempts = ?", (*key, delivery.attempt)
            )
            if connection.changes():
                connection.execute(
                    "INSERT INTO buried VALUES (?, ?, ?, ?, ?)", (*key, now_ms, delivery.attempt, reason)
                )

        await self._writer.submit(run)

    async def bury_orphans(self, known: Iterable[str], *, reason: str, now_ms: int) -> dict[str, int]:
        """Gives up what is owed to destinations that are not *known* any more; how many, by the name they had."""
        names = set(known)

        def run(connection: apsw.Connection) -> dict[str, int]:
            buried = {}
            rows = connection.execute("SELECT DISTINCT destination FROM deliveries").fetchall()
            for name in (str(row[0]) for row in rows):
                if name not in names:
                    connection.execute(
                        "INSERT INTO buried SELECT destination, seq, ?, attempts, ? FROM deliveries WHERE destination = ?",
                        (now_ms, reason, name),
                    )
                    connection.execute("DELETE FROM deliveries WHERE destination = ?", (name,))
                    buried[name] = connection.changes()
            return buried

        return await self._writer.submit(run)

    async def clear(self, *, now_ms: int) -> None:
        """Forgets ids after a week, and what is buried after thirty days or beyond a tenth of the store's limit."""
        while await self._writer.submit(lambda connection: self._clear(connection, now_ms)):
            pass

    def _clear(self, connection: apsw.Connection, now_ms: int) -> bool:
        connection.execute(
            "DELETE FROM ids WHERE id IN (SELECT id FROM ids WHERE received < ? LIMIT ?)",
            (now_ms - _IDS_KEPT_MS, _CLEAR_ROWS),
        )
        cleared = connection.changes()
        over = int(connection.execute("SELECT count(*) FROM buried").get) - self._limit_events // 10
        old = cast(
            "list[tuple[str, int, int]]",
            connection.execute(
                "SELECT destination, seq, at FROM buried ORDER BY at, seq LIMIT ?", (_CLEAR_ROWS,)
            ).fetchall(),
        )
        for number, (destination, seq, at) in enumerate(old):
            if number < over or at < now_ms - _BURIED_KEPT_MS:
                connection.execute("DELETE FROM buried WHERE destination = ? AND seq = ?", (destination, seq))
                self._forget(connection, seq)
                cleared += 1
        return cleared >= _CLEAR_ROWS

    async def count(self) -> Counts:
        """What the store holds at this moment."""

        def run(connection: apsw.Connection) -> Counts:
            events, deliveries, buried = (
                int(connection.execute(query).get)
                for query in (
                    "SELECT events FROM totals",
                    "SELECT count(*) FROM deliveries",
                    "SELECT count(*) FROM buried",
                )
            )
            return Counts(events=events, deliveries=deliveries, buried=buried)

        return await self._writer.submit(run)

    def _forget(self, connection: apsw.Connection, seq: int) -> None:
        """Deletes the event once nobody is owed it and nothing of it is buried; its id stays known for a while."""
        connection.execute(
            "DELETE FROM events WHERE seq = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE seq = ?1) "
            "AND NOT EXISTS (SELECT 1 FROM buried WHERE seq = ?1)",
            (seq,),
        )
