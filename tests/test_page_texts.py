"""Scripts and style sheets that stand in the page."""

import pytest

from gateway.consent.model import Category
from gateway.page.context import Page
from gateway.page.inert import CUT, Tag
from gateway.page.rewriter import PageLimits
from gateway.page.texts import Both, Gone, Script
from gateway.vendors.match import Verdict
from gateway.withheld import Action
from tests.chunks import chunkings
from tests.test_page_rewriter import CATALOGUE, LIMITS, decision

WAITS = (Verdict("", "author.fence", frozenset({Category.MARKETING})),)


def page(limits: PageLimits = LIMITS) -> Page:
    return Page(CATALOGUE.matcher, decision(), "https://site.example/shop/", limits, xml=False)


@pytest.mark.parametrize(
    ("json", "refused"),
    [
        (b'{"imports": {"a": "https:\\u002f\\u002ftracker.example/x"}}', True),
        (b'{"imports": {"\\u002f/tracker.example/": "/a"}}', True),
        (b'{"a": [1, null, [["//tracker.example/x"]]]}', True),
        (b'["https://TRACKER.example:8443/x"]', True),
        (b'{"a": "see https://tracker.example/"}', False),
        (b'{"a": "tracker.example", "b": "/own", "c": 1}', False),
        (b'{"a": "\\u002f\\u002ftracker.example/x"', False),
        (b"[" * 5000 + b"]" * 5000, False),
        (b"", False),
    ],
)
def test_json_is_read_as_json_where_it_makes_something_load(json: bytes, *, refused: bool) -> None:
    """Its strings have escapes of their own; what is no JSON loads nothing."""
    context = page(PageLimits(tag_bytes=2000, inline_bytes=20_000))
    script = Script(context, Tag(b"<script>", b"script", ()), at=5, is_data=True)
    out = script.feed(json) + script.close()
    assert out.endswith(b">" + json)
    assert (out != b"<script>" + json) is refused
    assert [fact.offset for fact in context.report.withheld] == [5] * refused


@pytest.mark.parametrize("text", [b"", b" \n\t"])
def test_a_script_without_text_waits_for_nobody(text: bytes) -> None:
    """There is nothing that could run."""
    context = page()
    script = Script(context, Tag(b"<script>", b"script", ()), at=0, waits=WAITS)
    assert script.feed(text) + script.close() == b"<script>" + text
    assert context.report.withheld == []


def test_a_script_that_waits_and_begins_with_more_blanks_than_are_held_is_cut_off() -> None:
    """Its start tag went out before anything was known of it."""
    context = page()
    script = Script(context, Tag(b"<script>", b"script", ()), at=0, waits=WAITS)
    out = script.feed(b" " * 5000) + script.feed(b"go()") + script.close()
    assert out.endswith(CUT)
    assert b"go()" not in out
    assert [fact.action for fact in context.report.withheld] == [Action.REMOVED]


def test_text_for_two_parsers_goes_through_both() -> None:
    """The second judges what the first has left."""

    class Lower:
        def feed(self, data: bytes) -> bytes:
            return data.lower()

        def close(self) -> bytes:
            return b"END"

    class Without:
        def feed(self, data: bytes) -> bytes:
            return data.replace(b"a", b"")

        def close(self) -> bytes:
            return b"."

    for chunks in chunkings(b"ABAC"):
        both = Both(Lower(), Without())
        assert b"".join(map(both.feed, chunks)) + both.close() == b"bcEND."
    gone = Gone()
    assert gone.feed(b"a") + gone.close() == b""
