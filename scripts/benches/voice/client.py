"""One spoken turn with a real node over its API, in real time, as a satellite microphone would have it: when each thing
happened, by the clock that node and bench share."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from benches.voice.commands import Command
from jarvis.testing.processes import NodeProcess
from jarvis.voice.streams import RATE_HZ

CHUNK_SAMPLES = 320
TURN_S = 60.0
"""For one turn, on the slowest machine that is measured."""


@dataclass
class Turn:
    """Times are monotonic milliseconds."""

    command: Command
    began_ms: float = 0.0
    """The first sample of the command's sound was spoken."""
    first_audio_ms: float | None = None
    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The first of each name."""
    counts: dict[str, int] = field(default_factory=dict)
    reply: str = ""
    texts: list[str] = field(default_factory=list)
    """What was understood: more than one where an utterance was cut."""

    @property
    def ended_ms(self) -> float:
        """The user stopped speaking."""
        return self.began_ms + self.command.speech_end_s * 1_000

    @property
    def after_speech_ms(self) -> float | None:
        return None if self.first_audio_ms is None else self.first_audio_ms - self.ended_ms

    def at(self, event: str) -> float | None:
        found = self.events.get(event)
        return None if found is None else float(found["at_ms"])

    def between(self, first: str, second: str) -> float | None:
        """Milliseconds from one event to another; None when either did not happen."""
        before, after = self.at(first), self.at(second)
        return None if before is None or after is None else after - before


async def spoken_turn(node: NodeProcess, command: Command, *, after_s: float = 0.0) -> Turn:
    """Speak, then be silent until the answer is written and `after_s` more. A turn that nobody answers ends after a
    minute."""
    runtime = json.loads((node.data_dir / "run" / "api.json").read_text())
    headers = {"Authorization": f"Bearer {runtime['token']}"}
    turn = Turn(command)
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"{runtime['api_url']}/api/v2/voice") as socket,
    ):
        await socket.send_json({"rate_hz": RATE_HZ})
        await socket.receive_json(timeout=TURN_S)
        over = asyncio.Event()
        speaking = asyncio.create_task(_speak(socket, turn, over))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TURN_S):
                    await _listen(socket, turn, after_s)
        finally:
            over.set()
            await speaking
    return turn


async def _speak(socket: aiohttp.ClientWebSocketResponse, turn: Turn, over: asyncio.Event) -> None:
    """A block is there when its last sample was spoken, as from a microphone; then silence."""
    sound = turn.command.sound
    loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    turn.began_ms = time.monotonic() * 1_000
    start = 0
    try:
        while not over.is_set():
            block = sound[start : start + CHUNK_SAMPLES].astype("<i2").tobytes()
            start += CHUNK_SAMPLES
            await asyncio.sleep(max(began + start / RATE_HZ - loop.time(), 0.0))
            await socket.send_bytes(block.ljust(2 * CHUNK_SAMPLES, b"\0"))
    except ConnectionError:  # the node has closed: what it told is all there is
        pass


async def _listen(socket: aiohttp.ClientWebSocketResponse, turn: Turn, after_s: float) -> None:
    """Until the answer is written and begun to be heard, or nothing is to be answered."""
    until: float | None = None
    while until is None or time.monotonic() < until:
        left = None if until is None else max(until - time.monotonic(), 0.001)
        try:
            message = await socket.receive(left)
        except TimeoutError:
            return
        if message.type == aiohttp.WSMsgType.BINARY:
            turn.first_audio_ms = turn.first_audio_ms or time.monotonic() * 1_000
        elif message.type == aiohttp.WSMsgType.TEXT:
            event = json.loads(message.data)
            turn.events.setdefault(event["event"], event)
            turn.counts[event["event"]] = turn.counts.get(event["event"], 0) + 1
            if event["event"] == "stt":
                turn.texts.append(event["text"])
            if event["event"] == "turn.done":
                turn.reply = turn.reply or event["reply"]
        else:
            return
        done = "closed" in turn.events or ("turn.done" in turn.events and turn.first_audio_ms is not None)
        if done and until is None:
            until = time.monotonic() + after_s
