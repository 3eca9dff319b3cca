"""Runs: stretches of a page that need no look, matched as a whole inside the regular-expression engine.

Three patterns, each a possessive loop over whole things, so that no match gives back what it took; all begin in the data state and
end in it.

- SURE takes what no rule can be about wherever it stands: text, comments, end tags, and start tags of elements that load nothing,
  as long as none of their attributes may act.
- CLEAN takes in addition what a rule could only be about if a text of the rules stood in it (`vendors.traces`): images, links, media,
  styles and handlers in attributes, whole scripts and noscripts, in plain spelling. It must be told to end before the next trace;
  then what it took holds none.
- CAREFUL takes text, comments and tags of SURE only, for where every other tag counts: in a template, a select, an author's fence, a form
  whose fields are emptied.

Plain spelling leaves out whatever could hide a text: character references (but `&amp;`, and `&name=`, which is none), control
characters, which URLs drop, percent-encoding before the query, backslashes in styles. What is not plain, or not spelt as most people spell it, is
not wrong: it ends the run and is looked at.
"""

import re
from collections.abc import Collection

# Attributes that can make any element contact a host or run code: these, and all whose names begin like one of them.
ACTING = (b"on", b"style", b"ping", b"background", b"attributionsrc", b"data-b", b"data-consent", b"formaction")

# A tag may hold one of them, or an address that is code.
MAY_ACT = re.compile(
    rb"[\t\n\f\r /\"'](?:" + b"|".join(ACTING) + rb"|(?:xlink:)?href[\t\n\f\r ]*=[\t\n\f\r ]*[\"']?[\x00-\x20&j])",
    re.IGNORECASE,
)

_S = rb"\t\n\f\r "
_CONTROLS = rb"\x00-\x1f"
_AFTER_NAME = rb"(?=[" + _S + rb"/>])"


def _any_case(text: bytes) -> bytes:
    """Letters spelt in both cases: the engine is faster so than with a flag."""
    letters = (bytes([code]) for code in text)
    return b"".join(b"[" + c + c.upper() + b"]" if c.isalpha() else re.escape(c) for c in letters)


def _either(words: Collection[bytes]) -> bytes:
    """Any of *words*, in lower or upper case, sorted into a trie one letter deep; the longest first, where one begins another."""
    by_first: dict[bytes, list[bytes]] = {}
    for word in sorted((*words, *map(bytes.upper, words)), key=len, reverse=True):
        by_first.setdefault(word[:1], []).append(word[1:])
    return b"(?:" + b"|".join(first + b"(?:" + b"|".join(rest) + b")" for first, rest in by_first.items()) + b")"


def _name_but(*prefixes: bytes) -> bytes:
    """An attribute name that begins like none of *prefixes*, told by its first letter wherever that will do."""
    rest: dict[bytes, list[bytes]] = {}
    for prefix in prefixes:
        rest.setdefault(prefix[:1], []).append(_any_case(prefix[1:]))
    first = b"".join(rest)
    some = b"|".join(_any_case(c) + b"(?!" + b"|".join(ends) + b")" for c, ends in rest.items())
    return rb"(?:[^" + _S + rb"/>=" + first + first.upper() + rb"]|" + some + rb")[^" + _S + rb"/>=]*+"


def _start_tag(name: bytes, *attributes: bytes) -> bytes:
    """A whole start tag of an element *name*, each of whose attributes is one of these."""
    return name + _AFTER_NAME + rb"(?:[" + _S + rb"]++(?:" + b"|".join(attributes) + rb"))*+[" + _S + rb"]*+/?+>"


def _quoted(content: bytes) -> bytes:
    """`=` and a value in quotes, *content* with the quote in place of Q."""
    return b"=(?:" + b"|".join(quote + content.replace(b"Q", quote) + quote for quote in (b'"', b"'")) + b")"


# Any value, or none. An unquoted one may hold quotes and "=", and ends at white space or ">".
_ANY = rb"(?:=(?:\"[^\"]*+\"|'[^']*+'|[^\"'>" + _S + rb"][^>" + _S + rb"]*+(?=[" + _S + rb">]))|(?=[" + _S + rb"/>]))"
# "&" that begins no reference, or one that hides nothing.
_AMPERSAND = rb"&(?:amp;|[A-Za-z0-9_]++=|(?=[ Q]))"
_URL = (
    rb"[^Q&%?" + _CONTROLS + rb"]*+(?:(?:" + _AMPERSAND + rb"|%20)[^Q&%?" + _CONTROLS + rb"]*+)*+"
    rb"(?:\?(?:[^Q&" + _CONTROLS + rb"]++|" + _AMPERSAND + rb")*+)?+"
)
_PLAIN_URL = _quoted(_URL)
# Not one that is a document, code or a style sheet itself.
_PLAIN_FETCH = rb"(?!=[\"'] *+[dD][aA][tT][aA]:)" + _PLAIN_URL
# Several, so that no "?" ends the part that counts.
_PLAIN_URLS = _quoted(rb"[^Q&%" + _CONTROLS + rb"]*+")
# Without parentheses a style fetches nothing, and its percent signs are lengths.
_PLAIN_STYLE = _quoted(rb"(?:[^Q&\\(" + _CONTROLS + rb"]*+(?=Q)|[^Q&\\%" + _CONTROLS + rb"]*+)")
_PLAIN_CODE = _quoted(rb"(?:[^Q&]++|&(?=[ &=Q]))*+")

_ACTS = (
    rb"[sS][tT][yY][lL][eE]" + _PLAIN_STYLE,
    rb"[oO][nN][a-zA-Z]++" + _PLAIN_CODE,
    rb"background" + _PLAIN_URL,
)

# -- tags that load nothing ---------------------------------------------------------------------------------------------

# Every element of one or two letters, and most others that hold text.
_HARMLESS = (
    rb"(?:[A-Za-z][A-Za-z0-9]?+|"
    + _either(
        b"abbr address area article aside big blockquote body button caption center cite code colgroup details dialog div fieldset "
        b"figcaption figure font footer head header hgroup ins kbd label legend main map mark menu nav optgroup option picture pre samp "
        b"section small span strike strong sub summary sup table tbody tfoot thead time var wbr".split()
    )
    + rb")"
)
# An href may be code, if only it is decoded.
_HREF_OF_CODE = rb"(?:" + _any_case(b"xlink:") + rb")?+" + _any_case(b"href") + rb"=[\"']?[" + _CONTROLS + rb" &jJ]"
_IDLE = rb"(?!" + _HREF_OF_CODE + rb")" + _name_but(*ACTING) + _ANY

# As most people write, tried first: one space, lower case, double quotes.
_USUAL = (
    rb" (?:[cegi-nqrt-wyz]|a(?!ttr)|s(?!ty)|f(?!orma)|h(?!ref=\"["
    + _CONTROLS
    + rb" &jJ])|d(?!ata-[bc]))[a-z0-9:-]*+=\"[^\"]*+\""
)
_SURE_TAG = (
    _HARMLESS + _AFTER_NAME + rb"(?:" + _USUAL + rb")*+(?:>|(?:[" + _S + rb"]++" + _IDLE + rb")*+[" + _S + rb"]*+/?+>)"
)

_END_TAG = rb"/[A-Za-z][^" + _S + rb"/>]*+>"
_COMMENT = rb"!--(?!-?>|[" + _S + rb"]*+/?" + _any_case(b"consent") + rb")[^-]*+(?:-(?!-!?>)[^-]*+)*+--!?>"
_DOCTYPE = _any_case(b"!doctype") + rb"[^>]*+>"
_PLAIN_TEXT = rb"(?:title>[^<]*+</title>|" + _start_tag(b"textarea", _IDLE) + rb"[^<]*+</textarea>)"
_LONE = rb"(?=[^A-Za-z/!?])"  # a "<" that begins nothing

# -- tags that load something, in plain spelling ------------------------------------------------------------------------

_IMAGE_LIKE = _start_tag(
    _either((b"img", b"input", b"source", b"track", b"video", b"audio")),
    _name_but(*ACTING, b"src", b"lowsrc", b"poster", b"data-") + _ANY,
    rb"(?:src|data-src|poster|lowsrc)" + _PLAIN_URL,
    rb"(?:srcset|data-(?!b|consent)[a-z0-9-]++)" + _PLAIN_URLS,
    *_ACTS,
)
_LINK = _start_tag(
    _either((b"link",)),
    _name_but(*ACTING, b"href", b"imagesrcset", b"data-") + _ANY,
    rb"href" + _PLAIN_FETCH,
    rb"(?:imagesrcset|data-(?!b|consent)[a-z0-9-]++)" + _PLAIN_URLS,
    *_ACTS,
)
# Neither a refresh nor an encoding.
_META = _start_tag(
    _either((b"meta",)),
    _name_but(*ACTING, b"http-equiv", b"charset") + _ANY,
    _any_case(b"http-equiv") + rb"(?==[\"'][A-Za-z])(?!=[\"'][rRcC])" + _ANY,
)
# A form's attributes are matched by rules too, whichever they are.
_PLAIN = _quoted(rb"(?:[^Q&%" + _CONTROLS + rb"]++|" + _AMPERSAND + rb")*+")
_FORM = _start_tag(
    _either((b"form",)), rb"(?!" + _any_case(b"on") + rb"|" + _any_case(b"style") + rb")[A-Za-z-]++" + _PLAIN, *_ACTS
)
_PARAM = _start_tag(_either((b"param",)), rb"(?:name|type|NAME|TYPE|id)" + _ANY, rb"(?:value|VALUE)" + _PLAIN)
_ACTING_TAG = _start_tag(_HARMLESS, _IDLE, *_ACTS, rb"href" + _quoted(rb"[^Q&%" + _CONTROLS + rb"]*+"))

# -- elements whose content is text -------------------------------------------------------------------------------------

_SCRIPT_WORD = _any_case(b"script")
_SCRIPT_TAG = _start_tag(
    rb"(?:script|SCRIPT)",
    _name_but(*ACTING, b"src", b"data-", b"type") + _ANY,
    rb"(?:type|TYPE)(?!=[\"']?[" + _CONTROLS + rb" &iIsS])" + _ANY,  # neither an import map nor speculation rules
    rb"src" + _PLAIN_FETCH,
    rb"data-(?!b|consent)[a-z0-9-]++(?!=[\"'] *+[dD][aA][tT][aA]:)" + _PLAIN_URLS,
    *_ACTS,
)
# Up to the first end tag, where no "<!--" stands before it, or no start tag of a script behind that: then it is the end
# (13.2.5.17 on).
_SCRIPT_TEXT = (
    rb"[^<]*+(?:<(?!/" + _SCRIPT_WORD + rb"|!--)[^<]*+)*+(?:<!--[^<]*+(?:<(?!/?" + _SCRIPT_WORD + rb")[^<]*+)*+)?+"
)
_SCRIPT_END = rb"</(?:script|SCRIPT)>"
_SCRIPT = _SCRIPT_TAG + _SCRIPT_TEXT + _SCRIPT_END

# Without escapes, with nothing inside quotes and parentheses that a URL would drop or decode, and no sheet within.
_NO_SHEET = rb"(?! *+[\"']?+ *+[dD][aA][tT][aA]: *+[tT])"
_STYLE = (
    _start_tag(_either((b"style",)), _name_but(*ACTING) + _ANY)
    + rb"(?:[^<\\\"'(]++|\""
    + _NO_SHEET
    + rb"[^\"<\\\t\n%]*+\"|'"
    + _NO_SHEET
    + rb"[^'<\\\t\n%]*+'"
    + rb"|\((?=[^)\t%]*+\))"
    + _NO_SHEET
    + rb")*+(?:</style>|</STYLE>)"
)

_IFRAME = (
    _start_tag(
        _either((b"iframe",)),
        _name_but(*ACTING, b"src", b"data-") + _ANY,
        rb"src(?!=[\"'] *+[jJ])" + _PLAIN_FETCH,
        rb"data-(?!b|consent)[a-z0-9-]++" + _PLAIN_URLS,
        *_ACTS,
    )
    + rb"[^<]*+(?:</iframe>|</IFRAME>)"
)

# Its content ends at the same place whether it is read as text or as markup, if no "<" stands inside a tag.
_NOSCRIPT = (
    rb"noscript>[^<]*+(?:<(?:/(?!"
    + _any_case(b"noscript")
    + rb")[A-Za-z][A-Za-z0-9]*+>|"
    + _start_tag(
        rb"(?:img|" + _HARMLESS + rb")",
        rb"(?:alt|border|class|height|hspace|id|name|rel|target|title|vspace|width)=\"[^\"<]*+\"",
        rb"(?:src|href)=\"(?! *+[jJdD])[^\"<&%?"
        + _CONTROLS
        + rb"]*+(?:\?(?:[^\"<&"
        + _CONTROLS
        + rb"]++|&(?:amp;|[A-Za-z0-9_]++=))*+)?+\"",
        rb"style=\"[^\"<&\\(" + _CONTROLS + rb"]*+\"",
    )
    + rb")[^<]*+)*+</noscript>"
)


def _run(*things: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"[^<]*+(?:<(?:" + b"|".join(things) + rb")[^<]*+)*+")


# As SURE, but for end tags of elements that may matter to whoever reads every tag.
CAREFUL = _run(rb"/" + _HARMLESS + rb">", _SURE_TAG, _COMMENT, _LONE)
SURE = _run(_END_TAG, _SURE_TAG, _COMMENT, _PLAIN_TEXT, _DOCTYPE, _LONE)
CLEAN = _run(
    _END_TAG,
    _SURE_TAG,
    _IMAGE_LIKE,
    _SCRIPT,
    _COMMENT,
    _META,
    _LINK,
    _ACTING_TAG,
    _NOSCRIPT,
    _STYLE,
    _FORM,
    _IFRAME,
    _PARAM,
    _PLAIN_TEXT,
    _DOCTYPE,
    _LONE,
)
# A script as CLEAN takes it, whatever stands in its text (2); its start tag (1).
SCRIPT = re.compile(rb"(<" + _SCRIPT_TAG + rb")(" + _SCRIPT_TEXT + rb")" + _SCRIPT_END)
