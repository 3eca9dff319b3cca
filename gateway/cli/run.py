"""`consent-gateway run`: the gateway in front of a site, until it is told to stop."""

import gc
import sys
from contextlib import AsyncExitStack

import click

from gateway import __version__, settings_file
from gateway.cli.options import Given, settings_options
from gateway.cli.serving import reason_of, serve, stop_signal
from gateway.errors import StoreUnavailable
from gateway.log import Log, open_log
from gateway.vendors.catalogue import Catalogue


@click.command()
@click.option(
    "--listen", metavar="ADDRESS", help="Where to answer: 127.0.0.1:8080, [::]:8080; port 0 takes a free one."
)
@settings_options
def run(*, listen: str | None, given: Given) -> None:
    """Run the gateway in front of a site.

    The log goes to standard output: JSON on a pipe, readable on a terminal. SIGTERM or Ctrl-C ends it cleanly, with
    status 0, when the requests under way are done; a second one ends it at once.
    """
    loaded, catalogue = given.load(listen=listen, needs_origin=True)
    log = open_log(loaded.settings.log, sys.stdout)
    serve(_serve(loaded, catalogue, log), log)


async def _serve(loaded: settings_file.Loaded, catalogue: Catalogue, log: Log) -> None:
    # Here and not above: the other commands start no server, and aiohttp takes longer to import than they to answer.
    from gateway.app import Gateway  # noqa: PLC0415

    settings = loaded.settings
    stop = stop_signal()
    async with AsyncExitStack() as stack:
        try:
            gateway = await stack.enter_async_context(Gateway(settings, catalogue, secrets=loaded.secrets, log=log))
        except OSError as error:
            raise click.ClickException(f"cannot start at {settings.listen.address}: {reason_of(error)}") from error
        except StoreUnavailable as error:
            raise click.ClickException(f"cannot start with the store {settings.collect.store}: {error}") from error
        log.started(
            version=__version__, address=gateway.address, origin=settings.origin.url, vendors=len(catalogue.vendors)
        )
        # What stands now stays: the garbage collector need not walk through all rules again and again.
        gc.collect()
        gc.freeze()
        click.echo(f"listening on http://{gateway.address} for {settings.origin.url}", err=True)
        reason = await stop
    log.stopped(reason=reason)
