"""Target `urls`: addresses in attributes, in srcset, in refreshes, in code and in `data:` documents, against oracles."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote_from_bytes

import turbohtml

from gateway.page.attributes import attributes, decode_references
from gateway.page.elements import loads, srcset_urls
from gateway.vendors.url import in_code, parse
from tests.fuzz import addresses, markup
from tests.fuzz.case import Broken, Case
from tests.fuzz.draw import Draw
from tests.fuzz.page import contacts
from tests.fuzz.vendors import SITE, rewrite

_REFERENCES = (
    "&amp;", "&AMP", "&amp", "&ampx", "&amp=", "&copy", "&copy;", "&copy1", "&notit;", "&notin;", "&not", "&period;", "&colon",
    "&#47;", "&#x2f", "&#X2F;x", "&#", "&#x", "&#0;", "&#128;", "&#xd800;", "&#x110000;", "&#99999999999;", "&#0000000000065;",
    "&NotEqualTilde;", "&bne;", "&", "&&", "=", "x", ";", "é", "\U0001f36a", "a", "1", " ",
)  # fmt: skip
_NAMES = (b"src", b"SRC", b"a", b"=", b"'", b'"', b"<", b"\0", b"\xc3\xa9", b"on", b"/", b"-")
_VALUES = (b"=x", b"='x y'", b'="<>"', b"", b"=", b" = x", b"=\n'a", b"='", b"/")
_REFRESH = (
    "0",
    "5",
    ".",
    "1.5",
    ";",
    ",",
    " ",
    "url",
    "URL",
    "=",
    "'",
    '"',
    "\t",
    "u",
    "ur",
    "//tracker.example/t",
    "x",
)
_STATEMENTS = (b"go(1);", b"'a'", b'"/"', b"x/2;", b"/* c */", b"\n", b"// c\n", b"/re/.x;", b"`a`")
_SCHEMES = ("data:", "DATA:", " data:", "da\nta:", "\x01data:", "data:\t")
_MEDIA = (
    "text/html", "TEXT/HTML", "text/html;charset=utf-8", "text/html;charset=UTF-16LE", 'text/html;charset="a"', "text/html ",
    " text/html", "text/html;x=base64", "text/html;charset=xbase64", "application/xhtml+xml", "image/svg+xml", "text/plain",
    "text/xml", "application/xml", "", "text/html;charset=iso-2022-jp",
)  # fmt: skip
_DOCUMENTS = (
    b"<img src=https://tracker.example/t>",
    b"<!--<img src=https://tracker.example/t>-->",
    b"<iframe srcdoc='<img src=https://tracker.example/t>'></iframe>",
    b"<style>@import 'https://tracker.example/c.css'</style>",
    b"<svg xmlns='http://www.w3.org/2000/svg'><image href='https://tracker.example/t'/></svg>",
    b"<html xmlns='http://www.w3.org/1999/xhtml'><img src='https://tracker.example/t'/></html>",
    b"<html xmlns:h='http://www.w3.org/1999/xhtml'><h:img src='https://tracker.example/t'/></html>",
    "\ufeff<img src=https://tracker.example/t>".encode("utf-16-le"),
    b"\xef\xbb\xbf<img src=https://tracker.example/t>",
    b"\x1b$B<!--\x1b(B<img src=https://tracker.example/t>-->",
)
_HOLDERS = (b"iframe src", b"embed src", b"object data", b"frameset><frame src")


@dataclass(frozen=True, slots=True)
class How:
    """*check*: what the text is taken for."""

    check: Callable[[bytes], None]


def draw(data: bytes) -> Case[How]:
    """An address in one of the places where there are any."""
    choices = Draw(data)
    text, check_it = choices.pick((_references, _start_tag, _srcset, _refresh, _code, _data_document))(choices)
    return Case(text, How(check_it))


def check(case: Case[How]) -> None:
    """What must hold for every address."""
    case.how.check(case.given)


def target(data: bytes) -> None:
    """For fuzzers that want a function."""
    check(draw(data))


_Drawn = tuple[bytes, Callable[[bytes], None]]


def _references(choices: Draw) -> _Drawn:
    text = "".join(choices.pick(_REFERENCES) for _ in range(1 + choices.below(6)))
    return (text + choices.raw(8).decode("latin-1")).encode(), check_references


def check_references(text: bytes) -> None:
    """An attribute's value means what a second parser says."""
    value = text.decode(errors="replace").translate(str.maketrans("", "", '"\r\0'))
    element = turbohtml.parse_fragment(f'<p x="{value}">').find("p")
    assert element is not None
    if decode_references(value) != element.attrs["x"]:
        raise Broken("references", f"{value!r} is {element.attrs['x']!r}, not {decode_references(value)!r}")


def _start_tag(choices: Draw) -> _Drawn:
    parts = [b"<p "]
    for _ in range(1 + choices.below(5)):
        parts += [choices.pick(_NAMES) for _ in range(1 + choices.below(3))]
        parts += [choices.pick(_VALUES), choices.pick((b" ", b"/", b"\t", b"", b"\f", b"\n"))]
    return b"".join([*parts, choices.raw(5), b">"]), check_start_tag


def check_start_tag(tag: bytes) -> None:
    """A start tag has the attributes that a second parser finds."""
    if rewrite([tag, b"<!-- behind -->"]).page != tag + b"<!-- behind -->":
        raise Broken("untouched")
    text = tag.decode(errors="replace")
    tokens = [token for token in turbohtml.tokenize(text) if token.type is turbohtml.TokenType.START_TAG]
    # One that ends before the end of the text, or never does, is no tag as `attributes` wants it.
    if len(tokens) != 1 or text.count(">") != 1 or not text.startswith("<p ") or not text.endswith(">"):
        return
    expected: dict[str, str] = {}
    for name, value in tokens[0].attrs or ():
        expected.setdefault(name, value or "")
    found: dict[str, str] = {}
    for attribute in attributes(tag):
        name = attribute.name.decode(errors="replace").replace("\0", "\ufffd")
        found.setdefault(name, decode_references(attribute.value.decode(errors="replace")).replace("\0", "\ufffd"))
    if found != expected:
        raise Broken("attributes", f"{tag!r} has {expected}, not {found}")


def _srcset(choices: Draw) -> _Drawn:
    return choices.raw(60) if choices.one_in(3) else markup.srcset(choices), check_srcset


def check_srcset(text: bytes) -> None:
    """A srcset has the candidates that the standard says."""
    value = text.decode(errors="replace")
    if srcset_urls(value) != addresses.candidates(value):
        raise Broken("srcset", f"{value!r} has {addresses.candidates(value)}, not {srcset_urls(value)}")


def _refresh(choices: Draw) -> _Drawn:
    return "".join(choices.pick(_REFRESH) for _ in range(1 + choices.below(10))).encode(), check_refresh


def check_refresh(text: bytes) -> None:
    """Where a refresh leads to a vendor, the rewriter knows."""
    content = text.decode(errors="replace")
    leads = parse(addresses.refresh(content) or "", SITE)
    what = loads(b"meta", {b"http-equiv": "refresh", b"content": content}, foreign=False)
    seen = [parse(url, SITE) for url in what.urls] if what else []
    if leads is not None and leads.host == "tracker.example" and leads not in seen:
        raise Broken("refresh", f"{content!r} leads to {leads}, not to {seen}")


def _code(choices: Draw) -> _Drawn:
    before = b"".join(choices.pick(_STATEMENTS) for _ in range(choices.below(5)))
    quote = choices.pick((b"'", b'"', b"`"))
    scheme = choices.pick((b"//", b"https://", b"HTTP://", b"https:\\/\\/", b"wss://"))
    code = before + b"go(" + quote + scheme + b"tracker.example/t" + quote + b")" + choices.raw(10)

    # Not to be shortened: what is left of a comment would hide the address with good reason.
    def check_code(_: bytes) -> None:
        if not any("tracker.example" in text for text in in_code(code)):
            raise Broken("code", code)

    return b"", check_code


def _data_document(choices: Draw) -> _Drawn:
    body = choices.pick(_DOCUMENTS) + choices.raw(8)
    address = choices.pick(_SCHEMES) + choices.pick(_MEDIA)
    match choices.below(4):
        case 0:
            address += f";base64,{base64.b64encode(body).decode()}"
        case 1:
            address += f"; BASE64,{base64.b64encode(body).decode().rstrip('=')}"
        case 2:
            address += f",{quote_from_bytes(body)}"
        case _:
            address += "," + quote_from_bytes(body, safe=" <>=/:'!-")
    quote = '"' if "'" in address else "'"
    return b"<%b=%b>" % (choices.pick(_HOLDERS), f"{quote}{address}{quote}".encode()), check_data_document


def check_data_document(page: bytes) -> None:
    """A document in an address contacts nobody whom the page could not contact."""
    whole = rewrite([page])
    for contact in contacts(whole.page):
        raise Broken("document", f"{contact} in {whole.page!r}")
