"""AMP elements: what they make the AMP runtime load once it has taken them over.

`src` and its like hold addresses. A player or an embed names a video by its id alone, and an ad or a counter its network by
`type`: for these the table tells an address that the component then asks, which the rules know. Whom a `type` means that is not
listed here is not known.

An element whose attributes are out of force is one that AMP refuses to build: each of these components demands what it is to load.
The components' own code comes from AMP's network, for everybody alike, and is nobody's in this table.

Source: the components' reference (amp.dev) and the configurations of networks and counters in ampproject/amphtml.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.withheld import Kind

# What these load stands in attributes; amp-pixel's address is all that it is.
_ADDRESSED: dict[bytes, Kind] = {
    b"amp-anim": Kind.IMAGE,
    b"amp-audio": Kind.MEDIA,
    b"amp-call-tracking": Kind.SCRIPT,
    b"amp-google-document-embed": Kind.IFRAME,
    b"amp-iframe": Kind.IFRAME,
    b"amp-iframely": Kind.IFRAME,
    b"amp-img": Kind.IMAGE,
    b"amp-list": Kind.SCRIPT,
    b"amp-onetap-google": Kind.IFRAME,
    b"amp-pixel": Kind.PIXEL,
    b"amp-script": Kind.SCRIPT,
    b"amp-state": Kind.SCRIPT,
    b"amp-story-player": Kind.IFRAME,
    b"amp-video": Kind.MEDIA,
    b"amp-video-iframe": Kind.IFRAME,
    b"amp-wordpress-embed": Kind.IFRAME,
}
_ADDRESSES = (b"src", b"poster", b"config", b"data-src", b"data-url", b"data-domain", b"artwork")
_ADDRESS_SETS = (b"srcset",)

# What these ask, before the id that stands in the attribute.
_EMBEDS: dict[bytes, tuple[str, bytes]] = {
    b"amp-addthis": ("https://s7.addthis.com/js/300/addthis_widget.js#", b"data-pub-id"),
    b"amp-apester-media": ("https://renderer.apester.com/", b"data-apester-media-id"),
    b"amp-beopinion": ("https://widget.beop.io/sdk.js#", b"data-account"),
    b"amp-brid-player": ("https://services.brid.tv/services/iframe/video/", b"data-video"),
    b"amp-brightcove": ("https://players.brightcove.net/", b"data-account"),
    b"amp-dailymotion": ("https://www.dailymotion.com/embed/video/", b"data-videoid"),
    b"amp-embedly-card": ("https://cdn.embedly.com/widgets/platform.js#", b"data-url"),
    b"amp-facebook": ("https://connect.facebook.net/en_US/sdk.js#", b"data-href"),
    b"amp-facebook-comments": ("https://connect.facebook.net/en_US/sdk.js#", b"data-href"),
    b"amp-facebook-like": ("https://connect.facebook.net/en_US/sdk.js#", b"data-href"),
    b"amp-facebook-page": ("https://connect.facebook.net/en_US/sdk.js#", b"data-href"),
    b"amp-gist": ("https://gist.github.com/", b"data-gistid"),
    b"amp-hulu": ("https://secure.hulu.com/dash/mobile_embed.html?eid=", b"data-eid"),
    b"amp-imgur": ("https://imgur.com/", b"data-imgur-id"),
    b"amp-instagram": ("https://www.instagram.com/p/", b"data-shortcode"),
    b"amp-jwplayer": ("https://content.jwplatform.com/players/", b"data-media-id"),
    b"amp-kaltura-player": ("https://cdnapisec.kaltura.com/p/", b"data-partner"),
    b"amp-megaphone": ("https://playlist.megaphone.fm/?p=", b"data-playlist"),
    b"amp-pinterest": ("https://widgets.pinterest.com/v3/pidgets/pins/info/?pin_ids=", b"data-url"),
    b"amp-playbuzz": ("https://www.playbuzz.com/item/", b"data-item"),
    b"amp-reddit": ("https://embed.redditmedia.com/widgets/platform.js#", b"data-src"),
    b"amp-riddle-quiz": ("https://www.riddle.com/a/", b"data-riddle-id"),
    b"amp-skimlinks": ("https://r.skimresources.com/api/", b"publisher-code"),
    b"amp-soundcloud": ("https://w.soundcloud.com/player/?url=", b"data-trackid"),
    b"amp-tiktok": ("https://www.tiktok.com/embed/v2/", b"data-src"),
    b"amp-twitter": ("https://platform.twitter.com/widgets.js#", b"data-tweetid"),
    b"amp-vimeo": ("https://player.vimeo.com/video/", b"data-videoid"),
    b"amp-wistia-player": ("https://fast.wistia.net/embed/iframe/", b"data-media-hashed-id"),
    b"amp-yotpo": ("https://staticw2.yotpo.com/", b"data-app-key"),
    b"amp-youtube": ("https://www.youtube.com/embed/", b"data-videoid"),
}

# Whom these ask, by their type.
_NETWORKS: dict[str, str] = {
    "a9": "https://z-na.amazon-adsystem.com/widgets/onejs",
    "adsense": "https://pagead2.googlesyndication.com/pagead/js/adsbygoogle.js",
    "appnexus": "https://acdn.adnxs.com/ast/ast.js",
    "criteo": "https://static.criteo.net/js/ld/publishertag.js",
    "doubleclick": "https://securepubads.g.doubleclick.net/tag/js/gpt.js",
    "ix": "https://js-sec.indexww.com/apl/amp.js",
    "medianet": "https://contextual.media.net/",
    "mgid": "https://jsc.mgid.com/",
    "outbrain": "https://widgets.outbrain.com/widgetAMP/outbrainAMP.min.js",
    "pubmatic": "https://ads.pubmatic.com/AdServer/js/amp.js",
    "revcontent": "https://labs-cdn.revcontent.com/build/amphtml/revcontent.amp.min.js",
    "smartadserver": "https://ec-ns.sascdn.com/diff/js/amp.v0.js",
    "sovrn": "https://ap.lijit.com/www/sovrn_amp/sovrn_ads.js",
    "taboola": "https://cdn.taboola.com/libtrc/",
    "teads": "https://s8t.teads.tv/media/format/v3/teads-format.min.js",
    "yahoo": "https://s.yimg.com/aaq/ampad/display.js",
    "yandex": "https://yastatic.net/partner-code/loaders/context_amp.js",
}
_COUNTERS: dict[str, str] = {
    "chartbeat": "https://ping.chartbeat.net/ping",
    "comscore": "https://sb.scorecardresearch.com/b",
    "facebookpixel": "https://www.facebook.com/tr",
    "googleadwords": "https://www.googleadservices.com/pagead/conversion/",
    "googleanalytics": "https://www.google-analytics.com/collect",
    "gtag": "https://www.googletagmanager.com/gtag/js",
    "metrika": "https://mc.yandex.ru/watch/",
    "parsely": "https://srv.pixel.parsely.com/plogger/",
    "quantcast": "https://pixel.quantserve.com/pixel",
    "segment": "https://api.segment.io/v1/pixel/page",
}
_TYPED: dict[bytes, tuple[Kind, Mapping[str, str]]] = {
    b"amp-ad": (Kind.IFRAME, _NETWORKS),
    b"amp-analytics": (Kind.SCRIPT, _COUNTERS),
    b"amp-auto-ads": (Kind.IFRAME, _NETWORKS),
    b"amp-embed": (Kind.IFRAME, _NETWORKS),
    b"amp-story-auto-ads": (Kind.IFRAME, _NETWORKS),
    b"amp-story-auto-analytics": (Kind.SCRIPT, MappingProxyType({"": _COUNTERS["gtag"]})),
}

ELEMENTS = frozenset(_ADDRESSED) | frozenset(_EMBEDS) | frozenset(_TYPED)

# Elements whose JSON, in a script inside them, names addresses that they ask.
CONFIGURED = frozenset(_TYPED)

# How an element looks and where it stands; all else of an embed, an ad or a counter is what it is to load.
_LOOK = frozenset(
    b"alt class data-consent dir fallback heights height hidden id lang layout media noloading on placeholder role sizes style "
    b"tabindex title width".split()
)


def addresses(name: bytes, values: Mapping[bytes, str]) -> tuple[str, ...]:
    """What an element of ELEMENTS asks, as far as it is known."""
    found = [values[holder] for holder in _ADDRESSES if holder in values]
    if name in _EMBEDS:
        begin, holder = _EMBEDS[name]
        found.append(begin + values.get(holder, ""))
    elif name in _TYPED:
        asked = _TYPED[name][1].get(values.get(b"type", "").strip().lower())
        found += [asked] if asked else []
    return tuple(found)


def kind(name: bytes) -> Kind:
    """How to call an element of ELEMENTS."""
    if name in _ADDRESSED:
        return _ADDRESSED[name]
    return _TYPED[name][0] if name in _TYPED else Kind.IFRAME


def holders(name: bytes, values: Mapping[bytes, str]) -> frozenset[bytes]:
    """The attributes without which an element of ELEMENTS loads nothing."""
    if name in _ADDRESSED:
        return frozenset((*_ADDRESSES, *_ADDRESS_SETS))
    return frozenset(name for name in values if name not in _LOOK and not name.startswith((b"aria-", b"i-amphtml-")))
