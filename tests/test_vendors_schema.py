"""The schema of vendor files: what it takes, what it refuses, and in which words."""

import re
import tomllib
from pathlib import Path
from typing import get_args, get_origin

import orjson
import pytest
from pydantic import BaseModel, ValidationError

from gateway.consent.model import Category
from gateway.faults import faults_of
from gateway.vendors.schema import Claim, GrantCookie, SnippetDefault, VendorFile

# What works for ever; do not change it.
LEAST_FILE = """\
format = 1
[vendor]
id = "tracker-example"
name = "Tracker Example"
[consent]
categories = ["marketing"]
[[hosts]]
name = "tracker.example"
"""

HEAD = """\
format = 1
[vendor]
id = "tracker-example"
name = "Tracker Example"
[consent]
categories = ["marketing", "analytics"]
"""


def read(text: str) -> VendorFile:
    return VendorFile.model_validate_json(orjson.dumps(tomllib.loads(text)), strict=True)


def faults(text: str) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        read(text)
    return [str(fault) for fault in faults_of(caught.value, file="", model=VendorFile)]


def test_the_least_file_is_valid_for_ever() -> None:
    """Files out there are never edited again; a release that refuses them withholds nothing."""
    file = read(LEAST_FILE)
    assert file.vendor.id == "tracker-example"
    assert file.consent.categories == (Category.MARKETING,)
    assert [host.name for host in file.hosts] == ["tracker.example"]


def test_a_file_that_says_everything_is_valid() -> None:
    """Every section and key that rules/README.md lists, at once."""
    file = read(
        HEAD
        + """\
tcf_vendor_id = 755
tcf_purposes = [1, 3, 11]
gdpr = "consent"
eprivacy = "consent before storage"
cpra = "opt-out"
transfers = ["US"]
transfer_basis = ["DPF"]
form_notice = true
[data]
collects = ["url"]
identifies_by = ["form-submit"]
levels = ["anonymous"]
effects = ["sends e-mail"]
[[hosts]]
name = "xn--bcher-kva.example"
role = ["script"]
account_subdomain = true
categories = ["analytics"]
note = "n"
[[scripts]]
id = "s"
host = "tracker.example"
path = '^/s'
query = 'id='
near = '_form_'
categories = ["necessary"]
action = "remove"
personal = ["e"]
note = "n"
[[iframes]]
id = "s"
path = '^/frame/'
[[pixels]]
id = "s"
host = "tracker.example"
[[links]]
id = "s"
host = "tracker.example"
[[inline]]
id = "i"
all = ["trk("]
match = ['trk\\(']
unless = ["allow"]
where = ["script"]
account = '(\\d+)'
beacon_host = '(.+)'
categories = ["analytics"]
note = "n"
[stubs]
functions = ["trk"]
values = { a = "", b = 1, c = true }
[[cookies]]
name = "_trk_*"
lifetime = "13mo"
party = "third"
host = "tracker.example"
purpose = "p"
source = "s"
claims = [{ by = "x", lifetime = "until 2038-01-18", says = "y" }]
needs_vendor_on_page = true
sensitive = true
categories = ["analytics"]
[[storage]]
area = "local"
key = "_trk"
lifetime = "session"
purpose = "p"
needs_vendor_on_page = true
[[url_params]]
names = ["trk"]
action = "hold"
sensitive = true
needs_vendor_on_page = true
note = "n"
[[forms]]
id = "f"
host = "tracker.example"
action_path = '^/f'
marks = { class = 'trk-form' }
hidden = ["uid"]
action = "blank-hidden"
personal = ["email"]
categories = ["marketing"]
note = "n"
[[beacons]]
id = "b"
url = "https://tracker.example/b"
method = "POST"
content_type = "application/json"
params = { a = "account" }
headers = { "X-Key" = "{secret:key}" }
personal = ["e"]
answer = "json"
limits = { event = 32 }
secrets = ["key"]
relay = true
rate_per_second = 5
note = "n"
[grant]
call = "trk('grant')"
cookie = { name = "trk_ok", value = "1", lifetime = "30d", path = "/", samesite = "None", secure = true }
snippet_default = { find = 'x', replace = "y" }
note = "n"
[withdraw]
call = "trk('revoke')"
delete_cookies = true
reload = true
note = "n"
[[sources]]
title = "t"
url = "u"
licence = "MIT"
checked = 2026-01-02
[[example]]
url = "https://tracker.example/s?id=1"
site = "https://shop.example/"
expect = []
note = "n"
"""
    )
    assert file.sources[0].checked == "2026-01-02"
    assert file.beacons[0].rate_per_second == 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[hosts]]\nname = 'https://tracker.example'", "hosts[0].name: not a host name"),
        ("[[hosts]]\nname = 'Tracker.example'", "hosts[0].name: not a host name"),
        ("[[hosts]]\nname = '*.tracker.example'", "hosts[0].name: not a host name"),
        ("[[hosts]]\nname = 'bücher.example'", "hosts[0].name: not a host name"),
        ("[[hosts]]\nname = 'tracker.example.'", "hosts[0].name: not a host name"),
        ("[[hosts]]\nname = '-a.example'", "hosts[0].name: not a host name"),
        ("[[hosts]]\nname = 'a.example'\n[[hosts]]\nname = 'a.example'", "hosts: 'a.example' is listed twice"),
        ("[[hosts]]\nnane = 'a.example'", "hosts[0].nane: unknown key; did you mean 'name'?"),
        ("[[host]]\nname = 'a.example'", "host: unknown key; did you mean 'hosts'?"),
        ("[[scripts]]\nid = 's'", "scripts[0]: needs a host or a path"),
        ("[[scripts]]\nid = 's'\nquery = 'id='", "scripts[0]: needs a host or a path"),
        ("[[scripts]]\nid = 'S'\nhost = 'a.example'", "scripts[0].id: "),
        (
            "[[scripts]]\nid = 's'\nhost = 'a.example'\npath = '('",
            "scripts[0].path: not a regular expression of the RE2",
        ),
        (
            "[[scripts]]\nid = 's'\nhost = 'a.example'\npath = '(?=a)'",
            "scripts[0].path: not a regular expression of the",
        ),
        ("[[scripts]]\nid = 's'\nhost = 'a.example'\npath = ''", "scripts[0].path: "),
        ("[[scripts]]\nid = 's'\npath = '.*'", "scripts[0]: without a host, path needs 3 plain characters"),
        ("[[scripts]]\nid = 's'\npath = '^/a'", "scripts[0]: without a host, path needs 3 plain characters"),
        ("[[scripts]]\nid = 's'\npath = '^/abc|x'", "scripts[0]: without a host, path needs 3 plain characters"),
        ("[[scripts]]\nid = 's'\npath = '^/abc'\nnear = '.'", "scripts[0]: near needs 3 plain characters"),
        (
            "[[scripts]]\nid = 's'\nhost = 'a.example'\n[[scripts]]\nid = 's'\nhost = 'b.example'",
            "scripts: the id 's' is used twice",
        ),
        ("[[inline]]\nid = 'i'\nall = []", "inline[0].all: "),
        ("[[inline]]\nid = 'i'\nall = ['ab']", "inline[0].all[0]: "),
        ("[[inline]]\nid = 'i'\nall = 'abc'", "inline[0].all: "),
        ("[[inline]]\nid = 'i'\nall = ['abc']\nwhere = ['onload']", "inline[0].where[0]: "),
        ("[[cookies]]\nname = 'a b'", "cookies[0].name: "),
        ("[[cookies]]\nname = '*'", "cookies[0].name: needs 2 characters in a row besides '*'"),
        ("[[cookies]]\nname = 'a*b'", "cookies[0].name: needs 2 characters in a row besides '*'"),
        ("[[cookies]]\nname = 'ab'\nlifetime = '1 year'", "cookies[0].lifetime: "),
        ("[[forms]]\nid = 'f'", "forms[0]: needs a host, an action_path or marks"),
        ("[[forms]]\nid = 'f'\nmarks = { class = '.' }", "forms[0]: without a host, action_path or one of marks needs"),
        (
            "[[forms]]\nid = 'f'\nhost = 'a.example'\naction = 'blank-hidden'",
            "forms[0]: 'blank-hidden' needs the names",
        ),
        ("[[example]]\nexpect = []", "example[0]: needs exactly one of"),
        ("[[example]]\nurl = 'x'\ncookie = 'y'\nexpect = []", "example[0]: needs exactly one of"),
        ("[[example]]\nurl = 'x'", "example[0].expect: missing; this key is required"),
        ("[[example]]\nurl = 'x'\nsite = 'shop.example'\nexpect = []", "example[0].site: not the address of a page"),
        ("[stubs]\nvalues = { a = 1.5 }", "stubs.values.a"),
    ],
)
def test_a_fault_is_told_with_its_place(text: str, expected: str) -> None:
    """Whoever writes a rule learns what to mend from the message alone."""
    assert any(fault.startswith(expected) for fault in faults(HEAD + text))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("format = 1", "format = 2", "format: made for a newer gateway; this one reads format 1, not 2"),
        ("format = 1", "format = 0", "format: "),
        ("format = 1", "format = '1'", "format: "),
        ("format = 1", "", "format: missing; this key is required"),
        ('"marketing", "analytics"', "", "consent.categories: "),
        ('"marketing", "analytics"', '"marketing", "necessary"', "consent.categories: 'necessary' stands alone"),
        (
            '"marketing", "analytics"',
            '"advertising"',
            "consent.categories[0]: input should be 'necessary', 'functional'",
        ),
        ('id = "tracker-example"', 'id = "Tracker Example"', "vendor.id: "),
    ],
)
def test_a_fault_of_the_head_is_told_with_its_place(old: str, new: str, expected: str) -> None:
    """The first lines are where a file of another version, or of no version, is recognised."""
    found = faults(HEAD.replace(old, new))
    assert len(found) == 1
    assert found[0].startswith(expected)


@pytest.mark.parametrize(("length", "fits"), [(252, True), (253, True), (254, False)])
def test_a_host_is_as_long_as_dns_can_hold(length: int, *, fits: bool) -> None:
    """A longer one would never be met, which its author should know."""
    name = ".".join(["a" * 60] * 5)[-length:]
    name = "b" * (length - len(name)) + name
    labels = ".".join(name.replace(".", "")[at : at + 50] for at in range(0, length, 51))
    host = (labels + "c" * 50)[:length].strip(".")
    host += "d" * (length - len(host))
    text = HEAD + f"[[hosts]]\nname = '{host}'"
    if fits:
        assert len(read(text).hosts[0].name) == length
    else:
        assert faults(text)[0].startswith("hosts[0].name: ")


@pytest.mark.parametrize(("length", "fits"), [(499, True), (500, True), (501, False)])
def test_a_pattern_is_bounded(length: int, *, fits: bool) -> None:
    """A longer one is a list of hosts in disguise."""
    text = HEAD + f"[[scripts]]\nid = 's'\npath = '{'a' * length}'"
    if fits:
        read(text)
    else:
        assert faults(text)[0].startswith("scripts[0].path: ")


def test_all_faults_of_a_file_are_found_at_once() -> None:
    """Mending a file must not be a game of one fault a run."""
    found = faults(HEAD + "[[hosts]]\nname = 'X'\n[[inline]]\nid = 'i'\nall = ['a']\n[[cookies]]\nnome = '_a'\n")
    keys = [fault.partition(":")[0] for fault in found]
    assert keys == ["hosts[0].name", "inline[0].all[0]", "cookies[0].name", "cookies[0].nome"]


README = (Path(__file__).parent.parent / "rules" / "README.md").read_text(encoding="utf-8")


def keys_in_readme() -> dict[str, dict[str, bool]]:
    """Heading -> {key: must be given}; a row of a table is `| key | value |`, bold where the key must be given."""
    tables: dict[str, dict[str, bool]] = {}
    for section in re.split(r"^### ", README, flags=re.MULTILINE)[1:]:
        rows = re.findall(r"^\| (\*\*)?`(\w+)`", section, flags=re.MULTILINE)
        heading = section.partition("\n")[0].partition(":")[0]
        tables[heading] = {key: bool(bold) for bold, key in rows}
    return tables


def keys_of(model: type[BaseModel]) -> dict[str, bool]:
    return {name: field.is_required() for name, field in model.model_fields.items()}


def test_the_readme_lists_every_key_of_every_section() -> None:
    """It is all that a writer of files has; a key that it lacks does not exist for him."""
    expected = {"The file": {"format": True}}
    for name, field in VendorFile.model_fields.items():
        if name != "format":
            inner = next(
                part for part in (field.annotation, *get_args(field.annotation)) if hasattr(part, "model_fields")
            )
            heading = f"`[[{name}]]`" if get_origin(field.annotation) is tuple else f"`[{name}]`"
            expected[heading] = keys_of(inner)
    urls = [f"`[[{name}]]`" for name in ("scripts", "iframes", "pixels", "links")]
    scripts, *others = (expected.pop(name) for name in urls)
    assert all(other == scripts for other in others)
    expected[", ".join(urls)] = scripts
    assert keys_in_readme() == expected
    for inner in (Claim, GrantCookie, SnippetDefault):
        for key, required in keys_of(inner).items():
            assert (f"**`{key}`**" if required else f"`{key}`") in README


def test_the_files_in_the_readme_are_valid() -> None:
    """They are copied before anything else is read."""
    files = [read(text) for text in re.findall(r"^```toml\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)]
    assert [file.vendor.id for file in files] == ["tracker-example", "acme-tags"]
    assert LEAST_FILE in README
