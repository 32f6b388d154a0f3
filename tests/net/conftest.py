from __future__ import annotations

from pathlib import Path

import pytest

from tests.net.homes import Identity


@pytest.fixture
def identities(tmp_path: Path) -> list[Identity]:
    """Three members-to-be, in the order of their node ids."""
    return sorted((Identity(tmp_path, seed) for seed in (1, 2, 3)), key=lambda one: one.id)


@pytest.fixture
def stranger(tmp_path: Path) -> Identity:
    return Identity(tmp_path, 99)
