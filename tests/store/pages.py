"""A store's file and log as a thief with the key would read them: every page decrypted, whatever SQLite makes of it.

SQLCipher 4: pages of 4,096 bytes, AES-256 in CBC mode, with 80 bytes at the end of each for the 16-byte initialisation
vector and the authentication code; the first 16 bytes of the file are its salt. In the log each page stands behind 24
bytes of its own, after 32 bytes for all. Source: https://www.zetetic.net/sqlcipher/design/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PAGE, RESERVED, SALT = 4_096, 80, 16


def pages(path: Path, key: bytes) -> Iterator[bytes]:
    data = path.read_bytes()
    for at in range(0, len(data), PAGE):
        yield _decrypted(data[at : at + PAGE], key, SALT if at == 0 else 0)
    log = path.with_name(path.name + "-wal")
    data = log.read_bytes() if log.exists() else b""
    for at in range(32, len(data), 24 + PAGE):
        number = int.from_bytes(data[at : at + 4], "big")
        yield _decrypted(data[at + 24 : at + 24 + PAGE], key, SALT if number == 1 else 0)


def _decrypted(page: bytes, key: bytes, plain: int) -> bytes:
    # The last page may be under way in a running node's file. Without its vector all but its first block can be read.
    vector = page[PAGE - RESERVED : PAGE - RESERVED + 16].ljust(16, b"\0")
    decryptor = Cipher(algorithms.AES(key), modes.CBC(vector)).decryptor()
    return decryptor.update(_whole_blocks(page[plain : PAGE - RESERVED])) + decryptor.finalize()


def _whole_blocks(data: bytes) -> bytes:
    return data[: len(data) // 16 * 16]


def occurrences(path: Path, key: bytes, word: bytes) -> int:
    """How often a word stands in any page, whole."""
    return sum(page.count(word) for page in pages(path, key))
