"""The twelve vendor files besides the two complete ones: their facts as tables, against all shipped files at once."""

import re
from pathlib import Path

import pytest

from gateway.consent.model import EVERYTHING, NECESSARY_ONLY, Basis, Category, Decision
from gateway.page.rewriter import PageLimits, Rewriter
from gateway.prove import prove
from gateway.vendors import catalogue, url

ROOT = Path(__file__).parent.parent
SHIPPED = {path.name: path.read_bytes() for path in sorted((ROOT / "rules" / "vendors").glob("*.toml"))}
PAGE = (ROOT / "tests" / "pages" / "vendors.html").read_bytes()
SITE = "https://site.example/"

CATALOGUE = catalogue.load([SHIPPED])
MATCHER = CATALOGUE.matcher

TWELVE = (
    "google-ads",
    "google-analytics",
    "google-tag-manager",
    "hotjar",
    "hubspot",
    "linkedin",
    "meta",
    "microsoft-ads",
    "microsoft-clarity",
    "pinterest",
    "tiktok",
    "youtube",
)

ANALYTICS = frozenset({Category.ANALYTICS})
MARKETING = frozenset({Category.MARKETING})
BOTH = ANALYTICS | MARKETING

# Every element of the page that is withheld from a visitor who agreed to nothing: its id, and the rules that say so.
WITHHELD = [
    ("hint-gtm", "google-tag-manager", "links.host"),
    ("hint-ga", "google-analytics", "hosts.google-analytics.com"),
    ("hint-gtag", "google-analytics", "scripts.gtag"),
    ("hint-ads", "google-ads", "hosts.doubleclick.net"),
    ("hint-meta", "meta", "hosts.facebook.net"),
    ("hint-linkedin", "linkedin", "hosts.ads.linkedin.com"),
    ("hint-tiktok", "tiktok", "hosts.analytics.tiktok.com"),
    ("hint-clarity", "microsoft-clarity", "hosts.clarity.ms"),
    ("hint-bing", "microsoft-ads", "hosts.bat.bing.com"),
    ("hint-hotjar", "hotjar", "hosts.hotjar.com"),
    ("hint-hubspot", "hubspot", "hosts.hs-scripts.com"),
    ("hint-pinterest", "pinterest", "hosts.ct.pinterest.com"),
    ("hint-youtube", "youtube", "hosts.youtube-nocookie.com"),
    ("gtm", "google-tag-manager", "inline.loader"),
    ("gtm-own-host", "google-tag-manager", "scripts.gtm-js-own-host"),
    ("gtag-ga", "google-analytics", "scripts.gtag"),
    ("gtag-ga-config", "google-analytics", "inline.gtag-config"),
    ("gtag-ads", "google-ads", "scripts.gtag"),
    ("gtag-ads-config", "google-ads", "inline.gtag-config"),
    ("gtag-shared", "google-ads", "scripts.gtag-shared"),
    ("gtag-shared", "google-analytics", "scripts.gtag-shared"),
    ("gtag-both", "google-ads", "inline.gtag-config"),
    ("gtag-both", "google-analytics", "inline.gtag-config"),
    ("analytics-js", "google-analytics", "inline.analytics-js"),
    ("ga-js", "google-analytics", "inline.ga-js"),
    ("urchin-src", "google-analytics", "scripts.ga-js"),
    ("urchin", "google-analytics", "inline.urchin"),
    ("ads-conversion", "google-ads", "inline.conversion-id"),
    ("ads-conversion-src", "google-ads", "scripts.conversion"),
    ("adsense", "google-ads", "scripts.adsense"),
    ("publisher-tag", "google-ads", "scripts.publisher-tag"),
    ("meta", "meta", "inline.base"),
    ("meta-noscript", "meta", "pixels.tr"),
    ("tiktok", "tiktok", "inline.base"),
    ("clarity", "microsoft-clarity", "inline.snippet"),
    ("uet", "microsoft-ads", "inline.uet"),
    ("hotjar", "hotjar", "inline.snippet"),
    ("pinterest", "pinterest", "inline.base"),
    ("pinterest-noscript", "pinterest", "pixels.tag"),
    ("gtm-noscript", "google-tag-manager", "iframes.ns"),
    ("ads-event", "google-ads", "inline.gtag-conversion"),
    ("ads-noscript", "google-ads", "pixels.conversion-pixel"),
    ("floodlight", "google-ads", "iframes.floodlight"),
    ("ads-google", "google-ads", "pixels.google"),
    ("meta-page", "meta", "iframes.plugins"),
    ("meta-sdk", "meta", "scripts.sdk"),
    ("linkedin-id", "linkedin", "inline.partner-id"),
    ("linkedin", "linkedin", "inline.lintrk-stub"),
    ("linkedin-noscript", "linkedin", "pixels.collect"),
    ("tiktok-embed", "tiktok", "scripts.embed"),
    ("uet-noscript", "microsoft-ads", "pixels.action"),
    ("hubspot-forms", "hubspot", "scripts.forms"),
    ("hubspot-form", "hubspot", "inline.form"),
    ("hubspot-meetings", "hubspot", "iframes.meetings-frame"),
    ("hubspot-html-form", "hubspot", "forms.html-form"),
    ("hs-script-loader", "hubspot", "scripts.loader"),
    ("pinterest-save", "pinterest", "scripts.save-button"),
    ("youtube", "youtube", "iframes.embed"),
    ("youtube-nocookie", "youtube", "iframes.embed-nocookie"),
    ("youtube-preview", "youtube", "hosts.ytimg.com"),
    ("youtube-api", "youtube", "inline.iframe-api"),
    ("mixed", "google-analytics", "inline.gtag-config"),
    ("mixed", "meta", "inline.init"),
]


def decision(*granted: Category, vendors: tuple[str, ...] = ()) -> Decision:
    return Decision(
        granted=NECESSARY_ONLY | frozenset(granted),
        basis=Basis.CHOICE,
        decided=True,
        vendors_granted=frozenset(vendors),
    )


NOTHING = decision()


def rules_of_url(text: str) -> list[tuple[str, str]]:
    """Vendor and rule of each verdict that withholds *text* from a visitor who agreed to nothing."""
    parsed = url.parse(text, SITE)
    assert parsed is not None
    found = MATCHER.url(parsed, site_host="site.example")
    return [(v.vendor, v.rule) for v in found if not NOTHING.allows(v.needs, vendor=v.vendor)]


def rules_of_code(code: str, *, handler: bool = False) -> list[tuple[str, str]]:
    found = MATCHER.inline(code.encode(), where="handler" if handler else "script", site_host="site.example")
    return [(v.vendor, v.rule) for v in found if not NOTHING.allows(v.needs, vendor=v.vendor)]


def rewritten(allowed: Decision) -> tuple[bytes, list[tuple[str, str, str]]]:
    """The page as it goes out, and what was withheld as (id of the element, vendor, rule)."""
    limits = PageLimits(tag_bytes=65536, inline_bytes=65536)
    rewriter = Rewriter(matcher=MATCHER, decision=allowed, site=SITE, charset="utf-8", limits=limits)
    out = rewriter.feed(PAGE) + rewriter.close()
    withheld, degraded = rewriter.take_report()
    assert degraded == []
    named = []
    for thing in withheld:
        mark = re.search(rb'\sid="([^"]*)"', PAGE[thing.offset :].split(b">", 1)[0])
        assert mark is not None
        named.append((mark[1].decode(), thing.vendor, thing.rule))
    return out, named


# -- the files by themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", TWELVE)
def test_each_file_proves_itself_with_examples_for_and_against(vendor: str) -> None:
    """A rule without an example is a claim, and one without a counter-example may swallow half the web."""
    proofs = prove(CATALOGUE, vendor=vendor)
    assert [proof for proof in proofs if not proof.passed] == []
    assert len(proofs) >= 12
    for subject in ("url", "inline", "html"):
        kinds = [proof for proof in proofs if proof.subject == subject]
        assert any(proof.expected for proof in kinds), subject
        assert any(not proof.expected for proof in kinds), subject
    assert any(proof.subject == "cookie" for proof in proofs)


@pytest.mark.parametrize(
    ("vendor", "categories", "tcf_id"),
    [
        ("google-analytics", ANALYTICS, None),
        ("google-tag-manager", BOTH, None),
        ("google-ads", MARKETING, 755),
        ("meta", MARKETING, None),
        ("linkedin", MARKETING, 804),
        ("tiktok", MARKETING, None),
        ("microsoft-clarity", ANALYTICS, None),
        ("microsoft-ads", MARKETING, 1126),
        ("hotjar", ANALYTICS, None),
        ("hubspot", BOTH, None),
        ("pinterest", MARKETING, None),
        ("youtube", MARKETING, None),
    ],
)
def test_each_vendor_asks_for_what_it_does(vendor: str, categories: frozenset[Category], tcf_id: int | None) -> None:
    """A wrong category releases a vendor to visitors who said no to it; a wrong TCF id reads another's consent."""
    file = CATALOGUE.vendors[vendor]
    assert frozenset(file.consent.categories) == categories
    assert file.consent.tcf_vendor_id == tcf_id
    assert 1 in file.consent.tcf_purposes
    assert file.sources
    assert file.vendor.company
    assert file.vendor.privacy.startswith("https://")


@pytest.mark.parametrize("vendor", TWELVE)
def test_no_file_takes_a_shared_domain_as_a_whole(vendor: str) -> None:
    """Search, maps, sign-in, share links and pictures live on the same domains as the trackers."""
    shared = {
        *("google.com", "gstatic.com", "googleapis.com", "googletagmanager.com", "facebook.com", "fbcdn.net"),
        *("linkedin.com", "licdn.com", "tiktok.com", "bing.com", "msn.com", "microsoft.com", "youtube.com"),
        *("pinterest.com", "pinimg.com", "hs-banner.com", "hsappstatic.net"),
    }
    assert shared.isdisjoint(host.name for host in CATALOGUE.vendors[vendor].hosts)


# -- snippets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "vendor", "rule"),
    [
        ("gtag('js', new Date()); gtag('config', 'G-ABCDE12345');", "google-analytics", "gtag-config"),
        ('window.gtag("config","UA-1-1",{page_path:p})', "google-analytics", "gtag-config"),
        ("__gtagTracker( 'config', \"G-ABCDE12345\", { } );", "google-analytics", "gtag-config"),
        ("gtag('event', 'x', { send_to: ['G-ABCDE12345'] })", "google-analytics", "gtag-send-to"),
        ("i['GoogleAnalyticsObject']=r;", "google-analytics", "analytics-js"),
        ("ga('create', 'UA-1-1', 'auto'); ga('send', 'pageview');", "google-analytics", "analytics-js-create"),
        ("_gaq.push(['_setAccount', 'UA-1-1']);", "google-analytics", "ga-js"),
        ("var t = _gat._getTracker('UA-1-1'); t._trackPageview();", "google-analytics", "ga-js-sync"),
        ("pageTracker._trackEvent('a', 'b');", "google-analytics", "ga-js-sync-calls"),
        ("w[l].push({'gtm.start':1}); j=d.createElement(s);", "google-tag-manager", "loader"),
        ("gtag('config', 'AW-1');", "google-ads", "gtag-config"),
        ("gtag('config', `DC-1`);", "google-ads", "gtag-config"),
        ("gtag('event','conversion',{'send_to':'AW-1/x'})", "google-ads", "gtag-conversion"),
        ("window.google_trackConversion({ google_conversion_id: 1 });", "google-ads", "conversion-id"),
        ("var a='//1.fls.doubleclick.net/activityi;src=1;ord=1?'", "google-ads", "floodlight"),
        ("n=f.fbq=function(){n.callMethod?1:0}", "meta", "base"),
        ("fbq('init', '1');", "meta", "init"),
        ("_fbq.push(['addPixelId', '1']);", "meta", "custom-audience"),
        ("fb_param.pixel_id = '1';", "meta", "conversion"),
        ('_linkedin_partner_id = "1";', "linkedin", "partner-id"),
        ('_linkedin_data_partner_id = "1";', "linkedin", "data-partner-id"),
        ("window.lintrk.q=[]", "linkedin", "lintrk-stub"),
        ("w.TiktokAnalyticsObject=t;", "tiktok", "base"),
        ("ttq.load('ABC'); ttq.page();", "tiktok", "load"),
        (
            't=l.createElement(r)})(window, document, "clarity", "script", "a");',
            "microsoft-clarity",
            "snippet-own-host",
        ),
        ("n=d.createElement(t);w[u]=new UET(o)", "microsoft-ads", "uet"),
        ("microsoft_adcenterconversion_domainid = 1;", "microsoft-ads", "adcenter"),
        ("h._hjSettings={hjid:1,hjsv:6};", "hotjar", "snippet"),
        ('(document,"script","hs-analytics",300000);', "hubspot", "analytics-loader"),
        ("hbspt.forms.create({ portalId: '1' });", "hubspot", "form"),
        ("hbspt.cta.load(1, 'x', {});", "hubspot", "call-to-action"),
        ("window.pintrk.queue.push(1)", "pinterest", "base"),
        ("pintrk('load', '1');", "pinterest", "load"),
        ('tag.src = "https://www.youtube.com/iframe_api";', "youtube", "iframe-api"),
        ("d.innerHTML = '<iframe src=\"//www.youtube.com/embed/' + id + '\">'", "youtube", "embed-url"),
    ],
)
def test_each_generation_of_a_snippet_is_known_by_its_globals(code: str, vendor: str, rule: str) -> None:
    """Files are copied, renamed and put together from parts; what the start code is called stays."""
    assert rules_of_code(code) == [(vendor, f"inline.{rule}")]
    assert rules_of_code(code, handler=True) == [(vendor, f"inline.{rule}")]


@pytest.mark.parametrize(
    "code",
    [
        # Signals must pass, and run first.
        "gtag('consent', 'default', {ad_storage: 'denied', analytics_storage: 'denied', wait_for_update: 500});",
        "gtag('consent', 'update', {analytics_storage: 'granted'}); gtag('set', 'url_passthrough', true);",
        "window['ga-disable-G-ABCDE12345'] = true;",
        "fbq('consent', 'revoke');",
        "ttq.holdConsent();",
        "window.uetq = window.uetq || []; window.uetq.push('consent', 'default', {ad_storage: 'denied'});",
        "clarity('consentv2', {ad_Storage: 'denied', analytics_Storage: 'denied'});",
        "pintrk('setconsent', false);",
        "_hsq.push(['doNotTrack']); _hsp.push(['revokeCookieConsent']);",
        # Calls and pushes alone only wait in stubs and queues.
        "window.dataLayer = window.dataLayer || []; function gtag(){dataLayer.push(arguments);} gtag('js', new Date());",
        "dataLayer.push({event: 'purchase', config: 'G-ABCDE12345'});",
        "dataLayer.push({'gtm.start': Date.now(), event: 'gtm.js'});",
        "gtag('event', 'add_to_cart', {value: 1});",
        "ga('send', 'event', 'a', 'b'); _gaq.push(['_trackEvent', 'a', 'b']);",
        "fbq('track', 'Purchase', {value: 1, currency: 'EUR'});",
        "lintrk('track', {conversion_id: 1}); ttq.track('AddToCart'); pintrk('track', 'lead'); hj('event', 'x');",
        "clarity('set', 'plan', 'pro'); uetq.push('event', 'purchase', {revenue_value: 1}); _hsq.push(['trackPageView']);",
        "googletag.cmd.push(function() { googletag.display('ad'); }); (adsbygoogle = window.adsbygoogle || []).push({});",
        "function onYouTubeIframeAPIReady() { new YT.Player('p', {videoId: 'x'}); }",
        # A site's own words and links.
        "function configure(tag) { return tag.config; } var clarity = 'gtag'; create('ga');",
        "var share = 'https://www.facebook.com/sharer/sharer.php?u=' + encodeURIComponent(location.href);",
        "var me = ['https://www.linkedin.com/in/x', 'https://www.youtube.com/@x', 'https://www.pinterest.com/x/'];",
        "var policy = ['https://policies.google.com/privacy', 'https://www.hotjar.com/legal/', 'https://legal.hubspot.com/x'];",
        "var pay = 'https://pay.google.com/gp/p/js/pay.js', map = 'https://maps.googleapis.com/maps/api/js';",
        "document.querySelector('script[src*=\"googletagmanager.com/gtag/js\"]');",
        "// static.hotjar.com is not loaded here\nstart();",
    ],
)
def test_signals_calls_and_words_alike_run(code: str) -> None:
    """A consent default that is held back is no default; a shop whose click handler is held back sells nothing."""
    assert rules_of_code(code) == []
    assert rules_of_code(code, handler=True) == []


@pytest.mark.parametrize(
    ("vendor", "functions"),
    [
        ("google-analytics", {"gtag", "ga"}),
        ("google-ads", {"gtag", "gtag_report_conversion"}),
        ("meta", {"fbq"}),
        ("linkedin", {"lintrk"}),
        ("tiktok", {"ttq"}),
        ("microsoft-clarity", {"clarity"}),
        ("hotjar", {"hj"}),
        ("pinterest", {"pintrk"}),
    ],
)
def test_what_pages_call_has_a_stub(vendor: str, functions: set[str]) -> None:
    """Calls alone are let through: without the stub they would throw, and take the code after them along."""
    assert functions <= set(CATALOGUE.vendors[vendor].stubs.functions)


# -- URLs ---------------------------------------------------------------------------------------------------------------


GA, ADS, GTM = "google-analytics", "google-ads", "google-tag-manager"


@pytest.mark.parametrize(
    ("query", "vendors", "needs"),
    [
        ("?id=G-ABCDE12345", {GA}, ANALYTICS),
        ("?id=UA-12345678-1", {GA}, ANALYTICS),
        ("?l=dataLayer&id=G-ABCDE12345&cx=c", {GA}, ANALYTICS),
        ("?id=AW-123456789", {ADS}, MARKETING),
        ("?id=DC-1234567", {ADS}, MARKETING),
        ("?id=GT-ABC1234", {GA, ADS}, BOTH),
        ("?id=GTM-ABC1234", {GA, ADS, GTM}, BOTH),
        ("?id=XY-1", {GA, ADS}, BOTH),
        ("?id=g-abcde12345", {GA, ADS}, BOTH),
        ("?id=", {GA, ADS}, BOTH),
        ("?id=U", {GA, ADS}, BOTH),
        ("?id=AW", {GA, ADS}, BOTH),
        ("?id=&l=dataLayer", {GA, ADS}, BOTH),
        ("?l=dataLayer", {GA, ADS}, BOTH),
        ("", {GA, ADS}, BOTH),
    ],
)
@pytest.mark.parametrize("path", ["/gtag/js", "/gtag/destination"])
def test_the_shared_file_needs_what_its_id_may_do(
    path: str, query: str, vendors: set[str], needs: frozenset[Category]
) -> None:
    """One file serves analytics and advertising; an unknown id must not bring advertising in as analytics."""
    parsed = url.parse(f"https://www.googletagmanager.com{path}{query}")
    assert parsed is not None
    verdicts = MATCHER.url(parsed)
    assert {verdict.vendor for verdict in verdicts} == vendors
    assert frozenset().union(*(verdict.needs for verdict in verdicts)) == needs


@pytest.mark.parametrize(
    "path", ["", "/", "/gtm.js", "/ns.html", "/a", "/td", "/g", "/gta", "/gtag", "/gtags/x", "/new"]
)
def test_the_rest_of_the_shared_host_is_the_tag_managers(path: str) -> None:
    """No path of that host is free: what is not gtag.js counts as a container, which may load anything."""
    parsed = url.parse(f"https://www.googletagmanager.com{path}?id=GTM-ABC1234")
    assert parsed is not None
    (verdict,) = MATCHER.url(parsed)
    assert (verdict.vendor, verdict.needs) == (GTM, BOTH)


@pytest.mark.parametrize(
    "address",
    [
        "https://www.google.com/recaptcha/api.js",
        "https://www.recaptcha.net/recaptcha/api.js",
        "https://www.google.com/maps/embed?pb=1",
        "https://maps.google.com/maps?q=x&output=embed",
        "https://maps.googleapis.com/maps/api/js",
        "https://fonts.googleapis.com/css2?family=Inter",
        "https://fonts.gstatic.com/s/inter/v13/x.woff2",
        "https://ajax.googleapis.com/ajax/libs/jquery/3.7.1/jquery.min.js",
        "https://accounts.google.com/gsi/client",
        "https://apis.google.com/js/platform.js",
        "https://pay.google.com/gp/p/js/pay.js",
        "https://translate.google.com/translate_a/element.js",
        "https://www.google.com/advanced_search",
        "https://fundingchoicesmessages.google.com/i/pub-1?ers=1",
        "https://www.facebook.com/harbourlane",
        "https://www.facebook.com/sharer/sharer.php?u=x",
        "https://www.facebook.com/trainings",
        "https://scontent.xx.fbcdn.net/v/t1/photo.jpg",
        "https://www.linkedin.com/company/x",
        "https://media.licdn.com/dms/image/x.jpg",
        "https://www.tiktok.com/@x",
        "https://www.bing.com/maps/embed",
        "https://www.youtube.com/watch?v=x",
        "https://www.youtube.com/embeds",
        "https://i.pinimg.com/564x/x.jpg",
        "https://www.pinterest.com/pin/1/",
        "https://js.hs-banner.com/v2/1/banner.js",
        "https://1.fs1.hubspotusercontent-na1.net/hubfs/1/x.jpg",
        "https://www.hubspot.com/",
        "https://clarity.microsoft.com/",
        "https://google-analytics.com.evil.example/analytics.js",
        "https://xgoogle-analytics.com/analytics.js",
        "https://site.example/tr?id=1",
        "https://site.example/gtag.js",
        "https://site.example/pin.js?redirect=https://ct.pinterest.com/v3/",
    ],
)
def test_neighbours_of_the_trackers_are_left_alone(address: str) -> None:
    """Maps, sign-in, fonts, captchas, share links and consent banners are not what was refused."""
    assert rules_of_url(address) == []


@pytest.mark.parametrize(
    ("address", "vendor"),
    [
        ("https://region1.google-analytics.com/g/collect?v=2", GA),
        ("https://site.example/metrics/gtag/js?id=G-ABCDE12345", GA),
        ("https://sgtm.site.example/g/collect?v=2&tid=G-ABCDE12345", GA),
        ("https://sgtm.site.example/gtm.js?id=GTM-ABC1234", GTM),
        ("https://td.doubleclick.net/td/rul/1", ADS),
        ("https://ep1.adtrafficquality.google/getconfig/sodar", ADS),
        ("https://www.google.co.uk/pagead/1p-user-list/1/?x", ADS),
        ("https://imasdk.googleapis.com/js/sdkloader/ima3.js", ADS),
        ("https://www.facebook.com/tr/?id=1", "meta"),
        ("https://facebook.com/v19.0/plugins/comments.php?href=x", "meta"),
        ("https://px4.ads.linkedin.com/wa/", "linkedin"),
        ("https://analytics-ipv6.tiktokw.us/ipv6/enrich_ipv6", "tiktok"),
        ("https://www.clarity.ms/eus2-b/collect", "microsoft-clarity"),
        ("https://bat.bing.net/actionp/0?ti=1", "microsoft-ads"),
        ("wss://ws.hotjar.com/api/v2/client/ws", "hotjar"),
        ("https://vc.hotjar.io/sessions/1", "hotjar"),
        ("https://js-eu1.hsforms.net/forms/embed/1.js", "hubspot"),
        ("https://forms-eu1.hubspot.com/collected-forms/v1/config/json", "hubspot"),
        ("https://s.pinimg.com/ct/core.js", "pinterest"),
        ("https://www.youtube.com/youtubei/v1/log_event", "youtube"),
    ],
)
def test_collection_hosts_and_paths_of_tomorrow_are_known(address: str, vendor: str) -> None:
    """What the scripts send is found by the same table as the scripts, on the site's own hosts as far as it shows."""
    assert [found for found, _ in rules_of_url(address)] == [vendor]


def test_display_features_of_old_analytics_need_both() -> None:
    """dc.js is analytics served from, and reporting to, the advertising host."""
    assert rules_of_url("https://stats.g.doubleclick.net/dc.js") == [
        (ADS, "hosts.doubleclick.net"),
        (GA, "scripts.dc-js"),
    ]


def test_a_subscribe_button_needs_its_mark_in_the_page() -> None:
    """platform.js serves sign-in too: only a page that holds the button loads it for YouTube."""
    parsed = url.parse("https://apis.google.com/js/platform.js")
    assert parsed is not None
    marks = MATCHER.marks_in(b'<div class="g-ytsubscribe" data-channelid="x">')
    assert [verdict.rule for verdict in MATCHER.url(parsed, marks=marks)] == ["scripts.subscribe-button"]
    assert MATCHER.url(parsed, marks=frozenset()) == ()


# -- cookies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "vendor", "glob", "lifetime"),
    [
        ("_ga", GA, "_ga", "2y"),
        ("_ga_ABCDE12345", GA, "_ga_*", "2y"),
        ("_gid", GA, "_gid", "24h"),
        ("_gat", GA, "_gat", "1min"),
        ("_gat_gtag_UA_1_1", GA, "_gat_*", "1min"),
        ("_dc_gtm_UA-1-1", GA, "_dc_gtm_*", "1min"),
        ("__utma", GA, "__utma", "2y"),
        ("__utmz", GA, "__utmz", "6mo"),
        ("__utmxx", GA, "__utmx*", "18mo"),
        ("_gcl_au", ADS, "_gcl_*", "90d"),
        ("_gcl_aw", ADS, "_gcl_*", "90d"),
        ("_gac_UA-1-1", ADS, "_gac_*", "90d"),
        ("__gads", ADS, "__gads", "13mo"),
        ("_fbp", "meta", "_fbp", "90d"),
        ("_fbc", "meta", "_fbc", "90d"),
        ("li_fat_id", "linkedin", "li_fat_id", "30d"),
        ("_ttp", "tiktok", "_ttp", "13mo"),
        ("_clck", "microsoft-clarity", "_clck", "1y"),
        ("_clsk", "microsoft-clarity", "_clsk", "1d"),
        ("_uetsid", "microsoft-ads", "_uetsid", "1d"),
        ("_uetvid", "microsoft-ads", "_uetvid", "13mo"),
        ("_hjSessionUser_1234567", "hotjar", "_hjSessionUser_*", "365d"),
        ("_hjSession_1234567", "hotjar", "_hjSession_*", "30min"),
        ("_hjIncludedInSessionSample_1234567", "hotjar", "_hjIncludedInSessionSample*", "30min"),
        ("__hstc", "hubspot", "__hstc", "6mo"),
        ("hubspotutk", "hubspot", "hubspotutk", "6mo"),
        ("__hssc", "hubspot", "__hssc", "30min"),
        ("__hssrc", "hubspot", "__hssrc", "session"),
        ("_pin_unauth", "pinterest", "_pin_unauth", "1y"),
        ("_derived_epik", "pinterest", "_derived_epik", "1y"),
    ],
)
def test_first_party_cookies_are_known_with_their_lifetimes(name: str, vendor: str, glob: str, lifetime: str) -> None:
    """They are taken out of heads, deleted on withdrawal, and printed on the privacy page."""
    assert [(found.vendor, found.rule) for found in MATCHER.cookie(name)] == [(vendor, f"cookies.{glob}")]
    rule = next(cookie for cookie in CATALOGUE.vendors[vendor].cookies if cookie.name == glob)
    assert (rule.lifetime, rule.party) == (lifetime, "first")
    assert rule.purpose
    assert rule.source


@pytest.mark.parametrize(
    "name",
    [
        *(
            "IDE",
            "DSID",
            "test_cookie",
            "fr",
            "datr",
            "sb",
            "bcookie",
            "lidc",
            "MUID",
            "MR",
            "SM",
            "CLID",
            "PREF",
            "GPS",
        ),
        *("YSC", "VISITOR_INFO1_LIVE", "UserMatchHistory", "_pinterest_sess", "_routing_id", "ar_debug", "msToken"),
    ],
)
def test_cookies_of_the_vendors_own_hosts_are_known_and_not_acted_on(name: str) -> None:
    """In a head of the site, a cookie of that name is the site's: PREF may hold its language."""
    assert MATCHER.cookie(name) == ()
    assert MATCHER.cookie(name, mentions=True) != ()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "__hs_cookie_cat_pref",
            "__hs_opt_out",
            "__hs_initial_opt_in",
            "__hs_do_not_track",
            "__hs_gpc_banner_dismiss",
        ),
        *(
            "OptanonConsent",
            "OptanonAlertBoxClosed",
            "CookieConsent",
            "euconsent-v2",
            "FCCDCF",
            "FCNEC",
            "didomi_token",
        ),
        *(
            "_uetmsdns",
            "__gpi_optout",
            "_GRECAPTCHA",
            "hs_ab_test",
            "__hsmem",
            "PHPSESSID",
            "session",
            "_gateway",
            "_GA",
            "_fbpx",
            "_hj",
            "_clckx",
        ),
    ],
)
def test_answers_to_banners_and_cookies_of_the_site_are_nobodys(name: str) -> None:
    """Deleting the visitor's answer asks him again for ever; deleting the session logs him out."""
    assert [found for found in MATCHER.cookie(name, mentions=True) if found.vendor in TWELVE] == []


# -- forms and server interfaces ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        "https://forms.hubspot.com/uploads/form/v2/1234567/00000000-0000-0000-0000-000000000000",
        "https://forms.hsforms.com/submissions/v3/public/submit/formsnext/multipart/1234567/x",
        "https://api.hsforms.com/submissions/v3/integration/submit/1234567/x",
    ],
)
def test_a_form_to_hubspot_goes_without_its_tracking_field(action: str) -> None:
    """hs_context carries the visitor id into the contact record; the visitor sends the rest himself."""
    parsed = url.parse(action)
    assert parsed is not None
    (verdict,) = MATCHER.form(parsed, {"method": "post"})
    assert (verdict.vendor, verdict.hidden, verdict.needs) == ("hubspot", frozenset({"hs_context"}), BOTH)


@pytest.mark.parametrize(
    ("vendor", "beacon", "host", "secrets"),
    [
        (GA, "measurement-protocol", "www.google-analytics.com", {"api_secret"}),
        (ADS, "upload-click-conversions", "googleads.googleapis.com", {"access_token", "developer_token"}),
        ("meta", "conversions-api", "graph.facebook.com", {"access_token"}),
        ("linkedin", "conversions-api", "api.linkedin.com", {"access_token"}),
        ("tiktok", "events-api", "business-api.tiktok.com", {"access_token"}),
        ("microsoft-ads", "conversions-api", "capi.uet.microsoft.com", {"access_token"}),
        ("hubspot", "event", "api.hubapi.com", {"access_token"}),
        ("pinterest", "conversions-api", "api.pinterest.com", {"access_token"}),
    ],
)
def test_server_interfaces_name_their_secrets_and_hold_none(
    vendor: str, beacon: str, host: str, secrets: set[str]
) -> None:
    """What is sent on after consent goes there; a key that is not named as a secret would end in a file."""
    rule = next(entry for entry in CATALOGUE.vendors[vendor].beacons if entry.id == beacon)
    assert rule.relay
    assert rule.method == "POST"
    assert rule.url.startswith(f"https://{host}/")
    assert set(rule.secrets) == secrets
    used = re.findall(r"\{secret:([a-z_]+)\}", " ".join((rule.url, *rule.headers.values())))
    assert set(used) == secrets


@pytest.mark.parametrize("vendor", TWELVE)
def test_each_file_says_how_the_vendor_hears_of_a_yes_and_a_no(vendor: str) -> None:
    """A withdrawal that the running script does not hear of is none."""
    file = CATALOGUE.vendors[vendor]
    assert file.grant.call or file.grant.note
    assert file.withdraw.call or file.withdraw.reload
    assert file.withdraw.delete_cookies


# -- a whole page ---------------------------------------------------------------------------------------------------------


def test_a_page_with_all_vendors_loses_exactly_what_contacts_them() -> None:
    """Each hint, snippet, pixel and frame, and none of the things that only look like it."""
    _, withheld = rewritten(NOTHING)
    assert sorted(withheld) == sorted(WITHHELD)
    assert {vendor for _, vendor, _ in withheld} == set(TWELVE)


def test_consent_defaults_look_alikes_and_neighbours_stay_byte_for_byte() -> None:
    """Whatever stands between the keep marks was never the vendors'."""
    out, _ = rewritten(NOTHING)
    kept = re.findall(rb"<!-- keep -->.*?<!-- /keep -->", PAGE, re.DOTALL)
    assert len(kept) == 3
    assert [part for part in kept if part not in out] == []


# A mere connection to a host of several vendors is needed by each of them.
SHARED_CONNECTION = {"hint-gtm": {"google-tag-manager", "google-analytics", "google-ads"}}


def expected_without(allowed: set[str]) -> list[tuple[str, str, str]]:
    """What is withheld from a visitor who allows the vendors *allowed*."""
    return [
        entry for entry in WITHHELD if entry[1] not in allowed and not SHARED_CONNECTION.get(entry[0], set()) & allowed
    ]


@pytest.mark.parametrize("category", [Category.ANALYTICS, Category.MARKETING])
def test_one_category_releases_its_own_vendors_only(category: Category) -> None:
    """Whoever agrees to statistics has not agreed to advertising, nor the other way round; a tag manager needs both."""
    _, withheld = rewritten(decision(category))
    needs = {vendor: frozenset(CATALOGUE.vendors[vendor].consent.categories) for vendor in TWELVE}
    allowed = {vendor for vendor in TWELVE if needs[vendor] <= {category}}
    assert sorted(withheld) == sorted(expected_without(allowed))


@pytest.mark.parametrize("vendor", TWELVE)
def test_a_yes_to_one_vendor_by_name_releases_that_vendor_only(vendor: str) -> None:
    """A placeholder's yes for one video must not start the trackers around it."""
    _, withheld = rewritten(decision(vendors=(vendor,)))
    assert sorted(withheld) == sorted(expected_without({vendor}))


def test_whoever_agreed_to_everything_gets_the_page_byte_for_byte() -> None:
    """The site owner's own page is the reference."""
    assert rewritten(decision(*EVERYTHING)) == (PAGE, [])
