"""What all commands share: where settings and rules come from, and how faults and answers are told."""

from pathlib import Path

import pytest

from gateway import __version__
from tests.command_line import VENDOR, on_pipe, on_terminal

COMMANDS = [
    ("run",),
    ("check",),
    ("explain", "https://tracker.example/"),
    ("rewrite",),
    ("rules", "list"),
    ("rules", "test"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tracker-example.toml").write_bytes(VENDOR)
    return tmp_path


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_settings_that_cannot_be_used_end_every_command_with_status_2(command: tuple[str, ...]) -> None:
    """All faults, one a line, on standard error: nothing was started and nothing was answered."""
    answer = on_pipe(*command, "--set", "log.level=loud", "--set", "nonsense", "--rules", "does-not-exist")
    assert answer.status == 2
    told = answer.out.decode() + answer.err
    for fault in ("log.level", "key=value", "does-not-exist"):
        assert fault in told
    if command != ("check",):
        assert answer.out == b""
        assert all(line.startswith(("--set: ", "does-not-exist: ", "settings: ")) for line in answer.err.splitlines())


def test_the_consent_command_asks_no_rules_and_tells_faults_of_settings_like_the_others() -> None:
    """It answers for headers alone; a broken rule file is none of its business."""
    answer = on_pipe("consent", "--set", "log.level=loud", "--set", 'rules.dirs=["does-not-exist"]')
    assert (answer.status, answer.out, len(answer.err.splitlines())) == (2, b"", 1)
    assert on_pipe("consent", "--set", 'rules.dirs=["does-not-exist"]').status == 0
    assert on_pipe("consent", "--config", "does-not-exist").status == 2


@pytest.mark.parametrize("option", ["--listn", "--port"])
def test_an_option_that_is_none_is_bad_use(option: str) -> None:
    """Bad use and bad settings share a status: nothing ran."""
    assert on_pipe("run", option, "x").status == 2


def test_a_command_that_is_none_is_bad_use() -> None:
    """The same, for commands."""
    assert on_pipe("runn").status == 2


def test_the_version_is_told() -> None:
    """The first thing that a report of a fault asks for."""
    assert on_pipe("--version").out.decode().strip() == f"consent-gateway, version {__version__}"


def test_rules_of_the_command_line_lie_over_those_of_the_file_and_the_shipped(folder: Path) -> None:
    """Whoever names a folder there wants to see it count."""
    (folder / "mine").mkdir()
    (folder / "mine" / "t.toml").write_bytes(VENDOR.replace(b"Tracker Example", b"From the file"))
    config = folder / "gateway.toml"
    config.write_text('[rules]\nshipped = false\ndirs = ["mine"]\n[origin]\nurl = "https://site.example"\n')
    assert [vendor["name"] for vendor in on_pipe("rules", "list", "--config", str(config)).json] == ["From the file"]
    (folder / "over").mkdir()
    (folder / "over" / "t.toml").write_bytes(VENDOR)
    over = on_pipe("rules", "list", "--config", str(config), "--rules", str(folder / "over")).json
    assert [vendor["name"] for vendor in over] == ["Tracker Example"]


def test_an_option_of_its_own_wins_over_a_set_and_its_faults_bear_its_name(folder: Path) -> None:
    """`--origin` is what people type last; a fault told under `--set` would send them looking for one."""
    config = folder / "gateway.toml"
    config.write_text('[origin]\nurl = "ftp://site.example"\n')
    assert on_pipe("check", "--config", str(config), "--origin", "https://other.example").status == 0
    answer = on_pipe("run", "--origin", "other.example", "--listen", "nowhere", "--set", "origin.url=https://a.example")
    assert answer.status == 2
    assert sorted(line.split(": ")[0] for line in answer.err.splitlines()) == ["--listen", "--origin"]


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_settings_file_that_cannot_be_read_is_a_fault_like_others(folder: Path, name: str) -> None:
    """The faults of the rules are told beside it."""
    answer = on_pipe("run", "--config", str(folder / name), "--rules", str(folder / "none"))
    assert answer.status == 2
    assert len(answer.err.splitlines()) == 2
    assert "cannot be read" in answer.err


WITHOUT_ORIGIN = {
    "none": "[log]\n",
    "a table without url": "[origin]\nverify_tls = false\n",
    "a byte order mark": "\ufeff[log]\n",
    "nothing at all": "",
}


@pytest.mark.parametrize("text", WITHOUT_ORIGIN.values(), ids=WITHOUT_ORIGIN)
@pytest.mark.parametrize("command", ["check", "run"])
def test_a_file_without_origin_is_a_fault_for_check_and_run(folder: Path, command: str, text: str) -> None:
    """`check` must not call a file good that `run` refuses."""
    config = folder / "gateway.toml"
    config.write_text(text)
    answer = on_pipe(command, "--config", str(config))
    assert answer.status == 2
    assert "origin.url" in answer.out.decode() + answer.err
    if command == "check":
        assert on_pipe("check", "--config", str(config), "--origin", "https://site.example").status == 0


OFFLINE = [("explain", "/x"), ("rewrite",), ("rules", "list"), ("rules", "test"), ("consent",)]


@pytest.mark.parametrize("text", WITHOUT_ORIGIN.values(), ids=WITHOUT_ORIGIN)
@pytest.mark.parametrize("command", OFFLINE, ids=" ".join)
def test_a_file_without_origin_will_do_where_none_is_contacted(
    folder: Path, command: tuple[str, ...], text: str
) -> None:
    """A file of consent settings alone is enough to ask what they decide."""
    config = folder / "gateway.ini"
    config.write_text(text)
    answer = on_pipe(*command, "--config", str(config))
    assert (answer.status, answer.err) == (0, "")


@pytest.mark.parametrize("command", OFFLINE, ids=" ".join)
@pytest.mark.parametrize(
    "text", ['origin = "https://site.example"', '[origin]\nurl = "x"', "[origin", "[origin]\nurl = 1"]
)
def test_an_origin_that_is_wrong_is_a_fault_for_every_command(
    folder: Path, command: tuple[str, ...], text: str
) -> None:
    """Only what is missing is assumed; what somebody wrote is read."""
    config = folder / "gateway.ini"
    config.write_text(text)
    answer = on_pipe(*command, "--config", str(config))
    assert answer.status == 2
    assert answer.err.startswith(f"{config}: ")


def test_the_assumed_site_gives_way_to_the_file_and_both_to_the_option(folder: Path) -> None:
    """What is of the site's own host is not a third party's, so the host must be the right one."""
    config = folder / "gateway.ini"
    page = b'<script src="https://tracker.example/t.js"></script>'

    def rewritten(*args: str) -> bytes:
        return on_pipe("rewrite", "--config", str(config), "--rules", str(folder), *args, stdin=page).out

    config.write_text("[log]\n")
    assert rewritten() != page
    assert rewritten("--origin", "https://tracker.example") == page
    assert rewritten("--set", "origin.url=https://tracker.example") == page
    config.write_text('[origin]\nurl = "https://tracker.example"\n')
    assert rewritten() == page
    assert rewritten("--origin", "https://site.example") != page


def test_rules_that_a_broken_settings_file_names_are_looked_at_all_the_same(folder: Path) -> None:
    """One start, one list of faults."""
    (folder / "bad.toml").write_bytes(b"format = 1\n")
    config = folder / "gateway.ini"
    config.write_text('[rules]\ndirs = ["."]\n[log]\nlevel = "loud"\n[origin]\nurl = "https://site.example"\n')
    err = on_pipe("run", "--config", str(config)).err
    assert "log.level" in err
    assert "bad.toml" in err


def test_a_folder_that_is_missing_does_not_hide_the_faults_of_another(folder: Path) -> None:
    """The same, between folders."""
    (folder / "bad.toml").write_bytes(b"format = 1\n")
    err = on_pipe("rules", "list", "--rules", str(folder / "none"), "--rules", str(folder)).err
    assert "none: " in err
    assert "bad.toml: " in err


def test_a_disabled_vendor_that_nobody_knows_is_laid_at_the_door_of_the_settings(folder: Path) -> None:
    """A misspelt id would leave alone nothing, or the wrong one."""
    config = folder / "gateway.ini"
    config.write_text('[rules]\ndisabled = ["tracker-exampel"]\n[origin]\nurl = "https://site.example"\n')
    err = on_pipe("rules", "list", "--config", str(config), "--rules", str(folder)).err
    assert err.startswith(f"{config}: rules.disabled: ")
    assert "did you mean 'tracker-example'?" in err


@pytest.mark.parametrize("command", [("check",), ("explain", "/x"), ("consent",), ("rules", "list"), ("rules", "test")])
def test_a_pipe_gets_json_and_a_terminal_does_not_unless_it_is_asked_for(command: tuple[str, ...]) -> None:
    """A program need not remember an option; a person need not read braces."""
    assert on_pipe(*command).json == on_pipe(*command, "--json").json
    assert on_terminal(*command)[0] not in "{["
    assert on_terminal(*command, "--json")[0] in "{["
