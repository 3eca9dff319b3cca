"""`consent-gateway rewrite`: one page through the rewriter, bytes in, bytes out."""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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
from gateway.cli.serving import reason_of
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
    in a charset that cannot be scanned; status 2, and nothing written, where the page is also the report or the output.
    """
    loaded, catalogue = given.load(needs_origin=False)
    decision = granted(grant, catalogue)
    _keep_apart(file, report)
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
        if not hasattr(sys.stderr, "buffer"):  # closed by the shell: no report, and nobody to tell that
            end(NOT_AS_WANTED)
        stream = cast("IO[bytes]", sys.stderr.buffer)
    else:
        try:
            stream = Path(name).open("wb")  # noqa: SIM115 - the caller's stack closes it
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise click.BadParameter(f"{name}: {reason.lower()}", param_hint="'--report'") from error
        stack.callback(_written(name)(stream.close))

    def tell(rewriter: Rewriter) -> None:
        withheld, degraded = rewriter.take_report()
        lines = [*map(_line, withheld), *({"degraded": path} for path in degraded)]
        with _written(name):
            stream.write(b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in lines))
            stream.flush()

    return tell


@contextmanager
def _written(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise click.ClickException(f"cannot write the report to {name}: {reason_of(error)}") from error


def _keep_apart(page: IO[bytes], report: str | None) -> None:
    """Bad use where the page would be written to while it is read, or the report over the output; links are followed."""
    read, out = _file_of(page), _file_of(sys.stdout)
    if _are_one(read, out):
        raise click.UsageError("standard output is the page itself; write to another file")
    if report is None or report == "-":
        return
    told = _file_of(report)
    if _are_one(read, told):
        raise click.BadParameter("this is the page itself", param_hint="'--report'")
    if _are_one(out, told):
        raise click.BadParameter("standard output goes to this file", param_hint="'--report'")


def _file_of(place: IO[bytes] | IO[str] | str) -> os.stat_result | None:
    """The regular file there; None for what writing does not destroy: terminals, pipes, memory, and what is not there."""
    with suppress(OSError, ValueError):
        found = Path(place).stat() if isinstance(place, str) else os.fstat(place.fileno())
        return found if stat.S_ISREG(found.st_mode) else None
    return None


def _are_one(one: os.stat_result | None, other: os.stat_result | None) -> bool:
    return one is not None and other is not None and os.path.samestat(one, other)


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
