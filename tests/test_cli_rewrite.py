"""`rewrite`: one page through the rewriter, bytes in, bytes out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import VENDOR, Answer, on_pipe

SCRIPT = b'<script src="https://tracker.example/t.js"></script>'
PAGE = b"<!doctype html><meta charset=latin1><p>caf\xe9\x00\r\n" + SCRIPT + b"<p>end"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "tracker-example.toml").write_bytes(VENDOR)
    return folder


def rewritten(rules: Path, *args: str, stdin: bytes = b"") -> Answer:
    return on_pipe("rewrite", *args, "--rules", str(rules), "--set", "rules.shipped=false", stdin=stdin)


def test_a_page_comes_out_without_what_was_not_agreed_to(rules: Path) -> None:
    """The whole purpose, on one page; everything else is the same to the byte."""
    answer = rewritten(rules, stdin=PAGE)
    assert answer.status == 0
    before, after = PAGE.split(SCRIPT)
    assert answer.out.startswith(before)
    assert answer.out.endswith(after)
    assert SCRIPT not in answer.out


def test_a_file_is_read_like_standard_input(rules: Path, tmp_path: Path) -> None:
    """`-` and no argument at all mean the same."""
    file = tmp_path / "page.html"
    file.write_bytes(PAGE)
    expected = rewritten(rules, stdin=PAGE).out
    assert rewritten(rules, str(file)).out == rewritten(rules, "-", stdin=PAGE).out == expected


@pytest.mark.parametrize("grant", ["all", "marketing", "tracker-example", "functional,marketing"])
def test_a_page_whose_vendors_are_granted_comes_out_as_it_went_in(rules: Path, grant: str) -> None:
    """Whoever agreed gets the site's own bytes."""
    assert rewritten(rules, "--grant", grant, stdin=PAGE).out == PAGE


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_bytes_that_are_no_page_come_out_as_they_went_in(rules: Path, size: int) -> None:
    """Pieces are read at 64 KiB; neither their edges nor any byte may show."""
    data = (bytes(range(256)) * (size // 256 + 1))[:size].replace(b"<", b"(")
    assert rewritten(rules, "--charset", "utf-8", stdin=data).out == data


def test_the_report_is_json_lines_in_the_promised_shape(rules: Path, tmp_path: Path) -> None:
    """People script against it."""
    report = tmp_path / "report.jsonl"
    assert rewritten(rules, "--report", str(report), stdin=PAGE).status == 0
    (line,) = map(json.loads, report.read_bytes().splitlines())
    assert line == {
        "kind": "script",
        "vendor": "tracker-example",
        "rule": "hosts.tracker.example",
        "host": "tracker.example",
        "categories": ["marketing"],
        "action": "deferred",
        "offset": PAGE.index(SCRIPT),
    }


def test_the_report_may_go_to_standard_error(rules: Path) -> None:
    """The page has standard output to itself."""
    answer = rewritten(rules, "--report", "-", stdin=PAGE)
    assert json.loads(answer.err)["vendor"] == "tracker-example"


def test_a_page_with_nothing_to_withhold_has_an_empty_report(rules: Path, tmp_path: Path) -> None:
    """The file is there all the same: what is looked for is found."""
    report = tmp_path / "report.jsonl"
    rewritten(rules, "--report", str(report), stdin=b"<p>")
    assert report.read_bytes() == b""


def test_the_report_tells_where_less_than_the_full_service_was_given(rules: Path, tmp_path: Path) -> None:
    """A dropped tag must not look like a page that never had it."""
    report = tmp_path / "report.jsonl"
    page = b'<img src="/' + b"x" * 300 + b'">'
    rewritten(rules, "--report", str(report), "--set", "page.tag_limit_bytes=256", stdin=page)
    assert {"degraded": "tag-over-limit"} in list(map(json.loads, report.read_bytes().splitlines()))


def test_a_report_that_cannot_be_written_is_bad_use_before_anything_is(rules: Path, tmp_path: Path) -> None:
    """Half an answer is worse than none."""
    answer = rewritten(rules, "--report", str(tmp_path / "none" / "report"), stdin=PAGE)
    assert (answer.status, answer.out) == (2, b"")


@pytest.mark.parametrize("charset", ["utf-7", "utf-32"])
def test_a_page_that_cannot_be_scanned_is_not_written(rules: Path, charset: str) -> None:
    """What cannot be read cannot be made safe, and must not be taken for a page that was."""
    answer = rewritten(rules, "--charset", charset, stdin=PAGE)
    assert (answer.status, answer.out) == (1, b"")
    assert charset in answer.err


def test_a_page_that_cannot_be_scanned_passes_for_whoever_agreed_to_everything(rules: Path) -> None:
    """Nothing has to be found in it."""
    assert rewritten(rules, "--charset", "utf-7", "--grant", "all", stdin=PAGE).out == PAGE


def test_a_page_in_utf_16_is_read_by_its_charset(rules: Path) -> None:
    """Tags of two bytes a character load as well as others."""
    page = SCRIPT.decode().encode("utf-16-le")
    answer = rewritten(rules, "--charset", "utf-16le", stdin=page)
    assert answer.status == 0
    assert answer.out != page


def test_the_site_says_what_is_relative_and_what_is_its_own(rules: Path) -> None:
    """A page on the vendor's own site is not tracked by itself."""
    page = b'<script src="//tracker.example/t.js"></script>'
    assert rewritten(rules, stdin=page).out != page
    assert rewritten(rules, "--site", "https://tracker.example/", stdin=page).out == page


def test_a_file_that_is_missing_is_bad_use(rules: Path) -> None:
    """Nothing was rewritten."""
    assert rewritten(rules, "does-not-exist.html").status == 2


@pytest.mark.parametrize("link", ["itself", "symbolic", "hard", "another way"])
@pytest.mark.parametrize("grant", ["necessary", "all"])
def test_a_report_over_the_page_is_bad_use_and_leaves_the_page_alone(
    rules: Path, tmp_path: Path, link: str, grant: str
) -> None:
    """A file name typed twice must not cost anybody a page."""
    page, report = tmp_path / "page.html", tmp_path / "report"
    page.write_bytes(PAGE)
    match link:
        case "itself":
            report = page
        case "symbolic":
            report.symlink_to(page)
        case "hard":
            report.hardlink_to(page)
        case _:
            report = rules / ".." / "page.html"
    answer = rewritten(rules, str(page), "--report", str(report), "--grant", grant)
    assert (answer.status, answer.out) == (2, b"")
    assert "'--report': this is the page itself" in answer.err
    assert page.read_bytes() == PAGE


def shell(folder: Path, redirected: str) -> tuple[int, str]:
    """Status and standard error of `rewrite` with arguments and redirections as a shell reads them."""
    command = ["sh", "-c", f'exec "$0" -c "from gateway.cli import main; main()" rewrite {redirected}', sys.executable]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize(
    "redirected",
    ["page >> page", "page 1<> page", "- < page >> link", "page --report link >> other", "- < page --report page"],
)
def test_a_page_that_would_be_written_to_while_it_is_read_is_bad_use(tmp_path: Path, redirected: str) -> None:
    """The output, appended to the page, would be read as more of it until the disk is full."""
    (tmp_path / "page").write_bytes(PAGE)
    (tmp_path / "link").symlink_to("page")
    status, err = shell(tmp_path, redirected)
    assert (status, "is the page itself" in err) == (2, True)
    assert (tmp_path / "page").read_bytes() == PAGE


def test_a_report_over_the_output_is_bad_use(tmp_path: Path) -> None:
    """Each would overwrite the other."""
    (tmp_path / "page").write_bytes(PAGE)
    assert shell(tmp_path, "page --report out > out")[0] == 2


def test_what_writing_does_not_destroy_may_be_all_of_them(tmp_path: Path) -> None:
    """A dry run sends everything to one place."""
    assert shell(tmp_path, "/dev/null --report /dev/null > /dev/null") == (0, "")


def test_a_page_on_a_pipe_leaves_as_it_comes(rules: Path) -> None:
    """The gateway streams; whoever tries it out with a slow page should see it do so."""
    command = [sys.executable, "-c", "from gateway.cli import main; main()", "rewrite", "--rules", str(rules)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(PAGE)
        process.stdin.flush()
        assert os.read(process.stdout.fileno(), 65_536).startswith(b"<!doctype html>")
        process.stdin.write(b"<p>more")
        process.stdin.close()
        assert process.stdout.read().endswith(b"<p>more")
        assert process.wait(10) == 0
