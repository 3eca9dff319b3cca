import json
from pathlib import Path
from typing import Any

import pytest

from gateway.consent import gpc
from gateway.consent.model import Category

HERE = Path(__file__).parent
VECTOR_FILES = [HERE / "vectors" / "consent.json", HERE.parents[1] / "shared" / "vectors" / "consent.json"]
VECTORS: list[Any] = [
    vector for path in VECTOR_FILES if path.exists() for vector in json.loads(path.read_text("utf-8"))["gpc"]
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: json.dumps(vector["headers"]))
def test_only_exactly_1_in_any_field_is_the_signal(vector: dict[str, Any]) -> None:
    """Laws make this refusal binding, and the specification gives it one spelling."""
    headers = [(name.encode(), value.encode()) for name, value in vector["headers"]]
    assert (gpc.read(headers) is not None) == vector["expect"]


def test_the_signal_refuses_marketing_and_says_nothing_of_the_rest() -> None:
    """It speaks of sale, sharing and targeted advertising; measurement by the site itself is not in it."""
    signal = gpc.read([(b"sec-gpc", b"1")])
    assert signal is not None
    assert signal.decided
    assert [signal.answer(category) for category in Category] == [None, None, None, False]
