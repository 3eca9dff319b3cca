"""What a URL, a piece of code, a cookie or a form has to do with a vendor: the immutable matcher.

One file may have several rules that fit one thing. A vendor answers with one of them:

    URLs     the narrowest host; there, the rule with most conditions (path, query, near), the plain host last; then file
             order. Rules without a host come after all that have one. So a rule with `categories = ["necessary"]` on a
             narrow place releases it from the wider rules around it.
    code     one script may do several things, so all rules that fit count: the first names the verdict, and it needs what
             any of them needs.
    cookies  the exact name, then the glob with most fixed characters, then file order.
    forms    as URLs.

No question costs more for more vendors: hosts are found by whole labels in a dict; paths without a host, signatures,
globs and marks of forms by a plain text that they hold, all in one pass (`TextIndex`). Only what was found is tried.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, Literal, TypeVar
from urllib.parse import unquote_to_bytes

from gateway.consent.model import NECESSARY_ONLY, Category
from gateway.vendors import url as urls
from gateway.vendors.patterns import Glob, Pattern, TextIndex, compile_pattern, key_length, plain_texts
from gateway.vendors.schema import CookieRule, FormRule, InlineRule, UrlRule, VendorFile
from gateway.vendors.skim import Skim
from gateway.vendors.traces import Traces
from gateway.vendors.url import Url

Where = Literal["script", "handler"]

# Longer names reach no host (RFC 1035); ada-url lets them pass, and every label of one would be looked up.
_HOST_CHARS = 253

# Characters of the version: enough that two rule sets of one site never share one, short enough for an ETag.
_VERSION_CHARS = 12

# Pieces of code whose verdicts are remembered: at most some 4 MB of them.
_CODE_REMEMBERED = 1024
_CODE_REMEMBERED_BYTES = 4096

# What a URL at the start of a string in code is read against: relative ones are not asked for there.
_CODE_BASE = "https://base.invalid/"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule that matched. *rule* as in the log: `hosts.trackcmp.net`, `scripts.visit`, `inline.v4-vgo`, `cookies._ga`."""

    vendor: str
    rule: str
    needs: frozenset[Category]
    action: Literal["defer", "remove"] | None = None


@dataclass(frozen=True, slots=True)
class FormVerdict:
    """A form of a vendor. *hidden* are the names of fields to empty; empty where the form stays as it is."""

    vendor: str
    rule: str
    needs: frozenset[Category]
    hidden: frozenset[str]


V = TypeVar("V", Verdict, FormVerdict)


class Matcher:
    """Immutable; one per rule set; shared by all requests. `version` is a short digest of the rules; `near_texts` are lower-case
    texts of which one stands in every match of a `near` pattern.

    Every question answers with all rules that matched, at most one per vendor, in the order of the vendors given, so that a
    thing two vendors share is withheld until both are allowed. Host rules never match the site's own host. No question
    raises, whatever it is asked about.
    """

    __slots__ = (
        "_code",
        "_cookies",
        "_forms",
        "_judge_again",
        "_near",
        "_near_index",
        "_needs",
        "_order",
        "_sites",
        "_urls",
        "near_texts",
        "skim",
        "traces",
        "version",
    )

    def __init__(self, vendors: Iterable[VendorFile] = ()) -> None:
        files = tuple(vendors)
        self.version = _digest(files)
        self._order = {file.vendor.id: number for number, file in enumerate(files)}
        self._needs = {file.vendor.id: _needs(None, file) for file in files}
        self._urls = _Urls(files)
        self._code = _Code(files)
        self.skim = self._urls.skim()
        self._cookies = _Cookies(files)
        self._forms = _Forms(files)
        # A vendor's own site is linked to from code of all kinds; what code loads from it, the page shows when it does.
        # The same snippets stand in every page of a site.
        self._judge_again = lru_cache(_CODE_REMEMBERED)(self._judge_code)
        self._sites = frozenset(
            (file.vendor.id, f"hosts.{host.name}") for file in files for host in file.hosts if host.role == ("site",)
        )
        near = dict.fromkeys(rule.near for file in files for _, rule in _url_rules(file) if rule.near is not None)
        self._near = {pattern: compile_pattern(pattern) for pattern in near}
        texts = [(text.encode(), pattern) for pattern in near for text in plain_texts(pattern)]
        self.near_texts = tuple(text for text, _ in texts)
        self._near_index = TextIndex(texts)
        self.traces = Traces(
            hosts=self._urls.names | self._forms.names,
            texts=self._urls.path_parts | self._code.texts | self._forms.parts,
            marks=self.near_texts,
        )

    def url(self, url: Url, *, site_host: str = "", marks: frozenset[str] = frozenset()) -> tuple[Verdict, ...]:
        """Rules for one URL, however it is loaded. *marks*: the `near` patterns that were seen earlier in the page.

        A path is tried as the parser leaves it and percent-decoded: servers decode, so `/vis%69t` asks for `/visit`.
        """
        return self._sorted(self._urls.find(url, site_host=site_host, marks=marks))

    def connection(self, url: Url, *, site_host: str = "") -> tuple[Verdict, ...]:
        """Rules for a mere connection to the host of *url*, as `preconnect` and `dns-prefetch` make it, the most telling first.

        A rule that names a path at this host counts: the connection is there for its sake. Where vendors share a host, one
        that may run needs the connection, and the others learn nothing more from it: withhold it only if all are refused.
        """
        return tuple(self._urls.at(url, site_host=site_host))

    def inline(self, code: bytes, *, where: Where, site_host: str = "") -> tuple[Verdict, ...]:
        """Rules for one piece of code: the signatures, and vendor hosts that begin a string as a URL.

        A host whose only role is `site`, the vendor's own web site, is no sign of a vendor in code.
        """
        judge = self._judge_again if len(code) <= _CODE_REMEMBERED_BYTES else self._judge_code
        return judge(code, where, site_host)

    def _judge_code(self, code: bytes, where: Where, site_host: str) -> tuple[Verdict, ...]:
        texts, names_host = self.traces.in_code(code)
        verdicts = self._code.find(code, texts, where=where)
        for text in urls.in_code(code) if names_host else ():
            url = urls.parse(text, _CODE_BASE) if self.skim.may_name_host(text) else None
            if url is not None and self._urls.knows(url.host):
                found = self._urls.find(url, site_host=site_host, marks=frozenset())
                verdicts += (verdict for verdict in found if (verdict.vendor, verdict.rule) not in self._sites)
        if not verdicts:
            return ()
        by_vendor: dict[str, list[Verdict]] = {}
        for verdict in verdicts:
            by_vendor.setdefault(verdict.vendor, []).append(verdict)
        return self._sorted(list(map(_joined, by_vendor.values())))

    def cookie(self, name: str, *, mentions: bool = False) -> tuple[Verdict, ...]:
        """Rules for one cookie name, save those that a head of the site must not act on.

        Those are names too general without seeing the page, and cookies of third parties: in a head, such a name is the
        site's own. With *mentions* they answer too, for whoever asks what a cookie is.
        """
        return self._sorted(self._cookies.find(name, mentions=mentions))

    def form(self, action: Url, attributes: Mapping[str, str]) -> tuple[FormVerdict, ...]:
        """Rules for one form, by where it posts to and by its attributes (names lower case)."""
        return self._sorted(self._forms.find(action, attributes))

    def needs(self, vendor: str) -> frozenset[Category] | None:
        """What must be granted before anything of *vendor* runs, as its file has it; None where no file has this id."""
        return self._needs.get(vendor)

    @property
    def near(self) -> tuple[str, ...]:
        """All `near` patterns: what a page must be searched for, in rule order."""
        return tuple(self._near)

    def marks_in(self, text: bytes) -> frozenset[str]:
        """The `near` patterns that match in *text*, a piece of markup: one pass, and patterns only where it may pay."""
        return frozenset(name for name in self._near_index.within(text.lower()) if self._near[name].search(text))

    def _sorted(self, verdicts: list[V]) -> tuple[V, ...]:
        if len(verdicts) > 1:
            verdicts.sort(key=lambda verdict: self._order[verdict.vendor])
        return tuple(verdicts)


T = TypeVar("T")


class _HostIndex(Generic[T]):
    """Things by host, each good for the host and everything under it."""

    __slots__ = ("_things",)

    def __init__(self, entries: Iterable[tuple[str, T]]) -> None:
        things: dict[str, list[T]] = {}
        for host, thing in entries:
            things.setdefault(host, []).append(thing)
        self._things = {host: tuple(listed) for host, listed in things.items()}

    def over(self, host: str) -> Iterator[T]:
        """What stands at *host* and above it by whole labels, the narrowest host first."""
        if len(host) > _HOST_CHARS:
            host = host[-_HOST_CHARS - 1 :].partition(".")[2]
        while host:
            yield from self._things.get(host, ())
            host = host.partition(".")[2]


@dataclass(frozen=True, slots=True)
class _UrlTest:
    verdict: Verdict
    path: Pattern | None = None
    query: Pattern | None = None
    near: str | None = None

    def matches(self, paths: Sequence[bytes], query: bytes, marks: frozenset[str]) -> bool:
        return (
            (self.near is None or self.near in marks)
            and (self.path is None or any(self.path.search(path) for path in paths))
            and (self.query is None or self.query.search(query) is not None)
        )


class _Urls:
    """Rules of `hosts`, `scripts`, `iframes`, `pixels` and `links`: one table, whatever loads the URL."""

    __slots__ = ("_anywhere", "_hosts", "names", "path_parts")

    def __init__(self, files: Sequence[VendorFile]) -> None:
        at_hosts: list[tuple[str, _UrlTest]] = []
        anywhere: list[tuple[bytes, tuple[int, _UrlTest]]] = []
        for file in files:
            for section, rule in sorted(_url_rules(file), key=lambda entry: -_conditions(entry[1])):
                test = _UrlTest(
                    verdict=Verdict(file.vendor.id, f"{section}.{rule.id}", _needs(rule.categories, file), rule.action),
                    path=_compiled(rule.path),
                    query=_compiled(rule.query),
                    near=rule.near,
                )
                if rule.host is not None:
                    at_hosts.append((rule.host, test))
                else:
                    assert rule.path is not None
                    rank = len(anywhere)
                    anywhere += ((text.encode(), (rank, test)) for text in plain_texts(rule.path))
            for host in file.hosts:
                verdict = Verdict(file.vendor.id, f"hosts.{host.name}", _needs(host.categories, file))
                at_hosts.append((host.name, _UrlTest(verdict)))
        self.names = frozenset(host for host, _ in at_hosts)
        # A path's segments come whole from the tag or whole from the base, however dots move them: one of a text's is enough.
        self.path_parts = frozenset(max(text.split(b"/"), key=len) for text, _ in anywhere)
        self._hosts = _HostIndex(at_hosts)
        self._anywhere = TextIndex(anywhere)

    def skim(self) -> Skim:
        """The first look that goes before these rules."""
        return Skim(self.names, self.path_parts)

    def knows(self, host: str) -> bool:
        """Some rule names *host* or one above it."""
        return next(self._hosts.over(host), None) is not None

    def at(self, url: Url, *, site_host: str) -> list[Verdict]:
        """One verdict a vendor that names the host of *url* or one above it, the most telling first.

        A rule that asks for consent tells more than one that does not, and one that matches *url* more than its neighbours.
        """
        paths, query = _paths(url), _bytes(url.query)
        found: dict[str, tuple[tuple[bool, bool], Verdict]] = {}
        for test in self._hosts.over(url.host) if url.host != site_host else ():
            weight = not test.verdict.needs <= NECESSARY_ONLY, test.matches(paths, query, frozenset())
            known = found.get(test.verdict.vendor)
            if known is None or weight > known[0]:
                found[test.verdict.vendor] = weight, test.verdict
        return [verdict for _, verdict in sorted(found.values(), key=lambda entry: entry[0], reverse=True)]

    def find(self, url: Url, *, site_host: str, marks: frozenset[str]) -> list[Verdict]:
        paths, query = _paths(url), _bytes(url.query)
        found: dict[str, Verdict] = {}
        if url.host != site_host:
            for test in self._hosts.over(url.host):
                if test.verdict.vendor not in found and test.matches(paths, query, marks):
                    found[test.verdict.vendor] = test.verdict
        candidates = self._anywhere.within(b"\n".join(paths).lower())
        for _, test in sorted(candidates, key=lambda entry: entry[0]):
            if test.verdict.vendor not in found and test.matches(paths, query, marks):
                found[test.verdict.vendor] = test.verdict
        return list(found.values())


@dataclass(frozen=True, slots=True)
class _CodeTest:
    verdict: Verdict
    order: int
    all: tuple[bytes, ...]
    match: tuple[Pattern, ...]
    unless: tuple[bytes, ...]
    where: frozenset[Where]

    def matches(self, code: bytes) -> bool:
        return (
            all(text in code for text in self.all)
            and not any(text in code for text in self.unless)
            and all(pattern.search(code) for pattern in self.match)
        )


class _Code:
    """Rules of `inline`, each found by the longest of its strings."""

    __slots__ = ("_by_text", "texts")

    def __init__(self, files: Sequence[VendorFile]) -> None:
        by_text: dict[bytes, list[_CodeTest]] = {}
        order = 0
        for file in files:
            for rule in file.inline:
                by_text.setdefault(max(rule.all, key=len).lower().encode(), []).append(self._test(rule, file, order))
                order += 1
        self._by_text = by_text
        # As they stand in a script, and in a handler, where they may be spelt with character references.
        self.texts = frozenset(spelt for text in by_text for spelt in (text, text.replace(b"&", b"&amp;")))

    @staticmethod
    def _test(rule: InlineRule, file: VendorFile, order: int) -> _CodeTest:
        return _CodeTest(
            verdict=Verdict(file.vendor.id, f"inline.{rule.id}", _needs(rule.categories, file)),
            order=order,
            all=tuple(text.encode() for text in rule.all),
            match=tuple(map(compile_pattern, rule.match)),
            unless=tuple(text.encode() for text in rule.unless),
            where=frozenset(rule.where),
        )

    def find(self, code: bytes, texts: Iterable[bytes], *, where: Where) -> list[Verdict]:
        """Every rule that fits, in rule order. *texts*: the lower-case ones that stand in *code*, in any case there."""
        tests = (test for text in texts for test in self._by_text.get(text, ()))
        fitting = [test for test in tests if where in test.where and test.matches(code)]
        return [test.verdict for test in sorted(fitting, key=lambda test: test.order)]


class _Cookies:
    """Rules of `cookies`: exact names in a dict, globs by their longest fixed part."""

    __slots__ = ("_exact", "_globs")

    def __init__(self, files: Sequence[VendorFile]) -> None:
        exact: dict[str, list[tuple[Verdict, bool]]] = {}
        globs: list[tuple[bytes, tuple[int, Glob, Verdict, bool]]] = []
        for file in files:
            for rule in sorted(file.cookies, key=lambda rule: -len(rule.name.replace("*", ""))):
                verdict = Verdict(file.vendor.id, f"cookies.{rule.name}", _needs(rule.categories, file))
                if "*" in rule.name:
                    glob = Glob(rule.name)
                    globs.append((glob.plain.encode(), (len(globs), glob, verdict, _is_for_heads(rule))))
                else:
                    exact.setdefault(rule.name, []).append((verdict, _is_for_heads(rule)))
        self._exact = exact
        self._globs = TextIndex(globs)

    def find(self, name: str, *, mentions: bool) -> list[Verdict]:
        found: dict[str, Verdict] = {}
        for verdict, is_for_heads in self._exact.get(name, ()):
            if is_for_heads or mentions:
                found.setdefault(verdict.vendor, verdict)
        for _, glob, verdict, is_for_heads in sorted(self._globs.within(_bytes(name)), key=lambda entry: entry[0]):
            if (is_for_heads or mentions) and verdict.vendor not in found and glob.matches(name):
                found[verdict.vendor] = verdict
        return list(found.values())


@dataclass(frozen=True, slots=True)
class _FormTest:
    verdict: FormVerdict
    action_path: Pattern | None
    marks: tuple[tuple[str, Pattern], ...]

    def matches(self, paths: Sequence[bytes], attributes: Mapping[str, bytes]) -> bool:
        return (self.action_path is None or any(self.action_path.search(path) for path in paths)) and all(
            name in attributes and pattern.search(attributes[name]) for name, pattern in self.marks
        )


class _Forms:
    """Rules of `forms`; those without a host are found by a plain text of their path or of one of their marks."""

    __slots__ = ("_anywhere", "_hosts", "names", "parts")

    def __init__(self, files: Sequence[VendorFile]) -> None:
        at_hosts: list[tuple[str, _FormTest]] = []
        anywhere: list[tuple[bytes, tuple[int, _FormTest]]] = []
        for file in files:
            for rule in sorted(file.forms, key=lambda rule: -len(rule.marks) - (rule.action_path is not None)):
                test = self._test(rule, file)
                if rule.host is not None:
                    at_hosts.append((rule.host, test))
                else:
                    key = max((rule.action_path or "", *rule.marks.values()), key=key_length)
                    rank = len(anywhere)
                    anywhere += ((text.encode(), (rank, test)) for text in plain_texts(key))
        self.names = frozenset(host for host, _ in at_hosts)
        self.parts = frozenset(max(text.split(b"/"), key=len) for text, _ in anywhere)
        self._hosts = _HostIndex(at_hosts)
        self._anywhere = TextIndex(anywhere)

    @staticmethod
    def _test(rule: FormRule, file: VendorFile) -> _FormTest:
        return _FormTest(
            verdict=FormVerdict(
                vendor=file.vendor.id,
                rule=f"forms.{rule.id}",
                needs=_needs(rule.categories, file),
                hidden=frozenset(rule.hidden) if rule.action == "blank-hidden" else frozenset(),
            ),
            action_path=_compiled(rule.action_path),
            marks=tuple((name, compile_pattern(pattern)) for name, pattern in rule.marks.items()),
        )

    def find(self, action: Url, attributes: Mapping[str, str]) -> list[FormVerdict]:
        paths = _paths(action)
        values = {name: _bytes(value) for name, value in attributes.items()}
        candidates = self._anywhere.within(b"\n".join((*paths, *values.values())).lower())
        anywhere = (test for _, test in sorted(candidates, key=lambda entry: entry[0]))
        found: dict[str, FormVerdict] = {}
        for tests in (self._hosts.over(action.host), anywhere):
            for test in tests:
                if test.verdict.vendor not in found and test.matches(paths, values):
                    found[test.verdict.vendor] = test.verdict
        return list(found.values())


def _url_rules(file: VendorFile) -> Iterator[tuple[str, UrlRule]]:
    for section, rules in (
        ("scripts", file.scripts),
        ("iframes", file.iframes),
        ("pixels", file.pixels),
        ("links", file.links),
    ):
        for rule in rules:
            yield section, rule


def _conditions(rule: UrlRule) -> int:
    return sum(condition is not None for condition in (rule.path, rule.query, rule.near))


def _compiled(pattern: str | None) -> Pattern | None:
    return None if pattern is None else compile_pattern(pattern)


def _needs(categories: tuple[Category, ...] | None, file: VendorFile) -> frozenset[Category]:
    return frozenset(file.consent.categories if categories is None else categories)


def _is_for_heads(rule: CookieRule) -> bool:
    return rule.party == "first" and not rule.needs_vendor_on_page


def _joined(verdicts: list[Verdict]) -> Verdict:
    """One vendor's verdicts on one piece of code as one: it may run when all of them let it."""
    asking = [verdict for verdict in verdicts if verdict.needs != NECESSARY_ONLY]
    if not asking:
        return verdicts[0]
    needs = frozenset[Category]().union(*(verdict.needs for verdict in asking))
    return asking[0] if needs == asking[0].needs else Verdict(asking[0].vendor, asking[0].rule, needs, asking[0].action)


def _paths(url: Url) -> tuple[bytes, ...]:
    path = _bytes(url.path)
    return (path, unquote_to_bytes(path)) if b"%" in path else (path,)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def _digest(files: Sequence[VendorFile]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.model_dump_json().encode() + b"\n")
    return digest.hexdigest()[:_VERSION_CHARS]
