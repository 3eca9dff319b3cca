"""`consent-gateway rewrite`: one page through the rewriter, bytes in, bytes out."""

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, cast

import click
import orjson

from gateway.cli.options import (
    NOT_AS_WANTED,
    Given,
    end,
    grant_option,
    granted,
    in_order,
    settings_options,
    site_option,
)
from gateway.page.rewriter import PageLimits, Rewriter, UnreadableCharset
from gateway.withheld import Withheld

_PIECE_BYTES = 64 * 1024


@click.command()
@click.argument("file", default="-", type=click.File("rb"), metavar="[FILE|-]")
@site_option
@grant_option
@click.option("--charset", default="", metavar="NAME", help="Charset of the Content-Type header. Default: it has none.")
@click.option("--report", metavar="FILE", help="Write what was withheld to FILE as JSON lines; - for standard error.")
@settings_options
def rewrite(*, file: IO[bytes], site: str | None, grant: str, charset: str, report: str | None, given: Given) -> None:
    """Rewrite the page in FILE (default: standard input) to standard output, as the gateway would.

    A line of the report: {"kind", "vendor", "rule", "host", "categories", "action", "offset"}, offset in bytes from the
    start of the page; or {"degraded": word} where less than the full service was given. Status 1, and no output, for a page
    in a charset that cannot be scanned.
    """
    loaded, catalogue = given.load(needs_origin=False)
    decision = granted(grant, catalogue)
    with ExitStack() as stack:
        tell = _reporter(report, stack)
        out = sys.stdout.buffer
        if decision.allows_everything:
            for piece in _pieces(file):
                out.write(piece)
            out.flush()
            return
        limits = loaded.settings.page
        try:
            rewriter = Rewriter(
                matcher=catalogue.matcher,
                decision=decision,
                site=site or f"{loaded.settings.origin.url}/",
                charset=charset,
                limits=PageLimits(tag_bytes=limits.tag_limit_bytes, inline_bytes=limits.inline_limit_bytes),
            )
        except UnreadableCharset:
            click.echo(f"a page in the charset {charset[:80]!r} cannot be scanned: nothing is written", err=True)
            end(NOT_AS_WANTED)
        for piece in _pieces(file):
            out.write(rewriter.feed(piece))
            out.flush()
            tell(rewriter)
        out.write(rewriter.close())
        out.flush()
        tell(rewriter)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """What is there already, as it comes: a page on a pipe is not waited for to its end."""
    stream = cast("io.BufferedReader", file)
    return iter(lambda: stream.read1(_PIECE_BYTES), b"")


def _reporter(name: str | None, stack: ExitStack) -> Callable[[Rewriter], None]:
    """Writes what the rewriter has to report since the last time."""
    if name is None:
        return lambda _rewriter: None
    if name == "-":
        stream = cast("IO[bytes]", sys.stderr.buffer)
    else:
        try:
            stream = stack.enter_context(Path(name).open("wb"))  # noqa: SIM115 - the caller's stack closes it
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise click.BadParameter(f"{name}: {reason.lower()}", param_hint="'--report'") from error

    def tell(rewriter: Rewriter) -> None:
        withheld, degraded = rewriter.take_report()
        for line in [*map(_line, withheld), *({"degraded": path} for path in degraded)]:
            stream.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        stream.flush()

    return tell


def _line(thing: Withheld) -> dict[str, object]:
    return {
        "kind": thing.kind,
        "vendor": thing.vendor,
        "rule": thing.rule,
        "host": thing.host,
        "categories": in_order(thing.needs),
        "action": thing.action,
        "offset": thing.offset,
    }
