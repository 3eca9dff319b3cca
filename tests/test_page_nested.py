"""Documents, scripts and style sheets inside addresses and attributes."""

import base64

import pytest

from gateway.page.nested import is_data, runs_on_click
from gateway.page.rewriter import PageLimits
from gateway.withheld import Degraded, Kind
from tests.test_page_rewriter import rewrite

CODE = 'load("https://tracker.example/x.js")'


@pytest.mark.parametrize(
    ("text", "data", "click"),
    [
        ("data:,a", True, False),
        (" \x01DATA:text/html,a", True, False),
        ("da\nt\ta:,a", True, False),
        ("data", False, False),
        ("database:,a", False, False),
        ("javascript:a", False, True),
        ("\x00 JavaScript:a", False, True),
        ("java\r\nscript\t:a", False, True),
        ("java script:a", False, False),
        ("/javascript:a", False, False),
        ("", False, False),
    ],
)
def test_an_address_is_read_as_a_url_parser_reads_it(text: str, *, data: bool, click: bool) -> None:
    """Blanks and control characters around, tabs and ends of lines inside are dropped (URL Standard, 4.4)."""
    assert (is_data(text), runs_on_click(text)) == (data, click)


@pytest.mark.parametrize(
    ("address", "runs"),
    [
        (f"data:text/javascript,{CODE}", True),
        (f"data:text/plain,{CODE}", True),
        (f"data:text/html,{CODE}", True),
        (f"data:,{CODE}", True),
        (f"data:;charset=utf-8,{CODE}", True),
        (f"data:image/png,{CODE}", False),
        (f"data:audio/x,{CODE}", False),
        (f"data:text/csv;charset=utf-8,{CODE}", False),
        (f"data:text/javascript;base64,{base64.b64encode(CODE.encode()).decode()}", True),
        (f"data:text/javascript;base64,{base64.b64encode(CODE.encode()).decode().rstrip('=')}", True),
        (f"data:text/javascript; BASE64,{base64.b64encode(CODE.encode()).decode()}", True),
        (f"data:;charset=utf-16be;base64,{base64.b64encode(CODE.encode('utf-16-be')).decode()}", True),
        (f"data:;base64,{base64.b64encode(CODE.encode('utf-16')).decode()}", True),
        (f"data:;charset=nonsense,{CODE}", True),
        (f"data:text/javascript;base64{CODE}", False),
        ("data:text/javascript;base64,A", False),
        (f"javascript:{CODE}", False),
        (f"blob:{CODE}", False),
    ],
)
def test_a_script_in_its_own_address_is_judged_as_code(address: str, *, runs: bool) -> None:
    """Plug-ins that optimise write scripts so; a browser refuses no more than a few types (HTML, 8.1.4.2)."""
    page = f"<script src='{address}'></script>".encode()
    out, withheld, _ = rewrite([page])
    assert [fact.kind for fact in withheld] == ([Kind.SCRIPT] if runs else [])
    assert (out == page) is not runs


@pytest.mark.parametrize(
    ("kind", "is_document"),
    [
        ("text/html", True),
        (" Text/HTML ;charset=utf-8", True),
        ("application/xhtml+xml", True),
        ("image/svg+xml", True),
        ("text/xml", True),
        ("application/xml", True),
        ("application/atom+xml", True),
        ("text/plain", False),
        ("", False),
        ("text/css", False),
        ("image/png", False),
    ],
)
@pytest.mark.parametrize("frame", ['<iframe src="{}"></iframe>', '<object data="{}">a</object>', '<embed src="{}">'])
def test_a_document_in_its_own_address_is_read_where_a_browser_would(
    kind: str, frame: str, *, is_document: bool
) -> None:
    """Other types are shown, or downloaded."""
    page = frame.format(f"data:{kind},<p/><img src='//tracker.example/p'/>").encode()
    assert bool(rewrite([page])[1]) is is_document


def test_in_an_xml_document_an_empty_script_does_not_hide_the_rest() -> None:
    """Read as HTML, everything behind it would be text."""
    page = b"<iframe src=\"data:application/xhtml+xml,<script src='/a'/><img src='//tracker.example/p'/>\"></iframe>"
    assert len(rewrite([page])[1]) == 1


def test_style_sheets_within_style_sheets_are_read_down_to_a_depth_and_refused_below_it() -> None:
    """Each level can hide the next; the way out is named."""
    sheet = "@import '//tracker.example/a.css'"
    neighbour = "@import '//cdn.example/a.css'"
    limits = PageLimits(tag_bytes=1_000_000, inline_bytes=1_000_000)
    for depth in range(1, 8):
        sheet, neighbour = (
            f"@import 'data:text/css;base64,{base64.b64encode(each.encode()).decode()}'" for each in (sheet, neighbour)
        )
        for holder in ("<style>\\ {};</style>", '<link rel=stylesheet href="data:text/css,{}">'):
            _, withheld, _ = rewrite([holder.format(sheet).encode()], limits=limits)
            assert len(withheld) == 1
            _, withheld, degraded = rewrite([holder.format(neighbour).encode()], limits=limits)
            too_deep = depth + (holder[1] == "l") > 4
            assert [fact.rule for fact in withheld] == [Degraded.NESTED_TOO_DEEP] * too_deep, (depth, holder)
            assert degraded == [Degraded.NESTED_TOO_DEEP] * too_deep


def test_documents_of_different_kinds_within_one_another_are_counted_together() -> None:
    """A frame in a document in a frame is as deep as it is, however each is written."""
    page = "<img src='//tracker.example/p'>"
    for _ in range(3):
        page = f"<iframe src='data:text/html;base64,{base64.b64encode(page.encode()).decode()}'></iframe>"
    _, withheld, degraded = rewrite([page.encode()], limits=PageLimits(tag_bytes=100_000, inline_bytes=1000))
    assert [fact.vendor for fact in withheld] == ["tracker-example"]
    assert degraded == []
    for _ in range(2):
        page = f"<iframe src='data:text/html;base64,{base64.b64encode(page.encode()).decode()}'></iframe>"
    _, withheld, degraded = rewrite([page.encode()], limits=PageLimits(tag_bytes=100_000, inline_bytes=1000))
    assert [fact.rule for fact in withheld] == [Degraded.NESTED_TOO_DEEP]
    assert Degraded.NESTED_TOO_DEEP in degraded
