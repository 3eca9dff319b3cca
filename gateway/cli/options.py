"""What all commands share: the options that say which settings and rules count, and how an answer is printed."""

import os
import re
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import orjson

from gateway import rule_files, settings_file
from gateway.consent import decide
from gateway.consent.model import Category, Decision
from gateway.errors import Fault, StartupFaults
from gateway.settings import RulesSettings, Settings
from gateway.vendors import catalogue
from gateway.vendors import url as urls
from gateway.vendors.catalogue import Catalogue

# Exit statuses, for whoever scripts: 0 fine, and these.
NOT_AS_WANTED = 1
BAD_SETTINGS = 2

# The page that a subject stands on, where nobody says which.
SOME_SITE = "https://site.example/"

# Overrides that have an option of their own are told under its name.
_OPTIONS = {"origin.url": "--origin", "listen.address": "--listen"}

_WEB = re.compile(r"https?://", re.IGNORECASE)

_Command = TypeVar("_Command", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class Given:
    """What the command line says about settings; nothing of it is read yet."""

    config: Path | None
    overrides: tuple[str, ...]
    rules: tuple[Path, ...]
    origin: str | None

    def with_rules(self, dirs: tuple[Path, ...]) -> "Given":
        """The same, with further folders of vendor files on top."""
        return replace(self, rules=self.rules + dirs)

    def settings(self) -> Settings:
        """The settings alone, for a command that asks no rules; StartupFaults has every fault of them."""
        text, faults = _read(self.config)
        if faults:
            raise StartupFaults(faults)
        overrides = self._overrides(text, listen=None, needs_origin=False)
        return settings_file.load(text, file=self._file, overrides=overrides, environ=os.environ).settings

    def load(self, *, listen: str | None = None, needs_origin: bool) -> tuple[settings_file.Loaded, Catalogue]:
        """Settings, secrets and rules; StartupFaults has every fault of all of them.

        Commands that contact no origin (*needs_origin* false) need none either: where nothing names one, it is SOME_SITE.
        """
        text, faults = _read(self.config)
        overrides = self._overrides(text, listen=listen, needs_origin=needs_origin)
        loaded: settings_file.Loaded | None = None
        if not faults:
            try:
                loaded = settings_file.load(text, file=self._file, overrides=overrides, environ=os.environ)
            except StartupFaults as caught:
                by_option = {"listen.address": listen, "origin.url": self.origin}
                faults += [_under_its_option(fault, by_option) for fault in caught.faults]
        # Where the settings do not hold, the rules that they name are looked at all the same: one start, one list.
        rules = loaded.settings.rules if loaded else settings_file.rules_of(text, file=self._file, overrides=overrides)
        try:
            found = _catalogue(rules.model_copy(update={"dirs": rules.dirs + self.rules}))
        except StartupFaults as caught:
            faults += [replace(fault, file=fault.file or self._file) for fault in caught.faults]
            raise StartupFaults(faults) from caught
        if loaded is None:
            raise StartupFaults(faults)
        return loaded, found

    @property
    def _file(self) -> str:
        return str(self.config) if self.config else "settings"

    def _overrides(self, text: bytes | None, *, listen: str | None, needs_origin: bool) -> list[str]:
        by_option = {"listen.address": listen, "origin.url": self.origin}
        return [
            *([] if needs_origin or _names_origin(text) else [f"origin.url={SOME_SITE}"]),
            *self.overrides,
            *(f"{key}={value}" for key, value in by_option.items() if value is not None),
        ]


def _read(config: Path | None) -> tuple[bytes | None, list[Fault]]:
    if config is None:
        return None, []
    try:
        return config.read_bytes(), []
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or type(error).__name__).lower()
        return None, [Fault(file=str(config), key="", message=f"cannot be read: {reason}")]


def _names_origin(text: bytes | None) -> bool:
    """The settings file says where the site is, or says so wrongly: what is no TOML or no table is told as a fault."""
    try:
        origin = tomllib.loads((text or b"").decode("utf-8-sig")).get("origin", {})
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError):
        return True
    return not isinstance(origin, dict) or "url" in origin


def _catalogue(rules: RulesSettings) -> Catalogue:
    """The catalogue of all layers; where some cannot be read, the faults of the others are told beside theirs."""
    layers: list[dict[str, bytes]] = []
    faults: list[Fault] = []
    folders: list[tuple[Path, ...]] = [()] if rules.shipped else []
    for dirs in folders + [(folder,) for folder in rules.dirs]:
        try:
            layers += rule_files.read(dirs, shipped=not dirs)
        except StartupFaults as caught:
            faults += caught.faults
    if not faults:
        return catalogue.load(layers, disabled=rules.disabled)
    try:
        catalogue.load(layers, may_be_empty=True)
    except StartupFaults as caught:
        faults += caught.faults
    raise StartupFaults(faults)


def _under_its_option(fault: Fault, by_option: dict[str, str | None]) -> Fault:
    given = fault.file == settings_file.OVERRIDE and by_option.get(fault.key) is not None
    return replace(fault, file=_OPTIONS[fault.key]) if given else fault


def settings_options(command: _Command) -> _Command:
    """The options `--config`, `--set`, `--rules` and `--origin`; the command gets them as one argument *given*.

    Settings and rules that cannot be used end the command with their faults, one a line on standard error, and status 2.
    """

    @_file_options
    @click.option(
        "--rules",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder of vendor files, over those before it by vendor id. Repeatable.",
    )
    @click.option("--origin", metavar="URL", help="The site behind the gateway: scheme, host and port.")
    @wraps(command)
    def with_settings(
        *args: object,
        config: Path | None,
        overrides: tuple[str, ...],
        rules: tuple[Path, ...],
        origin: str | None,
        **kwargs: object,
    ) -> object:
        given = Given(config=config, overrides=overrides, rules=rules, origin=origin)
        return _or_its_faults(command, *args, given=given, **kwargs)

    return with_settings  # type: ignore[return-value]  # the same command, with other arguments


def consent_settings_options(command: _Command) -> _Command:
    """The options `--config` and `--set` alone, for a command that asks neither rules nor site."""

    @_file_options
    @wraps(command)
    def with_settings(*args: object, config: Path | None, overrides: tuple[str, ...], **kwargs: object) -> object:
        given = Given(config=config, overrides=overrides, rules=(), origin=None)
        return _or_its_faults(command, *args, given=given, **kwargs)

    return with_settings  # type: ignore[return-value]  # the same command, with other arguments


def _file_options(command: _Command) -> _Command:
    config = click.option(
        "--config", type=click.Path(path_type=Path), metavar="FILE", help="Settings file (TOML). None: all defaults."
    )
    one = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="One setting, over the file's: listen.grace_s=5. Repeatable.",
    )
    return config(one(command))


def _or_its_faults(command: Callable[..., object], *args: object, **kwargs: object) -> object:
    try:
        return command(*args, **kwargs)
    except StartupFaults as faults:
        click.echo(str(faults), err=True)
        sys.exit(BAD_SETTINGS)


def _page(_context: click.Context, _parameter: click.Parameter, text: str | None) -> str | None:
    if text is not None and (not _WEB.match(text) or urls.parse(text) is None):
        raise click.BadParameter("not the address of a page; write it as https://site.example/path")
    return text


json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Answer in JSON. Without it: JSON on a pipe, a readable answer on a terminal.",
)

grant_option = click.option(
    "--grant",
    default=Category.NECESSARY.value,
    metavar="LIST",
    help="What the visitor agreed to: categories and vendor ids, joined by commas. necessary (the default): nothing, all:"
    " everything.",
)

site_option = click.option(
    "--site",
    callback=_page,
    metavar="URL",
    help=f"Address of the page. Default: the origin's, or {SOME_SITE} where there is none.",
)


def wants_json(*, as_json: bool) -> bool:
    """A program reads the answer: it was asked for, or standard output is no terminal."""
    return as_json or not sys.stdout.isatty()


def print_json(answer: Any) -> None:
    """One line of JSON on standard output."""
    click.echo(orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS).decode())


def granted(text: str, known: Catalogue) -> Decision:
    """The decision that `--grant` names; bad use where it names what is not known."""
    try:
        return decide.given(text.split(","), vendors=known.vendors)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="'--grant'") from error


def in_order(categories: frozenset[Category]) -> list[Category]:
    """Necessary, functional, analytics, marketing: the order of every answer."""
    return [category for category in Category if category in categories]


def end(status: int) -> NoReturn:
    """End the command with *status*."""
    sys.exit(status)


def table(rows: list[tuple[str, ...]]) -> str:
    """*rows*, the first of them the heading, in columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
