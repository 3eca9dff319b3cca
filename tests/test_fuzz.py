"""The fuzz targets, for a short while and with the same inputs every time; their oracles; and whatever they have found so far."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import addresses, oracle, styles
from tests.fuzz.__main__ import told
from tests.fuzz.case import Broken, Case, law_broken, shrink
from tests.fuzz.draw import Draw
from tests.fuzz.engine import TARGETS, Fault, Tally, Target, inputs
from tests.fuzz.found import FOUND, KNOWN
from tests.fuzz.vendors import SITE, rewrite

ROOT = Path(__file__).parent.parent

# Enough to draw each kind of input some times.
RUNS = 400


@pytest.mark.parametrize("name", TARGETS)
def test_random_inputs_break_no_law(name: str) -> None:
    """What holds for the pages that somebody thought of must hold for those nobody did."""
    tally = Tally(TARGETS[name])
    for data in itertools.islice(inputs("ci"), RUNS):
        tally.take(data)
    assert tally.faults == {}


@pytest.mark.parametrize("name", TARGETS)
def test_inputs_that_hypothesis_thinks_of_break_no_law(name: str) -> None:
    """It likes what is short, repeated and at a bound, where random bytes seldom are."""
    tally = Tally(TARGETS[name])

    @settings(max_examples=150, derandomize=True, database=None)
    @given(st.binary(max_size=120))
    def take(data: bytes) -> None:
        tally.take(data)

    take()
    assert tally.faults == {}


def found() -> list[object]:
    """All inputs, those of faults that are not mended marked as such."""
    marks = {name: [pytest.mark.xfail(strict=True, reason=f"not mended yet: {name}")] for name in KNOWN}
    return [pytest.param(name, id=name, marks=marks.get(name, [])) for name in FOUND]


@pytest.mark.parametrize("name", found())
def test_what_was_found_stays_mended(name: str) -> None:
    """Each was a vendor contacted, a page damaged, or an exception."""
    TARGETS[FOUND[name].target].check(FOUND[name].case)


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_fault_is_recognised(name: str) -> None:
    """Otherwise a run would report it as a new one, again and again."""
    tally = Tally(TARGETS[FOUND[name].target])
    tally.take_case(b"", FOUND[name].case)
    assert tally.faults == {}
    assert tally.known.total() == 1


# -- the oracles ------------------------------------------------------------------------------------------------------

CONTACTS = {
    "img src": "<img src=//tracker.example/t>",
    "img srcset": "<img srcset='/a 1x, //tracker.example/t 2x'>",
    "input src": "<input type=image src=//tracker.example/t>",
    "script src": "<script src=//tracker.example/t></script>",
    "script": "<script>go('//tracker.example/t')</script>",
    "script speculationrules": '<script type=speculationrules>["https://tracker.example/t"]</script>',
    "script href": "<svg><script href=//tracker.example/t></script></svg>",
    "script src > script": "<script src=\"data:text/javascript,go('https://tracker.example/t')\"></script>",
    "iframe src": "<iframe src=//tracker.example/t></iframe>",
    "iframe src > img src": "<iframe src='data:text/html,<img src=https://tracker.example/t>'></iframe>",
    "object data": "<object data=//tracker.example/t></object>",
    "embed src": "<embed src=//tracker.example/t>",
    "video poster": "<video poster=//tracker.example/t></video>",
    "source src": "<audio><source src=//tracker.example/t></audio>",
    "link href": "<link rel=stylesheet href=//tracker.example/t>",
    "link imagesrcset": "<link rel=preload as=image imagesrcset='//tracker.example/t 1x'>",
    "link href > style": "<link rel=stylesheet href='data:text/css,a{b:url(https://tracker.example/t)}'>",
    "meta content": "<meta http-equiv=refresh content='0;url=//tracker.example/t'>",
    "style": "<style>a{b:url(//tracker.example/t)}</style>",
    "style @import": "<style>@import '//tracker.example/t'</style>",
    "p style": "<p style='a:url(//tracker.example/t)'>",
    "p onclick": "<p onclick='go(\"//tracker.example/t\")'>",
    "td background": "<table><td background=//tracker.example/t>",
    "a ping": "<a ping='/a //tracker.example/t'>",
    "image href": "<svg><image href=//tracker.example/t></svg>",
    "set to": "<svg><image><set attributeName=href to=//tracker.example/t></set></image></svg>",
    "rect mask": "<svg><rect mask='url(//tracker.example/t)'></rect></svg>",
    "frame src": "<frameset><frame src=//tracker.example/t>",
}


@pytest.mark.parametrize(("by", "page"), CONTACTS.items(), ids=CONTACTS)
def test_the_oracle_sees_a_contact_and_the_rewriter_takes_it_away(by: str, page: str) -> None:
    """An oracle that sees nothing would find nothing."""
    assert (f"{by}") in {contact.by for contact in oracle.contacts(page.encode(), site=SITE)}
    assert {contact.host for contact in oracle.contacts(page.encode(), site=SITE)} >= {"tracker.example"}
    left = oracle.contacts(rewrite([page.encode()]).page, site=SITE)
    assert "tracker.example" not in {contact.host for contact in left}


@pytest.mark.parametrize(
    "page",
    [
        "<a href=//tracker.example/t>tracker.example</a>",
        "<!-- <img src=//tracker.example/t> -->",
        "<template><img src=//tracker.example/t></template>",
        "<textarea><img src=//tracker.example/t></textarea>",
        "<script type=application/json>['//tracker.example/t']</script>",
        "<script>// '//tracker.example/t'</script>",
        "<img data-consent-src=//tracker.example/t>",
        "<img src='data:image/svg+xml,<svg><image href=\"https://tracker.example/t\"/></svg>'>",
        "<style type=text/plain>a{b:url(//tracker.example/t)}</style>",
        "<link rel=canonical href=//tracker.example/t>",
        "<iframe srcdoc='' src=//tracker.example/t></iframe>",
        "<noscript><img src=//tracker.example/t></noscript>",
    ],
)
def test_the_oracle_is_silent_where_nobody_is_contacted(page: str) -> None:
    """One that cries wolf would have the rewriter damage pages."""
    assert oracle.contacts(page.encode(), site=SITE) == set()


def test_the_oracle_reads_a_base_a_scripting_flag_and_documents_within() -> None:
    """Each of them decides about everything else in the page."""

    def hosts(page: str, *, scripting: bool = True) -> set[str]:
        return {contact.host for contact in oracle.contacts(page.encode(), site=SITE, scripting=scripting)}

    assert hosts("<img src=a><base href=//tracker.example/><base href=/x/><img src=b>") == {
        "site.example",
        "tracker.example",
    }
    assert hosts("<noscript><img src=//tracker.example/t></noscript>", scripting=False) == {"tracker.example"}
    assert hosts("<iframe srcdoc='<base href=//tracker.example/><img src=a>'></iframe>") == {"tracker.example"}
    assert hosts("<div><template shadowrootmode=open><img src=//tracker.example/t></template></div>") == {
        "tracker.example"
    }
    xml = "<?xml-stylesheet href='//a.example/'?><x:html xmlns:x='http://www.w3.org/1999/xhtml'><x:img src='//b.example/'/></x:html>"
    assert {contact.host for contact in oracle.contacts_of_xml(xml, site=SITE) or ()} == {"a.example", "b.example"}
    assert oracle.contacts_of_xml("<p><b></p>", site=SITE) is None


@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        ("a{b:url(c)}", ["c"]),
        ("a{b:URL( 'c' )}", ["c"]),
        ("u\\72l(c)", ["c"]),
        ("url(a\\2f b)", ["a/b"]),
        ("url(a b) url(c)", ["c"]),
        ("url(a'b)", []),
        ("url(c", ["c"]),
        ("@import 'c'; @import url(d)", ["c", "d"]),
        ('@IMPORT/**/"c"', ["c"]),
        ("@namespace url(c); url(d)", ["d"]),
        ("image-set('c' 1x, url(d) 2x)", ["c", "d"]),
        ("content: 'c'", []),
        ("/* url(c) */ '*/' url(d)", ["d"]),
        ("'a\nurl(c)", ["c"]),
        ("'a\\\nurl(c)", []),
        ("#url(c)", []),
        ("\\url(c)", ["c"]),
        ("a\\'b url(c)", ["c"]),
        ("-url(c) 1url(c) xurl(c)", []),
        ("(url(c)) url(d)", ["d"]),
    ],
)
def test_the_oracle_of_style_sheets_reads_by_the_letter(sheet: str, expected: list[str]) -> None:
    """It is what the fast reading is held against."""
    assert [url for url, _ in styles.loaded(sheet)] == expected


def test_the_oracles_of_addresses_read_by_the_letter() -> None:
    """The examples and notes of the standards."""
    assert addresses.candidates("a,b 1x,,c (d, e) 2x , f,") == ["a,b", "c", "f"]
    assert addresses.candidates(" a 1x, b") == ["a", "b"]
    assert addresses.candidates("a (b, c), d") == ["a", "d"]
    assert addresses.candidates("a ((b), c") == ["a", "c"]
    assert [addresses.refresh(text) for text in ("5", "x", "0; url=a", "1.5,a", "0 'a' b", ";a", "0 url 'a'")] == [
        *(None, None, "a", "a", "a", None, "url 'a'"),
    ]
    document = addresses.data_of("data: Text/HTML ;charset=x; base64,YQ")
    assert document == addresses.Document("text/html", "x", b"a")
    assert addresses.data_of("data:,a%20b#c") == addresses.Document("text/plain", "", b"a b")
    assert addresses.data_of("data:text/html;base64,a") is None
    assert addresses.data_of("https://site.example/,") is None


# -- the tools --------------------------------------------------------------------------------------------------------


def test_choices_mean_something_for_every_input() -> None:
    """A fuzzer that feeds too little gets the first of everything; one that feeds the same gets the same."""
    empty = Draw(b"")
    assert (empty.below(9), empty.pick("abc"), empty.one_in(2), empty.raw(9), empty.rest()) == (0, "a", False, b"", b"")
    assert Draw(b"\x01\x00").below(1000) == 256
    for data in (b"", b"\x05", bytes(range(40))):
        for text in (b"", b"a", b"some text"):
            assert b"".join(Draw(data).cut(text)) == text


def test_what_breaks_a_law_is_made_as_small_as_it_can_be() -> None:
    """Nobody understands a fault in three hundred random bytes."""

    def check(case: Case[None]) -> None:
        if b"a" in case.given and b"b" in case.given:
            raise Broken("ab")
        if not case.given:
            raise ValueError

    assert shrink(check, Case(b"xxaxx" * 20 + b"yybyy" * 20, None), "ab").given == b"ab"
    assert law_broken(check, Case(b"", None)) == "ValueError"
    assert law_broken(check, Case(b"a", None)) is None


def test_the_command_runs_a_target_and_says_how_far_it_came() -> None:
    """A record of a run is its last line."""
    run = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--target", "css", "--seconds", "0.2"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert re.fullmatch(r"target=css runs=[1-9]\d* seconds=\d+ per_second=\d+ faults=0 known=\{.*\}\n", run.stdout)


def test_what_a_run_finds_is_kept_and_can_be_tried_again(tmp_path: Path) -> None:
    """What hours have found must be there in the morning."""

    def check(case: Case[None]) -> None:
        if b"x" in case.given:
            raise Broken("an x", case.given)

    tally = Tally(Target("page", lambda data: Case(data, None), check))
    for data in (b"abc", b"axc", b"xx"):
        tally.take(data)
    assert tally.faults == {"an x": Fault("an x", b"axc", b"x")}
    assert told(tally, tmp_path / "faults") == 1
    assert [file.read_bytes() for file in (tmp_path / "faults").iterdir()] == [b"axc"]
    assert told(Tally(TARGETS["css"]), tmp_path) == 0
