"""What authors gate by hand: fences in comments, and an attribute of one element.

| in the page                                 | what it does                                                                |
|---------------------------------------------|-----------------------------------------------------------------------------|
| `<!-- consent:block WORDS -->`              | whatever loads or runs from here on waits for all WORDS, whatever its host  |
| `<!-- /consent -->`                         | ends the innermost fence                                                    |
| `data-consent="WORDS"`                      | the same for this one element: its own URLs, code and handlers              |
| `data-consent="ignore"`                     | no rule applies to this element, nor to the script, style or noscript in it |

WORDS are categories and vendor ids, in any case, with blanks or commas between them; a vendor's id stands for what its file asks
for, or for the visitor's yes to this vendor by name. All of them must be granted. In doubt more is withheld:

- A word that is neither, or no word at all, asks for everything optional, and is told as degraded. As an attribute that holds
  only of scripts and of elements that load something: elsewhere, above all on the buttons of consent banners, `data-consent`
  with other words is somebody else's attribute, and means nothing here.
- A fence without an end holds until the end of the page, and is told as degraded; one in a noscript ends with it. Inside a
  fence, another adds to it. A comment that ends no fence is a comment.
- Fences reach into templates, which no rule does: the author said everything.
- Inside a fence that is withheld `ignore` is not heeded: the fence was put there for the sake of what stands in it.
- Fences and attributes only ever withhold more: rules apply inside a fence that is granted as they do outside.

The author's own comments and attributes stay in the page as they are.
"""

import re
from dataclasses import dataclass

from gateway.consent.model import OPTIONAL, Category
from gateway.page import inert
from gateway.page.context import Page
from gateway.page.elements import Values
from gateway.vendors.match import Verdict
from gateway.withheld import Degraded

ATTRIBUTE = b"data-consent"

_IGNORE = ["ignore"]
_SPACE = rb"[\t\n\f\r ]*+"
_OPENS = re.compile(
    rb"<!--" + _SPACE + rb"consent" + _SPACE + rb":" + _SPACE + rb"block(?![\w-])(.*?)--!?>", re.IGNORECASE | re.DOTALL
)
_CLOSES = re.compile(
    rb"<!--" + _SPACE + rb"/consent(?:" + _SPACE + rb":" + _SPACE + rb"block)?" + _SPACE + rb"--!?>", re.IGNORECASE
)
_BETWEEN_WORDS = re.compile(r"[\s,]+")

# Deeper fences are counted, not remembered: they ask for everything. Honest pages have one in another, if that.
_DEPTH_LIMIT = 32


@dataclass(frozen=True, slots=True)
class Said:
    """What the author says of one element: whom it *waits* for, and that rules are to leave it alone."""

    waits: tuple[Verdict, ...] = ()
    ignored: bool = False


_NOTHING = Said()


class Authors:
    """Fences and attributes in one stream of markup. *outer* is what the fences around it wait for."""

    def __init__(self, page: Page, outer: tuple[Verdict, ...] = ()) -> None:
        self._page = page
        self._around: list[tuple[Verdict, ...]] = []  # of each open fence, what already waited around it
        self._deeper = 0
        self.waits = outer  # what the open fences ask for that this visitor has not agreed to

    @property
    def is_open(self) -> bool:
        """A fence of this stream has begun and not ended, whether this visitor agreed to what it asks for or not."""
        return bool(self._around)

    def comment(self, raw: bytes) -> None:
        """A whole comment: it may begin or end a fence."""
        opens = _OPENS.fullmatch(raw)
        if opens is not None:
            self._open(_words(opens[1].decode("utf-8", "replace")))
        elif _CLOSES.fullmatch(raw) is not None:
            self._close()

    def close(self) -> None:
        """The end of the stream."""
        if self.is_open:
            self._page.report.degraded.append(Degraded.UNCLOSED_FENCE)

    def said(self, values: Values, *, loads: bool) -> Said:
        """What holds of an element, with the fences around it. *loads*: it is a script, or loads something by itself."""
        text = values.get(ATTRIBUTE)
        if text is None:
            return Said(self.waits) if self.waits else _NOTHING
        words = _words(text)
        if words == _IGNORE:
            return Said(self.waits, ignored=not self.waits)
        verdicts, unknown = self._read(words, "author.attribute")
        if unknown and not (loads or verdicts):
            return Said(self.waits)
        return Said(self._waiting(self.waits, verdicts, unknown=unknown, rule="author.attribute"))

    def _open(self, words: list[str]) -> None:
        if len(self._around) == _DEPTH_LIMIT:
            self._deeper += 1
            words = []
        else:
            self._around.append(self.waits)
        verdicts, unknown = self._read(words, "author.fence")
        self.waits = self._waiting(self.waits, verdicts, unknown=unknown, rule="author.fence")

    def _close(self) -> None:
        if self._deeper:
            self._deeper -= 1
        elif self._around:
            self.waits = self._around.pop()

    def _read(self, words: list[str], rule: str) -> tuple[list[Verdict], bool]:
        """What *words* ask for, and whether any is unknown, or there is none."""
        categories = frozenset(category for category in Category if category in words)
        verdicts = [Verdict("", rule, categories)] if categories else []
        unknown = not words
        for word in words:
            needs = self._page.matcher.needs(word)
            if needs is not None:
                verdicts.append(Verdict(word, rule, needs))
            elif word not in categories:
                unknown = True
        return verdicts, unknown

    def _waiting(
        self, around: tuple[Verdict, ...], verdicts: list[Verdict], *, unknown: bool, rule: str
    ) -> tuple[Verdict, ...]:
        if unknown:
            self._page.report.degraded.append(Degraded.UNKNOWN_FENCE)
            verdicts = [*verdicts, Verdict("", rule, OPTIONAL)]
        return inert.one_a_vendor((*around, *self._page.refused(verdicts)))


def _words(text: str) -> list[str]:
    return [word.lower() for word in _BETWEEN_WORDS.split(text) if word]
