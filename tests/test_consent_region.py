import pytest

from gateway.consent import region
from gateway.consent.region import UNKNOWN, Regime

EUROPEAN_UNION = "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE".split()  # noqa: SIM905 - one line that can be compared
# States whose comprehensive privacy law is in force; all of them are opt-out.
STATES = "CA VA CO CT UT FL TX OR MT DE IA NE NH NJ TN MN MD IN KY RI".split()  # noqa: SIM905 - one line that can be compared


@pytest.mark.parametrize("country", EUROPEAN_UNION)
def test_every_member_of_the_union_asks_first(country: str) -> None:
    """A member state left out of the table would be let through as if nobody had to be asked."""
    assert region.regime(country) is Regime.OPT_IN
    assert "GDPR" in region.jurisdiction(country).law


@pytest.mark.parametrize("state", STATES)
def test_every_state_with_a_law_of_its_own_is_named(state: str) -> None:
    """Proof of a decision names the law that it followed."""
    found = region.jurisdiction(f"US-{state}")
    assert (found.region, found.regime) == (f"US-{state}", Regime.OPT_OUT)
    assert found.law != region.jurisdiction("US").law


@pytest.mark.parametrize(
    ("name", "row", "regime"),
    [
        ("GB", "GB", Regime.OPT_IN),
        ("UK", "GB", Regime.OPT_IN),
        ("UK-ENG", "GB", Regime.OPT_IN),
        ("CH", "CH", Regime.OPT_IN),
        ("CA", "CA", Regime.OPT_OUT),
        ("CA-ON", "CA", Regime.OPT_OUT),
        ("CA-QC", "CA-QC", Regime.OPT_IN),
        ("ca-qc", "CA-QC", Regime.OPT_IN),
        ("US", "US", Regime.OPT_OUT),
        ("US-WY", "US", Regime.OPT_OUT),
        ("us-ca", "US-CA", Regime.OPT_OUT),
        ("DE", "DE", Regime.OPT_IN),
        ("DE-BY", "DE", Regime.OPT_IN),
        ("US-DE", "US-DE", Regime.OPT_OUT),
        ("JP", "JP", Regime.NOTICE),
        ("AU-NSW", "AU", Regime.NOTICE),
        ("NZ", "NZ", Regime.NOTICE),
    ],
)
def test_a_subdivision_goes_before_its_country(name: str, row: str, regime: Regime) -> None:
    """Quebec asks first and the rest of Canada does not; Delaware is not Germany."""
    found = region.jurisdiction(name)
    assert (found.region, found.regime, region.regime(name)) == (row, regime, regime)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "XX",
        "T1",
        "ZZ",
        "EU",
        "AP",
        "DEU",
        "D",
        "US-",
        "-CA",
        "US CA",
        "US-CALI",
        "US-CA-X",
        "DE, US",
        "U\u017f",
        "US\n",
    ],
)
def test_what_is_no_known_region_asks_first(name: str) -> None:
    """A visitor of whom nothing is known may be anywhere, so the strictest law is kept."""
    assert region.jurisdiction(name) == UNKNOWN
    assert region.regime(name) is Regime.OPT_IN


def test_only_opt_in_asks_first() -> None:
    """Where the law asks for notice alone, a no is obeyed and silence is none."""
    assert [regime for regime in Regime if regime.asks_first] == [Regime.OPT_IN]


def test_the_table_tells_of_when_it_is() -> None:
    """Laws change; whoever relies on the table must see how old it is."""
    year, _, month = region.as_of().partition("-")
    assert int(year) >= 2026
    assert 1 <= int(month) <= 12
