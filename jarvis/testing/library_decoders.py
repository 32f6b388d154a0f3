"""What rooms say when one asks the other's library, as targets for `fuzzing`."""

from __future__ import annotations

from jarvis.knowledge.retrieval import Passage
from jarvis.knowledge.vectors import VECTOR_BYTES
from jarvis.node.library import messages as words
from jarvis.node.library import pieces
from jarvis.testing.fuzzing import Target

HOLDER = b"h" * 16
_ID = "abcdefghij234567"


def _question(data: bytes) -> None:
    question = words.read_question(data)
    assert 1 <= question.most <= words.MAX_PASSAGES
    assert words.read_question(words.write_question(question)).text == question.text


def _passages(data: bytes) -> None:
    passages = words.read_passages(data, HOLDER)
    assert len(passages) <= words.MAX_PASSAGES
    assert all(one.holder == HOLDER for one in passages)
    kept = words.read_passages(words.write_passages(passages), HOLDER)
    assert kept == passages[: len(kept)]


def _wanted(data: bytes) -> None:
    wanted = pieces.read_wanted(data)
    assert len(wanted.document) <= pieces.MAX_ID_CHARS and 0 <= wanted.index < pieces.MAX_PIECES
    assert pieces.read_wanted(pieces.write_wanted(wanted)) == wanted


def _given(data: bytes) -> None:
    piece, proof = pieces.read_given(data)
    assert pieces.read_given(pieces.write_given(piece, proof)) == (piece, proof)
    assert not pieces.belongs(pieces.Blob(bytes(32), 3, 9), 1, piece, proof), "nothing has that hash"


def _chunks(data: bytes) -> None:
    chunks = pieces.read_chunks(data)
    assert pieces.read_chunks(pieces.write_chunks(chunks)) == chunks


def _progress(data: bytes) -> None:
    told = pieces.read_progress(data)
    assert pieces.read_progress(pieces.write_progress(told)) == told


def _examples() -> list[bytes]:
    fitting = [
        Passage(HOLDER, _ID, 0, "Cleaning > Filter", "Rinse it under hot water.", 4.25, 0.61),
        Passage(HOLDER, _ID, 7, "", "Then put it back.", None, 0.5),
        Passage(HOLDER, _ID, 8, "page 3", "x" * 900, 1.0, None),
    ]
    return [words.write_passages(fitting), words.write_passages([])]


def library_targets() -> list[Target]:
    asked = [
        words.Question("how do I clean the filter", bytes(VECTOR_BYTES), 5),
        words.Question("filter", None, 1, frozenset([_ID])),
    ]
    piece = pieces.write_chunks([("page 1", "Rinse it under hot water."), ("", "Then put it back.")])
    return [
        Target("library-question", _question, lambda: list(map(words.write_question, asked))),
        Target("library-passages", _passages, _examples),
        Target("library-wanted", _wanted, lambda: [pieces.write_wanted(pieces.Wanted(_ID, bytes(32), 7))]),
        Target("library-given", _given, lambda: [pieces.write_given(piece, [bytes(32)] * 12)]),
        Target("library-chunks", _chunks, lambda: [piece]),
        Target("library-progress", _progress, lambda: [pieces.write_progress({_ID: pieces.Progress(3, "Away.")})]),
    ]
