"""Which intent a text is, with its slots: whole sentences by templates and a small grammar, politeness taken off first.
Deterministic and anchored at both ends: what does not fit entirely is free text and goes to a language model. Must
never raise on any text, and must stay fast: it also runs on half-recognised speech, to tell when a person is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from jarvis.assistant.grammar.rooms import ROOM
from jarvis.assistant.grammar.rules import DANGLING, DURATION, GRAMMAR, Rule
from jarvis.assistant.grammar.talk import TALK
from jarvis.assistant.templates.english import list_items
from jarvis.assistant.templates.graph import Heard
from jarvis.assistant.templates.understanding import Understanding, Understood, shipped
from jarvis.assistant.wording.durations import UNIT_WORDS, find_duration, is_number, parse_duration
from jarvis.assistant.wording.moments import when_at
from jarvis.assistant.wording.words import Word, joined, split, without_politeness

MAX_WORDS = 60
"""More words are free text, except a dictated note: the longest intent sentence has about twenty."""
MAX_NAME_WORDS = 4
"""A timer's name is "pasta" or "front door parcel"; only a reminder's is a sentence."""
_NO_NAMES = frozenset(
    "a an the my our your for new another that this about around roughly exactly".split()  # noqa: SIM905 - one line
)
_ASKS = frozenset("what who why when where which how is are can could do does did tell".split())  # noqa: SIM905
"""A sentence that begins so is nothing to put on a list."""
_NO_NAME_BEGINS = frozenset(["i", "we", "you", "to", "from", "on", "with", "of", "in", "at", "and", "or", "then"])
"""A name that begins so is the middle of a sentence that only looks like a timer."""


@dataclass(frozen=True, slots=True)
class Match:
    intent: str
    slots: dict[str, Any] = field(default_factory=dict)
    """`seconds`, `name`, `all` for timers; `at`, the fields of a Moment, for alarms; `text` to remember; `room` asked
    about; `day` of a date; `percent`, `far` for the volume."""
    missing: tuple[str, ...] = ()
    """Slots without which it cannot be done."""
    open_ended: bool = False
    """It ends in dictated words, so more may follow."""
    dangling: bool = False
    """A last word such as "and" or "for" was left out to make it fit."""
    confidence: float = 1.0
    """Below one where a word had to be another one to make it fit."""
    reply: str = ""
    """What to say, where the templates themselves answer."""

    @property
    def whole(self) -> bool:
        """Nothing more needs to be said."""
        return not (self.missing or self.open_ended or self.dangling) and self.confidence == 1.0


_RULES = (*TALK, *ROOM, *GRAMMAR)


def match_intent(text: str, assistant_name: str = "Jarvis", understanding: Understanding | None = None) -> Match | None:
    """The intent of `text`, or None for free text. `understanding` is of templates; ours alone when it is None."""
    words = without_politeness(split(text), assistant_name)
    if not words:
        return None
    templates = understanding or shipped()
    found = _match(words, text, templates)
    cut = list(words)
    while found is None and len(cut) > 1 and cut[-1].text in DANGLING and len(words) - len(cut) < 2:
        cut.pop()
        found = _match(cut, text, templates)
        if found is not None:
            found = replace(found, dangling=True)
    return found or _as_match(templates.guess(words, text))


def fill_missing(asked: Match, text: str) -> Match | None:
    """`asked` completed by the answer to "For how long?", "Which one?" or "What should I put on the list?"; None
    when `text` is something else."""
    words = without_politeness(split(text))
    while len(words) > 1 and words[0].text in ("for", "about", "make", "it", "the", "that", "my"):
        words = words[1:]
    texts = [word.text for word in words]
    if not texts:
        return None
    if asked.intent == "timer_set" and "seconds" in asked.missing:
        seconds = parse_duration(texts)
        if seconds is None:
            return None
        return Match("timer_set", {**asked.slots, "seconds": seconds})
    if asked.intent in ("remember", "announce") and "text" in asked.missing:
        return Match(asked.intent, {**asked.slots, "text": text.strip().rstrip(".!")})
    if asked.intent == "alarm_set" and "at" in asked.missing:
        seconds = parse_duration(texts[texts[0] == "in" :])
        if seconds is not None:
            return Match("timer_set", {**asked.slots, "seconds": seconds})
        when = when_at(texts, 0)
        if when is None or when[2] != len(texts):
            return None
        slots = {slot: value for slot, value in asked.slots.items() if slot != "day"}
        moment = when[0] if when[0].day or when[1] else replace(when[0], day=asked.slots.get("day"))
        every = {"every": list(when[1])} if when[1] else {}
        return Match("alarm_set", {**slots, "at": asdict(moment), **every})
    if asked.intent in ("list_add", "list_create") and "items" not in asked.slots:
        several = [] if texts[0] in _ASKS else list_items(Heard(text, words, tuple(texts)))
        return Match("list_add", {**asked.slots, "items": several}) if several else None
    if asked.intent in ("timer_add", "timer_take", "timer_pause", "timer_resume"):
        return _which(asked, texts)
    if asked.intent == "timer_cancel":
        if texts in (
            ["all"],
            ["both"],
            ["all", "of", "them"],
            ["both", "of", "them"],
            ["every", "one"],
            ["everything"],
        ):
            return Match("timer_cancel", {"all": True})
        kept = texts[:-1] if texts[-1] in ("timer", "one") else texts
        seconds = parse_duration(kept)
        if seconds is not None:
            return Match("timer_cancel", {"seconds": seconds})
        name = _name(" ".join(kept))
        return Match("timer_cancel", {"name": name}) if name else None
    return None


def _which(asked: Match, texts: Sequence[str]) -> Match | None:
    """`asked` of the timer that was meant."""
    kept = texts[:-1] if texts[-1] in ("timer", "one") else texts
    length = parse_duration(kept)
    if length is not None:
        return Match(asked.intent, {**asked.slots, "length": length})
    name = _name(" ".join(kept)) if len(kept) <= MAX_NAME_WORDS else ""
    return Match(asked.intent, {**asked.slots, "name": name}) if name else None


def _match(words: Sequence[Word], text: str, templates: Understanding) -> Match | None:
    """By templates, unless the rules know what a template would still have to ask for."""
    found = _as_match(templates.understand(words, text))
    if found is None or found.missing:
        ruled = _by_rules(words, text)
        found = ruled if ruled is not None and (found is None or not ruled.missing) else found
    return found


def _as_match(found: Understood | None) -> Match | None:
    if found is None:
        return None
    return Match(
        found.intent,
        found.slots,
        found.missing,
        found.open_ended,
        confidence=found.confidence,
        reply=found.reply,
    )


def _by_rules(words: Sequence[Word], text: str) -> Match | None:
    plain = joined(words)
    for rule in _RULES:
        if rule.dictates:
            if (found := _dictated(rule, words, text)) is not None:
                return found
        elif len(words) <= MAX_WORDS:
            found = _anywhere(rule, words) if rule.timer else _plain(rule, plain)
            if found is not None:
                return found
    return None


def _plain(rule: Rule, plain: str) -> Match | None:
    for pattern in rule.patterns:
        found = pattern.fullmatch(plain)
        if found is not None:
            slots = {name: value for name, value in found.groupdict().items() if value}
            return Match(rule.intent, slots)
    return None


def _dictated(rule: Rule, words: Sequence[Word], text: str) -> Match | None:
    """`remember that ...`: the rest is taken from the text as it was said, from where the pattern ended."""
    plain = joined(words)
    for pattern in rule.patterns:
        found = pattern.match(plain)
        if found is None:
            continue
        head = found.group().split()
        if len(head) == len(words):
            return Match(rule.intent, {}, missing=("text",))
        if words[len(head)].text in rule.not_before or (
            text.rstrip().endswith("?") and head[-1] not in ("that", "to", "note")
        ):
            return None
        kept = text[words[len(head)].start : words[-1].end].strip()
        return Match(rule.intent, {"text": kept}, open_ended=True) if kept else None
    return None


def _anywhere(rule: Rule, words: Sequence[Word]) -> Match | None:
    """A timer sentence that may end with a room's name."""
    texts = [word.text for word in words]
    found = _timer(rule, texts)
    at = len(texts) - 1 - texts[::-1].index("in") if "in" in texts else 0
    if found is None and rule.anywhere and 0 < at < len(texts) - 1:
        found = _timer(rule, texts[:at])
        if found is not None:
            room = " ".join(texts[at + 1 + (texts[at + 1] in ("the", "my", "our")) :])
            found = replace(found, slots={**found.slots, "room": room}) if room else None
    return found


def _timer(rule: Rule, words: Sequence[str]) -> Match | None:
    """Timer sentences: the length of time is found first and stands as one word in the patterns."""
    texts = list(words)
    slots: dict[str, Any] = {}
    found = find_duration(texts)
    if found is not None:
        slots["seconds"], start, end = found
        texts[start:end] = [DURATION]
    return _named(rule, texts, slots)


def _named(rule: Rule, texts: Sequence[str], slots: dict[str, Any]) -> Match | None:
    plain = " ".join(texts)
    for pattern in rule.patterns:
        fits = pattern.fullmatch(plain)
        if fits is None:
            continue
        named = [value for key, value in fits.groupdict().items() if value and key.startswith("name")]
        names = [name for name in map(_name, named) if name]
        if rule.name_words <= MAX_NAME_WORDS and any(name.split()[0] in _NO_NAME_BEGINS for name in names):
            continue
        if any(len(name.split()) > rule.name_words for name in names):
            continue
        if any(map(_is_length, named)):
            names = []  # "for ten": half a length of time, not a name
        if names:
            slots["name"] = names[0]
        if fits.groupdict().get("all"):
            slots["all"] = True
        if fits.groupdict().get("room"):
            slots["room"] = fits.groupdict()["room"]
        missing = tuple(slot for slot in rule.needs if slot not in slots)
        return Match(rule.intent, slots, missing, open_ended=rule.open_ended and bool(names))
    return None


def _name(text: str) -> str:
    """A timer's name without articles; empty for words that name nothing."""
    words = text.split()
    while words and words[0] in _NO_NAMES:
        words = words[1:]
    kept = " ".join(words)
    return "" if kept in ("", "me", "it", "us", "timer", "one", "please") else kept


def _is_length(text: str) -> bool:
    return any(is_number(word) or word in UNIT_WORDS for word in text.split())
