"""The memo: pages rewritten from what is remembered come out as if they were not."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.decide import given as granted
from gateway.page.memo import SEGMENT_LEAST_BYTES, Entry, Memo
from gateway.page.rewriter import PageLimits, Rewriter
from gateway.vendors import catalogue
from gateway.withheld import Degraded, Withheld

VENDORS = Path(__file__).parent.parent / "rules" / "vendors"
CATALOGUE = catalogue.load([{path.name: path.read_bytes() for path in sorted(VENDORS.glob("*.toml"))}])
LIMITS = PageLimits(tag_bytes=4096, inline_bytes=8192)

SNIPPETS = [
    '<script src="https://diffuser-cdn.app-us1.com/diffuser/diffuser.js"></script>',
    '<script>vgo("setAccount", "1"); vgo("process");</script>',
    "<script>!function(){var a=1}();</script>",
    '<img src="https://www.facebook.com/tr?id=1" width=1 height=1>',
    '<iframe src="https://www.youtube.com/embed/x" width="560" height="315"></iframe>',
    '<img src="logo.png"><img src="/logo.png">',
    '<noscript><img src="https://www.facebook.com/tr?id=1&noscript=1"></noscript>',
    '<form action="https://x.activehosted.com/proc.php" class="_form_1"><input type="hidden" name="u" value="1"></form>',
    '<template><script src="https://connect.facebook.net/en_US/fbevents.js"></script></template>',
    '<svg><path d="M0 0"></path><title>x</title></svg>',
    "<select><option>a</option></select>",
    "<!-- consent:block marketing --><script>f()</script><!-- /consent -->",
    "<!-- consent:block marketing -->",
    "<script>unfinished <div></div>",
    "<!-- a comment </div>",
    '<base href="/other/">',
    '<meta charset="windows-1252">',
    '<div class="moosend-form">',
    '<a href="../up">x</a><object data="up.swf"></object>',
]
FILLING = "<div><p>Some text of a page that says nothing to anybody.</p></div>\n"


def rewritten(
    chunks: list[bytes], memo: Memo | None, *, site: str = "https://site.example/a/page", grant: tuple[str, ...] = ()
) -> tuple[bytes, list[Withheld], list[Degraded]]:
    rewriter = Rewriter(
        matcher=CATALOGUE.matcher,
        decision=granted(grant or ("necessary",), vendors=CATALOGUE.vendors),
        site=site,
        charset="utf-8",
        limits=LIMITS,
        memo=memo,
    )
    out = []
    withheld: list[Withheld] = []
    degraded: list[Degraded] = []
    for part in [*map(rewriter.feed, chunks), rewriter.close()]:
        out.append(part)
        report = rewriter.take_report()
        withheld += report[0]
        degraded += report[1]
    return b"".join(out), withheld, degraded


def cut(page: bytes, size: int) -> list[bytes]:
    return [page[at : at + size] for at in range(0, len(page), size)]


PAGES = st.lists(st.one_of(st.sampled_from(SNIPPETS), st.integers(1, 60).map(lambda n: FILLING * n)), max_size=12).map(
    "".join
)


@settings(max_examples=60)
@given(st.lists(PAGES, min_size=1, max_size=4), st.sampled_from([700, 5000, 1 << 20]))
def test_pages_come_out_the_same_with_and_without_a_memo(pages: list[str], size: int) -> None:
    """A page must not depend on what other visitors were served before."""
    memo = Memo(limit_bytes=1 << 20)
    for page, site in itertools.product(pages * 2, ("https://site.example/a/page", "https://site.example/b/c/")):
        chunks = cut(page.encode(), size)
        assert rewritten(chunks, memo, site=site) == rewritten(chunks, None, site=site)


@pytest.mark.parametrize(
    "other", [{"grant": ("analytics",)}, {"grant": ("youtube",)}, {"site": "http://other.example/"}]
)
def test_what_is_remembered_for_one_decision_or_site_is_not_given_to_another(other: dict[str, object]) -> None:
    """Else a visitor who agreed to nothing could be sent what another had agreed to."""
    page = (FILLING * 40 + "".join(SNIPPETS[:7]) + FILLING * 80).encode()
    memo = Memo(limit_bytes=1 << 20)
    rewritten([page], memo)
    assert rewritten([page], memo, **other) == rewritten([page], None, **other)  # type: ignore[arg-type]


def test_after_a_change_all_but_its_own_segment_is_known() -> None:
    """A token or a time of day in a page must not cost the whole page."""
    memo = Memo(limit_bytes=1 << 20)
    blocks = [FILLING.replace("Some", f"Some {number}") * 50 for number in range(20)]

    def use(page: str) -> tuple[int, int]:
        rewriter = Rewriter(
            matcher=CATALOGUE.matcher,
            decision=granted(["necessary"], vendors=()),
            site="https://site.example/",
            charset="utf-8",
            limits=LIMITS,
            memo=memo,
        )
        rewriter.feed(page.encode())
        return rewriter.memo_use

    hits, misses = use("".join(blocks))
    assert hits == 0
    assert misses > 20
    assert use("".join(blocks)) == (misses, 0)
    changed = [*blocks[:7], "<!-- 1234567 -->" + blocks[7], *blocks[8:]]
    hits, fresh = use("".join(changed))
    assert fresh <= 2
    assert hits >= misses - 2


def test_what_ends_in_the_middle_of_a_thing_is_not_remembered() -> None:
    """The next page may go on differently."""
    memo = Memo(limit_bytes=1 << 20)
    begin = (FILLING * 40 + "<script>/* " + FILLING * 40).encode()
    rewritten([begin, b"*/ vgo('process'); vgo('setAccount', '1')</script>"], memo)
    page = [begin, b"*/ f()</script>"]
    assert rewritten(page, memo) == rewritten(page, None)


@pytest.mark.parametrize(("entries", "kept"), [(1, 1), (3, 3), (40, 0)])
def test_the_memory_is_bounded(entries: int, kept: int) -> None:
    """It must not grow with the number of different pages; what was asked for last stays longest."""
    size = SEGMENT_LEAST_BYTES
    memo = Memo(limit_bytes=8 * (size + 256))
    for number in range(entries):
        memo.put("scope", b"%d" % number * size, Entry(None, (), ()))
        assert memo.held_bytes <= 8 * (2 * size + 256)
    first = memo.get("scope", b"0" * size)
    assert (first is not None) == (kept > 0)


def test_what_is_asked_for_again_outlives_what_is_not() -> None:
    """The header of every page stays; the search result of one visitor goes."""
    memo = Memo(limit_bytes=20_000)
    header = b"h" * 2000
    memo.put("scope", header, Entry(b"H", (), ()))
    for number in range(100):
        memo.put("scope", b"%04d" % number * 500, Entry(None, (), ()))
        assert memo.get("scope", header) == Entry(b"H", (), ())
    assert memo.get("scope", b"%04d" % 1 * 500) is None


def test_nothing_larger_than_half_the_memory_is_kept() -> None:
    """One huge segment must not push everything else out."""
    memo = Memo(limit_bytes=1000)
    memo.put("scope", b"x" * 600, Entry(None, (), ()))
    assert memo.get("scope", b"x" * 600) is None
    assert memo.held_bytes == 0
