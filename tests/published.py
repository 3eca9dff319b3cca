"""Published test material, fetched from the package indexes when a test asks for it, and kept in pytest's cache.

- The test cases that browsers' own parsers are tested with (html5lib-tests), from the source distribution of html5lib.
- 258 start pages of well-known sites, from the npm package htmlparser-benchmark.

What cannot be fetched skips the test and says why.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

_HTML5LIB = "html5lib==1.1 --hash=sha256:b2e5b40261e20f354d198eae92afc10d750afb487ed5e50f9c4eaf07c184146f"
_BENCHMARK = "htmlparser-benchmark@1.1.3"
_PATIENCE_S = 180


def html5lib_tests(config: pytest.Config) -> Path:
    """The folder that holds `tokenizer` and `tree-construction`."""
    return _kept(config, "html5lib-tests", _fetch_html5lib_tests)


def benchmark_pages(config: pytest.Config) -> list[Path]:
    """The pages, in the order of their names."""
    return sorted(_kept(config, "htmlparser-benchmark", _fetch_benchmark_pages).iterdir())


def _kept(config: pytest.Config, name: str, fetch: Callable[[Path], Path]) -> Path:
    """The folder that *fetch* left; fetched once, however many processes test at the same time."""
    assert config.cache is not None
    kept = config.cache.mkdir("published") / name
    with kept.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
                fetch(Path(scratch)).rename(kept)
    return kept


def _fetch_html5lib_tests(scratch: Path) -> Path:
    """Nothing of the distribution is built, or needs to be: pip is asked to leave what it unpacked before it tried."""
    wish = scratch / "wish.txt"
    wish.write_text(_HTML5LIB + "\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    command += ["--no-clean", "--dest", str(scratch), "--requirement", str(wish)]
    said = _run(command, scratch)
    found = next(scratch.glob("**/html5lib/tests/testdata/tokenizer"), None)
    if found is None:
        pytest.skip(f"html5lib's source distribution cannot be fetched: {said}")
    return found.parent


def _fetch_benchmark_pages(scratch: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: the real pages cannot be fetched")
    said = _run([npm, "pack", "--ignore-scripts", _BENCHMARK], scratch)
    package = next(scratch.glob("*.tgz"), None)
    if package is None:
        pytest.skip(f"the npm package {_BENCHMARK} cannot be fetched: {said}")
    with tarfile.open(package) as archive:
        archive.extractall(scratch, filter="data")
    return scratch / "package" / "files"


def _run(command: list[str], scratch: Path) -> str:
    """What the command said last. Whether it did what it should is for the caller to see."""
    try:
        done = subprocess.run(
            command,
            cwd=scratch,
            env={**os.environ, "TMPDIR": str(scratch)},
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_PATIENCE_S} s"
    return (done.stderr.strip().splitlines() or ["it said nothing"])[-1][:200]
