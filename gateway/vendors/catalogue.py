"""Vendor files, layer over layer, to one immutable catalogue; or every fault of every file at once."""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType

import orjson
from pydantic import ValidationError

from gateway.errors import Fault, StartupFaults
from gateway.faults import faults_of
from gateway.vendors.match import Matcher
from gateway.vendors.schema import VendorFile

# The largest shipped file is a twentieth of it; what is larger is no vendor file.
FILE_LIMIT_BYTES = 1024 * 1024

_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The vendors that count, by id in alphabetical order, and the matcher compiled from them.

    *files* names the file that each vendor was read from, as it was shown to `load`.
    """

    vendors: Mapping[str, VendorFile]
    files: Mapping[str, str]
    matcher: Matcher

    @property
    def version(self) -> str:
        """A short digest of all rules: it changes when anything that the files say changes, remarks apart."""
        return self.matcher.version


def load(
    layers: Sequence[Mapping[str, bytes]], *, disabled: Collection[str] = (), may_be_empty: bool = False
) -> Catalogue:
    """The catalogue of *layers*, each {file name as shown to people: bytes}; StartupFaults with all that is wrong.

    A later layer overrides an earlier one by vendor id, whole files at a time. Two files of one layer with the same vendor
    id, a vendor id in *disabled* that no file has, and a catalogue without vendors are faults.
    """
    faults: list[Fault] = []
    vendors: dict[str, VendorFile] = {}
    files: dict[str, str] = {}
    unread: set[str] = set()
    for layer in layers:
        seen: dict[str, str] = {}
        for name, data in layer.items():
            vendor = _read(name, data, faults)
            if vendor is None:
                unread.add(PurePath(name).stem)
                continue
            vendor_id = vendor.vendor.id
            if vendor_id in seen:
                faults.append(Fault(name, "vendor.id", f"{vendor_id!r} is also the id in {seen[vendor_id]}"))
                continue
            seen[vendor_id] = name
            vendors[vendor_id] = vendor
            files[vendor_id] = name
    # A file that could not be read counts as the vendor it is named after: its fault is reported already.
    faults += [
        Fault("", "rules.disabled", _unknown(vendor, vendors))
        for vendor in disabled
        if vendor not in vendors and vendor not in unread
    ]
    kept = {vendor: vendors[vendor] for vendor in sorted(vendors) if vendor not in disabled}
    if not kept and not may_be_empty and not faults:
        faults.append(Fault("", "rules", "no vendor files: nothing would be withheld"))
    if faults:
        raise StartupFaults(faults)
    return Catalogue(
        vendors=MappingProxyType(kept),
        files=MappingProxyType({vendor: files[vendor] for vendor in kept}),
        matcher=Matcher(kept.values()),
    )


def _read(name: str, data: bytes, faults: list[Fault]) -> VendorFile | None:
    """One file, or None and its faults added to *faults*."""
    if len(data) > FILE_LIMIT_BYTES:
        faults.append(Fault(name, "", f"longer than {FILE_LIMIT_BYTES} bytes"))
        return None
    try:
        table = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        faults.append(Fault(name, "", f"line {line}: not UTF-8 (byte 0x{data[error.start]:02x})"))
        return None
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(name, "", _toml_message(str(error))))
        return None
    except RecursionError:
        faults.append(Fault(name, "", "not TOML that can be read: nested too deeply"))
        return None
    try:
        text = orjson.dumps(table)
    except orjson.JSONEncodeError:
        faults.append(Fault(name, "", "a number is too large or the file is nested too deeply"))
        return None
    try:
        # Through JSON, so that strict reading takes arrays for tuples and strings for categories, and nothing else.
        return VendorFile.model_validate_json(text, strict=True)
    except ValidationError as error:
        found = faults_of(error, file=name, model=VendorFile)
    newer = [fault for fault in found if fault.key == "format" and "newer gateway" in fault.message]
    faults += newer or found
    return None


def _toml_message(message: str) -> str:
    """The words of tomllib with the line in front, where people look for it."""
    place = _TOML_PLACE.search(message)
    words = message[: place.start()] if place else message
    where = f"line {place[1]}: " if place and place[1] else "at the end of the file: " if place else ""
    return f"{where}not TOML: {words[:1].lower()}{words[1:]}"


def _unknown(vendor: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(vendor, known, n=1)
    return f"no vendor {vendor!r}; did you mean {near[0]!r}?" if near else f"no vendor {vendor!r}"
