"""The measurements of pages can be trusted: the rules are what they say, and the comparisons notice what they are for."""

import json
from collections import Counter

import pytest

from gateway.vendors.catalogue import Catalogue, load
from tests.bench.corpus import joined, pieces, uneven_pieces
from tests.bench.job import EVERYTHING_GRANTED, Job, Outcome
from tests.bench.page_memo import remembered, written
from tests.bench.page_memory import held_by, memory_cases, memory_of
from tests.bench.page_results import LARGE, PEER, Results, plain, table
from tests.bench.preserved import Changed, count_changes, preserved
from tests.bench.rule_sets import RuleSet, rule_set

PAGE = b"""<!doctype html><title>News</title><style>a { color: red } b { background: url(//i.facebook.com/b.png) }</style>
<link rel=dns-prefetch href="//www.google-analytics.com"><p>Text, and <a href="http://twitter.com/x">a link</a>.
<SCRIPT type="text/javascript" SRC="http://ad.doubleclick.net/adj/x"></SCRIPT>
<script>var _gaq = _gaq || []; _gaq.push(['_setAccount', 'UA-1-1']);</script><script>var mine = 1;</script>
<img width="300" height="250" src='http://b.scorecardresearch.com/p?c1=2' alt="a > b"><img src="/own.png">
<p style="background: url(//i.facebook.com/a.png)" onclick="f()">b</p><noscript><img src="//pixel.quantserve.com/p.gif"></noscript>
"""
PLACES = 7


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return rule_set(vendors=500, signatures=300)


@pytest.fixture(scope="module")
def catalogue(rules: RuleSet) -> Catalogue:
    return load([rules.files])


@pytest.fixture(scope="module")
def job(catalogue: Catalogue) -> Job:
    return Job(catalogue.matcher)


def test_the_rule_set_has_the_vendors_and_signatures_that_figures_are_quoted_with(
    rules: RuleSet, catalogue: Catalogue
) -> None:
    """A bench against fewer rules than it says would be flattery."""
    assert len(catalogue.vendors) == 500
    assert sum(len(vendor.inline) for vendor in catalogue.vendors.values()) == len(rules.signatures) == 300
    assert {"facebook.com", "doubleclick.net", "google-analytics.com", "scorecardresearch.com"} <= rules.hosts


def test_every_run_measures_the_same_rules(rules: RuleSet) -> None:
    """Invented names are mixed by chance, and figures of two days must compare."""
    assert rule_set(vendors=500, signatures=300) == rules


@pytest.mark.parametrize(("vendors", "signatures"), [(5, 300), (500, 5)])
def test_a_rule_set_that_has_no_room_for_the_shipped_rules_is_refused(vendors: int, signatures: int) -> None:
    """It would have another size than the one that was asked for."""
    with pytest.raises(ValueError, match="more shipped vendors"):
        rule_set(vendors=vendors, signatures=signatures)


def test_a_rewritten_page_differs_only_where_something_was_withheld(job: Job) -> None:
    """The comparison accounts for every kind of change: deferred, removed, put out of force in a style."""
    out, facts = job.rewritten([PAGE])
    assert count_changes(PAGE, out, facts) == len({fact.offset for fact in facts}) == PLACES


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"News", b"news"),
        (b"a > b", b"a < b"),
        (b"var mine", b"var Mine"),
        (b"/adj/x", b"/adj/y"),
        (b"_setAccount", b"_setaccount"),
        (b"\n", b"\n\n"),
        (b"</noscript>\n", b"</noscript>"),
        (b'href="http://twitter', b'data-consent-href="http://twitter'),
    ],
)
def test_a_byte_that_changed_beside_what_was_withheld_is_found(job: Job, old: bytes, new: bytes) -> None:
    """A check that lets damage pass is worse than none."""
    out, facts = job.rewritten([PAGE])
    assert old in out
    with pytest.raises(Changed):
        count_changes(PAGE, out.replace(old, new, 1), facts)


def test_a_place_that_is_reported_and_did_not_change_is_found(job: Job) -> None:
    """What the report says was withheld must have been."""
    _, facts = job.rewritten([PAGE])
    with pytest.raises(Changed):
        count_changes(PAGE, PAGE, facts)


def test_the_comparison_of_many_pages_counts_places_and_keeps_faults(job: Job) -> None:
    """Its outcome is the exit status of the bench."""
    empty = Job(load([], may_be_empty=True).matcher)
    found = preserved([PAGE, b"<p>nothing"], job, empty)
    assert (found.withheld, found.changed, found.faults) == (PLACES, PLACES, ())
    # With rules where there should be none, the page changes: the fault is told, and only that.
    assert preserved([PAGE], job, job).faults == ("page 0: changed, and there are no rules",)


def test_a_round_counts_places_and_leaves_alone_what_was_agreed_to(job: Job) -> None:
    """One place of two vendors is one thing withheld, for us as for the peer."""
    page = pieces(PAGE, 100)
    assert job.round([page, page]).withheld.total() == 2 * PLACES
    assert job.round([page]).withheld["pixel"] == 1
    assert Job(job.matcher, EVERYTHING_GRANTED).round([page]).withheld.total() == 0


def test_memory_is_that_of_the_response_and_not_of_the_rules(job: Job) -> None:
    """The rules are megabytes that all responses share; a script that has not ended is held by one."""
    long = memory_of(pieces(b"<script>" + b"x" * 120_000, 65_536), job)
    short = memory_of(pieces(PAGE * 20, 65_536), job)
    assert 115_000 < long.held <= long.peak
    assert short.held < 100_000
    shared = [b"x" * 1000]
    assert held_by((shared, b"y"), {id(shared)}) < 200


def test_the_pages_for_memory_come_in_pieces_of_a_connection() -> None:
    """A page in one piece would hide what is held between two."""
    cases = memory_cases([PAGE, PAGE * 2], quick=True)
    assert all(len(piece) <= 65_536 for page in cases.values() for piece in page)
    assert len(cases["2 MB tag that loads"]) == 31
    assert len(joined([PAGE, PAGE], 10_001)) == 10_001


def test_a_page_changes_in_three_places_between_two_visits() -> None:
    """The memo is measured with what sites change, and with nothing else."""
    page = b"<html><head><title>t</title></head><body><div>a</div><!-- </div> --><script>'</div>'</script><p>b</p>c</body></html>"
    one, other = (written(page).at_visit(number) for number in (0, 1))
    assert len(one) == len(other)
    for number, visit in enumerate((one, other)):
        assert b'<head><meta name="csrf-token" content="' in visit
        assert b'</p><span class="now">00:00:0%d</span>c' % number in visit
        assert b"c<!-- web%d, 0.00%d s --></body>" % (number, number) in visit
    assert written(b"no markup").at_visit(0).startswith(b"<meta")


@pytest.mark.parametrize("piece_bytes", [0, 1000])
def test_the_memo_is_measured_against_the_same_pages_without_it(job: Job, piece_bytes: int) -> None:
    """A memo that changed a page would be fast and wrong."""
    page = PAGE + b"<p>More text of a page</p>\n" * 1000
    found = remembered([written(page)], job, limit_bytes=1_000_000, piece_bytes=piece_bytes, visits=2)
    assert found.differing == 0
    assert found.first.withheld == found.plain.withheld == found.later[1].withheld
    assert 0 < found.hit_rate < 1
    assert found.counted > 0
    assert found.held > 0


def test_uneven_pieces_make_up_the_page_and_differ_by_seed() -> None:
    """Cuts that stand in the same places in every visit would flatter the memo."""
    page = bytes(range(256)) * 2000
    one, other = (uneven_pieces(page, seed=seed) for seed in (1, 2))
    assert b"".join(one) == b"".join(other) == page
    assert [*map(len, one)] != [*map(len, other)]
    assert max(map(len, one)) <= 65_536


def test_the_table_says_what_was_not_measured() -> None:
    """Without npm the ratio to the peer is unknown, not zero."""
    results = Results(1, 1_000_000, 558, outcomes={LARGE: [Outcome(0.5, Counter(pixel=2))]}, notes=["no peer: no npm"])
    lines = table(results).splitlines()
    assert any(line.split()[-4:] == ["2.0", "2.0", "2.0", "2"] for line in lines)
    assert next(line for line in lines if line.startswith("times the peer")).split()[-4] == "-"
    assert lines[-1] == "no peer: no npm"
    results.outcomes[PEER] = [Outcome(2.0, Counter(img=1))]
    assert results.cost_ratio(PEER, LARGE) == 4


def test_the_figures_can_be_written_as_json(job: Job) -> None:
    """Figures of two versions are compared by programs."""
    found = remembered([written(PAGE)], job, limit_bytes=100_000, piece_bytes=1000, visits=1)
    results = Results(
        1,
        len(PAGE),
        558,
        outcomes={LARGE: [Outcome(0.5, Counter(pixel=2))]},
        preserved=preserved([PAGE], job, Job(load([], may_be_empty=True).matcher)),
        memory={"page": memory_of([PAGE], job)},
        memo={"whole": found},
    )
    told = json.loads(json.dumps(plain(results)))
    assert told["withheld"] == {LARGE: {"pixel": 2}}
    assert told["preserved"]["changed"] == PLACES
    assert told["memo"]["whole"]["differing_pages"] == 0
    assert "0 pages differ" in table(results)
