"""Asking in words, hearing a sound file, speaking. Sound comes in as a body of bytes and goes out as base64 in JSON:
a reply of ten seconds is under 600 KB, and one answer stays one answer."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from pydantic import Field

from jarvis.api.face import NodeFace
from jarvis.api.route import Call, Fields, Route

TEXT_CHARS = 8_192
"""Two minutes of speech are about 2,000 characters."""


class Question(Fields):
    text: str = Field(min_length=1, max_length=TEXT_CHARS)
    session: str | None = Field(None, max_length=64)
    """An id, a prefix of one, or `new`; without it the room's own open session goes on."""
    speak: bool = False
    """Speak the reply in the node's room too."""


class Sentence(Fields):
    text: str = Field(min_length=1, max_length=TEXT_CHARS)


class Hearing(Fields):
    wake: bool = True
    """Wait for the wake word first, as the microphone does."""
    realtime: bool = False
    """Play the file at the speed it was recorded at."""


class Speech(Fields):
    text: str = Field(min_length=1, max_length=TEXT_CHARS)
    room: str | None = Field(None, max_length=200)
    everywhere: bool = False
    urgent: bool = Field(False, description="Also where it is quiet hours.")


async def ask(node: NodeFace, call: Call) -> dict[str, Any]:
    question: Question = call.body
    return await node.ask(question.text, session=question.session, speak=question.speak)


async def understand(node: NodeFace, call: Call) -> dict[str, Any]:
    sentence: Sentence = call.body
    return await node.understand(sentence.text)


async def hear(node: NodeFace, call: Call) -> dict[str, Any]:
    hearing: Hearing = call.query
    turn, wav = await node.hear(call.body, wake=hearing.wake, realtime=hearing.realtime)
    return {**turn, "reply_audio": b64encode(wav).decode("ascii")}


async def say(node: NodeFace, call: Call) -> dict[str, Any]:
    speech: Speech = call.body
    said, wav = await node.say(speech.text, room=speech.room, everywhere=speech.everywhere, urgent=speech.urgent)
    return {**said, "audio": b64encode(wav).decode("ascii")}


_ASKED = ("session_id", "turn_id", "text", "reply", "source", "provider", "citations", "timings_ms")
_UNDERSTOOD = ("intent", "slots", "missing", "confidence", "whole")
_HEARD = ("wake", "claimed", "heard", "session_id", "turn_id", "reply", "timings_ms", "reply_audio")

ROUTES = (
    Route("POST", "/api/v2/chat", "Ask in words.", ask, _ASKED, body=Question),
    Route("POST", "/api/v2/understand", "What a sentence means.", understand, _UNDERSTOOD, body=Sentence),
    Route("POST", "/api/v2/voice", "Hear a sound file as the microphone.", hear, _HEARD, query=Hearing, audio=True),
    Route("POST", "/api/v2/voice/say", "Speak a text.", say, ("rooms", "quiet", "problems", "audio"), body=Speech),
)
