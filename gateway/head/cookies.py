"""Cookies in heads, cut out of the raw bytes.

Nothing is parsed and written again: the standard parsers damage values with quotes, spaces, `Partitioned` or a date.
Whose a cookie is, is told by its name alone, which is found as browsers find it.

    Cookie       pieces between `;`; name up to the first `=`; a piece without `=` is a name without a value
    Set-Cookie   name up to the first `=` before the first `;`, spaces and tabs around it left out (RFC 6265bis, 5.6);
                 a cookie without a name is nobody's and passes

The cookies in which consent platforms keep the visitor's answer are never touched, whatever a vendor's rule says: a
vendor's glob (`__hs*`) may cover them, and without them the visitor would be asked again and again.
"""

import re

from gateway.head.fields import OWS, Lines
from gateway.head.judge import Judge
from gateway.withheld import Kind

# Where platforms keep answers: IAB strings, then one line a platform. Not a list of readers: of what must survive.
_CONSENT_COOKIES = re.compile(
    rb"""
    euconsent-v2 | eupubconsent-v2 | dm-euconsent-v2 | ez-consent-tcf | addtl_consent
    | usprivacy | us_privacy | __?gpp | gpp | gpp_sid | IABGPP_HDR_GppString | OTGPPConsent\d* | OTAdditionalConsentString
    | OptanonConsent | OptanonAlertBoxClosed
    | CookieConsent | CookieConsentBulkSetting-.*
    | cookieyes-consent | viewed_cookie_policy | cookielawinfo-checkbox-.* | CookieLawInfoConsent
    | cmplz_.* | wp_consent_.*
    | FCCDCF | FCNEC | FCOEC
    | didomi_token | didomi_dcs
    | consentUUID | consentDate | usnatUUID | ccpaUUID
    | __cmp(consent|cvc|cpc|ccpausps|ccx|iab|gpp).*
    | notice_gdpr_prefs | notice_preferences | notice_behavior | cmapi_.*
    | _iub_cs-.* | osano_consentmanager.* | cookieconsent_status
    | axeptio_cookies | axeptio_authorized_vendors | axeptio_all_vendors
    | borlabs-cookie | real_cookie_banner.* | moove_gdpr_popup | cookie_notice_accepted | hu-consent | wpl_user_preference
    | klaro | tarteaucitron | cc_cookie | CookieControl | cookiehub | cookiefirst-consent | CookieInformationConsent
    | CookieScriptConsent | _ketch_consent_v1_ | _swb_consent_ | tcm | fides_consent.* | _tracking_consent
    | cookie-agreed.* | __hs_cookie_cat_pref | __hs_opt_out | __hs_initial_opt_in | CONSENTMGR | consent-policy
    | ppms_privacy_.* | _pandectes_gdpr | cookie_consent | TC_PRIVACY.* | kndctr_.*_consent
    | ccm_consent | sp_dpr | _evidon_consent_cookie | c15t
    """,
    re.VERBOSE | re.DOTALL,
)

# A date before the year 2000 is past without a look at the clock; servers that remove a cookie write 1970. The grammar is
# narrower than the browsers' (RFC 6265bis, 5.5): what they may read as another date is not a removal.
_LONG_PAST = re.compile(
    rb"(?:[a-z]{3,9}, ?)?(?:0[1-9]|[12]\d|3[01])[ -]"
    rb"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[ -]19\d\d (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?: gmt)?",
    re.IGNORECASE,
)


def filter_cookie(lines: Lines, judge: Judge, *, own: bytes) -> None:
    """Without the gateway's *own* cookie and the cookies of refused vendors; a field that is emptied goes."""

    def is_cut(name: bytes) -> bool:
        return name == own or (not judge.refuses_nothing and _is_refused(name, judge, Kind.COOKIE))

    def change(value: bytes) -> bytes | None:
        pieces = value.split(b";")
        kept = [piece for piece in pieces if not is_cut(piece.partition(b"=")[0].strip(OWS))]
        if len(kept) == len(pieces):
            return value
        return b";".join(kept).strip(OWS) or None

    lines.edit(b"cookie", change)


def filter_set_cookie(lines: Lines, judge: Judge) -> None:
    """Without the lines that set a cookie of a refused vendor. A line that removes such a cookie does what we want."""

    def change(value: bytes) -> bytes | None:
        pair, *attributes = value.split(b";")
        name, equals, _ = pair.partition(b"=")
        if not equals or _removes(attributes):
            return value
        return None if _is_refused(name.strip(OWS), judge, Kind.SET_COOKIE) else value

    lines.edit(b"set-cookie", change)


def _is_refused(name: bytes, judge: Judge, kind: Kind) -> bool:
    if not name or _CONSENT_COOKIES.fullmatch(name):
        return False
    return judge.refuses_cookie(name, kind)


def _removes(attributes: list[bytes]) -> bool:
    """The cookie is over as it arrives: Max-Age wins over Expires, a later attribute over an earlier one."""
    max_age = expires = None
    for attribute in attributes:
        name, _, value = attribute.partition(b"=")
        name, value = name.strip(OWS).lower(), value.strip(OWS)
        if name == b"max-age" and re.fullmatch(rb"-?\d+", value):
            max_age = value
        elif name == b"expires":
            expires = value
    if max_age is not None:
        return max_age.startswith(b"-") or not max_age.strip(b"0")
    return expires is not None and _LONG_PAST.fullmatch(expires) is not None
