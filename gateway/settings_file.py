"""The settings file, the command line's overrides and the environment: one `Settings`, or every fault of them at once.

What counts, the later over the earlier: the model's default, the file, the overrides in their order. Secrets come from
the environment alone, by the names that keys ending in `_env` give; no message repeats a secret, even where somebody has
written one into the wrong place.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError

from gateway.errors import Fault, StartupFaults
from gateway.faults import faults_of
from gateway.settings import RulesSettings, Settings

# The file of a fault that was made on the command line.
OVERRIDE = "--set"

# A dotted key, and positions in lists: destinations[0].url
_KEY = re.compile(r"[A-Za-z0-9_-]+(\[[0-9]{1,4}\])*(\.[A-Za-z0-9_-]+(\[[0-9]{1,4}\])*)*")
_STEP = re.compile(r"([A-Za-z0-9_-]+)|\[([0-9]+)\]")

# What may stand in an Authorization field: visible ASCII (RFC 9110, section 5.5); a line end at the close of the variable,
# left there by whoever read it from a file, is a fault here and not a broken request later.
_SECRET = re.compile(r"[\x21-\x7e]+")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")

# Where people put secrets into URLs: the userinfo and the query.
_USERINFO = re.compile(r"//[^/\s'\"]*@")
_QUERY = re.compile(r"(://[^\s'\"?#]*)[?#][^\s'\"]*")

_NO_ORIGIN = "missing; name the site behind the gateway with --origin URL, or as url in [origin] of the settings file"
_NO_VARIABLE_NAME = "not the name of an environment variable (A-Z, 0-9, _); the secret itself stands there, never here"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings that hold, and the secrets that they name, by name of the destination."""

    settings: Settings
    secrets: Mapping[str, str]


def load(text: bytes | None, *, file: str, overrides: Sequence[str] = (), environ: Mapping[str, str]) -> Loaded:
    """Settings from the TOML *text* of *file* (None: no file) and overrides as `key=value`; StartupFaults has every fault.

    A value is read as TOML and, failing that, as a plain string: `listen.grace_s=5`, `rules.dirs=["a"]`,
    `origin.url=https://site.example`, `destinations=[{name="x", url="https://x.example/"}]`, `destinations[0].timeout_s=3`.
    Paths in the file are relative to the file's folder, paths in overrides to the current one.
    """
    data, faults = _parse(text, file)
    readable = not faults
    changed: list[str] = []
    for override in overrides:
        fault = _apply(override, data, changed)
        faults += [fault] if fault else []

    missing = _lacks_origin(data)
    settings = None
    try:
        # Strict: `grace_s = true` is no number. Through JSON, whose strict mode takes lists for tuples and text for paths.
        settings = Settings.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        for fault in faults_of(error, file=file, model=Settings):
            if missing and fault.key in ("origin", "origin.url"):
                continue
            faults.append(_attributed(_discreet(fault), changed))
    if missing and readable:
        faults.append(Fault(file=file, key="origin.url", message=_NO_ORIGIN))

    for key, name in _variables("", settings.model_dump() if settings else data):
        value = environ.get(name, "")
        if not _SECRET.fullmatch(value):
            wrong = "holds something other than visible ASCII characters" if value else "is not set"
            message = f"the environment variable {name} {wrong}"
            faults.append(_attributed(Fault(file=file, key=key, message=message), changed))

    if settings is None or faults:
        raise StartupFaults(sorted(faults, key=lambda fault: (fault.file == OVERRIDE, _position(fault.key, data))))
    if text is not None:
        placed = _placed(settings, folder=Path(file).parent, key="", changed=changed)
        assert isinstance(placed, Settings)
        settings = placed
    secrets = {one.name: environ[one.secret_env] for one in settings.destinations if one.secret_env}
    return Loaded(settings=settings, secrets=secrets)


def rules_of(text: bytes | None, *, file: str, overrides: Sequence[str] = ()) -> RulesSettings:
    """`[rules]` alone, as far as it can be read: for telling the faults of the rules beside those of the settings."""
    data, _ = _parse(text, file)
    changed: list[str] = []
    for override in overrides:
        _apply(override, data, changed)
    try:
        rules = RulesSettings.model_validate_json(json.dumps(data.get("rules", {}), default=str), strict=True)
    except ValidationError:
        return RulesSettings()
    placed = _placed(rules, folder=Path(file).parent if text is not None else Path(), key="rules", changed=changed)
    assert isinstance(placed, RulesSettings)
    return placed


def _parse(text: bytes | None, file: str) -> tuple[dict[str, object], list[Fault]]:
    """The tables of the file; empty, and one fault, where it is no TOML."""
    try:
        # Editors of one well-known system begin UTF-8 files with a byte order mark, which TOML does not know.
        return tomllib.loads((text or b"").decode("utf-8-sig")), []
    except UnicodeDecodeError as error:
        message = f"not UTF-8 at byte {error.start}"
    except tomllib.TOMLDecodeError as error:
        message = f"not TOML: {str(error)[:1].lower()}{str(error)[1:]}"
    except RecursionError:
        message = "not TOML that can be read: nested too deeply"
    return {}, [Fault(file=file, key="", message=message)]


def _apply(override: str, data: dict[str, object], changed: list[str]) -> Fault | None:
    """Put one `key=value` into *data*, and what it made there into *changed*; or say why it cannot be done."""
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not _KEY.fullmatch(key):
        return Fault(file=OVERRIDE, key="", message=f"not of the form key=value with a dotted key: {key[:80]!r}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return Fault(file=OVERRIDE, key=key, message="the value is not UTF-8")
    steps: list[str | int] = [name or int(position) for name, position in _STEP.findall(key)]
    place: object = data
    for depth, step in enumerate(steps):
        last = depth == len(steps) - 1
        made: object = _value(text) if last else [] if isinstance(steps[depth + 1], int) else {}
        here = _dotted(steps[: depth + 1])
        if isinstance(step, int) and isinstance(place, list):
            if step > len(place):
                return Fault(
                    file=OVERRIDE, key=key, message=f"no such position; {_dotted(steps[:depth])} has {len(place)}"
                )
            if step == len(place):
                place.append(made)
                changed.append(here)
            elif last:
                place[step] = made
                changed.append(here)
            place = place[step]
        elif isinstance(step, str) and isinstance(place, dict):
            if last or step not in place:
                place[step] = made
                changed.append(here)
            place = place[step]
        else:
            kind = "list" if isinstance(step, int) else "table"
            return Fault(file=OVERRIDE, key=key, message=f"{_dotted(steps[:depth])} is not a {kind}")
    return None


def _value(text: str) -> object:
    """*text* as one TOML value, or as it stands."""
    try:
        found = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    # A line end inside the text could have smuggled a second key in.
    return found["value"] if len(found) == 1 else text


def _dotted(steps: Sequence[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")


def _lacks_origin(data: dict[str, object]) -> bool:
    """Nothing says where the site is. A table of the wrong type is another fault, and is told as that."""
    origin = data.get("origin", {})
    return isinstance(origin, dict) and "url" not in origin


def _attributed(fault: Fault, changed: Sequence[str]) -> Fault:
    """The fault with the command line as its file, where that made the value."""
    if any(_within(fault.key, made) for made in changed):
        return Fault(file=OVERRIDE, key=fault.key, message=fault.message)
    return fault


def _within(key: str, outer: str) -> bool:
    return key == outer or key.startswith((f"{outer}.", f"{outer}["))


def _discreet(fault: Fault) -> Fault:
    """The fault without what may be a secret in the wrong place."""
    if fault.key.endswith("_env") and not fault.message.startswith(("missing", "unknown key")):
        return Fault(file=fault.file, key=fault.key, message=_NO_VARIABLE_NAME)
    message = _QUERY.sub(r"\1?…", _USERINFO.sub("//…@", fault.message))
    return Fault(file=fault.file, key=fault.key, message=message)


def _position(key: str, data: object) -> tuple[int, ...]:
    """Where *key* stands in the file; what is missing comes at the head of its table."""
    position: list[int] = []
    for name, index in _STEP.findall(key):
        if isinstance(data, dict) and name in data:
            position.append(list(data).index(name))
            data = data[name]
        elif isinstance(data, list) and index and int(index) < len(data):
            position.append(int(index))
            data = data[int(index)]
        else:
            break
    return tuple(position)


def _variables(key: str, value: object) -> Iterator[tuple[str, str]]:
    """Each key that names an environment variable, and the name; names that are none are a fault of the model's."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            dotted = f"{key}.{name}" if key else str(name)
            if str(name).endswith("_env") and isinstance(inner, str):
                if _VARIABLE.fullmatch(inner):
                    yield dotted, inner
            else:
                yield from _variables(dotted, inner)
    elif isinstance(value, (list, tuple)):
        for position, inner in enumerate(value):
            yield from _variables(f"{key}[{position}]", inner)


def _placed(value: object, *, folder: Path, key: str, changed: Sequence[str]) -> object:
    """*value* with every relative path inside it put under *folder*, save those that the command line gave."""
    if isinstance(value, Path):
        return value if any(_within(key, made) for made in changed) else folder / value
    if isinstance(value, tuple):
        return tuple(
            _placed(inner, folder=folder, key=f"{key}[{position}]", changed=changed)
            for position, inner in enumerate(value)
        )
    if isinstance(value, BaseModel):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        placed = {
            name: _placed(inner, folder=folder, key=f"{key}.{name}" if key else name, changed=changed)
            for name, inner in fields.items()
        }
        return value.model_copy(update={name: inner for name, inner in placed.items() if inner != fields[name]})
    return value
