"""What the API needs of a node, as protocols: it must never know a concrete one, so that a scripted double serves in
tests. Every dict and list that comes back is JSON-ready and goes out as it is; only JarvisErrors are raised."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Protocol

from jarvis.core.events import EventBus

Json = dict[str, Any]
Rows = list[Json]


class Sessions(Protocol):
    async def list(self, *, archived: bool = False) -> Rows: ...
    async def show(self, session: str) -> Json: ...
    async def change(self, session: str, *, title: str | None = None, archived: bool | None = None) -> Json: ...
    async def delete(self, session: str) -> Json: ...
    async def new(self, title: str | None, *, private: bool = False) -> Json: ...
    async def export(self, session: str, format: str) -> str: ...


class Config(Protocol):
    async def list(self, node: str | None) -> Rows: ...
    async def get(self, key: str, node: str | None = None) -> Json: ...
    async def set(self, key: str, value: str, *, node: str | None, local: bool) -> Json: ...
    async def unset(self, key: str, *, node: str | None = None, local: bool = False) -> Json: ...
    async def conflicts(self) -> Rows: ...


class Audit(Protocol):
    async def list(self, since: str | None, action: str | None) -> Rows: ...
    async def verify(self) -> Json: ...


class Timers(Protocol):
    async def list(self) -> Rows: ...

    async def make(self, length: str | None, at: str | None, name: str) -> Json:
        """For a length of time, or until a time of day."""

    async def change(self, timer: str, add: str | None, paused: bool | None) -> Json: ...
    async def cancel(self, timer: str) -> Json: ...

    async def stop(self) -> Json:
        """Whatever rings, in every room."""


class Engines(Protocol):
    async def list(self) -> Rows: ...
    async def restart(self, name: str) -> Json: ...


class Plugins(Protocol):
    async def list(self) -> Rows: ...
    async def info(self, name: str) -> Json: ...
    async def set(self, name: str, enabled: bool) -> Json: ...


class Notes(Protocol):
    async def list(self) -> Rows: ...
    async def show(self, note: str) -> Json: ...
    async def add(self, note: str, text: str) -> Json: ...

    async def edit(self, note: str, base: str, edits: Sequence[tuple[int, int, str]]) -> Json:
        """`edits`: (position in `base`, how many to delete, what to insert)."""


class Knowledge(Protocol):
    async def list(self) -> Rows: ...

    def add(self, path: str) -> AsyncGenerator[Json, None]:
        """A row for each file."""

    async def search(self, question: str, most: int, *, here: bool = False) -> Json:
        """Passages, whether their meaning was looked at, and who did not answer."""

    async def remove(self, document: str) -> Json: ...

    async def pin(self, document: str, room: str) -> Json:
        """A room is to keep a copy; "here" is this node's."""

    async def unpin(self, document: str, room: str) -> Json: ...
    async def reindex(self) -> Json: ...
    async def watched(self) -> Rows: ...

    async def watch(self, path: str) -> Json:
        """It is read from now on; `watched` tells how far that is."""

    async def unwatch(self, path: str) -> Json: ...


class Peering(Protocol):
    async def status(self) -> Json: ...
    async def verify(self) -> Json: ...

    async def metrics(self) -> str:
        """In Prometheus's text form."""

    def trace(self, peer: str) -> AsyncGenerator[Json, None]:
        """Messages to and from a peer as they go; the first row says that it has begun, or it raises."""


class Backups(Protocol):
    def make(self, passphrase: str | None) -> AsyncGenerator[Json, None]:
        """A sealed backup in pieces: `data` in base64, `records` of how many (`of`); the last row says `done`. Without
        a passphrase it is sealed to the home's recovery key."""


class Mute(Protocol):
    def status(self) -> Json: ...
    async def set(self, on: bool) -> Json: ...


class Home(Protocol):
    async def info(self) -> Json: ...

    async def rename(self, wanted: str | None, name: str | None, room: str | None) -> Json:
        """Without `wanted`: this node."""

    async def hand_over(self, wanted: str) -> Json: ...

    async def recover(self, phrase: str) -> Json:
        """The new recovery phrase is in the answer."""

    async def compact(self, stale: Sequence[str]) -> Json: ...

    async def leave(self) -> Json:
        """The node ends soon after it has answered."""


class VoiceCall(Protocol):
    """One client that brings its own microphone and loudspeaker."""

    async def feed(self, pcm: bytes) -> None:
        """The next sound; waits while too much waits to be heard."""

    async def end(self) -> None:
        """No more sound: `run` ends when what was said is answered."""

    def messages(self) -> AsyncIterator[Json | bytes]:
        """What to send to the client, until `run` has ended."""

    async def run(self) -> None:
        """Hear and answer; cancel it when the client has left."""


class NodeFace(Protocol):
    @property
    def sessions(self) -> Sessions: ...
    @property
    def config(self) -> Config: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def timers(self) -> Timers: ...
    @property
    def engines(self) -> Engines: ...
    @property
    def plugins(self) -> Plugins: ...
    @property
    def notes(self) -> Notes: ...
    @property
    def knowledge(self) -> Knowledge: ...
    @property
    def peering(self) -> Peering: ...
    @property
    def backups(self) -> Backups: ...
    @property
    def home(self) -> Home: ...
    @property
    def mute(self) -> Mute: ...
    @property
    def events(self) -> EventBus: ...

    def info(self) -> Json: ...
    async def nodes(self) -> Rows: ...
    async def invite(self, name: str | None, room: str | None) -> Json: ...
    async def remove_node(self, wanted: str) -> Json: ...
    async def quarantine(self) -> Rows: ...
    async def ask(self, text: str, *, session: str | None, speak: bool) -> Json: ...
    async def understand(self, text: str) -> Json: ...

    async def hear(self, audio: bytes, *, wake: bool, realtime: bool) -> tuple[Json, bytes]:
        """`audio`: any WAV or FLAC file's bytes. The turn, and the reply as WAV bytes, empty when there is none."""

    async def converse(
        self, *, rate_hz: int, session: str, wake: bool, room: str, realtime: bool, private: bool
    ) -> VoiceCall:
        """Another source of sound, apart from the room's and from all others."""

    async def say(self, text: str, *, room: str | None, everywhere: bool, urgent: bool) -> tuple[Json, bytes]:
        """The rooms that speak, those that keep their quiet hours, and what is spoken as WAV bytes."""

    async def status(self) -> Json: ...
