"""rules/vendors/activecampaign.toml: the facts of the vendor as tables, against the shipped file."""

import re
from pathlib import Path

import pytest
import re2

from gateway.consent.model import NECESSARY_ONLY, Basis, Decision
from gateway.page.rewriter import PageLimits, Rewriter
from gateway.prove import prove
from gateway.vendors import catalogue, url
from gateway.vendors.schema import Beacon

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "rules" / "vendors" / "activecampaign.toml"
PAGE = (ROOT / "tests" / "pages" / "activecampaign.html").read_bytes()
SITE = "https://site.example/"

CATALOGUE = catalogue.load([{SHIPPED.name: SHIPPED.read_bytes()}])
VENDOR = CATALOGUE.vendors["activecampaign"]
MATCHER = CATALOGUE.matcher

LOADER = """r=t.createElement("script");r.src=o;i.parentNode.insertBefore(r,i)})(window,document,"""
GENERATION_1 = """var trackcmp = document.createElement("script");
trackcmp.src = '//trackcmp.net/visit?actid=251729299&e='+encodeURIComponent(trackcmp_email);"""
GENERATION_2 = """var trackByDefault = true;
function acEnableTracking() { document.cookie = "ac_enable_tracking=1; path=/"; acTrackVisit(); }
function acTrackVisit() { s.src = '//trackcmp.net/visit?actid=66105982&e='; }"""
GENERATION_3 = f"""(function(e,t,o,n,p,r,i){{e.prismGlobalObjectAlias=n;{LOADER}"https://prism.app-us1.com/prism.js","pgo");
pgo('setAccount', '475404987'); pgo('setTrackByDefault', true); pgo('process');"""
GENERATION_4 = f"""(function(e,t,o,n,p,r,i){{e.visitorGlobalObjectAlias=n;{LOADER}"https://diffuser-cdn.app-us1.com/diffuser/diffuser.js","vgo");
vgo('setAccount', '252687469'); vgo('setTrackByDefault', true); vgo('process');"""

# Every element of the page that is withheld from a visitor who agreed to nothing, by its id.
WITHHELD = {
    "hint-1": "hosts.trackcmp.net",
    "hint-2": "hosts.app-us1.com",
    "hint-3": "scripts.prism",
    "css-platform": "hosts.app-us1.com",
    "generation-1": "inline.v1-visit",
    "generation-2": "inline.v2-optin",
    "generation-3": "inline.v3-pgo",
    "generation-4": "inline.v4-vgo",
    "postponed": "inline.calls",
    "calls": "inline.calls",
    "cookie-snippet": "inline.calls",
    "src-visit": "scripts.visit",
    "src-diffuser": "scripts.diffuser",
    "src-prism": "scripts.prism-visitor",
    "src-messages": "scripts.sitemessages",
    "src-library": "scripts.trackcmp-js",
    "src-copy": "scripts.trackcmp-js-copy",
    "src-chat": "scripts.conversations",
    "src-embed": "scripts.form-embed",
    "src-embed-own": "scripts.form-embed-own-domain",
    "embed-by-code": "inline.form-embed-by-string",
    "frame-form": "iframes.form-page",
    "form-code": "inline.form-code",
    "img-content": "hosts.app-us1.com",
    "img-mail": "hosts.img-us3.com",
    "img-open": "hosts.emlnk1.com",
    "img-badge": "hosts.activecampaign.com",
    "noscript-visit": "scripts.visit",
}


def rule_of_url(text: str) -> list[str]:
    parsed = url.parse(text, SITE)
    assert parsed is not None
    return [verdict.rule for verdict in MATCHER.url(parsed, site_host="site.example")]


def rewritten(page: bytes, decision: Decision) -> tuple[bytes, list[tuple[str, str]]]:
    """The page as it goes out, and what was withheld as (id of the element, rule)."""
    limits = PageLimits(tag_bytes=65536, inline_bytes=65536)
    rewriter = Rewriter(matcher=MATCHER, decision=decision, site=SITE, charset="utf-8", limits=limits)
    out = rewriter.feed(page) + rewriter.close()
    named = []
    for thing in rewriter.take_report()[0]:
        mark = re.search(rb'\sid="([^"]*)"', page[thing.offset :].split(b">", 1)[0])
        assert mark is not None
        named.append((mark[1].decode(), thing.rule))
    return out, named


def nothing_agreed() -> Decision:
    return Decision(granted=NECESSARY_ONLY, basis=Basis.NO_CHOICE, decided=False)


def test_the_file_proves_itself_with_examples_of_every_kind() -> None:
    """A rule file without its own examples is a claim; these run on every change of the matcher, too."""
    proofs = prove(CATALOGUE, vendor="activecampaign")
    assert [proof for proof in proofs if not proof.passed] == []
    assert len(proofs) >= 25
    for subject in ("url", "inline", "cookie", "html"):
        kinds = [proof for proof in proofs if proof.subject == subject]
        assert any(proof.expected for proof in kinds), subject
        assert any(not proof.expected for proof in kinds), subject


@pytest.mark.parametrize(
    ("code", "rule", "account"),
    [
        (GENERATION_1, "inline.v1-visit", "251729299"),
        (GENERATION_2, "inline.v2-optin", "66105982"),
        (GENERATION_3, "inline.v3-pgo", "475404987"),
        (GENERATION_4, "inline.v4-vgo", "252687469"),
    ],
)
def test_each_generation_of_the_snippet_is_known_and_tells_its_account(code: str, rule: str, account: str) -> None:
    """All four are still on the web; the account is what a relay needs."""
    assert [verdict.rule for verdict in MATCHER.inline(code.encode(), where="script")] == [rule]
    pattern = next(entry.account for entry in VENDOR.inline if f"inline.{entry.id}" == rule)
    found = re2.search(pattern, code)
    assert found is not None
    assert found[1] == account


@pytest.mark.parametrize("code", [GENERATION_3, GENERATION_4])
def test_the_vendors_own_switch_is_found_in_the_snippets_that_have_it(code: str) -> None:
    """A site that would rather have the code wait than withheld needs the one place where that is said."""
    switch = VENDOR.grant.snippet_default
    assert switch is not None
    turned = re2.sub(switch.find, switch.replace, code)
    assert turned.count("('setTrackByDefault', false)") == 1
    assert "true" not in turned


@pytest.mark.parametrize(
    "code",
    [
        "vgo('process', 'allowTracking');",
        "vgo('process','allowtracking')",
        "if (ok) { acEnableTracking(); }",
        "(tarteaucitron.job = tarteaucitron.job || []).push('activecampaignvgo');",
        "var blocked = ['trackcmp.net/visit', 'diffuser-cdn.app-us1.com/diffuser', 'prism.app-us1.com/prism.js'];",
        "gtag('consent', 'default', {ad_storage: 'denied'});",
        "var trackcmp_email = '';",
        "convgo('process');",
    ],
)
def test_code_of_consent_managers_and_words_alike_run(code: str) -> None:
    """Withholding the code that asks for consent, or hands a yes on, would keep the visitor from ever giving it."""
    assert MATCHER.inline(code.encode(), where="script") == ()
    assert MATCHER.inline(code.encode(), where="handler") == ()


@pytest.mark.parametrize(
    "host",
    [
        "trackcmp.net",
        "diffuser-cdn.app-us1.com",
        "prism.app-us1.com",
        "content.app-us1.com",
        "platform-cdn.app-us1.com",
        "conversations.app-us1.com",
        "acme.activehosted.com",
        "acme.api-us1.com",
        "acme.img-us3.com",
        "lt.acemlna.com",
        "lt.acemlnb.com",
        "lt.acemlnc.com",
        "lt.acemlnd.com",
        "acme.emlnk1.com",
        "www.activecampaign.com",
    ],
)
def test_every_host_of_the_vendor_is_known_on_any_path(host: str) -> None:
    """A new path of tomorrow is a contact all the same."""
    assert rule_of_url(f"https://{host}/some/new/path.js?v=2")
    assert rule_of_url(f"https://{host}.site.example/some/new/path.js") == []
    assert rule_of_url(f"https://x{'.'.join(host.split('.')[-2:])}/") == []


@pytest.mark.parametrize("host", ["api.postmarkapp.com", "pstmrk.it", "click.pstmrk.it"])
def test_transactional_mail_of_the_same_company_is_left_alone(host: str) -> None:
    """A receipt is not marketing."""
    assert rule_of_url(f"https://{host}/open") == []


@pytest.mark.parametrize(
    ("name", "rule", "acts"),
    [
        ("prism_252687469", "cookies.prism_*", True),
        ("ac_enable_tracking", "cookies.ac_enable_tracking", True),
        ("ach_enable_tracking", "cookies.ach_enable_tracking", True),
        ("_form_12_", "cookies._form_*_", True),
        ("trackcmp_email", "cookies.trackcmp_email", True),
        ("252687469_contact_id", "cookies.*_contact_id", False),
        ("252687469_hash", "cookies.*_hash", False),
    ],
)
def test_every_cookie_is_known_and_general_names_are_not_acted_on(name: str, rule: str, *, acts: bool) -> None:
    """A shop's own cart_hash must reach the shop, whatever one catalogue says of the vendor."""
    assert [verdict.rule for verdict in MATCHER.cookie(name)] == ([rule] if acts else [])
    assert [verdict.rule for verdict in MATCHER.cookie(name, mentions=True)] == [rule]


def test_cookies_carry_lifetimes_and_what_other_sources_say() -> None:
    """The privacy page is printed from the file; a contradiction that is dropped there misleads whoever reads it."""
    cookies = {rule.name: rule for rule in VENDOR.cookies}
    assert {name: rule.lifetime for name, rule in cookies.items()} == {
        "prism_*": "30d",
        "ac_enable_tracking": "30d",
        "ach_enable_tracking": "30d",
        "_form_*_": "1y",
        "*_contact_id": "1y",
        "*_hash": "1y",
        "trackcmp_email": "session",
    }
    assert [claim.lifetime for claim in cookies["ac_enable_tracking"].claims] == ["29d", "1mo", "1y"]
    assert [claim.lifetime for claim in cookies["prism_*"].claims] == ["12mo"]
    assert all(rule.party == "first" and rule.purpose and rule.source for rule in VENDOR.cookies)


def test_the_relays_interfaces_name_secrets_limits_and_rate() -> None:
    """What is sent on from the server must fit the vendor's limits, and no key may stand in a file."""
    relayed: dict[str, Beacon] = {beacon.id: beacon for beacon in VENDOR.beacons if beacon.relay}
    assert set(relayed) == {"event", "contact-sync"}
    assert relayed["event"].limits == {"event": 32}
    assert relayed["event"].content_type == "application/x-www-form-urlencoded"
    assert relayed["contact-sync"].rate_per_second == 5
    for beacon in VENDOR.beacons:
        named = set(re.findall(r"\{secret:(\w+)\}", " ".join((*beacon.params.values(), *beacon.headers.values()))))
        assert named == set(beacon.secrets), beacon.id
        assert not (beacon.relay and beacon.answer == "javascript"), beacon.id


def test_the_page_with_everything_loses_exactly_what_contacts_the_vendor() -> None:
    """Each snippet, form, frame and picture of the vendor, and none of the things that only look like it."""
    _, withheld = rewritten(PAGE, nothing_agreed())
    assert sorted(withheld) == sorted(WITHHELD.items())


def test_forms_and_the_visitors_yes_stay_as_they_are() -> None:
    """The visitor sends a form himself; a button that gives consent must work before consent."""
    out, _ = rewritten(PAGE, nothing_agreed())
    for begin, end in (
        (b'<form method="POST"', b"</form>"),
        (b"<button type", b"</button>"),
        (b"<!-- look", b"</html>"),
    ):
        kept = begin + PAGE.split(begin, 1)[1].split(end, 1)[0] + end
        assert kept in out


def test_a_visitor_who_agreed_to_the_vendor_gets_the_page_byte_for_byte() -> None:
    """A yes to one vendor is a yes to all of its parts."""
    yes = Decision(
        granted=NECESSARY_ONLY, basis=Basis.CHOICE, decided=True, vendors_granted=frozenset({"activecampaign"})
    )
    assert rewritten(PAGE, yes) == (PAGE, [])
