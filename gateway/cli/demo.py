"""`consent-gateway demo`: a made-up shop behind the gateway, to look at and to watch."""

import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import IO, TYPE_CHECKING, cast

import click

from gateway.cli.options import BAD_SETTINGS, print_json
from gateway.cli.serving import reason_of, serve, stop_signal
from gateway.demo.ticker import Ticker
from gateway.errors import StartupFaults, StoreUnavailable
from gateway.log import Log, open_log
from gateway.settings import LogSettings

if TYPE_CHECKING:
    from gateway.demo.scene import Scene

_INTRODUCTION = """\

  {title}
  A made-up shop whose pages carry the snippets of real vendors, behind the gateway.

  1  Open the shop              {shop}
     No vendor hears of you: the lines below say what was withheld.

  2  Make your privacy choice   {choice}
     Agree, and go back: the same page, this time with its vendors. Or take it back.

  To compare
     the shop, no gateway       {without}
     what one vendor got        {contacts}
     what the shop collected    {events}

  Once you agree, the real vendors are asked too, with account numbers that are made up.
  Ctrl-C stops the demo and leaves nothing behind.
"""


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    metavar="NUMBER",
    help="Port of the shop through the gateway. Default: a free one.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Addresses as one line of JSON, then the log as JSON lines, terminal or not.",
)
def demo(*, port: int, as_json: bool) -> None:
    """Show a made-up shop behind the gateway.

    Prints what to open and, live, what is withheld, released and collected: readable on a terminal, the log's own JSON lines
    on a pipe. Everything runs on this machine, on free ports. Ctrl-C or SIGTERM ends it, with status 0.

    JSON: {"shop", "choice", "without_gateway", "contacts", "events": address}, then the log
    """
    readable = sys.stdout.isatty() and not as_json
    ticker = Ticker(_say) if readable else None
    log = open_log(LogSettings(format="json"), cast("IO[bytes]", ticker) if ticker else sys.stdout)
    try:
        serve(_play(log, port=port, on_contact=ticker.contact if ticker else None, as_json=as_json), log)
    except StartupFaults as faults:
        click.echo(str(faults), err=True)
        sys.exit(BAD_SETTINGS)
    if readable:
        click.echo("\nstopped")


async def _play(log: Log, *, port: int, on_contact: Callable[[str], None] | None, as_json: bool) -> None:
    # Here and not above: the other commands start no server, and aiohttp takes longer to import than they to answer.
    from gateway.demo.scene import Scene  # noqa: PLC0415

    stop = stop_signal()
    async with AsyncExitStack() as stack:
        try:
            scene = await stack.enter_async_context(Scene(log, port=port, on_contact=on_contact))
        except OSError as error:
            raise click.ClickException(f"cannot start at 127.0.0.1:{port}: {reason_of(error)}") from error
        except StoreUnavailable as error:
            raise click.ClickException(f"cannot start, no room for the events: {error}") from error
        _introduce(scene, as_json=as_json)
        await stop


def _introduce(scene: "Scene", *, as_json: bool) -> None:
    addresses = {
        "shop": f"{scene.shop_url}/",
        "choice": scene.choice_url,
        "without_gateway": f"{scene.origin_url}/",
        "contacts": scene.contacts_url,
        "events": scene.events_url,
    }
    if as_json:
        print_json(addresses)
    else:
        _say(
            _INTRODUCTION.format(
                title=click.style("Consent Gateway, the demo", bold=True),
                shop=click.style(addresses["shop"], fg="cyan", underline=True),
                choice=click.style(addresses["choice"], fg="cyan", underline=True),
                without=addresses["without_gateway"],
                contacts=addresses["contacts"],
                events=addresses["events"],
            )
        )
    sys.stdout.flush()


def _say(line: str) -> None:
    click.echo(line, color=False if "NO_COLOR" in os.environ else None)
