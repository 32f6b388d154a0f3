"""Which passages answer: fused by rank, diverse, honest when nothing fits, and quoted where the answer stands."""

from __future__ import annotations

import re

import hypothesis.strategies as st
from hypothesis import given, settings

from jarvis.knowledge.retrieval import STEM_CHARS, Passage, coverage, excerpt, fits, rank, words_of


def passage(name: str, words: float | None, meaning: float | None, *, text: str = "", document: str = "") -> Passage:
    return Passage(b"n" * 16, document or name, 0, "", text or name, words, meaning)


def named(ranked) -> list[str]:
    return [one.passage.text for one in ranked]


def test_a_passage_that_both_rankings_know_comes_before_the_first_of_one() -> None:
    both = passage("both", 1.0, 0.5)
    words, meaning = passage("words", 9.0, None), passage("meaning", None, 0.9)
    ranked = rank([words, meaning, both], 3)
    assert named(ranked)[0] == "both"
    assert 0 < ranked[2].score <= ranked[1].score < ranked[0].score < 1
    assert rank([passage("alone", 0.1, 0.1)], 1)[0].score == 1.0
    assert rank([passage("unknown", None, None)], 1) == []


def test_no_document_crowds_out_the_others_unless_there_is_none() -> None:
    long = [passage(f"long {at}", 100.0 - at, None, document="long") for at in range(9)]
    others = [passage("a", 2.0, None), passage("b", 1.0, None)]
    assert named(rank([*long, *others], 4)) == ["long 0", "long 1", "a", "b"]
    assert named(rank(long, 4)) == ["long 0", "long 1", "long 2", "long 3"]


def test_the_same_text_counts_once_whoever_holds_it() -> None:
    twins = [passage("one", 5.0, 0.5, text="same"), passage("two", 5.0, 0.5, text="same"), passage("b", 1.0, None)]
    assert named(rank(twins, 9)) == ["same", "b"]


@given(
    st.lists(st.tuples(st.one_of(st.none(), st.floats(0, 9)), st.one_of(st.none(), st.floats(-1, 1))), max_size=20),
    st.integers(1, 8),
)
@settings(max_examples=60, deadline=None)
def test_what_is_ranked_was_given_and_falls(scores, most) -> None:
    given_ = [passage(f"p{at}", *one, document=f"d{at % 3}") for at, one in enumerate(scores)]
    ranked = rank(given_, most)
    known = [one for one in given_ if one.words is not None or one.meaning is not None]
    assert len(ranked) == min(most, len(known))
    assert {one.passage.text for one in ranked} <= {one.text for one in known}
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)


_TEXTS = st.lists(
    st.tuples(
        st.sampled_from("don't cat scat uncafé Cats what's 220 Café o’neil x descaling Descale describe ß İ a".split()),  # noqa: SIM905
        st.sampled_from([" ", ", ", "_", "-", "\n", ". ", "' ", " '"]),
    ),
    max_size=12,
).map(lambda pairs: "".join(f"{word}{gap}" for word, gap in pairs))


@given(_TEXTS, _TEXTS)
@settings(max_examples=80, deadline=None)
def test_a_text_holds_the_words_that_it_falls_into(text, question) -> None:
    words = words_of(question)
    there = {word.casefold()[:STEM_CHARS] for word in words_of_text(text)}
    plainly = sum(word[:STEM_CHARS] in there for word in words) / max(len(words), 1)
    assert coverage(words, text) == plainly


def words_of_text(text: str) -> list[str]:
    return re.findall(r"[^\W_]+(?:['’][^\W_]+)?", text)


def test_words_that_tell_nothing_are_not_looked_for() -> None:
    assert words_of("What does the manual say about descaling?") == ["manual", "descaling"]
    assert words_of("Who is it?") == ["who", "is", "it"], "else nothing would be left"
    assert words_of("café CAFÉ don't 220°C") == ["café", "don't", "220", "c"]
    assert words_of("?!") == []
    assert len(words_of(" ".join(f"w{at}" for at in range(99)))) == 32


def test_the_best_of_a_library_may_still_be_nothing() -> None:
    descale = "Descale the boiler every autumn with citric acid."
    assert fits("how do i descale the boiler", passage("", 3.0, 0.62, text=descale))
    assert not fits("who won the football match", passage("", None, 0.08, text=descale))
    assert fits("descaling boiler", passage("", 3.0, None, text=descale)), "by its words alone"
    assert not fits("boiler guarantee expiry", passage("", 3.0, None, text=descale))
    assert coverage([], descale) == 0.0


def test_in_a_large_library_something_is_always_near() -> None:
    """What shares no word with a question has to be nearer than what shares some, and that nearer than what has all."""
    text = "Descale the boiler every autumn with citric acid."
    for question, among, enough in (
        ("remove limescale", 1, 0.33),
        ("remove limescale", 10_000, 0.49),
        ("boiler guarantee", 10_000, 0.3),
        ("descaling boiler", 10_000, 0.175),
    ):
        assert fits(question, passage("", 3.0, enough, text=text), among=among)
        assert not fits(question, passage("", 3.0, enough - 0.01, text=text), among=among)
    assert not fits("descale boiler guarantee", passage("", 3.0, None, text=text), compared=True), "it is not near"
    assert fits("descale boiler guarantee", passage("", 3.0, None, text=text)), "nobody looked whether it is"
    assert fits("descale boiler", passage("", 3.0, None, text=text), compared=True), "its vector may not be there yet"


def test_an_excerpt_is_where_the_words_stand() -> None:
    text = "Press the green button. Wait. Descale it with citric acid every autumn. Then rinse it twice! Call us."
    assert excerpt("when do I descale it", text, 60) == "Descale it with citric acid every autumn."
    assert excerpt("who cleans the windows", text, 30) == "Press the green button. Wait.", "else from the beginning"
    assert excerpt("citric", text, 999) == text[text.index("Descale") :], "what follows belongs to it"
    assert excerpt("anything", "", 60) == ""
    long = excerpt("x", "word " * 50, 30)
    assert len(long) <= 31 and long.endswith("…")


def test_what_a_document_is_about_comes_before_what_it_only_mentions() -> None:
    about = [passage(f"about {at}", 5.0 - at, None, document="about") for at in range(3)]
    mentions = passage("mentions", 5.5, None)
    assert named(rank([mentions, *about], 1)) == ["about 0"]
    assert named(rank([mentions, about[0]], 2)) == ["mentions", "about 0"]
    long = [passage(f"long {at}", None, 0.3 - at / 1000, document="long") for at in range(40)]
    near = [passage(f"near {at}", None, 0.9 - at / 1000) for at in range(9)]
    assert named(rank([*long, *near], 2)) == ["near 0", "near 1"], "not for being long"
