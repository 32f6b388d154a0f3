"""The one place from which a plugin's code is called. Whatever it raises becomes PluginFailed, with the plugin named
and the fault told to whoever counts; waiting for it has a deadline. What was said never gets into a sentence or a log
line above debug: of an error in use only its type and its place are told."""

from __future__ import annotations

import asyncio
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import structlog

from jarvis.core.errors import DeadlineExceeded, JarvisError, PluginFailed
from jarvis.plugins.watch import WATCH

T = TypeVar("T")
HELD_S = 2.0
"""At a stretch: everything else that the node does waits for a plugin that does not `await`."""
BREAKS = (Exception, SystemExit)
"""What a plugin may raise; a cancellation is one only when nobody asked for it."""

log = structlog.get_logger()


class Misfit(Exception):
    """What a plugin gave is not what it has to give. Its sentence is ours, and holds nothing of what was said."""


class Guard:
    """`broke` is told each fault, in a sentence."""

    def __init__(self, name: str, broke: Callable[[str], None], mono_s: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._broke, self._mono_s = broke, mono_s

    def call(self, what: str, function: Callable[..., T], *args: Any) -> T:
        """Raises PluginFailed, or the JarvisError it raised."""
        try:
            return function(*args)
        except JarvisError:
            raise
        except BREAKS as error:
            raise self._failed(what, error) from None

    async def wait(self, what: str, function: Callable[..., Awaitable[T]], *args: Any, deadline_s: float) -> T:
        """Raises PluginFailed, also when it is late, or the JarvisError it raised."""
        steps = _Steps(self.name, what, lambda: function(*args), self._mono_s)
        try:
            async with asyncio.timeout(deadline_s) as limit:
                return await steps
        except JarvisError:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise self._failed(what, error) from None
        except BREAKS as error:
            late = isinstance(error, TimeoutError) and limit.expired()
            raise self._failed(what, error, f"took more than {deadline_s:g} s" if late else "") from None
        finally:
            if steps.longest_s >= HELD_S:
                self._held(what, steps.longest_s)

    def _held(self, what: str, for_s: float) -> None:
        """Its answer counts, and so does what it did to everybody else."""
        log.warning("a plugin held the node up", plugin=self.name, what=what, seconds=round(for_s, 1))
        self._broke(f"The plugin {self.name!r} held the whole node up for {for_s:.1f} s in {what}.")

    def _failed(self, what: str, error: BaseException, why: str = "") -> PluginFailed:
        why = why or (str(error) if isinstance(error, Misfit) else f"{type(error).__name__}{_place(error)}")
        log.warning("a plugin broke", plugin=self.name, what=what, why=why)
        log.debug("a plugin's error", plugin=self.name, error="".join(traceback.format_exception(error)))
        sentence = f"The plugin {self.name!r} broke in {what}: {why}."
        self._broke(sentence)
        return PluginFailed(sentence, fix=f"Correct it, or switch it off: `jarvis plugin disable {self.name}`.")


class _Steps(Awaitable[T]):
    """What `begin` gives, awaited, and the longest time that it kept the event loop to itself."""

    def __init__(self, plugin: str, what: str, begin: Callable[[], Awaitable[T]], mono_s: Callable[[], float]) -> None:
        self._plugin, self._what, self._begin, self._mono_s = plugin, what, begin, mono_s
        self.longest_s = 0.0

    def __await__(self) -> Generator[Any, Any, T]:
        step: Callable[[], Any] | None = None
        inner: Any = None
        while True:
            began = self._mono_s()
            WATCH.begins(self._plugin, self._what)
            try:
                if step is None:
                    inner = self._begin().__await__()
                    step = partial(next, inner)
                yielded = step()
            except StopIteration as end:
                return cast(T, end.value)
            finally:
                WATCH.over()
                self.longest_s = max(self.longest_s, self._mono_s() - began)
            try:
                step = partial(inner.send, (yield yielded))
            except BaseException as error:
                step = partial(inner.throw, error)


async def apart(function: Callable[[], T], deadline_s: float) -> T:
    """Run `function` in a thread of its own, which is left behind when it is late. Raises the Exception it raises, a
    RuntimeError for what would end more than itself, or DeadlineExceeded."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: Exception | None) -> None:
        if done.done():
            return  # nobody waits any more
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value: T | None = None
        failed: Exception | None = None
        try:
            value = function()
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, StopIteration):
                failed = error
            else:
                failed = RuntimeError(f"it raised {type(error).__name__}")
        try:
            loop.call_soon_threadsafe(settle, value, failed)
        except RuntimeError:
            return  # the loop has ended; so has whoever waited

    threading.Thread(target=run, name="plugin", daemon=True).start()
    try:
        async with asyncio.timeout(deadline_s):
            return await done
    except TimeoutError:
        if done.done() and not done.cancelled():
            raise  # the plugin's own
        raise DeadlineExceeded(f"It took more than {deadline_s:g} s.") from None


def _place(error: BaseException) -> str:
    """Where in the plugin's code: the innermost line."""
    frames = traceback.extract_tb(error.__traceback__)
    return f" at {Path(frames[-1].filename).name} line {frames[-1].lineno}" if len(frames) > 1 else ""
