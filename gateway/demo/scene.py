"""The whole demo, wired: the shop, the vendor, the shop's warehouse, and the gateway between them."""

import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway import rule_files
from gateway.app import Gateway
from gateway.demo import shop
from gateway.demo.inbox import Inbox
from gateway.demo.moth import Moth
from gateway.demo.server import Server
from gateway.log import Log
from gateway.settings import CollectSettings, Destination, ListenSettings, OriginSettings, Settings
from gateway.vendors import catalogue
from gateway.vendors.catalogue import Catalogue

# Requests of the demo are short; Ctrl-C should be, too.
_GRACE_S = 2.0

_RULES = Path(__file__).parent


def rules() -> Catalogue:
    """The shipped vendors, and the made-up one."""
    return catalogue.load(rule_files.read([_RULES], shipped=True))


class Scene:
    """`async with Scene(log) as scene` stands on free ports (*port*: that of the gateway); leaving takes everything down.

    *on_contact* is told the path of each contact with the vendor. The store lives in a folder of its own, which goes with
    the scene. OSError where a port cannot be had, StoreUnavailable where there is no room for the store.
    """

    def __init__(self, log: Log, *, port: int = 0, on_contact: Callable[[str], None] | None = None) -> None:
        self._log = log
        self._port = port
        self._stack = AsyncExitStack()
        self.moth = Moth(on_contact=on_contact)
        self.inbox = Inbox()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="consent-gateway-demo-")))
            moth = await stack.enter_async_context(self.moth)
            inbox = await stack.enter_async_context(self.inbox)
            prefix = Settings.model_fields["prefix"].default
            origin = await stack.enter_async_context(Server(shop.app(moth_url=moth.url, prefix=prefix)))
            self.origin_port = origin.port
            settings = Settings(
                origin=OriginSettings(url=f"http://127.0.0.1:{origin.port}"),
                listen=ListenSettings(address=f"127.0.0.1:{self._port}", grace_s=_GRACE_S),
                collect=CollectSettings(store=folder / "events.db"),
                destinations=(Destination(name="inbox", url=inbox.url),),
            )
            self.prefix = settings.prefix
            known = rules()
            self.vendors = len(known.vendors)
            self.gateway = await stack.enter_async_context(Gateway(settings, known, secrets={}, log=self._log))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def shop_url(self) -> str:
        """The shop through the gateway, without a slash at the end."""
        return f"http://{self.gateway.address}"

    @property
    def choice_url(self) -> str:
        """The page on which the visitor chooses."""
        return f"{self.shop_url}{self.prefix}/choice"

    @property
    def collect_url(self) -> str:
        """Where the shop's own page views go."""
        return f"{self.shop_url}{self.prefix}/collect"

    @property
    def origin_url(self) -> str:
        """The shop without the gateway. By name: browsers would share cookies between two ports of one address."""
        return f"http://localhost:{self.origin_port}"

    @property
    def contacts_url(self) -> str:
        """How often the vendor was contacted."""
        return f"{self.moth.url}/contacts"

    @property
    def events_url(self) -> str:
        """The events that were delivered."""
        return self.inbox.url
