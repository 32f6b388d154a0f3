"""Templates: how they are written, which of them explains a sentence, and what is made of a word that was misheard."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jarvis.assistant.templates.collection import collect
from jarvis.assistant.templates.mishearing import Mishearing
from jarvis.assistant.templates.packs import read
from jarvis.assistant.templates.syntax import parse, phrases
from jarvis.assistant.templates.understanding import GUESSED, Understanding, built_in, replied, shipped
from jarvis.assistant.wording.sums import sum_at
from jarvis.assistant.wording.words import split, without_politeness
from jarvis.core.errors import InvalidInput


def understood(pack: str, text: str) -> tuple[str, dict] | None:
    found = Understanding([read("test", 'language = "en"\n' + pack)]).understand(split(text), text)
    return None if found is None else (found.intent, found.slots)


def intent(name: str, *sentences: str, more: str = "") -> str:
    return f'[[intent]]\nname = "{name}"\n{more}\nsentences = {list(sentences)!r}\n'


@pytest.mark.parametrize(
    ("template", "meant"),
    [
        ("turn on the light", {"turn on the light"}),
        ("(turn|switch) on", {"turn on", "switch on"}),
        ("[please|kindly] go", {"go", "please go", "kindly go"}),
        ("light[s]", {"light", "lights"}),
        ("switch(es|ed)", {"switches", "switched"}),
        ("a ([very] big|small) house", {"a big house", "a very big house", "a small house"}),
        ("what's up", {"what is up"}),
        ("<greet> you", {"hello you", "hi you"}),
        ("one|two three", {"one", "two three"}),
    ],
)
def test_what_a_template_stands_for(template: str, meant: set[str]) -> None:
    line = parse(template, {"greet": "hello|hi"})
    assert {" ".join(phrase) for phrase in phrases(line, 100)} == meant


@pytest.mark.parametrize(
    "template",
    ["(a|b", "a)", "[a", "{item", "{Item}", "<nobody>", "<itself>", "(un)lock", "a[b c]", "!", "a {b} c>", "<twice>"],
)
def test_a_template_with_a_fault_is_refused_with_its_words(template: str) -> None:
    rules = {"itself": "<itself>", "twice": "<twice1> <twice1>"}
    rules |= {f"twice{depth}": f"<twice{depth + 1}> <twice{depth + 1}>" for depth in range(1, 18)}
    with pytest.raises(InvalidInput, match="cannot be read"):
        parse(template, rules | {"twice18": "far far away"})


@given(st.text(alphabet="ab (|)[]{}<>:_'s", max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_template_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidInput):
        parse(text, {"a": "b"})


def test_what_is_known_explains_better_than_what_could_be_anything() -> None:
    pack = (
        intent("any", "play {name}")
        + intent("music", "play [some] music")
        + intent("by", "play {name} by {name:artist}")
    )
    assert understood(pack, "play music") == ("music", {})
    assert understood(pack, "play some jazz") is None  # "some" is no name, and jazz no music
    assert understood(pack, "play jazz") == ("any", {"name": "jazz"})
    assert understood(pack, "play help by the beatles") is None
    assert understood(pack, "play help by abba") == ("by", {"name": "help", "artist": "abba"})


def test_the_first_of_two_equals_wins_and_a_pack_before_another() -> None:
    first, second = (read(name, 'language = "en"\n' + intent(name, "open sesame")) for name in ("one", "two"))
    for packs, meant in (([first, second], "one"), ([second, first], "two")):
        found = Understanding(packs).understand(split("Open, sesame!"), "Open, sesame!")
        assert found is not None and found.intent == meant


def test_lists_ends_fixed_slots_and_words_that_make_it_another() -> None:
    pack = (
        """
    lists.size = ["big", { in = "(very|really) big", out = "huge" }, { in = "all", out = true }]
    ends.light = ["light[s]", "night lamp"]
    """
        + intent("draw", "draw [a] {size} house", more='without = "not"')
        + intent("on", "on [the] {light}", more="slots = { on = true }")
    )
    assert understood(pack, "draw a really big house") == ("draw", {"size": "huge"})
    assert understood(pack, "draw all house") == ("draw", {"size": True})
    assert understood(pack, "draw a not big house") is None
    assert understood(pack, "on the small kitchen night lamp") == (
        "on",
        {"light": "small kitchen night lamp", "on": True},
    )
    assert understood(pack, "on the kitchen") is None


def test_dictated_words_stay_as_they_were_said_and_may_go_on() -> None:
    text = "Write: Anna's e-mail isn't READY, is it?"
    found = Understanding([read("x", 'language = "en"\n' + intent("write", "write {text}"))]).understand(
        split(text), text
    )
    assert found is not None and found.slots == {"text": "Anna's e-mail isn't READY, is it"} and found.open_ended


def test_a_text_does_not_begin_with_words_that_make_it_a_question() -> None:
    pack = """
    texts.note = { never_first = "when|how (much|many)", may_ask = false }
    """ + intent("note", "note {note:text}", "note that {text}")
    assert understood(pack, "Note the Milk, please") == ("note", {"text": "the Milk, please"})
    assert understood(pack, "note when we met") is understood(pack, "note the milk?") is None
    assert understood(pack, "note that we met?") == ("note", {"text": "we met"})


def test_a_room_is_one_of_this_home() -> None:
    heard = Understanding([read("x", 'language = "en"\n' + intent("go", "go to {home_room:room} [now]"))])

    def found(text: str, *rooms: str) -> dict | None:
        match = heard.understand(split(text), text, rooms)
        return None if match is None else match.slots

    assert found("Go to the living room now", "Living", "Living Room") == {"room": "Living Room"}
    assert found("go to toms room", "Tom's room") is found("go to the cinema", "hall") is found("go to hall") is None
    assert found("go to Tom's room", "The hall", "Tom's room") == {"room": "Tom's room"}
    assert found("go to my hall", "The hall", "Tom's room") == {"room": "The hall"}


@pytest.mark.parametrize(
    ("text", "seconds", "name"),
    [
        ("set a timer for a pot of rice for ten minutes", 600, "pot of rice"),
        ("set a ten minute mac and cheese timer", 600, "mac and cheese"),
        ("set a timer for ten minutes for the green tea", 600, "green tea"),
        ("set a timer for the second egg for ten minutes", None, None),
    ],
)
def test_what_a_timer_is_called(text: str, seconds: int | None, name: str | None) -> None:
    found = shipped().understand(split(text), text)
    slots = {} if found is None else found.slots
    assert (slots.get("seconds"), slots.get("name")) == (seconds, name)


@pytest.mark.parametrize(
    ("said", "items"),
    [
        ("eggs, bread and butter", ["eggs", "bread", "butter"]),
        ("eggs bread and butter", ["eggs", "bread", "butter"]),
        ("two litres of milk and a dozen eggs", ["two litres of milk", "a dozen eggs"]),
        ("some Emmental", ["Emmental"]),
        ("toilet paper", ["toilet paper"]),
        ("apples, toilet paper, and dog food", ["apples", "toilet paper", "dog food"]),
    ],
)
def test_things_for_a_list(said: str, items: list[str]) -> None:
    assert understood(intent("add", "add {items} please"), f"Add {said} please") == ("add", {"items": items})


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("three plus four times five", "3 + 4 * 5"),
        ("subtract 37 from a hundred", "100 - 37"),
        ("20 percent off 50", "50 - 20 / 100 * 50"),
        ("the square root of one hundred and forty four", "sqrt 144"),
        ("12 squared", "12 ^ 2"),
        ("half of ninety", "90 / 2"),
        ("1,250.50 / 2", "1250.5 / 2"),
        ("2^10", "2 ^ 10"),
        ("the product of 6 and 7", "6 * 7"),
    ],
)
def test_sums_are_written_in_digits(said: str, written: str) -> None:
    texts = [word.text for word in split(said)]
    assert sum_at(texts, 0) == (written, len(texts))


@pytest.mark.parametrize("text", ["what is (3 + 4) * 5", "what is √9 + 1", "what is 5! + 1", "what is a third times 2"])
def test_a_sum_that_words_do_not_carry_whole_is_none(text: str) -> None:
    found = shipped().understand(split(text), text)
    assert found is None or "expression" not in found.slots


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("what's the whether tomorrow", ("weather", {"day": "tomorrow"})),
        ("ad milk to the shopping list", ("list_add", {"items": ["milk"], "list": "shopping"})),
        ("turn of the kitchen light", ("home_turn_off", {"thing": "kitchen light"})),
        ("remvoe milk from the shopping list", ("list_remove", {"items": ["milk"], "list": "shopping"})),
        ("close the bedroom curtans", ("home_close", {"thing": "bedroom curtains"})),
        ("cancle all reminders", ("reminder_cancel", {"all": True})),
        ("set a tamer for ten minutes", ("timer_set", {"seconds": 600})),
        ("set a timer four ten minutes", ("timer_set", {"seconds": 600})),
        ("paws the pasta timer", ("timer_pause", {"name": "pasta"})),
        ("tern it up", ("volume_up", {})),
        ("repeet that", ("repeat", {})),
    ],
)
def test_one_word_may_have_been_misheard(text: str, meant: tuple[str, dict]) -> None:
    words = without_politeness(split(text))
    found = shipped().guess(words, text)
    assert shipped().understand(words, text) is None
    assert found is not None and (found.intent, found.slots) == meant and found.confidence == GUESSED


@pytest.mark.parametrize("text", ["Announced in the bedroom", "remembers the milk", "at fourteen hundred hours"])
def test_nothing_is_dictated_to_a_word_that_was_misheard(text: str) -> None:
    assert shipped().guess(split(text), text, ("bedroom",)) is None


def test_neighbours_are_one_letter_away_begin_alike_and_are_long_enough() -> None:
    ears = Mishearing(["kitchen", "light", "lists", "on"], {"off": ["of"]})
    assert ears.neighbours("kitchn") == ["kitchen"]
    assert ears.neighbours("kithcen") == ears.neighbours("mitchen") == ["kitchen"]
    assert (
        ears.neighbours("night") == ears.neighbours("lists") == ears.neighbours("in") == ears.neighbours("lint") == []
    )
    assert list(ears.variants(["turn", "of", "lihgt"])) == [["turn", "off", "lihgt"], ["turn", "of", "light"]]


def test_a_pack_that_cannot_be_read_names_itself() -> None:
    for text, why in (
        ("language = 3", "language"),
        ('language = "en"\nrules.a = 1', "rules.a"),
        ('language = "en"\n' + intent("x", "say {nothing}"), "nothing"),
        ('language = "en"\nlists.x = ["{name}"]\n' + intent("x", "say {x}"), "name"),
        ('language = "en"\n[[intent]]\nname = "x"', "sentences"),
    ):
        problems = collect([("mine", text)], {"x"}).problems
        assert why in problems["mine"] and "mine" in problems["mine"]


def test_another_language_is_read_and_waits() -> None:
    collected = collect([("uhr", 'language = "de"\n' + intent("time", "wie spät ist es"))], {"time"})
    assert not collected.problems and collected.understanding is shipped()


def test_a_reply_holds_what_filled_its_slots() -> None:
    assert replied("{a} and {b}{c.__class__}", {"a": 1}) == "1 and {c.__class__}"


def test_our_own_packs_name_each_kind_and_rule() -> None:
    assert {pack.name for pack in built_in()} >= {"alarms", "common", "home", "lists", "sums", "weather"}
    assert len(shipped().intents) > 40


@given(
    st.lists(
        st.sampled_from(sorted(["turn", "on", "the", "add", "to", "list", "in", "and", "what", "is", "five"])),
        max_size=70,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_words_are_searched_within_bounds(words: list[str]) -> None:
    text = " ".join(words)
    shipped().understand(split(text), text)
    shipped().guess(split(text), text)
