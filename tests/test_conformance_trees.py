"""The tree construction cases that browsers are tested with, put to the scanner and to the rewriter.

A scanner has no tree. Of every element that can load something it must know all the same, and know whether it stands in svg
or math; and whatever markup came before, a vendor's element behind it must be seen where a browser sees it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import turbohtml

from gateway.page.attributes import attributes, decode_references
from gateway.page.scanner import Piece, Scanner, Token
from tests.published import html5lib_tests
from tests.test_conformance_tokenizer import NO_BYTES
from tests.test_conformance_tokenizer import read as read_tokens
from tests.test_page_rewriter import rewrite

# Elements that load something, change what others load, or hold text only.
NAMES = frozenset(
    b"applet audio base embed feimage form frame iframe image img input link meta noembed noframes noscript object "
    b"plaintext script source style template textarea title track use video xmp".split()
)
CASES = 1700

# Elements that the scanner tells and no browser has in its tree, by the reason for it.
NOT_IN_THE_TREE = {
    "a noscript within a noscript is none, and holds no more than the outer one": {"noscript01 13"},
    "a frame outside of a frameset is none, and whether it is inside depends on all that came before": {
        "template 40", "template 67", "template 93", "tests15 12", "tests19 76", "tests2 4", "tests25 9",
    },
    "what stands in a frameset, or before one that wins, is none": {
        "pending-spec-changes 0", "template 39", "tests18 17", "tests18 18", "tests18 20", "tests6 48", "tests6 49",
        "webkit01 48",
    },
    "a form within a form is none": {"tests20 25", "tests20 26", "tests20 27", "tests6 12"},
    "what ends a select is none when a fragment of one is read": {"tests_innerHTML_1 79", "tests_innerHTML_1 81"},
}  # fmt: skip

# Where something is withheld that a browser takes for text, or for nothing: the reading that withholds more, and why it is taken.
WITHHELD_IN_DOUBT = {
    "a frame outside of a frameset is none, nothing else is inside, and what makes one depends on all that came before": r"<frame",
    "a select held no markup until 2025, and holds some since": r"<select",
    "a comment in svg's script hides its end tag": r"<(svg|math).*<script>",
    "a section is one in elements that hold HTML too, as long as nothing is open in them": r"<(svg|math).*<!\[CDATA\[>",
    "a comment that a noscript cuts off goes on behind it, for visitors without scripting": r"<noscript><!--",
    "whether an end tag ends the svg that it stands in depends on what stands around": r"<(svg|math).*</(td|table|template|p|html)",
    "a template in svg is none, and its end tag ends a true one around it": r"<template><svg><template>",
}

# Cases behind which the scanner misreads what follows, by the reason for it.
FAULTS = {
    "an end tag of HTML's that closes an element around svg ends the svg as well": {
        "adoption01 12", "pending-spec-changes 1", "pending-spec-changes 2", "tests10 27", "tests10 28", "webkit01 45",
    },
}  # fmt: skip

VENDOR = "//tracker.example/p"

# What may follow any markup: an element of a vendor's, behind all that may have to be ended before.
ENDINGS = [
    ending.replace("VENDOR", VENDOR)
    for ending in (
        "<img src=VENDOR>",
        "-->\n<img src=VENDOR>",
        "'><img src=VENDOR>",
        '"><img src=VENDOR>',
        "]]><img src=VENDOR>",
        "</script><img src=VENDOR>",
        "</style><img src=VENDOR>",
        "</title><img src=VENDOR>",
        "</textarea><img src=VENDOR>",
        "</noscript><img src=VENDOR>",
        "</template><img src=VENDOR>",
        "</svg><img src=VENDOR>",
        "<style><img src=VENDOR></style>",
        "<style><!-- </style><img src=VENDOR> -->",
        "<title><!-- </title><img src=VENDOR> -->",
        "<script><!-- </script><img src=VENDOR> -->",
        "<![CDATA[><img src=VENDOR>]]>",
        "<frame src=VENDOR>",
        "<svg><image href=VENDOR>",
        "<image src=VENDOR>",
    )
]

Element = tuple[str, bool, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """One case. *context*: the element whose content the markup is, empty where it is a page."""

    name: str
    markup: str
    context: str
    expected: str


@pytest.fixture(scope="module")
def cases(request: pytest.FixtureRequest) -> list[Case]:
    """All cases but those whose scripts would have to be run."""
    folder = html5lib_tests(request.config) / "tree-construction"
    return [case for path in sorted(folder.glob("*.dat")) for case in read(path)]


def read(path: Path) -> Iterator[Case]:
    text = path.read_bytes().decode().rstrip("\n")
    for number, block in enumerate(re.split(r"\n\n(?=#data\n)", text)):
        pieces = re.split(
            r"^#(data|errors|new-errors|document-fragment|script-off|script-on|document)\n?", block, flags=re.MULTILINE
        )
        parts = dict(zip(pieces[1::2], pieces[2::2], strict=True))
        context = parts.get("document-fragment", "").strip()
        yield Case(f"{path.stem} {number}", parts["data"][:-1], context, parts["document"])


def element(name: str, *, foreign: bool, values: dict[str, str]) -> Element:
    return name.lower(), foreign, tuple(sorted((name.lower(), value) for name, value in values.items()))


def in_the_dump(dump: str) -> Counter[Element]:
    """The elements of a tree as a case has it: lines for elements, and for their attributes below them."""
    found: list[tuple[str, bool, dict[str, str]]] = []
    is_open = False
    for line in dump.split("\n"):
        if tag := re.fullmatch(r"\| *<(?:(svg|math) )?([^!?>][^>]*)>", line):
            found.append((tag[2], tag[1] is not None, {}))
            is_open = True
        elif is_open and (attribute := re.fullmatch(r"\| *([^\"]+?)=\"(.*)\"", line)):
            found[-1][2][re.sub(r"^(xlink|xml|xmlns) ", r"\1:", attribute[1])] = attribute[2]
        else:
            is_open = False
    return counted(element(name, foreign=foreign, values=values) for name, foreign, values in found)


def counted(elements: Iterator[Element]) -> Counter[Element]:
    return Counter(one for one in elements if one[0].encode() in NAMES)


def in_the_tree(markup: str, *, scripting: bool, templates: bool) -> list[turbohtml.Element]:
    """All elements of a page, those in shadow roots included, and those in plain *templates* where they are asked for."""
    found: list[turbohtml.Element] = []
    nodes: list[turbohtml.Node] = [turbohtml.parse(markup, scripting=scripting)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, turbohtml.Element):
            found.append(node)
            if node.shadow_root is not None:
                nodes.append(node.shadow_root)
            if node.tag == "template" and not (templates or is_foreign(node)):
                continue
        nodes.extend(node.children)
    return found


def values_of(node: turbohtml.Element) -> dict[str, str]:
    return {name: value if isinstance(value, str) else " ".join(value or ()) for name, value in node.attrs.items()}


def is_foreign(node: turbohtml.Element) -> bool:
    return node.namespace is not turbohtml.Namespace.HTML


def told(markup: bytes, *, opener: bytes = b"") -> Iterator[Element]:
    """The elements that the scanner tells, what a noscript holds read as markup, too."""
    scanner = Scanner(wanted=NAMES, tag_limit_bytes=1 << 16)
    at, noscript = 0, b""
    for piece in [*scanner.feed(opener + markup), *scanner.close()]:
        if piece.token is Token.START and at >= len(opener):
            yield told_element(piece)
        if piece.token is Token.TEXT and piece.name == b"noscript":
            noscript += piece.raw
        else:
            yield from told(noscript) if noscript else ()
            noscript = b""
        at += len(piece.raw)
    yield from told(noscript) if noscript else ()


def told_element(piece: Piece) -> Element:
    values: dict[str, str] = {}
    for attribute in attributes(piece.raw):
        name, value = (part.decode().replace("\0", "\ufffd") for part in (attribute.name, attribute.value))
        values.setdefault(name, decode_references(value))
    # 13.2.6.4.7: "Don't ask."
    name = "img" if piece.name == b"image" and not piece.foreign else piece.name.decode()
    return element(name, foreign=piece.foreign, values=values)


def opener_of(context: str) -> str:
    """Markup that brings the scanner into the content of an element, where that differs from any other's."""
    namespace, _, name = context.rpartition(" ")
    if namespace:
        return f"<{namespace}>" + (f"<{name}>" if name != namespace else "")
    text_only = (
        "title",
        "textarea",
        "style",
        "xmp",
        "iframe",
        "noembed",
        "noframes",
        "noscript",
        "script",
        "plaintext",
    )
    return f"<{name}>" if name in text_only else ""


def trees_of(case: Case) -> Iterator[Counter[Element]]:
    """What browsers have in their trees, by those who wrote the case, and by a parser of today with scripting and without."""
    yield in_the_dump(case.expected)
    if not case.context:
        for scripting in (True, False):
            nodes = in_the_tree(case.markup, scripting=scripting, templates=True)
            yield counted(element(node.tag, foreign=is_foreign(node), values=values_of(node)) for node in nodes)


def test_every_element_of_published_trees_was_told(cases: list[Case]) -> None:
    """What a browser has in its tree and the scanner missed goes by unseen; what it made up is somebody's text."""
    assert len(cases) == CASES
    not_in_the_tree = set()
    for case in cases:
        ours = counted(told(case.markup.encode(), opener=opener_of(case.context).encode()))
        theirs = Counter[Element]()
        for tree in trees_of(case):
            assert not tree - ours, case
            theirs |= tree
        if ours - theirs:
            not_in_the_tree.add(case.name)
    assert not_in_the_tree == set().union(*NOT_IN_THE_TREE.values())


def acting(markup: str) -> set[str]:
    """Elements that contact the vendor, with scripting or without it."""
    nodes = (node for scripting in (True, False) for node in in_the_tree(markup, scripting=scripting, templates=False))
    return {
        node.tag
        for node in nodes
        for name in (("href",) if is_foreign(node) and node.tag == "image" else ("src",))
        if node.tag in ("img", "frame", "image") and values_of(node).get(name) == VENDOR
    }


def wrong(page: str) -> str:
    """How the rewritten page differs from what it should be; empty where it does not."""
    out = rewrite([page.encode()])[0].decode()
    if acting(out):
        return "leaks"
    is_doubtful = any(re.search(pattern, page, re.DOTALL) for pattern in WITHHELD_IN_DOUBT.values())
    return "" if out == page or is_doubtful or acting(page) else "changes text"


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_published_markup_hides_what_follows_it(ending: str, cases: list[Case]) -> None:
    """Each case with a vendor's element behind it, in the eyes of another parser: it acts no more, and text stays as it is."""
    pages = [case for case in cases if not case.context]
    assert any(acting(case.markup + ending) for case in pages)
    faulty = set().union(*FAULTS.values())
    found = {case.name: wrong(case.markup + ending) for case in pages if case.name not in faulty}
    assert {name: how for name, how in found.items() if how} == {}


@pytest.mark.parametrize("ending", ["<img src=VENDOR>", "--><img src=VENDOR>", "</script><img src=VENDOR>"])
@pytest.mark.parametrize("name", ["contentModelFlags", "domjs", "escapeFlag", "test1", "test2", "test3", "test4"])
def test_no_published_token_hides_what_follows_it(name: str, ending: str, request: pytest.FixtureRequest) -> None:
    """The cases of tokenizers say which tags are in them, but not in which state they end: what follows tells."""
    folder = html5lib_tests(request.config) / "tokenizer"
    for case in read_tokens(folder / f"{name}.test"):
        page = case.opener + case.page + ending.replace("VENDOR", VENDOR)
        if case.description not in NO_BYTES:
            assert wrong(page) == "", page
            raw = page.encode()
            assert rewrite([raw[at : at + 1] for at in range(len(raw))]) == rewrite([raw]), page


@pytest.mark.parametrize(
    "names", [pytest.param(names, marks=pytest.mark.xfail(strict=True, reason=why)) for why, names in FAULTS.items()]
)
def test_a_known_fault_is_no_more(names: set[str], cases: list[Case]) -> None:
    """Whoever mends one strikes it off."""
    assert not any(wrong(case.markup + ending) for case in cases if case.name in names for ending in ENDINGS)
