import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.decide import decide, variant
from gateway.consent.decide import given as decision_given
from gateway.consent.model import EVERYTHING, NECESSARY_ONLY, OPTIONAL, Basis, Category, Decision, Signal
from gateway.consent.policy import Policy

NOW = 1_780_000_000.0
LIFETIME_S = 182 * 86_400
OPT_IN = Policy(
    cookie="cg_consent",
    readers=("own", "onetrust", "cookiebot"),
    gpc=True,
    choice_overrides_gpc=False,
    lifetime_s=LIFETIME_S,
    notice_version=1,
    asks_first=True,
)
OPT_OUT = replace(OPT_IN, asks_first=False)
OPT_IN_OVERRIDE = replace(OPT_IN, choice_overrides_gpc=True)
OPT_OUT_OVERRIDE = replace(OPT_OUT, choice_overrides_gpc=True)
NO_GPC = replace(OPT_OUT, gpc=False)

GPC = Signal("gpc", decided=True, refused=frozenset({Category.MARKETING}))
LETTERS = {"f": Category.FUNCTIONAL, "a": Category.ANALYTICS, "m": Category.MARKETING}
VENDORS = ("hotjar", "ontraport", "youtube")


def signal(
    reader: str, granted: str = "", refused: str = "", *, decided: bool = True, allow: str = "", deny: str = ""
) -> Signal:
    return Signal(
        reader,
        decided=decided,
        granted=frozenset(LETTERS[letter] for letter in granted),
        refused=frozenset(LETTERS[letter] for letter in refused),
        vendors_granted=frozenset(allow.split()),
        vendors_refused=frozenset(deny.split()),
    )


def own(granted: str, *, allow: str = "", deny: str = "") -> Signal:
    """A choice in the gateway's own cookie, which tells every category."""
    return signal("own", granted, "".join(set(LETTERS) - set(granted)), allow=allow, deny=deny)


BROKEN = Signal("cookiebot", decided=False, readable=False, note="malformed")
DEFAULTS = signal("onetrust", "fam", decided=False)
PLATFORM_ALL = signal("onetrust", "fam")


@pytest.mark.parametrize(
    ("policy", "signals", "granted", "basis", "decided"),
    [
        pytest.param(OPT_IN, [], "", Basis.NO_CHOICE, False, id="nobody chose, asked first"),
        pytest.param(OPT_OUT, [], "fam", Basis.OPT_OUT_REGION, False, id="nobody chose, opt-out"),
        pytest.param(OPT_IN, [own("a")], "a", Basis.CHOICE, True, id="own choice"),
        pytest.param(OPT_OUT, [own("a")], "a", Basis.CHOICE, True, id="own choice refuses the rest in opt-out too"),
        pytest.param(OPT_OUT, [own("")], "", Basis.CHOICE, True, id="own refusal of all"),
        pytest.param(OPT_IN, [own("m"), signal("own", decided=False)], "m", Basis.CHOICE, True, id="two own signals"),
        pytest.param(
            OPT_IN_OVERRIDE,
            [own("m"), signal("own", "m", decided=False), GPC],
            "",
            Basis.GPC,
            True,
            id="one of two own signals does not outvote gpc",
        ),
        pytest.param(OPT_IN, [PLATFORM_ALL], "fam", Basis.PLATFORM, True, id="platform choice"),
        pytest.param(OPT_IN, [signal("cookiebot", "a")], "a", Basis.PLATFORM, True, id="not told, asked first"),
        pytest.param(OPT_OUT, [signal("cookiebot", "a")], "fam", Basis.PLATFORM, True, id="not told, opt-out"),
        pytest.param(OPT_IN, [own("fam"), signal("onetrust", "fa", "m")], "fa", Basis.CHOICE, True, id="two choices"),
        pytest.param(OPT_IN, [own("f"), PLATFORM_ALL], "f", Basis.CHOICE, True, id="the narrower of two choices"),
        pytest.param(
            OPT_IN, [signal("onetrust", "a"), signal("cookiebot", "m")], "am", Basis.PLATFORM, True, id="two platforms"
        ),
        pytest.param(OPT_IN, [DEFAULTS], "", Basis.NO_CHOICE, False, id="defaults are no choice"),
        pytest.param(OPT_OUT, [DEFAULTS], "fam", Basis.OPT_OUT_REGION, False, id="defaults, opt-out"),
        pytest.param(
            OPT_OUT,
            [signal("onetrust", "f", "am", decided=False)],
            "f",
            Basis.OPT_OUT_REGION,
            False,
            id="refused defaults",
        ),
        pytest.param(
            OPT_IN, [own("fam"), signal("onetrust", "", "m", decided=False)], "fa", Basis.CHOICE, True, id="default no"
        ),
        pytest.param(OPT_IN, [BROKEN], "", Basis.NO_CHOICE, False, id="unreadable, asked first"),
        pytest.param(OPT_OUT, [BROKEN], "", Basis.NO_CHOICE, False, id="unreadable, opt-out: it may have been a no"),
        pytest.param(
            OPT_OUT, [BROKEN, signal("onetrust", "a")], "a", Basis.PLATFORM, True, id="unreadable beside a yes"
        ),
        pytest.param(OPT_IN, [GPC], "", Basis.GPC, False, id="gpc alone, asked first"),
        pytest.param(OPT_OUT, [GPC], "fa", Basis.GPC, False, id="gpc alone, opt-out"),
        pytest.param(NO_GPC, [GPC], "fam", Basis.OPT_OUT_REGION, False, id="gpc switched off"),
        pytest.param(OPT_IN, [own("fam"), GPC], "fa", Basis.GPC, True, id="gpc against a yes"),
        pytest.param(OPT_IN, [own("fa"), GPC], "fa", Basis.CHOICE, True, id="gpc had nothing to take"),
        pytest.param(OPT_IN, [PLATFORM_ALL, GPC], "fa", Basis.GPC, True, id="gpc against a platform"),
        pytest.param(OPT_IN, [signal("onetrust", "a", "fm"), GPC], "a", Basis.PLATFORM, True, id="gpc agrees with it"),
        pytest.param(OPT_IN, [DEFAULTS, GPC], "", Basis.GPC, False, id="gpc and defaults"),
        pytest.param(OPT_IN_OVERRIDE, [own("fam"), GPC], "fam", Basis.CHOICE, True, id="a yes outvotes gpc"),
        pytest.param(OPT_OUT_OVERRIDE, [own("m"), GPC], "m", Basis.CHOICE, True, id="a yes outvotes gpc, opt-out"),
        pytest.param(OPT_IN_OVERRIDE, [own("fa"), GPC], "fa", Basis.CHOICE, True, id="a choice without marketing"),
        pytest.param(
            OPT_IN_OVERRIDE, [PLATFORM_ALL, GPC], "fa", Basis.GPC, True, id="a platform's yes does not outvote"
        ),
        pytest.param(
            OPT_OUT_OVERRIDE, [own("a"), PLATFORM_ALL, GPC], "a", Basis.CHOICE, True, id="nor does it behind a no"
        ),
        pytest.param(
            OPT_OUT_OVERRIDE, [signal("own", "m", decided=False), GPC], "fa", Basis.GPC, False, id="nor a lapsed yes"
        ),
        pytest.param(
            OPT_IN_OVERRIDE,
            [own("fam"), signal("onetrust", "", "m"), GPC],
            "fa",
            Basis.CHOICE,
            True,
            id="others' no stands",
        ),
    ],
)
def test_the_table_of_precedence(
    policy: Policy,
    signals: list[Signal],
    granted: str,
    basis: Basis,
    decided: bool,
) -> None:
    """Everything that the gateway withholds follows from these lines; the order of the sources must not matter."""
    for order in (signals, signals[::-1]):
        decision = decide(order, policy, now=NOW)
        assert decision.granted == NECESSARY_ONLY | {LETTERS[letter] for letter in granted}
        assert (decision.basis, decision.decided) == (basis, decided)
        assert decision.signals == tuple(order)


@pytest.mark.parametrize(
    ("policy", "signals", "allowed", "refused", "basis"),
    [
        pytest.param(OPT_IN, [own("", allow="youtube")], "youtube", "", Basis.CHOICE, id="by name, without categories"),
        pytest.param(OPT_IN, [own("", allow="youtube", deny="hotjar")], "youtube", "hotjar", Basis.CHOICE, id="both"),
        pytest.param(
            OPT_IN,
            [own("", allow="youtube"), signal("onetrust", deny="youtube")],
            "",
            "youtube",
            Basis.CHOICE,
            id="no wins",
        ),
        pytest.param(
            OPT_IN,
            [own("", allow="youtube"), signal("onetrust", deny="youtube", decided=False)],
            "",
            "youtube",
            Basis.CHOICE,
            id="so does a no that nobody chose",
        ),
        pytest.param(
            OPT_IN, [signal("onetrust", allow="youtube", decided=False)], "", "", Basis.NO_CHOICE, id="undecided"
        ),
        pytest.param(OPT_IN, [own("", allow="youtube"), GPC], "", "", Basis.GPC, id="gpc drops them"),
        pytest.param(OPT_IN_OVERRIDE, [own("", allow="youtube"), GPC], "youtube", "", Basis.CHOICE, id="outvoted"),
        pytest.param(
            OPT_IN_OVERRIDE,
            [own("a"), signal("onetrust", "a", allow="youtube"), GPC],
            "",
            "",
            Basis.GPC,
            id="an own choice does not speak for a platform's vendors",
        ),
    ],
)
def test_vendors_by_name(policy: Policy, signals: list[Signal], allowed: str, refused: str, basis: Basis) -> None:
    """A visitor may let in one video without agreeing to marketing, and keep out one vendor whatever else is granted."""
    for order in (signals, signals[::-1]):
        decision = decide(order, policy, now=NOW)
        assert decision.vendors_granted == frozenset(allowed.split())
        assert decision.vendors_refused == frozenset(refused.split())
        assert decision.basis == basis


@pytest.mark.parametrize(
    ("age_s", "stands"), [(LIFETIME_S - 1, True), (LIFETIME_S, False), (-86_400, True), (-86_401, False)]
)
def test_an_own_choice_that_lapsed_since_it_was_read_grants_nothing(age_s: int, stands: bool) -> None:
    """Events wait for their delivery with the signals they came with; a consent must not outlive itself there."""
    choice = replace(own("a", allow="youtube"), time=int(NOW) - age_s)
    decision = decide([choice], OPT_IN, now=NOW)
    assert decision.decided == stands
    assert decision.granted == NECESSARY_ONLY | ({Category.ANALYTICS} if stands else frozenset())
    assert decision.vendors_granted == (frozenset({"youtube"}) if stands else frozenset())
    assert decision.basis == (Basis.CHOICE if stands else Basis.NO_CHOICE)
    assert Category.MARKETING not in decide([choice], OPT_OUT, now=NOW).granted, "its refusals stay"


CATEGORY_SETS = st.frozensets(st.sampled_from(Category))
VENDOR_SETS = st.frozensets(st.sampled_from(VENDORS))
POLICIES = st.builds(
    replace, st.just(OPT_IN), asks_first=st.booleans(), gpc=st.booleans(), choice_overrides_gpc=st.booleans()
)
SOURCES = st.builds(
    Signal,
    reader=st.sampled_from(["own", "onetrust", "cookiebot"]),
    decided=st.booleans(),
    granted=CATEGORY_SETS,
    refused=CATEGORY_SETS,
    vendors_granted=VENDOR_SETS,
    vendors_refused=VENDOR_SETS,
    time=st.sampled_from([None, 0, int(NOW), int(NOW) + 10**6]),
    readable=st.booleans(),
)
SIGNALS = st.lists(SOURCES | st.just(GPC), max_size=4)
REFUSALS = st.just(GPC) | st.builds(
    replace, SOURCES, granted=st.just(frozenset[Category]()), vendors_granted=st.just(frozenset[str]())
)


def allowed_by(decision: Decision) -> set[tuple[str, str]]:
    return {
        (category, vendor)
        for category in OPTIONAL
        for vendor in ("", "unheard-of", *VENDORS)
        if decision.allows(frozenset({category}), vendor=vendor)
    }


@given(SIGNALS, REFUSALS, st.integers(0, 4), POLICIES)
@settings(max_examples=100, deadline=None)
def test_adding_a_refusal_never_enlarges_what_is_granted(
    signals: list[Signal], refusal: Signal, place: int, policy: Policy
) -> None:
    """A no must not open anything: not by an override, not by a basis, not by the order it is read in."""
    before = allowed_by(decide(signals, policy, now=NOW))
    after = allowed_by(decide([*signals[:place], refusal, *signals[place:]], policy, now=NOW))
    assert after <= before


@given(st.lists(SOURCES, min_size=1, max_size=4), st.data(), POLICIES)
@settings(max_examples=150, deadline=None)
def test_a_source_that_says_less_never_enlarges_what_is_granted(
    signals: list[Signal], data: st.DataObject, policy: Policy
) -> None:
    """Refusing one more category or vendor, granting one fewer, or becoming unreadable narrows or changes nothing."""
    place = data.draw(st.integers(0, len(signals) - 1))
    old = signals[place]
    new = replace(
        old,
        decided=old.decided and data.draw(st.booleans()),
        granted=old.granted - data.draw(CATEGORY_SETS),
        refused=old.refused | data.draw(CATEGORY_SETS),
        vendors_granted=old.vendors_granted - data.draw(VENDOR_SETS),
        vendors_refused=old.vendors_refused | data.draw(VENDOR_SETS),
        readable=old.readable and data.draw(st.booleans()),
    )
    browser = [GPC] if data.draw(st.booleans()) else []
    before = allowed_by(decide([*signals, *browser], policy, now=NOW))
    after = allowed_by(decide([*signals[:place], new, *signals[place + 1 :], *browser], policy, now=NOW))
    assert after <= before


@given(SIGNALS, POLICIES, st.floats(allow_nan=False))
@settings(max_examples=100, deadline=None)
def test_every_input_has_a_decision_that_grants_what_is_necessary(
    signals: list[Signal], policy: Policy, now: float
) -> None:
    """The site must work whatever a visitor's browser sends."""
    decision = decide(signals, policy, now=now)
    assert NECESSARY_ONLY <= decision.granted <= EVERYTHING
    assert not decision.vendors_granted & decision.vendors_refused
    assert decision.decided or decision.basis in {Basis.GPC, Basis.NO_CHOICE, Basis.OPT_OUT_REGION}


@given(st.lists(SOURCES.map(lambda source: replace(source, decided=False)) | st.just(GPC), max_size=4))
@settings(max_examples=100, deadline=None)
def test_what_nobody_chose_grants_nothing_where_the_law_asks_first(signals: list[Signal]) -> None:
    """Silence, defaults and browser signals are no consent."""
    decision = decide(signals, OPT_IN_OVERRIDE, now=NOW)
    assert decision.granted == NECESSARY_ONLY
    assert not decision.vendors_granted


@given(SIGNALS, SIGNALS, POLICIES)
@settings(max_examples=100, deadline=None)
def test_the_variant_tells_what_is_granted_and_nothing_else(
    one: list[Signal], other: list[Signal], policy: Policy
) -> None:
    """It stands in validators: two that decided alike share it, two that did not must never."""
    first, second = decide(one, policy, now=NOW), decide(other, policy, now=NOW)
    alike = (first.granted, first.vendors_granted, first.vendors_refused) == (
        second.granted,
        second.vendors_granted,
        second.vendors_refused,
    )
    assert (variant(first, "r1") == variant(second, "r1")) == alike
    assert re.fullmatch(r"[0-9a-f]{10}", variant(first, "r1"))
    assert variant(first, "r1") != variant(first, "r2")


def test_the_variant_is_the_same_on_every_machine() -> None:
    """Workers and restarts must agree, or every cached page would be fetched again."""
    assert variant(decision_given(["analytics", "youtube"], vendors={"youtube"}), "r1") == "7b0792e05f"


@pytest.mark.parametrize(
    ("names", "granted", "allowed"),
    [
        ([], "", ""),
        (["necessary"], "", ""),
        ([""], "", ""),
        (["all"], "fam", ""),
        (["analytics", " functional "], "fa", ""),
        (["necessary", "marketing"], "m", ""),
        (["youtube"], "", "youtube"),
        (["analytics", "youtube", "hotjar"], "a", "hotjar youtube"),
    ],
)
def test_what_is_named_on_the_command_line_is_given(names: list[str], granted: str, allowed: str) -> None:
    """`--grant` answers "what would a visitor see who agreed to this"."""
    decision = decision_given(names, vendors=frozenset(VENDORS))
    assert decision.granted == NECESSARY_ONLY | {LETTERS[letter] for letter in granted}
    assert decision.vendors_granted == frozenset(allowed.split())
    assert (decision.basis, decision.decided, decision.signals) == (Basis.GIVEN, True, ())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["marketting"], "unknown name 'marketting'; did you mean 'marketing'?"),
        (["youtub"], "unknown name 'youtub'; did you mean 'youtube'?"),
        (["Analytics"], "unknown name 'Analytics'; did you mean 'analytics'?"),
        (["alll"], "unknown name 'alll'; did you mean 'all'?"),
        (
            ["qqq"],
            "unknown name 'qqq'; a category (necessary, functional, analytics, marketing), all, or a vendor id is wanted",
        ),
        (
            ["all", "hotjarr", "functionl"],
            "unknown name 'hotjarr'; did you mean 'hotjar'?; unknown name 'functionl'; did you mean 'functional'?",
        ),
    ],
)
def test_a_name_that_is_not_known_is_told_with_the_nearest(names: list[str], message: str) -> None:
    """A typing error that was ignored would show a page that nobody asked for."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        decision_given(names, vendors=frozenset(VENDORS))


def test_vendors_that_cannot_be_listed_still_name_the_nearest_category() -> None:
    """A rule set may answer only whether it holds an id."""

    class Known:
        def __contains__(self, name: object) -> bool:
            return name == "youtube"

    assert decision_given(["youtube"], vendors=Known()).vendors_granted == {"youtube"}
    with pytest.raises(ValueError, match="did you mean 'marketing'"):
        decision_given(["marketin"], vendors=Known())
