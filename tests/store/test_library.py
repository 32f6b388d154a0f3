"""The library's part of the store, on both forms: what is put in is found, what is taken out is gone, also from the
pages of the file."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jarvis.core.errors import StoreFailed
from jarvis.store import library
from jarvis.store.library import StoredChunk
from jarvis.store.memory import MemoryStore
from jarvis.store.protocol import Store, Transaction
from jarvis.store.sqlcipher import SqlCipherStore
from tests.store.pages import occurrences
from tests.store.support import KEY, run

BOILER = [("Boiler > Start", "Press the green button twice."), ("Boiler > Service", "Descale it every autumn.")]
OVEN = [("page 1", "The oven's button is red."), ("page 2", "Bake bread at 220 degrees."), ("page 3", "Crème brûlée.")]


def filled(transaction: Transaction) -> list[int]:
    transaction.library.begin("boiler", b"about the boiler")
    transaction.library.begin("oven", b"about the oven")
    return transaction.library.append("boiler", BOILER) + transaction.library.append("oven", OVEN)


async def found(store: Store, *words: str) -> list[str]:
    def look(t: Transaction) -> list[str]:
        return [one.text for one in t.library.chunks(id for id, _ in t.library.search(words, 10))]

    return await store.read(look)


def test_words_find_the_chunks_that_hold_them(form: Any) -> None:
    async def body(store: Store) -> None:
        ids = await store.write(filled)
        assert len(ids) == 5 and ids == sorted(set(ids))
        assert set(await found(store, "button")) == {BOILER[0][1], OVEN[0][1]}
        assert await found(store, "green", "buttons") == [BOILER[0][1], OVEN[0][1]], "the better one first"
        assert await found(store, "DESCALING") == [BOILER[1][1]], "by its stem"
        assert await found(store, "service") == [BOILER[1][1]], "by its place"
        assert await found(store, "creme", "brulee") == [OVEN[2][1]]
        for odd in ("", '"', "NOT", "a OR", "text:oven*", "'", "\0", "^", "(" * 50):
            await found(store, odd)
        assert await found(store) == []
        scores = await store.read(lambda t: [score for _, score in t.library.search(["button", "green"], 10)])
        assert scores == sorted(scores, reverse=True)
        assert len(await store.read(lambda t: t.library.search(["button"], 1))) == 1
        assert await store.read(lambda t: t.library.content("oven", 1, 9)) == OVEN[1:]
        assert await store.read(lambda t: t.library.content("oven", 0, 1)) == OVEN[:1]
        assert await store.read(lambda t: t.library.content("nothing", 0, 9)) == []
        assert await store.read(lambda t: t.library.about("oven")) == b"about the oven"
        assert await store.read(lambda t: t.library.about("nothing")) is None
        one = await store.read(lambda t: t.library.chunks([ids[3], 99, ids[0]]))
        assert one == [StoredChunk(ids[3], "oven", 1, *OVEN[1]), StoredChunk(ids[0], "boiler", 0, *BOILER[0])]
        assert await store.read(lambda t: t.library.documents()) == {
            "boiler": b"about the boiler",
            "oven": b"about the oven",
        }

    run(form, body)


def test_common_words_rank_the_chunks_that_rarer_ones_choose(form: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    often = {"pump": 3, "boiler": 4, "heat": 5}
    texts = [
        " ".join(["valve", *(word for word, each in often.items() if at % each == 0), *["more"] * at])
        for at in range(40)
    ]

    def holding(*words: str) -> set[int]:
        return {at for at, text in enumerate(texts, 1) if all(word in text for word in words)}

    def fill(t: Transaction) -> None:
        t.library.begin("house", b"")
        t.library.append("house", [("", text) for text in texts])

    async def body(store: Store) -> None:
        await store.write(fill)
        monkeypatch.setattr(library, "COMMON_SHARE", 1)
        asked = ["boiler", "valve", "heat", "pump", "never"]
        whole = await store.read(lambda t: t.library.search(asked, 40))
        assert {one for one, _ in whole} == holding("valve")
        for rows, words, most, chosen in (
            (8, asked, 40, holding("heat")),
            (7, asked, 2, holding("heat", "boiler")),
            (7, asked, 40, holding("heat")),
            (1, asked, 1, holding("heat", "boiler", "pump")),
            (7, ["valve"], 40, holding("valve")),
            (7, ["never"], 40, set()),
        ):
            monkeypatch.setattr(library, "RARE_ROWS", rows)
            some = await store.read(lambda t, words=words, most=most: t.library.search(words, most))
            if words is asked:
                fit = [(one, pytest.approx(score)) for one, score in whole if one in chosen]
                assert some == fit[:most], "the rarest choose, and the score is that of all words"
            assert {one for one, _ in some} <= chosen, (rows, words)
            assert len(some) == min(most, len(chosen)), (rows, words)
        monkeypatch.setattr(library, "COMMON_SHARE", 3)
        alone, beside = [
            await store.read(lambda t, w=w: t.library.search(w, 40)) for w in (["heat"], ["valve", "heat"])
        ]
        assert alone == beside and alone, "a word that is everywhere tells nothing"
        monkeypatch.setattr(library, "COMMON_SHARE", 1)
        monkeypatch.setattr(library, "MAX_COUNTED", len(holding("heat")) + len(texts) - 1)
        assert await store.read(lambda t: t.library.search(["valve", "heat"], 40)) == alone, "so many are not counted"

    run(form, body)


def test_a_document_is_taken_out_in_pieces_and_leaves_the_other(form: Any) -> None:
    async def body(store: Store) -> None:
        ids = await store.write(filled)
        await store.write(lambda t: t.library.put_vectors([(one, b"v" * 8) for one in ids]))
        assert await store.write(lambda t: t.library.erase("oven", 2)) == [ids[4], ids[3]]
        assert await store.read(lambda t: t.library.counts()) == {"boiler": (2, 0), "oven": (1, 0)}
        assert await store.write(lambda t: t.library.erase("oven", 2)) == [ids[2]]
        assert await store.write(lambda t: t.library.erase("oven", 2)) == []
        assert await store.write(lambda t: t.library.erase("never", 2)) == []
        assert await store.read(lambda t: t.library.counts()) == {"boiler": (2, 0)}
        assert await found(store, "button", "bread", "oven") == [BOILER[0][1]]
        assert await store.read(lambda t: t.library.vectored(0, 10)) == ids[:2]

        def again(t: Transaction) -> list[int]:
            t.library.begin("oven", b"")
            return t.library.append("oven", OVEN[:1])

        assert (await store.write(again))[0] > ids[4], "no id is given twice"

    run(form, body)


def test_vectors_are_waited_for_and_kept_once(form: Any) -> None:
    async def body(store: Store) -> None:
        ids = await store.write(filled)
        waiting = await store.read(lambda t: t.library.waiting(3))
        assert waiting == [(ids[0], *BOILER[0]), (ids[1], *BOILER[1]), (ids[2], *OVEN[0])]
        vectors = [(ids[0], b"first"), (ids[2], b"third"), (999, b"of nothing")]
        assert await store.write(lambda t: t.library.put_vectors(vectors)) == [ids[0], ids[2]]
        assert await store.write(lambda t: t.library.put_vectors([(ids[0], b"other")])) == []
        assert await store.read(lambda t: t.library.vectored(0, 10)) == [ids[0], ids[2]]
        assert await store.read(lambda t: t.library.vectored(0, 1)) == [ids[0]]
        assert await store.read(lambda t: t.library.vectored(ids[0], 10)) == [ids[2]]
        held = await store.read(lambda t: t.library.vectors([ids[2], ids[1], ids[0]]))
        assert held == [(ids[2], b"third"), (ids[0], b"first")]
        assert await store.read(lambda t: t.library.counts()) == {"boiler": (2, 1), "oven": (3, 2)}

    run(form, body)


def test_the_indexes_are_thrown_away_and_made_anew(form: Any) -> None:
    async def body(store: Store) -> None:
        ids = await store.write(filled)
        await store.write(lambda t: t.library.put_vectors([(ids[0], b"first")]))
        await store.write(lambda t: t.library.throw_away())
        assert await found(store, "button") == []
        assert await store.read(lambda t: t.library.vectored(0, 10)) == []
        assert await store.write(lambda t: t.library.put_vectors([(ids[0], b"early")])) == [], "its words come first"
        assert await store.write(lambda t: t.library.erase("boiler", 1)) == [ids[1]], "though its words are not there"
        assert [await store.write(lambda t: t.library.index_words(3)) for _ in range(3)] == [3, 1, 0]
        assert set(await found(store, "button")) == {BOILER[0][1], OVEN[0][1]}
        assert await found(store, "descale") == []
        assert await store.read(lambda t: len(t.library.waiting(10))) == 4

    run(form, body)


def test_what_a_failing_work_did_is_undone(form: Any) -> None:
    async def body(store: Store) -> None:
        await store.write(filled)

        def fail(t: Transaction) -> None:
            t.put("key", b"value")
            t.library.erase("oven", 10)
            t.library.begin("new", b"")
            t.library.append("new", [("", "zebra")])
            raise LookupError

        with pytest.raises(LookupError):
            await store.write(fail)
        with pytest.raises(StoreFailed, match="tried to write"):
            await store.read(lambda t: t.library.begin("new", b""))
        assert await found(store, "zebra", "bread") == [OVEN[1][1]]
        assert list(await store.read(lambda t: t.library.documents())) == ["boiler", "oven"]
        assert await store.read(lambda t: t.get("key")) is None

    run(form, body)


def test_a_twin_s_copy_goes_its_own_way() -> None:
    store = MemoryStore()
    store.transact(filled)
    twin = store.copy()
    twin.transact(lambda t: t.library.erase("oven", 10))
    assert list(store.view(lambda t: t.library.documents())) == ["boiler", "oven"]
    assert list(twin.view(lambda t: t.library.documents())) == ["boiler"]
    assert twin.view(lambda t: t.library.search(["bread"], 9)) == []


def test_what_was_taken_out_stands_in_no_page_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    kept, gone = "marmoset" * 3, "pangolin" * 3

    async def body() -> None:
        store = await SqlCipherStore.open(path, KEY)
        for name, word in (("kept", kept), ("gone", gone)):
            chunks = [(f"{word} > {at}", f"{word} number {at} " + "filler " * (at % 90)) for at in range(400)]
            await store.write(lambda t, name=name, word=word: t.library.begin(name, word.encode()))
            ids = await store.write(lambda t, name=name, chunks=chunks: t.library.append(name, chunks))
            vectors = [(one, (word * 20).encode()) for one in ids]
            await store.write(lambda t, vectors=vectors: t.library.put_vectors(vectors))
        assert occurrences(path, KEY, gone.encode()), "there is something to take out"
        while await store.write(lambda t: t.library.erase("gone", 100)):
            pass
        await store.close()

    asyncio.run(body())
    assert not occurrences(path, KEY, gone.encode())
    assert occurrences(path, KEY, kept.encode())
