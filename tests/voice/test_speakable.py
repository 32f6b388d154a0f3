"""What a voice says of written text."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.voice.speaking.numbers import cardinal, decade, digits, fraction, ordinal, words, year
from jarvis.voice.speaking.speakable import speakable

MARKUP = {
    "**Bold** and _soft_ and `code`.": "Bold and soft and code.",
    "***Both*** and ~~gone~~ and __strong__": "Both and gone and strong",
    "See [the page](https://a.example/x_(y)?z=1).": "See the page.",
    'An ![image](pic.png "title") here': "An image here",
    "Go to https://a.example/path?q=1.": "Go to a link.",
    "Go to <https://a.example/path>!": "Go to a link!",
    "As [1] says[2] and[^3].": "As says and.",
    "# Title": "Title",
    "### Title ###": "Title",
    "- an item": "an item",
    "- [ ] buy milk": "buy milk",
    "> a quotation": "a quotation",
    "1. Salt": "1. Salt",
    "* * *": "",
    "| a | b |": "a, b.",
    "|---|:-:|": "",
    "Line<br>break and <b>bold</b>": "Line break and bold",
    "salt &amp; pepper&nbsp;mill": "salt and pepper mill",
    r"5 \* 3 and \_no\_": "5 times 3 and no",
    "Use `ls -la` now": "Use ls -la now",
    "Done! 🎉✅": "Done!",
    ":) Hello :-( there <3": "Hello there",
    "Wow!!! Really?!?": "Wow! Really?",
    "A -> B → C": "A to B to C",
    "word—word and a – b": "word, word and a, b",
    "snake_case stays": "snake_case stays",
    "🎉 *** ---": "",
    "": "",
}
WORDS = {
    "Dr. Smith and Mrs. Jones": "Doctor Smith and Missus Jones",
    "He lives on Main St. in town": "He lives on Main Street in town",
    "St. Mary is near": "Saint Mary is near",
    "fruit, e.g. apples, i.e. food, etc.": "fruit, for example apples, that is food, et cetera.",
    "bread, milk, etc. And more": "bread, milk, et cetera. And more",
    "cats vs. dogs, w/o birds, w/ fish": "cats versus dogs, without birds, with fish",
    "No. 5, Fig. 3, p. 12": "number 5, figure 3, page 12",
    "She said no. Then left": "She said no. Then left",
    "salt & pepper, R&D, and/or": "salt and pepper, R and D, and or",
    "Write to jo.b@example.com or see example.org.": "Write to jo dot b at example dot com or see example dot org.",
    "Open main.py": "Open main dot py",
    "@anna likes #tea": "anna likes tea",
}
FORMS = {
    "It is 10:30.": "It is ten thirty.",
    "It is 7:05 pm.": "It is seven oh five PM.",
    "It's 5:30 PM.": "It's five thirty PM.",
    "At 7 p.m. we eat": "At seven PM we eat",
    "At 12:00.": "At twelve o'clock.",
    "At 14:00": "At fourteen hundred hours",
    "From 9:00-17:00": "From nine o'clock to seventeen hundred hours",
    "At 08:15:30": "At eight fifteen and thirty seconds",
    "Saturday, November 21, 2026.": "Saturday, November twenty-first, twenty twenty-six.",
    "Nov 5, 5 Dec 2024": "November fifth, fifth of December twenty twenty-four",
    "the 3rd of March": "the third of March",
    "2026-11-21": "November twenty-first, twenty twenty-six",
    "2026-11-21T08:15": "November twenty-first, twenty twenty-six at eight fifteen",
    "11/21/2026, 21/11/2026": "November twenty-first, twenty twenty-six, November twenty-first, twenty twenty-six",
    "3/4/2026": "3 slash 4 slash 2026",
    "Born in 1984.": "Born in nineteen eighty-four.",
    "In 1500 houses": "In 1500 houses",
    "the 1990s and '80s": "the nineteen nineties and eighties",
    "May I go? I may 5 times.": "May I go? I may 5 times.",
    "20 °C and -3°": "20 degrees Celsius and minus 3 degrees",
    "1 °F, 21.5°C": "1 degree Fahrenheit, 21.5 degrees Celsius",
    "5 km in 10 min, 1 kg": "5 kilometres in 10 minutes, 1 kilogram",
    "3 ft. 6 in. tall, 5'11\"": "3 feet 6 inches tall, 5 foot 11",
    "90 km/h, 10 m/s": "90 kilometres per hour, 10 metres per second",
    "2 m², 1 MB/s": "2 square metres, 1 megabyte per second",
    "5G, 4K, 10 W, 2.4 GHz": "5G, 4K, 10 watts, 2.4 gigahertz",
    "a 10-km run, 20-25 kg": "a 10 kilometre run, 20 to 25 kilograms",
    "I'm 5 months in": "I'm 5 months in",
    "50% of $3.50": "50 percent of 3 dollars and 50 cents",
    "$1, $0.99, -$5, €20, 20 €": "1 dollar, 99 cents, minus 5 dollars, 20 euros, 20 euros",
    "$1.5 million, $10k, £5.20": "1.5 million dollars, 10 thousand dollars, 5 pounds and 20 p",
    "20 CHF, USD 3": "20 Swiss francs, 3 US dollars",
    "Call 555-1234": "Call five five five, one two three four",
    "(555) 123-4567": "five five five, one two three, four five six seven",
    "+49 30 123456": "plus four nine, three zero, one two three four five six",
    "v1.2.3 or Version 3.11": "version 1 point 2 point 3 or version 3 point 11",
    "192.168.1.10": "192 dot 168 dot 1 dot 10",
    "1½ cups, 3/4 tsp": "1 and a half cups, three quarters of a teaspoon",
    "10/10 and 22/7": "10 out of 10 and 22 over 7",
    "3*4=12": "3 times 4 equals 12",
    "2 + 2 = 4, 6 ÷ 3, 3 × 4, 5 - 3": "2 plus 2 equals 4, 6 divided by 3, 3 times 4, 5 minus 3",
    "x² + y²": "x squared plus y squared",
    "pages 5-10, 3–2": "pages 5 to 10, 3 to 2",
    "16:9, 24/7": "16 to 9, twenty-four seven",
    "-5 degrees": "minus 5 degrees",
    "≥ 5, ≈ 3, ~10": "at least 5, about 3, about 10",
    "#1, § 5": "number 1, section 5",
    "COVID-19, B-52, iPhone 15, 1,234,567": "COVID-19, B-52, iPhone 15, 1,234,567",
}


@pytest.mark.parametrize(("written", "said"), [*MARKUP.items(), *WORDS.items(), *FORMS.items()])
def test_what_is_said(written: str, said: str) -> None:
    assert speakable(written) == said


@pytest.mark.parametrize("written", [*WORDS, *FORMS])
def test_what_is_said_is_said_the_same_within_a_sentence(written: str) -> None:
    said = speakable(written)
    within = speakable(f"He thinks that {written.rstrip('.')}, and so on")
    assert said.rstrip(".").removesuffix("et cetera") in within


@pytest.mark.parametrize("said", [*WORDS.values(), *FORMS.values()])
def test_what_is_said_is_not_changed_again(said: str) -> None:
    assert speakable(said) == said


@given(st.text(max_size=400))
def test_no_markup_is_left_of_anything(text: str) -> None:
    said = speakable(text)
    assert not re.search(r"\*|```|https?://[a-z]|\s\s|[\x00-\x1f]", said)
    assert not said or any(map(str.isalnum, said))


PIECES = st.sampled_from(
    words("10 5:30 1,000 $ € % ° -3 1/2 km ( ) [ ] * ` _ : / . , - + = x 2026 Nov 21 am no. e.g. www. a@b.com # |")
)


@given(st.lists(PIECES, max_size=40), st.sampled_from(["", " ", ". "]))
def test_figures_in_any_order_are_said_somehow(pieces: list[str], between: str) -> None:
    said = speakable(between.join(pieces))
    assert not re.search(r"\*|`", said) and len(said) < 4_000


@pytest.mark.parametrize(
    "unit", [*"*_`[(<|-.:/ 1a@$#\n", "1.", "1-", "1/", "a.", "a@", "1:00 ", "2026-", "[a](", "<a "]
)
def test_no_text_takes_long(unit: str) -> None:
    """Rules with a bad case would stop the node: a reply is read on its event loop."""
    began = time.process_time()
    for text in (unit * 4_000, f"a{unit}" * 2_000, f"1{unit}2 " * 1_000):
        speakable(text[:4_000] + "x")
    assert time.process_time() - began < 1.0


def test_numbers_in_words() -> None:
    assert [cardinal(n) for n in (0, 9, 19, 20, 59, 100, 115, 1_001, 12_345, 2_000_005, -3)] == [
        "zero", "nine", "nineteen", "twenty", "fifty-nine", "one hundred", "one hundred fifteen", "one thousand one",
        "twelve thousand three hundred forty-five", "two million five", "minus three",
    ]  # fmt: skip
    assert [ordinal(n) for n in (1, 2, 3, 5, 8, 9, 12, 20, 21, 30, 31, 112)] == [
        "first", "second", "third", "fifth", "eighth", "ninth", "twelfth", "twentieth", "twenty-first", "thirtieth",
        "thirty-first", "one hundred twelfth",
    ]  # fmt: skip
    assert [year(n) for n in (1066, 1900, 1905, 1984, 2000, 2006, 2010, 2026)] == [
        "one thousand sixty-six", "nineteen hundred", "nineteen oh five", "nineteen eighty-four", "two thousand",
        "two thousand six", "twenty ten", "twenty twenty-six",
    ]  # fmt: skip
    assert (decade(1980), decade(80), decade(2000)) == ("nineteen eighties", "eighties", "two thousands")
    assert (fraction(1, 2), fraction(3, 4), fraction(1, 8)) == ("a half", "three quarters", "an eighth")
    assert digits("+1 (07)") == "one zero seven"
    assert cardinal(10**16).split()[:2] == ["one", "zero"]
