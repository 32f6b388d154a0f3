"""The sentences about the conversation itself: where it goes on, and whether it stays in its room. They are tried
first of all, since they also decide which conversation a sentence belongs to (`directions`)."""

from __future__ import annotations

import re

from jarvis.assistant.grammar.rules import Rule


def _rule(intent: str, *patterns: str) -> Rule:
    return Rule(intent, tuple(re.compile(pattern) for pattern in patterns))


_ROOM = r"(?!(?:the|my|our|a)$)(?P<room>[\w' ]{1,40})"
_ON = r"(?:continue|go on|carry on|keep going|resume|pick up(?= with| where))"
_IT = (
    r"(?: (?:with )?(?:this|that|it|talking|the conversation|our conversation|this conversation|our talk|this talk|"
    r"our chat|this chat|where we left off|where we were|where we stopped))?"
)
_LET = r"(?:(?:let us|we|i want to|i would like to|we can|i will) )?"

CONTINUE = _rule(
    "continue",
    rf"{_LET}{_ON}{_IT}",
    rf"{_LET}{_ON}{_IT} in (?P<the>the |my |our )?{_ROOM}",
    rf"{_LET}(?:move|take|bring) (?:this|the|our) (?:conversation|talk|chat) (?:to|into|over to) "
    rf"(?P<the>the |my |our )?{_ROOM}",
)
GO_BACK = _rule(
    "go_back",
    rf"{_LET}(?:{_ON}|go back to|come back to)(?: (?:with )?(?:what|the thing|the conversation|our conversation|"
    rf"where we were|where we left off|where we stopped)(?: (?:i|we) (?:just )?(?:said|asked|had|were (?:saying|"
    rf"talking about)|left off|stopped))?)? (?:from|we had in|i had in) (?:the |my |our )?{_ROOM}",
    rf"{_LET}(?:{_ON}|go back to)(?: with)? (?:what (?:i|we) (?:just )?(?:said|asked|had|were saying)|"
    rf"what (?:i|we) were talking about) in (?:the |my |our )?{_ROOM}",
    rf"(?:as|like) i (?:just |already )?(?:said|told you|asked|asked you|mentioned)(?: (?:before|earlier))? in "
    rf"(?:the |my |our )?{_ROOM}",
)
PRIVATE = _rule(
    "private",
    rf"{_LET}(?:keep|make|have) (?:this|it|that|things|this conversation|the conversation|our conversation|this one)"
    r"(?: (?:just|strictly|all))? private(?: (?:now|from now on|between us))?",
    r"(?:this|this conversation|what i say next|what comes next) is private",
    r"(?:(?:turn on|switch on|start|begin|enter|go into|activate|use) )?(?:the )?(?:a )?"
    r"(?:private mode|privacy mode|private conversation|private session|private chat)(?: on)?",
    r"(?:turn|switch) (?:private mode|privacy mode) on",
    r"do not share (?:this|that|it|this conversation)(?: with (?:anyone|anybody|(?:the )?other rooms|the home))?",
    r"(?:this is )?(?:between you and me|off the record)",
    rf"{_LET}keep (?:this|it|that) (?:between us|to yourself|in this room)",
)
SHARE_AGAIN = _rule(
    "share_again",
    r"(?:turn off|switch off|stop|end|leave|exit|quit|deactivate) (?:the )?(?:private mode|privacy mode|(?:this )?"
    r"private (?:conversation|session|chat))",
    r"(?:turn|switch) (?:private mode|privacy mode) off|(?:private|privacy) mode off",
    r"(?:this|that|it) (?:is no longer|is not|does not need to be) private(?: any ?more| any longer)?",
    r"you (?:can|may) share (?:this|that|it)(?: again| now)?|stop keeping (?:this|that|it) private",
)
TALK: tuple[Rule, ...] = (PRIVATE, SHARE_AGAIN, GO_BACK, CONTINUE)
