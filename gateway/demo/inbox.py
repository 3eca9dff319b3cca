"""The shop's own warehouse: takes the events that the gateway delivers, and shows them.

POST /events   one event; a repeat of one that is here already is taken and not kept twice
GET  /events   what has come, the newest first: {"total": number, "events": [event, ...]}
"""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web

from gateway.demo import tally
from gateway.demo.server import Server

# As many as anybody will look at; the demo may run for days.
SHOWN_LIMIT = 200


class Inbox:
    """The warehouse, `async with Inbox() as inbox`. *total* counts all events, *events* holds the last, by id."""

    def __init__(self) -> None:
        self.total = 0
        self.events: dict[str, Mapping[str, Any]] = {}
        self._came = asyncio.Condition()
        app = web.Application()
        app.router.add_post("/events", self._take)
        app.router.add_get("/events", self._show)
        self._server = Server(app)

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.__aexit__(kind, error, trace)

    @property
    def url(self) -> str:
        """Where events are sent, and looked at."""
        return f"http://127.0.0.1:{self._server.port}/events"

    async def wait_for(self, total: int) -> None:
        """Wait until that many events have come."""
        async with self._came:
            await self._came.wait_for(lambda: self.total >= total)

    async def _take(self, request: web.Request) -> web.Response:
        try:
            event = orjson.loads(await request.read())
            event_id = str(event["id"])
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest(text="not an event\n") from None
        if event_id not in self.events:
            self.total += 1
            self.events[event_id] = event
            if len(self.events) > SHOWN_LIMIT:
                del self.events[next(iter(self.events))]
            async with self._came:
                self._came.notify_all()
        return web.Response(status=204)

    async def _show(self, request: web.Request) -> web.Response:
        newest = list(reversed(self.events.values()))
        if not tally.wants_page(request):
            return tally.facts({"total": self.total, "events": newest})
        return tally.page(
            title=f"{self.total} events were delivered",
            text="Page views that the shop counts itself, through the gateway's own endpoint. They come from visitors who"
            " agreed to analytics; those of all others are dropped before they are stored.",
            heading=("Event", "Page", "Agreed to"),
            rows=[
                (str(event.get("name")), str(event.get("url")), ", ".join(event.get("consent", {}).get("granted", [])))
                for event in newest
            ],
        )
