"""The command line as a program and as a person meet it: on a pipe, and on a terminal."""

import io
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any

import orjson
from click.testing import CliRunner

from gateway.cli import main

VENDOR = b"""format = 1
[vendor]
id = "tracker-example"
name = "Tracker Example"
[consent]
categories = ["marketing"]
[[hosts]]
name = "tracker.example"
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left behind."""

    status: int
    out: bytes
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return orjson.loads(self.out)


def on_pipe(*args: str, stdin: bytes = b"") -> Answer:
    """The command with standard output on a pipe."""
    result = CliRunner().invoke(main, args, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout_bytes, result.stderr)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(*args: str) -> str:
    """What the command shows on a terminal; it must end well."""
    screen = _Terminal()
    with redirect_stdout(screen):
        try:
            main.main(args, prog_name="consent-gateway", standalone_mode=False)
        except SystemExit as end:
            sys.stderr.write(f"status {end.code}\n")
    return screen.getvalue()
