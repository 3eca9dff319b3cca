"""Markup of which browsers make something else than it seems, in Chromium: whom a page asks, before and after rewriting.

What is rewritten is the markup alone, without the script that guards a page: it must not be needed.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from gateway.demo.server import Server
from tests.browser import Visitor, browse
from tests.published import html5lib_tests
from tests.snippets import SNIPPETS, Snippet
from tests.test_conformance_trees import ENDINGS, VENDOR, read
from tests.test_conformance_trees import FAULTS as TREE_FAULTS
from tests.test_page_rewriter import rewrite

pytestmark = pytest.mark.browser

# Snippets that share a page, or the page that frames the pages of those that cannot.
_TOGETHER = 30

# How often an empty page is loaded while something that was put off has not come.
_FENCES = 40

# Marks the hosts of a rewritten page.
_AFTER = "-after"

# Snippets that the rewriter gets wrong still, by the reason for it.
FAULTS: dict[str, set[str]] = {
    "where the tree builder ignores a tag, its content is markup": {
        "trees: frameset with a script",
        "trees: frameset with a template",
        "trees: template with a column and a style",
    },
    "a raw text element that a noscript cuts off goes on behind it, for visitors without scripting": {
        "trees: noscript with a style that outlives it",
        "trees: noscript with a textarea that outlives it",
    },
    "a base in svg is none, and one in a noscript is one for some visitors only": {
        "trees: base in noscript is none",
        "trees: base in svg is none",
    },
    "what a javascript: address answers is a document": {"elements: iframe with an address that is code"},
    "scripts and style sheets in svg and XML hold references": {
        "elements: inline code in svg with references",
        "pages: XML with an escaped style",
        "pages: XML with escaped code",
        "styles: import in svg with a reference",
    },
    "half a character is no backslash, and no bracket": {
        "pages: Big5 with a backslash in a character in a style",
        "pages: Shift_JIS in a meta",
        "pages: Shift_JIS with a backslash in a character in a style",
        "pages: Shift_JIS with a bracket in a character",
    },
    "a meta can name an encoding that hides tags": {"pages: ISO-2022-JP in a meta"},
    "comments and instructions of XML end elsewhere, and declarations hold others": {
        "pages: XML with a declaration that holds a tag",
    },
    "XML has prefixes, entities of the page's own, and style sheets in instructions": {
        "pages: XML with a prefix",
        "pages: XML with an entity of its own",
        "pages: XML with an entity that holds a tag",
        "pages: XML with svg",
    },
}
FAULTY = set().union(*FAULTS.values())

# A page by its path: what the head says of it, and its body.
Pages = dict[str, tuple[str, bytes]]


@pytest.fixture
async def site() -> AsyncIterator[tuple[str, Pages]]:
    """Where pages are served, and the pages: to be filled."""
    pages: Pages = {}

    async def answer(request: web.Request) -> web.Response:
        if request.path not in pages:
            raise web.HTTPNotFound
        content_type, body = pages[request.path]
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with Server(app) as server:
        yield f"http://127.0.0.1:{server.port}", pages


def groups(*, scripting: bool) -> Iterator[list[Snippet]]:
    """Snippets that are looked at together. Without scripting a browser sees more in noscript elements, and nowhere else."""
    seen = [snippet for snippet in SNIPPETS if scripting or "noscript" in snippet.markup]
    together = [snippet for snippet in seen if not snippet.alone]
    framed = [snippet for snippet in seen if snippet.alone and "top" not in snippet.flags]
    for kind in (together, framed):
        for at in range(0, len(kind), _TOGETHER):
            yield kind[at : at + _TOGETHER]
    for snippet in seen:
        if "top" in snippet.flags:
            yield [snippet]


def put(pages: Pages, path: str, snippets: list[Snippet], body_of: Callable[[Snippet], bytes]) -> None:
    """Serve a page with *snippets* at *path*."""
    first = snippets[0]
    if "top" in first.flags:
        pages[path] = first.content_type, body_of(first)
        return
    parts = []
    for number, snippet in enumerate(snippets):
        if snippet.alone:
            pages[f"{path}/{number}"] = snippet.content_type, body_of(snippet)
            parts.append(b"<iframe src='%b/%d'></iframe>\n" % (path.encode(), number))
        else:
            parts.append(b"<div>%b</div>\n" % body_of(snippet))
    pages[path] = "text/html; charset=utf-8", b"<!doctype html><title>x</title>" + b"".join(parts)


def rewritten(snippet: Snippet, url: str, *, mark: str = "") -> bytes:
    """Each by itself: one fault must not be the next one's."""
    charset = "utf-8" if snippet.charset is None else snippet.charset
    return rewrite([snippet.body(mark=mark)], site=f"{url}/", charset=charset, xml="xml" in snippet.flags)[0]


async def asked(visitor: Visitor, url: str, *, expected: set[str]) -> set[str]:
    """Whom a page asks. What is *expected* is waited for, within reason: some things browsers put off."""
    visitor.forget()
    await visitor.open(url)
    for again in range(_FENCES):
        hosts = {host.rstrip(".") for host in visitor.elsewhere.hosts}
        if hosts >= expected:
            break
        await visitor.fence.goto(f"{visitor.elsewhere.fence_url}?again={again}")
    return hosts


@pytest.mark.parametrize("scripting", [True, False], ids=["scripts", "no-scripts"])
async def test_chromium_asks_nobody_for_what_the_rewriter_has_seen(
    site: tuple[str, Pages], tmp_path: Path, *, scripting: bool
) -> None:
    """The page as it was asks everybody that its author knows it to ask, the rewritten page nobody."""
    url, pages = site
    wrong: dict[str, str] = {}
    known = set[str]()
    async with browse(tmp_path, scripting=scripting) as visitor:
        for number, snippets in enumerate(groups(scripting=scripting)):
            put(pages, f"/before/{number}", snippets, Snippet.body)
            put(pages, f"/after/{number}", snippets, lambda snippet: rewritten(snippet, url, mark=_AFTER))
            expected = {host for snippet in snippets if scripting in snippet.seen_by for host in snippet.live}
            before = await asked(visitor, f"{url}/before/{number}", expected=expected)
            # What the first page asks once more, and late, is not the second one's.
            late_or_after = await asked(visitor, f"{url}/after/{number}", expected=set())
            after = {host.replace(_AFTER, "") for host in late_or_after if _AFTER in host}
            for snippet in snippets:
                hosts = snippet.live | snippet.text | snippet.idle
                if before & hosts != expected & hosts:
                    wrong[snippet.name] = f"asks {sorted(before & hosts)}, not {sorted(expected & hosts)}"
                elif after & hosts:
                    wrong[snippet.name] = "leaks"
            known |= {snippet.name for snippet in snippets if scripting in snippet.seen_by}
    assert {name: how for name, how in wrong.items() if name not in FAULTY or how != "leaks"} == {}
    assert (FAULTY & known) - set(wrong) == set(), "what is mended is no longer known as wrong"


# Snippets whose text the rewriter changes, and why.
CHANGED_TEXT = {
    "tokens: style with markup": "in a style sheet a comment's old begin is taken for the name of a variable",
}


@pytest.mark.parametrize(
    "snippet",
    [
        pytest.param(
            snippet,
            id=snippet.name,
            marks=[pytest.mark.xfail(strict=True, reason=CHANGED_TEXT[snippet.name])]
            if snippet.name in CHANGED_TEXT
            else [],
        )
        for snippet in SNIPPETS
        if snippet.text
    ],
)
def test_hosts_that_are_mere_text_stay_as_they_are(snippet: Snippet) -> None:
    """Whoever writes about a vendor must not find the text changed."""
    charset = snippet.charset or "utf-8"
    lines = rewritten(snippet, "http://127.0.0.1").decode(charset, "surrogateescape").splitlines()
    for line in snippet.markup.splitlines():
        if any(host in line for host in snippet.text):
            assert line in lines


# Which of *pages* have a picture or a frame of *vendor*'s in the tree that Chromium makes of them; nothing is loaded.
_ACTING = """
({pages, vendor}) => pages.map(page => {
  const html = "http://www.w3.org/1999/xhtml";
  const roots = [Document.parseHTMLUnsafe(page)];
  let acts = false;
  while (roots.length) {
    for (const element of roots.pop().querySelectorAll("*")) {
      const isOurs = element.namespaceURI === html ? ["img", "frame"].includes(element.localName) : element.localName === "image";
      acts ||= isOurs && element.getAttribute(element.namespaceURI === html ? "src" : "href") === vendor;
      if (element.shadowRoot) roots.push(element.shadowRoot);
    }
  }
  return acts;
})
"""


async def test_no_published_markup_hides_what_follows_it_from_chromium(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """The cases that other parsers are tested with, in the eyes of a browser itself."""
    folder = html5lib_tests(request.config) / "tree-construction"
    cases = [case for path in sorted(folder.glob("*.dat")) for case in read(path) if not case.context]
    faulty = set().union(*TREE_FAULTS.values())
    leaks = []
    async with browse(tmp_path) as visitor:

        async def acting(pages: list[str]) -> list[bool]:
            found: list[bool] = await visitor.page.evaluate(_ACTING, {"pages": pages, "vendor": VENDOR})
            return found

        assert sum(await acting([case.markup + ENDINGS[0] for case in cases])) > 1000
        for ending in ENDINGS[::4]:
            pages = [rewrite([(case.markup + ending).encode()])[0].decode() for case in cases]
            leaks += [case.name for case, acts in zip(cases, await acting(pages), strict=True) if acts]
    assert set(leaks) <= faulty
