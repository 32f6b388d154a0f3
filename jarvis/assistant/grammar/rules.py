"""The sentences the assistant knows, as data: one rule for each way of asking, tried in order. Patterns see words
after `words.split` and `without_politeness`; in timer rules the length of time stands as DURATION. Each pattern must
fit a whole sentence, and none may nest one repetition in another, so that matching stays linear in practice."""

from __future__ import annotations

import re
from dataclasses import dataclass

DURATION = "DUR"
"""In capitals, which a folded word never has."""

DANGLING = frozenset(
    [
        "for",
        "to",
        "the",
        "and",
        "my",
        "a",
        "an",
        "of",
        "in",
        "on",
        "at",
        "with",
        "about",
        "another",
        "or",
        "that",
        "called",
        "named",
    ]
)
"""A sentence that ends in one of these is not over."""


@dataclass(frozen=True, slots=True)
class Rule:
    intent: str
    patterns: tuple[re.Pattern[str], ...]
    timer: bool = False
    """The patterns hold DURATION and timer names."""
    needs: tuple[str, ...] = ()
    """Slots without which it cannot be done."""
    dictates: bool = False
    """The pattern is the head; what follows is kept as it was said."""
    not_before: frozenset[str] = frozenset()
    """Words after the head that make it free text ("remember when ...")."""
    open_ended: bool = False
    """A name at the end may go on."""
    anywhere: bool = False
    """It may end with "in the kitchen"."""
    name_words: int = 4
    """A longer name is a sentence that only looks like this."""


def _rule(intent: str, *patterns: str, **more: object) -> Rule:
    return Rule(intent, tuple(re.compile(pattern) for pattern in patterns), **more)  # type: ignore[arg-type]


IN_ROOM = r"(?: in (?:the |my |our )?(?P<room>[\w' ]{1,40}))?"
MINE = r"(?:(?:the|my|our|your|a|an|any|all|all of|this|that|those|these|another|one more|new|other|of) )*"
NAME = r"[^A-Z]{1,60}?"
MAKE = (
    r"(?:(?:(?:set|sets|said|sat|setting|start|begin|create|make|run|add|put|give|get|have|need|want|like|use|do|"
    r"open|activate|i need|i want|i would like|let us have|let us set|can i have|can i get|could i have|i will have)"
    r"(?: (?:me|us|on|up|off|to set|to have|going))*) )"
)
_NOUN = r"(?:timer|reminder|timers|countdown|count down|alarm|time or|tima)"
CALLED = r"(?:for|called|named|labeled|labelled|with the name|to)"
_STOP = (
    r"(?:cancel|cancels|canceled|cancelled|council|counsel|stop|delete|remove|clear|end|kill|turn off|switch off|"
    r"shut off|dismiss|abort|drop|get rid of|cancel out|disable|unset)"
)

_TIMER_SET = _rule(
    "timer_set",
    # set an 8 minute pasta timer · pasta timer 8 minutes · set a timer for pasta for 8 minutes
    rf"{MAKE}?{MINE}(?:(?P<name1>{NAME}) )?DUR (?:(?P<name2>{NAME}) )?{_NOUN}(?: {CALLED} (?P<name3>{NAME}))?",
    rf"{MAKE}?{MINE}(?:(?P<name1>{NAME}) )?(?:{_NOUN}|time)(?: {CALLED} (?P<name2>{NAME}))?"
    rf"(?: (?:for|of|at|to|with|that is|that lasts|which lasts|that takes|lasting|in|on|or|from))* DUR"
    rf"(?: {CALLED} (?P<name3>{NAME}))?(?: from(?: now)?| long)?",
    r"(?:count ?down|countdown|time)(?: from| for)? DUR",
    rf"{MAKE}DUR on {MINE}(?:(?P<name1>{NAME}) )?{_NOUN}",
    timer=True,
    name_words=4,
)
_REMINDER = _rule(
    "timer_set",
    # A reminder is a timer that carries what to say; it may go on, so it is never whole.
    r"(?:remind me|wake me up|wake me|alert me|notify me|tell me|let me know)(?: again)? (?:in|after|when) DUR"
    r"(?: (?:are|is|have passed|has passed|are up|is up|are over|is over))?(?: (?:to|about|that|"
    r"for) (?P<name1>[^A-Z]{1,200}))?",
    r"(?:remind me|alert me|notify me|tell me) (?:to|about|that|of) (?P<name1>[^A-Z]{1,200}?) (?:in|after) DUR",
    r"(?:(?:set|make|create|add|give me) )?(?:a |me a )?reminder in DUR (?:to|about|for) (?P<name1>[^A-Z]{1,200})",
    r"(?:set|make|create|add|give me) (?:a |me a )?reminder (?:to|about|for) (?P<name1>[^A-Z]{1,200}?) in DUR",
    timer=True,
    open_ended=True,
    name_words=30,
)
_TIMER_ASKED = _rule(
    "timer_set",
    rf"{MAKE}{MINE}(?:(?P<name1>{NAME}) )?(?:timer|timers|countdown)(?: {CALLED} (?P<name2>{NAME}))?",
    r"(?:a |new |another )*timer",
    rf"(?:a |the )?timer for (?P<name1>{NAME})",
    timer=True,
    needs=("seconds",),
    name_words=3,
)
_TIMER_CANCEL = _rule(
    "timer_cancel",
    rf"{_STOP} (?P<all>all|every|all of|both|all of the|all the|all my|both of|the other)(?: (?:the|my|our|"
    rf"of))*(?: active| running)? timers?",
    rf"{_STOP} (?:the |my |our )?(?P<all>timers)",
    rf"{_STOP} {MINE}(?:(?P<name1>{NAME}) )?(?:DUR )?(?:(?P<name2>{NAME}) )?timer(?: (?:for|called|named|"
    rf"of)(?: the)?"
    rf"(?: (?P<name3>{NAME}))?(?: ?DUR)?)?",
    rf"(?:turn|switch|shut) {MINE}(?:(?P<name1>{NAME}) )?(?:DUR )?timer off",
    rf"(?:turn|switch|shut) (?:all )?{MINE}(?P<all>timers) off",
    rf"{_STOP} (?:the |my )?DUR one",
    r"i (?:do not|no longer) (?:need|want) (?:the |my |that )?(?:(?P<name1>[^A-Z]{1,40}) )?timer(?: any ?more|"
    r" any longer)?",
    timer=True,
    anywhere=True,
)
_LEFT = r"(?:left|remaining|remains|remain|to go|still left|left over)"
_HOW_LONG = (
    r"(?:tell me )?(?:how much time|how long|how much longer|how many minutes|how many seconds|how many hours|how much|"
    r"time)"
)
_TIMER_LIST = _rule(
    "timer_list",
    rf"(?:list|show|show me|read|read me|read out|tell me|tell me about|give me|check|check on|what are|where are|"
    rf"name|see|status of) {MINE}"
    r"(?:active |running |current |set )*timers?(?: status| left| running| are there| i have| that are running|"
    r" that are set| i set)?",
    r"(?:what|which|how many|any)(?: active| running)? timers?(?: (?:do i have|have i got|are there|are running|"
    r"are set|"
    r"are active|are on|are going|i have|did i set|have i set|is running|are left))?(?: running| set| active| going|"
    r" left| on)*",
    r"(?:do i have|have i got|are there|is there|did i set|have i set|do we have)(?: any| a| an)?(?: active|"
    r" running)? timers?"
    r"(?: running| set| on| active| going| left)*",
    rf"(?:is|are) {MINE}(?:(?P<name1>{NAME}) )?timers?(?: still)? (?:running|on|going|active|set|done|over|up|"
    rf"finished)(?: yet)?",
    rf"{_HOW_LONG}(?: do i have| have i got| do we have| is there| is it| is| are)?(?: still)? {_LEFT}"
    rf"(?: (?:on|for|in|of|until|with) {MINE}(?:(?P<name1>{NAME}) )?timers?)?",
    r"how much longer(?: is it| will it be| will it take| do i have)?",
    rf"(?:how long|how much longer|how many minutes) (?:on|for|until|till|before|does|has|"
    rf"will) {MINE}(?:(?P<name1>{NAME}) )?timers?"
    r"(?: (?:have|has|got|have left|has left|left|goes off|go off|rings|ring|is done|is up|is over|ends|run|take))*",
    rf"how much time (?:does|has|is on|is left on) {MINE}(?:(?P<name1>{NAME}) )?timers?(?: (?:have|got|left|"
    rf"have left|got left))?",
    rf"when (?:does|will|is|do) {MINE}(?:(?P<name1>{NAME}) )?timers?(?: going)?(?: to)?(?: be)? (?:go off|ring|end|"
    rf"finish|done|over|up|finished|expire)",
    rf"(?:how is|what about|how about|what is(?: left)? on|what is the status of|what is the time (?:left )?on)"
    rf" {MINE}(?:(?P<name1>{NAME}) )?timers?(?: doing)?(?: at)?",
    timer=True,
    anywhere=True,
)

_TELL = (
    r"(?:(?:tell me|give me|say|show me|do you know|you tell me|let me know|i want to know|i would like to know|"
    r"can i get|can i have|may i know|may i have|what about|how about) )?"
)
_TIME = _rule(
    "time",
    rf"{_TELL}(?:what|which|what is) times? (?:is it|do we have|it is|is this|do you have|have you got|is it here|"
    rf"is that)(?: (?:right )?now| here| currently| exactly| in here)*",
    rf"{_TELL}(?:(?:what is|what are) )?(?:the |a )?(?:current |exact |correct |local )?time(?: (?:right )?now| is it|"
    rf" it is| here| of day)*",
    r"(?:do you have|have you got|got|you got) the time",
    r"how late is it|what is the clock|what does the clock say",
)
_DATE = _rule(
    "date",
    rf"{_TELL}(?:what|which) (?:day|date|day of the week|weekday|day of the month) (?:is it|it is|is|was it|was|"
    rf"will it be|do we have|are we)"
    r"(?: (?P<day>today|tomorrow|yesterday))?(?: now| here)*",
    rf"{_TELL}(?:(?:what is|what was|what will be) )?(?P<day>today|tomorrow|yesterday)(?:'s)? ?(?:day|date|"
    rf"day of the week|day and date)?(?: date| day)?(?: be)?",
    rf"{_TELL}(?:(?:what is|what was|what will) )?the (?:day|date|day of the week|current date|"
    rf"current day)(?: (?:is it|it is|now))*"
    r"(?: be)?(?: (?P<day>today|tomorrow|yesterday))?",
    rf"{_TELL}(?:what|which) (?:month|year) (?:is it|it is|is this|are we in|do we have)(?: now)?",
    r"what is the (?:current )?(?:month|year)",
    r"date|date today|the date",
)
_ABLE = _rule(
    "what_can_you_do",
    r"(?:what|tell me what) (?:else )?(?:can|could|do) you (?:even |actually )?(?:do|help with|help me with|offer|"
    r"know how to do|understand)(?: for me| here)?",
    r"what (?:else )?(?:are you|is jarvis) (?:able to do|capable of|good for|good at)",
    r"what (?:else )?(?:can|could|should|may) i (?:say|ask|ask you|do|do with you|say to you|ask you to do|ask for|"
    r"ask you for)(?: here)?",
    r"what (?:are|is) your (?:skills|capabilities|abilities|features|commands|functions|skill)",
    r"(?:list|show|show me|tell me|tell me about) (?:your|all your|the|all) (?:skills|capabilities|abilities|features|"
    r"commands|functions)",
    r"how (?:can|could|do|will) you help(?: me| us)?",
    r"(?:tell|show) (?:me |us )?what (?:else )?you can do|what all can you do|"
    r"what (?:skills|capabilities|features|commands|functions) do you have",
    r"how (?:do|can) i use you|what commands do you (?:know|understand)|what do you know how to do",
    r"help|help me|i need help|i need some help",
)
_WHO = _rule(
    "who_are_you",
    r"who are you|what are you called|what is your name|tell me your name|who am i (?:talking|speaking) (?:to|with)|"
    r"do you have a name|which room (?:are you|is this|am i) in|what room (?:are you|is this|am i) in|"
    r"which room is this|what room is this",
)
_NEVER_MIND = _rule(
    "never_mind",
    r"never ?mind(?: (?:that|it|about (?:it|that)|then))?|(?:just )?forget (?:it|about it|that|about that|i asked|"
    r"i said anything)",
    r"cancel(?: (?:that|it|this))?|cancelled|dismiss|dismissed|ignore (?:that|it|me)|scratch that|nothing|no nothing|"
    r"no never ?mind|"
    r"not you|i was not talking to you|i did not mean you|do not bother|leave it|no forget it|it is nothing|"
    r"false alarm",
    r"(?:no )?(?:that is|that will be) (?:all|it|enough)(?: for (?:now|today))?|i am (?:done|good)|no thanks|"
    r"no thank you|no more|"
    r"no that is (?:all|it)|nothing else",
)
_STOPPED = _rule(
    "stop",
    r"(?:stop|no stop)(?: (?:stop|please|it|that|this|talking|speaking|there|playing|everything|reading|"
    r"already))*",
    r"(?:stop|turn off|switch off|silence|end|shut off) (?:the |that |this )?(?:alarm|noise|beeping|sound|"
    r"ring|playback|ringing(?: one| timer| alarm)?|(?:one|timer) that (?:is ringing|rings))|stop ringing",
    r"shut up|shut it|be quiet|be silent|quiet|silence|hush|shush|shh|enough|stop listening|go away|go to sleep|pause|"
    r"mute|"
    r"that is enough|that is quite enough|quit|zip it|stop making noise|do not say anything(?: more)?|no more talking",
)
_REPEAT = _rule(
    "repeat",
    r"(?:please )?repeat(?: (?:that|it|this|yourself|your answer|what you said|what you just said|the answer|"
    r"the last answer|"
    r"your last answer|the last thing you said|the last one))?(?: (?:again|once more|one more time))?",
    r"(?:say|tell me) (?:that|it|this)(?: (?:again|once more|one more time|once again))+|say again|come again|"
    r"once more|one more time|once again",
    r"what did you (?:just )?(?:say|said|tell me|answer|reply|respond)(?: (?:just now|again|to me|before|last|earlier|"
    r"a moment ago))?"
    r"(?: in (?:the |my |our )?(?P<room>[\w' ]{1,40}))?",
    r"what (?:have you|you|did you) (?:just )?(?:said|say|told me)(?: to me)?|what were you (?:just )?saying|"
    r"what was that|"
    r"what was your (?:last |previous )?(?:answer|reply|response)|what was the (?:last )?(?:answer|reply)|"
    r"what was it you said|"
    r"what is it you said|what was the last thing you said|(?:i beg your )?pardon|pardon me|excuse me what|"
    r"what did jarvis (?:just )?say",
    r"i (?:did not|could not|can not) (?:quite )?(?:hear|catch|get|understand) (?:that|you|it|what you said)|"
    r"i (?:missed|did not get) (?:that|it)",
    r"can i hear (?:that|it) again|read (?:that|it) (?:to me )?again|(?:let me )?hear (?:that|it) again",
)
_LATELY = (
    r"(?: (?:you|you about|you for|about|jarvis|now|just|just now|before|earlier|last|a moment ago|a minute ago|"
    r"right now|previously|there|"
    r"to you|last time|again|first))*"
)
_ASKED = _rule(
    "what_did_i_ask",
    rf"what (?:did|have|had|do|was) (?:i|they|he) (?:just |last |even |first )?(?:ask|asked|say|said|tell|told|asking|"
    rf"saying)(?: it)?{_LATELY}{IN_ROOM}",
    rf"what (?:i|they) (?:just )?(?:ask|asked|say|said){_LATELY}{IN_ROOM}",
    rf"what (?:was|is|were) (?:my|the) (?:last|previous|latest|most recent)? ?(?:question|request|command|sentence|"
    rf"thing i (?:just )?(?:asked|said)"
    rf"|thing i (?:just )?asked you|words){_LATELY}{IN_ROOM}",
    rf"(?:repeat|tell me|say|remind me|do you know|do you remember|remind me of) (?:what i (?:just )?(?:asked|said|"
    rf"told)|my (?:last |previous )?question)"
    rf"{_LATELY}{IN_ROOM}",
    rf"what (?:was|is) (?:it |that |the question |the thing |the last thing )(?:that )?i (?:just |last )?(?:ask|asked|"
    rf"say|said){_LATELY}{IN_ROOM}",
    r"what did you (?:just )?(?:hear|hear me say|understand)",
)
_RECALL = _rule(
    "recall",
    r"what (?:did|have|had) i (?:just )?(?:ask|asked|tell|told|want|wanted|said|say) (?:you|"
    r"jarvis) (?:to )?(?:remember|note|keep in mind|not forget|memorize|note down)"
    r"(?: for me| earlier| before)?(?: about .{1,60})?",
    r"what (?:do|did|should|are|can|have|must) you (?:supposed to |meant to )?(?:remember|remembering|remembered|"
    r"memorized|noted)(?: for me| about me| from me)?",
    r"what (?:is|are) (?:there )?(?:to remember|you remembering|my notes|my memories|in my notes|on my notes|"
    r"my reminders|in your memory)",
    r"(?:list|show|show me|read|read me|tell me|read out|give me) (?:everything you remember|all you remember|"
    r"what you remember|what i (?:asked|told) you to remember|"
    r"my notes|my memories|the things you remember|what you should remember|all my notes)",
    r"(?:do|did) you remember (?:what i (?:told|asked) you(?: to remember)?|anything|everything|something)(?: for me)?",
    r"what was i (?:supposed|meant) to remember|what am i (?:supposed|meant) to remember|what should i remember|"
    r"what did i need to remember|what do i need to remember",
    r"what did you remember|have you remembered anything|do you have (?:any )?notes(?: for me)?",
)
_REMEMBER = _rule(
    "remember",
    r"(?:remember|memorize|note(?= that| down)|note down|write down|make a note|take a note|make a note of|take note|"
    r"make note|keep in mind|bear in mind|"
    r"do not forget|never forget|remember for me)(?: this for me| this| for me)?(?: of)?(?: that| to)?\b(?! it$|"
    r" that$)",
    r"(?:take|make|add|write)(?: me)? (?:a |another )(?:mental |quick |short )?note(?: that| to| saying)?\b",
    dictates=True,
    not_before=frozenset(
        [
            "when",
            "me",
            "what",
            "how",
            "who",
            "where",
            "why",
            "which",
            "if",
            "whether",
            "us",
            "him",
            "her",
            "them",
            "time",
            "times",
            "anything",
            "everything",
        ]
    ),
)

GRAMMAR: tuple[Rule, ...] = (
    _STOPPED, _NEVER_MIND,
    _TIME, _DATE,
    _RECALL, _ASKED, _REPEAT,
    _ABLE, _WHO,
    _TIMER_CANCEL, _TIMER_LIST, _REMINDER, _TIMER_SET, _TIMER_ASKED,
    _REMEMBER,
)  # fmt: skip
"""In the order they are tried: what ends a dialogue first, dictation last."""
