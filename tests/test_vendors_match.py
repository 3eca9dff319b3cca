"""The matcher: what a URL, code, a cookie or a form has to do with a vendor."""

import re
import time
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.model import Category
from gateway.vendors import url as urls
from gateway.vendors.match import Matcher, Verdict
from gateway.vendors.schema import VendorFile

Table = dict[str, object]


def vendor(name: str = "one", categories: object = ("marketing",), **sections: object) -> VendorFile:
    return VendorFile.model_validate(
        {
            "format": 1,
            "vendor": {"id": name, "name": name},
            "consent": {"categories": categories},
            **sections,
        }
    )


def rules_at(matcher: Matcher, text: str, *, site_host: str = "site.example", marks: Iterable[str] = ()) -> list[str]:
    url = urls.parse(text, "https://site.example/page")
    assert url is not None
    return [f"{v.vendor}:{v.rule}" for v in matcher.url(url, site_host=site_host, marks=frozenset(marks))]


def rules_in(matcher: Matcher, code: str, *, handler: bool = False, site_host: str = "site.example") -> list[str]:
    found = matcher.inline(code.encode(), where="handler" if handler else "script", site_host=site_host)
    return [f"{v.vendor}:{v.rule}" for v in found]


ONTRA = vendor(
    "ontra",
    ("marketing", "analytics"),
    hosts=({"name": "ontra.example"}, {"name": "api.ontra.example", "categories": (Category.ANALYTICS,)}),
    scripts=(
        {"id": "any", "host": "forms.ontra.example"},
        {"id": "tracking", "host": "ontra.example", "path": r"^/tracking\.js"},
        {"id": "loose", "host": "ontra.example", "path": "track"},
        {"id": "tracking-id", "host": "ontra.example", "path": r"^/tracking\.js", "query": "(^|&)id=7"},
        {"id": "copy", "path": r"/tracking\.js$"},
        {"id": "beacon", "path": r"/track\.php$", "query": r"(^|&)mid=\d+"},
        {"id": "embed", "path": r"^/f/embed\.php$", "near": r"_form_\d+"},
    ),
    iframes=(
        {"id": "payment", "host": "forms.ontra.example", "path": "^/ccpci/", "categories": (Category.NECESSARY,)},
        {"id": "drawn", "host": "ontra.example", "path": "^/f/", "action": "remove"},
    ),
)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("https://ontra.example/", "hosts.ontra.example"),
        ("https://a.b.ontra.example/x", "hosts.ontra.example"),
        ("https://api.ontra.example/", "hosts.api.ontra.example"),
        ("https://api.ontra.example/tracking.js", "hosts.api.ontra.example"),
        ("https://x.api.ontra.example/", "hosts.api.ontra.example"),
        ("https://ontra.example/tracking.js?x=1", "scripts.tracking"),
        ("https://ontra.example/tracking.js?id=7", "scripts.tracking-id"),
        ("https://ontra.example/a/track", "scripts.loose"),
        ("https://ontra.example/trac%6bing.js", "scripts.tracking"),
        ("https://ontra.example/f/1", "iframes.drawn"),
        ("https://forms.ontra.example/ccpci/card", "iframes.payment"),
        ("https://forms.ontra.example/other", "scripts.any"),
        ("https://forms.ontra.example/tracking.js", "scripts.any"),
        ("https://else.example/lib/tracking.js", "scripts.copy"),
        ("https://else.example/lib/Tracking.js", None),
        ("/lib/tracking.js", "scripts.copy"),
        ("/lib/tracking.js?v=1", "scripts.copy"),
        ("/lib/%74racking.js", "scripts.copy"),
        ("/track.php?mid=12", "scripts.beacon"),
        ("/track.php?xmid=12", None),
        ("/track.php", None),
        ("/f/embed.php", None),
        ("https://notontra.example/", None),
        ("https://ontra.example.evil.example/", None),
        ("https://example/", None),
        ("/page?u=https://ontra.example/tracking.js", None),
    ],
)
def test_the_most_specific_rule_of_a_vendor_answers(text: str, rule: str | None) -> None:
    """The log and the categories asked for hang on which rule answers, and payment frames on a narrow one."""
    assert rules_at(Matcher([ONTRA]), text) == ([f"ontra:{rule}"] if rule else [])


def test_a_verdict_says_what_must_be_granted() -> None:
    """A rule may ask for less than its vendor, for other things, or for nothing."""
    matcher = Matcher([ONTRA])

    def verdict(text: str) -> Verdict:
        url = urls.parse(text)
        assert url is not None
        (found,) = matcher.url(url)
        return found

    both = frozenset({Category.MARKETING, Category.ANALYTICS})
    assert verdict("https://ontra.example/").needs == both
    assert verdict("https://api.ontra.example/").needs == {Category.ANALYTICS}
    assert verdict("https://forms.ontra.example/ccpci/").needs == {Category.NECESSARY}
    assert verdict("https://ontra.example/f/").action == "remove"
    assert verdict("https://ontra.example/").action is None


def test_all_vendors_answer_in_their_order() -> None:
    """What two vendors share is withheld until both are allowed."""
    shared = [
        vendor("b", hosts=({"name": "tags.example"},)),
        vendor("a", scripts=({"id": "s", "host": "tags.example", "path": "gtag"},)),
        vendor("c", pixels=({"id": "p", "path": "/gtag/"},)),
    ]
    assert rules_at(Matcher(shared), "https://www.tags.example/gtag/js") == [
        "b:hosts.tags.example",
        "a:scripts.s",
        "c:pixels.p",
    ]


def test_a_near_rule_waits_for_its_mark() -> None:
    """A path as plain as /f/embed.php is only a vendor's where the page shows the vendor's form."""
    matcher = Matcher([ONTRA, vendor("two", links=({"id": "l", "path": "^/f/embed", "near": "formmark|other-mark"},))])
    assert matcher.near == (r"_form_\d+", "formmark|other-mark")
    assert rules_at(matcher, "/f/embed.php") == []
    assert rules_at(matcher, "/f/embed.php", marks=[r"_form_\d+"]) == ["ontra:scripts.embed"]
    assert rules_at(matcher, "/f/embed.php", marks=matcher.near) == ["ontra:scripts.embed", "two:links.l"]
    assert matcher.marks_in(b'<div class="_form_12">') == {r"_form_\d+"}
    assert matcher.marks_in(b'<div class="_form_x OTHER-MARK">') == frozenset()
    assert matcher.marks_in(b"<p other-mark\xff _form_1>") == set(matcher.near)


def test_a_site_that_lives_under_a_vendor_is_not_withheld_from_itself() -> None:
    """Ontraport Pages are at name.pages.ontraport.net: a page without its own scripts and styles is no page."""
    matcher = Matcher([ONTRA])
    assert rules_at(matcher, "https://shop.ontra.example/app.js", site_host="shop.ontra.example") == []
    assert rules_at(matcher, "https://shop.ontra.example/f/1", site_host="shop.ontra.example") == []
    assert rules_at(matcher, "https://shop.ontra.example/x/tracking.js", site_host="shop.ontra.example") == [
        "ontra:scripts.copy"
    ]
    assert rules_at(matcher, "https://cdn.ontra.example/", site_host="shop.ontra.example") == [
        "ontra:hosts.ontra.example"
    ]
    assert rules_in(matcher, "load('//shop.ontra.example/x')", site_host="shop.ontra.example") == []


def test_a_host_of_any_length_is_looked_up() -> None:
    """A name too long for DNS reaches nobody, but must not cost a lookup for each of its labels either."""
    matcher = Matcher([ONTRA])
    started = time.perf_counter()
    assert rules_at(matcher, "https://" + "a." * 200_000 + "ontra.example/") == ["ontra:hosts.ontra.example"]
    assert time.perf_counter() - started < 2
    assert rules_at(matcher, "https://" + "a" * 300 + "ontra.example/") == []
    for length in (252, 253, 254, 255):
        host = "x" * (length - len(".ontra.example")) + ".ontra.example"
        assert rules_at(matcher, f"https://{host}/") == ["ontra:hosts.ontra.example"]


CODE = vendor(
    "code",
    hosts=({"name": "trk.example"},),
    scripts=({"id": "s", "host": "trk.example", "path": r"\.js$", "categories": (Category.FUNCTIONAL,)},),
    inline=(
        {"id": "start", "all": ("_mri", "mrtracking("), "match": (r"\b_mri\s*=",)},
        {"id": "short", "all": ("mrtracking",), "unless": ("allowed()",), "where": ("script",)},
        {"id": "click", "all": ("trkClick(",), "where": ("handler",), "categories": (Category.ANALYTICS,)},
        {"id": "ping", "all": ("trkPing",), "categories": (Category.ANALYTICS,)},
        {"id": "ok", "all": ("trkDefault",), "categories": (Category.NECESSARY,)},
    ),
)


@pytest.mark.parametrize(
    ("code", "rules"),
    [
        ('_mri="1"; mrtracking();', ["code:inline.start"]),
        ('_mri == "1"; mrtracking();', ["code:inline.start"]),
        ("x_mri='1'; mrtracking()", ["code:inline.short"]),
        ("mrtracking()", ["code:inline.short"]),
        ("if (allowed()) mrtracking()", []),
        ("if (allowed()) { _mri=1; mrtracking() }", ["code:inline.start"]),
        ("Mrtracking()", []),
        ("trkClick(1)", []),
        ("trkPing()", ["code:inline.ping"]),
        ("trkPing(); mrtracking()", ["code:inline.short"]),
        ("load('https://cdn.trk.example/a.js')", ["code:scripts.s"]),
        ("load('//trk.example')", ["code:hosts.trk.example"]),
        ("load('//TRK.example:443/x')", ["code:hosts.trk.example"]),
        ("load('https://user@trk%2eexample')", ["code:hosts.trk.example"]),
        (r'{"u":"https:\/\/trk.example\/a.js"}', ["code:scripts.s"]),
        ("load('//trk.example/a.js', '//trk.example/b')", ["code:scripts.s"]),
        ("'see //trk.example'", []),
        ("// '//trk.example'", []),
        ("load('//nottrk.example/')", []),
        ("trkDefault()", ["code:inline.ok"]),
        ("trkDefault(); trkPing()", ["code:inline.ping"]),
        ("", []),
    ],
)
def test_code_is_judged_by_its_signatures_and_by_the_hosts_it_names(code: str, rules: list[str]) -> None:
    """All strings of a rule must stand in one script: a single word would hold back innocent code."""
    assert rules_in(Matcher([CODE]), code) == rules


def test_where_a_rule_looks_is_obeyed() -> None:
    """A button that says yes must work, though the same call in a script would start the vendor."""
    assert rules_in(Matcher([CODE]), "trkClick(1)", handler=True) == ["code:inline.click"]
    assert rules_in(Matcher([CODE]), "mrtracking()", handler=True) == []
    assert rules_in(Matcher([CODE]), "f('//trk.example')", handler=True) == ["code:hosts.trk.example"]


def test_code_needs_what_any_part_of_it_needs() -> None:
    """One script that starts two things of a vendor may run when both may; a release of one part releases nothing else."""
    (verdict,) = Matcher([CODE]).inline(
        b"trkDefault(); trkPing(); mrtracking(); f('//trk.example/a.js')", where="script"
    )
    assert verdict.rule == "inline.short"
    assert verdict.needs == {Category.MARKETING, Category.ANALYTICS, Category.FUNCTIONAL}
    (verdict,) = Matcher([CODE]).inline(b"trkDefault()", where="script")
    assert verdict.needs == {Category.NECESSARY}


def test_signatures_inside_one_another_are_all_found() -> None:
    """An automaton that reports one match a place would miss the shorter signature of another vendor."""
    nested = [
        vendor(name, inline=({"id": "i", "all": (text,)},))
        for name, text in (("a", "abcdef"), ("b", "bcd"), ("c", "def"))
    ]
    assert rules_in(Matcher(nested), "xabcdefx") == ["a:inline.i", "b:inline.i", "c:inline.i"]
    assert rules_in(Matcher(nested), "xabcdx") == ["b:inline.i"]


COOKIES = vendor(
    "jar",
    cookies=(
        {"name": "_ga_*"},
        {"name": "_ga_special*", "categories": (Category.ANALYTICS,)},
        {"name": "_ga_special1"},
        {"name": "*_hash", "needs_vendor_on_page": True},
        {"name": "sid", "needs_vendor_on_page": True},
        {"name": "form_p2c*f*"},
        {"name": "IDE", "party": "third"},
    ),
)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("_ga_", "_ga_*"),
        ("_ga_X", "_ga_*"),
        ("_ga_special2", "_ga_special*"),
        ("_ga_special1", "_ga_special1"),
        ("_GA_X", None),
        ("x_ga_X", None),
        ("form_p2c1f2", "form_p2c*f*"),
        ("form_p2c1", None),
        ("", None),
        ("_ga_\udcff\xe9", "_ga_*"),
    ],
)
def test_a_cookie_is_told_by_its_name(name: str, rule: str | None) -> None:
    """Names are case-sensitive, and a star stands for anything, nothing included."""
    assert [v.rule for v in Matcher([COOKIES]).cookie(name)] == ([f"cookies.{rule}"] if rule else [])


@pytest.mark.parametrize(("name", "rule"), [("sid", "sid"), ("user_hash", "*_hash"), ("IDE", "IDE")])
def test_a_name_that_may_be_the_sites_own_is_only_mentioned(name: str, rule: str) -> None:
    """Taking the session cookie of a shop because a vendor uses the same name would log everybody out."""
    matcher = Matcher([COOKIES])
    assert matcher.cookie(name) == ()
    assert [v.rule for v in matcher.cookie(name, mentions=True)] == [f"cookies.{rule}"]


FORMS = vendor(
    "forms",
    forms=(
        {"id": "host", "host": "forms.example"},
        {"id": "path", "host": "forms.example", "action_path": "^/proc", "hidden": ("uid",), "action": "blank-hidden"},
        {"id": "marks", "marks": {"id": r"^_form_\d+_$", "class": "_form"}},
        {"id": "own", "action_path": r"/form_processor\.php", "hidden": ("uid",), "categories": (Category.ANALYTICS,)},
    ),
)


@pytest.mark.parametrize(
    ("action", "attributes", "rule", "hidden"),
    [
        ("https://a.forms.example/x", {}, "host", set()),
        ("https://forms.example/proc.php", {}, "path", {"uid"}),
        ("https://forms.example/pr%6Fc.php", {}, "path", {"uid"}),
        ("https://notforms.example/proc.php", {}, None, set()),
        ("/send", {"id": "_form_1_", "class": "x _form y"}, "marks", set()),
        ("/send", {"id": "_form_1_"}, None, set()),
        ("/send", {"id": "x_form_1_", "class": "_form"}, None, set()),
        ("/v2/form_processor.php?", {}, "own", set()),
        ("/form_processor.php", {"id": "_form_1_", "class": "_form"}, "marks", set()),
    ],
)
def test_a_form_is_told_by_all_that_its_rule_names(
    action: str, attributes: dict[str, str], rule: str | None, hidden: set[str]
) -> None:
    """Emptying the fields of the wrong form would break the site; leaving the right ones full carries the tracking."""
    url = urls.parse(action, "https://site.example/")
    assert url is not None
    found = Matcher([FORMS]).form(url, attributes)
    assert [(v.rule, set(v.hidden)) for v in found] == ([(f"forms.{rule}", hidden)] if rule else [])


def test_the_version_follows_the_rules() -> None:
    """Caches and stored choices are told apart by it: the same rules, the same version; another rule, another."""
    one = vendor("one", hosts=({"name": "a.example"},))
    assert Matcher([one]).version == Matcher([vendor("one", hosts=({"name": "a.example"},))]).version
    versions = {
        Matcher(files).version
        for files in (
            [],
            [one],
            [one, vendor("two")],
            [vendor("one", hosts=({"name": "b.example"},))],
            [vendor("one", ("analytics",), hosts=({"name": "a.example"},))],
        )
    }
    assert len(versions) == 5
    assert all(re.fullmatch(r"[0-9a-f]{12}", version) for version in versions)


def test_no_vendors_match_nothing() -> None:
    """A gateway told to withhold nothing must still run."""
    matcher = Matcher()
    assert rules_at(matcher, "https://a.example/") == []
    assert rules_in(matcher, "load('//a.example')") == []
    assert matcher.cookie("a") == ()
    assert matcher.near == ()
    assert matcher.marks_in(b"x") == frozenset()


# --- against a reference that tries every rule of every vendor ----------------------------------------------------------

HOSTS = st.sampled_from(["a.example", "b.a.example", "c.b.a.example", "xa.example", "z.example"])
PATHS = st.sampled_from(["^/abc", "abc$", "/abc/def", "(abc|def)", "def"])
CATEGORIES = st.sampled_from([None, ("necessary",), ("analytics",), ("marketing", "analytics")])


def optional(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), strategy)


@st.composite
def url_rules(draw: st.DrawFn, section: str) -> tuple[Table, ...]:
    rules: list[Table] = []
    for number in range(draw(st.integers(0, 3))):
        host, path = draw(optional(HOSTS)), draw(optional(PATHS))
        rule: Table = {
            "id": f"{section}{number}",
            "host": host,
            "path": path if host else path or "abc",
            "query": draw(optional(st.sampled_from(["q=1", "^q"]))),
            "near": draw(optional(st.just("mark"))),
            "categories": draw(CATEGORIES),
        }
        rules.append(rule)
    return tuple(rules)


@st.composite
def inline_rules(draw: st.DrawFn) -> tuple[Table, ...]:
    return tuple(
        {
            "id": f"n{number}",
            "all": tuple(draw(st.lists(st.sampled_from(["abc", "bcd", "abcd", "xyz"]), min_size=1, max_size=2))),
            "unless": tuple(draw(st.lists(st.sampled_from(["bcde", "cde"]), max_size=1))),
            "match": tuple(draw(st.lists(st.sampled_from(["^abc", "d+"]), max_size=1))),
            "categories": draw(CATEGORIES),
        }
        for number in range(draw(st.integers(0, 3)))
    )


def named(names: st.SearchStrategy[str], *, most: int) -> st.SearchStrategy[tuple[Table, ...]]:
    return st.lists(names, unique=True, max_size=most).map(lambda drawn: tuple({"name": name} for name in drawn))


COOKIE_RULES = named(st.sampled_from(["ab", "abc", "ab*", "*bc", "*ab*", "ab*c"]), most=3)
URL_SECTIONS = {"hosts": named(HOSTS, most=2), "scripts": url_rules("s"), "iframes": url_rules("i")}


def vendors(sections: dict[str, st.SearchStrategy[tuple[Table, ...]]]) -> st.SearchStrategy[list[VendorFile]]:
    return st.lists(st.fixed_dictionaries(sections), max_size=3).map(
        lambda drawn: [vendor(f"v{3 - number}", **tables) for number, tables in enumerate(drawn)]
    )


def naive_url(files: list[VendorFile], url: urls.Url, site_host: str, marks: frozenset[str]) -> list[str]:
    answers = []
    for file in files:
        best: list[tuple[tuple[int, int, int], str]] = []
        order = 0
        for section in ("scripts", "iframes", "pixels", "links"):
            for rule in getattr(file, section):
                order += 1
                if rule.host and (("." + url.host).endswith("." + rule.host) is False or url.host == site_host):
                    continue
                if rule.path and not re.search(rule.path, url.path):
                    continue
                if rule.query and not re.search(rule.query, url.query):
                    continue
                if rule.near and rule.near not in marks:
                    continue
                conditions = sum(bool(part) for part in (rule.path, rule.query, rule.near))
                best.append(
                    ((-len((rule.host or "").split(".")) * bool(rule.host), -conditions, order), f"{section}.{rule.id}")
                )
        best += [
            ((-len(host.name.split(".")), 1, 0), f"hosts.{host.name}")
            for host in file.hosts
            if ("." + url.host).endswith("." + host.name) and url.host != site_host
        ]
        if best:
            answers.append(f"{file.vendor.id}:{min(best)[1]}")
    return answers


HOSTS_ASKED = st.sampled_from(["a.example", "b.a.example", "d.c.b.a.example", "xa.example", "q.example"])
PATHS_ASKED = st.sampled_from(["/", "/abc", "/abc/def", "/x/abc", "/def/"])
QUERIES_ASKED = st.sampled_from(["", "q=1", "x&q=1"])


@settings(max_examples=150, deadline=None)
@given(
    vendors(URL_SECTIONS),
    st.builds(urls.Url, st.just(""), st.just("https"), HOSTS_ASKED, PATHS_ASKED, QUERIES_ASKED),
    st.sampled_from(["", "b.a.example"]),
    st.sampled_from([frozenset[str](), frozenset({"mark"})]),
)
def test_urls_are_matched_as_if_every_rule_were_tried(
    files: list[VendorFile], url: urls.Url, site_host: str, marks: frozenset[str]
) -> None:
    """The index is for speed; it may not change a single answer."""
    found = [f"{v.vendor}:{v.rule}" for v in Matcher(files).url(url, site_host=site_host, marks=marks)]
    assert found == naive_url(files, url, site_host, marks)


@settings(max_examples=150, deadline=None)
@given(
    vendors({"inline": inline_rules(), **URL_SECTIONS}),
    st.lists(
        st.sampled_from(["abc", "bcde", "d", "xyz", " ", "'//b.a.example/abc'", '"//q.example/abc"', "'//a.example'"]),
        max_size=5,
    ).map(" ".join),
)
def test_code_is_matched_as_if_every_rule_were_tried(files: list[VendorFile], code: str) -> None:
    """The same for signatures, and for the hosts that a script names."""
    found = {v.vendor: (v.rule, v.needs) for v in Matcher(files).inline(code.encode(), where="script")}
    hosts = {rule.host or "-" for file in files for rule in (*file.scripts, *file.iframes)}
    hosts |= {host.name for file in files for host in file.hosts}
    expected = {}
    for file in files:
        fitting = [
            (f"inline.{rule.id}", rule.categories or file.consent.categories)
            for rule in file.inline
            if all(text in code for text in rule.all)
            and not any(text in code for text in rule.unless)
            and all(re.search(pattern, code) for pattern in rule.match)
        ]
        needs_of = {f"{s}.{r.id}": r.categories for s in ("scripts", "iframes") for r in getattr(file, s)}
        for text in urls.in_code(code.encode()):
            url = urls.parse(text, "https://x.example")
            if url and any(("." + url.host).endswith("." + host) for host in hosts):
                names = [name.partition(":")[2] for name in naive_url([file], url, "", frozenset())]
                fitting += [(name, needs_of.get(name) or file.consent.categories) for name in names]
        asking = [(name, needs) for name, needs in fitting if needs != (Category.NECESSARY,)]
        if asking:
            expected[file.vendor.id] = (asking[0][0], frozenset().union(*(needs for _, needs in asking)))
        elif fitting:
            expected[file.vendor.id] = (fitting[0][0], frozenset({Category.NECESSARY}))
    assert found == expected


@settings(max_examples=200, deadline=None)
@given(vendors({"cookies": COOKIE_RULES}), st.text("abcd", max_size=6))
def test_cookies_are_matched_as_if_every_rule_were_tried(files: list[VendorFile], name: str) -> None:
    """The same for names and globs."""
    expected = []
    for file in files:
        fitting = [
            (("*" in rule.name, -len(rule.name.replace("*", "")), order), rule.name)
            for order, rule in enumerate(file.cookies)
            if re.fullmatch(re.escape(rule.name).replace(r"\*", ".*"), name)
        ]
        if fitting:
            expected.append(f"cookies.{min(fitting)[1]}")
    assert [v.rule for v in Matcher(files).cookie(name)] == expected


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=40), st.binary(max_size=80), st.dictionaries(st.text(max_size=5), st.text(max_size=10), max_size=3)
)
def test_no_question_raises(text: str, code: bytes, attributes: dict[str, str]) -> None:
    """Whatever a site sends, a page must come out of it."""
    matcher = Matcher([ONTRA, CODE, COOKIES, FORMS])
    for url in (urls.parse(text, "https://site.example/"), urls.Url(text, text, text, text, text)):
        if url is not None:
            matcher.url(url, site_host=text, marks=frozenset({text}))
            matcher.form(url, attributes)
    matcher.inline(code, where="script")
    matcher.inline(text.encode("utf-8", "replace"), where="handler", site_host=text)
    matcher.cookie(text)
    matcher.marks_in(code)


# --- cost ---------------------------------------------------------------------------------------------------------------


def many(count: int) -> Matcher:
    files = []
    for number in range(count):
        name = f"v{number:05}"
        files.append(
            vendor(
                name,
                hosts=({"name": f"{name}.example"},),
                scripts=(
                    {"id": "s", "host": f"cdn.{name}.example", "path": "^/lib"},
                    {"id": "copy", "path": rf"/{name}/pixel\.js$"},
                ),
                inline=({"id": "i", "all": (f"{name}Queue", "push(")},),
                cookies=({"name": f"_{name}"}, {"name": f"_{name}_*"}),
                forms=({"id": "f", "marks": {"class": rf"\b{name}-form\b"}},),
            )
        )
    return Matcher(files)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(200):
        work()
    return time.perf_counter() - started


def test_questions_do_not_cost_more_for_more_vendors() -> None:
    """An operator may bring a catalogue of thousands; no page may feel it. Measured, the ratio stays below 1.2."""
    few, lots = many(30), many(1500)
    hit, miss = (
        urls.parse(text) for text in ("https://cdn.v00007.example/lib/a.js", "https://img.shop.example/a/b.png")
    )
    assert hit is not None
    assert miss is not None
    code = (
        b"(function(){var a='https://cdn.v00007.example/x.js';v00007Queue.push(1);})();"
        + b"function f(x){return x*2}" * 80
    )
    for question in (
        lambda matcher: matcher.url(hit),
        lambda matcher: (matcher.url(miss), matcher.near),
        lambda matcher: matcher.inline(code, where="script"),
        lambda matcher: (matcher.cookie("_v00007_abc"), matcher.cookie("session")),
        lambda matcher: matcher.form(miss, {"class": "a v00007-form b"}),
    ):
        ask: Callable[[Matcher], object] = question
        assert ask(few) == ask(lots) != ()
        # Other work on the machine disturbs a round; growth with the number of vendors would show in each.
        rounds = ((seconds(lambda: ask(few)), seconds(lambda: ask(lots))) for _ in range(20))  # noqa: B023
        assert any(lots_s < 1.5 * few_s for few_s, lots_s in rounds)


def test_a_vendors_own_site_is_a_link_in_code_and_a_contact_in_elements() -> None:
    """Directories and "made with" badges name vendors' sites in code of the site's own, which has to run."""
    matcher = Matcher(
        [vendor("ontra", hosts=({"name": "ontra.example"}, {"name": "www.ontra.example", "role": ("site",)}))]
    )
    assert rules_in(matcher, 'a.href = "https://www.ontra.example/"') == []
    assert rules_in(matcher, 's.src = "https://cdn.ontra.example/"') == ["ontra:hosts.ontra.example"]
    assert rules_at(matcher, "https://www.ontra.example/badge.png") == ["ontra:hosts.www.ontra.example"]


def test_a_mere_connection_counts_at_every_host_that_a_rule_names() -> None:
    """`preconnect` shows no path: the vendor behind it learns of the visitor all the same."""
    matcher = Matcher([ONTRA, vendor("meta", scripts=({"id": "tr", "host": "www.meta.example", "path": "^/tr$"},))])

    def connected(host: str, site_host: str = "site.example") -> list[str]:
        url = urls.parse(f"https://{host}/")
        assert url is not None
        return [f"{v.vendor}:{v.rule}" for v in matcher.connection(url, site_host=site_host)]

    assert connected("www.meta.example") == ["meta:scripts.tr"]
    assert connected("a.www.meta.example") == ["meta:scripts.tr"]
    assert connected("meta.example") == []
    assert connected("www.meta.example", site_host="www.meta.example") == []
    # The payment frame there needs nobody's consent; the rest of the host does.
    assert connected("forms.ontra.example") == ["ontra:scripts.any"]
