"""The answer of `weather.get_forecasts`, read: a day each. Pure. What has not the form that Home Assistant documents is
left out."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from jarvis.home_assistant.things import DayForecast

MAX_DAYS = 16
"""No service looks further."""
MAX_CONDITION = 40
"""Characters; they are words such as `partlycloudy`."""


def day_forecasts(result: Any, entity_id: str) -> list[DayForecast]:
    """Of a service call's `result`."""
    for key in ("response", entity_id, "forecast"):
        result = result.get(key) if isinstance(result, dict) else None
    rows = result if isinstance(result, list) else []
    found = (_day(row) for row in rows[:MAX_DAYS] if isinstance(row, dict))
    return [day for day in found if day is not None]


def _day(row: dict[str, Any]) -> DayForecast | None:
    try:
        at = datetime.fromisoformat(str(row.get("datetime")))
    except ValueError:
        return None
    condition = row.get("condition")
    return DayForecast(
        at if at.tzinfo is not None else at.replace(tzinfo=UTC),
        condition[:MAX_CONDITION] if isinstance(condition, str) else "",
        _number(row.get("temperature")),
        _number(row.get("templow")),
        _number(row.get("precipitation_probability")),
    )


def _number(value: Any) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None
