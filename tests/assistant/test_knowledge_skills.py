"""What is said of the home's documents: quoted with its place, or an honest sentence."""

from __future__ import annotations

import asyncio
from datetime import date

import pytest

from jarvis.assistant.assistant import Assistant
from jarvis.assistant.types import Findings, Quotation, Reply
from tests.assistant.homes import MemoryHome, request, whole

FILTER = Quotation(
    "d1", "Samovar handbook", "Samovar handbook > Care > Strainer, lines 3-9", "Rinse it", "study", False, 2
)


def asked(text: str, home: MemoryHome) -> tuple[str, Reply]:
    async def body() -> tuple[str, Reply]:
        reply = await Assistant().answer(request(text), home)
        return await whole(reply), reply

    return asyncio.run(body())


def test_a_quotation_names_document_place_and_room() -> None:
    home = MemoryHome(findings=Findings(2, [FILTER]))
    said, reply = asked("What does the samovar handbook say about the strainer?", home)
    assert said == "Samovar handbook says under Care, Strainer: Rinse it. That is from the study."
    assert [(query.removeprefix("the "), source) for query, source in home.looked_up] == [
        ("strainer", "samovar handbook")
    ]
    assert reply.intent == "knowledge_search" and reply.source == "intent"
    assert reply.citations == (
        {
            "document_id": "d1",
            "title": "Samovar handbook",
            "place": "Samovar handbook > Care > Strainer, lines 3-9",
            "chunk": 2,
            "text": "Rinse it",
            "holder": "study",
            "as_of": None,
        },
    )


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("page 3", "Lease says on page 3: Six weeks."),
        ("Money > Rent, pages 3-4", "Lease says under Money, Rent on pages 3-4: Six weeks."),
        ("Lease > Rent", "Lease says under Rent: Six weeks."),
        ("Le > Rent", "Lease says under Le, Rent: Six weeks."),
        ("lines 1-9", "Lease says: Six weeks."),
        ("", "Lease says: Six weeks."),
    ],
)
def test_a_place_is_said_as_one_says_it(place: str, said: str) -> None:
    here = Quotation("d2", "Lease", place, "Six weeks.", "kitchen", True)
    assert asked("look up the notice period in my documents", MemoryHome(findings=Findings(1, [here])))[0] == said


def test_a_page_with_its_sites_name_behind_is_not_said_twice() -> None:
    page = Quotation("d3", "Care — Samovars of the world", "Care > Strainer", "Rinse it.", "kitchen", True)
    said = asked("look up the strainer in my documents", MemoryHome(findings=Findings(1, [page])))[0]
    assert said == "Care — Samovars of the world says under Strainer: Rinse it."


@pytest.mark.parametrize(("here", "where"), [(True, "this room"), (False, "the study")])
def test_a_copy_is_called_one_when_its_holder_could_not_be_asked(here: bool, where: str) -> None:
    copy = Quotation("d2", "Lease", "page 3", "Six weeks.", "study", here, copy=True)
    said, reply = asked("look up the notice period in my documents", MemoryHome(findings=Findings(1, [copy])))
    assert said == f"Lease says on page 3: Six weeks. That is from the copy in {where}."
    assert reply.citations[0]["holder"] == "study"


def test_what_its_file_says_no_more_is_told_with_its_day() -> None:
    old = Quotation("d2", "Lease", "page 3", "Six weeks.", "study", False, as_of=date(2026, 11, 9))
    said, reply = asked("look up the notice period in my documents", MemoryHome(findings=Findings(1, [old])))
    assert said.endswith("That is from the study. That is as of November 9; what the file holds now could not be read.")
    assert reply.citations[0]["as_of"] == "2026-11-09"


def test_what_was_not_found_is_not_made_up_and_silence_is_told() -> None:
    nothing = Findings(3, [], ["study", "attic"], [])
    said, reply = asked("what do my documents say about the boiler", MemoryHome(findings=nothing))
    assert said.startswith("I found nothing about") and "boiler" in said
    assert said.endswith("I could not ask the study and the attic, so there may be more.")
    assert reply.ok and not reply.citations
    named = Findings(3, [], [], ["Rental contract"])
    said, _ = asked("what does the rental contract say about pets", MemoryHome(findings=named))
    assert said == "I found nothing about pets in Rental contract."
    assert asked("search my documents for pets", MemoryHome())[0] == "I have no documents to look in yet."
