"""Why a room answered: what the audit keeps of a decision, without names or words, and the sentence that is made of it
for a person, with the names of today."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jarvis.core.errors import InvalidInput
from jarvis.core.ids import from_text, to_text
from jarvis.node.records.audit import Audit
from jarvis.voice.arbitration.messages import SNR_STEP_DB, Claim
from jarvis.voice.arbitration.state import Settled

ACTION = "claim"
MAX_NAMED = 16
"""Rooms in one entry."""
Detail = dict[str, Any]


def detail_of(settled: Settled, unreachable: Iterable[bytes]) -> Detail:
    """`claims` are the other rooms', `after_ms` counted from our own claim to when theirs came."""
    others = [
        _fields(one.claim) | {"node": to_text(one.node_id), "after_ms": round(one.after_ms), "out": one.over}
        for one in settled.claims[:MAX_NAMED]
    ]
    return {
        "why": settled.why,
        "own": _fields(settled.claim),
        "claims": others,
        "unreachable": sorted(to_text(one) for one in unreachable)[:MAX_NAMED],
    }


def _fields(claim: Claim) -> Detail:
    return {
        "snr_db": round(claim.snr_step * SNR_STEP_DB),
        "able": claim.able,
        "dialogue": claim.engaged,
        "first": claim.first,
    }


def explained(audit: Audit, name_of: Callable[[bytes], str]) -> None:
    """Entries of claims tell why, when they are shown."""
    audit.explain(ACTION, lambda row: sentence(row["outcome"], row["node_id"], row["detail"], name_of))


def sentence(outcome: str, node: str, detail: Any, name_of: Callable[[bytes], str]) -> str:
    """For a person; "" where the entry, which another node may have written, makes no sense."""
    try:
        return _sentence(outcome, name_of(from_text(node)), detail, lambda text: name_of(from_text(text)))
    except (InvalidInput, KeyError, TypeError, AttributeError, ValueError):
        return ""


def _sentence(outcome: str, here: str, detail: Detail, name: Callable[[str], str]) -> str:
    others: list[Detail] = list(detail["claims"])
    standing = [one for one in others if not one["out"]]
    because = _because(detail, standing, name)
    said = {
        "answered": f"{here} answered: {because}.",
        "answered too": f"{here} answered too: {because}.",
        "stopped": f"{here} chimed and then left the answer to another room; it chimed because {because}.",
        "withdrew": f"{here} chimed, but nothing was said to it; it chimed because {because}.",
        "gave up": f"{here} chimed, but heard no end of what was said; it chimed because {because}.",
    }[outcome]
    later = _names([one["node"] for one in standing if not one["first"]], name)
    if later and detail["why"] not in ("first", "another person"):
        said += f" {later} heard of a claim before hearing the wake word, and left it to others."
    if out := _names([one["node"] for one in others if one["out"]], name):
        said += f" {out} withdrew or could not be reached any more."
    if away := _names(detail["unreachable"], name):
        said += f" {away} could not be reached, so another room may have answered as well."
    return said


def _because(detail: Detail, standing: list[Detail], name: Callable[[str], str]) -> str:
    own, first = detail["own"], [one for one in standing if one["first"]]
    rivals = _names([one["node"] for one in first or standing], name)
    loudest = max((int(one["snr_db"]) for one in first), default=0)
    return {
        "alone": "no other node could be reached",
        "only one": "no other room heard the wake word",
        "took over": "the rooms before it withdrew or stayed silent",
        "able": f"it could answer, and {rivals} could not",
        "first": f"it had claimed the wake word before {rivals} heard it",
        "dialogue": f"a conversation was going on there, and not in {rivals}",
        "louder": f"it heard the wake word best, {own['snr_db']} dB over its noise, {rivals} at most {loudest} dB",
        "lower id": f"{rivals} heard the wake word at the same time and as well, and of equals the lower id answers",
        "another person": f"somebody else spoke there, and {rivals} heard other words",
    }[detail["why"]]


def _names(nodes: Iterable[str], name: Callable[[str], str]) -> str:
    names = list(dict.fromkeys(map(name, nodes)))
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
