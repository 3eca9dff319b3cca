"""The tables of README, made from the code: `python -m tests.documentation` writes them into it.

Each stands in README between two marks: `<!-- settings -->` and `<!-- /settings -->`.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway import rule_files
from gateway.cli import main
from gateway.events import DropReason, Refusal
from gateway.log import KEYS
from gateway.settings import Settings
from gateway.vendors import catalogue
from gateway.withheld import Degraded

README = Path(__file__).parent.parent / "README.md"

# What an operator wants to know of each reason; a test holds the list to the code.
REASONS: Mapping[DropReason | Refusal, str] = {
    DropReason.NO_CONSENT: "the visitor did not grant what collection needs (204)",
    DropReason.NO_DESTINATION: "no destination may have it under this visitor's decision (204)",
    DropReason.NEEDS_CHANGED: "the destination has come to need more than was granted when the event was kept",
    Refusal.WRONG_METHOD: "not a POST (405)",
    Refusal.WRONG_ORIGIN: "sent by a page of another site (403)",
    Refusal.WRONG_TYPE: "neither application/json nor text/plain (415)",
    Refusal.TOO_LARGE: "longer than collect.body_limit_bytes (413)",
    Refusal.TOO_SLOW: "the body took too long (408)",
    Refusal.BROKEN: "the body broke off or was not framed as HTTP asks (400)",
    Refusal.NOT_JSON: "the body is not JSON (400)",
    Refusal.WRONG_SHAPE: "not the fields of an event, or beyond their limits (400)",
}


def settings_table() -> str:
    """Every key with its default and its meaning."""
    return _table(("Key", "Default", "Meaning"), settings_rows())


def settings_rows() -> Iterator[tuple[str, str, str]]:
    """Key, default as TOML (empty where there is none), meaning; keys of repeated tables as `destinations[].name`."""
    yield from _rows(Settings, "")


def log_keys_table() -> str:
    """Every key that a line of the log may hold."""
    return _table(("Key", "Meaning"), ((f"`{key}`", meaning) for key, meaning in KEYS.items()))


def reasons_table() -> str:
    """Every reason for which an event does not exist."""
    return _table(("Reason", "Why"), ((f"`{reason}`", why) for reason, why in REASONS.items()))


def commands_table() -> str:
    """Every command with its own arguments and options; those that all have are not repeated."""
    return _table(("Command", "What it does"), ((f"`{usage(path)}`", _does(path[-1])) for path in commands()))


# What happens instead, on each path with less than the full service; a test holds the list to the code.
DEGRADED: Mapping[Degraded, str] = {
    Degraded.UNREADABLE_CODING: "a page in a Content-Encoding that cannot be decoded: passed under the guard policy",
    Degraded.UNREADABLE_CHARSET: "a page in a character encoding in which tags cannot be found: the guard policy",
    Degraded.PARTIAL_PAGE: "a part of a page (206), or a page that must not be transformed: the guard policy",
    Degraded.SNIFFED_TYPE: "a body without a type, in which a browser may find a page: the guard policy",
    Degraded.TAG_OVER_LIMIT: "a start tag beyond `page.tag_limit_bytes` is judged attribute by attribute; one that is too long "
    "to be judged is put out of force",
    Degraded.NESTED_TOO_DEEP: "a document or noscript within others, deeper than is looked into, is deferred or gone unread",
    Degraded.UNKNOWN_FENCE: "an author's fence or attribute that names nobody known asks for everything optional",
    Degraded.UNCLOSED_FENCE: "an author's fence without an end holds to the end of the page",
    Degraded.INLINE_OVER_LIMIT: "a script beyond `page.inline_limit_bytes` is judged as it passes, and cut off if need be",
    Degraded.BROKEN_CODING: "the Content-Encoding of a page broke half way: 502, or the connection is reset",
    Degraded.REWRITER_FAULT: "a fault of the gateway's own: the guard policy, or the connection is reset",
}


def degraded_table() -> str:
    """Every path on which less than the full service is given."""
    return _table(("Path", "What happens"), ((f"`{path}`", what) for path, what in DEGRADED.items()))


def vendors_table() -> str:
    """The vendors that the gateway ships."""
    vendors = catalogue.load(rule_files.read((), shipped=True)).vendors
    rows = ((f"`{name}`", file.vendor.name, ", ".join(file.consent.categories)) for name, file in vendors.items())
    return _table(("Id", "Vendor", "Needs"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "degraded": degraded_table,
    "settings": settings_table,
    "vendors": vendors_table,
    "log-keys": log_keys_table,
    "reasons": reasons_table,
    "commands": commands_table,
}

# Where settings come from: options that every command which reads them has.
COMMON = frozenset({"--config", "--set", "--rules", "--origin", "--json"})


def commands() -> Iterator[tuple[click.Command, ...]]:
    """Every command that does something, with the groups it stands in."""

    def inside(path: tuple[click.Command, ...]) -> Iterator[tuple[click.Command, ...]]:
        group = path[-1]
        if not isinstance(group, click.Group):
            yield path
            return
        for command in group.commands.values():
            yield from inside((*path, command))

    yield from inside((main,))


def usage(path: tuple[click.Command, ...]) -> str:
    """`consent-gateway explain SUBJECT [--site URL] ...` without the options that all have."""
    words = ["consent-gateway", *(command.name or "" for command in path[1:])]
    context = click.Context(path[-1], info_name=path[-1].name)
    for parameter in path[-1].params:
        if isinstance(parameter, click.Argument):
            words.append(parameter.make_metavar(context))
        elif not COMMON.intersection(parameter.opts):
            flag = isinstance(parameter, click.Option) and parameter.is_flag
            value = "" if flag else f" {parameter.make_metavar(context)}"
            words.append(f"[{parameter.opts[0]}{value}]{'...' if parameter.multiple else ''}")
    return " ".join(words)


def block(text: str, name: str) -> str | None:
    """What stands between the marks of *name* in *text*; None where a mark is missing."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    if begin not in text or end not in text:
        return None
    return text.split(begin, 1)[1].split(end, 1)[0].strip("\n")


def toml(value: Any) -> str:
    """A default as it would be written in the settings file; empty where the key has none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return f'"{value}"'


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        inner, repeated = _table_in(field)
        key = f"{prefix}{name}"
        if inner is None:
            default = "" if field.is_required() else toml(field.get_default(call_default_factory=True))
            yield f"`{key}`", f"`{default}`" if default else "", field.description or ""
        else:
            yield from _rows(inner, f"{key}[]." if repeated else f"{key}.")


def _table_in(field: FieldInfo) -> tuple[type[BaseModel] | None, bool]:
    """The table that a key holds, and whether it may stand more than once."""
    annotation = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for part in getattr(annotation, "__args__", ()):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part, True
    return None, False


def _table(heading: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [heading, tuple("---" for _ in heading), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _does(command: click.Command) -> str:
    return (command.help or "").split("\n\n")[0].replace("\n", " ").strip().removesuffix(".")


def write() -> None:
    """Put every table between its marks."""
    text = README.read_text()
    for name, made in TABLES.items():
        before, _, rest = text.partition(f"<!-- {name} -->\n")
        _, _, after = rest.partition(f"<!-- /{name} -->")
        text = f"{before}<!-- {name} -->\n{made()}\n<!-- /{name} -->{after}"
    README.write_text(text)


if __name__ == "__main__":
    write()
