"""Layers of vendor files to one catalogue, or every fault at once."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import rule_files
from gateway.consent.model import Category
from gateway.errors import StartupFaults
from gateway.vendors import catalogue
from gateway.vendors import url as urls

# What works for ever, as it stands in rules/README.md; do not change it.
LEAST_FILE = b"""\
format = 1
[vendor]
id = "tracker-example"
name = "Tracker Example"
[consent]
categories = ["marketing"]
[[hosts]]
name = "tracker.example"
"""


def file(name: str, host: str = "a.example") -> bytes:
    return LEAST_FILE.replace(b"tracker-example", name.encode()).replace(b"tracker.example", host.encode())


def faults(*layers: dict[str, bytes], disabled: tuple[str, ...] = ()) -> list[str]:
    with pytest.raises(StartupFaults) as caught:
        catalogue.load(layers, disabled=disabled)
    return list(map(str, caught.value.faults))


def test_the_least_file_withholds_its_host_for_ever() -> None:
    """The file of nine lines is the promise to everybody who writes one: no release may break it."""
    loaded = catalogue.load([{"tracker.toml": LEAST_FILE}])
    for text in ("https://tracker.example/", "https://a.b.tracker.example/x?y", "wss://tracker.example/"):
        url = urls.parse(text)
        assert url is not None
        (verdict,) = loaded.matcher.url(url, site_host="site.example")
        assert (verdict.vendor, verdict.rule) == ("tracker-example", "hosts.tracker.example")
        assert verdict.needs == {Category.MARKETING}
    assert loaded.vendors["tracker-example"].vendor.name == "Tracker Example"
    assert loaded.files == {"tracker-example": "tracker.toml"}


def test_a_later_layer_overrides_by_vendor_whatever_its_file_is_called() -> None:
    """An operator mends a shipped vendor in a file of his own, and adds others beside it."""
    loaded = catalogue.load(
        [
            {"shipped/one.toml": file("one"), "shipped/two.toml": file("two")},
            {"own/mine.toml": file("one", "b.example"), "own/three.toml": file("three")},
        ]
    )
    assert list(loaded.vendors) == ["one", "three", "two"]
    assert loaded.files == {"one": "own/mine.toml", "two": "shipped/two.toml", "three": "own/three.toml"}
    assert loaded.vendors["one"].hosts[0].name == "b.example"


def test_a_disabled_vendor_is_left_alone() -> None:
    """Disabling is how an operator says that a vendor needs no consent on his site."""
    loaded = catalogue.load([{"one.toml": file("one"), "two.toml": file("two")}], disabled=("one",))
    assert list(loaded.vendors) == list(loaded.files) == ["two"]
    url = urls.parse("https://a.example/")
    assert url is not None
    assert [verdict.vendor for verdict in loaded.matcher.url(url)] == ["two"]


def test_a_catalogue_cannot_be_changed() -> None:
    """All requests share it; a reload swaps the whole."""
    loaded = catalogue.load([{"one.toml": file("one")}])
    with pytest.raises(dataclasses.FrozenInstanceError):
        loaded.files = {}  # type: ignore[misc]
    with pytest.raises(TypeError):
        loaded.vendors["two"] = loaded.vendors["one"]  # type: ignore[index]


def test_the_version_follows_what_the_files_say() -> None:
    """Remarks and the order of layers change nothing that a visitor could notice; a rule does."""
    version = catalogue.load([{"one.toml": file("one"), "two.toml": file("two")}]).version
    assert catalogue.load([{"two.toml": file("two") + b"# remark\n"}, {"one.toml": file("one")}]).version == version
    assert catalogue.load([{"one.toml": file("one", "b.example"), "two.toml": file("two")}]).version != version


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"format = 1\nname = \xe9\n", "x.toml: line 2: not UTF-8 (byte 0xe9)"),
        (b"format = 1\nvendor\n", "x.toml: line 2: not TOML: expected '=' after a key in a key/value pair"),
        (b"format = 1\nformat = 1\n", "x.toml: line 2: not TOML: cannot overwrite a value"),
        (b"format = 1\nx = [1", "x.toml: at the end of the file: not TOML: unclosed array"),
        (
            LEAST_FILE.replace(b"format = 1", b"format = 2\nnew = 1"),
            "x.toml: format: made for a newer gateway; this one reads format 1, not 2",
        ),
        (b"x = " + b"[" * 100_000, "x.toml: not TOML that can be read: nested too deeply"),
        (b"x = " + b"[" * 300 + b"]" * 300, "x.toml: a number is too large or the file is nested too deeply"),
        (b"format = 100000000000000000000000", "x.toml: a number is too large or the file is nested too deeply"),
        (LEAST_FILE + b"#" * catalogue.FILE_LIMIT_BYTES, "x.toml: longer than 1048576 bytes"),
        (LEAST_FILE.replace(b'"marketing"', b'"marketing", 1'), "x.toml: consent.categories[1]: "),
        (LEAST_FILE + b"rolle = []", "x.toml: hosts[0].rolle: unknown key; did you mean 'role'?"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(data: bytes, expected: str) -> None:
    """The message names file and line or key, and is one fault where the cause is one."""
    (fault,) = faults({"x.toml": data, "y.toml": file("y")})
    assert fault.startswith(expected)


@pytest.mark.parametrize("data", [b"\xef\xbb\xbf" + LEAST_FILE, LEAST_FILE.replace(b"\n", b"\r\n")])
def test_files_from_windows_are_read(data: bytes) -> None:
    """A byte order mark and carriage returns are what some editors write, and no mistake."""
    assert list(catalogue.load([{"x.toml": data}]).vendors) == ["tracker-example"]


@pytest.mark.parametrize(("more", "fits"), [(-1, True), (0, True), (1, False)])
def test_the_limit_of_a_file_is_exact(more: int, *, fits: bool) -> None:
    """What is read up to the limit counts in full, and nothing beyond it counts in part."""
    padding = catalogue.FILE_LIMIT_BYTES - len(LEAST_FILE) + more
    data = LEAST_FILE + b"#" * padding
    if fits:
        catalogue.load([{"x.toml": data}])
    else:
        assert faults({"x.toml": data}) == ["x.toml: longer than 1048576 bytes"]


def test_every_fault_of_every_file_is_told() -> None:
    """Nothing starts, and whoever mends the files needs one look, not one start a fault."""
    found = faults(
        {
            "a.toml": b"=",
            "b.toml": file("b"),
            "c.toml": file("b"),
            "d.toml": LEAST_FILE.replace(b"marketing", b"ads") + b"x=1",
        },
        {"e.toml": b"\xff"},
        disabled=("bb", "a"),
    )
    assert [fault.partition(":")[0] for fault in found] == [
        "a.toml",
        "c.toml",
        "d.toml",
        "d.toml",
        "e.toml",
        "rules.disabled",
    ]
    assert "c.toml: vendor.id: 'b' is also the id in b.toml" in found


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("google-analytic", "no vendor 'google-analytic'; did you mean 'google-analytics'?"),
        ("zzz", "no vendor 'zzz'"),
    ],
)
def test_a_vendor_that_is_disabled_must_exist(name: str, message: str) -> None:
    """A misspelt id would leave the vendor withheld, and the operator wondering."""
    assert faults({"g.toml": file("google-analytics")}, disabled=(name,)) == [f"rules.disabled: {message}"]


def test_an_empty_catalogue_is_a_fault_unless_it_is_meant() -> None:
    """A gateway that withholds nothing looks like one that works."""
    expected = ["rules: no vendor files: nothing would be withheld"]
    assert faults() == expected
    assert faults({}) == expected
    assert faults({"one.toml": file("one")}, disabled=("one",)) == expected
    assert catalogue.load([], may_be_empty=True).vendors == {}


@settings(max_examples=150)
@given(
    st.one_of(st.binary(max_size=60), st.text(st.sampled_from(list("[]{}=\"'\n.ab1 \\u")), max_size=40).map(str.encode))
)
def test_no_file_brings_anything_but_faults(data: bytes) -> None:
    """Folders hold whatever people put there."""
    with pytest.raises(StartupFaults):
        catalogue.load([{"x.toml": data}])


def test_the_shipped_vendors_load_and_are_named_after_their_files() -> None:
    """People look for a vendor by the name of its file; for files of their own, operators may do as they like."""
    layers = rule_files.read([], shipped=True)
    loaded = catalogue.load(layers)
    assert len(loaded.vendors) == len(layers[0])
    assert loaded.files == {vendor: f"rules/vendors/{vendor}.toml" for vendor in loaded.vendors}
