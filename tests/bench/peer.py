"""html-rewriter-wasm in a node process that waits for rounds: see pages_peer.mjs."""

import json
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.bench.corpus import Unavailable
from tests.bench.job import Outcome
from tests.bench.rule_sets import RuleSet

_PROGRAM = Path(__file__).parent / "pages_peer.mjs"


class Peer:
    """A context: node runs inside it. *module* is the file that node loads, *files* are the pages; Unavailable without node."""

    def __init__(self, module: Path, files: Sequence[Path], rules: RuleSet) -> None:
        self._module = module
        self._files = files
        self._rules = rules

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(
                ("node", str(_PROGRAM), str(self._module)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        except OSError as error:
            raise Unavailable(f"node does not start: {error}") from error
        self._tell(
            {
                "files": [str(file) for file in self._files],
                "hosts": sorted(self._rules.hosts),
                "signatures": self._rules.signatures,
            }
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def round(self, chosen: slice, *, chunk: int) -> Outcome:
        """The chosen pages once, in pieces of so many bytes (0: whole)."""
        first, end, step = chosen.indices(len(self._files))
        self._tell({"chunk": chunk, "pages": list(range(first, end, step))})
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Unavailable("node has ended; what it said stands above")
        told = json.loads(line)
        return Outcome(float(told["seconds"]), Counter(told["withheld"]))

    def _tell(self, what: object) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise Unavailable("node has ended; what it said stands above") from error
