"""rules/vendors/ontraport.toml: the facts of the vendor as tables, against the shipped file."""

import re
from pathlib import Path

import pytest
import re2

from gateway.consent.model import NECESSARY_ONLY, Basis, Decision
from gateway.page.rewriter import PageLimits, Rewriter
from gateway.prove import prove
from gateway.vendors import catalogue, url

ROOT = Path(__file__).parent.parent
SHIPPED = ROOT / "rules" / "vendors" / "ontraport.toml"
PAGE = (ROOT / "tests" / "pages" / "ontraport.html").read_bytes()
SITE = "https://site.example/"

CATALOGUE = catalogue.load([{SHIPPED.name: SHIPPED.read_bytes()}])
VENDOR = CATALOGUE.vendors["ontraport"]
MATCHER = CATALOGUE.matcher

# Every element of the page that is withheld from a visitor who agreed to nothing, by its id.
WITHHELD = {
    "hint-1": "hosts.ontraport.com",
    "hint-2": "hosts.ontraport.com",
    "hint-3": "scripts.opf",
    "css-form": "links.form-styles",
    "css-form-own": "links.form-styles",
    "css-form-default": "links.form-styles",
    "generation-1": "scripts.tracking",
    "generation-1-copy": "inline.start",
    "generation-2-src": "scripts.tracking",
    "generation-2": "inline.start",
    "generation-3-src": "scripts.tracking-moonray",
    "generation-3-short": "scripts.tracking-moonray",
    "generation-3": "inline.start",
    "generation-4": "inline.loader-by-string",
    "generation-4-moonray": "inline.loader-by-string-moonray",
    "postponed": "inline.start-only",
    "cookie-snippet": "inline.start",
    "beacon-account": "scripts.track",
    "beacon-link": "scripts.track-link",
    "beacon-own": "scripts.track-own-domain",
    "src-logging": "scripts.logging",
    "src-opf": "scripts.opf",
    "opf-by-code": "inline.opf-by-string",
    "src-bootstrap": "scripts.form-generators",
    "src-genjs": "scripts.form-generators",
    "src-minify": "scripts.form-scripts",
    "frame-light": "iframes.form-light",
    "frame-net": "iframes.form-net",
    "frame-pages": "iframes.form-pages",
    "frame-page": "hosts.ontraport.net",
    "plain-form": "forms.smart-form",
    "form-code": "inline.moonray-form",
    "old-form": "forms.smart-form-moonray",
    "img-own-host": "hosts.ontraport.com",
    "img-sale": "pixels.partner-sale",
    "img-open": "pixels.mail-open",
    "noscript-sale": "pixels.partner-sale",
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
    proofs = prove(CATALOGUE, vendor="ontraport")
    assert [proof for proof in proofs if not proof.passed] == []
    assert len(proofs) >= 25
    for subject in ("url", "inline", "cookie", "html"):
        kinds = [proof for proof in proofs if proof.subject == subject]
        assert any(proof.expected for proof in kinds), subject
        assert any(not proof.expected for proof in kinds), subject


@pytest.mark.parametrize(
    ("where", "code", "rule"),
    [
        ("handler", '_mri="123456",_mr_domain="acme.ontraport.com",mrtracking();', "inline.start"),
        ("script", '_mri="12345_3_2";_mr_domain="taf.ontraport.com"; mrtracking();', "inline.start"),
        ("script", '\n_mri = "12106_3_2";\nmrtracking();\n', "inline.start"),
        ("script", "window['_mri'] = '12106'; window.mrtracking();", "inline.start"),
        ("script", 'ViDA_Load_Script("https://optassets.ontraport.com/tracking.js", f)', "inline.loader-by-string"),
        ("script", "$.getScript('https://www1.moon-ray.com/tracking.js')", "inline.loader-by-string-moonray"),
        ("handler", "mrtracking()", "inline.start-only"),
        ("script", "var p = '/trackThrough.php'; s.src = 'https://' + h + '/track.php?' + q", "inline.library"),
    ],
)
def test_each_generation_of_the_snippet_is_known(where: str, code: str, rule: str) -> None:
    """All of them are still on the web; the start code in onload is the only mark of a copied script."""
    found = MATCHER.inline(code.encode(), where="handler" if where == "handler" else "script")
    assert [verdict.rule for verdict in found] == [rule]


@pytest.mark.parametrize(
    ("code", "account", "host"),
    [
        ('_mri="165235",_mr_domain="slr.ontraport.com",mrtracking();', "165235", "slr.ontraport.com"),
        ("_mri='12345_3_2'; _mr_domain = 'go.site.example'; mrtracking();", "12345", "go.site.example"),
        ('_mri = "11292_1_2"; mrtracking();', "11292", None),
    ],
)
def test_start_code_tells_the_account_and_the_beacons_host(code: str, account: str, host: str | None) -> None:
    """The host may be a name of the customer's own: nothing but this string says that it is the vendor's."""
    rule = next(entry for entry in VENDOR.inline if entry.id == "start")
    found = re2.search(rule.account, code)
    assert found is not None
    assert found[1] == account
    beacon = re2.search(rule.beacon_host, code)
    assert (beacon and beacon[1]) == host


@pytest.mark.parametrize(
    "code",
    [
        "function showpmrTracking() { return alarmrtracking(); }",
        "document.querySelector('.moonray-form-p2c123f4').hidden = true;",
        "gtag('consent', 'default', {ad_storage: 'denied'});",
        "var pay = 'https://forms.ontraport.com/v2.4/ccpci/card.php'; open(pay);",
        "document.cookie = 'sid=7; path=/';",
    ],
)
def test_words_alike_and_the_card_field_run(code: str) -> None:
    """A site's own code that happens to speak of forms, tracking or payment is not the tracker."""
    assert [v for v in MATCHER.inline(code.encode(), where="script") if not nothing_agreed().allows(v.needs)] == []


@pytest.mark.parametrize(
    "host",
    [
        "optassets.ontraport.com",
        "app.ontraport.com",
        "forms.ontraport.com",
        "i.ontraport.com",
        "tracking.ontraport.com",
        "acme.ontraport.com",
        "acme.ontralink.com",
        "acme.ontraport.net",
        "acme.pages.ontraport.net",
        "acme.respond.ontraport.net",
        "acme.ontrapages.com",
        "www1.moon-ray.com",
        "tracking.moon-ray.com",
        "www.moonraymarketing.com",
    ],
)
def test_every_host_of_the_vendor_is_known_on_any_path(host: str) -> None:
    """A new path of tomorrow is a contact all the same."""
    assert rule_of_url(f"https://{host}/some/new/path.js?v=2")
    assert rule_of_url(f"https://{host}.site.example/some/new/path.js") == []
    assert rule_of_url(f"https://x{'.'.join(host.split('.')[-2:])}/") == []


@pytest.mark.parametrize(
    "path", ["/v2.4/ccpci/", "/v2.4/ccpci/card.php?uid=p2c123f4", "//forms.ontraport.com/v2.4/ccpci/x"]
)
def test_the_card_field_passes_although_its_host_is_withheld(path: str) -> None:
    """Whoever buys must be able to pay; nothing beside that path may slip through with it."""
    address = path if path.startswith("//") else f"https://forms.ontraport.com{path}"
    parsed = url.parse(address, SITE)
    assert parsed is not None
    (verdict,) = MATCHER.url(parsed)
    assert verdict.rule == "iframes.payment"
    assert nothing_agreed().allows(verdict.needs)
    for beside in ("https://forms.ontraport.com/v2.4/", "https://forms.ontraport.com/x/v2.4/ccpci/"):
        other = url.parse(beside)
        assert other is not None
        assert not any(nothing_agreed().allows(verdict.needs) for verdict in MATCHER.url(other))


@pytest.mark.parametrize(
    ("name", "rule", "acts"),
    [
        ("sess_", "cookies.sess_", True),
        ("aff_", "cookies.aff_", True),
        ("afft_", "cookies.afft_", True),
        ("opid", "cookies.opid", True),
        ("oprid", "cookies.oprid", True),
        ("own_", "cookies.own_", True),
        ("form_p2c123f4", "cookies.form_p2c*f*", True),
        ("lastvisit", "cookies.lastvisit", False),
        ("referral_page", "cookies.referral_page", False),
        ("contact_id", "cookies.contact_id", False),
        ("vid", "cookies.vid", False),
        ("ref_", "cookies.ref_", False),
        ("sid", "cookies.sid", False),
        ("utm_campaign", "cookies.utm_*", False),
        ("_op_gclid", "cookies._op_*", False),
    ],
)
def test_every_cookie_is_known_and_general_names_are_not_acted_on(name: str, rule: str, *, acts: bool) -> None:
    """A site's own sid is its session: taking it out of a head would log everybody out."""
    assert [verdict.rule for verdict in MATCHER.cookie(name)] == ([rule] if acts else [])
    assert [verdict.rule for verdict in MATCHER.cookie(name, mentions=True)] == [rule]


@pytest.mark.parametrize(
    "name", ["SESSd41d8cd98f00b204e9800998ecf8427e", "SESS_", "sess", "sess_id", "PHPSESSID", "_sess_"]
)
def test_sessions_of_the_site_are_nobodys_cookies(name: str) -> None:
    """Names of cookies are case-sensitive: Drupal's SESS is not sess_."""
    assert MATCHER.cookie(name, mentions=True) == ()


def test_cookies_carry_lifetimes_and_what_other_sources_say() -> None:
    """The privacy page is printed from the file; a contradiction that is dropped there misleads whoever reads it."""
    cookies = {rule.name: rule for rule in VENDOR.cookies}
    written = {"sess_", "lastvisit", "referral_page", "contact_id", "vid", "ref_", "aff_", "afft_", "opid", "sid"}
    assert {name for name, rule in cookies.items() if rule.lifetime == "until 2038-01-18"} == written
    assert cookies["form_p2c*f*"].lifetime == "session"
    assert [claim.lifetime for claim in cookies["contact_id"].claims] == ["28d", "180d"]
    assert all(rule.party == "first" and rule.purpose for rule in VENDOR.cookies)
    assert {rule.key for rule in VENDOR.storage} == {"OPF_FOREVER", "_OPF_FOREVER"}


def test_the_relays_interfaces_name_secrets_and_rate() -> None:
    """What is sent on from the server must fit the vendor's limits, and no key may stand in a file."""
    relayed = {beacon.id: beacon for beacon in VENDOR.beacons if beacon.relay}
    assert set(relayed) == {"track", "contact-upsert", "object-upsert"}
    assert relayed["object-upsert"].params["objectID"] == "0"
    for name in ("contact-upsert", "object-upsert"):
        assert relayed[name].headers == {"Api-Appid": "{secret:app_id}", "Api-Key": "{secret:api_key}"}
        assert relayed[name].secrets == ("app_id", "api_key")
        assert relayed[name].rate_per_second == 3  # 180 in a rolling minute


def test_the_page_with_everything_loses_exactly_what_contacts_the_vendor() -> None:
    """Each snippet, form, frame and picture of the vendor, and none of the things that only look like it."""
    _, withheld = rewritten(PAGE, nothing_agreed())
    assert sorted(withheld) == sorted(WITHHELD.items())


def test_a_form_goes_out_with_its_tracking_fields_empty_and_still_works() -> None:
    """Hidden fields carry the tracking into the contact record; uid and the guards against robots make the form work."""
    out, _ = rewritten(PAGE, nothing_agreed())
    form = out.split(b'id="plain-form"', 1)[1].split(b"</form>", 1)[0]
    inputs = {tag[1].decode(): tag[0] for tag in re.finditer(rb'<input [^>]*?name="([^"]*)"[^>]*>', form)}
    kept = {name for name, tag in inputs.items() if b"data-" not in tag}
    assert kept == {"firstname", "email", "uid", "uniquep2c123f4", "mopsbbk", "submit-button"}
    for name in set(inputs) - kept:
        assert re.search(rb'\svalue=""', inputs[name]), name
        assert not re.search(rb'\svalue="[^"]', inputs[name]), name


def test_look_alikes_and_the_card_field_stay_as_they_are() -> None:
    """Links, prose, JSON-LD, a parcel tracker, Drupal's session, and the frame that takes the money."""
    out, _ = rewritten(PAGE, nothing_agreed())
    for begin, end in ((b"<!-- look", b"</html>"), (b"<p>Made with", b"</p>"), (b"<!-- the card", b"</iframe>")):
        kept = begin + PAGE.split(begin, 1)[1].split(end, 1)[0] + end
        assert kept in out


def test_a_visitor_who_agreed_to_the_vendor_gets_the_page_byte_for_byte() -> None:
    """A yes to one vendor is a yes to all of its parts."""
    yes = Decision(granted=NECESSARY_ONLY, basis=Basis.CHOICE, decided=True, vendors_granted=frozenset({"ontraport"}))
    assert rewritten(PAGE, yes) == (PAGE, [])
