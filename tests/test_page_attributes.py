"""Attributes of raw start tags, and character references in them."""

import pytest

from gateway.page.attributes import attributes, decode_references


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"<img>", []),
        (b"<img/>", []),
        (b"<img src=a>", [(b"src", b"a")]),
        (b"<img src=a/>", [(b"src", b"a/")]),
        (b"<img src=a />", [(b"src", b"a")]),
        (b"<img SRC='a\"b' alt>", [(b"src", b'a"b'), (b"alt", b"")]),
        (b'<img src="a"alt="b">', [(b"src", b"a"), (b"alt", b"b")]),
        (b"<img\tsrc\n=\r\n'a'\f>", [(b"src", b"a")]),
        (b"<img src= >", [(b"src", b"")]),
        (b"<img src=a src=b>", [(b"src", b"a"), (b"src", b"b")]),
        (b"<img =x=y>", [(b"=x", b"y")]),
        (b"<img/src=a/alt=b>", [(b"src", b"a/alt=b")]),
        (b'<img a\'b="c">', [(b"a'b", b"c")]),
        (b"<img src=a'b\"c>", [(b"src", b"a'b\"c")]),
        (b"<img x='a>b' y>", [(b"x", b"a>b"), (b"y", b"")]),
    ],
)
def test_attributes_are_read_as_the_tokenizer_reads_them(raw: bytes, expected: list[tuple[bytes, bytes]]) -> None:
    """A reading that differs from the browser's is a way round the filter."""
    found = list(attributes(raw))
    assert [(attribute.name, attribute.value) for attribute in found] == expected
    for attribute in found:
        assert raw[attribute.at : attribute.at + len(attribute.name)].lower() == attribute.name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("&#104;ttps", "https"),
        ("&#x68;ttps&#x3a;//x", "https://x"),
        ("&#104ttps", "https"),
        ("a&amp;b", "a&b"),
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&copyx", "?a=1&copyx"),
        ("?a=1&copy;=2", "?a=1©=2"),
        ("?a=1&copy", "?a=1©"),
        ("&copy/", "©/"),
        ("&notit;", "&notit;"),
        ("&not/it;", "¬/it;"),
        ("https&colon;//x&sol;y", "https://x/y"),
        ("&Tab;&NewLine;x", "\t\nx"),
        ("&#0;&#xD800;&#x110000;", "\ufffd\ufffd\ufffd"),
        ("&#x80;", "€"),
        ("&#" + "9" * 6000 + ";", "\ufffd"),
        ("&#x00000000000000000000041;", "A"),
        ("&unknown;&;&#;&#x;", "&unknown;&;&#;&#x;"),
    ],
)
def test_references_are_decoded_by_the_rules_for_attributes(text: str, expected: str) -> None:
    """`&copy=` in a query string is a parameter, `&#104;ttps` is a scheme: both decide which host is contacted."""
    assert decode_references(text) == expected
