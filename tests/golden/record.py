"""Writes what the rewriter makes of each golden page into its file: `python -m tests.golden.record`, then read the diff."""

from tests.test_page_rewriter import GOLDEN, granted_in, rewrite, told


def main() -> None:
    """Record every golden page anew."""
    for path in sorted((GOLDEN / "pages").glob("*.txt")):
        options, page, *_ = path.read_text().split("-----\n")
        out, withheld, _ = rewrite([page.encode()], grant=granted_in(options))
        path.write_text("-----\n".join([options, page, out.decode(), told(withheld)]))


if __name__ == "__main__":
    main()
