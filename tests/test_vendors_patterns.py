"""Patterns, the plain texts that they hold, globs, and the index that finds things by such texts."""

import fnmatch
import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from gateway.vendors.patterns import Glob, TextIndex, compile_pattern, key_length, plain_texts


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        (r"^/f/embed\.php$", {"/f/embed.php"}),
        (r"^/(ads|rmkt)(/|$)", {"ads", "rmkt"}),
        (r"^/(a/(one|three)/\d+|b-audiences$)", {"one", "three", "b-audiences"}),
        (r"/visit|/track", {"/visit", "/track"}),
        (r"/visit|\d+", set()),
        (r"(?i)/Visit", {"/visit"}),
        (r"(?i:AbC)", {"abc"}),
        (r"(?P<name>abc)x", {"abc"}),
        (r"(?:abc)?def", {"def"}),
        (r"(abc)*x", {"x"}),
        (r"(abc)+x", {"abc"}),
        (r"(abc){0,2}", set()),
        (r"abc?d", {"ab"}),
        (r"abc+d", {"abc"}),
        (r"abcd{2}e", {"abc"}),
        (r"a{b}cde", {"cde"}),
        (r"[\]]abc[[:alpha:]]]d", {"abc"}),
        (r"[]a-z]track[^]]", {"track"}),
        (r"\bvgo\s*\(", {"vgo"}),
        (r"\x41bc", set()),
        (r"\Qa.b\Ec", set()),
        (r"größe", {"gr"}),
        (r".*", set()),
        ("", set()),
    ],
)
def test_the_plain_texts_of_a_pattern_are_found(pattern: str, texts: set[str]) -> None:
    """They decide which rules are tried at all; too little of them and every URL is tried against every rule."""
    compile_pattern(pattern)
    assert plain_texts(pattern) == texts
    assert key_length(pattern) == min(map(len, texts), default=0)


PIECES = st.sampled_from(
    [
        *"abAB(((()))))|||?*+^$.{}[]\\",
        "(?i)",
        "(?:",
        "(?P<n>",
        "{2}",
        "{0,1}",
        "[ab]",
        "[^a]",
        "[]a]",
        "\\d",
        "\\.",
        "\\b",
        "ab",
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(PIECES, max_size=10).map("".join), st.text("abAB.1()|[]{}2", max_size=8))
@example("(?i)ab", "AB")
@example("a(?i)?", "")
@example("a{b", "a{b")
@example("(a|)b", "b")
def test_no_match_lacks_the_plain_texts(pattern: str, text: str) -> None:
    """A rule whose text is not in the path is never tried: if it could match all the same, it would release a vendor."""
    try:
        compiled = compile_pattern(pattern)
    except ValueError:
        assume(False)
    texts = plain_texts(pattern)
    if texts and compiled.search(text.encode()):
        assert any(plain in text.lower() for plain in texts)


@settings(max_examples=300)
@given(st.text(max_size=30))
def test_every_pattern_that_compiles_can_be_read(pattern: str) -> None:
    """Patterns are written by people outside; the reader of plain texts must not fall over one."""
    try:
        compile_pattern(pattern)
    except ValueError:
        return
    plain_texts(pattern)


def test_patterns_see_bytes_of_any_encoding() -> None:
    """A letter in windows-1252 in the middle of a script must not end a match."""
    assert compile_pattern("start.*end").search(b"start \xe9\xff end")
    assert compile_pattern("größe").search("größe".encode())


@pytest.mark.parametrize("pattern", ["(", "(?=a)", r"(a)\1", "a**", "[", "a{1001}", r"\x{2028}"])
def test_what_is_no_pattern_is_refused_with_the_reason(pattern: str) -> None:
    """Lookaround and backreferences are common slips; RE2 has neither, and its author learns so at the start."""
    with pytest.raises(ValueError, match="not a regular expression of the RE2 syntax"):
        compile_pattern(pattern)


@settings(max_examples=400)
@given(st.text("ab*", max_size=6).filter(lambda text: "*" in text), st.text("abA", max_size=7))
def test_a_glob_means_what_a_shell_means(glob: str, name: str) -> None:
    """The star is the only wildcard that cookie names need."""
    assert Glob(glob).matches(name) == bool(re.fullmatch(fnmatch.translate(glob), name))


@pytest.mark.parametrize(
    ("glob", "plain"),
    [("_ga_*", "_ga_"), ("*_hash", "_hash"), ("form_p2c*f*", "form_p2c"), ("_form_*_", "_form_"), ("*", "")],
)
def test_a_glob_is_found_by_its_longest_fixed_part(glob: str, plain: str) -> None:
    """Shorter parts stand in more names."""
    assert Glob(glob).plain == plain


@settings(max_examples=200)
@given(
    st.lists(st.text("ab", min_size=1, max_size=4).map(str.encode), max_size=8),
    st.text("abc", max_size=20).map(str.encode),
)
def test_the_index_finds_what_a_search_for_each_would(texts: list[bytes], haystack: bytes) -> None:
    """One pass must miss nothing, not even a text inside another, or two things under one text."""
    index = TextIndex((text, number) for number, text in enumerate(texts))
    assert sorted(index.within(haystack)) == [number for number, text in enumerate(texts) if text in haystack]
