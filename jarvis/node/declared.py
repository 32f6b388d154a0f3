"""The configuration's keys that Jarvis knows, and what may stand under a key. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from jarvis.core.errors import BadConfiguration, InvalidInput
from jarvis.core.secrets import INSTEAD, looks_secret, names_a_secret
from jarvis.home_assistant.wire import is_address
from jarvis.node.hearing.quiet_hours import KEY as QUIET_HOURS
from jarvis.node.hearing.quiet_hours import QuietHours
from jarvis.plugins.found import NAME

MAX_VALUE_BYTES = 4_096
_KEY = re.compile(r"[a-z0-9_-]{1,32}(\.[a-z0-9_-]{1,32}){0,3}")
ENABLED = "plugins.enabled"
HOME_ASSISTANT = "home_assistant.url"


@dataclass(frozen=True, slots=True)
class Declared:
    default: str
    help: str
    choices: tuple[str, ...] = ()
    own: bool = False
    """Belongs to one node: `set` without --node writes this node's value."""
    least: int | None = None
    """It is a whole number, and at least so much."""
    most: int | None = None
    """And at most so much."""
    fits: Callable[[str], bool] | None = None
    """Whether a value other than the default is one; `help` says what is."""
    here: bool = False
    """Each device's own and nobody else's: never replicated, and what others wrote for it does not count."""
    names: str = ""
    """What it names, for one that everybody must see alike: no device may insist on a value of its own."""


DECLARED: Mapping[str, Declared] = {
    "assistant.name": Declared("Jarvis", "What the assistant calls itself."),
    "assistant.guesses": Declared(
        "no",
        "Whether the small language model may answer questions of fact, too; it often makes its answers up.",
        choices=("no", "yes"),
    ),
    "home.name": Declared("Home", "What this home is called.", names="home's name"),
    "sessions.keep_days": Declared(
        "0", "After how many days a conversation that nobody continues is deleted; 0 for never.", least=0
    ),
    "audit.keep_months": Declared("0", "How many months of the audit are kept beside this one; 0 for all.", least=0),
    "sync.compact_records": Declared(
        "20000", "After how many records the home is compacted by itself; 0 for never.", least=0
    ),
    "store.max_bytes": Declared(
        "0", "How much a node's store may hold; 0 for as much as there is on the disk.", own=True, least=0
    ),
    "session.share": Declared(
        "home",
        "Whether what is said to a node is shared with the home, or stays in its room.",
        choices=("home", "room"),
        own=True,
    ),
    "engine.idle_minutes": Declared(
        "30", "After how many quiet minutes a model's memory is given back; 0 for never.", own=True, least=0
    ),
    "knowledge.index": Declared(
        "memory",
        "Where the vectors of a node's documents are searched: in memory, or on disk by Chroma.",
        choices=("memory", "disk"),
        own=True,
    ),
    "knowledge.captions": Declared(
        "here",
        "Whether language models that see describe pictures that are added here: those on this device (here), any that "
        "is set (yes), or none (no).",
        choices=("here", "yes", "no"),
        here=True,
    ),
    "audio.input": Declared("", "A node's microphone, by any part of its name; empty for the system's.", own=True),
    "audio.output": Declared("", "A node's loudspeaker, by any part of its name; empty for the system's.", own=True),
    "audio.volume": Declared("100", "How loud a node speaks, 0 to 100.", own=True, least=0, most=100),
    QUIET_HOURS: Declared(
        "",
        "When a node speaks no announcements, such as 22:00-07:00; empty for never.",
        own=True,
        fits=lambda value: QuietHours.parse(value) is not None,
    ),
    ENABLED: Declared(
        "",
        "The plugins that run on this device, with commas between; see `jarvis plugin`.",
        here=True,
        fits=lambda value: all(map(NAME.fullmatch, value.split(","))),
    ),
    HOME_ASSISTANT: Declared(
        "",
        "Where this device finds Home Assistant, such as http://homeassistant.local:8123; empty for nowhere.",
        here=True,
        fits=is_address,
    ),
    "node.name": Declared("", "What a node is called.", own=True, names="name"),
    "node.room": Declared("", "The room a node stands in.", own=True, names="room"),
}


def check_key(key: str) -> None:
    """Raises InvalidInput."""
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            f"{key!r} is not a config key.", fix="Keys are dotted lower-case words, such as assistant.name."
        )


def check_value(key: str, value: str) -> None:
    """Raises InvalidInput for what cannot stand there. A secret is not repeated: every node would hold it."""
    check_key(key)
    declared = DECLARED.get(key)
    if declared is None and (names_a_secret(key) or looks_secret(value)):
        raise InvalidInput(f"{key} looks like a secret, and the configuration is for all to see.", fix=_instead(key))
    if len(value.encode()) > MAX_VALUE_BYTES:
        raise InvalidInput(f"A value may have {MAX_VALUE_BYTES} bytes.", fix="Give a shorter one.")
    if declared is None:
        return
    if looks_secret(value):
        raise InvalidInput(f"That looks like a secret, and {key} is for all to see.", fix=_instead(key))
    if declared.choices and value not in declared.choices:
        raise InvalidInput(f"{key} is one of {', '.join(declared.choices)}.")
    if declared.least is not None and not _is_whole(value, declared.least, declared.most):
        until = "on" if declared.most is None else f"to {declared.most}"
        raise InvalidInput(f"{key} is a whole number from {declared.least} {until}.")
    if declared.fits and value != declared.default and not declared.fits(value):
        raise InvalidInput(f"What was given is no value of {key}.", fix=declared.help)  # it may hold a password


def check_own(values: Mapping[str, str], where: str) -> None:
    """Of values that a device insists on. Raises BadConfiguration."""
    for key, value in values.items():
        if key in DECLARED and DECLARED[key].names:
            raise BadConfiguration(f"{key} cannot stand in {where}: the home would not see it.", fix=set_it(key))
        try:
            check_value(key, value)
        except InvalidInput as error:
            raise BadConfiguration(f"In {where}: {error}", fix=error.fix) from None


def set_it(key: str) -> str:
    return f"Run `jarvis config set {key} VALUE`."


def is_here(key: str) -> bool:
    """Whether it is each device's own."""
    return key in DECLARED and DECLARED[key].here


def _instead(key: str) -> str:
    first = key.partition(".")[0]
    if first == "llm":
        return f"Name a file with it as `key_file` under [[llm]]. {INSTEAD}"
    if first in ("hass", "home_assistant"):
        return f"Put it into `keys/home-assistant-token` of the data directory. {INSTEAD}"
    return INSTEAD


def _is_whole(value: str, least: int, most: int | None) -> bool:
    if not (len(value) <= 15 and value.isascii() and value.isdigit()):
        return False
    return least <= int(value) and (most is None or int(value) <= most)
