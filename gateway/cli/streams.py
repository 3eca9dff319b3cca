"""The standard streams as the shell left them: closed, full, or with nobody at the other end.

A command whose answer cannot be written has not done what was wanted: one sentence on standard error and status 1. Two
closed ones differ: nobody misses words on a closed standard error, and a closed standard input matters to those that read
it. A broken pipe is told by its status alone, as by other programs: whoever hung up does not want to hear about it.
"""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, TextIO, cast

import click

from gateway.cli.options import NOT_AS_WANTED
from gateway.cli.serving import reason_of


class Commands(click.Group):
    """The group of all commands; called as a program is, it answers for the standard streams too."""

    # The signature is click's; so is the answer, which never comes: it ends the process.
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command that the arguments name, and end the process with its status."""
        with standard_streams():
            return super().__call__(*args, **kwargs)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Whatever goes wrong with a standard stream inside, up to its last byte, ends the process with status 1."""
    try:
        _take_free_numbers()
        # Python has None for a stream that was closed before it started.
        if sys.stdin is None:
            sys.stdin = io.TextIOWrapper(io.BufferedReader(_ClosedInput()))
        if sys.stderr is None:
            # click would put its words into standard output instead: into the page, for instance.
            sys.stderr = cast("TextIO", _ClosedError())
        if sys.stdout is None:
            _tell("standard output is closed")
            sys.exit(NOT_AS_WANTED)
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        sys.exit(NOT_AS_WANTED)
    except OSError as error:
        file = f"{error.filename}: " if error.filename is not None else ""
        _tell(f"input or output failed: {file}{reason_of(error)}")
        sys.exit(NOT_AS_WANTED)
    finally:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and _is_stuck(stream):
                _divert(stream)


class _ClosedInput(io.RawIOBase):
    """A standard input that the shell closed: an error for whoever reads it, and for nobody else."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: object) -> int:
        raise click.ClickException("standard input is closed")


class _ClosedError(io.TextIOBase):
    """A standard error that the shell closed: words go nowhere, and it has no buffer for bytes that somebody asked for."""

    def write(self, text: str) -> int:
        return len(text)


def _take_free_numbers() -> None:
    """Closed streams get /dev/null, lest a file that is opened later takes their number, and what is meant for them."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, and so this one


def _tell(message: str) -> None:
    with suppress(OSError):
        click.ClickException(message).show()


def _is_stuck(stream: IO[str]) -> bool:
    try:
        stream.flush()
    except OSError:
        return True
    return False


def _divert(stream: IO[str]) -> None:
    """Let what cannot be written go nowhere: the interpreter flushes at its end, and would complain and end with 120."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        stream.flush()
