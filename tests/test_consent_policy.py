from typing import get_args

import pytest

from gateway.consent import cmp, own
from gateway.consent.policy import Policy
from gateway.settings import ConsentSettings, consent_policy


def test_the_operators_keys_become_the_policy() -> None:
    """A key that did not arrive would be set, checked, and ignored."""
    settings = ConsentSettings(
        cookie="choice",
        readers=("cookiebot", "own"),
        gpc=False,
        choice_overrides_gpc=True,
        lifetime_days=30,
        notice_version=7,
        region="US-CA",
    )
    assert consent_policy(settings) == Policy(
        cookie="choice",
        readers=("cookiebot", "own"),
        gpc=False,
        choice_overrides_gpc=True,
        lifetime_s=30 * 24 * 60 * 60,
        notice_version=7,
        asks_first=False,
    )


@pytest.mark.parametrize(
    ("setting", "region", "asks_first"),
    [
        ("", None, True),
        ("DE", None, True),
        ("US", None, False),
        ("JP", None, False),
        ("US", "FR", True),
        ("FR", "US", False),
        ("US", "", True),
    ],
)
def test_the_region_of_this_visitor_goes_before_the_setting(
    setting: str,
    region: str | None,
    asks_first: bool,
) -> None:
    """A visitor who is known to be elsewhere has the rights of that place; one known to be nowhere, the most."""
    assert consent_policy(ConsentSettings(region=setting), region=region).asks_first == asks_first


def test_the_settings_offer_exactly_the_readers_there_are() -> None:
    """A name that settings accept and no reader answers to would fail on the first request."""
    (name_type, _) = get_args(ConsentSettings.model_fields["readers"].annotation)
    assert set(get_args(name_type)) == {own.READER, *cmp.READERS}
