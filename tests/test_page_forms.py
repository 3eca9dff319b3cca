"""Forms that post to a vendor."""

import pytest

from gateway.withheld import Kind
from tests.chunks import chunkings
from tests.test_page_rewriter import rewrite

FIELD = b"<input type=hidden name=visitor value=1>"
EMPTIED = (
    b'<input data-consent-vendor="stats-example" data-consent-needs="analytics" value="" type=hidden name=visitor '
    b"data-consent-value=1>"
)
LEAD = b"<form action=https://stats.example/lead>"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (LEAD + FIELD + b"</form>", LEAD + EMPTIED + b"</form>"),
        (LEAD + b"<input name=visitor value=1></form>", LEAD + b"<input name=visitor value=1></form>"),
        (
            LEAD + b"<input type=hidden name=list value=1></form>",
            LEAD + b"<input type=hidden name=list value=1></form>",
        ),
        (LEAD + b"</form>" + FIELD, LEAD + b"</form>" + FIELD),
        (LEAD + b"<form action=/own>" + FIELD + b"</form>", LEAD + b"<form action=/own>" + EMPTIED + b"</form>"),
        (b"<form action=/own>" + FIELD + b"</form>", b"<form action=/own>" + FIELD + b"</form>"),
        (
            b"<form action=/own><p>a</form>" + LEAD + FIELD + b"</form><form action=/own>" + FIELD + b"</form>",
            b"<form action=/own><p>a</form>" + LEAD + EMPTIED + b"</form><form action=/own>" + FIELD + b"</form>",
        ),
    ],
)
def test_the_fields_that_carry_tracking_go_out_empty(page: bytes, expected: bytes) -> None:
    """The form stays usable, and what the visitor types is his to send."""
    for chunks in chunkings(page):
        out, withheld, _ = rewrite(chunks)
        assert out == expected
        assert [fact.kind for fact in withheld] == [Kind.FORM] * (LEAD in page)
    assert rewrite([page], grant=("analytics",)) == (page, [], [])


@pytest.mark.parametrize(
    "button",
    [
        b"<button formaction=https://stats.example/lead>a</button>",
        b"<button type=submit name=a FORMACTION='//stats.example/lead'>a</button>",
        b"<input type=submit formaction=https://stats.example/lead>",
        b"<input type=image alt=a formaction=https://stats.example/lead>",
    ],
)
def test_a_button_does_not_take_the_fields_before_it_to_a_vendor(button: bytes) -> None:
    """They have gone out already; the form goes where its own action says."""
    page = b"<form action=/own>" + FIELD + button + b"<input name=b></form>"
    for chunks in chunkings(page):
        out, withheld, _ = rewrite(chunks)
        assert [(fact.kind, fact.rule, fact.host) for fact in withheld] == [(Kind.FORM, "forms.lead", "stats.example")]
        assert out.lower().count(b"data-consent-formaction=") == 1
        assert out.startswith(b"<form action=/own>" + FIELD)
    assert rewrite([page], grant=("analytics",)) == (page, [], [])


@pytest.mark.parametrize(
    "button",
    [
        b"<button formaction=https://stats.example/other>a</button>",
        b"<button formaction=/lead>a</button>",
        b"<input type=submit formaction=https://tracker.example/lead>",
        b"<p formaction=https://stats.example/lead>a",
    ],
)
def test_other_buttons_stay_as_they_are(button: bytes) -> None:
    """Nobody but a rule says that a form is a vendor's."""
    page = b"<form action=/own>" + FIELD + button + b"</form>"
    assert rewrite([page]) == (page, [], [])


def test_a_field_that_waits_for_two_is_marked_with_both() -> None:
    """Release brings its value back, and its handler."""
    page = LEAD + b"<input type=hidden name=visitor value=1 onfoo=\"load('//tracker.example/x')\"></form>"
    out, _, _ = rewrite([page])
    assert b'data-consent-vendor="stats-example tracker-example" data-consent-needs="analytics marketing"' in out
