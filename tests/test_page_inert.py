"""How a withheld thing stands in the page."""

import pytest

from gateway.consent.model import Category
from gateway.page.attributes import attributes
from gateway.page.inert import Tag, marks, one_a_vendor
from gateway.vendors.match import Verdict

A = frozenset({Category.ANALYTICS})
M = frozenset({Category.MARKETING})


def tag(raw: bytes, name: bytes) -> Tag:
    return Tag(raw, name, tuple(attributes(raw)))


@pytest.mark.parametrize(
    "raw", [b"<img>", b"<IMG SRC=a/>", b"<img\n src = 'a' alt>", b"<img/src=a/ >", b"<img src=a src=b data-consent=x>"]
)
def test_a_tag_of_which_nothing_is_withheld_stays_as_it_is(raw: bytes) -> None:
    """Byte for byte."""
    assert tag(raw, b"img").render() == raw


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"<img src=a>", b"<img M data-consent-src=a>"),
        (b"<IMG SRC=a ALT>", b"<IMG M data-consent-src=a ALT>"),
        (b"<img src=a SRC='b'/>", b"<img M data-consent-src=a data-consent-src='b'/>"),
        (b"<img/src=a>", b"<img M/data-consent-src=a>"),
        (b"<img alt='src=x'src=a>", b"<img M alt='src=x'data-consent-src=a>"),
        (b"<img alt>", b"<img M alt>"),
        (b"<img data-consent-src=b src=a>", b"<img M data-consent-data-consent-src=b data-consent-src=a>"),
    ],
)
def test_an_attribute_is_renamed_wherever_it_stands(raw: bytes, expected: bytes) -> None:
    """Every one of its name: of two the second would take the first one's place."""
    withheld = tag(raw, b"img")
    withheld.withhold((b"src",), (Verdict("v", "hosts.v", M),))
    assert withheld.render() == expected.replace(b" M", b' data-consent-vendor="v" data-consent-needs="marketing"', 1)
    assert not withheld.acts(b"src")


def test_what_stands_in_for_an_attribute_stands_in_front_of_it() -> None:
    """The first of two attributes of one name counts."""
    withheld = tag(b"<p style=a class=b>", b"p")
    withheld.withhold((b"style",), (Verdict("v", "hosts.v", A),), put=b' style="c"')
    withheld.withhold((b"class",), (Verdict("w", "hosts.w", M),), put=b' class="d"')
    assert withheld.render() == (
        b'<p data-consent-vendor="v w" data-consent-needs="analytics marketing" style="c" class="d" data-consent-style=a '
        b"data-consent-class=b>"
    )


def test_a_colon_in_a_name_is_a_dash_in_the_name_it_gets() -> None:
    """In XML `data-consent-xlink:` would be a prefix that nobody declared, and the end of the page."""
    withheld = tag(b"<use xlink:href=a />", b"use")
    withheld.withhold((b"xlink:href",), (Verdict("v", "hosts.v", A),))
    assert withheld.render().endswith(b" data-consent-xlink-href=a />")


def test_text_is_no_code_whatever_its_type_was() -> None:
    """And tells so for preload scanners, which see no more than the tag."""
    withheld = tag(b"<script async TYPE=module onload=a>", b"script")
    assert not withheld.is_text
    withheld.make_text()
    assert withheld.is_text
    assert withheld.handlers == {b"onload"}
    assert withheld.render() == b'<script type="text/plain" async data-consent-TYPE=module onload=a>'.replace(
        b"TYPE", b"type"
    )


@pytest.mark.parametrize(
    ("vendors", "expected"),
    [
        (["v"], b"v"),
        (["w", "v", "w"], b"v w"),
        ([""], b"*"),
        (["v", ""], b"* v"),
    ],
)
def test_marks_name_everybody_once(vendors: list[str], expected: bytes) -> None:
    """And somebody always: of an empty list every vendor would be allowed by name."""
    assert marks(vendors, [Category.MARKETING]) == (
        b' data-consent-vendor="' + expected + b'" data-consent-needs="marketing"'
    )


def test_verdicts_of_one_vendor_become_one_that_needs_all() -> None:
    """Release asks once for each vendor, for everything."""
    one, other, third = Verdict("v", "hosts.v", A), Verdict("w", "hosts.w", A), Verdict("v", "scripts.v", M)
    assert one_a_vendor([one, other, third]) == (Verdict("v", "hosts.v", A | M), other)
    assert one_a_vendor([]) == ()
