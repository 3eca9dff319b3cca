"""Addresses inside attributes, read by the letter of the standards: what a srcset, a refresh and a `data:` address hold."""

import binascii
import re
from dataclasses import dataclass
from typing import Literal

import ada_url

SPACE = "\t\n\f\r "


def candidates(srcset: str) -> list[str]:
    """The URLs of a srcset attribute (HTML Standard, 4.8.4.2.3), state by state."""
    found: list[str] = []
    at = 0
    while True:
        while at < len(srcset) and srcset[at] in SPACE + ",":
            at += 1
        if at >= len(srcset):
            return found
        begin = at
        while at < len(srcset) and srcset[at] not in SPACE:
            at += 1
        url = srcset[begin:at]
        if url.endswith(","):
            url = url.rstrip(",")
        else:
            at = _behind_descriptors(srcset, at)
        if url:
            found.append(url)


def _behind_descriptors(srcset: str, at: int) -> int:
    state: Literal["in", "parens", "after"] = "in"
    while at < len(srcset):
        char = srcset[at]
        match state:
            case "in" | "after" if char == ",":
                return at + 1
            case "in":
                state = "parens" if char == "(" else "after" if char in SPACE else "in"
            case "parens":
                state = "in" if char == ")" else "parens"
            case "after":
                if char in SPACE:
                    at += 1
                    continue
                state = "in"
                continue
        at += 1
    return at


def refresh(content: str) -> str | None:
    """Where a refresh leads to (HTML Standard, 4.2.5.3, shared declarative refresh steps); None where it stays or is none."""
    at = _over(content, 0, SPACE)
    digits = _over(content, at, "0123456789")
    if digits == at and content[at : at + 1] != ".":
        return None
    at = _over(content, digits, "0123456789.")
    if at < len(content) and content[at] not in ";," + SPACE:
        return None
    at = _over(content, at, SPACE)
    if content[at : at + 1] and content[at] in ";,":
        at += 1
    at = _over(content, at, SPACE)
    if at >= len(content):
        return None
    rest = content[at:]
    named = re.match(r"url[\t\n\f\r ]*=[\t\n\f\r ]*", rest, re.IGNORECASE | re.ASCII)
    if named is not None:
        rest = rest[named.end() :]
    if rest.startswith(("'", '"')):
        return rest[1:].partition(rest[0])[0]
    return rest


def _over(text: str, at: int, chars: str) -> int:
    while at < len(text) and text[at] in chars:
        at += 1
    return at


@dataclass(frozen=True, slots=True)
class Document:
    """What a `data:` address holds: its media type without parameters, the charset that it names, its bytes."""

    essence: str
    charset: str
    body: bytes


def data_of(address: str) -> Document | None:
    """The document in a `data:` address (Fetch Standard, 6); None where it is none, or holds nothing that can be read."""
    try:
        href = ada_url.URL(address).href.partition("#")[0]
    except (ValueError, UnicodeEncodeError):
        return None
    if not href.startswith("data:") or "," not in href:
        return None
    media, _, text = href.removeprefix("data:").partition(",")
    media = media.strip(SPACE)
    body = percent_decoded(text)
    if (coded := re.search(r"; *base64$", media, re.IGNORECASE)) is not None:
        media = media[: coded.start()]
        try:
            body = _forgiving_base64(body)
        except binascii.Error:
            return None
    essence, *parameters = media.split(";")
    charset = ""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip(SPACE).lower() == "charset" and not charset:
            charset = value.strip(SPACE).strip('"')
    return Document(essence.strip(SPACE).lower() or "text/plain", charset, body)


def percent_decoded(text: str) -> bytes:
    return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())


def _forgiving_base64(data: bytes) -> bytes:
    """Infra Standard, 5: spaces do not matter, padding may be missing, nothing else is forgiven."""
    data = bytes(byte for byte in data if byte not in b"\t\n\f\r ")
    if len(data) % 4 == 0:
        data = data[:-2] if data.endswith(b"==") else data[:-1] if data.endswith(b"=") else data
    if len(data) % 4 == 1 or re.fullmatch(rb"[A-Za-z0-9+/]*", data) is None:
        raise binascii.Error
    return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
