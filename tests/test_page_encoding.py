"""Labels of encodings, and which of them a page can be scanned in."""

import pytest

from gateway.page.encoding import Family, codec_of, family_of


@pytest.mark.parametrize(
    ("label", "codec", "family"),
    [
        ("", None, Family.ASCII_COMPATIBLE),
        ("utf-8", "utf-8", Family.ASCII_COMPATIBLE),
        (" UTF8 ", "utf-8", Family.ASCII_COMPATIBLE),
        ("iso-8859-1", "cp1252", Family.ASCII_COMPATIBLE),
        ("us-ascii", "cp1252", Family.ASCII_COMPATIBLE),
        ("latin1", "cp1252", Family.ASCII_COMPATIBLE),
        ("ISO-8859-15", "iso8859-15", Family.ASCII_COMPATIBLE),
        ("windows-1251", "cp1251", Family.ASCII_COMPATIBLE),
        ("koi8-r", "koi8-r", Family.ASCII_COMPATIBLE),
        ("Shift_JIS", "cp932", Family.ASCII_COMPATIBLE),
        ("x-sjis", "cp932", Family.ASCII_COMPATIBLE),
        ("gbk", "gbk", Family.ASCII_COMPATIBLE),
        ("gb2312", "gb2312", Family.ASCII_COMPATIBLE),
        ("gb18030", "gb18030", Family.ASCII_COMPATIBLE),
        ("big5", "big5", Family.ASCII_COMPATIBLE),
        ("euc-jp", "euc-jp", Family.ASCII_COMPATIBLE),
        ("euc-kr", "cp949", Family.ASCII_COMPATIBLE),
        ("macintosh", "mac-roman", Family.ASCII_COMPATIBLE),
        ("utf-16", "utf-16-le", Family.UTF_16),
        ("utf-16be", "utf-16-be", Family.UTF_16),
        ("utf-16le", "utf-16-le", Family.UTF_16),
        ("iso-2022-jp", None, Family.UNREADABLE),
        ("iso-2022-kr", None, Family.UNREADABLE),
        ("utf-7", None, Family.UNREADABLE),
        ("utf-32", None, Family.UNREADABLE),
        ("hz-gb-2312", None, Family.UNREADABLE),
        ("ebcdic-cp-us", None, Family.UNREADABLE),
        ("base64", None, Family.UNREADABLE),
        ("rot13", None, Family.UNREADABLE),
        ("punycode", None, Family.UNREADABLE),
        ("no-such-thing", None, Family.UNREADABLE),
        ("utf-8\0", None, Family.UNREADABLE),
    ],
)
def test_a_label_tells_how_a_page_can_be_scanned(label: str, codec: str | None, family: Family) -> None:
    """A page scanned in the wrong encoding hides its tags: what cannot be scanned must be known before the head leaves."""
    assert (codec_of(label), family_of(label)) == (codec, family)


ASCII_THAT_SHAPES_TAGS = b"<>\"'=/ \t\n"


@pytest.mark.parametrize("codec", ["cp932", "gbk", "gb18030", "big5", "euc_jp", "cp949"])
def test_no_character_of_a_scannable_encoding_holds_a_byte_that_shapes_tags(codec: str) -> None:
    """The claim on which scanning multi-byte pages as bytes rests, tried on every character of the basic plane."""
    for number in range(0x80, 0x10000):
        if 0xD800 <= number < 0xE000:
            continue
        encoded = chr(number).encode(codec, "ignore")
        assert not set(encoded[1:]) & set(ASCII_THAT_SHAPES_TAGS), hex(number)
