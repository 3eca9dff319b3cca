import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent import own
from gateway.consent.cookies import DIFFERENT_COPIES, split
from gateway.consent.model import OPTIONAL, Category, Signal
from gateway.consent.policy import Policy

T = 1_780_000_000
NOW = T + 60.0
LIFETIME_S = 182 * 86_400
POLICY = Policy(
    cookie="cg_consent",
    readers=("own",),
    gpc=True,
    choice_overrides_gpc=False,
    lifetime_s=LIFETIME_S,
    notice_version=3,
    asks_first=True,
)
ALL = f"v=1&t={T}&n=3&g=analytics.functional.marketing"
NONE = f"v=1&t={T}&n=3&g="

CATEGORIES = st.frozensets(st.sampled_from(Category))
VENDORS = st.frozensets(st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True), max_size=5)


def read(*values: str, now: float = NOW) -> Signal:
    return own.read(values, POLICY, now=now)


@given(CATEGORIES, VENDORS, VENDORS, st.integers(0, 10**11), st.integers(3, 1000))
@settings(max_examples=100, deadline=None)
def test_what_is_written_is_read_again(
    granted: frozenset[Category], allowed: frozenset[str], refused: frozenset[str], now: int, notice_version: int
) -> None:
    """The cookie is the only record that a page decision has of the visitor's choice."""
    value = own.write(
        granted=granted, vendors_granted=allowed, vendors_refused=refused, now=now, notice_version=notice_version
    )
    assert read(value, now=now) == Signal(
        "own",
        decided=True,
        granted=granted & OPTIONAL,
        refused=OPTIONAL - granted,
        vendors_granted=allowed - refused,
        vendors_refused=refused,
        time=now,
    )
    assert re.fullmatch(r"[!#-+\--:<-\[\]-~]*", value), "a cookie-octet (RFC 6265, section 4.1.1) needs no quotes"
    assert split(f"cg_consent={value}; a=b")[0] == ("cg_consent", value)


def test_the_value_reads_like_a_sentence_and_always_in_the_same_order() -> None:
    """Support reads it in a browser; equal choices must be equal bytes."""
    value = own.write(
        granted=[Category.MARKETING, Category.ANALYTICS],
        vendors_granted=["youtube", "hotjar"],
        vendors_refused=["ontraport"],
        now=T + 0.9,
        notice_version=3,
    )
    assert value == f"v=1&t={T}&n=3&g=analytics.marketing&a=hotjar.youtube&r=ontraport"
    assert own.write(granted=[], now=T, notice_version=3) == NONE


@pytest.mark.parametrize("vendor", ["", "Hotjar", "-x", "a.b", "a&g=marketing", "a;b", "x" * 65, "a\n"])
def test_what_is_no_vendor_id_is_not_written(vendor: str) -> None:
    """A name with a separator in it would be read back as something else."""
    with pytest.raises(ValueError, match="not a vendor id"):
        own.write(granted=[], vendors_granted=[vendor], now=T, notice_version=3)


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_value_longer_than_browsers_keep_is_not_written_and_not_read(over: int) -> None:
    """A browser drops a cookie that is too long, and the visitor's choice with it; better that the caller hears."""
    head = f"{NONE}&r="
    room = own.VALUE_LIMIT_CHARS - len(head) + over
    # Ids of 63 characters and a separator each, then one that fills the rest.
    ids = [f"v{number:02}".ljust(63, "x") for number in range(room // 64)]
    ids.append("z" * (room - 64 * len(ids)))
    value = f"{head}{'.'.join(ids)}"
    assert len(value) == own.VALUE_LIMIT_CHARS + over
    if over > 0:
        with pytest.raises(ValueError, match="browsers keep"):
            own.write(granted=[], vendors_refused=ids, now=T, notice_version=3)
        assert read(value) == Signal("own", decided=False, note="over limit", readable=False)
    else:
        assert own.write(granted=[], vendors_refused=ids, now=T, notice_version=3) == value
        assert read(value).vendors_refused == frozenset(ids)


@pytest.mark.parametrize(
    "value",
    [
        f"g=analytics&n=3&t={T}&v=1",
        f"v=1&t={T}&n=3&g=analytics&future=x&q=",
        f"n=4&v=1&g=analytics&t={T}&a=&r=",
    ],
)
def test_order_and_unknown_keys_do_not_matter(value: str) -> None:
    """A later gateway may write more keys; a rolled back one must still know what was chosen."""
    assert read(value).granted == {Category.ANALYTICS}
    assert read(value).decided


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        "v=1",
        f"t={T}&n=3&g=",
        "v=1&n=3&g=analytics",
        f"v=1&t={T}&g=analytics",
        f"v=1&t={T}&n=3",
        f"v=1&t={T}&n=3&g",
        f"v=1&t={T}&n=3&g=all",
        f"v=1&t={T}&n=3&g=necessary",
        f"v=1&t={T}&n=3&g=Analytics",
        f"v=1&t={T}&n=3&g=analytics.",
        f"v=1&t={T}&n=3&g=analytics,marketing",
        f"v=1&t={T}&n=3&g=analytics&g=analytics",
        f"v=1&t={T}&n=3&g=analytics&",
        f"v=1&t={T}.5&n=3&g=analytics",
        f"v=1&t=+{T}&n=3&g=analytics",
        "v=1&t=\u0661&n=3&g=analytics",
        f"v=1&t={'9' * 13}&n=3&g=analytics",
        f"v=1&t={T}&n=-3&g=analytics",
        f"v=1&t={T}&n=&g=analytics",
        f"v=1&t={T}&n=3&g=analytics&a=You Tube",
        f"v=1&t={T}&n=3&g=analytics&r=..",
        f'"v=1&t={T}&n=3&g=analytics"',
        f"v%3D1%26t%3D{T}%26n%3D3%26g%3Danalytics",
    ],
)
def test_what_cannot_be_understood_grants_nothing(value: str) -> None:
    """A yes is never guessed out of a damaged cookie."""
    assert read(value) == Signal("own", decided=False, note="malformed", readable=False)


@pytest.mark.parametrize("version", ["", "0", "2", "01", "1.0"])
def test_another_version_grants_nothing(version: str) -> None:
    """Its letters may mean something else."""
    assert read(f"v={version}&t={T}&n=3&g=analytics") == Signal(
        "own", decided=False, note="unknown version", readable=False
    )


@pytest.mark.parametrize(
    ("now", "note"),
    [
        (T - own.SKEW_S - 1, "dated ahead"),
        (T - own.SKEW_S - 0.5, "dated ahead"),
        (T - own.SKEW_S, ""),
        (T, ""),
        (T + LIFETIME_S - 1, ""),
        (T + LIFETIME_S, "expired"),
        (T + LIFETIME_S + 1, "expired"),
    ],
)
def test_a_choice_lasts_its_lifetime_and_no_longer(now: float, note: str) -> None:
    """Authorities ask that a choice is renewed; a clock that jumps must never extend it."""
    signal = read(f"v=1&t={T}&n=3&g=analytics&a=youtube&r=hotjar", now=now)
    assert signal.note == note
    assert signal.decided == (note == "")
    assert signal.granted == (frozenset() if note else {Category.ANALYTICS})
    assert signal.vendors_granted == (frozenset() if note else {"youtube"})
    assert signal.refused == {Category.FUNCTIONAL, Category.MARKETING}, "a refusal stands until it is asked again"
    assert signal.vendors_refused == {"hotjar"}


@pytest.mark.parametrize(("notice_version", "note"), [(2, "older notice"), (3, ""), (4, "")])
def test_a_yes_to_an_older_notice_is_not_a_yes_to_this_one(notice_version: int, note: str) -> None:
    """Whoever raises the version adds a purpose, and nobody has agreed to it yet."""
    signal = read(f"v=1&t={T}&n={notice_version}&g=analytics")
    assert (signal.note, signal.decided) == (note, note == "")
    assert signal.granted == (frozenset() if note else {Category.ANALYTICS})
    assert Category.MARKETING in signal.refused


def test_a_vendor_both_allowed_and_refused_is_refused() -> None:
    """A cookie edited by hand must not let in whom it keeps out."""
    signal = read(f"{NONE}&a=hotjar.youtube&r=hotjar")
    assert signal.vendors_granted == {"youtube"}
    assert signal.vendors_refused == {"hotjar"}


def test_a_choice_can_lapse_after_it_was_read() -> None:
    """An event waits in the outbox longer than a choice may last."""
    signal = read(ALL)
    assert own.lapse(signal, POLICY, now=T + LIFETIME_S - 1) == signal
    lapsed = own.lapse(signal, POLICY, now=T + LIFETIME_S)
    assert (lapsed.decided, lapsed.granted, lapsed.note) == (False, frozenset(), "expired")
    assert own.lapse(lapsed, POLICY, now=T + LIFETIME_S) == lapsed


def test_no_copy_at_all_is_no_choice() -> None:
    """The readers' contract holds even where a caller did not look first."""
    assert read() == Signal("own", decided=False)


@pytest.mark.parametrize(
    ("copies", "granted", "decided"),
    [
        ((ALL, ALL), OPTIONAL, True),
        ((ALL, f"g=marketing.functional.analytics&n=3&t={T}&v=1"), OPTIONAL, True),
        ((ALL, NONE), frozenset(), True),
        ((f"v=1&t={T}&n=3&g=analytics.marketing", f"v=1&t={T + 1}&n=3&g=analytics"), {Category.ANALYTICS}, True),
        ((ALL, "v=1"), frozenset(), False),
        ((ALL, f"v=1&t={T}&n=2&g=analytics"), frozenset(), False),
    ],
)
def test_two_copies_grant_what_both_grant(
    copies: tuple[str, str],
    granted: frozenset[Category],
    decided: bool,
) -> None:
    """A copy on the parent domain survives a withdrawal on the host."""
    for values in (copies, copies[::-1]):
        signal = read(*values)
        assert (signal.granted, signal.decided) == (granted, decided)


def test_a_vendor_that_one_copy_refuses_is_refused() -> None:
    """Vendors are combined as categories are."""
    signal = read(f"{NONE}&a=hotjar.youtube", f"{NONE}&a=youtube&r=hotjar")
    assert signal.vendors_granted == {"youtube"}
    assert signal.vendors_refused == {"hotjar"}
    assert signal.note == DIFFERENT_COPIES


@given(st.lists(st.text(max_size=60), max_size=3), st.floats(0, 1e12))
@settings(max_examples=100, deadline=None)
def test_no_text_can_break_the_reader(values: list[str], now: float) -> None:
    """Anybody can send anything as our cookie."""
    signal = read(*values, now=now)
    assert not signal.granted
    assert not signal.decided
