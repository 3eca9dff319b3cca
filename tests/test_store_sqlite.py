import stat
from pathlib import Path

import apsw
import pytest

from gateway.errors import StoreUnavailable
from gateway.store.sqlite import APPLICATION_ID, open_file

FIRST = "CREATE TABLE things (name TEXT NOT NULL) STRICT"
SECOND = "ALTER TABLE things ADD COLUMN colour TEXT NOT NULL DEFAULT 'blue'; CREATE INDEX by_colour ON things (colour)"


def stamp() -> str:
    return "20260101T000000Z"


def make(path: Path, *migrations: str) -> None:
    connection = open_file(path, migrations, stamp=stamp).connection
    connection.execute("INSERT INTO things (name) VALUES ('kept')")
    connection.close()


def names(path: Path, *migrations: str) -> list[object]:
    connection = open_file(path, migrations, stamp=stamp).connection
    found = [row[0] for row in connection.execute("SELECT name FROM things")]
    connection.close()
    return found


def test_a_commit_reaches_the_disk_before_it_returns(tmp_path: Path) -> None:
    """An event is acknowledged after its commit; a log that is flushed later would lose it with the power."""
    connection = open_file(tmp_path / "a.db", [FIRST], stamp=stamp).connection
    assert connection.execute("PRAGMA synchronous").get == 2
    assert connection.execute("PRAGMA journal_mode").get == "wal"
    assert connection.execute("PRAGMA application_id").get == APPLICATION_ID
    connection.close()


def test_the_sqlite_that_is_used_has_no_known_corruption() -> None:
    """Before 3.51.3 two connections that checkpoint one log can corrupt the file."""
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= (3, 51, 3)


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    """It holds what people did; other users of the machine have no business with it."""
    make(tmp_path / "a.db", FIRST)
    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o600


@pytest.mark.parametrize("versions", range(3))
def test_a_file_of_any_older_schema_is_brought_up_to_date(tmp_path: Path, versions: int) -> None:
    """An update of the gateway must find its events again, from whichever version it comes."""
    path = tmp_path / "a.db"
    migrations = (FIRST, SECOND)
    if versions:
        make(path, *migrations[:versions])
    connection = open_file(path, migrations, stamp=stamp).connection
    assert connection.execute("PRAGMA user_version").get == 2
    rows = connection.execute("SELECT name, colour FROM things").fetchall()
    assert rows == ([("kept", "blue")] if versions else [])
    connection.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """Half a schema would be neither the old version's nor the new one's."""
    path = tmp_path / "a.db"
    make(path, FIRST)
    with pytest.raises(StoreUnavailable):
        open_file(path, [FIRST, "CREATE TABLE more (x) STRICT"], stamp=stamp)
    assert names(path, FIRST) == ["kept"]


def test_a_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """A downgrade must not write into tables that it does not know, nor put them aside as damaged."""
    make(tmp_path / "a.db", FIRST, SECOND)
    with pytest.raises(StoreUnavailable, match="newer version"):
        open_file(tmp_path / "a.db", [FIRST], stamp=stamp)
    assert names(tmp_path / "a.db", FIRST, SECOND) == ["kept"]


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """A slip in the settings must not turn somebody's database into ours."""
    path = tmp_path / "a.db"
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(StoreUnavailable, match="another program"):
        open_file(path, [FIRST], stamp=stamp)


@pytest.mark.parametrize(
    ("at", "garbage"), [(0, b"This is no database. " * 20), (100, b"\xff" * 200), (4096, b"\x5a" * 4096)]
)
def test_a_damaged_file_is_put_aside_and_a_new_one_begun(tmp_path: Path, at: int, garbage: bytes) -> None:
    """The gateway must come up again without anybody's help, and what was in the file may still be wanted."""
    path = tmp_path / "a.db"
    make(path, FIRST)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(garbage)
    damaged = path.read_bytes()
    opened = open_file(path, [FIRST], stamp=stamp)
    assert opened.connection.execute("SELECT count(*) FROM things").get == 0
    opened.connection.close()
    assert opened.quarantined == tmp_path / "a.db.damaged-20260101T000000Z"
    assert opened.quarantined.read_bytes() == damaged


def test_a_second_damaged_file_does_not_replace_the_first(tmp_path: Path) -> None:
    """Two bad starts within one second must not cost the evidence of the first."""
    path = tmp_path / "a.db"
    for content in (b"first" * 500, b"second" * 500):
        path.write_bytes(content)
        open_file(path, [FIRST], stamp=stamp).connection.close()
    assert (tmp_path / "a.db.damaged-20260101T000000Z").read_bytes() == b"first" * 500
    assert (tmp_path / "a.db.damaged-20260101T000000Z-1").read_bytes() == b"second" * 500


@pytest.mark.parametrize("name", ["missing/a.db", "."])
def test_a_place_that_takes_no_file_is_a_fault_with_its_name(tmp_path: Path, name: str) -> None:
    """The operator must read which path is wrong."""
    with pytest.raises(StoreUnavailable, match=str(tmp_path)):
        open_file(tmp_path / name, [FIRST], stamp=stamp)
