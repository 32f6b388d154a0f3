"""A data directory becomes a node whole, or stays empty."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jarvis.core.errors import InvalidInput
from jarvis.node.founding import join_home


@pytest.mark.parametrize("wish", [{"name": "x" * 65, "room": None}, {"name": None, "room": "\x1b[31m"}])
def test_a_name_nobody_can_bear_is_refused_before_a_home_admits_it(tmp_path: Path, wish: dict[str, str | None]) -> None:
    """Nobody listens on port 1: had it asked, the error were another one."""
    with pytest.raises(InvalidInput):
        asyncio.run(join_home(tmp_path / "node", "1234-5678", "127.0.0.1:1", deadline_s=5, **wish))
    assert not (tmp_path / "node").exists()
