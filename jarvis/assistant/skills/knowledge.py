"""Answers from the home's own documents: a quotation with its document, its place and the room that holds it, or an
honest sentence. It never says more than is written, and says when a room could not be asked."""

from __future__ import annotations

import re

from jarvis.assistant.intents import Match
from jarvis.assistant.skills.said import Said, a_list, the
from jarvis.assistant.types import Findings, Home, Quotation, Request

NO_DOCUMENTS = "I have no documents to look in yet."
_ENDS = (".", "!", "?", "…")
_PAGE = re.compile(r"\bpages? \d+(?:-\d+)?")
_COUNTED = re.compile(r"(?:, |^)(?:line|page|minute)s? \d+(?:-\d+)?$")
_BEHIND = ("-", "–", "—", "|", "·", ":", "»")
WHAT = "What should I look for?"


async def search(match: Match, request: Request, home: Home) -> Said:
    """`query`: what is looked for; `source`: the document meant, if one was named."""
    query = str(match.slots.get("query", ""))
    if not query:
        return Said(WHAT, asks=True)
    found = await home.look_up(query, str(match.slots.get("source", "")))
    if not found.documents:
        return Said(NO_DOCUMENTS)
    silent = _silent(found)
    if not found.quotations:
        where = f"in {a_list(found.meant)}" if found.meant else "in your documents"
        return Said(f"I found nothing about {query} {where}.{silent}")
    return Said(_quoted(found.quotations[0]) + silent, citations=tuple(map(citation, found.quotations)))


def _quoted(one: Quotation) -> str:
    ends = "" if one.text.endswith(_ENDS) else "."
    return f"{one.title} says{_where(one)}: {one.text}{ends}{_from(one)}{_outdated(one)}"


def _outdated(one: Quotation) -> str:
    if one.as_of is None:
        return ""
    return f" That is as of {one.as_of:%B} {one.as_of.day}; what the file holds now could not be read."


def _from(one: Quotation) -> str:
    if one.copy:
        return f" That is from the copy in {'this room' if one.here else the(one.room)}."
    return "" if one.here else f" That is from {the(one.room)}."


def _where(one: Quotation) -> str:
    """As one says it; lines are for those who read, in the citation."""
    page = _PAGE.search(one.place)
    names = _COUNTED.sub("", one.place).split(" > ")
    headings = [name for name in names if name and not _is_title(name, one.title)]
    under = f" under {', '.join(headings[-2:])}" if headings else ""
    return f"{under} on {page[0]}" if page else under


def _is_title(heading: str, title: str) -> bool:
    """Web pages put the site's name behind: "Care - Samovars of the world"."""
    rest = title.removeprefix(heading).lstrip()
    return title.startswith(heading) and (not rest or rest.startswith(_BEHIND))


def _silent(found: Findings) -> str:
    if not found.silent:
        return ""
    return f" I could not ask {a_list(map(the, found.silent))}, so there may be more."


def citation(one: Quotation) -> dict[str, object]:
    """As in a Reply."""
    return {
        "document_id": one.document,
        "title": one.title,
        "place": one.place,
        "chunk": one.chunk,
        "text": one.text,
        "holder": one.room,
        "as_of": one.as_of.isoformat() if one.as_of else None,
    }


SKILLS = {"knowledge_search": search}
