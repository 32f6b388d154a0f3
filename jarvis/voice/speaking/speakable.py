"""Text as it is written into text as it is said: no markdown, links or emoji; abbreviations in full, figures as people
say them (`spoken_forms`).

Pure text work, English. It never adds a fact and never drops one, except the code and addresses nobody can listen to.
"""

from __future__ import annotations

import re

from jarvis.voice.speaking.spoken_forms import FORMS, Replace

_EMOJI = "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3\U000e0000-\U000e007f\ue000-\uf8ff]+"
_FACES = r"(?<![\w)])[:;=8xX]['’]?-?[)(DPpOo/|\\\]\[](?!\w)|<3(?!\d)"
_TITLES = {
    "Dr": "Doctor", "Mr": "Mister", "Mrs": "Missus", "Prof": "Professor", "Sgt": "Sergeant", "Capt": "Captain",
    "Lt": "Lieutenant", "Gen": "General", "Col": "Colonel", "Rev": "Reverend", "Mt": "Mount", "St": "Saint",
}  # fmt: skip
_SHORT = {
    "e.g": "for example", "i.e": "that is", "etc": "et cetera", "vs": "versus", "approx": "approximately",
    "ca": "about", "incl": "including", "dept": "department", "est": "established", "cf": "compare",
    "et al": "and others", "a.k.a": "also known as",
}  # fmt: skip
_STREETS = {"St": "Street", "Ave": "Avenue", "Rd": "Road", "Blvd": "Boulevard", "Ln": "Lane", "Sq": "Square"}
_COUNTED = {
    "No": "number", "no": "number", "Nr": "number", "№": "number", "p": "page", "pp": "pages", "Fig": "figure",
    "fig": "figure", "ch": "chapter", "Ch": "chapter", "vol": "volume", "Vol": "volume", "Sec": "section",
}  # fmt: skip
_ENTITIES = {"amp": " and ", "nbsp": " ", "lt": " less than ", "gt": " more than ", "quot": '"', "apos": "'"}


def _any(table: dict[str, str]) -> str:
    return "|".join(sorted(map(re.escape, table), key=len, reverse=True))


def _row(match: re.Match[str]) -> str:
    cells = [cell.strip() for cell in match[0].strip().strip("|").split("|")]
    said = ", ".join(cell for cell in cells if cell)
    return "" if re.fullmatch(r"[\s:,-]*", said) else f"{said}."


def _short(match: re.Match[str]) -> str:
    """Its full stop may end a sentence too."""
    said = _SHORT[match["short"].lower()]
    return f"{said}." if match["short"].lower() in ("etc", "et al") and match["end"] is not None else said


def _mail(match: re.Match[str]) -> str:
    return re.sub(r"\.", " dot ", match[0]).replace("@", " at ").replace("_", " underscore ")


def _domain(match: re.Match[str]) -> str:
    return match[0].replace(".", " dot ")


_MARKUP: tuple[tuple[str, Replace], ...] = (
    (r"(?s)```.*?(?:```|$)", " "),
    (r"</?[A-Za-z!][\w-]*(?:\s[^<>\n]{0,200})?/?>", " "),
    (r"<(?=https?://)|(?<=\w)>(?=[\s.,;:!?]|$)", " "),
    (rf"&({_any(_ENTITIES)});", lambda match: _ENTITIES[match[1]]),
    (r"!?\[([^\[\]\n]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?:\s\"[^\"\n]*\")?\)", r"\1"),
    (r"\[\^?\d{1,3}\](?!\()", ""),
    (r"\[([^\[\]\n]+)\]\[[^\[\]\n]*\]", r"\1"),
    (r"(?i)\b(?:https?://|www\.)\S*[^\s.,;:!?)\]*_]", "a link"),
    (r"(?m)^[ \t]*\|.*\|[ \t]*$", _row),
    (r"(?m)^\s{0,3}(?:[-*_]\s*){3,}$", ""),
    (r"(?m)^\s{0,3}(?:>\s?)*(?:#{1,6}\s+|[-*+•‣◦]\s+)?(?:\[[ xX]\]\s+)?", ""),
    (r"(?m)\s+#{1,6}\s*$", ""),
    (r"\\([\\`*_{}\[\]()#+.!$-])", r"\1"),
    (r"(?<=\d)\s?\*\s?(?=\d)", " times "),
    (r"`([^`\n]*)`", r"\1"),
    (r"\*+|(?<!\w)_+|_+(?!\w)|~~|`+", ""),
    (_EMOJI, " "),
    (_FACES, " "),
    (r"\s?(?:->|=>|→|⇒|➔)\s?", " to "),
    (r"[←-⇿©®™†‡•‣◦]", " "),
)  # fmt: skip
_WORDS: tuple[tuple[str, Replace], ...] = (
    (r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", _mail),
    (r"(?<![\w@./-])(?:[\w-]+\.)+(?:com|org|net|edu|gov|io|dev|ai|de|uk|eu|local)\b(?!\.?\w)", _domain),
    (rf"(?<=[a-z]\s)(?P<st>{_any(_STREETS)})\b\.(?=\s+[a-z]|[,;])", lambda match: _STREETS[match["st"]]),
    (r"(?<=[a-z]\s)(?P<st>Ave|Rd|Blvd|Ln)\b(?P<end>\.?)", lambda match: _STREETS[match["st"]] + match["end"]),
    (rf"\b(?P<title>{_any(_TITLES)})\.?\s(?=[A-Z])", lambda match: f"{_TITLES[match['title']]} "),
    (rf"(?<![\w.])(?P<what>{_any(_COUNTED)})\.\s?(?=\d)", lambda match: f"{_COUNTED[match['what']]} "),
    (rf"(?i)(?<![\w.])(?P<short>{_any(_SHORT)})\b(?!/)(?:\.(?P<end>(?=\s*$|\s+[A-Z]))?)", _short),
    (r"(?<=[\w-])\.(?=(?:py|txt|md|json|js|ts|csv|pdf|jpg|png|wav|mp3|html|xml|yaml|toml|sh|exe|zip)\b)", " dot "),
    (r"\b[Tt]el\.\s?(?=[+\d(])", "telephone "),
    (r"(?<!\w)w/o(?=\s)", "without"),
    (r"(?<!\w)w/(?=\s?\w)", "with "),
    (r"(?<=\w)\s?&\s?(?=\w)", " and "),
    (r"\band/or\b", "and or"),
    (r"(?<!\w)[@#](?=[A-Za-z])", ""),
)  # fmt: skip
_TIDY: tuple[tuple[str, Replace], ...] = (
    (r"\s[-–—]{1,3}\s|\s?—\s?", ", "),
    (r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\ufeff\ufffd|]", " "),
    (r"([!?])[!?]*\1[!?]*", r"\1"),
    (r"\.{4,}", "..."),
    (r"\(\s*\)|\[\s*\]|\{\s*\}", " "),
    (r"\s+", " "),
    (r"\s+([.,;:!?])", r"\1"),
    (r",(?:\s*,)+", ","),
)  # fmt: skip
_RULES = tuple((re.compile(pattern), replace) for pattern, replace in (*_MARKUP, *_WORDS, *FORMS, *_TIDY))


def speakable(text: str) -> str:
    """One sentence, or a few, as a voice should say it; "" when nothing of it can be said."""
    for pattern, replace in _RULES:
        text = pattern.sub(replace, text)
    text = text.strip().lstrip(",;: ")
    return text if any(map(str.isalnum, text)) else ""
