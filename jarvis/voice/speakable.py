"""Text as it is written into text as it is said: no markdown, links or emoji, times and units as words; and the cut
into sentences while the rest is still being written.

Pure text work, English. It never adds a fact and never drops one, except the code and addresses nobody can listen to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

CLAUSE_CHARACTERS = 80
"""A voice model gives no sound before the sentence's end: longer ones are cut where one would breathe."""
FIRST_CLAUSE_CHARACTERS = 40
"""The first is cut earlier: somebody is waiting for it."""
MAX_CHARACTERS = 200
"""Cut at any space, for text without punctuation."""
_BUFFER_CHARACTERS = 4_000
"""Text without any space, such as a data address, is dropped beyond this."""

_Replace = str | Callable[[re.Match[str]], str]


def _words(text: str) -> list[str]:
    return text.split()


_ONES = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty")

_UNITS = {
    "km/h": "kilometres per hour", "mph": "miles per hour", "m/s": "metres per second",
    "km": "kilometres", "cm": "centimetres", "mm": "millimetres", "m": "metres",
    "kg": "kilograms", "g": "grams", "mg": "milligrams", "l": "litres", "ml": "millilitres",
    "min": "minutes", "mins": "minutes", "h": "hours", "hrs": "hours", "hr": "hours", "s": "seconds", "sec": "seconds",
    "secs": "seconds", "ms": "milliseconds",
    "kb": "kilobytes", "mb": "megabytes", "gb": "gigabytes", "tb": "terabytes",
    "kwh": "kilowatt hours", "kw": "kilowatts", "w": "watts",
}  # fmt: skip
_MONEY = {"$": "dollars", "€": "euros", "£": "pounds"}


def under_sixty(number: int) -> str:
    """0 to 59 in words. Raises IndexError beyond."""
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")


def _time(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    half = f" {match['half'][0].upper()} M" if match["half"] else ""
    said = under_sixty(hour)
    if minute == 0:
        return said + (half or (" o'clock" if 1 <= hour <= 12 else " hundred hours"))
    return f"{said} {'oh ' if minute < 10 else ''}{under_sixty(minute)}{half}"


def _unit(match: re.Match[str]) -> str:
    word = _UNITS[match["unit"].lower()]
    if match["number"] == "1":
        word = re.sub(r"s\b", "", word, count=1)
    return f"{match['number']} {word}"


def _degrees(match: re.Match[str]) -> str:
    scale = {"C": " Celsius", "F": " Fahrenheit"}.get(match["scale"] or "", "")
    minus = "minus " if match["sign"] else ""
    return f"{minus}{match['number']} degree{'' if match['number'] == '1' else 's'}{scale}"


def _money(match: re.Match[str]) -> str:
    return f"{match['number']} {_MONEY[match['sign']]}"


_NUMBER = r"(?P<number>\d+(?:[.,]\d+)*)"
_CLOCK = r"\b(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?::[0-5]\d)?"
_UNIT_NAMES = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_EMOJI = "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2190-\u21ff\ufe0f\u200d\U000e0000-\U000e007f]+"

_RULES: tuple[tuple[re.Pattern[str], _Replace], ...] = tuple(
    (re.compile(pattern), replace)
    for pattern, replace in (
        (r"(?s)```.*?(?:```|$)", " "),
        (r"<[^<>\n]{1,200}>", " "),
        (r"!?\[([^\[\]\n]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*\)", r"\1"),
        (r"\b(?:https?://|www\.)\S+[^\s.,;:!?)]", "a link"),
        (r"(?m)^\s{0,3}(?:#{1,6}|>|[-*+•])\s+", ""),
        (r"(?m)^\s*(?:[-*_]\s*){3,}$", ""),
        (r"`([^`\n]*)`", r"\1"),
        (r"\*+|(?<!\w)_+|_+(?!\w)|~~", ""),
        (_EMOJI, " "),
        (rf"{_CLOCK}(?:\s*(?P<half>[AaPp])\.?\s?[Mm]\b(?:\.(?=\s*\S))?)?", _time),
        (rf"(?P<sign>[-−]?)(?<!\d){_NUMBER}\s*°\s*(?P<scale>[CF]?)\b", _degrees),
        (rf"(?P<sign>[-−]?)(?<!\d){_NUMBER}\s*°(?P<scale>)", _degrees),
        (rf"(?P<sign>[$€£])\s?{_NUMBER}", _money),
        (rf"\b{_NUMBER}\s?(?P<unit>{_UNIT_NAMES})(?![\w'/])", _unit),
        (rf"{_NUMBER}\s?%", r"\g<number> percent"),
        (r"\s&\s", " and "),
        (r"\s[-–—]{1,3}\s", ", "),
        (r"[\u0000-\u0008\u000b-\u001f\u007f\ufffd|]", " "),
        (r"\s+", " "),
        (r"\s+([.,;:!?])", r"\1"),
    )
)  # fmt: skip


def speakable(text: str) -> str:
    """One sentence, or a few, as a voice should say it; "" when nothing of it can be said."""
    for pattern, replace in _RULES:
        text = pattern.sub(replace, text)
    text = text.strip()
    return text if any(map(str.isalnum, text)) else ""


_ABBREVIATIONS = frozenset(
    _words(
        "dr mr mrs ms prof st sr jr rev gen col capt lt sgt mt vs no fig approx dept est inc ltd co corp e.g i.e cf al "
        "jan feb mar apr jun jul aug sep sept oct nov dec a.m p.m"
    )
)
_END = re.compile(r"[.!?…]+[\"'”’)\]*_]*(?=\s)|\n")
_CLAUSE = re.compile(r"[,;:][\"'”’)]*\s|\s[-–—]\s|\s(?=(?:and|but|or|because|so|which|while|when)\s)")


class Sentences:
    """Takes text in pieces of any size and gives sentences as soon as they are whole."""

    def __init__(self) -> None:
        self._buffer = ""
        self._in_code = False
        self._first = True

    def feed(self, piece: str) -> Iterator[str]:
        """Speakable sentences this piece completes."""
        self._buffer += piece
        yield from self._take(final=False)

    def flush(self) -> Iterator[str]:
        """What is left, at the end of the text."""
        yield from self._take(final=True)

    def _take(self, final: bool) -> Iterator[str]:
        while (cut := self._cut(final)) is not None:
            said = speakable(cut)
            if said:
                yield from _clauses(said, FIRST_CLAUSE_CHARACTERS if self._first else CLAUSE_CHARACTERS)
                self._first = False

    def _cut(self, final: bool) -> str | None:
        """The next sentence as written; None when more text is needed."""
        fence = self._buffer.find("```")
        if self._in_code:
            self._buffer = self._buffer[fence + 3 :] if fence >= 0 else self._buffer[-2:]
            self._in_code = fence < 0
            return None if self._in_code or not self._buffer else self._cut(final)
        end = _sentence_end(self._buffer if fence < 0 else self._buffer[:fence] + "\n")
        if end is None and fence >= 0:
            end = fence
        if end is not None and 0 <= fence <= end:
            cut, self._buffer, self._in_code = self._buffer[:fence], self._buffer[fence + 3 :], True
            return cut
        if end is None and len(self._buffer) > MAX_CHARACTERS:
            end = self._buffer.rfind(" ", 0, MAX_CHARACTERS)
            if end <= 0:
                end = None
                self._buffer = self._buffer[-_BUFFER_CHARACTERS:]
        if end is None and final and self._buffer:
            end = len(self._buffer)
        if end is None:
            return None
        cut, self._buffer = self._buffer[:end], self._buffer[end:].lstrip(" \t\r\n")
        return cut


def _sentence_end(text: str) -> int | None:
    for match in _END.finditer(text):
        if match[0] == "\n":
            if text[: match.start()].strip():
                return match.end()
        elif not _goes_on(text[: match.start()], match[0]):
            return match.end()
    return None


def _goes_on(before: str, mark: str) -> bool:
    """Whether this full stop belongs to an abbreviation, an initial or a list's number."""
    if not mark.startswith(".") or mark.startswith(".."):
        return False
    words = before.rsplit(None, 1)
    word = words[-1].lstrip("\"'“‘([*_").lower() if words else ""
    if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha() and word != "i"):
        return True
    return word.isdigit() and not before[: len(before) - len(word)].strip(" \t*_")


def _clauses(sentence: str, limit: int) -> Iterator[str]:
    """The sentence in parts of about `limit` characters, cut at clauses; never over MAX_CHARACTERS."""
    while len(sentence) > max(limit, CLAUSE_CHARACTERS):
        cuts = [match.end() for match in _CLAUSE.finditer(sentence) if 15 <= match.end() <= len(sentence) - 10]
        good = [cut for cut in cuts if cut <= limit] or cuts[:1]
        if good and good[-1] <= MAX_CHARACTERS:
            cut = good[-1]
        elif len(sentence) > MAX_CHARACTERS:
            cut = sentence.rfind(" ", 0, MAX_CHARACTERS)
            cut = cut if cut > 0 else MAX_CHARACTERS
        else:
            break
        yield sentence[:cut].strip()
        sentence, limit = sentence[cut:].strip(), CLAUSE_CHARACTERS
    if sentence:
        yield sentence
