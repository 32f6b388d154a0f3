"""`jarvis`, but every frame that it hands to a link is also written, before TLS, into the file that JARVIS_TEST_FRAMES
names: four bytes of length, then the frame."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from jarvis_cli.main import main

from jarvis.node.links import link_run
from jarvis.sync.messages import Message, encode


def recorded(message: Message) -> bytes:
    frame = encode(message)
    with Path(os.environ["JARVIS_TEST_FRAMES"]).open("ab") as file:
        file.write(struct.pack(">I", len(frame)) + frame)
    return frame


def frames(path: Path) -> list[bytes]:
    """What was handed over so far."""
    data, at, found = path.read_bytes() if path.exists() else b"", 0, []
    while at + 4 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return found


if __name__ == "__main__":
    link_run.encode = recorded  # type: ignore[assignment]
    raise SystemExit(main())
