"""A home of real nodes that hear one recording, each at its own moment and as loud as it happens: real processes, real
links over loopback, real models. It counts who chimed and who answered, as their events tell.

Each node plays a file in place of its microphone. Muted, it does not read it; so a trial writes the files, lets all
nodes hear at once, waits until each has come to an end, and mutes them again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from jarvis.api.client import Client
from jarvis.testing.ports import free_port
from jarvis.testing.processes import NodeProcess, jarvis, linked, until
from jarvis.voice import wav

RATE_HZ = 16_000
BEFORE_MS, TAIL_S = 1_000, 60.0
"""Of the room's own noise: so long before the wake word that its floor is known, and longer after it than a trial."""
FIRST_S = 400.0
"""Of noise before the first trial: a node whose file has ended listens no more."""
NOISE = 12.0
"""Standard deviation of the noise: a quiet room."""
READY_S, TRIAL_S = 120.0, 45.0
"""Deadlines for a machine on which several nodes share two cores."""
QUIET_S = 0.6
"""After the last end, for an answer that should not come."""
LATE_S = 2.0
"""After the last word: a room that has not heard the wake word by then does not hear it any more."""
STAGES = ("words", "claim", "answer", "voice")
ENDS = frozenset({"spoken", "closed"})
SPREAD_MS = 250.0


@dataclass
class Heard:
    """One trial. Rooms are numbers; times are of one clock, since all nodes run on this machine."""

    woken: dict[int, float] = field(default_factory=dict)
    """When each room's detector was sure."""
    chimed: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    texts: dict[int, str] = field(default_factory=dict)
    """What each room understood."""
    chime_after_ms: dict[int, float] = field(default_factory=dict)
    first_sound_ms: dict[int, float] = field(default_factory=dict)
    """From the confirmed endpoint to the reply's first sound, without making it: it may be in the voice's cache."""
    stages_ms: dict[int, dict[str, float]] = field(default_factory=dict)
    """The same in parts: `words` until the text is there, `claim` until this room knows that it answers, `answer` until
    the reply begins, `voice` until its sound."""
    _last_ms: dict[tuple[int, str], float] = field(default_factory=dict, repr=False)

    def told(self, number: int, event: Mapping[str, Any]) -> None:
        name, at_ms = event["event"], event["at_ms"]
        self._last_ms[number, name] = at_ms
        if name == "wake":
            self.woken[number] = at_ms
        elif name == "stt":
            self.texts[number] = event["text"]
        elif name == "chime":
            self.chimed.append(number)
            self.chime_after_ms[number] = event["after_wake_ms"]
        elif name == "reply":
            self.answered.append(number)
            self._last_ms[number, "claim"] = at_ms - event["waited_ms"]
        elif name == "tts" and number not in self.first_sound_ms and (number, "endpoint") in self._last_ms:
            times = [self._last_ms[number, stage] for stage in ("endpoint", "stt", "claim", "reply")]
            times.append(at_ms - event["synthesis_ms"])
            self.first_sound_ms[number] = times[-1] - times[0]
            self.stages_ms[number] = dict(zip(STAGES, (b - a for a, b in pairwise(times)), strict=True))
        elif name in ENDS and number in self.woken:  # a file that was muted before it ended tells so late
            self.ended.add(number)

    @property
    def spread_ms(self) -> float:
        return max(self.woken.values()) - min(self.woken.values()) if self.woken else 0.0


class HearingHome:
    def __init__(
        self, folder: Path, count: int, wake: Path, requests: Sequence[Path], env: Mapping[str, str] | None = None
    ) -> None:
        """Recordings of the wake word and of what may follow it, after 200 ms of silence."""
        pause = np.zeros(RATE_HZ // 5, np.int16)
        self._spoken = [np.concatenate([wav.read(wake), pause, wav.read(path)]) for path in requests]
        self.speech_s = BEFORE_MS / 1000 + max(map(len, self._spoken)) / RATE_HZ
        """From the beginning of a file to the last word."""
        ports = [free_port() for _ in range(count)]
        self._files = [folder / f"room{number}.wav" for number in range(count)]
        peers = [part for port in ports for part in ("--peer", f"127.0.0.1:{port}")]
        self.nodes = [
            NodeProcess(
                folder / f"node{number}",
                *("--no-mdns", "--bind", "127.0.0.1", "--peer-port", str(ports[number]), *peers),
                *("--audio", f"wav:{self._files[number]}"),
                env=env,
            )
            for number in range(count)
        ]
        self._env = env

    def found(self, *, joined: bool = True) -> None:
        """Make the home, or as many homes as there are nodes, and start its nodes, loaded and muted."""
        first, *others = self.nodes
        for number in range(len(self.nodes)):
            self._write(number, 0.0, 0.0, number, FIRST_S)
        self._init(0)
        first.start()
        for number, node in enumerate(others, 1):
            if joined:
                wishes = {"name": f"room{number}", "room": f"room{number}"}
                invitation = first.post("/api/v2/nodes/invitations", wishes)
                join = ("node", "join", invitation["code"], "--peer", invitation["peer"])
                jarvis(*join, data_dir=node.data_dir, env=self._env).json()
            else:
                self._init(number)
            node.launch()
        for node in others:
            node.wait_ready(READY_S)
        if joined:
            until(lambda: linked(*self.nodes), READY_S, "every node linked to every other")
        until(lambda: all(map(_loaded, self.nodes)), READY_S, "every node's ears and voice loaded")
        for node in self.nodes:
            node.call("PUT", "/api/v2/mute", body={"muted": True}, deadline_s=READY_S)

    def _init(self, number: int) -> None:
        names = ("--name", f"room{number}", "--room", f"room{number}")
        jarvis("init", *names, data_dir=self.nodes[number].data_dir, env=self._env).json()

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[_Trials]:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            trials = _Trials(self, session)
            followers = [group.create_task(trials.follow(number)) for number in range(len(self.nodes))]
            async with asyncio.timeout(READY_S):
                await trials.subscribed.wait()
            try:
                yield trials
            finally:
                for follower in followers:
                    follower.cancel()

    def write(self, chance: random.Random, hearing: Mapping[int, int], spread_ms: float) -> None:
        """Files for the next trial: room -> number of the request that it hears."""
        for number, request in hearing.items():
            offset_ms, gain, seed = chance.uniform(0, spread_ms), chance.uniform(0.3, 1.0), chance.randrange(2**32)
            self._write(number, offset_ms, gain, seed, request=request)

    def _write(
        self, number: int, offset_ms: float, gain: float, seed: int, tail_s: float = TAIL_S, request: int = 0
    ) -> None:
        spoken = self._spoken[request]
        before = int((BEFORE_MS + offset_ms) * RATE_HZ / 1000)
        sound = np.random.default_rng(seed).normal(0, NOISE, before + len(spoken) + int(tail_s * RATE_HZ))
        sound[before : before + len(spoken)] += gain * spoken
        wav.write(self._files[number], np.clip(sound, -32_768, 32_767).astype(np.int16), RATE_HZ)


class _Trials:
    def __init__(self, home: HearingHome, session: aiohttp.ClientSession) -> None:
        self._home, self._session = home, session
        self._runtime = [Client(node.data_dir).runtime for node in home.nodes]
        self._heard = Heard()
        self._changed = asyncio.Event()
        self.subscribed = asyncio.Event()
        self._following = 0

    async def follow(self, number: int) -> None:
        url, headers = self._runtime[number].api_url, self._headers(number)
        async with self._session.ws_connect(f"{url}/api/v2/events", headers=headers) as events:
            async for message in events:
                event = message.json()
                if event["event"] == "subscribed":
                    self._following += 1
                    if self._following == len(self._home.nodes):
                        self.subscribed.set()
                self._heard.told(number, event)
                self._changed.set()

    async def trial(
        self, seed: int, *, hearing: Mapping[int, int] | None = None, spread_ms: float = SPREAD_MS
    ) -> Heard:
        """The rooms of `hearing`, each the request of that number, or all the first one; ends when each that woke has
        come to its end."""
        rooms = dict.fromkeys(range(len(self._home.nodes)), 0) if hearing is None else hearing
        await asyncio.to_thread(self._home.write, random.Random(seed), rooms, spread_ms)  # nosec B311
        self._heard = heard = Heard()
        try:
            await asyncio.gather(*(self._mute(number, False) for number in rooms))
            latest_s = self._home.speech_s + spread_ms / 1000 + LATE_S
            await self._until(lambda: len(heard.woken) == len(rooms), latest_s)
            if not await self._until(lambda: heard.ended >= heard.woken.keys(), TRIAL_S):
                return heard  # who did not end shows in what was heard
            await asyncio.sleep(QUIET_S)
        finally:
            await asyncio.gather(*(self._mute(number, True) for number in rooms))
        return heard

    async def _until(self, holds: Callable[[], bool], within_s: float) -> bool:
        try:
            async with asyncio.timeout(within_s):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def _mute(self, number: int, muted: bool) -> None:
        url = f"{self._runtime[number].api_url}/api/v2/mute"
        async with self._session.put(url, json={"muted": muted}, headers=self._headers(number)) as answer:
            answer.raise_for_status()

    def _headers(self, number: int) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._runtime[number].token}"}


def _loaded(node: NodeProcess) -> bool:
    states = {engine["kind"]: engine["state"] for engine in node.get("/api/v2/engines")}
    return all(states.get(kind) == "ready" for kind in ("ears", "stt", "tts"))
