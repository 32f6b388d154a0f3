"""The fetching of one document's content, piece by piece: which are wanted next, which of those that come are believed,
and which can be kept. A state machine without I/O: pieces may come in any order, twice, late or never, from whomever;
what is kept is always the content's beginning, without a gap, and nothing else."""

from __future__ import annotations

from jarvis.core.errors import InvalidBytes
from jarvis.node.library.pieces import Blob, Chunk, belongs, read_chunks

AHEAD = 2
"""Pieces on their way or waiting for one before them; see PIECE_BYTES."""


class Fetching:
    """`kept` are the pieces that are kept already, from the first on."""

    def __init__(self, blob: Blob, kept: int = 0) -> None:
        self.blob = blob
        self.kept = kept
        self._ready: dict[int, list[Chunk]] = {}

    @property
    def whole(self) -> bool:
        return self.kept >= self.blob.pieces

    def wanted(self) -> list[int]:
        """To be asked for, in this order; again when nothing came of it."""
        ahead = range(self.kept, min(self.kept + AHEAD, self.blob.pieces))
        return [index for index in ahead if index not in self._ready]

    def came(self, index: int, piece: bytes, proof: list[bytes]) -> bool:
        """Whether it is what was wanted; else whoever gave it lied. Raises InvalidBytes when it is, and is no text of a
        document: then the content itself is not to be believed."""
        if not belongs(self.blob, index, piece, proof):
            return False
        if self.kept <= index < self.kept + AHEAD:  # not one that came before, or that nobody asked for
            self._ready[index] = read_chunks(piece)
        return True

    def ready(self) -> list[list[Chunk]]:
        """The pieces to keep now, in their order; each is given out until `keep` takes it."""
        pieces: list[list[Chunk]] = []
        while (piece := self._ready.get(self.kept + len(pieces))) is not None:
            pieces.append(piece)
        return pieces

    def keep(self, pieces: int) -> None:
        """So many more are durable."""
        for index in range(self.kept, self.kept + pieces):
            if index not in self._ready:
                raise InvalidBytes("A piece that did not come cannot be kept.")
            del self._ready[index]
        self.kept += pieces
