"""A collector that is made to be killed: `python -m tests.killed DATABASE SINK_URL`.

For each line on standard input it forks a process that collects and delivers, tells its process id and port in one line, and
waits until somebody has killed it. Forked, because the imports take longer than all the rest of a round.
"""

import asyncio
import os
import secrets
import sys
import time
from pathlib import Path

from aiohttp import web

from gateway.collect import Collect
from gateway.consent.model import Category
from gateway.consent.policy import Policy
from gateway.deliver import Deliverer
from gateway.destinations.http import HttpDestination, open_session
from gateway.events import Buried, Collected, Delivered, Dropped, Recipient, Retried, StoreTroubled
from gateway.settings import Destination
from gateway.store.outbox import Outbox

NEEDS = frozenset({Category.ANALYTICS})
POLICY = Policy(
    cookie="cg_consent",
    readers=("own",),
    gpc=True,
    choice_overrides_gpc=False,
    lifetime_s=86_400,
    notice_version=1,
    asks_first=True,
)


class Silent:
    """A log that nobody reads."""

    def collected(self, beacon: Collected) -> None:
        """Nothing."""

    def dropped(self, event: Dropped) -> None:
        """Nothing."""

    def delivered(self, event: Delivered) -> None:
        """Nothing."""

    def retried(self, event: Retried) -> None:
        """Nothing."""

    def buried(self, event: Buried) -> None:
        """Nothing."""


def fail(trouble: StoreTroubled) -> None:
    """A store that is killed again and again must not be damaged by it."""
    raise AssertionError(trouble)


async def serve(database: Path, sink_url: str) -> None:
    """Collects and delivers until it is killed."""
    outbox = await Outbox.open(database, limit_events=100_000, on_trouble=fail, stamp=lambda: "now")
    collect = Collect(
        outbox=outbox,
        policy=POLICY,
        needs=NEEDS,
        recipients=[Recipient("sink", NEEDS)],
        log=Silent(),
        body_limit_bytes=65_536,
        body_timeout_s=5,
        write_timeout_s=5,
        clock=time.time,
        fresh_id=lambda: secrets.token_urlsafe(16),
    )
    runner = web.ServerRunner(
        web.Server(lambda request: collect.handle(request, request_id="", secure=False), handler_cancellation=True)
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with open_session() as session:
        destination = HttpDestination(Destination(name="sink", url=sink_url, timeout_s=5), session, secret=None)
        deliverer = Deliverer(outbox, [destination], Silent(), grace_s=1, clock=time.time, chance=lambda: 0.0)
        sys.stdout.write(f"{os.getpid()} {runner.addresses[0][1]}\n")
        sys.stdout.flush()
        await deliverer.run()


if __name__ == "__main__":
    for _line in sys.stdin:
        child = os.fork()
        if child == 0:
            asyncio.run(serve(Path(sys.argv[1]), sys.argv[2]))
        os.waitpid(child, 0)
