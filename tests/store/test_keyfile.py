"""The key file: made once, durable, private, never replaced."""

from __future__ import annotations

from pathlib import Path

import pytest

from jarvis.core.errors import BadConfiguration
from jarvis.store import files
from jarvis.store.keyfile import create_key, open_key, read_key


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "store.key"


def test_a_key_is_made_once_and_read_again(path: Path, database: Path) -> None:
    key = open_key(path, database)
    assert len(key) == 32 and key != bytes(32)
    assert open_key(path, database) == key == read_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == ["store.key"]


def test_two_keys_differ(tmp_path: Path) -> None:
    assert create_key(tmp_path / "a" / "key") != create_key(tmp_path / "b" / "key")


def test_a_key_is_never_replaced(path: Path) -> None:
    key = create_key(path)
    with pytest.raises(BadConfiguration, match="exists already"):
        create_key(path)
    assert read_key(path) == key


def test_no_new_key_for_a_store_that_has_one(path: Path, database: Path) -> None:
    database.parent.mkdir()
    database.write_bytes(b"something")
    path.parent.mkdir(mode=0o700)
    with pytest.raises(BadConfiguration, match="missing") as caught:
        open_key(path, database)
    assert caught.value.fix
    assert not path.exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_others_may_use_is_refused(path: Path, mode: int) -> None:
    create_key(path)
    path.chmod(mode)
    with pytest.raises(BadConfiguration, match="not secret") as caught:
        read_key(path)
    assert f"chmod 600 {path}" in caught.value.fix
    path.chmod(0o600)
    read_key(path)


def test_a_directory_others_may_use_is_refused(path: Path) -> None:
    path.parent.mkdir(mode=0o755)
    with pytest.raises(BadConfiguration, match="not secret") as caught:
        create_key(path)
    assert f"chmod 700 {path.parent}" in caught.value.fix
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"k" * 31, b"k" * 33])
def test_what_is_no_key_is_refused(path: Path, content: bytes) -> None:
    create_key(path)
    path.write_bytes(content)
    with pytest.raises(BadConfiguration, match="not a store key"):
        read_key(path)


def test_an_interrupted_creation_leaves_no_half_key(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCut(BaseException):
        pass

    def cut(handle: int) -> None:
        raise PowerCut

    with monkeypatch.context() as now:
        now.setattr(files.os, "fsync", cut)
        with pytest.raises(PowerCut):
            create_key(path)
    assert not path.exists()
    create_key(path)
