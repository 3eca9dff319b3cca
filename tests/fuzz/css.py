"""Target `css`: style sheets, against an oracle that reads them by the letter.

Every address that a browser would fetch is seen; one that is taken out is out, for good; nothing else changes.
"""

from gateway.page import css
from tests.fuzz import styles, words
from tests.fuzz.case import Broken, Case
from tests.fuzz.draw import Draw

_PARTS = (
    *words.CSS,
    *(
        b"src(",
        b"\\\n",
        b"\\0",
        b"\\'",
        b"\r\n",
        b"\f",
        b"\0",
        b"\xc3\xa9",
        b"-",
        b"<!--",
        b"-->",
        b"#",
        b"@",
        b"1e3",
        b"%",
    ),
)


def draw(data: bytes) -> Case[None]:
    """A style sheet, or the bytes themselves."""
    choices = Draw(data)
    if choices.one_in(3):
        return Case(choices.rest(), None)
    parts: list[bytes] = []
    while not choices.is_spent and len(parts) < 30:
        parts.append(choices.raw(6) if choices.one_in(6) else choices.pick(_PARTS))
    return Case(b"".join(parts), None)


def check(case: Case[None]) -> None:
    """What must hold for every style sheet."""
    sheet = case.given
    if css.without(sheet, lambda _url: False) != sheet:
        raise Broken("untouched", css.without(sheet, lambda _url: False))
    seen = css.fetches(sheet)
    at = 0
    for fetch in seen:
        if not at <= fetch.begin <= fetch.end:
            raise Broken("order", seen)
        at = fetch.end
    loaded = {_plain(url) for url, _ in styles.loaded(sheet.decode(errors="replace"))}
    unseen = loaded - {_plain(fetch.url.decode(errors="replace")) for fetch in seen}
    if unseen:
        raise Broken("unseen", unseen)
    cleaned = css.without(sheet, _is_vendors)
    if any(_is_vendors(url.encode()) for url, _ in styles.loaded(cleaned.decode(errors="replace"))):
        raise Broken("contact", cleaned)
    if css.without(cleaned, _is_vendors) != cleaned:
        raise Broken("again", cleaned)


def target(data: bytes) -> None:
    """For fuzzers that want a function."""
    check(draw(data))


def _plain(url: str) -> str:
    """What NUL and ends of lines become is a matter of preprocessing, and nothing to a host."""
    return url.replace("\0", "\ufffd").replace("\r", "\n").replace("\f", "\n").strip()


def _is_vendors(url: bytes) -> bool:
    return b"tracker.example" in url
