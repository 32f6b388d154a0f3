"""What a document's content is cut into, how a piece is told from a false one, and how pieces become the whole again:
in any order, lost, repeated and wrong."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from jarvis.core.codec import pack
from jarvis.core.errors import InvalidBytes
from jarvis.node.library.fetching import AHEAD, Fetching
from jarvis.node.library.pieces import (
    MAX_PIECES,
    PIECE_BYTES,
    PIECE_CHUNKS,
    Blob,
    Chunk,
    Cut,
    Progress,
    Wanted,
    belongs,
    blob_of,
    read_chunks,
    read_given,
    read_progress,
    read_wanted,
    write_chunks,
    write_given,
    write_progress,
    write_wanted,
)

CHUNKS = st.lists(
    st.tuples(st.text(max_size=9), st.integers(0, 6_000).map(lambda size: "x" * size)), min_size=1, max_size=250
)


def pieces_of(chunks: list[Chunk], cut: Cut) -> list[bytes]:
    spans = [cut.chunks_of(index) for index in range(len(cut.leaves))]
    return [write_chunks(chunks[first : first + count]) for first, count in spans]


def cut_up(chunks: list[Chunk]) -> tuple[Cut, Blob, list[bytes]]:
    cut = Cut()
    cut.add(chunks)
    blob = cut.blob()
    return cut, blob, pieces_of(chunks, cut)


@given(CHUNKS)
@settings(max_examples=40, deadline=None)
def test_every_piece_fits_belongs_and_together_they_are_the_content(chunks: list[Chunk]) -> None:
    cut, blob, pieces = cut_up(chunks)
    assert [one for piece in pieces for one in read_chunks(piece)] == chunks
    assert blob.size_bytes == sum(map(len, pieces)) and blob.pieces == len(pieces)
    for index, piece in enumerate(pieces):
        assert len(piece) <= PIECE_BYTES
        sent = write_given(piece, cut.proof(index))
        assert len(sent) <= 31 * 1024 and read_given(sent) == (piece, cut.proof(index))
        assert belongs(blob, index, piece, cut.proof(index))
        assert not belongs(blob, index, piece + b"\0", cut.proof(index))
        assert not belongs(blob, index, piece, [*cut.proof(index), bytes(32)])
        assert not belongs(blob, (index + 1) % (blob.pieces + 1), piece, cut.proof(index))
        for at in range(len(cut.proof(index))):
            assert not belongs(
                blob, index, piece, [bytes(32) if n == at else h for n, h in enumerate(cut.proof(index))]
            )
    assert Blob.from_value(blob.to_value()) == blob == blob_of(chunks)


def test_the_tree_is_the_one_of_the_standard() -> None:
    """RFC 9162, 2.1.1: a tree of n leaves is split at the largest power of two below n."""

    def root(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return leaves[0]
        left = 1 << (len(leaves) - 1).bit_length() - 1
        return hashlib.sha256(b"\1" + root(leaves[:left]) + root(leaves[left:])).digest()

    for count in range(1, 40):
        cut, blob, _ = cut_up([("", "x" * 20_000 + str(n)) for n in range(count)])
        assert blob.root == root(cut.leaves) and blob.pieces == count


def test_what_cannot_be_copied_has_no_name() -> None:
    assert blob_of([]) is None
    assert blob_of([("", "😀" * 8_000)]) is None, "one passage is longer than a piece"
    assert blob_of([("", "\ud800")]) is None
    _, blob, _ = cut_up([("", "a")])
    value: Any = blob.to_value()
    for wrong in (None, [], [*value, 1], [value[0][:-1], *value[1:]], [value[0], 0, 9], [value[0], 1, PIECE_BYTES + 1]):
        assert Blob.from_value(wrong) is None
    assert Blob.from_value([value[0], MAX_PIECES + 1, 9]) is None
    assert Blob.from_value([value[0], True, 9]) is None


@pytest.mark.parametrize(
    "wrong",
    [b"", b"\x90", pack([]), pack([["a"]]), pack([["a", 1]]), pack([["a", "b"]] * (PIECE_CHUNKS + 1)), pack("a"),
     pack([["", "x" * 8_001]]), pack([["", "x" * 7_000]] * 5)],
)  # fmt: skip
def test_what_is_no_text_of_a_document_is_refused(wrong: bytes) -> None:
    with pytest.raises(InvalidBytes):
        read_chunks(wrong)
    assert not belongs(Blob(bytes(32), 1, 9), 0, wrong, [])


def test_words_over_links_are_read_with_care() -> None:
    wanted = Wanted("abc", bytes(32), 7)
    assert read_wanted(write_wanted(wanted)) == wanted
    told = {"abc": Progress(3, "The kitchen is away."), "def": Progress(0)}
    assert read_progress(write_progress(told)) == told
    many = {str(n): Progress(n, "x" * 500) for n in range(300)}
    assert 0 < len(read_progress(write_progress(many))) <= 100
    for wrong in (
        *(b"", pack([]), pack(["a", bytes(32), -1]), pack(["a" * 65, bytes(32), 1])),
        *(pack(["a", bytes(32), MAX_PIECES]), pack([1, bytes(32), 1]), pack(["a", bytes(31), 1])),
    ):
        with pytest.raises(InvalidBytes):
            read_wanted(wrong)
    for wrong in (b"", pack([b"a", [b"short"]]), pack([b"a"]), pack(["a", []]), pack([b"a" * 32 * 1024, []])):
        with pytest.raises(InvalidBytes):
            read_given(wrong)
    for wrong in (pack("a"), pack([["a", -1, ""]]), pack([["a", 1]]), pack([["a", 1, "x" * 201]])):
        with pytest.raises(InvalidBytes):
            read_progress(wrong)


CONTENT: list[Chunk] = [(f"page {n}", f"Passage {n} " + "word " * 900) for n in range(57)]
CUT, BLOB, PIECES = cut_up(CONTENT)
OTHER_CUT, _, OTHER = cut_up([(place, text.upper()) for place, text in CONTENT])


class FetchingInAnyOrder(RuleBasedStateMachine):
    """Pieces are asked for, and come or do not, from honest peers and from liars; the disk takes them, or the node
    starts anew from what it kept."""

    def __init__(self) -> None:
        super().__init__()
        self.fetching = Fetching(BLOB)
        self.kept: list[Chunk] = []
        self.on_their_way: list[int] = []

    @rule()
    def ask(self) -> None:
        self.on_their_way += self.fetching.wanted()

    @precondition(lambda self: self.on_their_way)
    @rule(data=st.data())
    def come_or_be_lost(self, data: st.DataObject) -> None:
        index = self.on_their_way.pop(data.draw(st.integers(0, len(self.on_their_way) - 1)))
        if data.draw(st.booleans()):
            assert self.fetching.came(index, PIECES[index], CUT.proof(index))
            if data.draw(st.booleans()):
                self.on_their_way.append(index)  # it comes twice

    @rule(index=st.integers(0, len(PIECES) + 2), asked=st.integers(0, len(PIECES) - 1))
    def be_lied_to(self, index: int, asked: int) -> None:
        assert not self.fetching.came(index, OTHER[asked], OTHER_CUT.proof(asked))
        if index != asked:
            assert not self.fetching.came(index, PIECES[asked], CUT.proof(asked))

    @rule(index=st.integers(0, len(PIECES) - 1))
    def get_what_nobody_asked_for(self, index: int) -> None:
        assert self.fetching.came(index, PIECES[index], CUT.proof(index))

    @rule()
    def keep(self) -> None:
        pieces = self.fetching.ready()
        self.fetching.keep(len(pieces))
        self.kept += [chunk for piece in pieces for chunk in piece]

    @rule()
    def fail_to_keep(self) -> None:
        assert self.fetching.ready() == self.fetching.ready()

    @rule()
    def start_anew(self) -> None:
        self.fetching = Fetching(BLOB, self.fetching.kept)

    @invariant()
    def what_is_kept_is_the_beginning_and_true(self) -> None:
        first = CUT.chunks_of(self.fetching.kept)[0] if not self.fetching.whole else len(CONTENT)
        assert self.kept == CONTENT[:first]

    @invariant()
    def little_is_wanted_and_it_is_enough(self) -> None:
        wanted = self.fetching.wanted()
        assert len(wanted) <= AHEAD
        assert self.fetching.whole or wanted or self.fetching.ready()

    def teardown(self) -> None:
        while not self.fetching.whole:
            for index in self.fetching.wanted():
                assert self.fetching.came(index, PIECES[index], CUT.proof(index))
            self.keep()
        assert self.kept == CONTENT


TestFetchingInAnyOrder = FetchingInAnyOrder.TestCase
TestFetchingInAnyOrder.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_a_piece_that_did_not_come_is_not_kept_and_one_that_is_no_text_is_told() -> None:
    fetching = Fetching(BLOB)
    with pytest.raises(InvalidBytes):
        fetching.keep(1)
    piece = pack(["no chunk"])
    cut = Cut(leaves=[hashlib.sha256(b"\0" + piece).digest()], firsts=[0], size_bytes=len(piece))
    with pytest.raises(InvalidBytes):
        Fetching(cut.blob()).came(0, piece, [])
