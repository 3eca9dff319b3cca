"""What commands that serve until they are stopped have in common: the log around them, the signal, the reason of a failed start."""

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Coroutine

from gateway.log import Log


def serve(serving: Coroutine[object, object, None], log: Log) -> None:
    """Run *serving* to its end, with what libraries have to say in *log*, which is closed afterwards."""
    libraries = log.library()
    logging.getLogger().addHandler(libraries)
    try:
        asyncio.run(serving)
    finally:
        logging.getLogger().removeHandler(libraries)
        log.close()


def stop_signal() -> asyncio.Future[str]:
    """Settled with its name by the first SIGTERM or SIGINT; the second finds Python's own handlers again and ends the process."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[str] = loop.create_future()
    signals = (signal.SIGTERM, signal.SIGINT)

    def settle(name: str) -> None:
        for one in signals:
            loop.remove_signal_handler(one)
        stop.set_result(name)

    for one in signals:
        loop.add_signal_handler(one, settle, one.name)
    return stop


def reason_of(error: OSError) -> str:
    """The system's own words: asyncio adds the address to them, in a form of its own."""
    known = error.errno is not None and not isinstance(error, socket.gaierror)
    return (os.strerror(error.errno or 0) if known else error.strerror or type(error).__name__).lower()
