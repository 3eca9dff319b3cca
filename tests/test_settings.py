"""The models of the settings: what each key takes and refuses."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from gateway.settings import Settings

ORIGIN = {"url": "https://site.example"}


def settings(**tables: Any) -> Settings:
    return Settings.model_validate({"origin": ORIGIN} | tables)


def fields(model: type[BaseModel]) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, field in model.model_fields.items():
        found.append((f"{model.__name__}.{name}", field))
        for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(part, type) and issubclass(part, BaseModel):
                found += fields(part)
    return found


def test_an_origin_is_all_that_must_be_said() -> None:
    """Everything else has a default that is safe to start with."""
    assert settings().origin.url == "https://site.example"


def test_settings_do_not_change_once_they_are_read() -> None:
    """A reload swaps one reference; a value that could change in place would be half swapped."""
    with pytest.raises(ValidationError, match="frozen"):
        setattr(settings(), "prefix", "/other")  # noqa: B010 - by name: the type checker knows that it cannot be set


@pytest.mark.parametrize(
    ("name", "field"),
    [pair for pair in fields(Settings) if pair[0].split(".")[0] != "Settings" or pair[0] == "Settings.prefix"],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_key_says_what_it_is_for(name: str, field: Any) -> None:
    """README's table and the annotated file are made from these words."""
    assert field.description, f"{name} has no description"
    assert not field.description.endswith("."), f"{name} ends with a full stop"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://site.example", "https://site.example"),
        ("https://site.example/", "https://site.example"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
        ("http://shop_app_1:8080", "http://shop_app_1:8080"),
        ("https://site.example:65535", "https://site.example:65535"),
    ],
)
def test_an_origin_is_scheme_host_and_port(given: str, kept: str) -> None:
    """Paths are joined to it, so it ends without a slash whatever the operator wrote."""
    assert settings(origin={"url": given}).origin.url == kept


@pytest.mark.parametrize(
    "given",
    [
        "",
        "site.example",
        "//site.example",
        "ftp://site.example",
        "https:site.example",
        "https://",
        "https:///",
        "https://site.example:65536",
        "https://site.example:port",
        "https://site.example/blog",
        "https://site.example/?",
        "https://site.example/?a=b",
        "https://site.example/#top",
        "https://name:password@site.example",
        "https://site.example\n",
        " https://site.example",
        "https://site .example",
    ],
)
def test_an_origin_that_is_not_one_is_refused(given: str) -> None:
    """A path in the origin would be lost on the way, and a password would end up in a log."""
    with pytest.raises(ValidationError):
        settings(origin={"url": given})


@pytest.mark.parametrize(
    ("given", "fine"),
    [
        ("127.0.0.1:8080", True),
        ("0.0.0.0:0", True),
        ("localhost:65535", True),
        ("[::]:8080", True),
        ("[2001:db8::1]:443", True),
        ("localhost:65536", False),
        ("localhost", False),
        (":8080", False),
        ("localhost:", False),
        ("localhost:http", False),
        ("::1:8080", False),
        ("[::1]", False),
        ("[::g]:80", False),
        ("[127.0.0.1]:80", False),
        ("http://localhost:80", False),
        ("127.0.0.1:٣", False),
        ("local host:80", False),
    ],
)
def test_an_address_is_a_host_and_a_port(given: str, *, fine: bool) -> None:
    """A wrong address must be told at the start, with its key, and not by a failing bind."""
    if fine:
        assert settings(listen={"address": given}).listen.address == given
    else:
        with pytest.raises(ValidationError):
            settings(listen={"address": given})


@pytest.mark.parametrize(
    ("given", "fine"),
    [
        ("10.0.0.0/8", True),
        ("192.0.2.1", True),
        ("2001:db8::/32", True),
        ("10.0.0.1/8", False),
        ("10.0.0.0/33", False),
        ("10.0.0", False),
        ("proxy.example", False),
        ("", False),
    ],
)
def test_a_network_is_a_network(given: str, *, fine: bool) -> None:
    """Whoever is in these networks may say who the visitor is; a typing error must not widen them."""
    if fine:
        assert settings(listen={"trusted_proxies": [given]}).listen.trusted_proxies == (given,)
    else:
        with pytest.raises(ValidationError):
            settings(listen={"trusted_proxies": [given]})


def test_a_network_with_host_bits_is_told_what_was_meant() -> None:
    """10.0.0.1/8 is either one machine or sixteen million; only the operator knows."""
    with pytest.raises(ValidationError, match=r"the network is 10\.0\.0\.0/8"):
        settings(listen={"trusted_proxies": ["10.0.0.1/8"]})


@pytest.mark.parametrize(
    ("given", "fine"),
    [
        ("/_consent", True),
        ("/a/b", True),
        ("/.well-known/consent", True),
        ("/", False),
        ("", False),
        ("consent", False),
        ("/consent/", False),
        ("/a//b", False),
        ("/a/../b", False),
        ("/.", False),
        ("/a?b", False),
        ("/a%2fb", False),
        ("/a b", False),
        ("/a\n", False),
    ],
)
def test_a_prefix_is_a_path_that_can_only_be_spelt_one_way(given: str, *, fine: bool) -> None:
    """A prefix with dots or escapes in it could be reached, or missed, under a second spelling."""
    if fine:
        assert settings(prefix=given).prefix == given
    else:
        with pytest.raises(ValidationError):
            settings(prefix=given)


@pytest.mark.parametrize(
    ("given", "fine"),
    [("", True), ("DE", True), ("US-CA", True), ("GB-ENG", True), ("de", False), ("DEU", False), ("US-", False)],
)
def test_a_region_is_a_country_or_a_subdivision(given: str, *, fine: bool) -> None:
    """An unknown region asks first; one that is only misspelt must not look like one."""
    if fine:
        assert settings(consent={"region": given}).consent.region == given
    else:
        with pytest.raises(ValidationError):
            settings(consent={"region": given})


@pytest.mark.parametrize(
    ("days", "fine"), [(0, False), (1, True), (2, True), (399, True), (400, True), (401, False), (-1, False)]
)
def test_a_choice_lasts_between_a_day_and_four_hundred(days: int, *, fine: bool) -> None:
    """Browsers cut every cookie at 400 days (RFC 6265bis, section 5.5); a longer promise would be false."""
    if fine:
        assert settings(consent={"lifetime_days": days}).consent.lifetime_days == days
    else:
        with pytest.raises(ValidationError):
            settings(consent={"lifetime_days": days})


@pytest.mark.parametrize("seconds", [0, -1, 86_401, float("inf"), float("nan")])
def test_a_time_limit_is_a_time(seconds: float) -> None:
    """No limit at all is not offered: every wait on another machine ends."""
    with pytest.raises(ValidationError):
        settings(listen={"grace_s": seconds})


def test_two_destinations_of_one_name_are_refused() -> None:
    """The store tells their events apart by name alone."""
    one = {"name": "crm", "url": "https://crm.example/"}
    with pytest.raises(ValidationError, match="'crm' is used twice"):
        settings(destinations=[one, one | {"url": "https://other.example/"}])
