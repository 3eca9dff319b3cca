"""Folders of vendor files, read from disk."""

from collections.abc import Sequence
from pathlib import Path

from gateway.errors import Fault, StartupFaults
from gateway.vendors.catalogue import FILE_LIMIT_BYTES

_PACKAGE = Path(__file__).parent


def shipped_folder() -> Path:
    """Where the vendors that the gateway ships lie: inside the package when installed, beside it in a checkout."""
    installed = _PACKAGE / "_rules" / "vendors"
    return installed if installed.is_dir() else _PACKAGE.parent / "rules" / "vendors"


def read(dirs: Sequence[Path], *, shipped: bool) -> list[dict[str, bytes]]:
    """One layer a folder, the shipped one first, then *dirs* in order: {file name as shown to people: bytes}.

    Files are `*.toml`, by name; hidden ones are those of editors and are left alone. A folder that is missing or has no such
    file, and a file that cannot be read, are faults: StartupFaults with all of them. Files are cut above the limit that the
    catalogue refuses.
    """
    faults: list[Fault] = []
    layers: list[dict[str, bytes]] = []
    if shipped:
        layers.append(_layer(shipped_folder(), "rules/vendors", faults))
    layers += [_layer(folder, str(folder), faults) for folder in dirs]
    if faults:
        raise StartupFaults(faults)
    return layers


def _layer(folder: Path, shown: str, faults: list[Fault]) -> dict[str, bytes]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except OSError as error:
        faults.append(Fault(shown, "", f"cannot be read as a folder of vendor files ({_reason(error)})"))
        return {}
    if not paths:
        faults.append(Fault(shown, "", "no *.toml file in this folder"))
    layer: dict[str, bytes] = {}
    for path in paths:
        name = f"{shown}/{path.name}"
        try:
            if path.exists() and not path.is_file():
                faults.append(Fault(name, "", "not a file"))
                continue
            with path.open("rb") as file:
                layer[name] = file.read(FILE_LIMIT_BYTES + 1)
        except OSError as error:
            faults.append(Fault(name, "", f"cannot be read ({_reason(error)})"))
    return layer


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
