"""What a style sheet loads, read by the letter of the standard: an oracle for the fast reading in gateway/page/css.py.

One code point after another, as CSS Syntax Level 3, 4.3 has it, without a regular expression. Token by token it keeps what a
fetch depends on: the functions that are open, and whether an `@import` waits for its address.
"""

from collections.abc import Iterator
from typing import NamedTuple

_TAKE_STRINGS = frozenset({"url", "src", "image-set", "-webkit-image-set"})
_SPACE = " \t\n"
_HEX = frozenset("0123456789abcdefABCDEF")
# What no address may hold unless it is quoted (4.2, non-printable code point).
_NON_PRINTABLE = frozenset(map(chr, [*range(9), 0x0B, *range(0x0E, 0x20), 0x7F]))
_END = ""


class Loaded(NamedTuple):
    """An address, decoded, and whether it is that of another style sheet."""

    url: str
    is_import: bool


def loaded(css: str) -> list[Loaded]:
    """Addresses that *css* may fetch.

    Bare parentheses, functions that hold a block, its end or a semicolon, and functions of no possible name are no value of any
    property: nothing in them is fetched. Nor is anything that `<!--` stands before, nor what names a namespace.
    """
    found: list[Loaded] = []
    open_: list[str] = []  # functions by their name, bare parentheses and the blocks inside either, outermost first
    is_spoilt = imports = names = False
    for kind, text in _tokens(css):
        names = (names and kind not in (";", "{")) or (kind == "at" and text.lower() == "namespace")
        match kind:
            case "function":
                open_.append(text.lower())
            case "(":
                open_.append(kind)
            case "{" if open_:
                open_.append(kind)
            case ")" if open_ and open_[-1] != "{":
                open_.pop()
            case "}" if open_ and open_[-1] == "{":
                open_.pop()
            case "url" if not (is_spoilt or names):
                found.append(Loaded(text, imports))
            case "string" if not (is_spoilt or names) and (
                (imports and not open_) or (open_ and open_[-1] in _TAKE_STRINGS)
            ):
                found.append(Loaded(text, imports))
            case _:
                pass
        is_spoilt = (
            bool(open_) and (is_spoilt or kind in (";", "(", "{", "}") or "\ufffd" in open_[-1])
        ) or kind == "cdo"
        goes_on = kind == "space" or (kind == "function" and open_ == ["url"])
        imports = (imports and goes_on) or (kind == "at" and text.lower() == "import")
    return found


def _tokens(css: str) -> Iterator[tuple[str, str]]:
    reader = _Reader(css)
    while (token := reader.token()) is not None:
        yield token


class _Reader:
    def __init__(self, css: str) -> None:
        # 3.3, preprocessing the input stream.
        self._text = css.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").replace("\0", "\ufffd")
        self._at = 0

    def token(self) -> tuple[str, str] | None:
        """Kind and decoded text of the next token; None at the end."""
        while self._peek() == "/" and self._peek(1) == "*":
            closed = self._text.find("*/", self._at + 2)
            self._at = len(self._text) if closed < 0 else closed + 2
        first = self._peek()
        if first == _END:
            return None
        if first in _SPACE:
            self._spaces()
            return "space", ""
        if first in "\"'":
            self._at += 1
            return self._string(first)
        if first == "#" and (_is_name(self._peek(1)) or self._is_escape(1)):
            self._at += 1
            return "hash", self._name()
        if first == "@" and self._starts_identifier(1):
            self._at += 1
            return "at", self._name()
        if self._starts_number():
            return self._numeric()
        if first == "-" and self._text.startswith("-->", self._at):
            self._at += 3
            return "cdc", ""
        if first == "<" and self._text.startswith("<!--", self._at):
            self._at += 4
            return "cdo", ""
        if self._starts_identifier(0):
            return self._identifier()
        self._at += 1
        return (first, "") if first in "(){};" else ("delim", first)

    def _peek(self, ahead: int = 0) -> str:
        return self._text[self._at + ahead : self._at + ahead + 1]

    def _spaces(self) -> None:
        while self._peek() != _END and self._peek() in _SPACE:
            self._at += 1

    def _is_escape(self, ahead: int) -> bool:
        return self._peek(ahead) == "\\" and self._peek(ahead + 1) != "\n"

    def _starts_identifier(self, ahead: int) -> bool:
        first = self._peek(ahead)
        if first == "-":
            second = self._peek(ahead + 1)
            return _is_name_start(second) or second == "-" or self._is_escape(ahead + 1)
        return _is_name_start(first) or self._is_escape(ahead)

    def _starts_number(self) -> bool:
        ahead = 1 if self._peek() in "+-" and self._peek() else 0
        if self._peek(ahead) == ".":
            ahead += 1
        return _is_digit(self._peek(ahead))

    def _numeric(self) -> tuple[str, str]:
        if self._peek() in "+-":
            self._at += 1
        self._digits()
        if self._peek() == "." and _is_digit(self._peek(1)):
            self._at += 1
            self._digits()
        if self._peek() in ("e", "E"):
            sign = 1 if self._peek(1) in ("+", "-") else 0
            if _is_digit(self._peek(1 + sign)):
                self._at += 1 + sign
                self._digits()
        if self._starts_identifier(0):
            self._name()
        elif self._peek() == "%":
            self._at += 1
        return "number", ""

    def _digits(self) -> None:
        while _is_digit(self._peek()):
            self._at += 1

    def _escaped(self) -> str:
        """What follows a backslash (4.3.7)."""
        digits = ""
        while len(digits) < 6 and self._peek() in _HEX:
            digits += self._peek()
            self._at += 1
        if digits:
            if self._peek() != _END and self._peek() in _SPACE:
                self._at += 1
            number = int(digits, 16)
            is_none = number == 0 or number > 0x10FFFF or 0xD800 <= number <= 0xDFFF
            return "\ufffd" if is_none else chr(number)
        char = self._peek()
        self._at += 1
        return char or "\ufffd"

    def _name(self) -> str:
        name = ""
        while True:
            char = self._peek()
            if _is_name(char):
                name += char
                self._at += 1
            elif self._is_escape(0):
                self._at += 1
                name += self._escaped()
            else:
                return name

    def _string(self, quote: str) -> tuple[str, str]:
        text = ""
        while True:
            char = self._peek()
            if char == "\n":
                return "bad-string", ""
            self._at += 1
            if char in (quote, _END):
                return "string", text
            if char != "\\":
                text += char
            elif self._peek() == "\n":
                self._at += 1
            elif self._peek() != _END:
                text += self._escaped()

    def _identifier(self) -> tuple[str, str]:
        name = self._name()
        if self._peek() != "(":
            return "identifier", name
        self._at += 1
        if name.lower() != "url":
            return "function", name
        begin = self._at
        self._spaces()
        if self._peek() in ('"', "'"):
            self._at = begin
            return "function", name
        return self._url()

    def _url(self) -> tuple[str, str]:
        url = ""
        while True:
            char = self._peek()
            self._at += 1
            if char in (")", _END):
                return "url", url
            if char in _SPACE:
                self._spaces()
                if self._peek() in (")", _END):
                    self._at += 1
                    return "url", url
                return self._bad_url()
            if char in "\"'(" or char in _NON_PRINTABLE:
                return self._bad_url()
            if char != "\\":
                url += char
            elif self._peek() == "\n":
                return self._bad_url()
            else:
                url += self._escaped()

    def _bad_url(self) -> tuple[str, str]:
        while True:
            char = self._peek()
            is_escape = self._is_escape(0)
            self._at += 1
            if char in (")", _END):
                return "bad-url", ""
            if is_escape:
                self._escaped()


def _is_digit(char: str) -> bool:
    return char != _END and char in "0123456789"


def _is_name_start(char: str) -> bool:
    return char != _END and ((char.isascii() and char.isalpha()) or char == "_" or ord(char) >= 0x80)


def _is_name(char: str) -> bool:
    return _is_name_start(char) or _is_digit(char) or char == "-"
