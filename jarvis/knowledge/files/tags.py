"""What HTML costs to parse, before it is parsed: by the rules a parser looks through all open elements at each new one,
and through all attributes of a tag at each more. So half a megabyte can hold it for hours, in native code that nothing
interrupts. Nothing is understood here; tags are counted, and each byte is looked at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

MAX_OPEN = 2_000
"""Elements open at a time. Pages whose author forgot to close some have a few hundred."""
MAX_ROOTS = 50
"""Tags of `html` and `body`, which take up the attributes of all."""
MAX_ATTRIBUTES = 500
"""Of one tag."""
_TAG = re.compile(r"<(?:!--|(/?)([a-zA-Z][^\s/>]*+)((?:[^\"'>]|\"[^\"]*+\"|'[^']*+')*+))")
_QUOTED = re.compile(r"\"[^\"]*+\"|'[^']*+'")
_END_OF_COMMENT = re.compile(r"(?<=<!--)-?>|--!?>")
_HOLD_TEXT = {
    name: re.compile(rf"</{name}\b", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
}
"""In which tags are none, with their end."""
_ENDED_BY_THE_NEXT = frozenset(
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th tbody thead "  # noqa: SIM905
    "tfoot option colgroup head".split()
)
"""Elements without content, and those that a parser closes by itself: of these few are ever open."""


def too_costly(text: str) -> str:
    """Why a parser would take too long over it; "" when it would not."""
    opened: Counter[str] = Counter()
    deep = roots = 0
    for name, ends, attributes in _tags(text):
        if len(attributes) > MAX_ATTRIBUTES:
            plain = _QUOTED.sub('"', attributes)
            if sum(map(plain.count, (" ", "\n", "\t", "\r", "\f", "/", '"'))) > 2 * MAX_ATTRIBUTES:
                return f"has a tag with more than {MAX_ATTRIBUTES} attributes"
        if name in ("html", "body"):
            roots += not ends
        elif not ends and name not in _ENDED_BY_THE_NEXT:
            opened[name] += 1
            deep += 1
        elif ends and opened[name]:
            opened[name] -= 1
            deep -= 1
        if roots > MAX_ROOTS:
            return f"begins more than {MAX_ROOTS} times"
        if deep > MAX_OPEN:
            return f"has more than {MAX_OPEN} elements open at a time: they lie too deep in one another"
    return ""


def _tags(text: str) -> Iterator[tuple[str, bool, str]]:
    """Name, whether it is an end, and attributes of each, without those in comments and scripts."""
    at = 0
    while found := _TAG.search(text, at):
        at, name = found.end(), (found[2] or "").lower()
        if name:
            yield name, bool(found[1]), found[3]
        over = _END_OF_COMMENT if not name else None if found[1] else _HOLD_TEXT.get(name)
        if over is not None:
            end = over.search(text, at)
            if end is None:
                return  # the rest is no tags
            at = end.start() if name else end.end()
