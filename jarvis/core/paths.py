"""Where a node lives when nobody says otherwise. Apart from settings: the CLI asks before it may load pydantic."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def default_data_dir() -> Path:
    """The platform's custom for a user's data."""
    return Path(platformdirs.user_data_dir("jarvis"))
