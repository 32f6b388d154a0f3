"""After a day's use no file under the data, cache or temporary folder, nor the log, holds a spoken word, a name that
somebody gave or a config value, however it is written down; and keys lie apart, readable by their owner alone."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from jarvis.core.errors import InvalidInput
from jarvis.models import cache
from jarvis.testing.processes import agree, linked, until
from tests.node.conftest import Home

SPOKEN = ("zanzibar", "flowerpot", "marmalade", "saxophone", "ravioli")
VALUES = ("vermilion", "thirteenpence", "heliotrope")


def spellings(word: str) -> Iterator[bytes]:
    """A word as bytes: in three encodings, capitalised or not, and within base64 at each of its three offsets."""
    for text in (word, word.capitalize(), word.upper()):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            raw = text.encode(encoding)
            yield raw
            for offset in range(3):
                # Characters whose bits belong to the word alone: those at both ends mix with its neighbours.
                first, last = -(-8 * offset // 6), 8 * (offset + len(raw)) // 6
                coded = base64.b64encode(bytes(offset) + raw + bytes(3))[first:last]
                yield coded
                yield coded.replace(b"+", b"-").replace(b"/", b"_")
            yield raw.hex().encode()


def files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                yield path


def found_in(content: bytes, words: tuple[str, ...]) -> set[str]:
    return {word for word in words if any(one in content for one in spellings(word))}


def test_the_search_finds_what_it_is_for() -> None:
    for word in SPOKEN:
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            for before in ("", "a", "ab", "abc"):
                raw = f"{before}{word}!?".encode(encoding)
                for content in (raw, base64.b64encode(raw), base64.urlsafe_b64encode(raw), raw.hex().encode()):
                    assert found_in(content, (word,)) == {word}


@pytest.mark.models
def test_nothing_said_or_set_can_be_read_from_disk(home: Home, tmp_path: Path) -> None:
    temporary, caches = tmp_path / "tmp", tmp_path / "cache"
    temporary.mkdir()
    caches.mkdir()
    env = {
        "TMPDIR": str(temporary),
        "XDG_CACHE_HOME": str(caches),
        "JARVIS_MODELS_DIR": str(cache.cache_dir()),
        "HOME": str(tmp_path / "home"),
    }
    kitchen, bedroom = (
        home.node("kitchen", "--peer", home.address("bedroom"), env=env),
        home.node("bedroom", "--peer", home.address("kitchen"), env=env),
    )
    kitchen.start()
    bedroom.start()
    until(lambda: linked(kitchen, bedroom), 15, "the link")
    kitchen.ask("Remember that the Zanzibar key is under the flowerpot.")
    kitchen.ask("What did I ask you to remember?")
    kitchen.ask("Marmalade and a saxophone, what do you think of that?")  # for the language model, where there is one
    kitchen.ask("Set a ravioli timer for ten minutes.")
    kitchen.set_config("curtain.colour", "vermilion")
    kitchen.set_config("kettle.price", "thirteenpence", local=True)
    bedroom.set_config("curtain.colour", "heliotrope", node="kitchen")
    with pytest.raises(InvalidInput):  # what is refused must not be kept either
        kitchen.set_config("Marmalade Saxophone", "vermilion")
    until(lambda: agree(kitchen, bedroom), 15, "agreement")
    session = kitchen.get("/api/v2/sessions")[0]["session_id"]
    assert "Zanzibar" in str(bedroom.get(f"/api/v2/sessions/{session}")), "the search has something to find"
    assert "ravioli" in str(kitchen.get("/api/v2/timers"))

    words = SPOKEN + VALUES
    searched = 0
    while_running = {str(path): path.read_bytes() for path in files(tmp_path)}
    kitchen.kill()
    bedroom.stop()
    afterwards = {str(path): path.read_bytes() for path in files(tmp_path)}
    for contents in (while_running, afterwards):
        for name, content in contents.items():
            searched += len(content)
            assert not found_in(content, words), name
            assert not any(word in name.lower() for word in words)
    assert searched > 100_000
    for node in (kitchen, bedroom):
        assert len(node.stderr) > 100, "there is a log to search"
        assert not found_in(node.stderr.encode(), words)


def test_keys_lie_apart_and_are_their_owner_s_alone(home: Home) -> None:
    kitchen = home.node("kitchen")
    kitchen.start()
    data = home.folder / "kitchen"
    database = next(data.rglob("*.db"))
    keys = [data / "keys" / name for name in ("node.key", "store.key")]
    for key in (*keys, data / "run" / "api.json"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert key.stat().st_uid == os.geteuid()
        assert key.parent != database.parent
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    store_key = keys[1].read_bytes()
    pem_body = b"".join(keys[0].read_bytes().splitlines()[1:-1])
    seed = base64.b64decode(pem_body)[-32:]
    for path in files(data):
        content = path.read_bytes()
        if path != keys[1]:
            assert store_key not in content and store_key.hex().encode() not in content, path
        if path != keys[0]:
            assert seed not in content and seed.hex().encode() not in content, path
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert not database.read_bytes().startswith(b"SQLite format 3")
