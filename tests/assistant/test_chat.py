"""A small model is asked for talk, and never for a fact."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.language.chat import is_talk
from jarvis.assistant.types import PastTurn, Reply, Request
from jarvis.core.errors import EngineFailed
from tests.assistant.homes import MemoryHome, ScriptedModel, whole

FACTS = Path(__file__).with_name("questions_of_fact.txt").read_text().splitlines()
TALK = [
    "Hello there, how are you?", "Thanks, tell me another story about a fox", "Tell me a joke.",
    "Tell me a story about a dragon", "How are you?", "I feel cold", "Do you like rain?",
    "Write a poem about the weather", "Good night", "I have two cats", "Hello", "I locked the door",
    "Play a game with me", "My name is Ada.", "I had a bad day.", "You are funny.", "Sing me a song",
    "Can you tell me a bedtime story about pirates?", "another one", "Why?", "go on", "What's up?", "Do you dream?",
    "What is your favourite colour?", "Thanks, that was nice", "We are going to the beach tomorrow",
    "Good morning, Jarvis!", "how was your day", "I'm bored", "cheer me up", "say something nice",
    "make up a rhyme about cheese", "yes I do", "wow", "My cat is called Tom", "Would you rather be a cat or a dog?",
    "Let's talk.", "Happy birthday!", "Do you have any hobbies?",
]  # fmt: skip


def asked(text: str, *models: ScriptedModel, guesses: bool = False) -> tuple[Reply, str]:
    async def main() -> tuple[Reply, str]:
        reply = await Assistant(models).answer(Request(text, "kitchen", guesses=guesses), MemoryHome())
        return reply, await whole(reply)

    return asyncio.run(main())


@pytest.mark.parametrize("text", TALK)
def test_talk_is_talk(text: str) -> None:
    assert is_talk(text)


@pytest.mark.parametrize("text", FACTS)
def test_a_small_model_alone_is_asked_for_no_fact(text: str) -> None:
    small = ScriptedModel(["It is made of cheese."])
    reply, said = asked(text, small)
    assert not small.asked and reply.source == "intent" and "cheese" not in said


def test_a_yes_to_nothing_is_not_talked_on_about() -> None:
    async def said(*turns: PastTurn) -> str:
        request = Request("Yes.", "kitchen", turns=turns)
        return await whole(await Assistant([ScriptedModel(["Here it is."])]).answer(request, MemoryHome()))

    past = [PastTurn("Tell me a joke", reply, "kitchen", 0) for reply in ("It was the butler.", "Another one?")]
    assert asyncio.run(said()) == asyncio.run(said(past[0])) == "I did not ask anything just now."
    assert asyncio.run(said(*past)) == "Here it is."


def test_what_is_not_understood_is_said_to_be_that() -> None:
    assert "did not understand" in asked("Frobnicate eleven gizmos sideways.", ScriptedModel())[1]
    assert "rather not guess" in asked("Who wrote Hamlet", ScriptedModel())[1]


def test_there_are_more_than_a_hundred_of_them() -> None:
    assert len(set(FACTS)) > 100


def test_a_trusted_model_is_asked_and_a_small_one_does_not_stand_in_for_it() -> None:
    good, small = ScriptedModel(["Canberra."], trusted=True), ScriptedModel(["Sydney."])
    assert asked("What is the capital of Australia?", good, small)[1] == "Canberra."
    reply, said = asked(
        "What is the capital of Australia?", ScriptedModel((), EngineFailed("It is gone."), trusted=True), small
    )
    assert "rather not guess" in said and reply.provider == "guard" and not small.asked


def test_who_wants_guesses_gets_them() -> None:
    small = ScriptedModel(["Sydney."])
    assert asked("What is the capital of Australia?", small, guesses=True)[1] == "Sydney."
    assert "can't tell" in asked("Is the front door locked?", small, guesses=True)[1]


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(st.text(max_size=1200), st.lists(st.sampled_from(["tell", "me", "a", "story", "do", "you", "have", "i"])))
)
def test_any_text_is_judged_quickly(text: str | list[str]) -> None:
    began = time.process_time()
    is_talk(text if isinstance(text, str) else " ".join(text * 20))
    assert time.process_time() - began < 0.2
