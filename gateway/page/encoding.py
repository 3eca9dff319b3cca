r"""Character encodings of pages: which can be scanned as bytes, and how their URLs are read.

Tags begin and end with ASCII bytes. In UTF-8, the single-byte encodings, EUC-JP and EUC-KR those bytes mean nothing else; in
Shift_JIS, GBK, gb18030 and Big5 the second byte of a character may be a letter or "\\", but never "<", ">", a quote, "=",
"/" or a space, so tag boundaries stand there too. UTF-16 is transcoded. ISO-2022-JP switches to two-byte text with
escape sequences in which "<" is half a character, UTF-7 hides "<" in letters, and what a label nobody knows means is a
guess: these cannot be scanned.

Source: Encoding Standard, 4.2 (names and labels); HTML Standard, 13.2.3 (the input byte stream).
"""

import codecs
from enum import StrEnum

# Labels of the standard that Python knows by other names, or by the wrong one.
_ALIASES = {
    "x-sjis": "cp932",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "ms_kanji": "cp932",
    "windows-31j": "cp932",
    "x-gbk": "gbk",
    "gb_2312-80": "gbk",
    "x-euc-jp": "euc_jp",
    "x-x-big5": "big5",
    "windows-949": "cp949",
    "euc-kr": "cp949",
    "x-cp1250": "cp1250",
    "x-cp1251": "cp1251",
    "x-cp1252": "cp1252",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-mac-ukrainian": "mac_cyrillic",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "mac": "mac_roman",
    "windows-874": "cp874",
    "dos-874": "cp874",
    "iso-8859-8-i": "iso8859_8",
    "logical": "iso8859_8",
    "visual": "iso8859_8",
    "x-user-defined": "latin-1",
    "unicode-1-1-utf-8": "utf-8",
    "unicode11utf8": "utf-8",
    "unicode20utf8": "utf-8",
    "x-unicode20utf8": "utf-8",
    "unicode": "utf-16-le",
    "csunicode": "utf-16-le",
    "iso-10646-ucs-2": "utf-16-le",
    "ucs-2": "utf-16-le",
    "unicodefeff": "utf-16-le",
    "unicodefffe": "utf-16-be",
    "utf-16": "utf-16-le",
}

# What Python can decode and no page may be scanned in: escape sequences, shifted bytes, or not for the web at all.
_UNREADABLE = frozenset({"utf-7", "utf-32", "utf-32-le", "utf-32-be", "hz", "johab", "punycode", "idna"})


class Family(StrEnum):
    """How a page's bytes can be scanned."""

    ASCII_COMPATIBLE = "ascii-compatible"
    UTF_16 = "utf-16"
    UNREADABLE = "unreadable"


def codec_of(label: str) -> str | None:
    """Python's name for an encoding label of the web; None where it is unknown or no page may be scanned in it."""
    label = label.strip("\t\n\f\r ").lower()
    try:
        name = codecs.lookup(_ALIASES.get(label, label)).name
    except (LookupError, ValueError):
        return None
    name = name.replace("_", "-")
    if name.startswith(("iso2022", "cp037", "cp273", "cp424", "cp500", "cp864", "cp875", "cp1026", "cp1140")):
        return None
    if name in _UNREADABLE or not codecs.lookup(name)._is_text_encoding:  # noqa: SLF001 - it has no public name
        return None
    # The web's iso-8859-1 and ascii are windows-1252.
    return "cp1252" if name in ("iso8859-1", "ascii") else name


def family_of(label: str) -> Family:
    """How a page labelled *label* can be scanned; no label means that the page or the browser's default tells."""
    if not label:
        return Family.ASCII_COMPATIBLE
    codec = codec_of(label)
    if codec is None:
        return Family.UNREADABLE
    return Family.UTF_16 if codec.startswith("utf-16") else Family.ASCII_COMPATIBLE
