"""Rule sets for measurements: the shipped vendor files, well-known vendors beside them, and invented ones up to any number.

The well-known hosts are common knowledge, chosen because pages of news sites name them, so that the work is real. They are
no rules that anybody should run: a whole host at a time, one signature each, and no word on what it is for.
"""

import itertools
import random
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SHIPPED = Path(__file__).parent.parent.parent / "rules" / "vendors"

# host, and a string by which the vendor's inline code is known; none where it has no such code.
_WELL_KNOWN = (
    ("facebook.com", "FB.init("),
    ("fbcdn.net", ""),
    ("twitter.com", "twttr."),
    ("twimg.com", "new TWTR.Widget"),
    ("doubleclick.net", "GA_googleFillSlot"),
    ("2mdn.net", ""),
    ("googlesyndication.com", "google_ad_client"),
    ("googletagservices.com", "googletag.cmd"),
    ("googleadservices.com", "google_conversion_id"),
    ("apis.google.com", "gapi.plusone"),
    ("scorecardresearch.com", "COMSCORE"),
    ("quantserve.com", "_qevents"),
    ("outbrain.com", "OutbrainPermaLink"),
    ("disqus.com", "disqus_shortname"),
    ("disquscdn.com", ""),
    ("linkedin.com", "IN.init"),
    ("bizographics.com", "_bizo_data_partner_id"),
    ("addthis.com", "addthis_config"),
    ("sharethis.com", "stLight.options"),
    ("chartbeat.com", "_sf_async_config"),
    ("chartbeat.net", ""),
    ("imrworldwide.com", "NOLCMB"),
    ("krxd.net", "Krux("),
    ("bluekai.com", "bk_addPageCtx"),
    ("taboola.com", "_taboola"),
    ("reddit.com", "reddit_url"),
    ("pinterest.com", "pinit"),
    ("stumbleupon.com", ""),
    ("digg.com", "digg_url"),
    ("collective-media.net", "cm.page"),
    ("revsci.net", "rsi_now"),
    ("adtechus.com", "ADTECH."),
    ("adtech.de", ""),
    ("zedo.com", "zedo_"),
    ("effectivemeasure.net", "_em.trackDefault"),
    ("industrybrains.com", ""),
    ("perfectmarket.com", "perfectmarket"),
    ("optimizely.com", "optimizely.push"),
    ("omtrdc.net", "s_account"),
    ("2o7.net", "s.t()"),
    ("webtrendslive.com", "WebTrends("),
    ("gigya.com", "gigya."),
    ("crazyegg.com", ""),
    ("crwdcntrl.net", "_cc13"),
    ("newrelic.com", "NREUM"),
    ("fyre.co", "fyre."),
    ("livefyre.com", "LF.CommentCount"),
    ("brightcove.com", "brightcove.createExperiences"),
    ("tynt.com", "Tynt="),
    ("tiqcdn.com", "utag_data"),
    ("adnxs.com", "apntag."),
    ("rubiconproject.com", "rp_account"),
    ("openx.net", "OX_ads"),
    ("pubmatic.com", "pubId ="),
    ("criteo.com", "criteo_q"),
    ("criteo.net", ""),
    ("mathtag.com", ""),
    ("turn.com", ""),
    ("serving-sys.com", "ebServer"),
    ("atdmt.com", ""),
    ("yieldmanager.com", "rmxads"),
    ("media6degrees.com", ""),
    ("exelator.com", ""),
    ("demdex.net", "demdex"),
    ("rlcdn.com", ""),
    ("adsafeprotected.com", ""),
    ("adroll.com", "adroll_adv_id"),
    ("mookie1.com", ""),
    ("tribalfusion.com", "TFTagIn"),
    ("kontera.com", "dc_AdLinkColor"),
    ("vibrantmedia.com", ""),
    ("infolinks.com", "infolink_pid"),
    ("wp.com", "st_go("),
    ("gravatar.com", ""),
    ("dl-rms.com", ""),
    ("btrd.net", "bt_site"),
    ("legolas-media.com", ""),
    ("visualrevenue.com", "_vrq"),
    ("parsely.com", "PARSELY"),
    ("simplereach.com", "__reach_config"),
    ("cxense.com", "cX.callQueue"),
    ("sophus3.com", ""),
    ("zopim.com", "$zopim"),
    ("mixpanel.com", "mixpanel.init"),
    ("kissmetrics.com", "_kmq"),
    ("statcounter.com", "sc_project"),
    ("histats.com", "Histats."),
    ("yandex.ru", "yaCounter"),
)

# What invented names are made of; the order of their pairs is mixed by a fixed seed, so that every run has the same.
_FIRST = (
    "ad audience beacon campaign channel click cohort crowd data event funnel heat impression insight lead lens "
    "market metric mirror moment orbit panel path pixel prism pulse reach retarget ripple sample segment session "
    "signal spark stack stream swift tag target trace track trail trend value view visit wave"
)
_SECOND = (
    "base bay box bridge burst cast cloud craft deck desk dock drive engine field fleet flow forge gate grid ground "
    "hub kit lab layer line link loop matic mind mine nest net ops pilot point port press rank scope sense server "
    "shop side sight smith source space sphere spot stats ware watch wise works yard zone"
)
_ENDS = ("com", "net", "io", "co.uk", "de", "media", "co", "org")


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Vendor files by name, and what they hold in the words of a program that knows hosts and strings only."""

    files: Mapping[str, bytes]
    hosts: frozenset[str]
    signatures: tuple[tuple[str, ...], ...]  # of each inline rule, the strings that must all stand in one script


def rule_set(*, vendors: int, signatures: int) -> RuleSet:
    """As many vendors as *vendors* and as many inline rules as *signatures*, shipped ones first; ValueError if they are more."""
    files = {path.name: path.read_bytes() for path in sorted(SHIPPED.glob("*.toml"))}
    shipped = [tomllib.loads(data.decode()) for data in files.values()]
    left = signatures - sum(len(table.get("inline", ())) for table in shipped)
    if len(files) > vendors or left < 0:
        raise ValueError("there are more shipped vendors, or signatures of theirs, than asked for")
    taken = {host["name"] for table in shipped for host in table.get("hosts", ())}
    known = [entry for entry in _WELL_KNOWN if entry[0] not in taken]
    for number, (host, signature) in enumerate(itertools.islice(_vendors(known), vendors - len(files))):
        # The last files carry what is left of the signatures where vendors are few.
        count = 0 if left == 0 or not signature else 1
        left -= count
        files[f"bench-{number:05}.toml"] = _file(number, host, (signature,) * count)
    if left:
        name = f"bench-{vendors - len(shipped) - 1:05}.toml"
        files[name] += b"".join(_inline(f"more-{n}", f"moreQueue{n:04}.push") for n in range(left))
    tables = [tomllib.loads(data.decode()) for data in files.values()]
    return RuleSet(
        files,
        frozenset(host["name"] for table in tables for host in table.get("hosts", ())),
        tuple(tuple(rule["all"]) for table in tables for rule in table.get("inline", ())),
    )


def _vendors(known: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Host and signature of the well-known, then of invented ones without end."""
    yield from known
    pairs = list(itertools.product(_FIRST.split(), _SECOND.split()))
    random.Random(1).shuffle(pairs)  # noqa: S311 - the same names in every run
    for turn in itertools.count():
        for number, (first, second) in enumerate(pairs):
            name = f"{first}{second}{turn or ''}"
            end = _ENDS[number % len(_ENDS)]
            yield f"{name}.{end}", f"{first}{second.title()}{turn or ''}Queue.push"


def _file(number: int, host: str, signatures: tuple[str, ...]) -> bytes:
    head = (
        f'format = 1\n[vendor]\nid = "bench-{number:05}"\nname = "{host}"\n'
        f'[consent]\ncategories = ["marketing"]\n[[hosts]]\nname = "{host}"\n'
    )
    return head.encode() + b"".join(_inline(f"code-{n}", text) for n, text in enumerate(signatures))


def _inline(rule_id: str, signature: str) -> bytes:
    return f"[[inline]]\nid = \"{rule_id}\"\nall = ['{signature}']\n".encode()
