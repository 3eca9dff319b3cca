"""Counts to look at: JSON for programs, and for people a table that renews itself."""

import html
from collections.abc import Mapping, Sequence

import orjson
from aiohttp import web

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="2">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0 auto; max-width: 50rem; padding: 2rem 1rem; font: 1.05rem/1.55 Georgia, serif; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #c8702a; text-align: left; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{text}</p>
<table>
<thead><tr>{heading}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</main>
</body>
</html>
"""


def wants_page(request: web.BaseRequest) -> bool:
    """A browser's window asks, not a program."""
    return "text/html" in request.headers.get("Accept", "")


def page(*, title: str, text: str, heading: Sequence[str], rows: Sequence[Sequence[str]]) -> web.Response:
    """A table that renews itself every two seconds; *text* stands above it."""
    body = _PAGE.format(
        title=html.escape(title),
        text=html.escape(text),
        heading=_cells("th", heading),
        rows="\n".join(f"<tr>{_cells('td', row)}</tr>" for row in rows),
    )
    return web.Response(text=body, content_type="text/html", headers=_fresh())


def facts(answer: Mapping[str, object] | Sequence[object]) -> web.Response:
    """The same as JSON. Pages of every origin may read it: there is nothing in it but the demo."""
    return web.Response(
        body=orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE),
        content_type="application/json",
        headers={**_fresh(), "Access-Control-Allow-Origin": "*"},
    )


def _fresh() -> dict[str, str]:
    return {"Cache-Control": "no-store", "Vary": "Accept"}


def _cells(tag: str, values: Sequence[str]) -> str:
    return "".join(f"<{tag}>{html.escape(value)}</{tag}>" for value in values)
