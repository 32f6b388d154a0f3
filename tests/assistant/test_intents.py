"""The intents against spoken sentences, and laws that hold for any text."""

from __future__ import annotations

import gc
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.assistant.filling import fill_missing
from jarvis.assistant.intents import match_intent
from jarvis.assistant.templates.understanding import shipped
from jarvis.assistant.wording.words import MAX_CHARS
from tests.assistant.intent_phrases import FREE, MISSING, OPEN, WHOLE


def found(text: str) -> tuple[str, dict] | None:
    match = match_intent(text)
    return None if match is None else (match.intent, match.slots)


def test_there_are_enough_phrases() -> None:
    assert len({text for text, _, _ in WHOLE + OPEN + MISSING}) >= 150
    assert len(set(FREE)) >= 60


@pytest.mark.parametrize(("text", "intent", "slots"), WHOLE)
def test_whole_sentences(text: str, intent: str, slots: dict) -> None:
    assert found(text) == (intent, slots)
    assert match_intent(text).whole


@pytest.mark.parametrize(("text", "intent", "slots"), OPEN)
def test_dictated_words_are_kept_as_said_and_may_go_on(text: str, intent: str, slots: dict) -> None:
    assert found(text) == (intent, slots)
    assert not match_intent(text).whole


@pytest.mark.parametrize(("text", "intent", "slots"), MISSING)
def test_unfinished_sentences_are_known_but_not_whole(text: str, intent: str, slots: dict) -> None:
    assert found(text) == (intent, slots)
    assert not match_intent(text).whole


@pytest.mark.parametrize("text", FREE)
def test_free_text_is_left_alone(text: str) -> None:
    assert found(text) is None


def test_the_wake_phrase_and_another_name_are_tolerated() -> None:
    for head in ("Hey Jarvis,", "Jarvis.", "Hey Travis", "Okay Jarvis", "Friday,", "Hey Friday!"):
        match = match_intent(f"{head} what time is it?", "Friday")
        assert match is not None and match.intent == "time", head
    assert match_intent("What time is it, Friday?", "Friday") is not None
    assert match_intent("What time is it, Friday?", "Jarvis") is None


@pytest.mark.parametrize(
    ("asked", "answer", "slots"),
    [
        ("Set a pasta timer", "Eight minutes.", {"name": "pasta", "seconds": 480}),
        ("Set a timer for", "for ten minutes please", {"seconds": 600}),
        ("Set a timer", "Make it an hour and a half", {"seconds": 5400}),
        ("Set a timer", "Tell me a joke.", None),
        ("Set a timer", "", None),
        ("Cancel the timer", "The pasta one.", {"name": "pasta"}),
        ("Cancel the timer", "pasta timer", {"name": "pasta"}),
        ("Cancel the timer", "All of them!", {"all": True}),
        ("Cancel the timer", "The ten minute timer", {"seconds": 600}),
        ("Remember that", "My locker is number twelve.", {"text": "My locker is number twelve"}),
        ("What time is it?", "ten minutes", None),
    ],
)
def test_a_slot_asked_for_is_filled_by_the_answer(asked: str, answer: str, slots: dict | None) -> None:
    first = match_intent(asked)
    assert first is not None
    filled = fill_missing(first, answer)
    assert (None if filled is None else filled.slots) == slots


# Words the templates give a meaning to, so that arbitrary sentences come close to them.
NEAR = st.lists(
    st.sampled_from(
        [
            "set",
            "a",
            "the",
            "timer",
            "timers",
            "for",
            "to",
            "and",
            "half",
            "an",
            "hour",
            "minutes",
            "ten",
            "10",
            "1.5",
            "second",
            "in",
            "pasta",
            "cancel",
            "how",
            "much",
            "time",
            "is",
            "left",
            "long",
            "what",
            "did",
            "i",
            "ask",
            "you",
            "say",
            "remember",
            "that",
            "remind",
            "me",
            "about",
            "stop",
            "it",
            "day",
            "today",
            "repeat",
            "all",
            "my",
            "of",
            "on",
            "until",
        ]
    ),
    max_size=60,
).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=2 * MAX_CHARS), NEAR))
def test_any_text_is_matched_quietly_and_quickly(text: str) -> None:
    shipped()  # built once, not for each sentence
    gc.disable()  # it would walk all that pytest and hypothesis hold
    try:
        began = time.thread_time()
        match = match_intent(text)
        spent_ms = (time.thread_time() - began) * 1000
    finally:
        gc.enable()
    assert spent_ms < 100, f"{spent_ms:.0f} ms for {text!r}"  # 5 ms for real sentences; this is for the worst of all
    if match is not None:
        assert match.intent and set(match.missing).isdisjoint(match.slots)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([row for row in WHOLE if row[1] != "remember"]), st.sampled_from(["", " ", "?", "!", ".", "..."])
)
def test_casing_and_punctuation_change_nothing(row: tuple, end: str) -> None:
    text, intent, slots = row
    for variant in (text.upper(), text.lower(), text.rstrip(".?!") + end, f"  {text}\n"):
        assert found(variant) == (intent, slots)


def test_real_sentences_take_under_five_milliseconds() -> None:
    texts = [text for text, _, _ in WHOLE + OPEN + MISSING] + FREE
    spent = []
    for text in texts:
        began = time.process_time()
        match_intent(text)
        spent.append((time.process_time() - began) * 1000)
    assert sorted(spent)[int(0.99 * len(spent))] < 5


def test_a_reminder_for_a_day_asks_for_the_time_and_keeps_the_day() -> None:
    asked = match_intent("Remind me to pay the rent on Friday")
    assert asked is not None and asked.missing == ("at",)
    filled = fill_missing(asked, "at nine")
    at = {"hour": 9, "minute": 0, "half": None, "day": "friday"}
    assert filled is not None and filled.slots == {"name": "pay the rent", "at": at}
    again = match_intent("Remind me every Monday to take the bins out")
    filled = fill_missing(again, "seven pm") if again is not None else None
    at = {"hour": 7, "minute": 0, "half": "pm", "day": None}
    assert filled is not None and filled.slots == {"name": "take the bins out", "at": at, "every": ["mon"]}


def test_what_is_run_is_a_scene_unless_it_is_something_else() -> None:
    match = match_intent("Run party time")
    assert match is not None and (match.intent, match.slots) == ("home_scene", {"name": "party time"})
    for text in ("Run a bath", "Run away", "Run to the shop", "Run for your life", "Run the dishwasher"):
        other = match_intent(text)
        assert other is None or other.intent != "home_scene"


def test_a_telephone_number_and_a_date_are_no_sums() -> None:
    for text in ("33-4-692", "555-123-4567", "2026-11-22", "0171-22-3"):
        assert match_intent(text) is None
    for text in ("5-3", "What is 17 - 4 - 2?", "5-3-1"):
        match = match_intent(text)
        assert match is not None and match.intent == "calculate"
