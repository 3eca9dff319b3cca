"""Patterns of vendor files: RE2 over bytes, the plain text that a match must hold, and globs of cookie names.

RE2 answers in time linear in the text whatever the pattern (no backreferences, no lookaround), so neither a rule file nor
a page can stall the proxy. Patterns run over bytes, one character a byte: pages come in any encoding, and a letter that
UTF-8 does not know must not end a match. `re2.Set` is not used: out of memory it answers "nothing", which would release.
"""

from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import ahocorasick_rs
import re2

_OPTIONS = re2.Options()
_OPTIONS.encoding = re2.Options.Encoding.LATIN1
_OPTIONS.log_errors = False  # RE2 would print what it rejects; the fault says it already

# Quantifiers that may repeat zero times: the character before them need not be there.
_OPTIONAL = frozenset("?*{")

_QUANTIFIERS = frozenset("?*+{")

# Escapes that go on behind their letter, and octal ones.
_LONG_ESCAPES = frozenset("pPxQ01234567")


class Pattern(Protocol):
    """A compiled pattern; the part of RE2's interface that is used."""

    def search(self, text: bytes) -> object | None:
        """A match anywhere in *text*, or None."""
        ...


def compile_pattern(pattern: str) -> Pattern:
    """*pattern* ready for use; ValueError with RE2's reason where it is none."""
    try:
        compiled: Pattern = re2.compile(pattern.encode(), options=_OPTIONS)
    except re2.error as error:
        detail = error.args[0] if error.args else "invalid"
        text = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise ValueError(f"not a regular expression of the RE2 syntax ({text})") from error
    return compiled


def plain_texts(pattern: str) -> frozenset[str]:
    r"""Plain ASCII texts, lower case, of which at least one stands in every match of *pattern*; empty if in doubt.

    `^/f/embed\.php$` has `/f/embed.php`, `^/(ads|rmkt)(/|$)` has `ads` and `rmkt`: of all parts that a match must pass, the
    one whose shortest text is longest. They are the keys by which a rule is found, so they may be too short, never wrong;
    lower case because a pattern may be told to ignore case. *pattern* must be one that compiles.
    """
    try:
        texts, _ = _alternatives(pattern, 0)
    except _Unclear:
        return frozenset()
    return texts


def key_length(pattern: str) -> int:
    """Characters of the shortest of `plain_texts`; 0 where there is none."""
    return _strength(plain_texts(pattern))


class _Unclear(Exception):
    """A part of a pattern that is not read here; nothing may be concluded from the rest."""


def _strength(texts: frozenset[str]) -> int:
    return min(map(len, texts), default=0)


def _alternatives(pattern: str, at: int) -> tuple[frozenset[str], int]:
    """The texts of `a|b|c` from *at* to the end of its group, and that end. One branch without a text spoils them all."""
    branches: list[frozenset[str]] = []
    while True:
        texts, at = _branch(pattern, at)
        branches.append(texts)
        if pattern[at : at + 1] != "|":
            return frozenset().union(*branches) if all(branches) else frozenset(), at
        at += 1


def _branch(pattern: str, at: int) -> tuple[frozenset[str], int]:
    """The best texts of one branch from *at*, and where it ends: at `|`, `)` or the end."""
    best: frozenset[str] = frozenset()
    run = ""
    while at < len(pattern) and pattern[at] not in "|)":
        texts, plain, at = _element(pattern, at)
        repeat = pattern[at : at + 1]
        if repeat in _OPTIONAL:
            texts, plain = frozenset(), ""
        run += plain
        if run and (not plain or repeat == "+"):
            best = max(best, frozenset({run.lower()}), key=_strength)
            run = ""
        if texts:
            best = max(best, texts, key=_strength)
        at = _after_repeat(pattern, at)
    return max(best, frozenset({run.lower()}) if run else best, key=_strength), at


def _element(pattern: str, at: int) -> tuple[frozenset[str], str, int]:
    """The element at *at*, without its quantifier: its texts if it is a group, its character if plain, and its end."""
    char = pattern[at]
    at += 1
    if char == "\\":
        escaped = pattern[at]
        if escaped in _LONG_ESCAPES:
            raise _Unclear
        return frozenset(), "" if escaped.isalnum() or not escaped.isascii() else escaped, at + 1
    if char == "[":
        return frozenset(), "", _after_class(pattern, at)
    if char == "(":
        at = _after_group_head(pattern, at)
        if pattern[at] == ")":
            if pattern[at + 1 : at + 2] in _QUANTIFIERS:
                raise _Unclear  # in "a(?i)?" it quantifies the "a"
            return frozenset(), "", at + 1
        texts, at = _alternatives(pattern, at)
        return texts, "", at + 1
    return frozenset(), char if char.isascii() and char not in "^$.{" else "", at


def _after_group_head(pattern: str, at: int) -> int:
    """The position after `?:`, `?i:`, `?P<name>`; at the `)` of `(?i)`, which holds for what follows."""
    if pattern[at] != "?":
        return at
    if pattern.startswith(("?P<", "?<"), at):
        return pattern.index(">", at) + 1
    while pattern[at] not in ":)":
        at += 1
    return at + (pattern[at] == ":")


def _after_repeat(pattern: str, at: int) -> int:
    """The position after a quantifier at *at*; a brace that is none is skipped with its like, which costs only length."""
    while pattern[at : at + 1] and pattern[at] in "?*+{":
        end = pattern.find("}", at) if pattern[at] == "{" else at
        at = max(end, at) + 1
    return at


def _after_class(pattern: str, at: int) -> int:
    """The position after the `]` that ends a class opened before *at*; a `]` that comes first is a member."""
    at += pattern[at] == "^"
    at += pattern[at] == "]"
    while pattern[at] != "]":
        if pattern.startswith("[:", at) and ":]" in pattern[at:]:
            at = pattern.index(":]", at) + 2
        else:
            at += 2 if pattern[at] == "\\" else 1
    return at + 1


class Glob:
    """A name in which `*` stands for any characters; case-sensitive. *plain* is its longest fixed part."""

    __slots__ = ("_first", "_last", "_middle", "plain")

    def __init__(self, text: str) -> None:
        self._first, *self._middle, self._last = text.split("*")
        self.plain = max((self._first, self._last, *self._middle), key=len)

    def matches(self, name: str) -> bool:
        """The whole of *name* is meant. Taking each part at its first place is enough, as parts hold no wildcards."""
        at, end = len(self._first), len(name) - len(self._last)
        if at > end or not name.startswith(self._first) or not name.endswith(self._last):
            return False
        for part in self._middle:
            found = name.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True


T = TypeVar("T")


class TextIndex(Generic[T]):
    """Things found by a text that must stand somewhere: all of them in one pass, whatever their number (Aho-Corasick).

    A thing may stand under several texts.
    """

    __slots__ = ("_automaton", "_things")

    def __init__(self, entries: Iterable[tuple[bytes, T]]) -> None:
        by_text: dict[bytes, list[T]] = {}
        for text, thing in entries:
            by_text.setdefault(text, []).append(thing)
        assert b"" not in by_text
        self._automaton = ahocorasick_rs.BytesAhoCorasick(list(by_text)) if by_text else None
        self._things: Sequence[tuple[T, ...]] = tuple(map(tuple, by_text.values()))

    def within(self, haystack: bytes) -> list[T]:
        """Every thing whose text stands in *haystack*, once a text; texts may lie inside one another. In no order that means."""
        if self._automaton is None:
            return []
        matches = self._automaton.find_matches_as_indexes(haystack, overlapping=True)
        if not matches:
            return []
        return [thing for number in sorted({match[0] for match in matches}) for thing in self._things[number]]
