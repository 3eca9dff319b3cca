"""The standard streams as a shell may leave them: closed, full, or with nobody at the other end."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = b'<script src="https://www.google-analytics.com/analytics.js"></script>'

NO_INPUT = "Error: standard input is closed\n"
NO_OUTPUT = "Error: standard output is closed\n"
FULL = "Error: input or output failed: no space left on device\n"

full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def shell(folder: Path, redirected: str) -> tuple[int, bytes, str]:
    """Status, standard output and standard error of a command with redirections, as a shell reads them."""
    (folder / "page").write_bytes(PAGE)
    command = ["sh", "-c", f'exec "$0" -c "from gateway.cli import main; main()" {redirected}', sys.executable]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


@full
@pytest.mark.parametrize("command", ["explain /x", "rewrite page", "rewrite page --grant all", "demo", "--help"])
def test_an_answer_that_does_not_fit_is_one_sentence_and_status_1(tmp_path: Path, command: str) -> None:
    """A full disk is the operator's to mend; a traceback, or a complaint of the interpreter's, tells of a bug."""
    assert shell(tmp_path, f"{command} > /dev/full") == (1, b"", FULL)


@full
def test_a_report_that_does_not_fit_is_told_by_its_name(tmp_path: Path) -> None:
    """Half a report with status 0 would be taken for the whole."""
    status, _, err = shell(tmp_path, "rewrite page --report /dev/full")
    assert (status, err) == (1, "Error: cannot write the report to /dev/full: no space left on device\n")


@full
@pytest.mark.parametrize("command", ["rewrite page --report -", "rewrite page > /dev/full", "no-such-command"])
def test_words_that_do_not_fit_either_leave_the_status(tmp_path: Path, command: str) -> None:
    """There is nowhere left to say it; 120 would be the interpreter's own complaint."""
    status, _, err = shell(tmp_path, f"{command} 2> /dev/full")
    assert (status, err) == (1, "")


@pytest.mark.parametrize(
    ("redirected", "err"),
    [
        ("rewrite <&-", NO_INPUT),
        ("explain inline:- <&-", NO_INPUT),
        ("rewrite page >&-", NO_OUTPUT),
        ("consent >&-", NO_OUTPUT),
        ("run --origin http://127.0.0.1:1 >&-", NO_OUTPUT),
        ("consent >&- 2>&-", ""),
        ("rewrite page --report - 2>&-", ""),
        ("rewrite <&- >&- 2>&-", ""),
    ],
)
def test_a_closed_stream_that_is_needed_is_one_sentence_and_status_1(tmp_path: Path, redirected: str, err: str) -> None:
    """Service managers and scripts close streams; the command says which one it misses."""
    assert shell(tmp_path, redirected) == (1, b"", err)


def test_closed_streams_that_are_not_needed_are_not_missed(tmp_path: Path) -> None:
    """A daemon's input and error are closed as often as not; no file may take their numbers, and their words."""
    status, out, _ = shell(tmp_path, "rewrite page --report report <&- 2>&-")
    assert (status, b"data-consent" in out) == (0, True)
    assert re.fullmatch(rb"\{[^\n]*\}\n", (tmp_path / "report").read_bytes())


def test_bad_use_keeps_its_status_where_it_cannot_be_told(tmp_path: Path) -> None:
    """Scripts that throw the words away go by the status."""
    assert shell(tmp_path, "no-such-command 2>&-") == (2, b"", "")


@full
def test_words_for_a_closed_standard_error_do_not_end_up_in_the_answer(tmp_path: Path) -> None:
    """The page goes on to a browser."""
    status, out, _ = shell(tmp_path, "rewrite page --report /dev/full 2>&-")
    assert (status, b"Error" in out) == (1, False)


@pytest.mark.parametrize("command", ["consent", "rewrite page", "--help"])
def test_a_reader_that_hung_up_is_told_by_the_status_alone(tmp_path: Path, command: str) -> None:
    """`| head` is no fault that anybody wants to read of."""
    (tmp_path / "page").write_bytes(PAGE)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", "from gateway.cli import main; main()", *command.split()],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
