"""How fast pages are rewritten, what that costs in memory, and how html-rewriter-wasm fares with the same job in the same run.

    python -m tests.bench.pages [--rounds 3] [--quick] [--corpus DIR] [--cache DIR] [--json FILE]

258 real pages of news sites, 500 vendors, 300 signatures of inline code, a visitor who agreed to nothing. Every round of ours
runs in a process of its own, forked before the first page was seen: modules and rules are loaded, nothing is remembered. The
peer's node process is warm. All take turns, some pages at a time, and CPU time counts, so that a busy machine slows all alike;
read the ratios. The yardstick, one regular expression over all tags, tells how fast this machine is at what a rewriter at
least does.

The pages and the peer come from npm into the cache folder; without npm or node the peer's rows are left out, and said to be.
Exit status 1 where a page changed in a place that is not reported as withheld, or comes out otherwise with the memo.
"""

import argparse
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial, reduce
from operator import add
from pathlib import Path

from gateway.vendors.catalogue import load
from tests.bench.corpus import DEFAULT_CACHE, Unavailable, page_files, peer_module, pieces
from tests.bench.fresh import Fresh, in_fresh_process, settle
from tests.bench.job import EVERYTHING_GRANTED, Job, Outcome
from tests.bench.page_memo import remembered, written
from tests.bench.page_memory import memory_cases, memory_of
from tests.bench.page_results import (
    AGREED,
    ALONE,
    FEW,
    LARGE,
    MANY,
    PEER,
    SIGNATURES,
    SMALL,
    VENDORS,
    WHOLE,
    WITH_FEW,
    WITH_MANY,
    YARDSTICK,
    Results,
    plain,
    table,
)
from tests.bench.peer import Peer
from tests.bench.preserved import preserved
from tests.bench.rule_sets import rule_set

# The whole bench ends within three minutes: no page for memory begins after the first, no round but one after the second, and
# the memo is not begun with after the third.
_LAST_MEMORY_S = 45.0
_LAST_ROUND_S = 100.0
_LAST_MEMO_S = 130.0

# A round takes turns between all that is compared, a part of the pages at a time: a machine's speed changes within seconds.
_PARTS = 16

# Room for all segments of the pages that the memo is measured with: every second one.
_MEMO_BYTES = 64 * 1024 * 1024
_MEMO_VISITS = 3
_MEMO_PIECES = {"64 KB pieces": 65_536, "16 KB pieces": 16_384, "uneven pieces": 0}

# After so much, V8 compiles no more.
_WARM_UP_BYTES = 25_000_000

_YARDSTICK = re.compile(rb"[^<]*+(?:<[^>]*+>[^<]*+)*+")


def _round(job: Job, pages: Sequence[Sequence[bytes]], chosen: slice) -> Outcome:
    return job.round(pages[chosen])


def _yardstick(pages: Sequence[bytes], chosen: slice) -> Outcome:
    began = time.process_time()
    for page in pages[chosen]:
        _YARDSTICK.match(page)
    return Outcome(time.process_time() - began, Counter())


def _by_itself(pages: Sequence[Sequence[bytes]], job: Job) -> Outcome:
    """Every page in a process that has seen no more than one other page, so that pages of one site do not help each other."""
    other, *rest = pages

    def second(page: Sequence[bytes]) -> Outcome:
        job.round([other])
        return job.round([page])

    return reduce(add, (in_fresh_process(partial(second, page)) for page in (*rest, other)))


def _measure(given: argparse.Namespace) -> Results:
    began = time.perf_counter()
    files = page_files(given.cache, folder=given.corpus)[:: 8 if given.quick else 1]
    pages = tuple(file.read_bytes() for file in files)
    rules = rule_set(vendors=VENDORS, signatures=SIGNATURES)
    job, empty = Job(load([rules.files]).matcher), Job(load([], may_be_empty=True).matcher)
    results = Results(len(pages), sum(map(len, pages)), len(rules.hosts))
    cut = {size: [pieces(page, size) for page in pages] for size in (0, 65_536, 16_384)}
    ours: dict[str, Callable[[slice], Outcome]] = {
        WHOLE: partial(_round, job, cut[0]),
        LARGE: partial(_round, job, cut[65_536]),
        SMALL: partial(_round, job, cut[16_384]),
        AGREED: partial(_round, Job(job.matcher, EVERYTHING_GRANTED), cut[65_536]),
        YARDSTICK: partial(_yardstick, pages),
    }
    if given.quick:
        results.notes.append("every eighth page, one round; numbers of vendors are not compared")
    else:
        for name, count in ((WITH_FEW, FEW), (WITH_MANY, MANY)):
            matcher = load([rule_set(vendors=count, signatures=max(150, count * 3 // 5)).files]).matcher
            ours[name] = partial(_round, Job(matcher), cut[65_536])
    settle()
    for name, page in memory_cases(pages, quick=given.quick).items():
        if time.perf_counter() - began > _LAST_MEMORY_S:
            results.notes.append(f"memory was not measured, for want of time: {name}")
        else:
            results.memory[name] = in_fresh_process(partial(memory_of, page, job))
    parts = [slice(n, None, _PARTS) for n in range(_PARTS)]
    with ExitStack() as stack:
        theirs: dict[str, Callable[[slice], Outcome]] = {}
        try:
            peer = stack.enter_context(Peer(peer_module(given.cache), files, rules))
            theirs[PEER] = partial(peer.round, chunk=65_536)
            for _ in range(-(-_WARM_UP_BYTES // results.page_bytes)):
                theirs[PEER](slice(None))
        except Unavailable as error:
            results.notes.append(f"the peer was not measured: {error}")
        for turn in range(1 if given.quick else given.rounds):
            if turn and time.perf_counter() - began > _LAST_ROUND_S:
                results.notes.append(f"{turn} rounds, for want of time")
                break
            with ExitStack() as fresh:
                asked = {name: fresh.enter_context(Fresh(work)).ask for name, work in ours.items()} | theirs
                found = [{name: ask(part) for name, ask in asked.items()} for part in parts]
            for name in asked:
                results.outcomes.setdefault(name, []).append(reduce(add, (outcomes[name] for outcomes in found)))
    if not given.quick and time.perf_counter() - began < _LAST_ROUND_S:
        results.outcomes[ALONE] = [_by_itself(cut[65_536], job)]
    half = [written(page) for page in pages[::2]]
    for name, size in _MEMO_PIECES.items():
        if time.perf_counter() - began > _LAST_MEMO_S:
            results.notes.append(f"the memo was not measured, for want of time: {name}")
            continue
        measure = partial(remembered, half, job, limit_bytes=_MEMO_BYTES, piece_bytes=size, visits=_MEMO_VISITS)
        results.memo[name] = in_fresh_process(measure)
    results.preserved = in_fresh_process(partial(preserved, pages, job, empty))
    return results


def main() -> int:
    """Run, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--quick", action="store_true", help="a first impression in some seconds")
    arguments.add_argument("--corpus", type=Path, help="a folder of *.html to take instead")
    arguments.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="where what npm brings is kept")
    arguments.add_argument("--json", type=Path, help="a file for the figures")
    given = arguments.parse_args()
    try:
        results = _measure(given)
    except Unavailable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(table(results))
    if given.json is not None:
        given.json.write_text(json.dumps(plain(results), indent=2) + "\n")
    differ = any(memo.differing for memo in results.memo.values())
    return 1 if differ or (results.preserved is not None and results.preserved.faults) else 0


if __name__ == "__main__":
    sys.exit(main())
