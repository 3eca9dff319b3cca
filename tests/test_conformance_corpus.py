"""Whole pages through the rewriter: small ones of every kind at every cut, and 258 start pages of well-known sites.

A page in tests/corpus says in its name which encoding it is in; one in tests/pages has every snippet of some vendors.
"""

import random
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import pytest
import turbohtml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import rule_files
from gateway.consent.decide import given as granted
from gateway.page.attributes import attributes, decode_references
from gateway.page.rewriter import PageLimits, Rewriter
from gateway.page.scanner import Scanner, Token
from gateway.vendors import catalogue
from gateway.vendors.match import Matcher
from gateway.vendors.url import parse
from gateway.withheld import Degraded, Withheld
from tests.chunks import chunkings
from tests.published import benchmark_pages
from tests.snippets import SNIPPETS

_HERE = Path(__file__).parent
CORPUS = sorted((_HERE / "corpus").iterdir())
PAGES = sorted((_HERE / "pages").iterdir())

# What authors ask for is no rule's.
_AUTHORS = "authors.utf-8"

CATALOGUE = catalogue.load(rule_files.read([_HERE / "golden" / "rules"], shipped=True))
DECISION = granted(("necessary",), vendors=CATALOGUE.vendors)
LIMITS = PageLimits(tag_bytes=64 * 1024, inline_bytes=256 * 1024)
# Small enough that tags, scripts and style sheets of the corpus are longer.
TIGHT = PageLimits(tag_bytes=60, inline_bytes=50)

SITE = "https://site.example/shop/page"

# As proxies read: a socket's buffer, a memory page, and what never falls on a boundary twice.
CHUNKS_BYTES = (64 * 1024, 4096, 997)

LOADING = frozenset({b"script", b"img", b"iframe", b"link"})

Answer = tuple[bytes, list[Withheld], list[Degraded]]


def rewrite(
    chunks: list[bytes],
    *,
    matcher: Matcher = CATALOGUE.matcher,
    charset: str = "utf-8",
    limits: PageLimits = LIMITS,
    xml: bool = False,
) -> Answer:
    rewriter = Rewriter(matcher=matcher, decision=DECISION, site=SITE, charset=charset, limits=limits, xml=xml)
    out = b"".join([*map(rewriter.feed, chunks), rewriter.close()])
    return out, *rewriter.take_report()


def pieces(page: bytes, size: int) -> list[bytes]:
    return [page[at : at + size] for at in range(0, len(page), size)]


@pytest.fixture(scope="module")
def real_pages(request: pytest.FixtureRequest) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in benchmark_pages(request.config)}


def some(real_pages: dict[str, bytes], count: int) -> list[str]:
    """As many as there is time for, the same ones every time."""
    return random.Random(3).sample(sorted(real_pages), count)  # noqa: S311 - nobody needs to be kept from guessing


@pytest.mark.parametrize(("limits", "every"), [(LIMITS, 1), (TIGHT, 5)], ids=["wide", "tight"])
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_page_of_the_corpus_comes_out_the_same_at_every_cut(path: Path, limits: PageLimits, every: int) -> None:
    """Networks cut pages where they like: inside tags, characters, references, comments and byte order marks."""
    page, charset = path.read_bytes(), path.suffixes[0].removeprefix(".")
    xml = path.suffix == ".xhtml"
    whole = rewrite([page], charset=charset, limits=limits, xml=xml)
    assert whole[1] or whole[2], "a page of which nothing is withheld shows little"
    for chunks in islice(chunkings(page), 1, None, every):
        assert rewrite(chunks, charset=charset, limits=limits, xml=xml) == whole, chunks[:-1]


def test_odd_markup_comes_out_the_same_at_any_cut() -> None:
    """What browsers read in unexpected ways is what a cut disturbs first."""
    for snippet in SNIPPETS:
        page, charset, xml = snippet.body(), snippet.charset or "utf-8", "xml" in snippet.flags
        whole = rewrite([page], charset=charset, xml=xml)
        for chunks in islice(chunkings(page), 1, None, 5):
            assert rewrite(chunks, charset=charset, xml=xml) == whole, (snippet.name, chunks)


@pytest.mark.parametrize("path", [path for path in CORPUS if path.stem != _AUTHORS], ids=lambda path: path.stem)
def test_a_page_of_the_corpus_is_its_own_where_nobody_is_a_vendor(path: Path) -> None:
    """What is not ours to change stays as it is, byte for byte, in every encoding."""
    page, charset = path.read_bytes(), path.suffixes[0].removeprefix(".")
    assert rewrite([page], matcher=Matcher(), charset=charset, xml=path.suffix == ".xhtml") == (page, [], [])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@settings(max_examples=40)
@given(cuts=st.lists(st.floats(0, 1), max_size=8))
def test_a_page_of_snippets_comes_out_the_same_at_any_cut(path: Path, cuts: list[float]) -> None:
    """Too long for every cut, and with every snippet that the shipped rules know."""
    page = path.read_bytes()
    places = [0, *sorted(int(cut * len(page)) for cut in cuts), len(page)]
    whole = rewrite([page])
    assert len(whole[1]) > 10
    assert rewrite([page[begin:end] for begin, end in pairwise(places)]) == whole


def test_a_real_page_is_its_own_where_nobody_is_a_vendor(real_pages: dict[str, bytes]) -> None:
    """No rule, no change: whatever the page, and however odd its markup."""
    assert len(real_pages) == 258
    matcher = Matcher()
    for name, page in real_pages.items():
        assert rewrite([page], matcher=matcher) == (page, [], []), name


Tag = tuple[int, str, dict[str, str]]


def told(page: bytes) -> Iterator[Tag]:
    """Place, name and attributes of the start tags that load something, as the scanner has them."""
    scanner = Scanner(wanted=LOADING, tag_limit_bytes=len(page))
    at = 0
    for piece in [*scanner.feed(page), *scanner.close()]:
        if piece.token is Token.START and piece.name in LOADING:
            values: dict[str, str] = {}
            for attribute in attributes(piece.raw):
                value = decode_references(attribute.value.decode("latin-1"))
                # The other parser takes classes and relations apart.
                values.setdefault(attribute.name.decode("latin-1"), " ".join(value.split()))
            yield at, piece.name.decode(), values
        at += len(piece.raw)


def in_the_tree(page: bytes, *, scripting: bool = True) -> Iterator[Tag]:
    """The same of the tree that a browser makes, by another parser. What plain templates hold comes with it."""
    # As Latin-1 every byte is a character, and places are comparable.
    document = turbohtml.parse(page.decode("latin-1"), scripting=scripting, source_locations=True)
    nodes: list[turbohtml.Node] = [document]
    while nodes:
        node = nodes.pop()
        nodes.extend(node.children)
        if isinstance(node, turbohtml.Element):
            nodes.extend([] if node.shadow_root is None else [node.shadow_root])
            if node.tag.encode() in LOADING:
                place = node.source_location
                assert place is not None
                assert place.start_tag is not None
                values = {n: " ".join(v.split() if isinstance(v, str) else v or ()) for n, v in node.attrs.items()}
                yield place.start_tag.start_offset, node.tag, values


def test_what_a_real_page_loads_is_what_another_parser_has_in_its_tree(real_pages: dict[str, bytes]) -> None:
    """Thousands of tags of pages as they are: each in its place, with its attributes, and no other."""
    count = 0
    for name in some(real_pages, 60):
        # The other parser normalises line ends before it counts.
        page = real_pages[name].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        ours = list(told(page))
        assert ours == sorted(in_the_tree(page), key=lambda tag: tag[0]), name
        count += len(ours)
    assert count > 4000


def test_a_real_page_comes_out_the_same_in_chunks_of_any_size(real_pages: dict[str, bytes]) -> None:
    """With the shipped rules, vendors of every kind are withheld; the size of the reads must not matter."""
    withheld = 0
    for name in some(real_pages, 50):
        page = real_pages[name]
        whole = rewrite([page])
        withheld += len(whole[1])
        for size in CHUNKS_BYTES:
            assert rewrite(pieces(page, size)) == whole, (name, size)
    assert withheld > 200


def vendors_loaded(page: bytes) -> set[str]:
    """Hosts of vendors from whom a page has scripts, frames, pictures or style sheets, with scripting or without."""
    hosts = set()
    for tag, values in ((tag, values) for on in (True, False) for _, tag, values in in_the_tree(page, scripting=on)):
        text = values.get("href" if tag == "link" else "src", "")
        is_loaded = tag != "link" or "stylesheet" in values.get("rel", "").lower().split()
        url = parse(text, SITE) if is_loaded and text else None
        if url and any(not DECISION.allows(v.needs, vendor=v.vendor) for v in CATALOGUE.matcher.url(url)):
            hosts.add(url.host)
    return hosts


def test_no_real_page_loads_a_vendor_once_it_is_rewritten(real_pages: dict[str, bytes]) -> None:
    """What was passed over in haste must not hold what another parser finds."""
    found = set()
    for name in some(real_pages, 60):
        found |= vendors_loaded(real_pages[name])
        assert vendors_loaded(rewrite([real_pages[name]])[0]) == set(), name
    assert len(found) > 10
