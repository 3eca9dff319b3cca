"""One SQLite file, opened so that what is committed stays: checked, of a known schema, and only ever written by its owner.

- write-ahead log with synchronous=FULL: a commit has reached the disk before it returns. With NORMAL the last commits would
  be lost with the power, and they are acknowledged already.
- apsw carries its own SQLite. The one in Debian 12 (3.40.1) can corrupt a write-ahead log that two connections checkpoint
  (mended in 3.51.3).
- a damaged file is put aside, never deleted and never repaired in place: what it holds may still be wanted.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from gateway.errors import StoreUnavailable

# How long a commit waits for another process that holds the file.
_BUSY_MS = 5_000

# The log is cut back to this after a checkpoint; a burst may have made it longer.
_WAL_KEPT_BYTES = 64 * 1024 * 1024

# "CgWy" in ASCII: tells our files from those of other programs (SQLite, PRAGMA application_id).
APPLICATION_ID = 0x43675779

_DAMAGE = (apsw.CorruptError, apsw.NotADBError)


class Damaged(Exception):
    """The file is not what SQLite wrote; the message says how it was noticed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection that is ready to write. *quarantined* is where a damaged file was put, if there was one."""

    connection: apsw.Connection
    quarantined: Path | None


def open_file(path: Path, migrations: Sequence[str], *, stamp: Callable[[], str]) -> Opened:
    """The file at *path*, made if it is not there, brought to the newest schema.

    *migrations* lead from each `user_version` to the next, the first from an empty file. *stamp* names the moment, for the
    name of a damaged file. StoreUnavailable where the file cannot be opened, or is not ours, or is newer than we are.
    """
    try:
        return Opened(_open(path, migrations), None)
    except Damaged:
        aside = quarantine(path, stamp=stamp())
        return Opened(_open(path, migrations), aside)


def quarantine(path: Path, *, stamp: str) -> Path:
    """Puts the file and its log aside, under names of their own, and says where; StoreUnavailable where that fails."""
    aside = _free_name(path, stamp)
    try:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{path}{suffix}").rename(f"{aside}{suffix}")
    except OSError as error:
        raise StoreUnavailable(f"{path} is damaged and cannot be put aside: {error.strerror}") from error
    return aside


def _free_name(path: Path, stamp: str) -> Path:
    for number in range(1000):
        name = Path(f"{path}.damaged-{stamp}" + (f"-{number}" if number else ""))
        if not name.exists():
            return name
    raise StoreUnavailable(f"{path} is damaged, and so were a thousand before it")


def _open(path: Path, migrations: Sequence[str]) -> apsw.Connection:
    try:
        # Made by us and not by SQLite: the events of people are for the eyes of the gateway's own user.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
    except apsw.Error as error:
        raise StoreUnavailable(f"{path}: {error}") from error
    try:
        _prepare(connection, path, migrations)
    except _DAMAGE as error:
        connection.close()
        raise Damaged(str(error)) from error
    except apsw.Error as error:
        connection.close()
        raise StoreUnavailable(f"{path}: {error}") from error
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: apsw.Connection, path: Path, migrations: Sequence[str]) -> None:
    connection.set_busy_timeout(_BUSY_MS)
    check = connection.execute("PRAGMA quick_check(1)").get
    if check != "ok":
        raise Damaged(str(check))
    version = connection.execute("PRAGMA user_version").get
    application = connection.execute("PRAGMA application_id").get
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if application != APPLICATION_ID and not (empty and application == 0):
        raise StoreUnavailable(f"{path} is a database of another program")
    if version > len(migrations):
        raise StoreUnavailable(f"{path} was written by a newer version (schema {version}, known are {len(migrations)})")
    if connection.execute("PRAGMA journal_mode=WAL").get != "wal":
        raise StoreUnavailable(f"{path}: the file system takes no write-ahead log")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    # What is deleted is overwritten where that costs no further page: events of people, not rows.
    connection.execute("PRAGMA secure_delete=FAST")
    connection.execute(f"PRAGMA journal_size_limit={_WAL_KEPT_BYTES}")
    for number in range(version, len(migrations)):
        connection.execute(
            f"BEGIN IMMEDIATE; {migrations[number]}; "
            f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={number + 1}; COMMIT"
        )
