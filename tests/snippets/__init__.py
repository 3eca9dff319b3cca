"""Markup of which browsers make something else than it seems, each piece with hosts of its own.

A file holds snippets: a line `=== name: flags`, then markup. Words in it stand for hosts: LIVE and LIVE2 for those that a
browser contacts, LABEL for the first label of LIVE, TEXT for one in mere text, IDLE for one that stands where a vendor's
would and is not contacted all the same. Lines with TEXT hold none of the others. Flags:

- alone: the snippet is a page of its own; top: and one that nothing frames. All others share a page.
- xml: a page in application/xhtml+xml.
- charset=...: a page in that encoding, which its head names; where it is empty, nothing names it.
- scripts, no-scripts: LIVE is contacted by visitors with scripting, or without, only.
- escapes: the markup is written with Python's escapes; a lone surrogate is the byte in its lower half.
"""

import re
from dataclasses import dataclass
from pathlib import Path

_DOMAIN = "tracker.example"
_WORD = re.compile(r"\b(?:LIVE2?|TEXT|IDLE|LABEL)\b")
_LABEL = re.compile(r"\b((?:live2?|text|idle)-\d+)\b")
_FLAG = re.compile(r"alone|top|xml|charset=.*|scripts|no-scripts|escapes")

# The flag that keeps a snippet from visitors with scripting, and from those without.
_OTHER = {True: "no-scripts", False: "scripts"}


@dataclass(frozen=True, slots=True)
class Snippet:
    """One piece of markup. *live*, *text* and *idle* are the hosts in it."""

    name: str
    markup: str
    flags: frozenset[str]
    live: frozenset[str]
    text: frozenset[str]
    idle: frozenset[str]

    @property
    def alone(self) -> bool:
        """It is a page of its own."""
        return bool(self.flags & {"alone", "top", "xml"}) or self.charset is not None

    @property
    def seen_by(self) -> frozenset[bool]:
        """Whether by visitors with scripting, by those without, or by both."""
        return frozenset(scripting for scripting, other in _OTHER.items() if other not in self.flags)

    @property
    def charset(self) -> str | None:
        """The label of its encoding; None where it takes that of the page around it."""
        return next((flag.removeprefix("charset=") for flag in self.flags if flag.startswith("charset=")), None)

    @property
    def content_type(self) -> str:
        """As the head of a page of its own has it."""
        kind = "application/xhtml+xml" if "xml" in self.flags else "text/html"
        return kind + (f"; charset={self.charset}" if self.charset else "")

    def body(self, *, mark: str = "") -> bytes:
        """Its bytes, as a page of its own. With a *mark* at the end of the first labels of its hosts, its contacts are told apart."""
        markup = _LABEL.sub(rf"\1{mark}", self.markup)
        return markup.encode(self.charset or "utf-8", "surrogateescape")


def _read() -> list[Snippet]:
    found: list[Snippet] = []
    for path in sorted(Path(__file__).parent.glob("*.txt")):
        for block in path.read_text().split("=== ")[1:]:
            head, _, markup = block.partition("\n")
            name, _, flags = head.partition(": ")
            found.append(_snippet(f"{path.stem}: {name}", markup, frozenset(flags.split()), len(found)))
    return found


def _snippet(name: str, markup: str, flags: frozenset[str], number: int) -> Snippet:
    assert all(map(_FLAG.fullmatch, flags)), name
    if "escapes" in flags:
        markup = markup.encode("latin-1").decode("unicode-escape")
    hosts = {word: f"{word.lower()}-{number}.{_DOMAIN}" for word in ("LIVE", "LIVE2", "TEXT", "IDLE")}
    used = {"LIVE" if word == "LABEL" else word for word in _WORD.findall(markup)}
    return Snippet(
        name,
        _WORD.sub(lambda word: hosts.get(word[0], f"live-{number}"), markup),
        flags,
        live=frozenset(host for word, host in hosts.items() if word in used and word.startswith("LIVE")),
        text=frozenset({hosts["TEXT"]} if "TEXT" in used else ()),
        idle=frozenset({hosts["IDLE"]} if "IDLE" in used else ()),
    )


SNIPPETS = _read()
