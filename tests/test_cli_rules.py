"""`rules`: which vendors count, and whether their files do what they say."""

from pathlib import Path

import pytest

from tests.command_line import VENDOR, on_pipe, on_terminal

GOOD = b"""
[[example]]
url = "https://cdn.tracker.example/t.js"
expect = ["hosts.tracker.example"]
"""
BAD = b"""
[[example]]
url = "https://site.example/t.js"
expect = ["hosts.tracker.example"]
note = "served by the site"
"""
ALONE = ("--set", "rules.shipped=false")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tracker-example.toml"
    path.write_bytes(VENDOR)
    return path


def test_vendors_are_listed_in_the_promised_shape(file: Path) -> None:
    """People script against it."""
    answer = on_pipe("rules", "list", "--rules", str(file.parent), *ALONE, "--json")
    assert (answer.status, answer.json) == (
        0,
        [
            {
                "id": "tracker-example",
                "name": "Tracker Example",
                "categories": ["marketing"],
                "hosts": ["tracker.example"],
                "file": str(file),
            }
        ],
    )


def test_a_terminal_is_shown_a_table_with_the_first_hosts(file: Path) -> None:
    """Some vendors have a dozen hosts; a line has room for a few."""
    file.write_bytes(VENDOR + b"".join(b'[[hosts]]\nname = "h%d.example"\n' % number for number in range(4)))
    heading, row = on_terminal("rules", "list", "--rules", str(file.parent), *ALONE).splitlines()
    assert heading.split() == ["id", "name", "categories", "hosts", "file"]
    assert "tracker.example, h0.example, h1.example and 2 more" in row


def test_examples_that_hold_are_told(file: Path) -> None:
    """The count says that they ran."""
    file.write_bytes(VENDOR + GOOD)
    answer = on_pipe("rules", "test", "--rules", str(file.parent), *ALONE)
    assert answer.status == 0
    assert answer.json == {
        "ok": True,
        "passed": 1,
        "failed": 0,
        "results": [
            {
                "vendor": "tracker-example",
                "file": str(file),
                "number": 1,
                "subject": "url",
                "expected": ["hosts.tracker.example"],
                "found": ["hosts.tracker.example"],
                "passed": True,
                "note": "",
            }
        ],
    }


def test_an_example_that_fails_ends_with_status_1_and_says_what_was_found(file: Path) -> None:
    """Not as wanted: a file that does not do what it says must stop whoever ships it."""
    file.write_bytes(VENDOR + GOOD + BAD)
    answer = on_pipe("rules", "test", "--rules", str(file.parent), *ALONE)
    assert (answer.status, answer.json["ok"], answer.json["passed"], answer.json["failed"]) == (1, False, 1, 1)
    shown = on_terminal("rules", "test", "--rules", str(file.parent), *ALONE).splitlines()
    assert shown == [
        f"{file}: example 2 (url): served by the site",
        "  expected: hosts.tracker.example",
        "  found:    nothing",
        "1 of 2 examples passed, 1 vendors",
    ]


def test_a_folder_given_is_laid_over_the_rest_and_tested_alone(file: Path) -> None:
    """Whoever writes one file wants to know of that one."""
    file.write_bytes(VENDOR + GOOD)
    results = on_pipe("rules", "test", str(file.parent)).json["results"]
    assert [result["vendor"] for result in results] == ["tracker-example"]
    assert len(on_pipe("rules", "test", "--rules", str(file.parent)).json["results"]) > 1


def test_a_folder_is_the_same_however_it_is_written(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shells complete folders with a slash at the end."""
    monkeypatch.chdir(file.parent.parent)
    for written in (f"{file.parent}/", file.parent.name, f"./{file.parent.name}", f"{file.parent}//."):
        assert len(on_pipe("rules", "test", written).json["results"]) == 1, written


def test_a_file_without_examples_is_told(file: Path) -> None:
    """It proves nothing, and whoever wrote it should know."""
    shown = on_terminal("rules", "test", str(file.parent))
    assert shown.splitlines() == [f"{file}: no examples", "0 of 0 examples passed, 1 vendors"]


def test_a_folder_that_is_missing_is_bad_settings(tmp_path: Path) -> None:
    """The examples of nothing all hold."""
    assert on_pipe("rules", "test", str(tmp_path / "none")).status == 2
