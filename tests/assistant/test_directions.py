"""Sentences about the conversation itself: to which one they belong, and what is answered."""

from __future__ import annotations

import asyncio

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.directions import Direction, direction
from jarvis.assistant.intents import match_intent
from jarvis.assistant.types import PastTurn, Request
from tests.assistant.homes import MemoryHome, ScriptedModel

ROOMS = ("Kitchen", "bedroom", "Tom's room", "hall")
TURNS = (PastTurn("What is the moon?", "A rock.", "Kitchen", 1),)


@pytest.mark.parametrize(
    ("text", "kind", "room"),
    [
        ("Continue.", "take_up", ""),
        ("Go on", "take_up", ""),
        ("Let's continue in the bedroom.", "hand_over", "bedroom"),
        ("Continue in the kitchen", "hand_over", "Kitchen"),
        ("continue this conversation in Tom's room, please", "hand_over", "Tom's room"),
        ("Move this conversation to the bedroom", "hand_over", "bedroom"),
        ("Continue in the hall", "take_up", ""),
        ("Continue with what I said in the kitchen", "take_up", "Kitchen"),
        ("Go back to what we were talking about in the bedroom", "take_up", "bedroom"),
        ("Pick up where we left off in the bedroom", "hand_over", "bedroom"),
        ("As I said in the kitchen, how far away is it?", "take_up", "Kitchen"),
        ("How far away is it, as I asked you in Tom's room?", "take_up", "Tom's room"),
        ("What did I just ask you in the kitchen?", "take_up", "Kitchen"),
        ("What did I just ask you?", "recall", ""),
        ("What did you say?", "recall", ""),
        ("Let's keep this private.", "private", ""),
        ("Hey Jarvis, private mode.", "private", ""),
        ("Turn on private mode please", "private", ""),
        ("Turn off private mode.", "shared", ""),
        ("End the private conversation", "shared", ""),
        ("Start a new conversation.", "anew", ""),
    ],
)
def test_what_a_sentence_says_about_the_conversation(text: str, kind: str, room: str) -> None:
    assert direction(text, "Jarvis", "hall", ROOMS) == Direction(kind, room)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "What time is it?",
        "Continue in English",
        "Continue in the garage",
        "As I said in the meeting, we are late",
        "As I said in the hall, how far is it?",
        "Is this private?",
        "Tell me about the private life of the moon",
        "Keep this in the fridge",
        "",
        "x" * 5_000,
    ],
)
def test_other_sentences_say_nothing_about_it(text: str) -> None:
    assert direction(text, "Jarvis", "hall", ROOMS) is None


def answer(text: str, model: ScriptedModel | None = None, **more: object) -> tuple[str, str | None, str]:
    async def main() -> tuple[str, str | None, str]:
        assistant = Assistant([model] if model else [])
        request = Request(text, "hall", rooms=ROOMS, **more)  # type: ignore[arg-type]
        reply = await assistant.answer(request, MemoryHome())
        return "".join([piece async for piece in reply.pieces]), reply.intent, reply.moves_to

    return asyncio.run(main())


def test_to_go_on_elsewhere_names_the_room_as_the_home_does() -> None:
    here = (PastTurn("What is the moon?", "A rock.", "hall", 1),)
    assert answer("Continue in the Bedroom", turns=here) == (
        "Okay, let's continue in the bedroom.",
        "continue",
        "bedroom",
    )
    assert answer("Continue in the bedroom", turns=here, private=True)[::2] == (
        "This conversation stays in this room.",
        "",
    )
    assert answer("Continue in the bedroom")[::2] == ("There is nothing to continue in the bedroom.", "")
    assert answer("Continue in the garage", turns=here)[0] == "I don't know a room called garage."


def test_to_go_on_here_says_where_it_was() -> None:
    told = "In the Kitchen you said: “What is the moon?” I said: “A rock.”"
    for text in ("Continue", "Continue in the kitchen", "Go back to what I said in the kitchen"):
        assert answer(text, turns=TURNS) == (told, {"G": "go_back"}.get(text[0], "continue"), "")


def test_within_a_talk_go_on_is_for_who_is_talked_with() -> None:
    here = (PastTurn("Tell me a story.", "Once upon a time.", "hall", 1),)
    model = ScriptedModel(("There was a king.",), trusted=True)
    assert answer("Go on.", model, turns=here) == ("There was a king.", None, "")
    assert answer("Continue in English.", model, turns=here)[1] is None


def test_what_is_private_is_asked_of_no_model_elsewhere() -> None:
    model = ScriptedModel(("From far away.",))
    model.elsewhere = True  # type: ignore[attr-defined]
    assert answer("Tell me a story.", model)[0] == "From far away."
    assert "no language model" in answer("Tell me a story.", model, private=True)[0]
    assert len(model.asked) == 1


def test_private_is_only_said_where_it_is_true() -> None:
    assert "stays in this room" in answer("Let's keep this private", private=True)[0]
    assert "could not" in answer("Let's keep this private")[0]
    assert "shared" in answer("Turn off private mode")[0]
    assert "keeps everything to itself" in answer("Turn off private mode", private=True, always_private=True)[0]


def test_unfinished_ones_are_not_whole() -> None:
    for text in ("Continue in", "Continue in the", "Let's continue in the"):
        match = match_intent(text)
        assert match is None or not match.whole, text
    for text in ("Continue in the bedroom", "Private mode", "Continue"):
        match = match_intent(text)
        assert match is not None and match.whole, text
