"""The one thread that writes: everything that waits is committed together, and nobody hears of it before the commit.

A commit costs one flush of the disk, whether it holds one event or five hundred. So the thread takes all jobs that have come
in during the last commit and makes one transaction of them. A job is a function of the connection; what it returns reaches
its caller after the commit. If the transaction fails, it fails for all of them: none is stored.

The commit is the thread's, not the caller's. A caller that is cancelled (its client went away) leaves its job behind, which
is committed like any other: a beacon is stored whole or not at all.
"""

import asyncio
import contextlib
import functools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import apsw

from gateway.errors import StoreUnavailable
from gateway.events import StoreTroubled, Trouble
from gateway.store.sqlite import open_file, quarantine

T = TypeVar("T")

# Jobs of one transaction at most: bounds how long the first of them waits for the last.
_BATCH_JOBS = 1_000


@dataclass(frozen=True, slots=True)
class _Job:
    """*run* does the work in the thread and answers with what is to be done in the loop once it is committed."""

    run: Callable[[apsw.Connection], Callable[[], None]]
    fail: Callable[[StoreUnavailable], None]


def _job(run: Callable[[apsw.Connection], T], answer: asyncio.Future[T]) -> _Job:
    def work(connection: apsw.Connection) -> Callable[[], None]:
        result = run(connection)
        return lambda: None if answer.done() else answer.set_result(result)

    def fail(failure: StoreUnavailable) -> None:
        if not answer.done():
            # One exception each: a traceback grows with every caller that raises the same one.
            own = StoreUnavailable(*failure.args)
            own.__cause__ = failure
            answer.set_exception(own)

    return _Job(work, fail)


class Writer:
    """Owns the connection and its thread. Bound to the event loop in which it was started.

    *queue_limit* bounds the jobs that wait with `bounded=True`; *on_trouble* is called in the loop. *stamp* names the moment,
    for the name of a damaged file.
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        *,
        queue_limit: int,
        on_trouble: Callable[[StoreTroubled], None],
        stamp: Callable[[], str],
    ) -> None:
        self._path = path
        self._migrations = migrations
        self._queue_limit = queue_limit
        self._on_trouble = on_trouble
        self._stamp = stamp
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[_Job] = deque()
        self._awake = threading.Condition()
        self._closing = False
        self._failed = False
        self._connection: apsw.Connection | None = None
        self._inode = 0
        self._finished = self._loop.create_future()
        # A daemon: a process that ends in a hurry must not hang on it. What is committed is safe, the rest was not promised.
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    async def start(self) -> None:
        """Opens the file; StoreUnavailable where that cannot be done."""
        self._thread.start()
        try:
            await self.submit(lambda _connection: None)
        except BaseException:
            await self.close()
            raise

    async def submit(self, run: Callable[[apsw.Connection], T], *, bounded: bool = False) -> T:
        """What *run* returned, after its commit. StoreUnavailable: nothing of it is stored, or nobody can tell."""
        answer: asyncio.Future[T] = self._loop.create_future()
        with self._awake:
            if self._closing:
                raise StoreUnavailable("the store is closed")
            if bounded and len(self._jobs) >= self._queue_limit:
                raise StoreUnavailable("too many events wait for the disk")
            self._jobs.append(_job(run, answer))
            self._awake.notify()
        return await answer

    async def close(self) -> None:
        """Commits what has been handed over, and closes the file. May be called twice."""
        with self._awake:
            self._closing = True
            self._awake.notify()
        await asyncio.shield(self._finished)  # a second caller, or a cancelled one, must not cancel it for the first

    def _run(self) -> None:
        while jobs := self._next_jobs():
            outcome = self._commit(jobs)
            self._tell(functools.partial(_answer, jobs, outcome))
        self._drop_connection()
        self._tell(lambda: self._finished.set_result(None))

    def _next_jobs(self) -> list[_Job]:
        """Everything that waits, up to the limit; empty when the store is closed and all is done."""
        with self._awake:
            while not self._jobs and not self._closing:
                self._awake.wait()
            return [self._jobs.popleft() for _ in range(min(len(self._jobs), _BATCH_JOBS))]

    def _commit(self, jobs: list[_Job]) -> list[Callable[[], None]] | StoreUnavailable:
        try:
            connection = self._connect()
            with self._transaction(connection):
                results = [job.run(connection) for job in jobs]
        except StoreUnavailable as error:
            return self._fail(error)
        except (apsw.CorruptError, apsw.NotADBError) as error:
            return self._fail(self._put_aside(error))
        except (apsw.BusyError, apsw.LockedError, apsw.FullError) as error:
            # The file is sound and the transaction rolled back; the next one may find room.
            return self._fail(StoreUnavailable(str(error)), error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the thread lives on, and nobody is told "stored"
            # After an I/O error the kernel may have thrown away pages that were never written, and says so only once:
            # nothing this connection remembers can be trusted. The next batch opens the file again.
            self._drop_connection()
            return self._fail(StoreUnavailable(f"{type(error).__name__}: {error}"), error)
        if self._failed:
            self._failed = False
            self._report(Trouble.RECOVERED, str(self._path))
        return results

    def _connect(self) -> apsw.Connection:
        if self._connection is not None and not self._is_in_place():
            # Moved or deleted by somebody: what is committed to it would be gone with the next start.
            self._drop_connection()
        if self._connection is None:
            opened = open_file(self._path, self._migrations, stamp=self._stamp)
            self._connection = opened.connection
            self._inode = self._path.stat().st_ino
            if opened.quarantined is not None:
                self._report(Trouble.QUARANTINED, str(opened.quarantined))
        return self._connection

    def _is_in_place(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except OSError:
            return False

    @contextlib.contextmanager
    def _transaction(self, connection: apsw.Connection) -> Iterator[None]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself after some errors (a full disk, an I/O error).
            if connection.in_transaction:
                with contextlib.suppress(apsw.Error):
                    connection.execute("ROLLBACK")
            raise

    def _put_aside(self, error: apsw.Error) -> StoreUnavailable:
        self._drop_connection()
        try:
            aside = quarantine(self._path, stamp=self._stamp())
        except StoreUnavailable as failure:
            return failure
        self._report(Trouble.QUARANTINED, str(aside))
        return StoreUnavailable(str(error))

    def _fail(self, failure: StoreUnavailable, cause: Exception | None = None) -> StoreUnavailable:
        failure.__cause__ = cause or failure.__cause__
        if not self._failed:
            self._failed = True
            self._report(Trouble.UNAVAILABLE, str(failure))
        return failure

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(apsw.Error):
                connection.close(force=True)

    def _report(self, trouble: Trouble, detail: str) -> None:
        self._tell(lambda: self._on_trouble(StoreTroubled(trouble, detail)))

    def _tell(self, what: Callable[[], None]) -> None:
        # The loop may be gone when a process ends without closing the store; then nobody is left to be told.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what)


def _answer(jobs: list[_Job], outcome: list[Callable[[], None]] | StoreUnavailable) -> None:
    if isinstance(outcome, StoreUnavailable):
        for job in jobs:
            job.fail(outcome)
    else:
        for publish in outcome:
            publish()
