"""What the demo's servers share: one application on a free port of this machine, as long as somebody needs it."""

from types import TracebackType
from typing import Self, cast

from aiohttp import web

# Nothing of the demo takes longer; a browser that is still reading must not hold up Ctrl-C.
_GRACE_S = 1.0

# One header field: as much as the gateway lets through. Browsers send every server of this machine the cookies of all of them.
_FIELD_LIMIT_BYTES = 32_768


class Server:
    """`async with Server(app) as server` answers at 127.0.0.1, `server.port`; OSError where there is no port to be had."""

    def __init__(self, app: web.Application) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_S, max_field_size=_FIELD_LIMIT_BYTES)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def port(self) -> int:
        """Where it answers."""
        return cast(int, self._runner.addresses[0][1])
