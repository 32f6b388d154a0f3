"""A node that answers by script, with the real node's face, and a way to serve it from a test that is not async."""

from __future__ import annotations

import asyncio
import io
import threading
import wave
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from jarvis.api.server import ApiServer
from jarvis.core.errors import InvalidInput, NotFound
from jarvis.core.events import Event, EventBus

TOKEN = "a-token-for-tests"
SESSION = "abcdefghijklmnop"


def wav_bytes(samples: int = 1600) -> bytes:
    """A tenth of a second of silence."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(bytes(2 * samples))
    return out.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Event):
    name: ClassVar[str] = "asked"
    text: str


class ScriptedSessions:
    def __init__(self) -> None:
        row = {"session_id": SESSION, "title": "Tea", "room": "kitchen", "turns": 1, "updated_at": "2026-01-01"}
        self.rows = [row | {"archived": False}, row | {"session_id": "zzzz", "archived": True}]
        self.rows = [row | {"private": row["archived"]} for row in self.rows]

    async def list(self, *, archived: bool = False) -> list[dict[str, Any]]:
        return [row for row in self.rows if row["archived"] == archived]

    async def change(self, session: str, *, title: str | None = None, archived: bool | None = None) -> dict[str, Any]:
        await self.show(session)
        return {"session_id": SESSION, "title": title or "Tea", "archived": bool(archived), "private": False}

    async def delete(self, session: str) -> dict[str, Any]:
        await self.show(session)
        self.rows = []
        return {"session_id": SESSION, "deleted": True}

    async def show(self, session: str) -> dict[str, Any]:
        if not SESSION.startswith(session):
            raise NotFound(f"There is no session {session!r}.", fix="List them with `jarvis session list`.")
        turn = {
            "turn_id": "t1", "role": "user", "text": "[bold]two\x1b[31m cups", "room": "kitchen", "node_id": "nnn",
            "at": "2026-01-01T10:00:00Z", "status": "answered",
        }  # fmt: skip
        return {"session_id": SESSION, "title": "Tea", "archived": False, "private": False, "turns": [turn]}

    async def new(self, title: str | None, *, private: bool = False) -> dict[str, Any]:
        return {"session_id": "zzzz", "title": title, "private": private}

    async def export(self, session: str, format: str) -> str:
        await self.show(session)
        return "# Tea\n\n- two cups\n" if format == "md" else '{"session_id": "abcdefghijklmnop", "turns": []}'


class ScriptedConfig:
    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def _entry(self, key: str) -> dict[str, Any]:
        source = "home" if key in self.values else "default"
        return {"key": key, "value": self.values.get(key, "Jarvis"), "source": source, "set_by": None, "at": None}

    async def list(self, node: str | None) -> list[dict[str, Any]]:
        return [self._entry(key) for key in ("assistant.name", *self.values)]

    async def get(self, key: str, node: str | None = None) -> dict[str, Any]:
        return {**self._entry(key), "node": node}

    async def set(self, key: str, value: str, *, node: str | None, local: bool) -> dict[str, Any]:
        self.values[key] = value
        return {**self._entry(key), "node": node, "local": local}

    async def unset(self, key: str, *, node: str | None = None, local: bool = False) -> dict[str, Any]:
        return {"key": key, "unset": self.values.pop(key, None) is not None}

    async def conflicts(self) -> list[dict[str, Any]]:
        values = [{"value": "1", "set_by": "kitchen", "at": "then"}, {"value": "2", "set_by": "bedroom", "at": "then"}]
        return [{"key": "volume", "node": None, "values": values}]


class ScriptedAudit:
    async def list(self, since: str | None, action: str | None) -> list[dict[str, Any]]:
        row = {"at": since, "node_id": "nnn", "actor": "node", "action": action, "target": "", "outcome": "ok"}
        return [{**row, "detail": {}}]

    async def verify(self) -> dict[str, Any]:
        return {"ok": True, "records": 3, "problems": []}


class ScriptedTimers:
    async def list(self) -> list[dict[str, Any]]:
        row = {"timer_id": "tt", "name": "pasta", "remaining_s": 59, "rings_at": "soon", "node_id": "nnn"}
        return [row | {"room": "kitchen", "seconds": 60, "kind": "timer", "state": "running", "every": []}]

    async def make(self, length: str | None, at: str | None, name: str) -> dict[str, Any]:
        return {**(await self.list())[0], "name": name, "seconds": 60, "kind": "alarm" if at else "timer"}

    async def change(self, timer: str, add: str | None, paused: bool | None) -> dict[str, Any]:
        return {**(await self.list())[0], "state": "paused" if paused else "running"}

    async def stop(self) -> dict[str, Any]:
        return {"stopped": ["tt"]}

    async def cancel(self, timer: str) -> dict[str, Any]:
        if timer != "tt":
            raise NotFound(f"There is no timer {timer!r}.")
        return {"timer_id": timer, "cancelled": True}


class ScriptedEngines:
    ROW: ClassVar[dict[str, Any]] = {
        "name": "stt", "kind": "stt", "state": "ready", "pid": 4711, "rss_bytes": 226_000_000, "restarts": 1,
        "breaker": "closed", "detail": "ready",
    }  # fmt: skip

    async def list(self) -> list[dict[str, Any]]:
        return [self.ROW]

    async def restart(self, name: str) -> dict[str, Any]:
        if name != "stt":
            raise NotFound(f"There is no engine {name!r}.", fix="This node has stt.")
        return self.ROW | {"restarts": 2}


class ScriptedPlugins:
    ROW: ClassVar[dict[str, Any]] = {
        "name": "dice", "version": "1.0", "summary": "Rolls.", "source": "folder", "place": "/plugins/dice.py",
        "enabled": False, "state": "off", "problem": "", "faults": 0, "gives": {},
    }  # fmt: skip

    async def list(self) -> list[dict[str, Any]]:
        return [self.ROW]

    async def info(self, name: str) -> dict[str, Any]:
        if name != "dice":
            raise NotFound(f"There is no plugin {name!r}.", fix="`jarvis plugin list` shows all.")
        return self.ROW

    async def set(self, name: str, enabled: bool) -> dict[str, Any]:
        row = await self.info(name)
        return row | ({"enabled": True, "state": "on", "gives": {"tool": ["roll_dice"]}} if enabled else {})


class ScriptedSettings:
    problem = ""

    def state(self) -> dict[str, Any]:
        return {"environment": "test", "files": ["jarvis.toml"], "problem": self.problem, "at_next_start": ["bind"]}

    async def reload(self) -> dict[str, Any]:
        return self.state()


class ScriptedMute:
    on = False

    def status(self) -> dict[str, Any]:
        return {"muted": self.on, "microphone": "closed"}

    async def set(self, on: bool) -> dict[str, Any]:
        self.on = on
        return self.status()


class ScriptedKnowledge:
    async def list(self) -> list[dict[str, Any]]:
        row = {"document_id": "ddd", "title": "Tea", "holder": "kitchen", "node_id": "nnn", "online": True, "chunks": 1}
        was = {"outdated": "2026-01-02T10:00:00Z", "refused": "/tea.md is locked."}
        copies = (await self.pin("ddd", "study"))["copies"]
        return [
            row | {"bytes": 9, "at": "2026-01-01T10:00:00Z", "source": "/tea.md", "waiting": 0, "copies": copies} | was
        ]

    async def pin(self, document: str, room: str) -> dict[str, Any]:
        copy = {"node_id": "sss", "name": room, "online": True, "percent": 43, "problem": "The kitchen is away."}
        return {"document_id": document, "title": "Tea", "copies": [copy]}

    async def unpin(self, document: str, room: str) -> dict[str, Any]:
        return {"document_id": document, "title": "Tea", "copies": []}

    async def add(self, path: str) -> AsyncGenerator[dict[str, Any], None]:
        if path.endswith("absent"):
            raise InvalidInput(f"{path} cannot be read: No such file or directory.", fix="Check the path.")
        row = {"path": path, "state": "added", "document_id": "ddd", "title": "Tea", "chunks": 1, "reason": ""}
        yield row
        yield row | {"state": "refused", "document_id": None, "title": None, "reason": "It is a link."}

    async def search(self, question: str, most: int, *, here: bool = False) -> dict[str, Any]:
        row = {"document_id": "ddd", "title": "[bold]Tea", "chunk": 0, "score": 0.9, "text": "two\x1b[31m cups"}
        more = {"holder": "kitchen", "node_id": "nnn", "source": None, "place": "page 1", "meaning": 0.5, "copy": True}
        was = {"outdated": "2026-01-02T10:00:00Z", "read_at": "2026-01-01T10:00:00Z"}
        return {"results": [row | more | was], "by_meaning": False, "silent": ["study"]}

    async def remove(self, document: str) -> dict[str, Any]:
        return {"document_id": document, "title": "Tea", "removed": True}

    async def reindex(self) -> dict[str, Any]:
        return {"documents": 1, "chunks": 1}

    async def watched(self) -> list[dict[str, Any]]:
        row = {"path": "/papers", "state": "reading", "done": 1, "files": 3, "documents": 1, "problem": ""}
        return [row | {"refused": [{"path": "/papers/x", "reason": "It is a link."}], "read_at": None}]

    async def watch(self, path: str) -> dict[str, Any]:
        return (await self.watched())[0] | {"path": path}

    async def unwatch(self, path: str) -> dict[str, Any]:
        return (await self.watched())[0] | {"path": path, "state": "ended"}


class ScriptedNotes:
    def __init__(self) -> None:
        self.texts = {"shopping": "milk\neggs"}

    def _row(self, note: str) -> dict[str, Any]:
        text = self.texts[note]
        return {"note_id": note, "title": text.partition("\n")[0], "text": text, "updated_at": "2026-01-01"}

    async def list(self) -> list[dict[str, Any]]:
        return [self._row(note) for note in self.texts]

    async def show(self, note: str) -> dict[str, Any]:
        if note not in self.texts:
            raise NotFound(f"There is no note {note!r}.")
        return self._row(note)

    async def add(self, note: str, text: str) -> dict[str, Any]:
        self.texts[note] = f"{self.texts[note]}\n{text}" if note in self.texts else text
        return self._row(note)

    async def edit(self, note: str, base: str, edits: Any) -> dict[str, Any]:
        await self.show(note)
        for position, delete, insert in reversed(edits):
            base = base[:position] + insert + base[position + delete :]
        self.texts[note] = base
        return self._row(note)


class ScriptedPeering:
    def __init__(self) -> None:
        self.ends = False

    async def status(self) -> dict[str, Any]:
        peer = {"node_id": "ppp", "name": "bedroom", "connected": True, "rtt_ms": 1.5, "behind": 0, "ahead": 2}
        flow = {
            "lag_ms": 4.0, "bytes_sent": 2_048, "bytes_received": 10, "messages_sent": 3, "messages_received": 1,
            "outbox_frames": 0, "outbox_bytes": 0, "store_jobs": 0, "unacked_records": 2, "unacked_bytes": 700,
        }  # fmt: skip
        took = {
            "commit": {"count": 3, "p50_ms": 1.5, "p99_ms": 2.5},
            "records_per_s": {"written": 1.0, "accepted": 0.5},
        }
        return {"peers": [peer | flow], "records": 7, "documents": 3, **took}

    async def metrics(self) -> str:
        return "jarvis_store_records 7.0\n"

    async def trace(self, peer: str) -> AsyncGenerator[dict[str, Any], None]:
        """Two lines, and then nothing happens, unless `ends`."""
        if peer != "ppp":
            raise NotFound(f"There is no node {peer!r}.", fix="List them with `jarvis node list`.")
        yield {"event": "tracing", "node_id": "ppp", "name": "bedroom", "connected": True}
        yield {
            "event": "sync.message", "at_ms": 12.5, "turn": "", "node_id": "ppp", "direction": "sent",
            "message": "want", "size_bytes": 71, "detail": "abcdef/ghij 1-512",
        }  # fmt: skip
        if not self.ends:
            await asyncio.Event().wait()

    async def verify(self) -> dict[str, Any]:
        return {"agree": True, "digest": "d1", "documents": {}, "peers": {"ppp": {"agree": True, "digest": "d1"}}}


class ScriptedBackups:
    async def make(self, passphrase: str | None) -> AsyncGenerator[dict[str, Any], None]:
        if passphrase == "too short":
            raise InvalidInput("A passphrase has more characters.")
        yield {"data": "YSBiYWNrdXA=", "records": 7, "of": 7, "done": False}
        yield {"data": "", "records": 7, "of": 7, "done": True}


class ScriptedHome:
    def __init__(self, calls: list[tuple[Any, ...]]) -> None:
        self._calls = calls

    async def info(self) -> dict[str, Any]:
        return {
            "home_id": "hhh", "home_name": "Home", "owner_node": "nnn", "owner_name": "kitchen", "term": 0,
            "members": 2, "entries": 3, "horizon": None,
        }  # fmt: skip

    async def rename(self, wanted: str | None, name: str | None, room: str | None) -> dict[str, Any]:
        self._calls.append(("rename", wanted, name, room))
        return {"node_id": "nnn", "name": name or "kitchen", "room": room or "kitchen"}

    async def hand_over(self, wanted: str) -> dict[str, Any]:
        self._calls.append(("hand_over", wanted))
        return {"owner_node": "ppp", "owner_name": wanted, "term": 0}

    async def recover(self, phrase: str) -> dict[str, Any]:
        self._calls.append(("recover", phrase))
        return {"node_id": "nnn", "owner_node": "nnn", "term": 1, "recovery_phrase": "word " * 12}

    async def compact(self, stale: list[str]) -> dict[str, Any]:
        self._calls.append(("compact", tuple(stale)))
        missing = [{"node_id": "mmm", "name": one, "reason": "it is away"} for one in stale]
        return {"declared": not stale, "missing": missing, "records_held": 3, "records_below": 40}

    async def leave(self) -> dict[str, Any]:
        self._calls.append(("leave",))
        return {"node_id": "nnn", "home_id": "hhh", "left": True}


@dataclass
class ScriptedNode:
    data_dir: Path
    fails: BaseException | None = None
    """Raised by `ask`."""
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    held: asyncio.Event | None = None
    """`ask` and `hear` wait for it, so that a test may do something meanwhile."""
    states: dict[str, str] = field(default_factory=lambda: {"store": "ok", "engines": "ok", "discovery": "off"})

    def __post_init__(self) -> None:
        self.events = EventBus()
        self.asked, self.cancelled = asyncio.Event(), asyncio.Event()
        self.sessions, self.config, self.audit = ScriptedSessions(), ScriptedConfig(), ScriptedAudit()
        self.engines = ScriptedEngines()
        self.plugins = ScriptedPlugins()
        self.mute = ScriptedMute()
        self.settings = ScriptedSettings()
        self.timers, self.peering, self.backups = ScriptedTimers(), ScriptedPeering(), ScriptedBackups()
        self.notes = ScriptedNotes()
        self.knowledge = ScriptedKnowledge()
        self.home = ScriptedHome(self.calls)

    def info(self) -> dict[str, Any]:
        return {
            "node_id": "nnn", "name": "kitchen", "room": "kitchen", "home_id": "hhh", "home_name": "Home",
            "roles": ["owner"], "version": "0", "api_url": "", "peer_port": 1, "data_dir": str(self.data_dir),
            "incarnation": 1,
        }  # fmt: skip

    async def nodes(self) -> list[dict[str, Any]]:
        row = {"node_id": "nnn", "name": "kitchen", "room": "kitchen", "roles": ["owner"], "online": True}
        return [{**row, "last_seen": None, "rtt_ms": None}]

    async def invite(self, name: str | None, room: str | None) -> dict[str, Any]:
        self.calls.append(("invite", name, room))
        return {"code": "1234-5678", "expires_at": "soon", "peer": "127.0.0.1:1"}

    async def remove_node(self, wanted: str) -> dict[str, Any]:
        self.calls.append(("remove_node", wanted))
        return {"node_id": "abc", "name": wanted, "removed": True}

    async def quarantine(self) -> list[dict[str, Any]]:
        row = {"author": "a", "node_id": "abc", "seq": 1, "reason": "a fork", "document": "config", "content": "[]"}
        return [row]

    async def ask(self, text: str, *, session: str | None, speak: bool) -> dict[str, Any]:
        self.calls.append(("ask", text, session, speak))
        self.asked.set()
        self.events.publish(Asked(at_ms=1.0, turn="t1", text=text))
        if self.held is not None:
            try:
                await self.held.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        if self.fails is not None:
            raise self.fails
        return {
            "session_id": SESSION, "turn_id": "t1", "text": text, "reply": "Ten past ten.", "source": "intent",
            "provider": "intents", "citations": [], "timings_ms": {"decide": 1.0},
        }  # fmt: skip

    async def hear(self, audio: bytes, *, wake: bool, realtime: bool) -> tuple[dict[str, Any], bytes]:
        self.calls.append(("hear", len(audio), wake, realtime))
        self.asked.set()
        if self.held is not None:
            await self.held.wait()
        turn = {"wake": wake, "claimed": wake, "heard": "What time is it?", "session_id": SESSION, "turn_id": "t1"}
        return {**turn, "reply": "Ten past ten.", "timings_ms": {"stt": 90.0}}, wav_bytes()

    async def understand(self, text: str) -> dict[str, Any]:
        self.calls.append(("understand", text))
        if "and" in text:
            parts = [
                {"intent": "home_turn_on", "slots": {"thing": "light"}},
                {"intent": "timer_set", "slots": {"seconds": 60}},
            ]
            return {"intent": "several", "slots": {"parts": parts}, "missing": [], "confidence": 1.0, "whole": True}
        slots = {"thing": "lamp"} if "lamp" in text else {}
        intent = "home_turn_on" if slots else None
        return {"intent": intent, "slots": slots, "missing": ["area"], "confidence": 0.8, "whole": False}

    async def say(self, text: str, *, room: str | None, everywhere: bool, urgent: bool) -> tuple[dict[str, Any], bytes]:
        self.calls.append(("say", text, room, everywhere))
        return {"rooms": [room or "kitchen"], "quiet": [], "problems": []}, wav_bytes()

    async def status(self) -> dict[str, Any]:
        parts = {name: {"state": state, "detail": "fine"} for name, state in self.states.items()}
        return {"health": 100, "components": parts, "uptime_s": 12.5}


@contextmanager
def served(node: ScriptedNode) -> Iterator[str]:
    """Serve the node from a thread of its own; the API's address."""
    address: list[str] = []
    up, stop_here = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = ApiServer(node, token=TOKEN)
        address.append(await server.start())
        up.set()
        await stop_here.wait()
        await server.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert up.wait(10), "the API did not start"
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop_here.set)
        thread.join(10)
        loop.close()
