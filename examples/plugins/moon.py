"""A tool: the moon's phase, by arithmetic. A language model that is asked for it calls this instead of guessing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from jarvis.core.errors import InvalidInput
from jarvis.plugins.hooks import hookimpl
from jarvis.plugins.kinds import Metadata, Tool, ToolContext

PLUGIN = Metadata(name="moon", version="1.0", summary="Tells the phase of the moon.")

SYNODIC_DAYS = 29.530588861
"""Mean, from new moon to new moon (Meeus, "Astronomical Algorithms", chapter 49)."""
NEW_MOON = datetime(2000, 1, 6, 18, 14, tzinfo=UTC)
PHASES = (
    "new moon", "a waxing crescent", "the first quarter", "a waxing gibbous moon", "full moon",
    "a waning gibbous moon", "the last quarter", "a waning crescent",
)  # fmt: skip


def phase(at: datetime) -> str:
    """To about a day."""
    part = (at - NEW_MOON).total_seconds() / 86_400 / SYNODIC_DAYS
    return PHASES[round(part * len(PHASES)) % len(PHASES)]


async def moon_phase(arguments: dict[str, Any], context: ToolContext) -> str:
    try:
        day = datetime.fromisoformat(arguments["date"]) if "date" in arguments else datetime.now(UTC)
    except (TypeError, ValueError):
        raise InvalidInput("That is no date.", fix="Give it as 2026-11-21.") from None
    return f"It is {phase(day if day.tzinfo else day.replace(tzinfo=UTC))}."


@hookimpl
def jarvis_tools() -> list[Tool]:
    schema = {
        "type": "object",
        "properties": {"date": {"type": "string", "description": "ISO 8601; today when left out"}},
        "additionalProperties": False,
    }
    return [Tool("moon_phase", "The phase of the moon on a day.", schema, moon_phase)]
