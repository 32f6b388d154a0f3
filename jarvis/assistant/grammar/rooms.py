"""The sentences that change timers which run, and say how loud a room is. Patterns are as in `rules`. They are tried
before the timers' own, which would take some for names."""

from __future__ import annotations

import re

from jarvis.assistant.grammar.rules import IN_ROOM, MINE, NAME, Rule
from jarvis.assistant.wording.durations import NUMBER_WORDS


def _rule(intent: str, *patterns: str, **more: object) -> Rule:
    return Rule(intent, tuple(re.compile(pattern) for pattern in patterns), **more)  # type: ignore[arg-type]


_WHICH = rf"{MINE}(?:(?P<name1>{NAME}) )?(?:timer|alarm|countdown|reminder)|it|that"

TIMER_ADD = _rule(
    "timer_add",
    rf"add(?: (?:me|us|on|another|an extra|an additional|extra))* DUR(?: more| extra| longer)?"
    rf"(?: (?:to|on|onto|for) (?:{_WHICH}))?{IN_ROOM}",
    rf"(?:put|give) (?:another )?DUR(?: more| extra)? (?:to|on|onto) (?:{_WHICH}){IN_ROOM}",
    rf"give (?:{_WHICH}) (?:another )?DUR(?: more| extra)?{IN_ROOM}",
    rf"(?:extend|lengthen|prolong|increase|delay|postpone) (?:{_WHICH}) (?:by|for) (?:another )?DUR",
    rf"(?:make|let) (?:{_WHICH}) (?:run )?DUR (?:longer|more)",
    rf"snooze(?: (?:{_WHICH}))?(?: (?:for|by))?(?: another)? DUR",
    rf"snooze(?: (?:{_WHICH}))?",
    timer=True,
)
TIMER_TAKE = _rule(
    "timer_take",
    rf"(?:take|subtract|remove|deduct|cut|take away|take off)(?: away| off)? DUR (?:off|from|away from|off of|out of)"
    rf" (?:{_WHICH}){IN_ROOM}",
    rf"(?:shorten|reduce|decrease|cut) (?:{_WHICH}) by DUR",
    rf"make (?:{_WHICH}) DUR (?:shorter|less)",
    timer=True,
)
TIMER_PAUSE = _rule(
    "timer_pause",
    rf"(?:pause|hold|freeze|halt|suspend) {MINE}(?:(?P<name1>{NAME}) )?(?:timer|countdown){IN_ROOM}",
    timer=True,
)
TIMER_RESUME = _rule(
    "timer_resume",
    rf"(?:resume|continue|unpause|unfreeze|go on with) {MINE}(?:(?P<name1>{NAME}) )?(?:timer|countdown){IN_ROOM}",
    rf"let {MINE}(?:(?P<name1>{NAME}) )?timer (?:go on|run on|continue|run again)",
    timer=True,
)

_LOUDNESS = r"(?:the |your |this )?(?:volume|sound|loudness)(?: level)?"
_FAR = r"(?P<far> a lot| much| way)?(?: a bit| a little| a little bit| slightly| a tad)?"
_NUMBER = "|".join(sorted(NUMBER_WORDS))
_PERCENT = rf"(?P<percent>\d{{1,3}}|full|maximum|max|minimum|min|a hundred|(?:{_NUMBER})(?: (?:{_NUMBER}))?)"
VOLUME_SET = _rule(
    "volume_set",
    rf"(?:set|put|turn|change|make|bring) {_LOUDNESS}(?: up| down)? (?:to|at|on) {_PERCENT}(?: percent)?",
    rf"(?:turn|put|bring|set) (?:it|yourself)(?: up| down)? to {_PERCENT} percent",
    rf"{_LOUDNESS}(?: to| at)? {_PERCENT} percent",
    rf"{_LOUDNESS}(?: to| at)? (?P<percent>\d{{1,3}}|full|maximum|max|minimum|min)",
    r"(?P<percent>full|maximum|max) volume",
)
VOLUME_UP = _rule(
    "volume_up",
    rf"(?:turn|put|bring|crank) (?:it|that|yourself|{_LOUDNESS}) up{_FAR}",
    rf"(?:turn|put|bring|crank) up {_LOUDNESS}{_FAR}",
    rf"(?:increase|raise|boost) {_LOUDNESS}{_FAR}",
    rf"(?:make|turn) (?:it|that|yourself){_FAR} louder",
    rf"(?:{_LOUDNESS} up|louder|(?:speak|talk|be|get)(?: a bit| a little)? (?:up|louder)){_FAR}",
    r"(?:a bit|a little|much(?P<far>)) louder",
)
VOLUME_DOWN = _rule(
    "volume_down",
    rf"(?:turn|put|bring) (?:it|that|yourself|{_LOUDNESS}) down{_FAR}",
    rf"(?:turn|put|bring) down {_LOUDNESS}{_FAR}",
    rf"(?:decrease|lower|reduce) {_LOUDNESS}{_FAR}",
    rf"(?:make|turn) (?:it|that|yourself){_FAR} (?:quieter|softer)",
    rf"(?:{_LOUDNESS} down|quieter|softer|(?:speak|talk|be|get)(?: a bit| a little| more)? (?:quieter|softer|quietly|"
    rf"softly)){_FAR}",
    r"(?:a bit|a little|much(?P<far>)) (?:quieter|softer)",
    r"(?:not so|less|that is too|you are too|it is too) loud",
)
VOLUME_TELL = _rule(
    "volume_tell",
    rf"what is {_LOUDNESS}(?: set to| at| now)?",
    r"how loud (?:are you|is it|is the volume)",
)

ROOM: tuple[Rule, ...] = (
    TIMER_ADD, TIMER_TAKE, TIMER_PAUSE, TIMER_RESUME,
    VOLUME_SET, VOLUME_UP, VOLUME_DOWN, VOLUME_TELL,
)  # fmt: skip
