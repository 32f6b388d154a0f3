"""What is kept from models that cannot know, and what is not."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.assistant.language.guard import doubt

DOUBTED = {
    "arithmetic": [
        "What is 17 times 23?", "What's seventeen times twenty three?", "17 x 23", "17*23=?", "What is 5 + 7?",
        "How much is 12 divided by 4?", "what's 20% of 80", "What is 20 percent of 80?", "two plus two",
        "What is the square root of 144?", "Calculate 3 to the power of 5", "Add 5 and 7", "Double 45",
        "What's 12 squared?", "Convert 5 miles to kilometers", "How many seconds are in a day?", "17×23",
        "Hey Jarvis, what's 100 minus 58?", "If I have 5 apples and eat 2, how many are left?",
    ],
    "device_state": [
        "Is the front door locked?", "Is the light on in the kitchen?", "Are the lights off?",
        "Did I lock the front door?",
        "Did I leave the oven on?", "Is anyone home?", "What's the temperature in the bedroom?",
        "How warm is it in here?",
        "Is the washing machine done?", "What is the thermostat set to?", "Which windows are open?",
        "Hey Jarvis, is the garage open?",
        "Check if the door is locked", "Are all the windows closed?", "Where are my keys?", "Is the TV on?",
        "Who's at the door?",
    ],
    "live_fact": [
        "What's the weather like?", "What is the weather today?", "Will it rain tomorrow?", "Is it raining?",
        "Do I need an umbrella?",
        "How cold is it outside?", "What's the news?", "Who won the game last night?", "What's the score?",
        "When is the next bus?", "When does the next train leave?", "Is the pharmacy still open?",
        "What time is it in Tokyo?", "What's on TV tonight?",
        "What's on my calendar?", "Who is the president of France?", "When is sunset?",
        "What's Apple's stock price today?",
        "How many days until Christmas?", "Do I have any new messages?", "What day is Christmas?", "Where am I?",
    ],
    "action": [
        "Turn on the lights", "Turn the kitchen light off", "Switch off the TV", "Dim the bedroom lights",
        "Lock the front door",
        "Open the garage", "Set the thermostat to 21 degrees", "Set an alarm for 7 am", "Wake me up at seven",
        "Call Mom",
        "Text Anna", "Send a message to Tom", "Play some jazz music", "Play the Beatles",
        "Play my playlist", "Order a pizza",
        "Add milk to the shopping list",
        "Turn it up", "Please turn off all the lights", "Remind me tomorrow to call Anna",
        "Can you turn on the heating?",
        "Add five minutes to the timer", "Pause the timer", "Set a timer for ten minutes and tell me a joke",
    ],
    "safety": [
        "Is it dangerous to eat raw eggs?", "Can I mix bleach and vinegar?", "Is this mushroom poisonous?",
        "How much ibuprofen can I take?", "Can my dog eat chocolate?", "Is it safe to drink tap water in Egypt?",
        "I have chest pain", "Call an ambulance", "What are the symptoms of a stroke?", "I smell gas",
    ],
}  # fmt: skip

PASSED = [
    "Tell me a joke.", "Why is the sky blue?", "How does a door lock work?", "What is a thermostat?",
    "Tell me a story about a dragon",
    "How are you?", "What is the capital of France?", "Who wrote Hamlet?", "My name is Ada.", "What is my name?",
    "How do I boil an egg?", "Explain what multiplication is", "I feel cold", "Do you like rain?", "Why does it rain?",
    "Write a poem about the weather", "What is love?", "Give me a recipe for pancakes", "Say that in French",
    "Do you like music?", "Who was Ada Lovelace?", "Tell me about the moon", "What do cats eat?", "Good night",
    "I have two cats", "What's a good name for a dog?", "How do planes fly?", "Tell me three facts about whales",
    "What should I cook with eggs and rice?", "What does open mean in German?", "Talk to me about traffic lights",
    "Hello", "", "Take turns.", "I locked the door", "Play a game with me", "Help me write a letter to my landlord",
    "Call me Ishmael is a famous first line", "What is two-factor authentication?", "Who let the dogs out",
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in DOUBTED.items() for text in texts])
def test_doubted(kind: str, text: str) -> None:
    found = doubt(text)
    assert found is not None and found.kind == kind
    assert "can't" in found.sentence


@pytest.mark.parametrize("text", PASSED)
def test_talk_passes(text: str) -> None:
    assert doubt(text) is None


def test_no_model_is_believed_about_devices() -> None:
    assert doubt("Is the front door locked?").for_any_model
    assert doubt("Turn on the lights").for_any_model
    assert not doubt("What is 17 times 23?").for_any_model
    assert not doubt("What's the weather like?").for_any_model


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.text(max_size=1200),
        st.lists(
            st.sampled_from(
                [
                    "is",
                    "the",
                    "are",
                    "my",
                    "door",
                    "light",
                    "on",
                    "off",
                    "turn",
                    "set",
                    "what",
                    "how",
                    "many",
                    "in",
                    "to",
                    "5",
                    "ten",
                    "times",
                    "if",
                    "i",
                    "have",
                    "play",
                    "a",
                    "of",
                    "now",
                ]
            ),
            max_size=150,
        ).map(" ".join),
    )
)
def test_any_text_is_judged_quietly_and_quickly(text: str) -> None:
    assert min(_took(text) for _ in range(3)) < 0.2, "the least of three: whatever else the machine does counts too"


def _took(text: str) -> float:
    began = time.process_time()
    doubt(text)
    return time.process_time() - began
