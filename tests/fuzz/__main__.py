"""`python -m tests.fuzz --target page --seconds 60 [--atheris]`: one target for a time.

Prints one line at the end: runs, seconds, runs a second, new faults, known faults that were met. Status 1 where there are new ones;
the input of each is kept in the folder of `--faults` and its smallest form is printed; `--input FILE` tries one again.
"""

import argparse
import os
import re
import sys
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.engine import Tally

_LONGEST_BYTES = 400
_FAULTS = Path(tempfile.gettempdir()) / "consent-gateway-fuzz"


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Runs one fuzz target for a time.")
    parser.add_argument("--target", required=True, choices=("page", "css", "urls", "charsets"))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", default="1", help="of the random inputs")
    parser.add_argument("--atheris", action="store_true", help="guided by coverage; needs the package atheris")
    parser.add_argument("--corpus", type=Path, help="folder of inputs that atheris begins with and adds to")
    parser.add_argument("--faults", type=Path, default=_FAULTS, help="folder for inputs that break a law (%(default)s)")
    parser.add_argument("--input", type=Path, help="try one input, and nothing else")
    options = parser.parse_args()
    if options.atheris:
        import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # noqa: PLC0415 - not everybody has it

        # Before anything of it is imported elsewhere: of this, coverage is counted.
        with atheris.instrument_imports(include=["gateway.page", "gateway.vendors"]):
            from tests.fuzz import engine  # noqa: PLC0415
    else:
        from tests.fuzz import engine  # noqa: PLC0415
    target = engine.TARGETS[options.target]
    if options.input is not None:
        target.check(target.draw(options.input.read_bytes()))
        return 0
    tally = engine.Tally(target)
    if not options.atheris:
        for data in engine.inputs(options.seed):
            tally.take(data)
            if tally.seconds >= options.seconds:
                break
        return told(tally, options.faults)

    def take(data: bytes) -> None:
        tally.take(data)
        if tally.seconds >= options.seconds:
            status = told(tally, options.faults)
            if options.corpus is not None:
                sys.stdout.write(f"corpus={len(list(options.corpus.iterdir()))}\n")
            sys.stdout.flush()
            os._exit(status)  # libFuzzer knows no other end

    arguments = [
        sys.argv[0],
        f"-max_len={_LONGEST_BYTES}",
        f"-seed={zlib.crc32(options.seed.encode()) | 1}",
        "-verbosity=0",
    ]
    if options.corpus is not None:
        options.corpus.mkdir(parents=True, exist_ok=True)
        arguments.append(str(options.corpus))
    atheris.Setup(arguments, take)
    atheris.Fuzz()
    return 0


def told(tally: "Tally", folder: Path) -> int:
    """The end of a run, in words; answers the exit status."""
    for fault in tally.faults.values():
        folder.mkdir(parents=True, exist_ok=True)
        words = re.sub(r"[^a-z0-9]+", "-", fault.law.lower()).strip("-")
        file = folder / f"{tally.target.name}-{words}-{zlib.crc32(fault.data):08x}.bin"
        file.write_bytes(fault.data)
        sys.stdout.write(f"{fault.law}: {fault.smallest!r} (--input {file})\n")
    sys.stdout.write(tally.summary() + "\n")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
