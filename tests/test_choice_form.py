import re
import urllib.parse
from html.parser import HTMLParser

import ada_url
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.choice_form import (
    Choice,
    ChoiceAction,
    page,
    read,
    return_from,
    return_path,
    vendors_by_category,
    wants_json,
)
from gateway.consent.model import EVERYTHING, NECESSARY_ONLY, OPTIONAL, Basis, Category, Decision, Signal
from gateway.vendors.schema import VendorFile

GPC = Signal("gpc", decided=True, refused=frozenset({Category.MARKETING}))
NOTHING = Decision(granted=NECESSARY_ONLY, basis=Basis.NO_CHOICE, decided=False)
SOME = Decision(granted=NECESSARY_ONLY | {Category.ANALYTICS}, basis=Basis.CHOICE, decided=True)


class Outline(HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Noted."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Noted."""
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of each element of this name."""
        return [attributes for name, attributes in self.tags if name == tag]


def shown(
    decision: Decision,
    *,
    back_to: str = "/",
    overrides: bool = False,
    vendors: dict[Category, tuple[str, ...]] | None = None,
) -> Outline:
    made = page(
        decision,
        vendors=vendors or {},
        action_path="/_consent/choice",
        back_to=back_to,
        marketing_blocked_by_browser=not overrides,
    )
    return Outline(made.body.decode())


def form(*fields: tuple[str, str]) -> bytes:
    return urllib.parse.urlencode(fields).encode()


@pytest.mark.parametrize(
    ("fields", "granted"),
    [
        ([("action", "accept")], OPTIONAL),
        ([("action", "reject")], frozenset()),
        ([("action", "reject"), ("category", "marketing")], frozenset()),
        ([("action", "accept"), ("category", "analytics")], OPTIONAL),
        ([("action", "save")], frozenset()),
        ([("action", "save"), ("category", "analytics")], {Category.ANALYTICS}),
        (
            [("category", "analytics"), ("category", "functional"), ("action", "save")],
            {Category.ANALYTICS, Category.FUNCTIONAL},
        ),
        ([("action", "save"), ("category", "necessary")], frozenset()),
        ([("action", "save"), ("other", "x")], frozenset()),
    ],
)
def test_a_button_means_what_it_says(fields: list[tuple[str, str]], granted: frozenset[Category]) -> None:
    """Boxes count only with the button that says so; refusing with ticked boxes refuses."""
    assert read(form(*fields)).granted == granted


@pytest.mark.parametrize(
    "body",
    [
        b"",
        form(("category", "marketing")),
        form(("action", "maybe")),
        form(("action", "accept"), ("action", "reject")),
        form(("action", "save"), ("category", "everything")),
        b"action=save&category=%ff",
        b"action=accept\xff",
        b"&".join([b"category=marketing"] * 17) + b"&action=save",
    ],
)
def test_a_form_that_is_not_ours_is_no_choice(body: bytes) -> None:
    """What cannot be read was not granted; nothing of it is repeated either."""
    with pytest.raises(ValueError, match=r"^(needs one action|not an urlencoded form)") as raised:
        read(body)
    assert "everything" not in str(raised.value)


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("/", "/"),
        ("/shop?a=1&b=2#c", "/shop?a=1&b=2#c"),
        ("/shop?next=https://other.example//x", "/shop?next=https://other.example//x"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("/café tea", "/caf%C3%A9%20tea"),
        ('/a"><script>', "/a%22%3E%3Cscript%3E"),
        ("", "/"),
        ("shop", "/"),
        ("//evil.example", "/"),
        ("/a//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/a?b=\\", "/"),
        ("\\/evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/\t/evil.example", "/"),
        ("/\n/evil.example", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("/\x00", "/"),
        ("/\x7f", "/"),
        ("/\u2028", "/"),
        ("/\udcff", "/"),
        (" /a", "/"),
        ("/" + "a" * 2046, "/" + "a" * 2046),
        ("/" + "a" * 2047, "/" + "a" * 2047),
        ("/" + "a" * 2048, "/"),
    ],
)
def test_a_visitor_is_led_back_into_this_site_only(wanted: str, path: str) -> None:
    """An open redirect lends the site's good name to whoever writes the link."""
    assert return_path(wanted) == path


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("/\\.:@?#%2fF5cC09 \t\r\naeé\u3002\uff0f"), max_size=14).map("/".__add__))
@example("/.//evil.example")
@example("/..//evil.example")
def test_no_path_leads_anywhere_else(wanted: str) -> None:
    """Judged by the parser that browsers use, from any page of the site; and safe in a header field."""
    path = return_path(wanted)
    assert re.fullmatch(r"/[!-~]*", path)
    for base in ("https://site.example/_consent/choice", "http://site.example:8080/a/b/"):
        assert ada_url.URL(path, base=base).origin == ada_url.URL(base).origin
    assert return_path(path) == path


@pytest.mark.parametrize(
    ("query", "referer", "path"),
    [
        ("return=/shop%3Fa%3D1", "https://site.example/blog", "/shop?a=1"),
        ("return=//evil.example", "https://site.example/blog", "/"),
        ("", "https://site.example/blog?page=2#x", "/blog?page=2"),
        ("", "http://SITE.example/blog", "/blog"),
        ("", "https://evil.example/blog", "/"),
        ("", "https://site.example:8443/blog", "/"),
        ("", "", "/"),
        ("", "\udcff", "/"),
        ("return=%ff", "", "/"),
    ],
)
def test_the_way_back_is_asked_for_or_where_the_visitor_came_from(query: str, referer: str, path: str) -> None:
    """A plain link to the page, in a footer, must lead back to the page that it was on."""
    assert return_from(query, referer, "Site.example") == path


@pytest.mark.parametrize(
    ("accept", "json"),
    [
        ("application/json", True),
        ("application/json;q=0.9, */*;q=0.1", True),
        ("Application/JSON", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/html, application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_scripts_get_json_and_people_get_a_page(accept: str, *, json: bool) -> None:
    """A browser that opens the address must never show JSON."""
    assert wants_json(accept) is json


def test_nothing_is_ticked_that_was_not_granted() -> None:
    """A box that is ticked beforehand is no consent (CJEU C-673/17, Planet49)."""
    assert [box["value"] for box in shown(NOTHING).all("input") if "checked" in box] == []
    assert [box["value"] for box in shown(SOME).all("input") if "checked" in box] == ["analytics"]
    everything = Decision(granted=EVERYTHING, basis=Basis.CHOICE, decided=True)
    boxes = [box for box in shown(everything).all("input") if box["type"] == "checkbox"]
    assert [box["value"] for box in boxes if "checked" in box] == ["functional", "analytics", "marketing"]


def test_refusing_is_as_easy_as_agreeing() -> None:
    """One click each, and no button that looks better than another; Enter presses none of the two that decide it all."""
    buttons = shown(NOTHING).all("button")
    assert [button["value"] for button in buttons] == ["save", "reject", "accept"]
    assert all(button.keys() == {"type", "name", "value"} for button in buttons)


def test_every_box_and_every_page_has_a_name() -> None:
    """The page must work for who hears it instead of seeing it."""
    outline = shown(SOME)
    assert outline.all("html") == [{"lang": "en"}]
    assert len(outline.all("title")) == len(outline.all("h1")) == len(outline.all("main")) == 1
    boxes = [box for box in outline.all("input") if box["type"] == "checkbox"]
    assert len(outline.all("label")) == len(outline.all("legend")) == len(outline.all("fieldset")) == len(boxes) == 3
    ids = {attributes.get("id") for _, attributes in outline.tags}
    assert {box["aria-describedby"] for box in boxes} <= ids


def test_the_page_says_who_is_behind_each_category() -> None:
    """Consent to unknown recipients is not informed (GDPR, article 4(11)); their names are text, whatever they hold."""
    outline = shown(NOTHING, vendors={Category.MARKETING: ("Ann & Co", "<b>Bold</b>")})
    assert "Who: Ann & Co, <b>Bold</b>." in outline.text
    assert "Who: nobody at the moment." in outline.text
    assert outline.all("b") == []


def test_a_browser_that_objects_is_told_what_it_means() -> None:
    """A visitor who ticks marketing and sees it stay off must read why."""
    asked = Decision(granted=NECESSARY_ONLY, basis=Basis.GPC, decided=True, signals=(GPC,))
    assert "Global Privacy Control" not in shown(NOTHING).text
    assert "marketing stays off" in shown(asked).text
    overridden = shown(asked, overrides=True).text
    assert "Global Privacy Control" in overridden
    assert "marketing stays off" not in overridden


def test_where_all_is_allowed_at_first_the_page_says_so() -> None:
    """In a region that lets things pass until somebody objects, silence must not look like refusal."""
    everything = Decision(granted=EVERYTHING, basis=Basis.OPT_OUT_REGION, decided=False)
    assert "allowed until you object" in shown(everything).text


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    """The page on which one refuses trackers must be the last to have any; its policy holds the door."""
    made = page(SOME, vendors={}, action_path="/x", back_to="/", marketing_blocked_by_browser=True)
    outline = Outline(made.body.decode())
    assert {tag for tag, _ in outline.tags} & {"script", "link", "img", "iframe", "object", "base"} == set()
    assert not any(name.startswith("on") or name in {"style", "src"} for _, fields in outline.tags for name in fields)
    assert "default-src 'none'" in made.content_security_policy
    assert "'unsafe" not in made.content_security_policy


def test_what_comes_from_the_address_cannot_become_markup() -> None:
    """The way back is written by whoever made the link."""
    outline = shown(SOME, back_to=return_path("/a?b='\"&c=<i>"))
    hidden = next(field for field in outline.all("input") if field["type"] == "hidden")
    assert hidden["value"] == "/a?b='%22&c=%3Ci%3E"
    assert read(form(("action", "save"), ("return", hidden["value"]))) == Choice(
        ChoiceAction.SAVE, frozenset(), hidden["value"]
    )


def vendor(name: str, *categories: str) -> VendorFile:
    return VendorFile.model_validate(
        {
            "format": 1,
            "vendor": {"id": name.lower(), "name": name},
            "consent": {"categories": categories},
            "hosts": [{"name": f"{name.lower()}.example"}],
        }
    )


def test_vendors_stand_under_every_category_that_they_need() -> None:
    """Whoever looks at one category must see all that it takes part in."""
    files = [vendor("beta", "marketing"), vendor("Alpha", "analytics", "marketing")]
    assert vendors_by_category(files) == {Category.MARKETING: ("Alpha", "beta"), Category.ANALYTICS: ("Alpha",)}
