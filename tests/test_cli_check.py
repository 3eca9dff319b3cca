"""`check`: settings and rules, every fault of them."""

from pathlib import Path

import pytest

from tests.command_line import VENDOR, on_pipe, on_terminal


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "tracker-example.toml").write_bytes(VENDOR)
    return folder


def test_what_can_be_used_is_told_in_the_promised_shape(rules: Path) -> None:
    """People script against it."""
    answer = on_pipe("check", "--rules", str(rules), "--set", "rules.shipped=false", "--json")
    assert (answer.status, answer.json) == (0, {"ok": True, "faults": [], "vendors": 1})


def test_faults_are_told_in_the_promised_shape(rules: Path) -> None:
    """The shape of a yes, with the faults in it; and status 2, as every command has for them."""
    (rules / "broken.toml").write_bytes(b"format = 1\n[vendor\n")
    answer = on_pipe("check", "--rules", str(rules), "--set", "log.level=loud", "--json")
    assert answer.status == 2
    assert answer.err == ""
    assert (answer.json["ok"], answer.json["vendors"]) == (False, 0)
    assert [(fault["file"], fault["key"]) for fault in answer.json["faults"]] == [
        ("--set", "log.level"),
        (f"{rules}/broken.toml", ""),
    ]
    assert all(set(fault) == {"file", "key", "message"} and fault["message"] for fault in answer.json["faults"])


def test_a_terminal_is_told_what_counts(rules: Path, tmp_path: Path) -> None:
    """The summary says what was read, so that nobody checks the wrong file."""
    assert "1 vendors" in on_terminal("check", "--rules", str(rules), "--set", "rules.shipped=false")
    config = tmp_path / "gateway.toml"
    config.write_text('[origin]\nurl = "https://site.example"\n')
    shown = on_terminal("check", "--config", str(config))
    assert "https://site.example" in shown
    assert "no faults" in shown


def test_a_terminal_is_told_of_faults_one_a_line(rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same lines as every other command, so that they can be searched for."""
    assert on_terminal("check", "--rules", str(rules), "--set", "log.level=loud") == ""
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith("--set: log.level: ")
    assert told[1:] == ["status 2"]
