"""The response's way down: what the client is told, and what happens to the body.

The plan, first row that fits:

    the body                                             plan      named
    none: HEAD, whose head is as for GET; 204; 304       pass
    empty; not a page: another type, or a download       pass
    a page for somebody who agreed to everything         pass
    of no type, where browsers look into it              guard     sniffed-type
    a part of a page, or no-transform                    guard     partial-page
    in a coding that cannot be opened                    guard     unreadable-coding
    in an encoding that cannot be scanned                guard     unreadable-charset
    a page                                               rewrite

A guarded page gets a Content-Security-Policy of its own, in a field of its own: policies intersect, so it only tightens, and
the site's own stays as it is. Nothing but this site can be contacted then; inline code runs, forms post where they posted.

Alt-Svc is left out: it leads browsers to the origin's other doors, which are not gated.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.coding import IDENTITY
from gateway.consent.model import Decision
from gateway.errors import OriginFault
from gateway.head.caching import (
    DIGEST_FIELDS,
    drop_validators,
    is_marked,
    make_private,
    mark_validators,
)
from gateway.head.cookies import filter_set_cookie
from gateway.head.fields import OWS, Flaw, Lines, flaw_in, has_control_bytes, is_length
from gateway.head.hints import filter_hints
from gateway.head.judge import Judge
from gateway.head.media import (
    MediaType,
    forbids_transforming,
    is_download,
    is_likely_page,
    is_sniffed,
    may_be_shown,
    media_type,
)
from gateway.head.model import ClientHead, Plan, RequestHead, ResponseHead
from gateway.head.negotiation import accepts, coding_of
from gateway.page.encoding import Family, family_of
from gateway.vendors.match import Matcher
from gateway.withheld import Degraded

# Everything that fetches falls back to default-src; form-action and navigation do not, and stay free.
GUARD_POLICY = b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: mediastream: filesystem:"

_BODILESS = frozenset({204, 304})

# A 416 answers with Content-Range and a page that is whole.
_WHOLE_WITH_RANGE = 416

_DEAD_WHEN_REWRITTEN = DIGEST_FIELDS | {b"accept-ranges", b"content-length"}


class OriginRefusal(StrEnum):
    """Why a response is refused."""

    INTERIM_STATUS = "interim-status"  # 101 to a client that did not ask; other 1xx never come here
    FIELD_NAME = "response-field-name"  # not a token
    FIELD_VALUE = "response-field-value"  # control bytes: NUL, CR and LF split responses, none is allowed
    FRAMING = "response-framing"  # Content-Length repeated, malformed or beside Transfer-Encoding; the latter on 1.0
    TRANSFER_CODING = (
        "response-transfer-coding"  # other than exactly `chunked`: the body would be passed on mislabelled
    )


@dataclass(frozen=True, slots=True)
class _Course:
    """What is done about one body. *gated*: the response depends on the decision, and so must its validators."""

    plan: Plan
    gated: bool
    decode: str = IDENTITY
    degraded: Degraded | None = None


_UNGATED = _Course(Plan.PASS, gated=False)


def to_client(
    response: ResponseHead,
    request: RequestHead,
    decision: Decision,
    matcher: Matcher,
    *,
    site: str,
    variant: str,
) -> ClientHead:
    """The head for the client, and the plan for the body; OriginFault for what must not be passed on.

    *request* is the client's, as `check` answered it; *site* and *variant* are those of `to_upstream`.
    """
    asked, lines = Lines(request.headers), Lines(response.headers)
    _check(response, lines)
    lines.drop_hop_by_hop()
    lines.drop({b"alt-svc"})

    judge = Judge(decision, matcher, site=site)
    filter_set_cookie(lines, judge)
    filter_hints(lines, judge)

    media = media_type(lines)
    course = _course(response.status, lines, asked, media, everything=decision.allows_everything)
    # A 304 says nothing of its type: it was a page if the client asked for one, or holds our mark.
    is_kept_page = response.status == 304 and (is_likely_page(asked) or is_marked(asked, variant))
    if course.gated or is_kept_page:
        mark_validators(lines, variant)
    encode = IDENTITY
    if course.plan is Plan.REWRITE:
        lines.drop(_DEAD_WHEN_REWRITTEN)
        if accepts(asked.values(b"accept-encoding"), course.decode):
            encode = course.decode
        else:
            lines.drop({b"content-encoding"})
    elif course.plan is Plan.GUARD:
        drop_validators(lines)
        lines.add(b"Content-Security-Policy", GUARD_POLICY)
    if response.status in _BODILESS:
        lines.drop({b"content-length"})
    if course.gated or is_kept_page or judge.matched:
        make_private(lines)

    has_body = request.method != "HEAD" and response.status not in _BODILESS
    return ClientHead(
        status=response.status,
        reason=b"" if has_control_bytes(response.reason) else response.reason,
        headers=lines.raw(),
        plan=course.plan if has_body else Plan.PASS,
        has_body=has_body,
        decode=course.decode if has_body else IDENTITY,
        encode=encode if has_body else IDENTITY,
        charset=media.charset,
        xml=media.is_xml,
        withheld=tuple(judge.withheld),
        degraded=(course.degraded,) if course.degraded and has_body else (),
    )


def _course(status: int, lines: Lines, asked: Lines, media: MediaType, *, everything: bool) -> _Course:
    """What is done about the body that GET would get."""
    if status in _BODILESS or lines.values(b"content-length") == [b"0"]:
        return _UNGATED
    shown_unasked = media.is_unknown and is_sniffed(lines) and may_be_shown(asked) and b"location" not in lines
    if is_download(lines) or not (media.is_page or shown_unasked):
        return _UNGATED
    if everything:
        return _Course(Plan.PASS, gated=True)
    decode = coding_of(lines)
    degraded = None
    if not media.is_page:
        degraded = Degraded.SNIFFED_TYPE
    elif status == 206 or (b"content-range" in lines and status != _WHOLE_WITH_RANGE) or forbids_transforming(lines):
        degraded = Degraded.PARTIAL_PAGE
    elif decode is None:
        degraded = Degraded.UNREADABLE_CODING
    elif family_of(media.charset) is Family.UNREADABLE:
        degraded = Degraded.UNREADABLE_CHARSET
    if degraded or decode is None:
        return _Course(Plan.GUARD, gated=True, degraded=degraded)
    return _Course(Plan.REWRITE, gated=True, decode=decode)


def _check(response: ResponseHead, lines: Lines) -> None:
    if response.status < 200:
        raise OriginFault(502, OriginRefusal.INTERIM_STATUS)
    flaw = flaw_in(response.headers)
    if flaw:
        raise OriginFault(502, OriginRefusal.FIELD_NAME if flaw is Flaw.NAME else OriginRefusal.FIELD_VALUE)
    codings = [coding.strip(OWS).lower() for coding in lines.values(b"transfer-encoding")]
    lengths = [length.strip(OWS) for length in lines.values(b"content-length")]
    if codings and (lengths or response.version < (1, 1)):
        raise OriginFault(502, OriginRefusal.FRAMING)
    if len(lengths) > 1 or not all(is_length(length) for length in lengths):
        raise OriginFault(502, OriginRefusal.FRAMING)
    if codings and codings != [b"chunked"]:
        raise OriginFault(502, OriginRefusal.TRANSFER_CODING)
