"""What a language model is given to read, and how its stream is cut."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jarvis.assistant.language.prompt import DROP_TURNS, SUMMARY_ASKS, messages_for, without_oldest
from jarvis.assistant.language.sentences import Sentences
from jarvis.assistant.language.tokens import LEAST_FACTOR, MOST_FACTOR, REMEMBERED, TokenScale, estimated_tokens
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


@given(
    st.lists(st.text(min_size=1, max_size=900), max_size=50),
    st.sampled_from([1024, 2048, 4096]),
    st.sampled_from([LEAST_FACTOR, 1.0, 1.7]),
)
def test_with_lines_about_older_turns_it_fits_too(texts: list[str], window: int, factor: float) -> None:
    messages = messages_for(request("Now?", *[turn(text, f"re {text}") for text in texts]), window, 128, factor=factor)
    assert factor * sum(map(estimated_tokens, messages)) <= window - 128
    roles = [message["role"] for message in messages[1:]]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]


def test_what_older_turns_were_about_is_told_in_a_line_each() -> None:
    turns = [turn(f"My {number}. cat is called Mia{number}. " + "word " * 60, "Nice. " * 60) for number in range(40)]
    messages = messages_for(request("Now?", *turns), 4096, 256)
    assert messages[1]["content"] == SUMMARY_ASKS
    lines = messages[2]["content"].splitlines()
    kept = (len(messages) - 4) // 2
    newest_told = len(turns) - kept - 1
    assert len(lines) > 3 and f"Mia{newest_told}." in lines[-1], "the newest of those that left are told"
    assert all(len(line) < 200 and line.startswith("You said: My ") for line in lines)
    assert messages[3]["content"].startswith(f"My {newest_told + 1}. cat"), "what follows is whole"
    few = messages_for(request("Now?", *turns[:3]), 4096, 256)
    assert few[1]["content"].startswith("My 0. cat"), "nothing is told twice"
    small = messages_for(request("Now?", *turns), 1024, 96)
    assert small[1]["content"] != SUMMARY_ASKS, "a small window is for the last turns"


def test_the_lines_change_only_when_turns_leave() -> None:
    turns = [turn(f"Question {number} " + "word " * 60, "Answer. " * 30) for number in range(50)]
    heads = [messages_for(request("Now?", *turns[:count]), 2048, 128)[1:3] for count in range(1, 50)]
    assert sum(a != b for a, b in pairwise(heads)) <= 50 / DROP_TURNS


def test_a_models_own_counts_correct_the_estimate() -> None:
    scale = TokenScale()
    assert scale.factor == 1.0
    scale.learn(1_000, 700)
    assert 0.7 < scale.factor <= 0.8, "it counts fewer: more of the conversation fits"
    scale.learn(1_000, 1_500)
    assert 1.5 < scale.factor <= 1.6, "the least favourable count decides"
    for _ in range(REMEMBERED):
        scale.learn(1_000, 1)
    assert scale.factor == LEAST_FACTOR
    scale.learn(1_000, 99_000)
    assert scale.factor == MOST_FACTOR
    before = TokenScale()
    before.learn(20, 90)  # all template
    assert before.factor == 1.0


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
