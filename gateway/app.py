"""The composition root: builds every room from the settings, wires them, starts them in order and drains them in reverse."""

import asyncio
import random
import time
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiohttp import web

from gateway.choice_form import vendors_by_category
from gateway.choices import Choices
from gateway.collect import Collect
from gateway.deliver import Deliverer
from gateway.destinations.http import HttpDestination, open_session
from gateway.events import Recipient
from gateway.listener import Listener, Refused
from gateway.log import Log
from gateway.own_paths import OwnPath, OwnPaths
from gateway.peers import Peers
from gateway.proxy import Proxy, Rulebook
from gateway.settings import Settings, consent_policy
from gateway.store.outbox import Outbox
from gateway.upstream import Upstream
from gateway.vendors.catalogue import Catalogue


class Gateway:
    """The whole gateway: `async with Gateway(…)` listens; leaving drains. *secrets* are by destination name.

    StoreUnavailable where the store cannot be opened, OSError where the address cannot be had.
    """

    def __init__(self, settings: Settings, catalogue: Catalogue, *, secrets: Mapping[str, str], log: Log) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._secrets = secrets
        self._log = log
        self._policy = consent_policy(settings.consent)
        self._ready = False
        self._delivering: asyncio.Task[None] | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        self._ready = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ready = False
        await self._stack.aclose()

    @property
    def address(self) -> str:
        """Host and port that it answers at, also where the settings said port 0."""
        return f"{self._settings.listen.address.rpartition(':')[0]}:{self._listener.port}"

    def _is_ready(self) -> bool:
        """Requests are taken, and the task that delivers has not died of a fault of ours."""
        return self._ready and not (self._delivering and self._delivering.done())

    async def _start(self, stack: AsyncExitStack) -> None:
        """Everything that a request may need stands before the first one can come."""
        upstream = Upstream(self._settings.origin)
        await upstream.start()
        stack.push_async_callback(upstream.close)
        pages: dict[str, OwnPath] = {"choice": self._choices()}
        if self._settings.collect.enabled:
            pages["collect"] = await self._collect(stack)
        self._peers = Peers(self._settings.listen.trusted_proxies)
        self._own = OwnPaths(
            self._settings.prefix,
            pages,
            peers=self._peers,
            is_ready=self._is_ready,
            write_timeout_s=self._settings.listen.write_timeout_s,
        )
        self._proxy = Proxy(
            self._settings,
            upstream,
            self._log,
            Rulebook(catalogue=self._catalogue, policy=self._policy),
        )
        self._listener = Listener(self._handle, self._settings.listen, tell=self._turned_away)
        await self._listener.start()
        stack.push_async_callback(self._listener.stop)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if self._own.owns(request.raw_path):
            answer = await self._own.handle(request)
            if answer is not None:
                return answer
        return await self._proxy.handle(request)

    def _choices(self) -> Choices:
        return Choices(
            path=f"{self._settings.prefix}/choice",
            policy=self._policy,
            vendors=vendors_by_category(self._catalogue.vendors.values()),
            log=self._log,
            body_timeout_s=self._settings.listen.body_timeout_s,
            write_timeout_s=self._settings.listen.write_timeout_s,
            clock=time.time,
        )

    async def _collect(self, stack: AsyncExitStack) -> Collect:
        """The endpoint, the store behind it and the task that delivers: drained after the last beacon came in."""
        collect = self._settings.collect
        outbox = await Outbox.open(
            collect.store,
            limit_events=collect.store_limit_events,
            on_trouble=self._log.troubled,
            stamp=lambda: datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
        )
        stack.push_async_callback(outbox.close)
        session = await stack.enter_async_context(open_session())
        deliverer = Deliverer(
            outbox,
            [
                HttpDestination(destination, session, secret=self._secrets.get(destination.name))
                for destination in self._settings.destinations
            ],
            self._log,
            grace_s=self._settings.listen.grace_s,
            clock=time.time,
            chance=random.random,
        )
        self._delivering = delivering = asyncio.create_task(deliverer.run(), name="deliver")

        async def stop_delivering() -> None:
            deliverer.stop()
            await delivering

        stack.push_async_callback(stop_delivering)
        return Collect(
            outbox=outbox,
            policy=self._policy,
            needs=frozenset(collect.needs),
            recipients=[
                Recipient(name=destination.name, needs=frozenset(destination.needs))
                for destination in self._settings.destinations
            ],
            log=self._log,
            body_limit_bytes=collect.body_limit_bytes,
            body_timeout_s=self._settings.listen.body_timeout_s,
            write_timeout_s=self._settings.listen.write_timeout_s,
            clock=time.time,
            fresh_id=lambda: uuid.uuid4().hex,
        )

    def _turned_away(self, what: Refused, count: int, error: BaseException | None) -> None:
        self._log.turned_away(what, count=count, error=error)
