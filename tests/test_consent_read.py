import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent import cookies, own
from gateway.consent.decide import decide
from gateway.consent.model import OPTIONAL, Category
from gateway.consent.policy import Policy
from gateway.consent.read import read_signals

HERE = Path(__file__).parent
VECTOR_FILES = [HERE / "vectors" / "consent.json", HERE.parents[1] / "shared" / "vectors" / "consent.json"]
COOKIES: list[Any] = [
    vector["cookie"]
    for path in VECTOR_FILES
    if path.exists()
    for vector in json.loads(path.read_text("utf-8"))["cmp_cookies"]
    if vector["cmp"] in ("onetrust", "cookiebot")
]

NOW = 1_780_000_000.0
POLICY = Policy(
    cookie="cg_consent",
    readers=("own", "onetrust", "cookiebot"),
    gpc=True,
    choice_overrides_gpc=False,
    lifetime_s=182 * 86_400,
    notice_version=1,
    asks_first=True,
)
OWN = own.write(granted=[Category.ANALYTICS], now=NOW, notice_version=1)
ONETRUST = "OptanonConsent=version=1&groups=C0002%3A1; OptanonAlertBoxClosed=2026-01-05T08:30:00Z"
COOKIEBOT = "CookieConsent={marketing:true%2Cmethod:%27explicit%27}"
HEAD = (
    (b"Host", b"shop.example"),
    (b"Sec-GPC", b"1"),
    (b"Cookie", f"{COOKIEBOT}; {ONETRUST}".encode()),
    (b"Cookie", f"session=1; cg_consent={OWN}".encode()),
)

VENDORS = ("hotjar", "youtube")
POLICIES = st.builds(
    replace,
    st.just(POLICY),
    gpc=st.booleans(),
    choice_overrides_gpc=st.booleans(),
    asks_first=st.booleans(),
    readers=st.permutations(POLICY.readers).map(tuple),
)
OWN_VALUES = st.builds(
    own.write,
    granted=st.frozensets(st.sampled_from(Category)),
    vendors_granted=st.frozensets(st.sampled_from(VENDORS)),
    vendors_refused=st.frozensets(st.sampled_from(VENDORS)),
    now=st.sampled_from([NOW, NOW - 5, NOW - 183 * 86_400, NOW + 3 * 86_400]),
    notice_version=st.sampled_from([0, 1, 2]),
)


@pytest.mark.parametrize(
    ("policy", "readers"),
    [
        (POLICY, ["own", "onetrust", "cookiebot", "gpc"]),
        (replace(POLICY, readers=("cookiebot", "onetrust", "own")), ["own", "cookiebot", "onetrust", "gpc"]),
        (replace(POLICY, readers=("onetrust",)), ["onetrust", "gpc"]),
        (replace(POLICY, readers=(), gpc=False), []),
        (replace(POLICY, cookie="CG_CONSENT"), ["onetrust", "cookiebot", "gpc"]),
        (replace(POLICY, cookie="other"), ["onetrust", "cookiebot", "gpc"]),
    ],
)
def test_sources_are_read_in_the_policys_order_the_own_cookie_first(policy: Policy, readers: list[str]) -> None:
    """Operators read the answers in this order, and a source that they switched off must not speak."""
    assert [signal.reader for signal in read_signals(HEAD, policy, now=NOW)] == readers


def test_a_head_without_any_source_says_nothing() -> None:
    """Most first visits carry none of this; silence is no signal."""
    assert read_signals(((b"Host", b"shop.example"), (b"Cookie", b"session=1")), POLICY, now=NOW) == ()


def test_copies_of_the_own_cookie_in_two_fields_are_one_signal() -> None:
    """A front proxy may keep the fields apart; a twin must not hide in the second."""
    none = own.write(granted=[], now=NOW, notice_version=1)
    head = (*HEAD, (b"COOKIE", f"cg_consent={none}".encode()))
    first = read_signals(head, POLICY, now=NOW)[0]
    assert (first.reader, first.decided, first.granted) == ("own", True, frozenset())


@given(
    st.lists(
        st.tuples(
            st.sampled_from([b"Cookie", b"cookie", b"Sec-GPC", b"X"]) | st.binary(max_size=8), st.binary(max_size=80)
        ),
        max_size=6,
    ),
    POLICIES,
    st.floats(allow_nan=False, allow_infinity=False),
)
@settings(max_examples=150, deadline=None)
def test_any_head_has_a_decision(head: list[tuple[bytes, bytes]], policy: Policy, now: float) -> None:
    """Reading and deciding stand before every response; neither may fail."""
    decision = decide(read_signals(head, policy, now=now), policy, now=now)
    assert Category.NECESSARY in decision.granted


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_another_copy_of_a_cookie_never_enlarges_what_is_granted(data: st.DataObject) -> None:
    """Whoever can set one more cookie (a subdomain, an old script) must not be able to agree for the visitor."""
    policy = data.draw(POLICIES)
    jar = data.draw(st.sampled_from(COOKIES)) + f"; cg_consent={data.draw(OWN_VALUES)}"
    if data.draw(st.booleans()):
        jar = jar.partition("; cg_consent=")[0]
    name = data.draw(st.sampled_from([name for name, _ in cookies.split(jar)]))
    others = [value for cookie in COOKIES for found, value in cookies.split(cookie) if found == name]
    sources = OWN_VALUES if name == "cg_consent" else st.sampled_from(others)
    copy = data.draw(sources | st.text(st.characters(max_codepoint=255, exclude_characters=";"), max_size=30))
    browser = [(b"Sec-GPC", b"1")] if data.draw(st.booleans()) else []

    def allowed(cookie: str) -> set[tuple[str, str]]:
        head = [*browser, (b"Cookie", cookie.encode("latin-1"))]
        decision = decide(read_signals(head, policy, now=NOW), policy, now=NOW)
        return {
            (category, vendor)
            for category in OPTIONAL
            for vendor in ("", *VENDORS)
            if decision.allows(frozenset({category}), vendor=vendor)
        }

    alone = allowed(jar)
    assert allowed(f"{jar}; {name}={copy}") <= alone
    assert allowed(f"{name}={copy}; {jar}") <= alone


@pytest.mark.parametrize("cookie", COOKIES)
def test_a_cookie_that_a_platform_wrote_by_itself_never_grants_where_the_law_asks_first(cookie: str) -> None:
    """Templates switch groups on before anybody was asked; reading them as a yes is the commonest fault there is."""
    signals = read_signals([(b"Cookie", cookie.encode("latin-1"))], POLICY, now=NOW)
    decision = decide(signals, POLICY, now=NOW)
    if not any(signal.decided for signal in signals):
        assert decision.granted == {Category.NECESSARY}
        assert not decision.decided
    else:
        assert decision.decided
