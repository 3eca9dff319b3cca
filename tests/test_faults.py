"""Validation errors as faults: where, what, and how to mend it."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gateway.errors import Fault, StartupFaults
from gateway.faults import faults_of


class Inner(BaseModel):
    """A table inside a table."""

    model_config = ConfigDict(extra="forbid")

    port: Annotated[int, Field(ge=1)] = 1
    mode: Literal["auto", "json"] = "auto"
    marks: dict[str, int] = Field(default_factory=dict)

    @field_validator("mode")
    @classmethod
    def _is_not_json(cls, mode: str) -> str:
        if mode == "json":
            raise ValueError("Json is not for here")
        return mode


class Outer(BaseModel):
    """A file."""

    model_config = ConfigDict(extra="forbid")

    name: str
    inner: Inner = Inner()
    optional: Inner | None = None
    many: Annotated[tuple[Inner, ...], Field(min_length=1)] = (Inner(),)
    words: Annotated[tuple[Literal["a", "b"], ...], Field(min_length=1)] = ("a",)


def faults(value: object) -> list[Fault]:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(value, strict=False)
    return faults_of(caught.value, file="x.toml", model=Outer)


@pytest.mark.parametrize(
    ("value", "key", "message"),
    [
        ({}, "name", "missing; this key is required"),
        ({"name": "n", "inner": {"prot": 1}}, "inner.prot", "unknown key; did you mean 'port'?"),
        ({"name": "n", "optional": {"prot": 1}}, "optional.prot", "unknown key; did you mean 'port'?"),
        ({"name": "n", "many": [{}, {"prot": 1}]}, "many[1].prot", "unknown key; did you mean 'port'?"),
        ({"name": "n", "inner": {"zzz": 1}}, "inner.zzz", "unknown key; known keys: marks, mode, port"),
        ({"name": "n", "nmae": 1}, "nmae", "unknown key; did you mean 'name'?"),
        ({"name": "n", "inner": {"port": 0}}, "inner.port", "input should be greater than or equal to 1, not 0"),
        ({"name": "n", "inner": {"mode": "x"}}, "inner.mode", "input should be 'auto' or 'json', not 'x'"),
        ({"name": "n", "inner": {"mode": "json"}}, "inner.mode", "json is not for here, not 'json'"),
        ({"name": "n", "inner": {"marks": {"k": "x"}}}, "inner.marks.k", None),
        ({"name": "n", "inner": []}, "inner", None),
        ({"name": "n", "many": []}, "many", "needs at least one item"),
        ({"name": "n", "words": ["x"]}, "words[0]", "input should be 'a' or 'b', not 'x'"),
    ],
)
def test_a_fault_has_its_place_and_its_remedy(value: object, key: str, message: str | None) -> None:
    """An operator mends a file from the message alone, without knowing the schema."""
    (fault,) = faults(value)
    assert fault.file == "x.toml"
    assert fault.key == key
    assert message is None or fault.message == message


def test_all_faults_come_in_one_go() -> None:
    """Nobody wants to start the gateway once for each misspelt key."""
    assert [fault.key for fault in faults({"inner": {"port": 0, "mode": "x"}, "many": [{"port": "y"}], "z": 1})] == [
        "name",
        "inner.port",
        "inner.mode",
        "many[0].port",
        "z",
    ]


@pytest.mark.parametrize(("length", "cut"), [(77, False), (78, False), (79, True), (5000, True)])
def test_a_long_value_is_cut(length: int, *, cut: bool) -> None:
    """A message stays one line of a terminal whatever stood in the file; the quotes count."""
    (fault,) = faults({"name": "n", "inner": {"mode": "v" * length}})
    assert fault.message.endswith("…") == cut
    assert len(fault.message) <= len("input should be 'auto' or 'json', not ") + 80


def test_a_value_cannot_write_on_the_terminal() -> None:
    """Files may come from others; an escape sequence in a value is shown, not sent."""
    (fault,) = faults({"name": "n", "inner": {"mode": "\x1b[2J\n"}})
    assert "\x1b" not in fault.message
    assert "\n" not in fault.message
    (fault,) = faults({"name": "n", "inner": {"\x1b[2J": 1}})
    assert "\x1b" not in str(fault)


def test_faults_are_told_one_a_line() -> None:
    """What is printed at a failed start is exactly this text."""
    error = StartupFaults([Fault("a.toml", "x.y", "is wrong"), Fault("b.toml", "", "cannot be read")])
    assert str(error) == "a.toml: x.y: is wrong\nb.toml: cannot be read"
