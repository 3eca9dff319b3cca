"""Vendor files that prove themselves by their own examples."""

import re
from pathlib import Path

import pytest

from gateway import rule_files
from gateway.prove import Proof, Subject, prove
from gateway.vendors import catalogue

HEAD = """\
format = 1
[vendor]
id = "{id}"
name = "X"
[consent]
categories = ["marketing"]
"""

TRACKER = (
    HEAD.format(id="tracker")
    + """\
[[hosts]]
name = "tracker.example"
[[scripts]]
id = "loader"
host = "tracker.example"
path = '^/loader\\.js$'
[[iframes]]
id = "pay"
host = "tracker.example"
path = '^/pay'
categories = ["necessary"]
[[scripts]]
id = "embed"
path = '^/f/embed\\.php$'
near = '_trk_\\d+'
[[inline]]
id = "start"
all = ["trk("]
[[cookies]]
name = "_trk*"
[[cookies]]
name = "sid"
needs_vendor_on_page = true
"""
)

OTHER = HEAD.format(id="other") + '[[hosts]]\nname = "cdn.tracker.example"\n[[inline]]\nid = "i"\nall = ["trk("]\n'


def proofs(example: str, *, tracker: str = TRACKER) -> list[Proof]:
    text = tracker + "".join(f"[[example]]\n{one}\n" for one in example.split("---"))
    loaded = catalogue.load([{"tracker.toml": text.encode(), "other.toml": OTHER.encode()}])
    return prove(loaded, vendor="tracker")


@pytest.mark.parametrize(
    ("example", "subject", "found"),
    [
        ("url = 'https://tracker.example/x'", Subject.URL, ("hosts.tracker.example",)),
        ("url = 'https://cdn.tracker.example/loader.js'", Subject.URL, ("scripts.loader",)),
        ("url = 'https://tracker.example/pay'", Subject.URL, ()),
        ("url = 'https://tracker.example/x'\nsite = 'https://tracker.example/'", Subject.URL, ()),
        ("url = '/x'\nsite = 'https://tracker.example/'", Subject.URL, ()),
        ("url = '/f/embed.php'", Subject.URL, ()),
        ("url = 'https://[nonsense'", Subject.URL, ()),
        ("inline = 'trk(1)'", Subject.INLINE, ("inline.start",)),
        ("inline = '''load(\"//tracker.example/loader.js\")'''", Subject.INLINE, ("scripts.loader",)),
        ("inline = 'x'", Subject.INLINE, ()),
        ("cookie = '_trk1'", Subject.COOKIE, ("cookies._trk*",)),
        ("cookie = 'sid'", Subject.COOKIE, ()),
    ],
)
def test_an_example_is_judged_by_the_rules_of_its_file(example: str, subject: Subject, found: tuple[str, ...]) -> None:
    """Other vendors that claim the same thing do not spoil a file's examples, and what is released is not expected."""
    (proof,) = proofs(f"{example}\nexpect = {list(found)}\nnote = 'n'")
    assert proof == Proof("tracker", "tracker.toml", 1, subject, found, found, note="n")
    assert proof.passed


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<script src="https://tracker.example/loader.js"></script>', ("scripts.loader",)),
        ("<script>trk(1)</script>", ("inline.start",)),
        ('<script src="/f/embed.php"></script>', ()),
        ('<div class="_trk_1"></div><script src="/f/embed.php"></script>', ("scripts.embed",)),
        (
            '<script>trk(1)</script><script>trk(2)</script><img src="//tracker.example/p.gif">',
            ("hosts.tracker.example", "inline.start"),
        ),
        ('<iframe src="https://tracker.example/pay"></iframe>', ()),
        ('<a href="https://tracker.example/">a link</a>', ()),
    ],
)
def test_a_page_is_judged_by_what_the_rewriter_withholds(html: str, found: tuple[str, ...]) -> None:
    """A snippet as the vendor hands it out is the best proof: it goes the way of every page."""
    (proof,) = proofs(f"html = '''{html}'''\nexpect = {list(found)}")
    assert proof.subject is Subject.HTML
    assert proof.found == found
    assert proof.passed


def test_what_is_not_as_expected_does_not_pass() -> None:
    """More than expected breaks sites, less than expected lets a vendor run."""
    more, less, order = proofs(
        "url = 'https://tracker.example/'\nexpect = []"
        "---url = '/x'\nexpect = ['hosts.tracker.example']"
        "---inline = 'trk(1)'\nexpect = ['inline.start', 'inline.start']"
    )
    assert (more.number, more.expected, more.found, more.passed) == (1, (), ("hosts.tracker.example",), False)
    assert (less.number, less.expected, less.found, less.passed) == (2, ("hosts.tracker.example",), (), False)
    assert (order.number, order.passed) == (3, True)


def test_a_file_without_examples_is_named_and_fails_nothing() -> None:
    """The least file must work for ever; that it proves nothing should be seen all the same."""
    loaded = catalogue.load([{"b.toml": TRACKER.encode(), "a.toml": OTHER.encode()}])
    results = prove(loaded)
    assert [(proof.vendor, proof.file, proof.number, proof.subject) for proof in results] == [
        ("other", "a.toml", 0, Subject.NONE),
        ("tracker", "b.toml", 0, Subject.NONE),
    ]
    assert all(proof.passed and proof.note == "no examples" for proof in results)


def test_a_vendor_that_is_not_there_cannot_be_proved() -> None:
    """The caller says which vendors there are; an empty answer would read as success."""
    with pytest.raises(KeyError):
        prove(catalogue.load([{"a.toml": OTHER.encode()}]), vendor="nobody")


def test_the_worked_example_of_the_readme_proves_itself() -> None:
    """Whoever starts from it starts from something that works."""
    readme = (Path(__file__).parent.parent / "rules" / "README.md").read_text(encoding="utf-8")
    worked = re.findall(r"^```toml\n(.*?)^```", readme, flags=re.MULTILINE | re.DOTALL)[1]
    results = prove(catalogue.load([{"acme-tags.toml": worked.encode()}]))
    assert [(proof.subject, proof.found) for proof in results if not proof.passed] == []
    assert len(results) == 5


def test_the_shipped_vendors_prove_themselves() -> None:
    """Every snippet and URL that the shipped files show meets the rules that they say, and each file shows some."""
    results = prove(catalogue.load(rule_files.read([], shipped=True)))
    failed = [proof for proof in results if not proof.passed or proof.subject is Subject.NONE]
    assert not failed, "\n".join(f"{p.file} example {p.number}: expected {p.expected}, found {p.found}" for p in failed)
