"""A local double of Home Assistant's WebSocket API, as its documentation and its source describe it: the authentication
phase, numbers that must rise, results and errors by code, events to those who subscribed, registries, and services
that change states. It can refuse, lag, talk nonsense, drop everybody and come back on the same port."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from tests.home_assistant.schemas import ANSWERING, COMMANDS, SERVICES, wrong_in

TOKEN = "eyJhbGciOiJIUzI1NiJ9.a-token-of-ninety-characters.that-lives-for-ten-years"
CONTEXT = {"id": "01HEX", "parent_id": None, "user_id": "31ddb597e03147118cf8d2f8fbea5553"}
NOW = "2026-11-21T20:00:00.000000+00:00"


def area(area_id: str, name: str, *aliases: str, floor: str | None = None) -> dict[str, Any]:
    extra = {"humidity_entity_id": None, "icon": None, "labels": [], "picture": None, "temperature_entity_id": None}
    stamps = {"created_at": 0.0, "modified_at": 0.0}
    return {"aliases": list(aliases), "area_id": area_id, "floor_id": floor, "name": name, **extra, **stamps}


def floor(floor_id: str, name: str) -> dict[str, Any]:
    return {"aliases": [], "created_at": 0.0, "floor_id": floor_id, "icon": None, "level": 1, "name": name}


def device(device_id: str, name: str, area_id: str | None = None) -> dict[str, Any]:
    plain = ("configuration_url", "disabled_by", "entry_type", "hw_version", "model", "name_by_user", "sw_version")
    more = {"config_entries": ["e1"], "connections": [], "identifiers": [["double", device_id]], "labels": []}
    return {"area_id": area_id, "id": device_id, "name": name, **dict.fromkeys(plain), **more}


def entry(entity_id: str, *, area_id: str | None = None, device_id: str | None = None, **more: Any) -> dict[str, Any]:
    plain = ("config_entry_id", "disabled_by", "entity_category", "hidden_by", "icon", "name", "translation_key")
    rest = {"categories": {}, "has_entity_name": True, "id": entity_id, "labels": [], "options": {}, "platform": "demo"}
    where = {"area_id": area_id, "device_id": device_id, "entity_id": entity_id, "unique_id": entity_id}
    return {**dict.fromkeys(plain), "original_name": None, **rest, **where, **more}


def state(entity_id: str, value: str, name: str, **attributes: Any) -> dict[str, Any]:
    stamps = {"last_changed": NOW, "last_reported": NOW, "last_updated": NOW, "context": CONTEXT}
    return {"entity_id": entity_id, "state": value, "attributes": {"friendly_name": name, **attributes}, **stamps}


@dataclass
class HomeAssistantDouble:
    areas: list[dict[str, Any]] = field(default_factory=list)
    floors: list[dict[str, Any]] = field(default_factory=list)
    devices: list[dict[str, Any]] = field(default_factory=list)
    entries: list[dict[str, Any]] = field(default_factory=list)
    aliases: dict[str, list[str]] = field(default_factory=dict)
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    called: list[dict[str, Any]] = field(default_factory=list)
    """Each `call_service` as it came."""
    asked: list[str] = field(default_factory=list)
    """The kind of each command that was answered."""
    attempts: int = 0
    """How often somebody came with a token."""
    forecast: list[dict[str, Any]] = field(default_factory=list)
    """Of the weather, a day each."""
    refuses: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Services that fail, with code and message."""
    deaf: bool = False
    """Services are called, and no state ever changes."""
    late: bool = False
    """States change after the result of the call, and not before."""
    silent: set[str] = field(default_factory=set)
    """Kinds of commands that are never answered."""
    old: bool = False
    """It is of before 2024: it has no floors."""
    mode: str = ""
    """nonsense, no_greeting, redirect, banned, garbage_states."""
    after_states: Callable[[HomeAssistantDouble], Awaitable[None]] | None = None
    """Done when all states were asked for, before anything else is sent."""
    url: str = ""
    elsewhere: str = ""
    _sockets: dict[web.WebSocketResponse, dict[int, str]] = field(default_factory=dict)
    _runner: web.AppRunner | None = None

    # --- its life -----------------------------------------------------------------------------------------------

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.router.add_get("/api/websocket", self._connect)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        bound = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{bound}"

    async def stop(self) -> None:
        await self.drop()
        if self._runner is not None:
            await self._runner.cleanup()

    async def restart(self) -> None:
        port = int(self.url.rpartition(":")[2])
        await self.stop()
        await self.start(port)

    async def drop(self) -> None:
        """Everybody's connection, as when Home Assistant restarts."""
        for socket in list(self._sockets):
            await socket.close()

    @property
    def connected(self) -> int:
        return len(self._sockets)

    # --- what happens at home -----------------------------------------------------------------------------------

    async def change(self, entity_id: str, value: str | None, **attributes: Any) -> None:
        """Somebody used a switch on the wall; None for a thing that was taken away."""
        old = self.states.pop(entity_id, None)
        new = None
        if value is not None:
            base = old or state(entity_id, value, entity_id)
            new = {**base, "state": value, "attributes": {**base["attributes"], **attributes}}
            self.states[entity_id] = new
        await self.fire("state_changed", {"entity_id": entity_id, "old_state": old, "new_state": new})

    async def fire(self, event_type: str, data: dict[str, Any]) -> None:
        event = {"event_type": event_type, "data": data, "origin": "LOCAL", "time_fired": NOW, "context": CONTEXT}
        for socket, wanted in list(self._sockets.items()):
            for number, kind in list(wanted.items()):
                if kind in ("*", event_type):
                    await socket.send_json({"id": number, "type": "event", "event": event})

    # --- the protocol -------------------------------------------------------------------------------------------

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        if self.mode == "banned":
            return web.Response(status=403)
        if self.mode == "redirect":
            return web.Response(status=302, headers={"Location": f"{self.elsewhere}/api/websocket"})
        socket = web.WebSocketResponse(heartbeat=55)
        await socket.prepare(request)
        if self.mode == "no_greeting":
            await socket.receive()
        await socket.send_json({"type": "auth_required", "ha_version": "2026.11.2"})
        first = await socket.receive()
        self.attempts += 1
        said = json.loads(first.data) if first.type is WSMsgType.TEXT else {}
        if set(said) != {"type", "access_token"} or said["type"] != "auth" or said["access_token"] != TOKEN:
            await socket.send_json({"type": "auth_invalid", "message": "Invalid access token or password"})
            await socket.close()
            return socket
        await socket.send_json({"type": "auth_ok", "ha_version": "2026.11.2"})
        self._sockets[socket] = {}
        try:
            await self._serve(socket)
        finally:
            self._sockets.pop(socket, None)
        return socket

    async def _serve(self, socket: web.WebSocketResponse) -> None:
        last = 0
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                break
            command = json.loads(message.data)
            number = command.get("id")
            if not isinstance(number, int) or not isinstance(command.get("type"), str):
                await self._fail(socket, number, "invalid_format", "Message incorrectly formatted.")
                continue
            if number <= last:
                await self._fail(socket, number, "id_reuse", "Identifier values have to increase.")
                continue
            last = number
            if self.mode == "nonsense":
                await socket.send_str("<html>a router's login page</html>")
            elif command["type"] not in self.silent:
                await self._answer(socket, number, command)

    async def _answer(self, socket: web.WebSocketResponse, number: int, command: dict[str, Any]) -> None:
        kind = command["type"]
        if kind not in COMMANDS or (kind == "config/floor_registry/list" and self.old):
            await self._fail(socket, number, "unknown_command", "Unknown command.")
            return
        if wrong := wrong_in({key: command[key] for key in command.keys() - {"id", "type"}}, COMMANDS[kind]):
            await self._fail(socket, number, "invalid_format", wrong)
            return
        self.asked.append(kind)
        lists = {"area": self.areas, "device": self.devices, "entity": self.entries, "floor": self.floors}
        if kind == "subscribe_events":
            self._sockets[socket][number] = command.get("event_type", "*")
            await self._result(socket, number, None)
        elif kind == "get_states":
            found: Any = list(self.states.values())
            await self._result(socket, number, [7, {}, *found, "x"] if self.mode == "garbage_states" else found)
            if self.after_states is not None:
                await self.after_states(self)
        elif kind.startswith("config/") and kind.endswith("_registry/list"):
            await self._result(socket, number, lists[kind.split("/")[1].removesuffix("_registry")])
        elif kind == "config/entity_registry/get_entries":
            known = {one["entity_id"]: one for one in self.entries}
            rows = {
                one: {**known[one], "aliases": self.aliases.get(one, [])} if one in known else None
                for one in command["entity_ids"]
            }
            await self._result(socket, number, rows)
        elif kind == "ping":
            await socket.send_json({"id": number, "type": "pong"})
        else:
            await self._service(socket, number, command)

    async def _service(self, socket: web.WebSocketResponse, number: int, command: dict[str, Any]) -> None:
        self.called.append({key: command.get(key) for key in ("domain", "service", "target", "service_data")})
        domain, service = command["domain"], command["service"]
        called, answers = f"{domain}.{service}", bool(command.get("return_response"))
        if called not in SERVICES:
            await self._fail(socket, number, "not_found", f"Service {called} not found.")
        elif answers != (called in ANSWERING):
            await self._fail(socket, number, "service_validation_error", f"Validation error: responses of {called}")
        elif wrong := wrong_in(command.get("service_data") or {}, SERVICES[called]):
            await self._fail(socket, number, "invalid_format", wrong)
        elif called in self.refuses:
            await self._fail(socket, number, *self.refuses[called])
        elif answers:
            response = {one: {"forecast": self.forecast} for one in _targets(command)}
            await self._result(socket, number, {"context": CONTEXT, "response": response})
        else:
            done = {"context": CONTEXT}
            if self.late:
                await self._result(socket, number, done)
            if not self.deaf:
                for entity_id in _targets(command):
                    await self._carry_out(entity_id, domain, service, command.get("service_data") or {})
            if not self.late:
                await self._result(socket, number, done)

    async def _carry_out(self, entity_id: str, domain: str, service: str, data: dict[str, Any]) -> None:
        """As the demo integration does; what is not available, or of another domain, is passed over."""
        one = self.states.get(entity_id)
        if one is None or one["state"] == "unavailable" or not entity_id.startswith(f"{domain}."):
            return
        attributes = one["attributes"]
        if service == "set_temperature":
            await self.change(entity_id, one["state"], temperature=data["temperature"])
        elif service == "set_cover_position":
            await self.change(
                entity_id, "closed" if data["position"] == 0 else "open", current_position=data["position"]
            )
        elif domain == "light" and service == "turn_on":
            before = (attributes.get("brightness") or 0) if one["state"] == "on" else 0
            after = round(data["brightness_pct"] * 2.55) if "brightness_pct" in data else before or 255
            after = max(0, min(255, after + round(data.get("brightness_step_pct", 0) * 2.55)))
            extra = {key: data[key] for key in ("color_name", "color_temp_kelvin") if key in data}
            await self.change(entity_id, "on" if after else "off", brightness=after or None, **extra)
        else:
            ends = {
                "turn_on": "on", "turn_off": "off", "toggle": "off" if one["state"] == "on" else "on",
                "open_cover": "opening", "close_cover": "closing",
                "lock": "locked", "unlock": "unlocked", "start": "cleaning", "return_to_base": "returning",
                "media_pause": "paused", "media_play": "playing", "media_stop": "idle", "media_next_track": "playing",
                "media_previous_track": "playing",
            }  # fmt: skip
            await self.change(entity_id, NOW if domain == "scene" else ends[service])

    async def _result(self, socket: web.WebSocketResponse, number: int, result: Any) -> None:
        await socket.send_json({"id": number, "type": "result", "success": True, "result": result})

    async def _fail(self, socket: web.WebSocketResponse, number: Any, code: str, message: str) -> None:
        error = {"code": code, "message": message}
        await socket.send_json({"id": number, "type": "result", "success": False, "error": error})


def _targets(command: dict[str, Any]) -> list[str]:
    found = command["target"]["entity_id"]
    return found if isinstance(found, list) else [found]


def furnished() -> HomeAssistantDouble:
    """A home with four rooms, on two floors."""
    double = HomeAssistantDouble(
        areas=[
            area("kitchen", "Kitchen", floor="ground"),
            area("living_room", "Living Room", "Lounge", floor="ground"),
            area("bedroom", "Bedroom", floor="upper"),
            area("office", "Office", floor="upper"),
        ],
        floors=[floor("ground", "Downstairs"), floor("upper", "Upstairs")],
        devices=[device("d-lamp", "Reading lamp", "living_room"), device("d-lock", "Front door", None)],
    )

    def put(entity_id: str, value: str, name: str, where: dict[str, Any], **attributes: Any) -> None:
        double.states[entity_id] = state(entity_id, value, name, **attributes)
        double.entries.append(entry(entity_id, **where))

    kitchen, bedroom, lounge = ({"area_id": one} for one in ("kitchen", "bedroom", "living_room"))
    put("light.kitchen", "off", "Kitchen Light", kitchen, supported_color_modes=["brightness"])
    put("light.reading", "on", "Reading lamp", {"device_id": "d-lamp"}, brightness=128, supported_color_modes=["hs"])
    put("light.shelf", "off", "Shelf", lounge, supported_color_modes=["onoff"])
    put("light.bedside", "off", "Bedside lamp", bedroom)
    put("switch.coffee", "off", "Coffee machine", kitchen)
    put("switch.led", "on", "Coffee machine status LED", {**kitchen, "entity_category": "config"})
    put("switch.oven", "unavailable", "Oven", kitchen)
    put("fan.bedroom", "off", "Bedroom fan", bedroom)
    put("lock.front", "locked", "Front door", {"device_id": "d-lock"})
    put("binary_sensor.front", "off", "Front door sensor", {}, device_class="door")
    put("binary_sensor.window", "on", "Kitchen window", kitchen, device_class="window")
    put("binary_sensor.window2", "off", "Bedroom window", bedroom, device_class="window")
    put("cover.garage", "closed", "Garage door", {}, device_class="garage")
    put("cover.blinds", "closed", "Blinds", lounge, device_class="blind", current_position=0)
    put("climate.bedroom", "heat", "Bedroom radiator", bedroom, current_temperature=19.4, temperature=20)
    put("climate.office", "off", "Office radiator", {"area_id": "office"}, temperature=18)
    put("sensor.kitchen", "22.53", "Kitchen temperature", kitchen, device_class="temperature")
    put("media_player.tv", "playing", "TV", lounge)
    put("scene.movie", "unknown", "Movie night", {})
    put("camera.yard", "idle", "Yard", {}, access_token="secret")
    double.aliases["switch.coffee"] = ["Espresso maker"]
    return double


@contextlib.asynccontextmanager
async def running(double: HomeAssistantDouble) -> AsyncIterator[HomeAssistantDouble]:
    await double.start()
    try:
        yield double
    finally:
        await double.stop()
