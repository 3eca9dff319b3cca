"""A destination that records what it gets and answers as it is told: a real server on a free port."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import orjson
from aiohttp import web


@dataclass(frozen=True)
class Received:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def event_id(self) -> str:
        """The id inside the body."""
        return str(orjson.loads(self.body)["id"])


class Sink:
    """Answers with what *reply* returns for each request; 204 without one. `wait_for(n)` returns when n have come."""

    def __init__(self, reply: Callable[[Received], web.StreamResponse] | None = None) -> None:
        self.reply = reply
        self.received: list[Received] = []
        self.connections: set[object] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        self._changed = asyncio.Condition()
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        received = Received(request.method, request.raw_path, dict(request.headers), await request.read())
        self.connections.add(request.transport)
        async with self._changed:
            self.received.append(received)
            self._changed.notify_all()
        await self.gate.wait()
        return self.reply(received) if self.reply else web.Response(status=204)

    async def wait_for(self, count: int) -> list[Received]:
        """The first *count* requests, once they have come."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= count)
        return self.received[:count]

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/events"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.gate.set()
        await self._runner.cleanup()
