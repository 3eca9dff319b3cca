"""The log for somebody who watches it: one short line a fact, as it happens.

It reads the JSON lines that the log writes, so that nothing is to be seen here that the log does not hold. Events keep the
names that they have there; the one that is not the log's is `contact`: the vendor was reached, which is told by the vendor.
"""

import io
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import click
import orjson

_COLOURS = {
    "blocked": "yellow",
    "chosen": "cyan",
    "collected": "green",
    "contact": "magenta",
    "delivered": "green",
    "degraded": "red",
    "failed": "red",
    "retried": "red",
    "buried": "red",
}


class Ticker(io.RawIOBase):
    """A stream for `open_log` in the format `json`; *say* takes each line to be shown, without its end."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__()
        self._say = say
        # The log writes from a thread of its own.
        self._lock = threading.Lock()

    def writable(self) -> bool:
        """Written to, never read."""
        return True

    def write(self, data: Any) -> int:
        """Whole lines of the log."""
        for line in bytes(data).splitlines():
            self._show(orjson.loads(line))
        return len(data)

    def contact(self, path: str) -> None:
        """The vendor was reached. Waits where the terminal is held, as the whole demo may."""
        self._show({"event": "contact", "page": path})

    def _show(self, line: Mapping[str, Any]) -> None:
        event = str(line["event"])
        told = _TELL.get(event, _anything)(line)
        at = datetime.fromisoformat(line["timestamp"]) if "timestamp" in line else datetime.now().astimezone()
        name = click.style(f"{event:<9}", fg=_COLOURS.get(event), bold=event in {"chosen", "contact"})
        with self._lock:
            self._say(f"{at.astimezone():%H:%M:%S} {name} {told}".rstrip())


def _blocked(line: Mapping[str, Any]) -> str:
    needs = f"needs {', '.join(line['categories'])}"
    return f"{line['vendor']:<18} {line['kind']:<11} {needs:<26} {line.get('host', '')}".rstrip()


def _proxied(line: Mapping[str, Any]) -> str:
    asked = f"{line['method']} {line['page']} {line['status']}"
    if line.get("plan") != "rewrite" and line["outcome"] == "served" and not line["withheld"]:
        return asked
    ended = "" if line["outcome"] == "served" else f", {line['outcome']}"
    return f"{asked}: {line['withheld']} withheld, agreed to {_agreed(line['granted'])}{ended}"


def _chosen(line: Mapping[str, Any]) -> str:
    return f"{line['action']}: agreed to {_agreed(line['granted'])}"


def _agreed(granted: list[str]) -> str:
    return ", ".join(name for name in granted if name != "necessary") or "nothing"


def _dropped(line: Mapping[str, Any]) -> str:
    return f"a page view of the shop's own: {line['reason']}"


def _collected(line: Mapping[str, Any]) -> str:
    if line["outcome"] == "stored":
        return f"a page view of the shop's own, for {', '.join(line['destinations'])}"
    return " ".join(str(line[key]) for key in ("outcome", "reason") if key in line)


def _delivered(line: Mapping[str, Any]) -> str:
    return f"to {line['destination']}, {line['waited_ms']} ms after it came"


def _contact(line: Mapping[str, Any]) -> str:
    return f"Moth Metrics, the made-up vendor, was asked for {line['page']}"


def _anything(line: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in line.items() if key not in {"timestamp", "level", "event"})


_TELL: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "blocked": _blocked,
    "proxied": _proxied,
    "chosen": _chosen,
    "dropped": _dropped,
    "collected": _collected,
    "delivered": _delivered,
    "contact": _contact,
}
