"""The index of vectors on disk, by Chroma: approximate, and there again after a start. It is given opaque ids and
numbers only, since its files are plain; it opens no server, calls nobody, and never chooses a model.

Chroma leaves what it deletes in its files. So to lose one vector all files are thrown away and made anew.
"""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

from jarvis.core.errors import not_installed
from jarvis.knowledge.embedding import DIMENSIONS
from jarvis.knowledge.vectors import cosine


class ChromaVectors:
    """A `Form` (`jarvis.knowledge.vectors`) in a folder of its own. Raises Missing without chromadb."""

    def __init__(self, folder: Path) -> None:
        try:
            import chromadb
            import numpy
        except ImportError as error:
            raise not_installed(error.name or "chromadb", "chroma") from None
        self._chroma: Any = chromadb
        self._np: Any = numpy
        self._folder = folder
        try:
            self._chunks = self._opened()
        except Exception:  # whatever it raises over damaged files: they can be made anew
            self.clear()

    def ids(self) -> list[int]:
        return [int(one) for one in self._chunks.get(include=[])["ids"]]

    def clear(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._chunks = self._opened()

    def add(self, ids: list[int], vectors: bytes) -> None:
        if ids:
            rows = self._np.frombuffer(vectors, "<f4").reshape(len(ids), DIMENSIONS)
            self._chunks.upsert(ids=list(map(str, ids)), embeddings=rows)

    def remove(self, ids: list[int]) -> bool:
        self.clear()
        return False

    def nearest(self, vector: bytes, most: int) -> tuple[list[int], list[float]]:
        most = min(most, self._chunks.count())
        if not most:
            return [], []
        wanted = self._np.frombuffer(vector, "<f4")[None]
        found = self._chunks.query(query_embeddings=wanted, n_results=most, include=["distances"])
        return [int(one) for one in found["ids"][0]], [cosine(1 - one) for one in found["distances"][0]]

    def _opened(self) -> Any:
        """The collection in the folder's one folder. Its name is new each time: Chroma remembers paths."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        inside = sorted(one for one in self._folder.iterdir() if one.is_dir())
        place = inside[0] if inside else self._folder / uuid.uuid4().hex
        settings = self._chroma.config.Settings(anonymized_telemetry=False)
        client = self._chroma.PersistentClient(str(place), settings=settings)
        return client.get_or_create_collection("chunks", embedding_function=None, metadata={"hnsw:space": "ip"})
