"""The demo on free ports, with its log to wait on and a tap on what reaches the shop."""

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from gateway.demo import shop
from gateway.demo.scene import Scene
from gateway.log import open_log
from gateway.settings import LogSettings
from tests.origin import PATIENCE_S


class Lines(io.RawIOBase):
    """A stream for the log that can be waited on. The log writes from a thread of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[dict[str, Any]] = []
        self._loop = asyncio.get_running_loop()
        self._more = asyncio.Event()

    def writable(self) -> bool:
        """Written to, never read."""
        return True

    def write(self, data: Any) -> int:
        """Whole lines of the log."""
        self._loop.call_soon_threadsafe(self._take, bytes(data))
        return len(data)

    def _take(self, data: bytes) -> None:
        self._lines += map(orjson.loads, data.splitlines())
        self._more.set()

    async def wait_for(self, event: str, count: int = 1) -> list[dict[str, Any]]:
        """The lines of one kind, once there are *count* of them."""
        async with asyncio.timeout(PATIENCE_S):
            while len(found := [line for line in self._lines if line["event"] == event]) < count:
                self._more.clear()
                await self._more.wait()
        return found


@dataclass(frozen=True, slots=True)
class Stage:
    """*cookies*: path and names of the cookies of every request that the shop got."""

    scene: Scene
    lines: Lines
    cookies: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Host and port of the shop through the gateway."""
        return self.scene.shop_url.removeprefix("http://")

    async def from_origin(self, path: str) -> bytes:
        """A page as the shop has it, for a visitor without cookies."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.scene.origin_url}{path}") as response:
            return await response.read()

    async def decision(self, cookies: Mapping[str, str]) -> dict[str, Any]:
        """What the gateway tells a script of the site about a visitor with *cookies*."""
        headers = {"Accept": "application/json", "Cookie": "; ".join(map("=".join, cookies.items()))}
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.scene.choice_url, headers=headers) as response,
        ):
            answer: dict[str, Any] = orjson.loads(await response.read())
            return answer


@asynccontextmanager
async def staged(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """The demo, taken down at the end."""
    lines = Lines()
    log = open_log(LogSettings(format="json"), lines)  # type: ignore[arg-type]  # IO[bytes] as far as it is used
    stage = Stage(Scene(log), lines)
    open_shop = shop.app

    @web.middleware
    async def tap(request: web.Request, handler: Any) -> web.StreamResponse:
        stage.cookies.append((request.path, frozenset(request.cookies)))
        response: web.StreamResponse = await handler(request)
        return response

    def tapped(*, moth_url: str, prefix: str) -> web.Application:
        app = open_shop(moth_url=moth_url, prefix=prefix)
        app.middlewares.append(tap)
        return app

    monkeypatch.setattr(shop, "app", tapped)
    try:
        async with stage.scene:
            yield stage
    finally:
        log.close()
