"""Folders of vendor files, as they are found on disks."""

import os
from pathlib import Path

import pytest

from gateway import rule_files
from gateway.errors import StartupFaults
from gateway.vendors.catalogue import FILE_LIMIT_BYTES


def faults(*dirs: Path) -> list[str]:
    with pytest.raises(StartupFaults) as caught:
        rule_files.read(dirs, shipped=False)
    return list(map(str, caught.value.faults))


def test_each_folder_is_a_layer_in_the_order_given(tmp_path: Path) -> None:
    """A later folder overrides an earlier one, so the order is the operator's word."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    (tmp_path / "one" / "b.toml").write_bytes(b"1")
    (tmp_path / "one" / "a.toml").write_bytes(b"2")
    (tmp_path / "two" / "a.toml").write_bytes(b"3")
    layers = rule_files.read([tmp_path / "two", tmp_path / "one"], shipped=False)
    assert [list(layer.items()) for layer in layers] == [
        [(f"{tmp_path}/two/a.toml", b"3")],
        [(f"{tmp_path}/one/a.toml", b"2"), (f"{tmp_path}/one/b.toml", b"1")],
    ]


def test_only_visible_toml_files_are_read(tmp_path: Path) -> None:
    """Folders hold notes, and editors leave locks and copies in them."""
    for name in ("a.toml", "README.md", "a.toml~", ".a.toml", "._a.toml", "b.toml.bak", "toml"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / ".#a.toml").symlink_to("user@host.1234")
    (layer,) = rule_files.read([tmp_path], shipped=False)
    assert list(layer) == [f"{tmp_path}/a.toml"]


def test_the_shipped_vendors_come_first() -> None:
    """What the operator adds is meant to win."""
    layers = rule_files.read([], shipped=True)
    assert len(layers) == 1
    assert layers[0]
    assert all(name.startswith("rules/vendors/") for name in layers[0])


def test_nothing_asked_for_is_nothing_read() -> None:
    """Without the shipped vendors and without folders there are no layers; the catalogue objects, not the disk."""
    assert rule_files.read([], shipped=False) == []


def test_every_fault_of_every_folder_is_told(tmp_path: Path) -> None:
    """A folder that was not mounted must stop the start, with all else that is wrong."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "folder.toml").mkdir()
    (tmp_path / "odd" / "gone.toml").symlink_to("nowhere")
    os.mkfifo(tmp_path / "odd" / "pipe.toml")
    assert faults(*(tmp_path / name for name in ("missing", "empty", "file", "odd"))) == [
        f"{tmp_path}/missing: cannot be read as a folder of vendor files (no such file or directory)",
        f"{tmp_path}/empty: no *.toml file in this folder",
        f"{tmp_path}/file: cannot be read as a folder of vendor files (not a directory)",
        f"{tmp_path}/odd/folder.toml: not a file",
        f"{tmp_path}/odd/gone.toml: cannot be read (no such file or directory)",
        f"{tmp_path}/odd/pipe.toml: not a file",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_a_fault(tmp_path: Path) -> None:
    """Left out in silence, its vendor would run."""
    path = tmp_path / "a.toml"
    path.write_bytes(b"")
    path.chmod(0)
    assert faults(tmp_path) == [f"{path}: cannot be read (permission denied)"]


@pytest.mark.parametrize("more", [-1, 0, 1, 1000])
def test_no_more_is_read_than_tells_that_it_is_too_much(tmp_path: Path, more: int) -> None:
    """A log file renamed by mistake must not fill the memory."""
    (tmp_path / "a.toml").write_bytes(b"#" * (FILE_LIMIT_BYTES + more))
    (layer,) = rule_files.read([tmp_path], shipped=False)
    assert [len(data) for data in layer.values()] == [FILE_LIMIT_BYTES + min(more, 1)]
