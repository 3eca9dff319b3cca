"""What the measurement of pages found, for people and for programs."""

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tests.bench.job import Outcome
from tests.bench.page_memo import TARGET_MB_S, Remembered
from tests.bench.page_memory import TARGET_BYTES, Memory
from tests.bench.preserved import Preserved

VENDORS = 500
SIGNATURES = 300
FEW, MANY = 100, 10_000

WHOLE, LARGE, SMALL = "ours, whole pages", "ours, 64 KB pieces", "ours, 16 KB pieces"
AGREED, YARDSTICK = "ours, all agreed to", "yardstick"
ALONE = "ours, each page by itself"
WITH_FEW, WITH_MANY = f"ours, {FEW} vendors", f"ours, {MANY:,} vendors"
PEER = "html-rewriter-wasm"


@dataclass(slots=True)
class Results:
    """All that was measured; *notes* say what was not, and why."""

    page_count: int
    page_bytes: int
    host_count: int
    outcomes: dict[str, list[Outcome]] = field(default_factory=dict)
    preserved: Preserved | None = None
    memory: dict[str, Memory] = field(default_factory=dict)
    memo: dict[str, Remembered] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def rates(self, name: str) -> list[float]:
        """MB a second, of every round."""
        return [self.page_bytes / 1e6 / outcome.seconds for outcome in self.outcomes[name]]

    def cost_ratio(self, name: str, other: str) -> float | None:
        """What a round of *name* costs, with *other* as 1; None where one was not measured.

        The best rounds are compared: what else the machine does only ever adds to a round.
        """
        if name not in self.outcomes or other not in self.outcomes:
            return None
        one, base = (min(outcome.seconds for outcome in self.outcomes[key]) for key in (name, other))
        return one / base

    @property
    def ratios(self) -> Mapping[str, tuple[float | None, str]]:
        """The ratios that count, with their targets."""
        return {
            "times the peer's rate": (self.cost_ratio(PEER, LARGE), "at least 2.5"),
            f"cost with {MANY:,} vendors, with {FEW} as 1": (self.cost_ratio(WITH_MANY, WITH_FEW), "at most 1.2"),
            "cost in 16 KB pieces, whole pages as 1": (self.cost_ratio(SMALL, WHOLE), ""),
            "cost by itself, among others as 1": (self.cost_ratio(ALONE, LARGE), ""),
            "cost, yardstick as 1": (self.cost_ratio(LARGE, YARDSTICK), ""),
        }


def table(results: Results) -> str:
    """The results for people."""
    lines = [
        f"{results.page_count} pages, {results.page_bytes / 1e6:.1f} MB",
        f"{VENDORS} vendors with {results.host_count} hosts, {SIGNATURES} signatures",
        "",
        f"{'MB a second of CPU time':30}{'median':>9}{'best':>9}{'worst':>9}{'withheld':>10}",
    ]
    for name, outcomes in results.outcomes.items():
        rates = results.rates(name)
        lines.append(
            f"{name:30}{statistics.median(rates):9.1f}{max(rates):9.1f}{min(rates):9.1f}"
            f"{outcomes[0].withheld.total():10}"
        )
    lines += ["", f"{'ratio':40}{'':>8}  target"]
    lines += [
        f"{name:40}{'-' if ratio is None else f'{ratio:.2f}':>8}  {target}"
        for name, (ratio, target) in results.ratios.items()
    ]
    lines += ["", "withheld, by kind"]
    lines += [
        f"{name:30}" + ", ".join(f"{kind} {count}" for kind, count in results.outcomes[name][0].withheld.most_common())
        for name in (LARGE, PEER)
        if name in results.outcomes
    ]
    kept = results.preserved
    if kept is not None:
        told = f"bytes: {kept.changed} places changed of {kept.withheld} withheld; {len(kept.faults)} faults"
        lines += ["", told, *kept.faults]
    lines += [
        "",
        f"{'memo, three places change':30}{'first':>9}{'later':>9}{'without':>9}  MB/s; target: later {TARGET_MB_S}",
    ]
    lines += [
        f"{name:30}{memo.rate(memo.first):9.1f}{max(map(memo.rate, memo.later)):9.1f}{memo.rate(memo.plain):9.1f}"
        f"  hit rate {memo.hit_rate:.3f}; {memo.held / 1e6:.1f} MB held, {memo.counted / 1e6:.1f} counted; "
        f"{memo.differing} pages differ"
        for name, memo in results.memo.items()
    ]
    lines += ["", f"{'KB for one open response':30}{'peak':>9}{'held':>9}  target: below {TARGET_BYTES // 1024}"]
    lines += [
        f"{name:30}{memory.peak / 1024:9.0f}{memory.held / 1024:9.0f}" + ("  over" * (memory.peak > TARGET_BYTES))
        for name, memory in results.memory.items()
    ]
    return "\n".join([*lines, "", *results.notes]).rstrip() + "\n"


def plain(results: Results) -> dict[str, object]:
    """The results for programs."""
    return {
        "pages": results.page_count,
        "bytes": results.page_bytes,
        "vendors": VENDORS,
        "hosts": results.host_count,
        "signatures": SIGNATURES,
        "mb_s": {name: results.rates(name) for name in results.outcomes},
        "withheld": {name: outcomes[0].withheld for name, outcomes in results.outcomes.items()},
        "ratios": {name: ratio for name, (ratio, _) in results.ratios.items()},
        "preserved": asdict(results.preserved) if results.preserved is not None else None,
        "memory": {name: asdict(memory) for name, memory in results.memory.items()},
        "memo": {
            name: {
                "first_mb_s": memo.rate(memo.first),
                "later_mb_s": [memo.rate(outcome) for outcome in memo.later],
                "without_mb_s": memo.rate(memo.plain),
                "hit_rate": memo.hit_rate,
                "held_bytes": memo.held,
                "counted_bytes": memo.counted,
                "differing_pages": memo.differing,
            }
            for name, memo in results.memo.items()
        },
        "notes": results.notes,
    }
