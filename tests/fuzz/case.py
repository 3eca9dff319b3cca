"""One input of a target, what is said when a promise does not hold for it, and how it is made smaller."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

H = TypeVar("H")

# Attempts at making an input smaller: enough for most inputs of some hundred bytes, and an end for those that resist.
ATTEMPTS = 1500


@dataclass(frozen=True, slots=True)
class Case(Generic[H]):
    """What is *given*, which can be shortened, and *how*, which stays as it is."""

    given: bytes
    how: H


class Broken(AssertionError):
    """A promise does not hold. *law* names it in a word or two; the rest says how it was broken."""

    def __init__(self, law: str, detail: object = "") -> None:
        super().__init__(f"{law}: {detail}")
        self.law = law


def law_broken(check: Callable[[Case[H]], None], case: Case[H]) -> str | None:
    """Which law *check* finds broken by *case*; an exception's name where it raises one of its own; None where all holds."""
    try:
        check(case)
    except Broken as broken:
        return broken.law
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we are looking for
        return type(error).__name__
    return None


def shrink(check: Callable[[Case[H]], None], case: Case[H], law: str, *, attempts: int = ATTEMPTS) -> Case[H]:
    """The smallest input found that breaks the same law: pieces are left out, half of it first, then ever smaller ones."""
    size = len(case.given) // 2
    while size and attempts:
        at, shorter = 0, False
        while at < len(case.given) and attempts:
            attempts -= 1
            tried = replace(case, given=case.given[:at] + case.given[at + size :])
            if law_broken(check, tried) == law:
                case, shorter = tried, True
            else:
                at += size
        size = size if size == 1 and shorter else size // 2
    return case
