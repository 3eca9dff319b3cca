"""Validation errors of pydantic as faults with file, key and what to do."""

import difflib
from collections.abc import Iterable

from pydantic import BaseModel, ValidationError

from gateway.errors import Fault

# Longer values are cut: a message is read on one line of a terminal.
_VALUE_CHARS = 80


def faults_of(error: ValidationError, *, file: str, model: type[BaseModel]) -> list[Fault]:
    """Every fault of one failed validation, in the order of the file, with the nearest known key for an unknown one."""
    found = [dict(details) for details in error.errors(include_url=False)]
    return [
        Fault(file=file, key=_dotted(details["loc"]), message=_message(details["type"], details, model))
        for details in found
        if not (details["type"] == "too_short" and _is_inside(details["loc"], found))
    ]


def _is_inside(path: object, found: list[dict[str, object]]) -> bool:
    """Some fault lies deeper than *path*: a list is only too short because its items were not taken."""
    assert isinstance(path, tuple)
    return any(
        isinstance(other["loc"], tuple) and len(other["loc"]) > len(path) and other["loc"][: len(path)] == path
        for other in found
    )


def _dotted(path: object) -> str:
    assert isinstance(path, tuple)
    text = ""
    for step in path:
        # A key is what stood in the file: shown, never sent to the terminal.
        name = step if isinstance(step, str) and step.isprintable() else repr(step)
        text += f"[{step}]" if isinstance(step, int) else f".{name}" if text else name
    return text


def _message(kind: object, details: dict[str, object], model: type[BaseModel]) -> str:
    path = details["loc"]
    assert isinstance(path, tuple)
    if kind == "extra_forbidden":
        known = _fields_at(model, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"
        return f"unknown key; {hint}"
    if kind == "missing":
        return "missing; this key is required"
    if kind == "too_short":
        return "needs at least one item"
    message = str(details["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message[:1].lower() + message[1:]
    value = details.get("input")
    if isinstance(value, (str, int, float, bool)):
        return f"{message}, not {_cut(repr(value))}"
    return message


def _fields_at(model: type[BaseModel], path: tuple[object, ...]) -> list[str]:
    """Names that the table at *path* takes; list positions and unions are looked through."""
    models: list[type[BaseModel]] = [model]
    for step in path:
        if isinstance(step, str):
            models = [
                inner
                for outer in models
                if step in outer.model_fields
                for inner in _models_in(outer.model_fields[step].annotation)
            ]
    return [name for found in models for name in found.model_fields]


def _models_in(annotation: object) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in getattr(annotation, "__args__", ()):
        yield from _models_in(part)


def _cut(text: str) -> str:
    return text if len(text) <= _VALUE_CHARS else text[: _VALUE_CHARS - 1] + "…"
