"""README and the annotated settings file say what the code does."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from gateway.cli import main
from gateway.events import DropReason, Refusal
from gateway.settings_file import load
from gateway.withheld import Degraded
from tests.documentation import DEGRADED, README, REASONS, TABLES, block, commands, settings_rows, toml

DEPLOY = README.parent / "deploy"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_readme_is_what_the_code_says(name: str) -> None:
    """`python -m tests.documentation` writes what stands there; a table that is out of date is worse than none."""
    found = block(README.read_text(), name)
    assert found is not None, f"README has no table between <!-- {name} --> and <!-- /{name} -->"
    assert found == TABLES[name]()


def test_every_reason_is_explained() -> None:
    """A reason in the log that no table knows sends people to the source."""
    assert set(REASONS) == {*DropReason, *Refusal}
    assert set(DEGRADED) == set(Degraded)


def shown_commands() -> Iterator[str]:
    for fence in re.findall(r"^```(?:sh|console|shell|bash)\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE):
        for line in fence.replace("\\\n", " ").splitlines():
            for part in re.split(r"[|;]|&&", line.removeprefix("$ ")):
                if "consent-gateway " in part:
                    yield part[part.index("consent-gateway ") :].partition(" #")[0].strip()


def test_every_command_that_readme_shows_is_one() -> None:
    """People copy what they see; an option that is gone costs them an evening."""
    for line in shown_commands():
        words = shlex.split(line)[1:]
        command: click.Command = main
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            assert words[0] in command.commands, line
            command = command.commands[words.pop(0)]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        known |= {"--help", "-h"}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known, line


def test_every_command_helps_itself() -> None:
    """`--help` is the documentation that is always at hand."""
    for path in commands():
        command = path[-1]
        assert command.help, command.name
        undescribed = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
        assert not undescribed, f"{command.name}: {undescribed}"


def test_the_annotated_file_loads_as_it_stands_and_changes_nothing_but_the_origin() -> None:
    """It is what people start from: every default in it must be the default."""
    text = (DEPLOY / "gateway.toml").read_bytes()
    origin = tomllib.loads(text.decode())["origin"]["url"]
    annotated = load(text, file="gateway.toml", environ={}).settings
    assert annotated == load(None, file="", overrides=[f"origin.url={origin}"], environ={}).settings


def uncommented() -> str:
    return re.sub(r"^#(?=[a-z\[])", "", (DEPLOY / "gateway.toml").read_text(), flags=re.MULTILINE)


def test_the_examples_of_the_annotated_file_load_too() -> None:
    """Taking the # away is all that is asked of the reader."""
    loaded = load(uncommented().encode(), file="gateway.toml", environ={"WAREHOUSE_TOKEN": "x"})
    assert [one.name for one in loaded.settings.destinations] == ["warehouse"]


def keys_of(table: object, prefix: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(table, dict):
        for name, value in table.items():
            yield from keys_of(value, f"{prefix}.{name}" if prefix else name)
    elif isinstance(table, list) and table and isinstance(table[0], dict):
        yield from keys_of(table[0], f"{prefix}[]")
    else:
        yield prefix, table


def test_the_annotated_file_names_every_key_with_its_default() -> None:
    """A key that stands in no example is found by nobody."""
    written = dict(keys_of(tomllib.loads(uncommented())))
    rows = [(key.strip("`"), default.strip("`")) for key, default, _ in settings_rows()]
    assert set(written) == {key for key, _ in rows}
    for key, default in rows:
        value = written[key]
        assert not default or toml(tuple(value) if isinstance(value, list) else value) == default, key


def test_each_key_of_the_annotated_file_has_its_reason_above_it() -> None:
    """The reason beside each setting is why the file exists."""
    lines = (DEPLOY / "gateway.toml").read_text().splitlines()
    for above, line in pairwise(lines):
        if re.match(r"#?[a-z_]+ = ", line):
            assert above.startswith("# ") or above == "#[[destinations]]", line


@pytest.mark.parametrize("name", ["gateway.toml", "minimal.toml"])
def test_the_files_of_deploy_are_narrow_enough_to_read(name: str) -> None:
    """They are read in terminals, over somebody's shoulder."""
    assert max(map(len, Path(DEPLOY / name).read_text().splitlines())) <= 128


def test_the_least_file_names_the_origin_and_nothing_else() -> None:
    """What must be said is one thing, and must stay one thing."""
    text = (DEPLOY / "minimal.toml").read_bytes()
    assert list(keys_of(tomllib.loads(text.decode()))) == [("origin.url", "http://127.0.0.1:8000")]
    assert load(text, file="minimal.toml", environ={}).settings.origin.url == "http://127.0.0.1:8000"
