"""The sentences that change timers which run. Patterns are as in `rules`. They are tried
before the timers' own, which would take some for names."""

from __future__ import annotations

import re

from jarvis.assistant.grammar.rules import IN_ROOM, MINE, NAME, Rule


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

ROOM: tuple[Rule, ...] = (TIMER_ADD, TIMER_TAKE, TIMER_PAUSE, TIMER_RESUME)
