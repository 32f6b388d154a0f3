"""The child side of a worker: `python -m jarvis.engines.host`. Loads one object and calls its methods, one at a time.

It writes nothing to standard output but frames: file descriptor 1 is moved away before any native library can print.
It never outlives its parent: the end of standard input, or the parent's death, ends it at once.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import Any, BinaryIO

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidInput, JarvisError
from jarvis.engines import frames

PR_SET_PDEATHSIG = 1
WAITING_REQUESTS = 4
"""The parent asks one thing at a time; a stale one it gave up on may still be ahead of the next."""


class Host:
    def __init__(self, reader: BinaryIO, writer: BinaryIO) -> None:
        self._reader, self._writer = reader, writer
        self._requests: queue.Queue[dict[str, Value]] = queue.Queue(WAITING_REQUESTS)
        self._cancelled = 0  # the highest id given up; ids only rise

    def serve(self, target: str) -> None:
        """Load the object, say so, then answer until the parent goes away."""
        settings = self._read()
        if settings is None:
            return
        try:
            engine = load(target, settings["settings"])
        except Exception as error:
            self._report(0, error)
            return
        self._write({"id": 0, "value": True})
        threading.Thread(target=self._listen, name="requests", daemon=True).start()
        while True:
            self._answer(engine, self._requests.get())

    def _answer(self, engine: Any, request: dict[str, Value]) -> None:
        number = request["id"]
        try:
            result = method_of(engine, request["method"])(*request["args"])
            if request["do"] == "stream":
                self._stream(number, iter(result))
            else:
                self._write({"id": number, "value": result})
        except Exception as error:
            self._report(number, error)

    def _stream(self, number: int, items: Iterator[Value]) -> None:
        try:
            while self._cancelled < number:
                try:
                    item = next(items)
                except StopIteration:
                    break
                self._write({"id": number, "item": item})
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        self._write({"id": number, "end": True})

    def _listen(self) -> None:
        """Reads on while a method runs, so that a cancel and the parent's end are seen at once."""
        try:
            while (request := self._read()) is not None:
                if request["do"] == "cancel":
                    self._cancelled = max(self._cancelled, request["id"])
                else:
                    self._requests.put(request)
        finally:
            os._exit(0)  # the main thread may be deep in native code that no exception reaches

    def _report(self, number: int, error: Exception) -> None:
        if not isinstance(error, JarvisError):
            traceback.print_exc()  # to standard error, which the parent logs at debug
        self._write({"id": number, "error": frames.error_to_value(error)})

    def _read(self) -> dict[str, Value] | None:
        header = self._reader.read(frames.HEADER.size)
        if len(header) < frames.HEADER.size:
            return None
        length = frames.body_length(header)
        body = self._reader.read(length)
        return frames.decode(body) if len(body) == length else None

    def _write(self, message: dict[str, Value]) -> None:
        self._writer.write(frames.encode(message))
        self._writer.flush()


def load(target: str, settings: dict[str, Value]) -> Any:
    """The object that `module:factory`, or `/path/of/a/file.py:factory`, makes of its settings."""
    module, _, factory = target.rpartition(":")
    made = _of_file(module) if module.endswith(".py") else importlib.import_module(module)
    return getattr(made, factory)(**settings)


def _of_file(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("jarvis_engine_of_plugin", path)
    assert spec is not None and spec.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def method_of(engine: Any, name: str) -> Any:
    """A public method. Raises InvalidInput for anything else."""
    method = None if name.startswith("_") else getattr(engine, name, None)
    if not callable(method):
        raise InvalidInput(f"The engine has no method {name!r}.")
    return method


def die_with(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere the end of standard input must do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(0)


def main() -> None:
    # onnxruntime reports its use to its maker unless told not to, and keeps reports on disk until it can.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    target, parent = sys.argv[1], int(sys.argv[2])
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    frames_out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        Host(sys.stdin.buffer, frames_out).serve(target)
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
