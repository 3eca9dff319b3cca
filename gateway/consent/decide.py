"""The decision: what a visitor allows, from everything that was read. The whole precedence stands here.

    rule                                                                                             basis
    1  what any source refuses is not granted, chosen or not                                         (as below)
    2  Sec-GPC refuses marketing, and every vendor allowed by name                                   gpc
       save, where the policy says so, against an own choice: its yes to marketing, its vendors
    3  what the visitor chose in the gateway's own cookie is granted                                 choice
    4  what the visitor chose in a platform's cookie is granted                                      platform
    5  nobody chose, and the region asks first: nothing is granted                                   no-choice
    6  the region does not ask first: whatever was not refused is granted, chosen or not             (3, 4) or opt-out-region
       save where a source was there and could not be read: it may have been a no, so 5 applies
    7  necessary is always granted                                                                   (as above)

Sources are combined by *and*: a category needs a yes from one that was decided (or rule 6) and a no from none. A cookie that
its platform wrote before the visitor chose counts for its refusals alone. The basis is the first of gpc (where it took
something away, or nobody else decided), choice, platform, and then the region's. A vendor allowed by name comes in on
decided sources alone, without its categories, if nobody refuses that vendor.

So adding a refusal, a copy of a cookie, or an unreadable cookie never enlarges what is granted.
"""

import difflib
import hashlib
from collections.abc import Container, Iterable, Sequence

from gateway.consent import gpc, own
from gateway.consent.model import EVERYTHING, NECESSARY_ONLY, OPTIONAL, Basis, Category, Decision, Signal
from gateway.consent.policy import Policy

_VARIANT_DIGEST_BYTES = 5

_NO_CATEGORY: frozenset[Category] = frozenset()
_NO_VENDOR: frozenset[str] = frozenset()


def decide(signals: Sequence[Signal], policy: Policy, *, now: float) -> Decision:
    """What *signals*, in any order, allow together at *now* (unix seconds). Total: every input has a decision."""
    signals = tuple(own.lapse(signal, policy, now=now) if signal.reader == own.READER else signal for signal in signals)
    browser = [signal for signal in signals if signal.reader == gpc.READER]
    spoken = [signal for signal in signals if signal.reader != gpc.READER]
    choices = [signal for signal in spoken if signal.reader == own.READER]
    asks_first = policy.asks_first or not all(signal.readable for signal in spoken)

    granted = without_browser = _categories(spoken, asks_first=asks_first)
    vendors = vendors_without_browser = _vendors(spoken)
    objected = bool(browser) and policy.gpc
    if objected:
        outvoting = choices if policy.choice_overrides_gpc and all(choice.decided for choice in choices) else []
        if not (outvoting and all(choice.answer(Category.MARKETING) for choice in outvoting)):
            granted = _categories([*spoken, *browser], asks_first=asks_first)
        vendors &= _vendors(outvoting)

    decided = any(signal.decided for signal in spoken)
    took_away = granted != without_browser or vendors != vendors_without_browser
    if took_away or (objected and not decided):
        basis = Basis.GPC
    elif decided:
        basis = Basis.CHOICE if any(choice.decided for choice in choices) else Basis.PLATFORM
    else:
        basis = Basis.NO_CHOICE if asks_first else Basis.OPT_OUT_REGION
    return Decision(
        granted=granted,
        basis=basis,
        decided=decided,
        vendors_granted=vendors,
        vendors_refused=_vendors_refused(signals),
        signals=signals,
    )


def _categories(signals: Sequence[Signal], *, asks_first: bool) -> frozenset[Category]:
    refused = _NO_CATEGORY.union(*[signal.refused for signal in signals])
    if not asks_first:
        return NECESSARY_ONLY | (OPTIONAL - refused)
    agreed = _NO_CATEGORY.union(*[signal.granted for signal in signals if signal.decided])
    return NECESSARY_ONLY | (OPTIONAL & agreed - refused)


def _vendors(signals: Sequence[Signal]) -> frozenset[str]:
    agreed = _NO_VENDOR.union(*[signal.vendors_granted for signal in signals if signal.decided])
    return agreed - _vendors_refused(signals)


def _vendors_refused(signals: Sequence[Signal]) -> frozenset[str]:
    return _NO_VENDOR.union(*[signal.vendors_refused for signal in signals])


def variant(decision: Decision, rules_version: str) -> str:
    """Ten hexadecimal digits that name what a page may contain: what is granted under which rules, and nothing else.

    Caches and validators see it, so that it must not tell visitors apart who decided alike.
    """
    parts = (decision.granted, decision.vendors_granted - decision.vendors_refused, decision.vendors_refused)
    text = "\n".join([rules_version, *(",".join(sorted(part)) for part in parts)])
    return hashlib.blake2b(text.encode(), digest_size=_VARIANT_DIGEST_BYTES).hexdigest()


def given(names: Iterable[str], *, vendors: Container[str]) -> Decision:
    """The decision that a person names on the command line: category names and ids of known *vendors*.

    `all` is every category, `necessary` (or no name) none of the optional ones. Raises ValueError naming everything unknown.
    """
    granted, allowed, faults = set(NECESSARY_ONLY), set(), []
    for name in filter(None, map(str.strip, names)):
        if name == "all":
            granted |= EVERYTHING
        elif name in EVERYTHING:
            granted.add(Category(name))
        elif name in vendors:
            allowed.add(name)
        else:
            faults.append(_unknown(name, vendors))
    if faults:
        raise ValueError("; ".join(faults))
    return Decision(granted=frozenset(granted), basis=Basis.GIVEN, decided=True, vendors_granted=frozenset(allowed))


def _unknown(name: str, vendors: Container[str]) -> str:
    known = ["all", *Category, *(vendors if isinstance(vendors, Iterable) else ())]
    near = difflib.get_close_matches(name, map(str, known), n=1)
    hint = (
        f"did you mean {near[0]!r}?" if near else f"a category ({', '.join(Category)}), all, or a vendor id is wanted"
    )
    return f"unknown name {name[:80]!r}; {hint}"
