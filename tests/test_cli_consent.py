"""`consent`: what each reader read, and the decision."""

import time

import pytest

from gateway.consent import own
from gateway.consent.model import Category
from tests.command_line import on_pipe, on_terminal


def choice(*granted: Category) -> str:
    return f"Cookie: cg_consent={own.write(granted=granted, now=time.time(), notice_version=1)}"


def test_a_request_that_says_nothing_is_told_in_the_promised_shape() -> None:
    """People script against it."""
    answer = on_pipe("consent", "--json")
    assert answer.status == 0
    assert answer.json == {
        "decided": False,
        "granted": ["necessary"],
        "basis": "no-choice",
        "vendors": {"granted": [], "refused": []},
        "signals": [],
    }


def test_each_reader_is_told_with_yes_no_and_not_told() -> None:
    """A category that a source says nothing of is null, and not false: the difference decides."""
    answer = on_pipe("consent", "--header", choice(Category.ANALYTICS), "--header", "Sec-GPC: 1").json
    assert answer["decided"] is True
    assert answer["granted"] == ["necessary", "analytics"]
    ours, browser = answer["signals"]
    assert (ours["reader"], ours["decided"]) == ("own", True)
    assert ours["categories"] == {"functional": False, "analytics": True, "marketing": False}
    assert isinstance(ours["time"], int)
    assert browser["reader"] == "gpc"
    assert browser["categories"] == {"functional": None, "analytics": None, "marketing": False}


def test_granted_categories_come_in_one_order() -> None:
    """Scripts compare them as text."""
    answer = on_pipe("consent", "--header", choice(Category.MARKETING, Category.FUNCTIONAL, Category.ANALYTICS)).json
    assert answer["granted"] == ["necessary", "functional", "analytics", "marketing"]
    assert answer["basis"] == "choice"


@pytest.mark.parametrize(
    ("region", "basis"),
    [("DE", "no-choice"), ("US-CA", "opt-out-region"), ("us-ca", "opt-out-region"), ("ZZ", "no-choice")],
)
def test_the_region_settles_what_nobody_chose(region: str, basis: str) -> None:
    """Unknown regions ask first."""
    assert on_pipe("consent", "--region", region).json["basis"] == basis


def test_the_region_of_the_command_line_wins_over_the_setting() -> None:
    """It stands for where one visitor is."""
    assert on_pipe("consent", "--set", "consent.region=US-CA").json["basis"] == "opt-out-region"
    assert on_pipe("consent", "--set", "consent.region=US-CA", "--region", "DE").json["basis"] == "no-choice"


@pytest.mark.parametrize("region", ["Germany", "D", "US-", "US-CALI", "US_CA"])
def test_a_region_that_is_none_is_bad_use(region: str) -> None:
    """A typing error must not be taken for the strictest law."""
    answer = on_pipe("consent", "--region", region)
    assert answer.status == 2
    assert "--region" in answer.err


@pytest.mark.parametrize("header", ["Sec-GPC", ": 1", "Sec GPC: 1", "", "Cookie\n: x"])
def test_a_header_that_is_none_is_bad_use(header: str) -> None:
    """A header that is silently left out would make the answer wrong."""
    answer = on_pipe("consent", "--header", header)
    assert answer.status == 2
    assert "--header" in answer.err


@pytest.mark.parametrize("header", ["sec-gpc:1", "SEC-GPC: 1", "Sec-GPC:\t1 "])
def test_a_header_is_read_as_in_a_request(header: str) -> None:
    """Names have no letter case, values no space around them (RFC 9110, section 5)."""
    assert [signal["reader"] for signal in on_pipe("consent", "--header", header).json["signals"]] == ["gpc"]


@pytest.mark.parametrize("value", ["\udcff\udcfe", "\u00e9", '"', "v=1&v=1", "%", "=;=;"])
def test_a_cookie_that_is_no_text_is_read_over_or_told_as_odd(value: str) -> None:
    """Real cookies are bytes of anybody's making; none may grant by accident."""
    answer = on_pipe("consent", "--header", f"Cookie: cg_consent={value}")
    assert (answer.status, answer.json["granted"]) == (0, ["necessary"])


def test_the_settings_say_which_readers_count() -> None:
    """A platform that the site has left may still lie in visitors' cookies."""
    header = "Cookie: CookieConsent=-1"
    assert [signal["reader"] for signal in on_pipe("consent", "--header", header).json["signals"]] == ["cookiebot"]
    assert on_pipe("consent", "--header", header, "--set", 'consent.readers=["own"]').json["signals"] == []
    assert on_pipe("consent", "--header", "Sec-GPC: 1", "--set", "consent.gpc=false").json["signals"] == []


def test_a_terminal_is_shown_each_reader_and_the_decision() -> None:
    """Support wants to see why this visitor is asked, or is not."""
    assert "no reader found anything" in on_terminal("consent")
    shown = on_terminal("consent", "--header", choice(Category.ANALYTICS), "--header", "Sec-GPC: 1")
    assert [line.split()[0] for line in shown.splitlines()] == ["reader", "own", "gpc", "granted:"]
    assert "granted: necessary, analytics (basis: " in shown
