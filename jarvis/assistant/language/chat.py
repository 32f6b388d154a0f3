"""What a small model may answer: talk. It invents facts as fluently as it tells stories, so it gets what needs none (a
joke, a poem, how it is, what somebody tells of their day) and nothing that asks for one. Pure. Where it is in doubt, it
is a question of fact: an honest "I don't know" is better than a lie."""

from __future__ import annotations

import re

from jarvis.assistant.house.answers import NO, YES
from jarvis.assistant.wording.words import joined, split, without_politeness

_ASKS = (
    r"(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|am|do|does|did|can|could|will|would|"
    r"shall|should|may|"
    r"might|must|has|have|had|tell|explain|define|describe|give|name|list|translate|spell|show|teach|find|"
    r"look|read|compare|"
    r"recommend|suggest|summarize|summarise|remind|say|talk|write|make|help|let)"
)
_INVENTED = (
    r"(?:jokes?|story|stories|fairy ?tales?|bedtime story|poems?|rhymes?|limericks?|haikus?|songs?|lullaby|"
    r"lullabies|riddles?|"
    r"tongue twisters?|compliments?|puns?|pick ?up lines?|knock knock jokes?|toast|birthday wish(?:es)?|love letter)"
)
_SOMETHING = r"(?:something (?:funny|nice|sweet|kind|silly|cheerful|encouraging|romantic|positive|to cheer me up))"
_ME = r"(?:(?:to )?(?:me|us|him|her|the kids|the children|my \w+) )?"
_A = r"(?:(?:a|an|the|some|another|one|one more|two|three|your|your favourite|your favorite|any) )*"
_FEELING = (
    r"(?:happy|sad|tired|lonely|bored|angry|afraid|scared|nervous|excited|hungry|thirsty|sleepy|cold|hot|sick|"
    r"well|fine|okay|"
    r"real|human|alive|a robot|a person|a machine|awake|there|busy|ready|my friend|funny|smart|clever)"
)
_TALK = tuple(
    re.compile(pattern)
    for pattern in (
        # Things made up.
        rf"(?:tell|read|write|make up|make|invent|compose|sing|say|give|recite|do you know|do you have|"
        rf"can you tell|can you "
        rf"write|can you sing|could you tell|will you tell|let us hear|i want to hear|i would like to hear) {_ME}{_A}"
        rf"(?:\w+ ){{0,2}}?{_INVENTED}(?: .{{1,80}})?",
        rf"(?:tell|say|write) {_ME}{_SOMETHING}",
        r"(?:sing|rap|beatbox|bark|meow|laugh|whistle|cheer me up|make me (?:laugh|smile)|entertain me|surprise me)"
        r"(?: (?:for|with|to) .{1,40})?",
        # How it is, and what it thinks.
        r"(?:so )?how (?:are|do|have) you(?: (?:doing|feel|feeling|been|today|tonight|going|this \w+))*",
        r"how (?:is|was) (?:it going|your day|your night|life|everything)(?: .{1,20})?",
        r"what (?:is up|is new|is going on|are you (?:doing|thinking)(?: about)?)(?: with you| today| right now)?",
        rf"(?:are|were) you (?:\w+ )?{_FEELING}(?: today| now| right now)?",
        r"do you (?:like|love|enjoy|hate|dream|sleep|ever|want|feel|miss|mind|prefer|eat|drink|"
        r"have (?:any )?(?:feelings|"
        r"friends|a family|fun|emotions|dreams|hobbies|pets)).{0,60}",
        r"what (?:is|are) your (?:favou?rite|favou?rites|hobby|hobbies|dream|mood|wish)(?: .{1,40})?",
        r"(?:would you )?(?:like|love|rather|want|marry|be) .{0,60}",
        r"(?:let us|shall we|can we|do you want to|will you|i want to) (?:talk|chat|play)(?: .{1,60})?",
        r"(?:talk|chat) (?:to|with) me|play (?:a game|with me|a game with me)|keep me company",
        # On with it.
        r"(?:another|another one|one more|again|go on|continue|more|and then|and then what|what happened next|"
        r"what happened then|"
        r"what then|why|why not|really|how so|oh really|is that so|are you sure|how come|tell me more of it|so what)",
    )
)
_OPENING = re.compile(
    r"^(?:(?:hello|hi|hey|there(?= how)|good (?:morning|evening|afternoon|night|day)|thanks|thank you|wow|nice|great|"
    r"cool|awesome|lovely|sorry|oh|ah|aha|well|so|okay|ok|yes|yeah|no|please)"
    r"(?: (?:there|again|everybody|everyone|very much|a lot|so much|then))*(?: |$))+"
)
"""What comes before what is said."""
_NO_QUESTION = (
    rf"(?!.*\b(?:because|if|whether|wonder|know|remember|forgot|what|who|when|where|which|how|{_ASKS} you)\b)"
)
_TOLD = tuple(
    re.compile(_NO_QUESTION + pattern)
    for pattern in (
        # Somebody tells something and asks nothing.
        r"(?:bye|goodbye|cheers|congratulations|happy \w+|merry \w+|well done|good job|see you|sleep well|welcome)"
        r"(?: \w+){0,4}",
        r"(?:(?:and|but) )?(?:i|we|my|our|you|your|that|this|it)\b.{0,120}",
        r"(?:yep|nope|sure|maybe|perhaps|of course|not really|i guess|fine|right|exactly|true|hm+)(?: \w+){0,4}",
    )
)
_QUESTION = re.compile(rf"(?:(?:and|but|so) )?{_ASKS}\b.*")


def asks(text: str) -> bool:
    """Whether `text` asks for something, as far as its first word or its last sign tells."""
    return text.rstrip().endswith("?") or bool(_QUESTION.fullmatch(joined(without_politeness(split(text)))))


def answers(text: str) -> bool:
    """Whether `text` is a yes or a no and nothing else."""
    return joined(split(text)) in YES | NO


def is_talk(text: str) -> bool:
    """Whether `text` needs no fact for its answer."""
    plain = _OPENING.sub("", joined(without_politeness(split(text))), count=1)
    if not plain or any(pattern.fullmatch(plain) for pattern in _TALK):
        return True
    return not text.rstrip().endswith("?") and any(pattern.fullmatch(plain) for pattern in _TOLD)
