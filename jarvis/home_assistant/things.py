"""What stands in a home, as its Home Assistant tells of it: areas, and things with names, a place and a state. Plain
data for those who speak of things and for those who fetch them; must never know a socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

UNKNOWN = ("unavailable", "unknown", "")
"""States that say nothing: the device does not answer, or has not yet."""


@dataclass(frozen=True, slots=True)
class Area:
    names: tuple[str, ...]
    """The first is the one to say; the others are heard too."""
    floor: tuple[str, ...] = ()
    """The names of the floor it is on, such as "Upstairs"."""
    thermometer: str = ""
    """The sensor that counts for it, where somebody chose one."""


@dataclass(frozen=True, slots=True)
class Thing:
    entity_id: str
    """Such as `light.kitchen_ceiling`."""
    names: tuple[str, ...]
    """The first is the one to say; the others are heard too."""
    area: Area | None
    state: str
    """As Home Assistant writes it: `on`, `locked`, `21.5`."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Those of `mirror.KEPT` that it has."""

    @property
    def domain(self) -> str:
        return self.entity_id.partition(".")[0]

    @property
    def device_class(self) -> str:
        return str(self.attributes.get("device_class") or "")

    @property
    def name(self) -> str:
        return self.names[0]

    @property
    def answers(self) -> bool:
        """Whether its state says anything."""
        return self.state not in UNKNOWN


@dataclass(frozen=True, slots=True)
class House:
    things: tuple[Thing, ...] = ()
    areas: tuple[Area, ...] = ()

    def now(self, thing: Thing) -> Thing:
        """The same thing as it is in this house; as it was, where it is gone."""
        return next((one for one in self.things if one.entity_id == thing.entity_id), thing)


Done = Callable[[Thing], bool]
"""Whether a thing is as it was asked to be."""


@dataclass(frozen=True, slots=True)
class DayForecast:
    at: datetime
    """Some moment of the day, with its zone."""
    condition: str = ""
    """As Home Assistant writes it: `partlycloudy`."""
    high: float | None = None
    """In the home's own unit, as all temperatures."""
    low: float | None = None
    rain_percent: float | None = None


class Devices(Protocol):
    """What can be asked of a home's things, and done with them."""

    async def house(self) -> House:
        """As it is now. Raises Missing when no Home Assistant was set up, Unreachable when it does not answer,
        NotAllowed when it does not let us in."""

    async def forecast(self, service: Thing) -> list[DayForecast]:
        """By days, from a thing of the domain `weather`; empty when it has none. Raises as `act` does."""

    async def act(self, service: str, things: Sequence[Thing], data: Mapping[str, Any], done: Done) -> House:
        """Call `domain.service` on `things`; the house as it is once all are `done`, or have had the time for it.
        Raises as `house` does, and EngineFailed when Home Assistant could not do it, DeadlineExceeded when it did
        not say."""
