"""`explain`: whose is it, and what would happen to it."""

from pathlib import Path

import pytest

from tests.command_line import VENDOR, Answer, on_pipe, on_terminal

MORE = b"""
[[inline]]
id = "queue"
all = ["trackerQueue.push"]
[[cookies]]
name = "_trk"
[[cookies]]
name = "trk_id"
party = "third"
host = "tracker.example"
[[cookies]]
name = "session"
needs_vendor_on_page = true
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    (tmp_path / "tracker-example.toml").write_bytes(VENDOR + MORE)
    other = VENDOR.replace(b"tracker-example", b"other").replace(b"Tracker Example", b"Other")
    (tmp_path / "other.toml").write_bytes(other.replace(b'["marketing"]', b'["analytics"]'))
    return tmp_path


def explained(rules: Path, *args: str, stdin: bytes = b"") -> Answer:
    return on_pipe("explain", *args, "--rules", str(rules), "--set", "rules.shipped=false", stdin=stdin)


def test_a_url_is_explained_in_the_promised_shape(rules: Path) -> None:
    """People script against it. Two vendors share this host: both are told, and both must be granted."""
    answer = explained(rules, "https://cdn.tracker.example/t.js?x=1", "--json")
    assert answer.status == 0
    assert answer.json == {
        "subject": "https://cdn.tracker.example/t.js?x=1",
        "kind": "url",
        "matches": [
            {
                "vendor": "other",
                "name": "Other",
                "rule": "hosts.tracker.example",
                "file": f"{rules}/other.toml",
                "categories": ["analytics"],
                "allowed": False,
            },
            {
                "vendor": "tracker-example",
                "name": "Tracker Example",
                "rule": "hosts.tracker.example",
                "file": f"{rules}/tracker-example.toml",
                "categories": ["marketing"],
                "allowed": False,
            },
        ],
        "withheld": True,
        "reason": "other needs analytics; tracker-example needs marketing; granted: necessary",
    }


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        ("necessary", [False, False]),
        ("", [False, False]),
        ("functional", [False, False]),
        ("analytics", [True, False]),
        ("analytics,marketing", [True, True]),
        ("analytics, tracker-example", [True, True]),
        ("other", [True, False]),
        ("all", [True, True]),
    ],
)
def test_a_grant_names_categories_and_vendors(rules: Path, grant: str, allowed: list[bool]) -> None:
    """A thing that two vendors share is withheld until both are allowed."""
    answer = explained(rules, "https://tracker.example/", "--grant", grant).json
    assert [match["allowed"] for match in answer["matches"]] == allowed
    assert answer["withheld"] is not all(allowed)


def test_a_grant_that_is_unknown_is_bad_use(rules: Path) -> None:
    """A misspelt category would read like a refusal."""
    answer = explained(rules, "https://tracker.example/", "--grant", "marketting")
    assert (answer.status, answer.out) == (2, b"")
    assert "did you mean 'marketing'?" in answer.err


@pytest.mark.parametrize(
    ("subject", "site", "matched"),
    [
        ("https://tracker.example/", None, True),
        ("HTTPS://TRACKER.EXAMPLE./", None, True),
        ("tracker.example/t.js", None, True),
        ("tracker.example:8443/t.js", None, True),
        ("//tracker.example/t.js", None, True),
        ("wss://tracker.example/", None, True),
        ("/t.js", None, False),
        ("/t.js", "https://tracker.example/", False),
        ("https://tracker.example/", "https://tracker.example/", False),
        ("https://nottracker.example/", None, False),
        ("https://tracker.example.evil.example/", None, False),
        ("data:text/html,https://tracker.example/", None, False),
    ],
)
def test_a_url_is_read_as_a_browser_reads_it_on_the_page(
    rules: Path, subject: str, site: str | None, *, matched: bool
) -> None:
    """The answer must be the gateway's, not that of a search for a substring; a site's own host is never a vendor's."""
    answer = explained(rules, subject, *(["--site", site] if site else []))
    assert answer.status == 0
    assert bool(answer.json["matches"]) is answer.json["withheld"] is matched
    assert answer.json["reason"]


def test_what_no_rule_matches_passes_and_is_no_failure(rules: Path) -> None:
    """That nobody knows a host is an answer, not a fault."""
    answer = explained(rules, "https://nobody.example/")
    assert (answer.status, answer.json["reason"]) == (0, "no rule matches")
    assert explained(rules, "data:,x").json["reason"] == "it contacts no host"


@pytest.mark.parametrize("subject", ["https://", "http://[::1", "https://a b/", ""])
def test_a_url_that_no_browser_would_fetch_is_bad_use(rules: Path, subject: str) -> None:
    """An answer about something that cannot happen would be taken for one about something that can."""
    assert explained(rules, subject).status == 2


@pytest.mark.parametrize("site", ["site.example", "ftp://site.example/", "/", "https://"])
def test_a_site_that_is_no_page_is_bad_use(rules: Path, site: str) -> None:
    """Relative URLs would be resolved against nothing."""
    answer = explained(rules, "/x", "--site", site)
    assert answer.status == 2
    assert "--site" in answer.err


@pytest.mark.parametrize(
    ("name", "matched", "withheld", "reason"),
    [
        ("_trk", 1, True, "tracker-example needs marketing; granted: necessary"),
        ("trk_id", 1, False, "a cookie of the vendor's own hosts"),
        ("session", 1, False, "the name is too general"),
        ("basket", 0, False, "no rule matches"),
    ],
)
def test_a_cookie_is_explained_by_name(rules: Path, name: str, matched: int, reason: str, *, withheld: bool) -> None:
    """Cookies that a head must not touch are known all the same, and the reason says why they are left alone."""
    answer = explained(rules, f"cookie:{name}").json
    assert (answer["kind"], len(answer["matches"]), answer["withheld"]) == ("cookie", matched, withheld)
    assert answer["reason"].startswith(reason)


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        (b'trackerQueue.push("x")', "inline.queue"),
        (b'load("https://tracker.example/t.js")', "hosts.tracker.example"),
        (b"basket.push(1)\xff", None),
    ],
)
def test_inline_code_is_explained_from_a_file_and_from_standard_input(
    rules: Path, tmp_path: Path, code: bytes, rule: str | None
) -> None:
    """Whoever writes a signature wants to try it on the snippet at hand."""
    file = tmp_path / "snippet.js"
    file.write_bytes(code)
    from_file = explained(rules, f"inline:{file}").json
    from_stdin = explained(rules, "inline:-", stdin=code).json
    assert from_file["matches"] == from_stdin["matches"]
    assert from_file["kind"] == "inline"
    assert [match["rule"] for match in from_file["matches"] if match["vendor"] == "tracker-example"] == (
        [rule] if rule else []
    )


def test_code_that_cannot_be_read_is_bad_use(rules: Path) -> None:
    """A missing file must not look like code that nobody knows."""
    answer = explained(rules, "inline:/does/not/exist.js")
    assert answer.status == 2
    assert "no such file" in answer.err


def test_a_subject_that_is_no_text_is_told_all_the_same(rules: Path) -> None:
    """Shells pass bytes; JSON must be UTF-8."""
    assert explained(rules, "cookie:\udcff").json["subject"] == "cookie:\\udcff"


def test_a_terminal_is_told_who_why_and_where(rules: Path) -> None:
    """The file is what whoever disagrees has to open."""
    shown = on_terminal("explain", "https://tracker.example/", "--rules", str(rules), "--set", "rules.shipped=false")
    assert "Tracker Example" in shown
    assert f"{rules}/tracker-example.toml" in shown
    assert "withheld: other needs analytics; tracker-example needs marketing; granted: necessary" in shown
    assert on_terminal("explain", "https://nobody.example/") == "passes: no rule matches\n"
