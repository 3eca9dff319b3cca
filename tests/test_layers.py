"""Imports point down: the floors of the house, from the roof to the ground."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "gateway"

# From the top floor to the bottom. A module may import what stands below its own line, never beside or above it.
FLOORS = (
    "cli.*",
    "demo.*",
    "app",
    "own_paths",
    "proxy collect choices",
    "peers",
    "deliver",
    "destinations.*",
    "upstream listener body",
    "wire",
    "drain",
    "store.*",
    "log rule_files",
    # -- the core: pure and synchronous ------------------------------------------------------------
    "head choice_form",
    "head.request head.response",
    "head.forwarding head.cookies head.hints head.caching head.negotiation",
    "head.check head.judge head.media",
    "head.fields",
    "head.model",
    "prove",
    "events same_origin",
    "coding",
    "page.rewriter",
    "page.memo",
    "page.markup",
    "page.long_tag",
    "page.acting page.unfinished",
    "page.long_filters page.long_value page.nested",
    "page.texts page.authors page.forms",
    "page.context",
    "page.inert",
    "page.elements page.scanner page.tag_stream",
    "page.foreign",
    "page.amp page.css page.attributes page.encoding page.runs",
    "page",
    "settings_file",
    "settings",
    "consent.decide",
    "consent.read",
    "consent.own consent.gpc consent.cmp consent.region",
    "consent.cookies consent.policy",
    "vendors.catalogue",
    "vendors.match",
    "vendors.schema",
    "vendors.patterns vendors.skim vendors.traces",
    "vendors vendors.url",
    "exchange",
    "withheld",
    "consent.model",
    "consent store_ destinations_",
    "faults",
    "errors",
    "",
)
CORE_STARTS = "head choice_form"
FORBIDDEN_IN_CORE = {"asyncio", "aiohttp", "apsw", "sqlite3", "structlog", "time", "os", "socket", "logging", "random"}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def floor_of(module: str) -> int:
    for level, floor in enumerate(FLOORS):
        for pattern in floor.split() or [""]:
            if module == pattern or (pattern.endswith(".*") and (module + ".").startswith(pattern[:-1])):
                return level
    pytest.fail(f"{module or 'gateway'} has no place in FLOORS")


def imports_of(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


MODULES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_an_import_points_down_only(path: Path) -> None:
    """A room that reaches upwards can no longer be understood or tested without the floors above it."""
    here = floor_of(name_of(path))
    modules = {name_of(other) for other in MODULES}
    for imported in imports_of(path):
        module = imported.removeprefix("gateway").removeprefix(".")
        if not imported.startswith("gateway") or module not in modules or module == "":
            continue
        same_package = name_of(path).split(".")[0] == module.split(".")[0] and FLOORS[here].endswith(".*")
        assert floor_of(module) > here or same_package, f"{name_of(path)} imports {module}, which is not below it"


@pytest.mark.parametrize("path", [p for p in MODULES if floor_of(name_of(p)) >= FLOORS.index(CORE_STARTS)], ids=name_of)
def test_the_core_is_pure_and_synchronous(path: Path) -> None:
    """Without I/O, clock and log the core can be tested at every cut and replayed from a report."""
    assert not {name.split(".")[0] for name in imports_of(path)} & FORBIDDEN_IN_CORE
