"""What a language model without tools must not be believed about: sums, the state of devices, live facts, things only
hands can do, and what could hurt somebody. A small model says the front door is locked, that 17 times 23 is 349, and
that raw eggs are perfectly safe. So the answer to these is an honest "I can't tell", decided here and not by a prompt.
That a small model gets nothing but talk is decided in `chat`. What is told here is needed besides: for larger models,
which see no door either; where somebody wants guesses; for "I have chest pain", which is talk too; and to say why.
Pure; errs on the side of honesty, not of silence: talk *about* weather or locks is nobody's live fact and passes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from jarvis.assistant.wording.words import joined, split, without_politeness

Kind = Literal["arithmetic", "device_state", "live_fact", "action", "safety", "fact", "answer"]


@dataclass(frozen=True, slots=True)
class Doubt:
    kind: Kind
    sentence: str
    """What to say instead of asking a model."""

    @property
    def for_any_model(self) -> bool:
        """No model can know or do it without a tool, however good it is."""
        return self.kind in ("device_state", "action")


_SENTENCES: dict[Kind, str] = {
    "arithmetic": "I can't tell: I don't trust myself with calculations.",
    "device_state": "I can't tell: I am not connected to anything that could show me.",
    "live_fact": "I can't tell: I have no live information.",
    "safety": "I can't tell, and a wrong answer could do harm. Please ask somebody who knows.",
    "action": "I can't do that. Ask me what I can do.",
    "fact": "I can't tell: I don't know, and I would rather not guess.",
    "answer": "I did not ask anything just now.",
}

_NUMBER = (
    r"(?:\d[\d.,]*|a hundred|a thousand|(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|"
    r"ninety|hundred|thousand|million|billion|half|quarter|dozen))"
)
_SYMBOLS = re.compile(r"\d\s*[+*/×÷^=]\s*\d|\d\s+[-−x]\s+\d|\d\s*[x−]\s*\d|\d\s*%\s*(?:of|off)\b|√\s*\d", re.IGNORECASE)
_ARITHMETIC = [
    rf"\b{_NUMBER} (?:plus|minus|times|over|x|multiplied (?:by|with)|divided by|modulo|mod|to the power of|percent of|"
    rf"per cent of"
    rf"|percent off) (?:minus )?{_NUMBER}\b",
    rf"\b(?:square root|cube root|root|square|cube|factorial|logarithm|double|half|sum|product|difference|average|"
    rf"mean|remainder) "
    rf"(?:of |between )?(?:the numbers )?{_NUMBER}\b",
    rf"\b(?:add|subtract|multiply|divide) {_NUMBER}\b.*\b(?:and|to|from|by|with) {_NUMBER}\b",
    rf"\b{_NUMBER} (?:squared|cubed|factorial)\b",
    r"^(?:calculate|compute|work out|add up|do the math|how much is \d)",
    rf"^(?:convert|how much is|how many) .*\b(?:in|into|to) (?:a |an )?{_NUMBER}? ?(?:dollars?|euros?|pounds?|kilos?|"
    rf"kilograms?|grams?|"
    r"ounces?|miles?|kilometers?|kilometres?|meters?|metres?|feet|foot|inch(?:es)?|centimeters?|centimetres?|celsius|"
    r"fahrenheit|liters?|"
    r"litres?|gallons?|cups?|seconds?|minutes?|hours?|days?|weeks?|months?|years?|decades?|centur(?:y|ies))\b",
    r"^(?:how many|how much) .*\b(?:left over|altogether|in total|remain)\b",
    rf"\bif (?:i|you|we|he|she|they|someone|\w+) (?:have|has|had|buy|buys) {_NUMBER}\b.*\bhow (?:many|much)\b",
    r"^how (?:many|much) (?:days|weeks|months|years|hours|minutes|time) (?:are there |is there |is it |are )?"
    r"(?:between|from)\b",
]
_DEVICE = (
    r"(?:(?:front |back |side |garage |car |bedroom |bathroom |kitchen |living room |cellar |balcony |patio |"
    r"fridge )?(?:doors?|windows?|gates?)|"
    r"lights?|lamps?|bulbs?|oven|stove|cooker|hob|heating|heater|heat|boiler|radiators?|thermostat|garage|"
    r"alarm system|burglar alarm|tv|"
    r"television|telly|washing machine|washer|dryer|dishwasher|iron|kettle|coffee machine|coffee maker|fridge|freezer|"
    r"blinds?|curtains?|"
    r"shutters?|locks?|fan|fans|air conditioning|air conditioner|aircon|ac|vacuum|robot|sprinklers?|speakers?|printer|"
    r"router|wi ?fi|"
    r"internet|camera|cameras|doorbell|smoke detector|music|radio|water|tap|plug|socket|switch|projector|humidifier)"
)
_DEVICE_STATE = [
    rf"^(?:is|are|was|were) (?:there )?(?:all |any |a |an |the |my |our |that |this )*(?:\w+ ){{0,3}}?{_DEVICE}(?:"
    rf" \w+){{0,4}}? "
    r"(?:locked|unlocked|open|opened|closed|shut|on|off|running|working|connected|online|offline|done|finished|armed|"
    r"playing|"
    r"plugged in|dirty|clean|empty|full|charged|charging|charge|left on|left open|warm|hot|cold)\b",
    rf"^(?:did|have|has|had) (?:i|we|you|they|he|she|anyone|anybody|someone|somebody|mom|mum|dad|the kids) (?:just |"
    rf"already |really )?"
    rf"(?:lock|locked|unlock|unlocked|close|closed|shut|open|opened|leave|left|turn|turned|switch|switched|forget|"
    rf"forgotten)\b.*\b{_DEVICE}\b",
    r"^(?:is|are) (?:anyone|anybody|someone|somebody|everyone|everybody|he|she|they|mom|mum|dad|the kids|the children) "
    r"(?:at )?(?:home|here|there|in|outside|upstairs|downstairs|at the door|asleep|awake)\b",
    rf"^(?:what|how) (?:is|are|was) (?:the )?(?:state|status|setting|temperature|humidity|battery|battery level|"
    rf"air quality|power|energy|energy use|"
    rf"volume)(?: (?:of|in|on|for) (?:the |my |our |this )*(?:\w+ ){{0,2}}?(?:house|home|room|kitchen|bedroom|"
    rf"bathroom|living room|here|inside|"
    rf"fridge|freezer|car|phone|{_DEVICE}))?$",
    r"^how (?:warm|cold|hot|humid|bright|loud) is it(?: (?:in|inside|at|upstairs|downstairs|here)\b.*)?$",
    rf"^(?:what|how|which) (?:\w+ )?(?:is|are) (?:the |my |our )*(?:\w+ ){{0,2}}?{_DEVICE} (?:set|doing|on|at|set to|"
    rf"set at|open|locked)\b",
    rf"^(?:which|what|how many) (?:of the |of my )?{_DEVICE} (?:is|are)(?: still)? (?:on|off|open|locked|unlocked|"
    rf"closed|running)\b",
    rf"^(?:check|see|tell me|find out|do you know|make sure) (?:if|whether|that) (?:\w+ ){{0,4}}?{_DEVICE}\b",
    rf"^(?:check|check on|status of|state of) (?:the |my |our )*(?:\w+ ){{0,2}}?{_DEVICE}$",
    rf"^(?:is|are) (?:all |the |my |our )*(?:\w+ ){{0,3}}?{_DEVICE} (?:up|down)"
    r"(?: (?:in|at|upstairs|downstairs)\b.*)?$",
    rf"^(?:has|have|did) (?:the |my |our )*(?:\w+ ){{0,2}}?{_DEVICE} (?:finish|finished|stop|stopped|start|started|end|"
    rf"ended|beep|beeped)\b",
    r"^(?:is|are) (?:the |my |our )?cars? (?:locked|unlocked|open|closed|charged|charging|on|off|home)\b",
    r"^how much (?:battery|charge|power|energy|water|fuel|gas|ink|detergent) (?:does|do|is|has|have|did)\b",
    r"^(?:is|was) there (?:someone|somebody|anyone|anybody) (?:at|in|outside|inside|upstairs|downstairs|home|here|"
    r"there)\b",
    r"^(?:did|has|have) (?:the |my |our |any )?(?:mail|post|mailman|postman|package|packages|parcel|parcels|delivery|"
    r"newspaper) (?:come|came|arrive|arrived|been)\b",
    r"^where (?:is|are|did i (?:put|leave)) my (?:\w+ )?(?:keys?|phone|wallet|glasses|car|bag|purse|remote|cat|dog|"
    r"watch)\b",
    r"^who (?:is|was) (?:at the door|at home|home|in the house|in the kitchen|in the bedroom|outside)\b",
]
_LIVE_FACT = [
    r"\b(?:weather|forecast|air quality|pollen)\b.*\b(?:today|tomorrow|tonight|now|outside|here|week|weekend|like|be|"
    r"in|for)\b",
    r"^(?:what is|how is|give me|tell me|check) the (?:weather|forecast|news|traffic|headlines|latest)\b",
    r"^(?:will|is|does|did|was|would) it (?:going to |gonna |still |currently )?(?:rain|raining|snow|snowing|storm|"
    r"storming|sunny|windy|cloudy|"
    r"hot|cold|warm|cool|freezing|foggy|freeze|be (?:\w+ )?(?:sunny|hot|cold|warm|cloudy|windy|nice|dry|wet))\b",
    r"\b(?:do|should|will) i need (?:an |my )?(?:umbrella|coat|jacket|raincoat|sunscreen)\b",
    r"\b(?:how (?:hot|cold|warm)|what is the temperature|what temperature is it|how many degrees)\b.*\b(?:outside|"
    r"today|tomorrow|tonight|now|out|be|in)\b",
    r"\b(?:news|headlines|stock price|share price|stock market|exchange rate|price of|lottery numbers|traffic jam|"
    r"traffic)\b(?! (?:light|lights|sign|warden|cone))"
    r".*\b(?:today|now|latest|currently|this|is|at|doing|of|in|on|to)\b",
    r"^(?:what are|any|read me|give me|play|tell me) (?:the |some |today's |latest )*(?:news|headlines)\b",
    r"^(?:who|which team|what team) (?:won|is winning|is playing|plays|played|scored|leads)\b.*",
    r"^what (?:is|was) the (?:score|result)\b|^how did (?:the |my )?\w+(?: \w+)? (?:play|do) (?:today|yesterday|"
    r"last night|tonight)\b",
    r"^(?:what|when) (?:time )?(?:is|does|do|are|will) (?:the |my |our )?(?:next |last |first )?(?:\w+ )?(?:bus|train|"
    r"tram|flight|plane|ferry|"
    r"appointment|meeting|shop|store|supermarket|pharmacy|bank|post office|restaurant|museum|library|delivery|package|"
    r"parcel)\b",
    r"^(?:is|are) (?:the |my |our )?(?:\w+ )?(?:shop|shops|store|stores|supermarket|pharmacy|bank|post office|"
    r"restaurant|museum|library|train|bus|"
    r"flight|website)\b.*\b(?:open|closed|late|delayed|on time|cancelled|down|running|still)\b",
    r"\b(?:when|what time) (?:is|does|will|was) (?:the )?(?:sunrise|sunset|sun (?:rise|set|go down|come up)|moonrise|"
    r"full moon|high tide|low tide)\b",
    r"^what time is it (?:in|at|over|for)\b|\bwhat is the time in\b|\bcurrent time in\b",
    r"\b(?:what is|what have i got|what do i have|anything) (?:on |in )?(?:my |the |on my )?(?:calendar|schedule|"
    r"agenda|shopping list|to do list|inbox|"
    r"appointments|plans)\b|\b(?:on|in) my (?:calendar|schedule|agenda|shopping list|to do list|inbox)\b",
    r"^(?:do i have|have i got|are there|did i get|any) (?:any |new |a |an )*(?:appointments?|meetings?|messages?|"
    r"emails?|mail|calls?|notifications?|plans|"
    r"voicemails?|events?)\b",
    r"^(?:what|which) (?:movies?|films?|shows?|games?|match|matches)? ?(?:is|are) (?:on|playing|showing)\b.*\b(?:tv|"
    r"television|tonight|today|cinema|now|netflix)\b|"
    r"^what is on (?:tv|television|netflix|tonight|the radio)\b",
    r"\b(?:latest|newest|most recent|current|currently|right now|this morning|last night|"
    r"as of today)\b.*\b(?:president|prime minister|chancellor|king|queen|"
    r"pope|ceo|champion|version|price|record|population|score|news|episode|results?)\b",
    r"^who is (?:the )?(?:\w+ )?(?:president|prime minister|chancellor|mayor|pope|ceo|king|queen)\b",
    r"^how (?:long|far|many (?:days|weeks|hours)) (?:is it |are there )?(?:until|till|to|before)\b|^how (?:many|"
    r"long) (?:more )?\w+ (?:are left )?(?:until|till)\b",
    r"^(?:what|which) (?:day|date) (?:is|was|will|does)\b|^when is (?:christmas|easter|thanksgiving|ramadan|new year|"
    r"passover|mother's day|father's day)\b",
    r"^what is (?:the )?(?:price|cost) of\b|^how much (?:does|do|did|is|are) .*\b(?:cost|costs|right now|now|today)\b",
    r"^did (?:the )?(?:\w+ ){1,3}?(?:win|lose|play|score)(?: (?:today|yesterday|last night|again|the (?:game|"
    r"match)))?$",
    r"^who is (?:leading|winning|ahead|in the lead)\b|\b(?:is|are|what is) trending\b",
    # What only who asks, and those around, can know.
    r"^(?:what|when|where|how many|how much|how long|how often) (?:\w+ )?did (?:i|my \w+)\b",
    r"^when is my\b|^am i late\b",
    r"\bwhere am i\b|\bwhat (?:city|town|street|country) am i in\b|\bwhat is my (?:location|address|ip)\b",
]
_ACTION = [
    rf"^(?:turn|switch|put|flip) (?:the |my |all |all the |that |on |off |up |down )*(?:\w+ ){{0,3}}?{_DEVICE}(?:"
    rf" \w+){{0,5}}?(?: (?:on|off|up|down))?(?: .{{0,40}})?$",
    r"^(?:turn|switch) (?:on|off|up|down) (?:the|my|all|every|that|some|a)\b|^(?:turn|switch) (?:it|them|everything|"
    r"this|that|all of them) (?:on|off|up|down)\b",
    r"^(?:turn|switch) (?:on|off)\b|^turn (?:it |the volume )?(?:up|down)\b|^volume (?:up|down)\b|^(?:louder|quieter|"
    r"softer)$",
    rf"^(?:dim|brighten|lock|unlock|open|close|shut|raise|lower|start|stop|pause|resume|arm|disarm|activate|"
    rf"deactivate|unplug|heat|cool|vacuum|connect|"
    rf"disconnect|reboot|restart|preheat|charge|mute|unmute)(?: up| down| off)? (?:the |my |all |all the |our |that |"
    rf"a )*(?:\w+ ){{0,3}}?(?:{_DEVICE}|house|volume|door|song|video)\b",
    r"^(?:set|make|change|put) (?:the |my )?(?:thermostat|temperature|heating|heat|volume|brightness|lights?|lamps?|"
    r"color|colour|scene|mode|fan)\b",
    r"^set (?:an |the |my |a )?(?:alarm|reminder|wake ?up)\b|^wake me(?: up)? (?:at|by|in|tomorrow|on|every)\b|"
    r"^remind me\b",
    r"^(?:call|phone|ring|dial|text|email|message|facetime|video call) (?:my |the |a )?\w+(?: \w+){0,2}$",
    r"^(?:send|write|read|reply to|answer|check|show me|delete|forward) (?:\w+ )?(?:a |an |my |the |new |"
    r"latest )*(?:text|texts|message|messages|email|"
    r"emails|sms|mail|voicemail|invitation|whatsapp)\b(?! (?:to my landlord|for me))",
    r"^play (?:some |the |my |a |me |us )*(?:\w+ ){0,4}?(?:music|song|songs|playlist|album|radio|podcast|audiobook|"
    r"audio book|movie|film|video|jazz|rock|"
    r"classical|spotify|news|something|next|track|lullaby)\b",
    # Whoever says "play the Beatles" wants to hear them, and not what a small model says of them.
    r"^play (?!(?:a |some |the )?(?:games?|quiz|trivia|riddles?|roles?|twenty|word|pretend|along|with|devil)\b)"
    r".{1,60}$",
    r"^(?:next|skip|previous|pause|resume)(?: (?:the |this )?(?:song|track|music|playback|video))?$",
    r"^(?:order|buy|purchase|reserve|book|schedule|cancel|reschedule) (?:me |us )?(?:a |an |some |the |my |more )?\w+",
    r"^(?:add|put) .{1,60}\b(?:to|on|in|into) (?:the |my |our )?(?:\w+ )?(?:list|calendar|cart|basket|agenda|"
    r"schedule)\b",
    r"^(?:take|make) (?:a |the )?(?:picture|photo|selfie|screenshot|recording|phone call|call|reservation|"
    r"appointment)\b",
    r"^(?:set|start|create|cancel|stop|delete|add|pause|resume|extend|shorten|change|restart) .{0,80}\btimers?\b",
    r"^(?:feed|water|vacuum|clean|mow|wash|iron) (?:the|my|our)\b",
    r"^(?:google|search(?: the (?:web|internet))?(?: for)?|look up)\b",
]
_SAFETY = [
    r"\b(?:is|are|was|would|will|how) (?:it |this |that |they |there )?(?:\w+ ){0,4}?(?:dangerous|poisonous|toxic|"
    r"harmful|deadly|lethal|contagious|fatal)\b",
    r"\b(?:safe|okay|ok|dangerous|allowed) (?:to|for) (?:\w+ ){0,3}?(?:eat|drink|take|swallow|mix|touch|breathe|"
    r"inhale|swim|drive|give|use|combine|pregnant|babies|"
    r"baby|children|kids|dogs?|cats?)\b",
    r"\b(?:can|could|may|should) (?:i|we|you|my \w+|a \w+|dogs?|cats?|babies|children|kids) (?:\w+ ){0,2}?(?:eat|"
    r"drink|swallow|mix|combine)\b",
    r"\b(?:dose|dosage|overdose|milligrams?|painkillers?|ibuprofen|aspirin|paracetamol|antibiotics?|insulin|"
    r"medication|medicine|pills?)\b",
    r"\b(?:chest pain|heart attack|stroke|choking|bleeding|unconscious|allergic reaction|can not breathe|poisoned|"
    r"suicide|suicidal|kill myself|hurt myself|"
    r"gas leak|smell gas|on fire|burned myself)\b",
    r"^(?:call|get|we need|i need)(?: me)? (?:an |the |a )?(?:ambulance|police|doctor|fire brigade|fire department|"
    r"emergency)\b",
    r"\bsymptoms?\b|\b(?:do i have|have i got) (?:\w+ )?(?:covid|flu|cancer|fever|an infection|diabetes)\b",
]


_ON_ONE_DAY = re.compile(
    r"^(?:how (?:many|much|long|busy|full|late|high)|who|when|did|does|do|has|have|is|are|was|were|what is|what are) "
    r"(?!(?:a|an|you|your|i|it (?:ok|okay|good|bad|true|normal|healthy))\b).*\b(?:right now|now|at the moment|today|"
    r"tonight|yesterday|last night|tomorrow|this (?:morning|afternoon|evening|week|month))(?: please)?$"
)
"""Asks what is so on one day only; "what is a good thing to cook tonight" does not. "Now" counts as politeness
elsewhere, so this looks at the sentence to its end."""


def _compiled(patterns: list[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern) for pattern in patterns)


_PATTERNS: tuple[tuple[Kind, tuple[re.Pattern[str], ...]], ...] = (
    ("safety", _compiled(_SAFETY)),
    ("arithmetic", _compiled(_ARITHMETIC)),
    ("device_state", _compiled(_DEVICE_STATE)),
    ("action", _compiled(_ACTION)),
    ("live_fact", _compiled(_LIVE_FACT)),
)


def doubt(text: str) -> Doubt | None:
    """Why a model's answer to `text` would not be believed, or None. Text too long to be a question of these is
    none of them."""
    words = split(text)
    kept = without_politeness(words)
    if not kept:
        return None
    plain = joined(kept)
    if _SYMBOLS.search(text):
        return Doubt("arithmetic", _SENTENCES["arithmetic"])
    for kind, patterns in _PATTERNS:
        if any(pattern.search(plain) for pattern in patterns):
            return Doubt(kind, _SENTENCES[kind])
    begins = next(number for number, word in enumerate(words) if word is kept[0])
    return Doubt("live_fact", _SENTENCES["live_fact"]) if _ON_ONE_DAY.search(joined(words[begins:])) else None


def unasked() -> Doubt:
    """About a yes or a no to nothing: a small model makes up what was asked, and talks on about it."""
    return Doubt("answer", _SENTENCES["answer"])


def unknown(*, asked: bool) -> Doubt:
    """About whatever is no talk, where only a small model is there; `asked` for a fact, or said and not understood."""
    return Doubt("fact", _SENTENCES["fact"] if asked else "I can't help with that: I did not understand it.")
