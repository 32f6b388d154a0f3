"""What `backup create` does with what the node sends, and with a node that goes away in the middle."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from jarvis_cli.main import main

from tests.api.double import ScriptedNode, served

ROW = {"data": "YSBiYWNrdXA=", "records": 7, "of": 9, "done": False}


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "passphrase").write_text("correct horse\nand a remark\n")
    (tmp_path / "passphrase").chmod(0o600)
    monkeypatch.setenv("JARVIS_BACKUP_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    monkeypatch.setenv("JARVIS_DATA_DIR", str(tmp_path / "home"))


@pytest.mark.usefixtures("passphrase")
@pytest.mark.parametrize("ends", ["well", "early", "in an error"])
def test_the_file_is_whole_or_is_not_there(ends: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    node, asked = ScriptedNode(tmp_path / "home"), []

    async def make(passphrase: str | None) -> AsyncGenerator[dict[str, Any], None]:
        asked.append(passphrase)
        yield ROW
        if ends == "in an error":
            raise RuntimeError("the disk failed")
        if ends == "well":
            yield {**ROW, "data": "", "records": 9, "done": True}

    node.backups.make = make  # type: ignore[method-assign]
    file = tmp_path / "home.backup"
    file.write_bytes(b"yesterday's")
    with served(node):
        code = main(["backup", "create", str(file), "--force", "--json"])
    assert asked == ["correct horse"]
    shown = capfd.readouterr()
    if ends == "well":
        assert code == 0 and file.read_bytes() == b"a backup" and '"records": 9' in shown.out
    else:
        assert code == 69 and file.read_bytes() == b"yesterday's" and "Traceback" not in shown.err
    assert sorted(path.name for path in tmp_path.glob("*.part")) == []
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


@pytest.mark.usefixtures("passphrase")
def test_the_recovery_key_needs_no_passphrase(tmp_path: Path) -> None:
    node, asked = ScriptedNode(tmp_path / "home"), []

    async def make(passphrase: str | None) -> AsyncGenerator[dict[str, Any], None]:
        asked.append(passphrase)
        yield {**ROW, "done": True}

    node.backups.make = make  # type: ignore[method-assign]
    with served(node):
        assert main(["backup", "create", str(tmp_path / "home.backup"), "--to-recovery-key"]) == 0
    assert asked == [None]
