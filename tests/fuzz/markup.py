"""Markup of every kind, right and wrong, drawn from a fuzzer's bytes."""

import base64
import html
from urllib.parse import quote

from tests.fuzz import words
from tests.fuzz.draw import Draw

_BARE_ENDS = str.maketrans({char: f"&#{ord(char)};" for char in "\t\n\f\r >\"'"})


def page(draw: Draw, *, depth: int = 0) -> bytes:
    """A document, or something that somebody takes for one."""
    parts: list[bytes] = []
    open_: list[bytes] = []
    while not draw.is_spent and len(parts) < 40:
        parts.append(_part(draw, open_, depth))
    return b"".join(parts)


def xml_page(draw: Draw) -> bytes:
    """An XHTML document: well-formed, unless what a script or a style sheet holds is not."""
    head = draw.pick(
        ("", "<?xml version='1.0'?>", "<?xml-stylesheet href='//tracker.example/c.css'?>", "<!DOCTYPE html>")
    )
    spaces = "xmlns='http://www.w3.org/1999/xhtml' xmlns:h='http://www.w3.org/1999/xhtml'"
    spaces += " xmlns:x='https://x.example/' xmlns:svg='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink'"
    parts = [head, f"<html {spaces}>"]
    open_ = ["html"]
    while not draw.is_spent and len(parts) < 30:
        match draw.below(6):
            case 0 | 1:
                open_.append(draw.pick(words.XML_NAMES))
                parts.append(f"<{open_[-1]}{_xml_attributes(draw)}>")
            case 2:
                parts.append(f"<{draw.pick(words.XML_NAMES)}{_xml_attributes(draw)}/>")
            case 3 if len(open_) > 1:
                parts.append(f"</{open_.pop()}>")
            case 4:
                parts.append(draw.pick(("<!-- ", "<![CDATA[")) + draw.pick(("<img src='//tracker.example/t'/>", "x")))
                parts.append(" -->" if parts[-1].startswith("<!-- ") else "]]>")
            case _:
                text = draw.pick((code, css))(draw).decode()
                parts.append(html.escape(text, quote=draw.one_in(2)) if draw.one_in(2) else f"<![CDATA[{text}]]>")
    parts += [f"</{name}>" for name in reversed(open_)]
    return "".join(parts).encode()


def _xml_attributes(draw: Draw) -> str:
    names = {draw.pick(words.XML_ATTRIBUTES) for _ in range(draw.below(4))}
    values = {name: html.escape(_value(draw, name.encode(), 1).decode(errors="replace")) for name in sorted(names)}
    return "".join(f' {name}="{value}"' for name, value in values.items())


def _part(draw: Draw, open_: list[bytes], depth: int) -> bytes:
    match draw.below(12):
        case 0 | 1 | 2 | 3:
            name = draw.pick(words.NAMES)
            open_.append(name)
            return start_tag(draw, name, depth)
        case 4 | 5:
            return (
                b"</"
                + _spelt(draw, open_.pop() if open_ and not draw.one_in(4) else draw.pick(words.NAMES))
                + draw.pick((b">", b" >", b" a='", b"", b"/>"))
            )
        case 6 | 7:
            return draw.pick(words.LOOSE)
        case 8:
            kind = draw.pick(
                (b"<script>", b"<SCRIPT type=module>", b"<svg><script>", b"<script type=speculationrules>")
            )
            return kind + code(draw) + draw.pick((b"</script>", b"</SCRIPT >", b""))
        case 9:
            return draw.pick((b"<style>", b"<svg><style>")) + css(draw) + draw.pick((b"</style>", b"</style\n>", b""))
        case 10 if depth < 2:
            wrapped = page(Draw(draw.raw(60)), depth=depth + 1)
            begin, end = draw.pick(
                (
                    (b"<noscript>", b"</noscript>"),
                    (b"<template>", b"</template>"),
                    (b"<div><template shadowrootmode=open>", b"</template>"),
                    (b"<svg><foreignObject>", b"</svg>"),
                    (b"<select>", b"</select>"),
                    (b"<table>", b"</table>"),
                    (b"<frameset>", b"</frameset>"),
                    (b"<math><annotation-xml encoding=text/html>", b"</math>"),
                )
            )
            return begin + wrapped + (b"" if draw.one_in(4) else end)
        case _:
            return draw.raw(24)


def start_tag(draw: Draw, name: bytes, depth: int = 0) -> bytes:
    """A start tag of *name* with attributes of all kinds, in all quotings."""
    parts = [b"<", _spelt(draw, name)]
    usual = words.USUAL.get(name.lower(), (b"src",))
    for _ in range(draw.below(5)):
        attribute = draw.pick(words.ATTRIBUTES) if draw.one_in(3) else draw.pick(usual)
        parts += [draw.pick(words.BETWEEN), _spelt(draw, attribute), _valued(draw, _value(draw, attribute, depth))]
    parts.append(draw.pick((b">", b"/>", b" >", b"", b" /", b">\n")))
    return b"".join(parts)


def _value(draw: Draw, attribute: bytes, depth: int) -> bytes:
    if attribute in words.ENUMERATED:
        return draw.pick(words.ENUMERATED[attribute])
    if attribute.startswith(b"on"):
        return code(draw)
    match attribute:
        case b"style" | b"mask" | b"fill" | b"cursor":
            return draw.pick((b"b:", b"")) + css(draw)
        case b"srcset" | b"imagesrcset":
            return srcset(draw)
        case b"content":
            return draw.pick(
                (b"0;url=", b"1 ; URL = ", b"0,", b"5", b".5 ", b"0;url='", b"text/html; charset=")
            ) + address(draw, depth)
        case b"values" | b"ping":
            return address(draw, depth) + draw.pick((b";", b" ")) + address(draw, depth)
        case b"srcdoc" if depth < 2:
            return html.escape(page(Draw(draw.raw(50)), depth=depth + 1).decode(errors="replace")).encode()
        case _:
            return address(draw, depth)


def address(draw: Draw, depth: int = 0) -> bytes:
    """An address; now and then one that holds a document."""
    if depth >= 2 or not draw.one_in(8):
        return draw.pick(words.ADDRESSES)
    kind = draw.pick((b"text/html", b"text/html;charset=utf-8", b"TEXT/HTML", b"text/css", b"text/javascript"))
    choices = Draw(draw.raw(50))
    match kind:
        case b"text/css":
            inner = css(choices)
        case b"text/javascript":
            inner = code(choices)
        case _:
            inner = page(choices, depth=depth + 1)
    scheme = draw.pick((b"data:", b"DATA:", b" data:"))
    if draw.one_in(3):
        return scheme + kind + b";base64," + base64.b64encode(inner)
    return scheme + kind + b"," + quote(inner, safe=draw.pick((" <>=/:'", "/:"))).encode()


def srcset(draw: Draw) -> bytes:
    """Image candidates, with descriptors, commas and parentheses wherever somebody may put them."""
    parts = []
    for _ in range(1 + draw.below(4)):
        parts += [
            draw.pick(words.ADDRESSES),
            draw.pick((b" 1x", b" 100w", b"", b" (a,b)", b" (", b")", b" 1x 2w")),
            draw.pick((b", ", b",", b" ", b",,", b"\n")),
        ]
    return b"".join(parts)


def code(draw: Draw) -> bytes:
    """Something like JavaScript."""
    return b"".join(draw.pick(words.CODE) for _ in range(1 + draw.below(6)))


def css(draw: Draw) -> bytes:
    """Something like a style sheet."""
    return b"".join(draw.pick(words.CSS) for _ in range(1 + draw.below(6)))


def _valued(draw: Draw, value: bytes) -> bytes:
    match draw.below(6):
        case 0 | 1:
            return b'="' + value.replace(b'"', b"&quot;") + b'"'
        case 2:
            return b"='" + value.replace(b"'", b"&#39;") + b"'"
        case 3:
            return b"=" + value.decode("latin-1").translate(_BARE_ENDS).encode("latin-1")
        case 4:
            return b" =\n" + draw.pick((b'"', b"'", b"")) + value
        case _:
            return b""


def _spelt(draw: Draw, name: bytes) -> bytes:
    match draw.below(8):
        case 6:
            return name.upper()
        case 7:
            return name.swapcase()
        case _:
            return name
