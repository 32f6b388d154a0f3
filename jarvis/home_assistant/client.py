"""The home's things by their Home Assistant: keeps one connection while the node runs, comes back after an outage with
longer and longer pauses, and holds what it is told, so that a question costs no round trip. Never speaks of a state
that it cannot know: without a connection there is no house."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from jarvis.core.errors import EngineFailed, JarvisError, Missing, NotAllowed, Unreachable
from jarvis.home_assistant.forecast import day_forecasts
from jarvis.home_assistant.line import AWAY, Line, connected
from jarvis.home_assistant.mirror import Mirror
from jarvis.home_assistant.things import DayForecast, Done, House, Thing

LOAD_S = 20.0
"""For each registry; a small board takes seconds for a large home."""
ACT_S = 8.0
"""A lock turns for five."""
REGISTRIES = ("area_registry_updated", "device_registry_updated", "entity_registry_updated", "floor_registry_updated")
OPTIONAL = (EngineFailed, NotAllowed)
"""What older ones do not have (floors came in 2024), or this user may not see."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Place:
    url: str
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things wait, in seconds."""

    first: float = 1.0
    """Before the first attempt after an outage; each further one waits twice as long."""
    longest: float = 60.0
    refused: float = 900.0
    """After a wrong token: Home Assistant tells its owner of each attempt, and may ban who goes on."""
    look: float = 10.0
    """Between looks at whether the token is another one; settings say it themselves."""
    house: float = 2.0
    """A question waits so long for the first connection; where the last attempt failed it is told at once."""
    settle: float = 0.5
    """Between asking for the registries again and again: a start, or a new bridge, changes hundreds of entries."""
    still: float = 2.0
    """An answer waits so long for the states that a command changes."""


class _Moved(Exception):
    """The address or the token is another one now."""


class HomeAssistant:
    """See things.Devices. `place` says where it is and with which token, None for nowhere; it raises BadConfiguration
    for what cannot be."""

    def __init__(self, place: Callable[[], Awaitable[Place | None]], pace: Pace = Pace()) -> None:
        self._place = place
        self._pace = pace
        self._settings_changed = asyncio.Event()
        self._line: Line | None = None
        self._mirror = Mirror()
        self._ready = asyncio.Event()
        self._stirred = asyncio.Event()
        self._stale = asyncio.Event()
        self._problem: JarvisError | None = None
        self._off = True
        self._version = ""

    def changed(self) -> None:
        """Some setting may be another one."""
        self._settings_changed.set()

    def component(self) -> dict[str, str]:
        """For `status`."""
        if self._ready.is_set():
            house = self._mirror.house()
            detail = f"{len(house.things)} things in {len(house.areas)} areas, Home Assistant {self._version}"
            return {"state": "ok", "detail": detail}
        if self._problem is not None:
            return {"state": "degraded", "detail": f"{self._problem} {self._problem.fix}".strip()}
        if self._off:
            return {"state": "off", "detail": "home_assistant.url is not set"}
        return {"state": "degraded", "detail": "Connecting to Home Assistant."}

    # --- what is asked of it ------------------------------------------------------------------------------------

    async def house(self) -> House:
        """See Devices."""
        await self._connected()
        return self._mirror.house()

    async def act(self, service: str, things: Sequence[Thing], data: Mapping[str, Any], done: Done) -> House:
        """See Devices."""
        line = await self._connected()
        domain, _, name = service.partition(".")
        await line.ask(
            "call_service",
            _ignored,
            deadline_s=ACT_S,
            domain=domain,
            service=name,
            service_data=dict(data),
            target={"entity_id": [thing.entity_id for thing in things]},
        )
        with contextlib.suppress(TimeoutError):  # many devices report only after Home Assistant said that it was done
            async with asyncio.timeout(self._pace.still):
                while not self._all(things, done):
                    self._stirred.clear()
                    await self._stirred.wait()
        return await self.house()

    def _all(self, things: Sequence[Thing], done: Done) -> bool:
        current = {thing.entity_id: thing for thing in self._mirror.house().things}
        return all(done(current.get(thing.entity_id, thing)) for thing in things)

    async def forecast(self, service: Thing) -> list[DayForecast]:
        """See Devices."""
        line = await self._connected()
        held: list[Any] = []
        await line.ask(
            "call_service",
            held.append,
            deadline_s=ACT_S,
            domain="weather",
            service="get_forecasts",
            service_data={"type": "daily"},
            target={"entity_id": service.entity_id},
            return_response=True,
        )
        return day_forecasts(held[0], service.entity_id)

    async def _connected(self) -> Line:
        if not self._off and self._problem is None and not self._ready.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pace.house):
                    await self._ready.wait()
        if self._line is not None and self._ready.is_set():
            return self._line
        if self._problem is not None:
            raise self._problem.with_traceback(None)
        if not self._off:
            raise Unreachable(AWAY)
        raise Missing("No Home Assistant is set up.", fix="Set home_assistant.url, and give this node its token.")

    # --- its life -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled."""
        wait_s = self._pace.first
        while True:
            place: Place | None = None
            before, failed = self._problem, None
            try:
                place = await self._place()
                self._off = place is None
                if place is not None:
                    await self._stay(place)
            except* _Moved:
                wait_s, self._problem = self._pace.first, None
            except* JarvisError as errors:
                failed = self._problem = _first(errors)
            finally:
                was_ready = self._ready.is_set()
                self._line = None
                self._ready.clear()
                self._stirred.set()
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError  # a group that ends with an error at that moment forgets it before 3.13
            if failed is not None:
                wait_s = self._pace.first if was_ready else wait_s
                if was_ready or type(before) is not type(failed):
                    log.info("no connection to Home Assistant", error=type(failed).__name__)
                longest_s = self._pace.refused if isinstance(failed, NotAllowed) else wait_s
                await self._until_moved(place, longest_s * random.uniform(0.75, 1.0))  # nosec B311
                wait_s = min(2 * wait_s, self._pace.longest)
            elif place is None:
                self._problem = None
                await self._settings_changed.wait()
                self._settings_changed.clear()

    async def _stay(self, place: Place) -> None:
        async with connected(place.url, place.token) as (line, version), asyncio.TaskGroup() as group:
            self._mirror, self._version = Mirror(), version
            group.create_task(line.read())
            group.create_task(self._leave_when_moved(place))
            await self._follow(line)

    async def _leave_when_moved(self, place: Place) -> None:
        await self._until_moved(place, None)
        raise _Moved

    async def _until_moved(self, place: Place | None, longest_s: float | None) -> None:
        """Until the address or the token is another one than in `place`, None for what cannot be; at most for so
        long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest_s):
                while True:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(self._pace.look):
                            await self._settings_changed.wait()
                    self._settings_changed.clear()
                    try:
                        if await self._place() != place or place is None:
                            return
                    except JarvisError:
                        if place is not None:
                            return

    async def _follow(self, line: Line) -> None:
        """Subscribe first and ask then: nothing that happens in between is missed."""
        mirror = self._mirror

        def stirred(event: Any) -> None:
            mirror.state_changed(event)
            self._stirred.set()

        def stale(_: Any) -> None:
            self._stale.set()

        await line.ask("subscribe_events", _ignored, deadline_s=LOAD_S, heard=stirred, event_type="state_changed")
        for changed in REGISTRIES:
            with contextlib.suppress(*OPTIONAL):
                await line.ask("subscribe_events", _ignored, deadline_s=LOAD_S, heard=stale, event_type=changed)
        while True:
            self._stale.clear()
            await self._load(line, mirror)
            if not self._ready.is_set():
                await line.ask("get_states", mirror.take_states, deadline_s=LOAD_S)
                self._line, self._problem = line, None
                self._ready.set()
                log.info("connected to Home Assistant")
            await self._stale.wait()
            await asyncio.sleep(self._pace.settle)

    async def _load(self, line: Line, mirror: Mirror) -> None:
        for kind, take in (
            ("floor", mirror.take_floors),
            ("area", mirror.take_areas),
            ("device", mirror.take_devices),
            ("entity", mirror.take_entities),
        ):
            with contextlib.suppress(*OPTIONAL):
                await line.ask(f"config/{kind}_registry/list", take, deadline_s=LOAD_S)
        with contextlib.suppress(*OPTIONAL):
            await line.ask(
                "config/entity_registry/get_entries",
                mirror.take_aliases,
                deadline_s=LOAD_S,
                entity_ids=mirror.entity_ids(),
            )


def _ignored(_: Any) -> None:
    """Of a service's result only its coming counts."""


def _first(failed: BaseExceptionGroup[JarvisError]) -> JarvisError:
    """What counts of errors at once: one that waiting does not mend."""
    found: list[JarvisError] = []
    for error in failed.exceptions:
        found.append(_first(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in found if not error.retry), found[0])
