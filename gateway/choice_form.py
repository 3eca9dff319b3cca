"""The plain page on which a visitor chooses, and the form that it sends: without scripts, and without anybody else.

What the law asks of such a page, and where it stands here (GDPR articles 4(11) and 7; EDPB guidelines 05/2020; the report of
the EDPB's cookie banner taskforce): refusing is as easy as agreeing (three buttons of one look); nothing is ticked that was
not granted before; withdrawing is as easy as granting (the same page); each purpose can be chosen by itself; who is behind
it stands beside it.
"""

import base64
import hashlib
import html
import urllib.parse
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import ada_url

from gateway.consent import gpc
from gateway.consent.model import OPTIONAL, Basis, Category, Decision
from gateway.vendors.schema import VendorFile

# A form of ours has a button, three boxes and a path.
BODY_LIMIT_BYTES = 8 * 1024
_FIELDS_LIMIT = 16
_RETURN_CHARS = 2048

# What a path may keep unescaped in a Location field (RFC 3986, section 3.3 and following), `%` for what is escaped already.
_PATH_SAFE = "/?#[]@!$&'()*+,;=:%~-._"

_ORDER = (Category.FUNCTIONAL, Category.ANALYTICS, Category.MARKETING)

_MEANING = {
    Category.FUNCTIONAL: ("Functional", "Comforts beyond what you asked for: chat, maps, remembered settings."),
    Category.ANALYTICS: ("Analytics", "Measuring how the site is used, to improve it."),
    Category.MARKETING: (
        "Marketing",
        "Following what you do, to show, measure and send you advertising; also films and posts embedded from companies that do.",
    ),
}


class ChoiceAction(StrEnum):
    """The three buttons."""

    ACCEPT = "accept"
    REJECT = "reject"
    SAVE = "save"


@dataclass(frozen=True, slots=True)
class Choice:
    """A form that was sent: what is granted from now on (without `necessary`), and where the visitor goes back to."""

    action: ChoiceAction
    granted: frozenset[Category]
    return_path: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """One visitor has chosen; the fact for the log. *granted* is what the cookie now says, *before* what counted until then."""

    request_id: str
    action: ChoiceAction
    granted: frozenset[Category]
    before: frozenset[Category]
    gpc: bool


@dataclass(frozen=True, slots=True)
class Page:
    """The page and the policy that it is shown under."""

    body: bytes
    content_security_policy: str


def vendors_by_category(files: Iterable[VendorFile]) -> Mapping[Category, tuple[str, ...]]:
    """The names of the vendors that a category lets in, in alphabetical order; one of several categories is in each."""
    names: dict[Category, set[str]] = {}
    for file in files:
        for category in file.consent.categories:
            names.setdefault(category, set()).add(file.vendor.name)
    return {category: tuple(sorted(found, key=str.casefold)) for category, found in names.items()}


def read(body: bytes) -> Choice:
    """The choice that *body*, an urlencoded form, makes; ValueError says what is wrong with it, in words of our own."""
    try:
        fields = urllib.parse.parse_qsl(
            body.decode("ascii"), keep_blank_values=True, max_num_fields=_FIELDS_LIMIT, errors="strict"
        )
    except ValueError as error:
        raise ValueError("not an urlencoded form of this page") from error
    actions = [value for name, value in fields if name == "action"]
    try:
        (action,) = map(ChoiceAction, actions)
        ticked = frozenset(Category(value) for name, value in fields if name == "category")
    except ValueError as error:
        raise ValueError("needs one action (accept, reject or save) and known categories") from error
    granted = {ChoiceAction.ACCEPT: OPTIONAL, ChoiceAction.REJECT: frozenset[Category](), ChoiceAction.SAVE: ticked}
    returns = [value for name, value in fields if name == "return"]
    return Choice(action, granted[action] & OPTIONAL, return_path(returns[0] if len(returns) == 1 else ""))


def return_path(wanted: str) -> str:
    r"""*wanted* if it is a path of this site, ready for a Location field; else the start page.

    What could lead elsewhere is not mended but refused: `//host`, `/\host`, `/<tab>/host` are other sites to a browser.
    """
    path = wanted.partition("?")[0].partition("#")[0]
    if (
        not wanted.startswith("/")
        or "//" in path
        or "\\" in wanted
        or len(wanted) > _RETURN_CHARS
        or not wanted.isprintable()
    ):
        return "/"
    escaped = urllib.parse.quote(wanted, safe=_PATH_SAFE)
    # The browser's own parser has the last word.
    probe = ada_url.URL(escaped, base="https://site.example/")
    return escaped if probe.origin == "https://site.example" else "/"


def return_from(query: str, referer: str, host: str) -> str:
    """Where the form should lead back to: `return` of the page's own query, else the page of this site that linked here."""
    wanted = urllib.parse.parse_qs(query).get("return", [])
    if wanted:
        return return_path(wanted[0])
    try:
        came_from = ada_url.URL(referer)
    except ValueError:
        return "/"
    return return_path(came_from.pathname + came_from.search) if came_from.host == host.lower() else "/"


def wants_json(accept: str) -> bool:
    """A script asks, not a person: JSON is named, and HTML is not."""
    types = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return "application/json" in types and "text/html" not in types


def page(
    decision: Decision,
    *,
    vendors: Mapping[Category, tuple[str, ...]],
    action_path: str,
    back_to: str,
    marketing_blocked_by_browser: bool,
) -> Page:
    """The page for a visitor of this *decision*. *back_to* must come from `return_path`."""
    sections = "".join(_section(category, decision, vendors.get(category, ())) for category in _ORDER)
    note = _GPC_NOTE if any(signal.reader == gpc.READER for signal in decision.signals) else ""
    if note and marketing_blocked_by_browser:
        note += _GPC_BLOCKS
    body = _PAGE.format(
        style=_STYLE,
        state=_state(decision),
        note=f'<p class="note">{note}</p>' if note else "",
        action=html.escape(action_path),
        back=html.escape(back_to),
        sections=sections,
    )
    return Page(body.encode(), _POLICY)


def _section(category: Category, decision: Decision, names: tuple[str, ...]) -> str:
    title, meaning = _MEANING[category]
    granted = category in decision.granted
    who = ", ".join(map(html.escape, names)) if names else "nobody at the moment"
    return _SECTION.format(
        category=category,
        title=title,
        meaning=meaning,
        checked=" checked" if granted else "",
        state="allowed now" if granted else "not allowed now",
        who=who,
    )


def _state(decision: Decision) -> str:
    if decision.basis is Basis.OPT_OUT_REGION:
        return "You have not chosen yet. Where you are, this is allowed until you object."
    return "You have chosen; you can change it here at any time." if decision.decided else "You have not chosen yet."


_GPC_NOTE = "Your browser sends Global Privacy Control: it asks sites not to sell or share what they know about you."
_GPC_BLOCKS = " This site obeys it: marketing stays off as long as your browser sends it, whatever you tick."

_SECTION = """\
<fieldset>
<legend>{title}</legend>
<label><input type="checkbox" name="category" value="{category}"{checked} aria-describedby="{category}-meaning">
Allow {category}</label> <span class="state">({state})</span>
<p id="{category}-meaning">{meaning}</p>
<p>Who: {who}.</p>
</fieldset>
"""

# Buttons, the links' focus ring and the text keep the browser's own colours, light or dark, and their contrast with them.
_STYLE = """\
:root{color-scheme:light dark}
body{font:1.0625rem/1.5 system-ui,sans-serif;max-width:42rem;margin:0 auto;padding:1.5rem 1rem}
fieldset{margin:0 0 1rem;border:1px solid;border-radius:.375rem;padding:.5rem 1rem}
legend{font-weight:bold;padding:0 .375rem}
label{font-weight:bold}
input{width:1.5rem;height:1.5rem;vertical-align:middle}
p{margin:.375rem 0}
.buttons{display:grid;grid-template-columns:repeat(auto-fit,minmax(10rem,1fr));gap:.75rem;margin:1.5rem 0}
button{font:inherit;padding:.75rem 1rem;border:2px solid;border-radius:.375rem;color:ButtonText;background:ButtonFace}
:focus-visible{outline:3px solid Highlight;outline-offset:2px}
"""

# Nothing from anywhere, not even from here; the one style by its hash. form-action and frame-ancestors do not fall back to
# default-src. No frames: a page of somebody else must not have buttons of ours under its own.
_POLICY = (
    "default-src 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# "Save my choice" stands first in the source: it is what the Enter key in a box presses, and Enter must not accept all.
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>Your privacy choice</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>Your privacy choice</h1>
<p>What this site needs to work is always on. Everything else is up to you. {state}</p>
{note}
<form method="post" action="{action}">
<input type="hidden" name="return" value="{back}">
{sections}<div class="buttons">
<button type="submit" name="action" value="save">Save my choice</button>
<button type="submit" name="action" value="reject">Reject all</button>
<button type="submit" name="action" value="accept">Accept all</button>
</div>
</form>
<p><a href="{back}">Back without changing anything</a></p>
</main>
</body>
</html>
"""
