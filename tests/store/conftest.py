"""The fixtures of the store's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.store.support import MemoryForm, SqlCipherForm


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.db"


@pytest.fixture(params=["memory", "sqlcipher"])
def form(request: pytest.FixtureRequest, database: Path) -> MemoryForm | SqlCipherForm:
    return MemoryForm() if request.param == "memory" else SqlCipherForm(database)


@pytest.fixture
def disk(database: Path) -> SqlCipherForm:
    return SqlCipherForm(database)
