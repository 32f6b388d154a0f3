"""What a language model is given to read, and how its stream is cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jarvis.assistant.prompt import DROP_TURNS, messages_for, without_oldest
from jarvis.assistant.sentences import Sentences
from tests.assistant.homes import request, turn


def test_head_then_turns_then_what_was_just_said() -> None:
    turns = (turn("My name is Ada.", "Hello Ada.", "bedroom"), turn("Unanswered", ""))
    messages = messages_for(request("What is my name?", *turns, name="Friday"), 1024, 64)
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert "Friday" in messages[0]["content"]
    elsewhere = request("Something else", room="bedroom", name="Friday")
    assert messages_for(elsewhere, 1024, 64)[0] == messages[0], "the head must stay cached"
    assert [message["content"] for message in messages[1:]] == ["My name is Ada.", "Hello Ada.", "What is my name?"]


@given(st.lists(st.text(min_size=1, max_size=400), max_size=40), st.text(min_size=1, max_size=300))
def test_the_prompt_fits_and_keeps_the_newest(texts: list[str], now: str) -> None:
    turns = [turn(text, f"re {text}") for text in texts]
    messages = messages_for(request(now, *turns), 1024, 128)
    assert messages[0]["role"] == "system" and messages[-1]["content"] == now
    kept = (len(messages) - 2) // 2
    assert (len(turns) - kept) % DROP_TURNS == 0 or kept == 0
    assert [message["content"] for message in messages[1:-1:2]] == texts[len(texts) - kept :]
    bytes_of_turns = sum(len(message["content"].encode()) for message in messages[1:-1])
    assert bytes_of_turns <= 3 * (1024 - 128)


def test_a_growing_session_keeps_its_beginning_for_several_turns() -> None:
    """The model's cache holds as long as the prompt only grows at its end."""
    turns = [turn(f"Question {number} " + "word " * 30, "Answer. " * 20) for number in range(60)]
    first_kept = [messages_for(request("Now?", *turns[:count]), 1536, 128)[1]["content"] for count in range(1, 60)]
    changes = sum(a != b for a, b in pairwise(first_kept))
    assert 0 < changes <= 60 / DROP_TURNS


def test_the_oldest_half_goes_first_until_nothing_is_left() -> None:
    messages = messages_for(request("Now?", *[turn(f"Q{number}") for number in range(5)]), 4096, 64)
    counts = []
    kept = messages
    while kept is not None:
        counts.append((len(kept) - 2) // 2)
        assert kept[0] == messages[0] and kept[-1] == messages[-1]
        kept = without_oldest(kept)
    assert counts == [5, 2, 1, 0]


@given(st.lists(st.text(max_size=300), max_size=30))
def test_sentences_lose_nothing_but_a_stump_at_the_end(pieces: list[str]) -> None:
    sentences = Sentences()
    out = "".join([*(sentences.feed(piece) for piece in pieces), sentences.finish()])
    whole = "".join(pieces)
    assert whole.startswith(out)
    assert out.strip() or not whole.strip()


def test_of_the_first_sentence_each_clause_is_given_out() -> None:
    sentences = Sentences()
    told = [
        sentences.feed(piece) for piece in ("Well, the ", "weather looks fine, ", "though ", "not, ", "now. A, ", "B")
    ]
    assert told == ["", "Well, the weather looks fine, ", "", "though not, ", "now. ", ""]
    assert sentences.finish() == ""


def test_a_first_sentence_that_never_ends_is_given_out_whole() -> None:
    sentences = Sentences()
    told = [sentences.feed(piece) for piece in ("The weather looks fine today, ", "though I")]
    assert told == ["The weather looks fine today, ", ""] and sentences.finish() == "though I"


def test_a_sentence_is_given_out_as_soon_as_it_ends() -> None:
    sentences = Sentences()
    assert [sentences.feed(piece) for piece in ("Hel", "lo.", " How", ' are "you?" ', "Wel")] == [
        "", "", "Hello. ", 'How are "you?" ', "",
    ]  # fmt: skip
    assert sentences.finish() == ""
