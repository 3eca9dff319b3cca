"""Pages that nobody wrote in good faith: cut off, endless, nested without end, mislabelled, or no pages at all.

Whatever comes, the rewriter neither fails nor holds on to it, takes no more than twice the time for twice as much, says where it
gave less than the full service, and lets nobody be contacted from there.
"""

import html
import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway import rule_files
from gateway.consent.decide import given
from gateway.page.rewriter import PageLimits, Rewriter, UnreadableCharset
from gateway.vendors import catalogue
from gateway.vendors.url import parse
from gateway.withheld import Degraded
from tests.bench.page_memory import held_by, reachable
from tests.chunks import chunkings
from tests.fuzz import oracle
from tests.fuzz.monsters import MONSTERS, Monster
from tests.fuzz.oracle import Contact
from tests.fuzz.page import contacts
from tests.fuzz.vendors import CATALOGUE, REFUSED, SITE, SMALL, rewrite
from tests.origin import replying
from tests.test_proxy import Gateway, request

HERE = Path(__file__).parent

# The memory of one open page is judged by them.
LIMITS = PageLimits(tag_bytes=64 * 1024, inline_bytes=128 * 1024)
HELD_LIMIT_BYTES = 512 * 1024

# What all responses have in common is nobody's own.
_SHARED = reachable((CATALOGUE, REFUSED))

VENDOR = b"<img src=//tracker.example/last.gif>"


# Not mended yet; whoever mends one takes its line out.
KNOWN = {
    "an address that begins late": "spaces before an address that is longer than is held are lost where it comes in small pieces",
    "ISO-2022-JP by meta": "a page that says itself that it is in ISO-2022-JP is read as if it were not",
}


def cases(table: Mapping[str, object]) -> list[object]:
    """Every row of a table of names and values, those of known faults marked as such."""
    marks = {name: [pytest.mark.xfail(strict=True, reason=reason)] for name, reason in KNOWN.items()}
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), id=name, marks=marks.get(name, []))
        for name, value in table.items()
    ]


@dataclass
class Flow:
    """A page on its way through a rewriter; of what comes out, the last bytes are kept."""

    limits: PageLimits = LIMITS
    tail: bytes = b""
    bytes_out: int = 0
    held_bytes: int = 0
    withheld: int = 0
    degraded: set[Degraded] = field(default_factory=set)

    def run(self, pieces: Iterable[bytes], *, is_measured: bool = False) -> "Flow":
        """All of *pieces*. *is_measured*: with what is held from one to the next."""
        rewriter = Rewriter(matcher=CATALOGUE.matcher, decision=REFUSED, site=SITE, charset="utf-8", limits=self.limits)
        for number, piece in enumerate(pieces, 1):
            self._take(rewriter.feed(piece), rewriter)
            # Often at the begin, where limits are passed, and then whenever something may have doubled.
            if is_measured and (number <= 8 or number & (number - 1) == 0):
                self.held_bytes = max(self.held_bytes, held_by(rewriter, _SHARED))
        if is_measured:
            self.held_bytes = max(self.held_bytes, held_by(rewriter, _SHARED))
        self._take(rewriter.close(), rewriter)
        return self

    def _take(self, out: bytes, rewriter: Rewriter) -> None:
        self.bytes_out += len(out)
        self.tail = (self.tail + out)[-1000:]
        withheld, degraded = rewriter.take_report()
        self.withheld += len(withheld)
        self.degraded.update(degraded)


def assert_linear(pieces: Callable[[int], Iterable[bytes]], size: int, *, limits: PageLimits) -> None:
    """The whole takes less than three times as long as half of it: what is quadratic takes four times. A busy machine has another try."""

    def seconds(size: int) -> float:
        whole = list(pieces(size))
        begin = time.process_time()
        Flow(limits).run(whole)
        return time.process_time() - begin

    taken = [(seconds(size // 2), seconds(size))]
    while taken[-1][1] >= 3 * taken[-1][0] + 0.02 and len(taken) < 4:
        taken.append((seconds(size // 2), seconds(size)))
    assert taken[-1][1] < 3 * taken[-1][0] + 0.02, taken


@pytest.mark.parametrize("monster", MONSTERS.values(), ids=MONSTERS)
def test_no_page_is_held_on_to_and_what_stands_behind_it_is_gated_as_ever(monster: Monster) -> None:
    """One page must not take the memory of all others, and nobody may hide behind it."""
    size = int(monster.megabytes * 1_000_000)
    flow = Flow().run(itertools.chain(monster.pieces(size), [VENDOR]), is_measured=True)
    assert flow.held_bytes < HELD_LIMIT_BYTES
    assert flow.degraded == monster.degraded
    if not monster.hides:
        assert flow.withheld
        assert b" data-consent-src=//tracker.example/last.gif>" in flow.tail


@pytest.mark.parametrize("monster", MONSTERS.values(), ids=MONSTERS)
def test_twice_as_much_takes_twice_as_long(monster: Monster) -> None:
    """A page must not be able to keep a process busy: what is quadratic takes minutes for megabytes."""
    # Half of it, too, is far beyond these limits.
    assert_linear(monster.pieces, int(min(monster.megabytes, 0.2) * 1_000_000), limits=PageLimits(8_000, 16_000))


# As long as a value that is held may be.
CRUMBLED = {
    "a script": (b"<script>", b"go(1);"),
    "a style sheet": (b"<style>", b"a{b:c} "),
    "a style sheet of one rule": (b"<style>url(", b"a "),
    "a tag": (b"<img", b" alt=a"),
    "a value": (b'<img alt="', b"text "),
    "a srcset": (b'<img srcset="', b"/a.png 1x, "),
    "a comment": (b"<!--", b"-text"),
    "a noscript": (b"<noscript>", b"<p>text"),
    "a title": (b"<title>", b"text</titl "),
    "an end tag": (b"</p", b" a=b"),
}


@pytest.mark.parametrize(("begin", "unit"), CRUMBLED.values(), ids=CRUMBLED)
def test_a_slow_line_costs_no_more_than_its_pieces(begin: bytes, unit: bytes) -> None:
    """What is held back must not be read anew with each piece that comes: a page in crumbs would keep a process busy."""

    def pieces(count: int) -> Iterator[bytes]:
        yield begin
        yield from itertools.repeat(unit, count)

    assert_linear(lambda size: pieces(size // len(unit)), 200_000, limits=PageLimits(1_000_000, 1_000_000))


# -- documents that are cut off -----------------------------------------------------------------------------------------

GOLDEN = {
    name: (HERE / "golden" / "pages" / f"{name}.txt").read_text().split("-----\n")[1].encode()
    for name in ("elements", "acting", "ways")
}
PAGES = {path.stem: path.read_bytes() for path in sorted((HERE / "pages").glob("*.html"))}
SHIPPED = catalogue.load(rule_files.read([HERE / "golden" / "rules"], shipped=True))
NOTHING = given(("necessary",), vendors=SHIPPED.vendors)


def refused_contacts(page: bytes) -> list[Contact]:
    """Whom *page* contacts once it went through, though the visitor agreed to nothing."""
    rewriter = Rewriter(matcher=SHIPPED.matcher, decision=NOTHING, site=SITE, charset="utf-8", limits=LIMITS)
    out = rewriter.feed(page) + rewriter.close()
    found = oracle.contacts(out, site=SITE) | oracle.contacts(out, site=SITE, scripting=False)
    return [contact for contact in found if _is_refused(contact.url)]


def _is_refused(text: str) -> bool:
    url = parse(text)
    verdicts = SHIPPED.matcher.url(url, site_host="site.example") if url else ()
    return not all(NOTHING.allows(verdict.needs, vendor=verdict.vendor) for verdict in verdicts)


@pytest.mark.parametrize("page", GOLDEN.values(), ids=GOLDEN)
def test_an_element_that_is_cut_off_contacts_nobody_at_any_byte(page: bytes) -> None:
    """Connections break and servers crash; browsers show what came so far, and load what it names. Each line is a way of loading."""
    for line in page.splitlines(keepends=True):
        for end in range(len(line)):
            assert refused_contacts(line[:end]) == [], line[:end]


@pytest.mark.parametrize("page", [*GOLDEN.values(), *PAGES.values()], ids=[*GOLDEN, *PAGES])
def test_a_page_that_is_cut_off_contacts_nobody(page: bytes) -> None:
    """The same where more stands before: a prime step meets every kind of place."""
    for end in range(0, len(page), 127):
        assert refused_contacts(page[:end]) == [], page[max(0, end - 60) : end]


# -- tags beyond the limit ----------------------------------------------------------------------------------------------

LONG = {
    "script": b"<script %b src=//tracker.example/t></script>",
    "script, late": b"<script src=//tracker.example/t %b></script>",
    "script of data": b'<script %b src="data:text/javascript,go(%%22https://tracker.example/t%%22)"></script>',
    "script with its type at the end": b"<script %b type=module>go('https://tracker.example/t')</script>",
    "module": b"<script %b type=module src=//tracker.example/t></script>",
    "image": b"<img %b src=//tracker.example/t>",
    "image, late": b"<img src=//tracker.example/t %b>",
    "image, between": b"<img %b src=//tracker.example/t %b>",
    "HTML's other image": b"<image %b src=//tracker.example/t>",
    "candidates": b"<img %b srcset='/a.png 1x, //tracker.example/t 2x'>",
    "candidates, long": b"<img srcset='" + b"/a.png 1x, " * 40 + b"//tracker.example/t 2x'%b>",
    "candidates, parted": b"<img srcset='" + b"((), " * 80 + b"//tracker.example/t 2x'%b>",
    "frame": b"<iframe %b src=//tracker.example/t></iframe>",
    "frame, late": b"<iframe src=//tracker.example/t %b></iframe>",
    "document": b'<iframe %b srcdoc="<img src=//tracker.example/t>"></iframe>',
    "document, long": b'<iframe srcdoc="' + b"<p>text</p>" * 40 + b'<img src=//tracker.example/t>" %b></iframe>',
    "document of data": b'<iframe %b src="data:text/html,<img src=https://tracker.example/t>"></iframe>',
    "document of data, long": b'<iframe src="data:text/html,'
    + b"<p>" * 99
    + b'<img src=https://tracker.example/t>" %b></iframe>',
    "style sheet": b"<link %b rel=stylesheet href=//tracker.example/t>",
    "style sheet, told late": b"<link href=//tracker.example/t %b rel=stylesheet>",
    "hint": b"<link href=//tracker.example/t %b rel=preconnect>",
    "refresh": b'<meta %b http-equiv=refresh content="0;url=//tracker.example/t">',
    "refresh, told late": b'<meta content="0;url=//tracker.example/t" %b http-equiv=refresh>',
    "input": b"<input src=//tracker.example/t %b type=image>",
    "object": b"<object %b data=//tracker.example/t></object>",
    "embed": b"<embed %b src=//tracker.example/t>",
    "video": b"<video %b poster=//tracker.example/t></video>",
    "source": b"<audio><source %b src=//tracker.example/t></audio>",
    "style": b"<p %b style='a:url(//tracker.example/t)'>",
    "style, long": b"<p style='" + b"a:b;" * 99 + b"a:url(//tracker.example/t)' %b>",
    "style of no interest": b"<x-y %b style='a:url(//tracker.example/t)'>",
    "handler": b"<p %b onclick='go(\"https://tracker.example/t\")'>",
    "handler, long": b"<p onclick='" + b"go(1);" * 80 + b'go("https://tracker.example/t")\' %b>',
    "background": b"<table %b background=//tracker.example/t>",
    "ping": b"<a %b ping=//tracker.example/t>",
    "svg": b"<svg><image %b href=//tracker.example/t></svg>",
    "svg's paint": b"<svg><rect %b mask='url(//tracker.example/t)'></svg>",
    "svg's animation": b"<svg><image><set to=//tracker.example/t %b attributeName=href></set></image></svg>",
    "base": b"<base %b href=//tracker.example/><img src=a>",
    "noscript": b"<noscript><img %b src=//tracker.example/t></noscript>",
    "twice": b"<img src=/own.png %b src=//tracker.example/t><img %b src=//tracker.example/t src=/own.png>",
}
FILLINGS: dict[str, Callable[[int], bytes]] = {
    "a value": lambda count: b'title="' + b"x" * count + b'"',
    "attributes": lambda count: b" ".join(b"a%d=b" % number for number in range(count // 6 + 1)),
    "spaces": lambda count: b" " * count,
    "a name": lambda count: b"x" * count,
    "a value without quotes": lambda count: b"title=" + b"'x" * (count // 2),
}


@pytest.mark.parametrize("tag", LONG.values(), ids=LONG)
def test_a_tag_beyond_the_limit_contacts_nobody(tag: bytes) -> None:
    """A tag must not get through by being too long to be looked at; and it is told that it was."""
    for name, filling in FILLINGS.items():
        for count in (SMALL.tag_bytes // 2, SMALL.tag_bytes - len(tag), SMALL.tag_bytes, 3 * SMALL.tag_bytes):
            page = tag.replace(b"%%", b"%25").replace(b"%b", filling(max(count, 0)))
            whole = rewrite([page], limits=SMALL)
            assert contacts(whole.page) == [], (name, count)
            if count >= SMALL.tag_bytes:
                assert Degraded.TAG_OVER_LIMIT in whole.degraded
            for size in (1, 7, SMALL.tag_bytes - 1, SMALL.tag_bytes + 1):
                assert rewrite((page[at : at + size] for at in range(0, len(page), size)), limits=SMALL) == whole


# -- text beyond the limit ----------------------------------------------------------------------------------------------

FILLER = SMALL.inline_bytes
LONG_TEXTS = {
    "an import at the end": b"<style>" + b"a{b:c}" * FILLER + b"@import '//tracker.example/c.css';</style>",
    "an address in the middle": b"<style>" + b"a{b:c}" * 40 + b"a{b:url(//tracker.example/i)}" + b"a{b:c}" * 40 + b"</style>",
    "a comment with an apostrophe": b"<style>/*" + b"x" * (FILLER - 20) + b"} it's */" + b"a{b:c}" * 20 + b"a{b:url(//tracker.example/i)}</style>",
    "a string that holds a rule": b"<style>a{b:'" + b"x" * (FILLER - 20) + b"} \\' '}" + b"a{b:c}" * 20 + b"a{b:url(//tracker.example/i)}</style>",
    "one long word": b"<style>" + b"x" * 4 * FILLER + b"{b:url(//tracker.example/i)}</style>",
    "an address that is long": b"<style>a{b:url(//tracker.example/" + b"x" * 4 * FILLER + b")}</style>",
    "an address that begins late": b"<style>a{b:url(" + b" " * 4 * FILLER + b"//tracker.example/)}</style>",
    "a style sheet in svg": b"<svg><style>" + b"a{b:c}" * FILLER + b"a{b:url(//tracker.example/i)}</style></svg>",
    "code at the end": b"<script>" + b"go(1);" * FILLER + b"go('https://tracker.example/t')</script>",
    "code on one line with an address": b"<script>" + b"go('//own.example/');" * 40 + b"go('https://tracker.example/t');" + b"go(1);" * 40 + b"</script>",
}  # fmt: skip


@pytest.mark.parametrize("page", cases(LONG_TEXTS))
def test_a_text_beyond_the_limit_contacts_nobody_wherever_it_is_divided(page: bytes) -> None:
    """What is judged a window at a time must not be read otherwise than as a whole."""
    begin = page.index(b">") + 1
    for more in range(0, FILLER, 3):
        shifted = page[:begin] + b" " * more + page[begin:]
        whole = rewrite([shifted], limits=SMALL)
        assert contacts(whole.page) == [], more
        assert rewrite((shifted[at : at + 50] for at in range(0, len(shifted), 50)), limits=SMALL) == whole


def test_a_window_that_begins_with_two_slashes_is_no_comment() -> None:
    """Where a script is divided says nothing about it: what stands behind `//` in its line may be code."""
    for more in range(FILLER):
        code = b"a" * more + b";b='http://own.example/'" + b";go(1)" * 30 + b";go('https://tracker.example/t')"
        page = b"<script>" + code + b"</script>"
        assert contacts(rewrite([page], limits=SMALL).page) == [], more


# -- documents within documents, elements within elements -----------------------------------------------------------------


def test_documents_fifty_deep_contact_nobody() -> None:
    """Each is quoted for the one around it; what is not looked into is deferred unread, and told."""
    page = b"<img src=//tracker.example/t>"
    for _ in range(50):
        page = b'<iframe srcdoc="' + html.escape(page.decode()).encode() + b'"></iframe>'
    for limits in (LIMITS, SMALL, PageLimits(10_000_000, 10_000_000)):
        whole = rewrite([page], limits=limits)
        assert contacts(whole.page) == []
        assert whole.withheld or whole.degraded
    assert Degraded.NESTED_TOO_DEEP in whole.degraded


@pytest.mark.parametrize(
    "element", [b"template", b"svg", b"noscript", b"form", b"math", b"select", b"table", b"object", b"div"]
)
@pytest.mark.parametrize("count", [1, 2, 300, 1000])
def test_elements_in_elements_hide_nobody_and_end(element: bytes, count: int) -> None:
    """A browser closes what is closed, however much there is of it."""
    page = b"<%b>" % element * count + b"</%b>" % element * count + b"<img src=//tracker.example/t>"
    whole = rewrite([page])
    assert whole.page.endswith(b" data-consent-src=//tracker.example/t>")
    assert rewrite(page[at : at + 1000] for at in range(0, len(page), 1000)) == whole


# -- wrong encodings, and what is no page at all ----------------------------------------------------------------------------

TEXT = "<p>日本語 ü</p><img alt='表' src=//tracker.example/t><script>go('https://tracker.example/t')</script>"
LABELLED = {
    "UTF-16 labelled UTF-8": (TEXT.encode("utf-16-le"), "utf-8"),
    "UTF-16 with a mark, labelled UTF-8": (TEXT.encode("utf-16"), "utf-8"),
    "UTF-16 labelled the other way round": (TEXT.encode("utf-16-be"), "utf-16le"),
    "UTF-16 of an odd length": (TEXT.encode("utf-16-le")[:-1], "utf-16"),
    "UTF-8 labelled UTF-16": (TEXT.encode(), "utf-16"),
    "UTF-8 labelled Shift_JIS": (TEXT.encode(), "shift_jis"),
    "Shift_JIS labelled GBK": (TEXT.encode("shift_jis", "replace"), "gbk"),
    "Shift_JIS labelled UTF-8": (TEXT.encode("shift_jis", "replace"), "utf-8"),
    "Shift_JIS by meta": (b"<meta charset=shift_jis>" + TEXT.encode("shift_jis", "replace"), ""),
    "Big5 labelled EUC-JP": (TEXT.encode("big5", "replace"), "euc-jp"),
    "GB 18030 labelled Big5": (TEXT.encode("gb18030"), "big5"),
    "windows-1252 labelled UTF-8": (TEXT.encode("cp1252", "replace"), "utf-8"),
    "UTF-7 by meta": (b"<meta charset=utf-7>+ADw-img src=//tracker.example/+AD4-" + TEXT.encode(), ""),
    "UTF-16 by meta": (b"<meta charset=utf-16>" + TEXT.encode(), ""),
    "an unknown label by meta": (b"<meta charset=klingon>" + TEXT.encode(), ""),
    "two labels by meta": (b"<meta charset=utf-8><meta charset=shift_jis>" + TEXT.encode(), ""),
    "ISO-2022-JP by meta": (b"<meta charset=iso-2022-jp>\x1b$B<!--\x1b(B<img src=//tracker.example/t>-->", ""),
}


@pytest.mark.parametrize(("page", "label"), cases(LABELLED))
def test_a_page_in_another_encoding_than_it_says_contacts_nobody(page: bytes, label: str) -> None:
    """Labels are wrong every day; a browser goes by them all the same."""
    whole = rewrite([page], charset=label)
    assert contacts(whole.page, charset=label) == []
    for chunks in chunkings(page):
        assert rewrite(chunks, charset=label) == whole


@pytest.mark.parametrize("label", ["iso-2022-jp", "utf-7", "klingon", "hz-gb-2312", "iso-2022-kr", "utf-32", "\0"])
def test_an_encoding_that_cannot_be_read_is_refused_before_the_first_byte(label: str) -> None:
    """The guard policy must come with the head, not behind it."""
    with pytest.raises(UnreadableCharset):
        rewrite([TEXT.encode()], charset=label)


@pytest.mark.parametrize("label", ["", "utf-8", "utf-16", "shift_jis", "gb18030"])
@pytest.mark.parametrize("seed", range(20))
def test_what_is_no_page_goes_through_as_it_is(label: str, seed: int) -> None:
    """A picture that is labelled as a page is shown as noise, and must not be damaged on the way to whoever asked for it."""
    source = random.Random(seed)  # noqa: S311 - not a secret
    page = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + source.randbytes(5000)
    assert rewrite([page], charset=label).page == page
    assert rewrite((page[at : at + 64] for at in range(0, len(page), 64)), charset=label).page == page


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_nuls_hide_nobody(every: int) -> None:
    """Parsers drop them in some places and replace them in others."""
    tag = b"<img src=//tracker.example/t>"
    for page in (
        b"\0".join(tag[at : at + every] for at in range(0, len(tag), every)),
        b"\0" * every + tag,
        b"<script\0>" + tag + b"</script\0>" + tag,
        b"<!\0--" + tag + b"-->" + tag,
        b"<style\0>" + tag + b"</style>",
        b"<style>" + tag + b"</sty\0le>" + tag + b"</style>" + tag,
        b"<img \0src=//tracker.example/t src=//tracker.example/t>",
    ):
        for chunks in chunkings(page):
            assert contacts(rewrite(chunks).page) == []


# -- every degraded path, through the whole gateway -------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n\r\n%b"


def reply(fields: bytes, body: bytes) -> bytes:
    """A response of the origin."""
    return HEAD % (len(body), fields, body)


HTML = b"Content-Type: text/html"
DEEP = TEXT
for _ in range(6):
    DEEP = f'<iframe srcdoc="{html.escape(DEEP)}"></iframe>'
DEGRADING = {
    Degraded.UNREADABLE_CODING: reply(HTML + b"\r\nContent-Encoding: zstd", b"?"),
    Degraded.UNREADABLE_CHARSET: reply(HTML + b"; charset=utf-7", TEXT.encode()),
    Degraded.PARTIAL_PAGE: reply(HTML + b"\r\nCache-Control: no-transform", TEXT.encode()),
    Degraded.SNIFFED_TYPE: reply(b"X: y", TEXT.encode()),
    Degraded.TAG_OVER_LIMIT: reply(HTML, b"<script " + b"a=b " * 20_000 + b"src=//tracker.example/t></script>"),
    Degraded.NESTED_TOO_DEEP: reply(HTML, DEEP.encode()),
    Degraded.INLINE_OVER_LIMIT: reply(HTML, b"<script>" + b"go(1);" * 60_000 + b"</script>"),
    Degraded.BROKEN_CODING: reply(HTML + b"\r\nContent-Encoding: gzip", b"?"),
}
# These have tests of their own: one needs a fault in the gateway itself, the others an author's marks.
ELSEWHERE = {Degraded.REWRITER_FAULT, Degraded.UNKNOWN_FENCE, Degraded.UNCLOSED_FENCE}


@pytest.mark.parametrize("path", DEGRADING)
async def test_a_degraded_path_is_counted_and_told_to_the_log(path: Degraded) -> None:
    """Whoever runs the gateway must be able to see that less than the full service was given, and how often."""
    async with Gateway(replying(DEGRADING[path])) as gateway:
        await gateway.ask(request(b"/", b"Accept-Encoding: gzip"))
        exchange = await gateway.told.exchange()
    assert exchange.degraded == (path,)
    assert gateway.told.paths == [path]


def test_every_degraded_path_has_a_test() -> None:
    """A new one must not go untested."""
    assert DEGRADING.keys() | ELSEWHERE == set(Degraded)
