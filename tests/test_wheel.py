"""What an installation gets."""

import zipfile
from pathlib import Path

import pytest
from hatchling.build import build_wheel

ROOT = Path(__file__).parent.parent


def test_the_wheel_carries_the_rules_and_all_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its rules an installed gateway would withhold nothing; a checkout does not show that they are missing."""
    monkeypatch.chdir(ROOT)
    with zipfile.ZipFile(tmp_path / build_wheel(str(tmp_path))) as wheel:
        names = set(wheel.namelist())
    rules = {f"gateway/_rules/vendors/{path.name}" for path in (ROOT / "rules" / "vendors").glob("*.toml")}
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "gateway").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert rules
    assert rules | package <= names
