"""Target `charsets`: pages in every encoding, under right and wrong labels, with what traps a reader of bytes.

What the rewriter takes on, it reads as a browser does that goes by the same label; what it cannot read it refuses at once.
"""

import codecs
from dataclasses import dataclass

from gateway.page.rewriter import UnreadableCharset
from tests.fuzz import markup
from tests.fuzz.case import Broken, Case
from tests.fuzz.draw import Draw
from tests.fuzz.page import contacts
from tests.fuzz.vendors import AGREED, rewrite

LABELS = (
    "utf-8", "UTF-8 ", "utf8", "windows-1252", "iso-8859-1", "latin1", "ascii", "shift_jis", "sjis", "gbk", "gb18030", "gb2312",
    "big5", "big5-hkscs", "euc-jp", "euc-kr", "koi8-r", "windows-1251", "iso-8859-8-i", "macintosh", "x-user-defined",
    "utf-16", "utf-16le", "utf-16be", "unicode", "iso-2022-jp", "iso-2022-kr", "hz-gb-2312", "replacement", "utf-7", "utf-32",
    "cp037", "punycode", "idna", "rot13", "no-such", "utf-8;x", "'utf-8'", "\0", "",
)  # fmt: skip

# Halves of characters in front of what ends a value or a tag, escape sequences, shifts, spellings of "<" that are none.
_TRAPS = (
    b"\x81", b'\x81"', b"\x81'", b"\x81<", b"\x81>", b"\x81\\", b"\x82\xa0", b"\xa1\xa1", b"\xe0", b"\xe0\x5c", b"\x8f\xa1", b"\x8e",
    b"\x81\x30\x81\x30", b"\x81\x30\x81", b"\x81\x30", b"\xfe\xff", b"\xff", b"\x80", b"\xa0", b"\x1b$B", b"\x1b(B", b"\x1b(J",
    b"\x1b$)C", b"\x0e", b"\x0f", b"~{", b"~}", b"+ADw-", b"+ACI-", b"\xc0\xbc", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"\x00",
)  # fmt: skip
_PARTS = (
    b'<img alt="', b'">', b"<img alt='", b"'>", b"<img src=//tracker.example/", b">", b'<img src="//tracker.example/', b"<!--", b"-->",
    b"<p title=", b"<script>", b'go("https://tracker.example/")', b"</script>", b"<title>", b"</title>", b"<style>", b"</style>",
    b"a{b:url(//tracker.example/)}", b" ", b"x", b"<iframe srcdoc='", b"&lt;img src=//tracker.example/&gt;", b"<img src=//",
    b"tracker.example>", b"<base href=//tracker.example/><img src=",
)  # fmt: skip
_MARKS = (b"", b"", b"", b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff", b"\xef\xbb")


@dataclass(frozen=True, slots=True)
class How:
    """The *label* of the head, empty where it has none; *cutting* says where the page is cut."""

    label: str
    cutting: bytes = b""


def draw(data: bytes) -> Case[How]:
    """A page in some encoding under some label."""
    choices = Draw(data)
    how = How(choices.pick(LABELS), choices.raw(12))
    declared = choices.pick(LABELS).encode()
    page = choices.pick(
        (
            b"",
            b"",
            b"<meta charset=" + declared + b">",
            b"<meta http-equiv=content-type content='text/html; charset=" + declared + b"'>",
        )
    )
    if choices.one_in(3):
        page += markup.page(choices)
    else:
        page += b"".join(choices.pick(_TRAPS if choices.below(2) else _PARTS) for _ in range(choices.below(16)))
    match choices.below(6):
        case 1:
            page = page.decode(errors="replace").encode("utf-16-le")
        case 2:
            page = page.decode(errors="replace").encode("utf-16-be") + choices.raw(1)
        case _:
            pass
    return Case(choices.pick(_MARKS) + page, how)


def check(case: Case[How]) -> None:
    """What must hold for every page in every encoding."""
    page, label = case.given, case.how.label
    pieces = Draw(case.how.cutting).cut(page)
    try:
        whole = rewrite([page], charset=label)
    except UnreadableCharset:
        return
    cut = rewrite(pieces, charset=label)
    if cut != whole:
        raise Broken("cut", f"{cut} instead of {whole}")
    if rewrite(pieces, charset=label, decision=AGREED).page != page:
        raise Broken("agreed")
    if not whole.withheld and not whole.degraded and whole.page != page:
        raise Broken("silent", whole.page)
    try:
        found = contacts(whole.page, charset=_charset(page, label))
    except LookupError:  # a label that no browser knows
        return
    for contact in found:
        raise Broken(f"contact by {contact.by}", whole.page)


def target(data: bytes) -> None:
    """For fuzzers that want a function."""
    check(draw(data))


def _charset(page: bytes, label: str) -> str:
    """What a browser goes by; none where the page tells. Without any word of it, what most browsers take."""
    tells = page.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"charset" in page.lower()
    return label.strip() or ("" if tells else "windows-1252")
