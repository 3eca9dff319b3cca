"""The settings file, overrides and environment become settings, or every fault at once."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st

from gateway.errors import StartupFaults
from gateway.settings import Settings
from gateway.settings_file import Loaded, load

ORIGIN = b'[origin]\nurl = "https://site.example"\n'
DESTINATION = b'[[destinations]]\nname = "crm"\nurl = "https://crm.example/in"\n'


def loaded(text: bytes | None, *overrides: str, environ: dict[str, str] | None = None) -> Loaded:
    return load(text, file="etc/gateway.toml", overrides=overrides, environ=environ or {})


def faults(text: bytes | None, *overrides: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(StartupFaults) as caught:
        loaded(text, *overrides, environ=environ)
    return list(map(str, caught.value.faults))


def test_a_file_with_an_origin_loads() -> None:
    """The least file there is."""
    assert loaded(ORIGIN).settings.origin.url == "https://site.example"


def test_no_file_is_needed_where_the_command_line_says_the_origin() -> None:
    """`run --origin URL` is the whole of a first try."""
    assert loaded(None, "origin.url=https://site.example").settings == loaded(ORIGIN).settings.model_copy(
        update={"collect": Settings.model_validate({"origin": {"url": "https://site.example"}}).collect}
    )


@pytest.mark.parametrize("text", [None, b"", b"[origin]\n", b"[listen]\naddress = '[::]:80'\n"])
def test_a_missing_origin_is_told_with_both_ways_to_give_it(text: bytes | None) -> None:
    """It is the first thing that every newcomer forgets."""
    (fault,) = faults(text)
    assert fault.startswith("etc/gateway.toml: origin.url: missing")
    assert "--origin" in fault
    assert "[origin]" in fault


def test_all_faults_of_file_and_overrides_come_at_once_in_their_order() -> None:
    """Whoever mends a file wants one list, not one fault a start."""
    text = b"""
[log]
level = "loud"
[listen]
adress = "x"
grace_s = true
trusted_proxies = ["10.0.0.0/8", "10.0.0.1/8"]
[orign]
url = "https://site.example"
"""
    assert [fault.rsplit(": ", 1)[0] for fault in faults(text, "nonsense", "log.format=xml", "consent.region=de")] == [
        "etc/gateway.toml: origin.url",
        "etc/gateway.toml: log.level",
        "etc/gateway.toml: listen.adress",
        "etc/gateway.toml: listen.grace_s",
        "etc/gateway.toml: listen.trusted_proxies[1]",
        "etc/gateway.toml: orign",
        "--set: not of the form key=value with a dotted key",
        "--set: log.format",
        "--set: consent.region",
    ]


@pytest.mark.parametrize(
    ("text", "near"),
    [(b"[listen]\nadress = 'x'\n", "address"), (b"[orign]\n", "origin"), (b"prefx = '/a'\n", "prefix")],
)
def test_a_misspelt_key_is_told_the_nearest_known_one(text: bytes, near: str) -> None:
    """A key that is silently ignored is a setting that somebody believes in."""
    assert any(f"did you mean '{near}'?" in fault for fault in faults(ORIGIN + text if near != "prefix" else text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"[origin\n", "not TOML"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"a = 1\na = 2\n", "not TOML"),
        (b"a = " + b"[" * 100_000, "not TOML"),
    ],
    ids=["broken", "utf-16", "twice", "deep"],
)
def test_a_file_that_is_no_toml_is_one_fault_beside_those_of_the_overrides(text: bytes, says: str) -> None:
    """The origin that the broken file may well hold is not called missing."""
    file, override = faults(text, "log.level=loud")
    assert says in file
    assert override.startswith("--set: log.level")


def test_a_byte_order_mark_is_read_over() -> None:
    """Some editors put one in front of everything."""
    assert loaded(b"\xef\xbb\xbf" + ORIGIN).settings.origin.url == "https://site.example"


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("listen.grace_s=5", "listen.grace_s", 5.0),
        ("listen.grace_s= 5", "listen.grace_s", 5.0),
        ("consent.gpc=false", "consent.gpc", False),
        ("log.level=debug", "log.level", "debug"),
        ('log.level="debug"', "log.level", "debug"),
        ("origin.url=https://other.example", "origin.url", "https://other.example"),
        ("consent.region=", "consent.region", ""),
        ('rules.dirs=["a", "b"]', "rules.dirs", (Path("a"), Path("b"))),
        ("rules.dirs=[]", "rules.dirs", ()),
        ("rules.dirs[0]=a", "rules.dirs", (Path("a"),)),
        ("prefix=/privacy", "prefix", "/privacy"),
        ('consent.readers=["own"]', "consent.readers", ("own",)),
    ],
)
def test_an_override_is_read_as_toml_and_failing_that_as_text(override: str, path: str, value: object) -> None:
    """Quotes inside quotes of a shell are what people get wrong."""
    found: Any = loaded(ORIGIN, override).settings
    for name in path.split("."):
        found = getattr(found, name)
    assert found == value


def test_a_later_override_wins_over_an_earlier_and_both_over_the_file() -> None:
    """`--origin` is put after `--set`, and must count."""
    assert loaded(ORIGIN, "listen.grace_s=1", "listen.grace_s=2").settings.listen.grace_s == 2.0


def test_destinations_can_be_given_and_changed_from_the_command_line() -> None:
    """Every key is to be had there, those of repeated tables too."""
    given = loaded(ORIGIN, 'destinations=[{name="crm", url="https://crm.example/in"}]').settings.destinations
    assert [(one.name, one.url) for one in given] == [("crm", "https://crm.example/in")]
    changed = loaded(
        ORIGIN + DESTINATION,
        "destinations[0].timeout_s=3",
        "destinations[1].name=log",
        "destinations[1].url=https://log.example/",
    ).settings.destinations
    assert [(one.name, one.timeout_s) for one in changed] == [("crm", 3.0), ("log", 10.0)]


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("", "not of the form"),
        ("listen", "not of the form"),
        ("=5", "not of the form"),
        ("listen..grace_s=5", "not of the form"),
        ("listen.=5", "not of the form"),
        ("lis ten.a=5", "not of the form"),
        ("prefix.x=5", "prefix.x: prefix is not a table"),
        ("listen[0]=5", "listen[0]: listen is not a list"),
        ("destinations[2].name=x", "no such position; destinations has 1"),
        ("log.level=\udcff", "not UTF-8"),
        ("listen.adress=x", "did you mean 'address'?"),
        ("orign.url=https://x.example", "did you mean 'origin'?"),
        ("destinations[0].url=ftp://x", "not an address of the web"),
        ("listen.grace_s=1\nlisten.keepalive_s = 2", "should be a valid number"),
    ],
)
def test_an_override_that_cannot_be_used_is_a_fault_of_the_command_line(override: str, says: str) -> None:
    """The fault names `--set`, so that nobody looks for it in the file."""
    text = b'prefix = "/_consent"\n' + ORIGIN + b"[listen]\nmax_requests = 5\n" + DESTINATION
    (fault,) = faults(text, override)
    assert fault.startswith("--set: ")
    assert says in fault


def test_a_fault_of_the_file_stays_the_files_beside_an_override_in_the_same_table() -> None:
    """Only what the command line made is laid at its door."""
    assert [fault.split(": ")[0] for fault in faults(ORIGIN + b"[log]\nlevel='x'\n", "log.format=x")] == [
        "etc/gateway.toml",
        "--set",
    ]


def test_values_keep_their_toml_types() -> None:
    """`grace_s = true` is a slip, not one second; 8.0 requests are none either."""
    for table in (b"grace_s = true", b'grace_s = "5"', b"max_requests = 8.0"):
        assert len(faults(ORIGIN + b"[listen]\n" + table)) == 1
    assert loaded(ORIGIN + b"[listen]\ngrace_s = 5\n").settings.listen.grace_s == 5.0


def test_paths_of_the_file_are_relative_to_its_folder_and_those_of_overrides_are_not() -> None:
    """A service starts in a folder that nobody thinks of; a shell in the one people see."""
    text = ORIGIN + b'[rules]\ndirs = ["mine", "/srv/rules"]\n'
    settings = loaded(text).settings
    assert settings.rules.dirs == (Path("etc/mine"), Path("/srv/rules"))
    assert settings.collect.store == Path("etc/consent-gateway.db")
    settings = loaded(text, 'rules.dirs=["here"]', "collect.store=here.db").settings
    assert (settings.rules.dirs, settings.collect.store) == ((Path("here"),), Path("here.db"))
    assert loaded(text, "rules.dirs[2]=here").settings.rules.dirs[2] == Path("here")
    assert loaded(None, "origin.url=https://site.example").settings.collect.store == Path("consent-gateway.db")


def test_a_secret_comes_from_the_environment_by_the_name_that_the_file_gives() -> None:
    """Files are copied, committed and mailed; the environment is not. Nothing else is taken from it."""
    found = loaded(ORIGIN + DESTINATION + b'secret_env = "CRM_KEY"\n', environ={"CRM_KEY": "s3cr3t", "OTHER": "x"})
    assert dict(found.secrets) == {"crm": "s3cr3t"}
    assert "s3cr3t" not in repr(found.settings)


@pytest.mark.parametrize("value", ["", "s3cr3t\n", "s3cr3t key", "s3cr3t\u00e9", "\x00s3cr3t"])
def test_a_secret_that_cannot_be_sent_is_a_fault_that_does_not_repeat_it(value: str) -> None:
    """A line end read along from a file would break, or split, every request to the destination."""
    (fault,) = faults(ORIGIN + DESTINATION + b'secret_env = "CRM_KEY"\n', environ={"CRM_KEY": value})
    assert fault.startswith("etc/gateway.toml: destinations[0].secret_env: the environment variable CRM_KEY")
    assert "s3cr3t" not in fault


def test_an_absent_secret_is_told_beside_the_other_faults() -> None:
    """All at once means secrets too, though the rest of the file does not hold."""
    text = ORIGIN + DESTINATION + b'secret_env = "CRM_KEY"\n[log]\nlevel = "loud"\n'
    assert [fault.split(": ")[1] for fault in faults(text)] == ["destinations[0].secret_env", "log.level"]


@pytest.mark.parametrize(
    "text",
    [
        DESTINATION + b'secret_env = "s3cr3t"\n',
        DESTINATION + b'secret = "s3cr3t"\n',
        b'[[destinations]]\nname = "crm"\nurl = "https://u:s3cr3t@crm.example/"\n',
        b'[[destinations]]\nname = "crm"\nurl = "https://s3cr3t@crm.example/"\n',
        b'[[destinations]]\nname = "crm"\nurl = "https://crm.example/?key=s3cr3t"\n',
        b'[[destinations]]\nname = "crm"\nurl = "https://crm.example/#s3cr3t"\n',
    ],
)
def test_a_secret_in_the_wrong_place_is_not_repeated(text: bytes) -> None:
    """Start-up faults end in logs and in tickets."""
    (fault,) = faults(ORIGIN + text)
    assert "s3cr3t" not in fault


@effort(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.lists(st.text(max_size=40), max_size=3))
def test_whatever_is_given_either_loads_or_is_told(text: bytes, overrides: list[str]) -> None:
    """A traceback at the start tells an operator nothing."""
    try:
        load(text, file="gateway.toml", overrides=overrides, environ={})
    except StartupFaults as faults_found:
        told = str(faults_found)
    else:
        told = "loaded"
    assert told
