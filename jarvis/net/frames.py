"""Length-prefixed frames on an asyncio stream, measured before they are read; for pairing."""

from __future__ import annotations

import asyncio
import struct

from jarvis.core.errors import InvalidBytes

_LENGTH = struct.Struct(">I")


async def read_frame(reader: asyncio.StreamReader, limit_bytes: int) -> bytes:
    """The next frame. Raises InvalidBytes for one over the limit, EOFError when the stream ends, OSError."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > limit_bytes:
        raise InvalidBytes(f"A frame of {length} bytes is over the limit of {limit_bytes}.")
    return await reader.readexactly(length)


async def write_frame(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(_LENGTH.pack(len(frame)) + frame)
    await writer.drain()
