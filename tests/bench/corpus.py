"""The pages and the peer that measurements need, from npm, into a folder that is kept.

The pages are those of `htmlparser-benchmark`: 258 front pages and articles of news sites, 24.6 MB, of 2013.
"""

import random
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

PAGES_PACKAGE = "htmlparser-benchmark@1.1.3"
PEER_PACKAGE = "html-rewriter-wasm@0.4.1"

DEFAULT_CACHE = Path(tempfile.gettempdir()) / "consent-gateway-bench"

_INSTALL_S = 120


class Unavailable(Exception):
    """Something that is fetched is not there; the message says why."""


def page_files(cache: Path, *, folder: Path | None = None) -> tuple[Path, ...]:
    """The pages in *folder*, or those of the package in *cache*, by name; Unavailable where there are none."""
    folder = folder or _installed(PAGES_PACKAGE, cache) / "files"
    files = tuple(sorted(folder.glob("*.html")))
    if not files:
        raise Unavailable(f"no pages (*.html) in {folder}")
    return files


def peer_module(cache: Path) -> Path:
    """The file of html-rewriter-wasm that node loads; Unavailable where it cannot be had."""
    return _installed(PEER_PACKAGE, cache) / "dist" / "html_rewriter.js"


def pieces(page: bytes, size: int) -> list[bytes]:
    """*page* in pieces of *size* bytes; in one where *size* is 0."""
    return [page[at : at + size] for at in range(0, len(page), size)] if size else [page]


def uneven_pieces(page: bytes, *, seed: int) -> list[bytes]:
    """*page* as a busy connection hands it over: in pieces of 1 KB to 64 KB, others for each *seed*."""
    random_ = random.Random(seed)  # noqa: S311 - the same pieces in every run
    cut, at = [], 0
    while at < len(page):
        size = int(2 ** random_.uniform(10, 16))
        cut.append(page[at : at + size])
        at += size
    return cut


def joined(pages: Sequence[bytes], size: int) -> bytes:
    """One page of *size* bytes out of many, which are repeated as often as needed."""
    body = b"".join(pages)
    return (body * (size // len(body) + 1))[:size]


def _installed(package: str, cache: Path) -> Path:
    """The folder of a package, installed if it is not there. Scripts of packages are not run."""
    name = package.rpartition("@")[0]
    # A folder each: npm takes away what it did not install itself.
    folder = cache / name
    installed = folder / "node_modules" / name
    if not installed.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        command = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder))
        try:
            subprocess.run((*command, package), check=True, capture_output=True, timeout=_INSTALL_S)
        except (OSError, subprocess.SubprocessError) as error:
            raise Unavailable(f"npm cannot install {package}: {error}") from error
    return installed
