"""A worker under supervision: left alone for growing pauses when it fails, brought back when it may be, ended when
nobody needs it. A caller never waits for an engine that is known to be down; it is told so at once.

It adds nothing to what a call means: those are `Worker`'s words, passed through.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from jarvis.core.codec import Value
from jarvis.core.errors import DeadlineExceeded, EngineFailed, JarvisError, Missing
from jarvis.core.events import Event
from jarvis.core.time import Clock, SystemClock
from jarvis.engines.breaker import Breaker, BreakerSettings
from jarvis.engines.events import EngineDown, EngineReady, EngineReleased
from jarvis.engines.worker import Busy

IDLE_S = 30 * 60.0
"""A home that was quiet for half an hour goes on being quiet; loading again costs the next turn about half a second."""
TICK_S = 1.0
"""How often a supervisor looks. It looks at a number and a process id, which costs nothing."""
LOOK_AGAIN_S = 5.0
"""What is not installed is looked for again only then: a process that starts to say so costs a third of a second."""
RESTART_S = 90.0
"""Somebody who asks for a restart waits no longer: loading may take a minute."""

log = structlog.get_logger()


class Supervised(Protocol):
    """What is used of `engines.Worker`."""

    @property
    def state(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def restarts(self) -> int: ...
    def rss_bytes(self) -> int: ...
    async def start(self) -> None: ...
    async def call(self, method: str, *args: Value, deadline_s: float) -> Value: ...
    def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]: ...
    async def restart(self) -> None: ...
    async def close(self) -> None: ...


@dataclass(slots=True)
class _Use:
    """One call, as far as it has come."""

    answered: bool = False
    """Something of a stream has come: leaving it early is no doubt."""
    proves: bool = True
    """That it went well proves that the engine works. Loading proves little."""


class Engine:
    """`name` is how people call it, `kind` what it does: ears, stt, llm, tts or embedding. `idle_s` without a call ends
    the worker; 0 never does."""

    def __init__(
        self,
        name: str,
        kind: str,
        worker: Supervised,
        *,
        idle_s: float = IDLE_S,
        breaker: BreakerSettings | None = None,
        clock: Clock | None = None,
        emit: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self.name, self.kind, self.idle_s = name, kind, idle_s
        self._worker, self._emit = worker, emit
        self._clock = clock or SystemClock()
        self.breaker = Breaker(breaker or BreakerSettings(), self._clock.mono_ms, random.random)
        self._users = 0
        self._used_ms = self._clock.mono_ms()
        self._gate = asyncio.Lock()
        """Held while the worker is being ended for idleness: a call that comes just then waits, and loads it again."""
        self._asked = 0
        """Counts what people asked for, restarts and closing: what fails because of it is no failure."""
        self._missing: Missing | None = None
        self._missing_until_ms = 0.0
        self._lost = False
        """Its process ended while nobody used it, and was not brought back yet."""
        self._released = False
        self._wanted = asyncio.Event()
        self._known_pid: int | None = None
        self._known_restarts = 0

    # --- a worker's own face ------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """A worker notices only when it is asked that its process is gone."""
        return "failed" if self._worker.state == "ready" and self.pid is None else self._worker.state

    @property
    def pid(self) -> int | None:
        return self._worker.pid

    @property
    def restarts(self) -> int:
        return self._worker.restarts

    def rss_bytes(self) -> int:
        return self._worker.rss_bytes()

    @property
    def lendable(self) -> bool:
        """Well, installed as far as is known, and nobody here needs it just now."""
        return not self._users and self._missing is None and not self.breaker.failures

    async def start(self) -> None:
        """Load it now. Raises what `Worker.start` raises; EngineFailed at once while it is left alone."""
        async with self._use() as use:
            await self._worker.start()
            use.proves = False

    async def call(self, method: str, *args: Value, deadline_s: float) -> Value:
        """As `Worker.call`; EngineFailed at once while it is left alone."""
        async with self._use():
            return await self._worker.call(method, *args, deadline_s=deadline_s)

    async def stream(self, method: str, *args: Value, deadline_s: float, idle_s: float) -> AsyncIterator[Value]:
        """As `Worker.stream`; EngineFailed at once while it is left alone."""
        async with self._use() as use:
            items = self._worker.stream(method, *args, deadline_s=deadline_s, idle_s=idle_s)
            try:
                async for item in items:
                    use.answered = True
                    yield item
            finally:
                close = getattr(items, "aclose", None)
                if close is not None:
                    await close()

    async def restart(self) -> None:
        """Kill it, whatever it is doing, forget its failures and load it again. A call that somebody awaits is
        repeated, a stream that had begun breaks off. Raises what loading raises."""
        self._asked += 1
        self.breaker.reset()
        self._known_pid = None  # that it ends is no news
        self._lost, self._missing, self._used_ms = False, None, self._clock.mono_ms()
        try:
            async with asyncio.timeout(RESTART_S):
                await self._worker.restart()
        except TimeoutError:
            raise DeadlineExceeded(f"The {self.name} engine did not load within {RESTART_S:g} s.") from None
        finally:
            self._notice()

    async def close(self) -> None:
        """End it. Calls under way fail."""
        self._asked += 1
        self._lost = False
        await self._worker.close()

    # --- what it is -----------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """A row of `engine list`."""
        self.breaker.cool()
        return {
            "name": self.name,
            "kind": self.kind,
            "state": self.state,
            "pid": self.pid,
            "rss_bytes": self.rss_bytes(),
            "restarts": self.restarts,
            "breaker": self.breaker.state,
            "detail": self._detail(),
        }

    def component(self) -> dict[str, str]:
        """Its part of `status`: off, ok, degraded or failed, with a sentence."""
        self.breaker.cool()
        if self._missing is not None or self.breaker.state == "open":
            state = "failed"
        elif self.breaker.failures or self.state == "failed":
            state = "degraded"
        else:
            state = "off" if self.state == "stopped" else "ok"
        return {"state": state, "detail": self._detail()}

    def _detail(self) -> str:
        if self._missing is not None:
            return f"{self._missing} {self._missing.fix}".strip()
        if self.breaker.state == "open":
            return f"{self.breaker.reason} It is left alone for {math.ceil(self.breaker.wait_s())} s."
        if self.breaker.state == "half-open":
            return f"{self.breaker.reason} It may be tried again."
        if self.breaker.failures:
            return f"{self.breaker.reason} ({self.breaker.failures} in a row)"
        if self._worker.state == "stopped":
            return "ended, because nobody needed it" if self._released else "not started"
        return self.state

    # --- supervision ----------------------------------------------------------------------------------------------

    def want(self) -> None:
        """Somebody will ask soon: `supervise` loads it meanwhile, if it is not loaded."""
        self._wanted.set()

    async def supervise(self) -> None:
        """Look after it until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK_S):
                    await self._wanted.wait()
            await self.tend()

    async def tend(self) -> None:
        """One look: notice an end that nobody saw, bring it back when its pause is over, end it when it is idle."""
        wanted = self._wanted.is_set()
        self._wanted.clear()
        if self._users:
            return
        if wanted:
            self._used_ms = self._clock.mono_ms()
        if self._worker.state == "ready" and self.pid is None and not self._lost:
            self._lost = True
            self._failed("It ended while nobody used it.")
        idle = 0 < self.idle_s < (self._clock.mono_ms() - self._used_ms) / 1000
        if idle and self._worker.state != "stopped":
            await self._release()
        elif (
            (self._lost or self._worker.state == "failed" or (wanted and self._worker.state == "stopped"))
            and self._missing is None
            and not self.breaker.wait_s()
        ):
            await self._bring_back()

    async def _release(self) -> None:
        async with self._gate:
            if self._users:
                return
            freed = self.rss_bytes()
            await self._worker.close()
            self._lost, self._released, self._known_pid = False, True, None
        log.info("engine released", engine=self.name, freed_bytes=freed)
        self._emit(EngineReleased(at_ms=self._clock.mono_ms(), engine=self.name, kind=self.kind, freed_bytes=freed))

    async def _bring_back(self) -> None:
        asked = self._asked
        try:
            await self._worker.start()
        except Missing as error:
            self._not_there(error)
        except JarvisError as error:
            if asked == self._asked:
                self._failed(str(error))
        else:
            self.breaker.cool()
            self._notice()

    @contextlib.asynccontextmanager
    async def _use(self) -> AsyncIterator[_Use]:
        """One call."""
        async with self._gate:
            if self._missing is not None and self._clock.mono_ms() < self._missing_until_ms:
                raise self._missing
            if not self.breaker.begin():
                wait_s = max(math.ceil(self.breaker.wait_s()), 1)  # 0 while another call tries it
                raise EngineFailed(
                    f"The {self.name} engine is left alone for {wait_s} s more, because it "
                    f"failed {self.breaker.failures} times in a row.",
                    fix=f"Try again then, or `jarvis engine restart {self.name}`.",
                )
            self._users += 1
        asked, use = self._asked, _Use()
        try:
            yield use
        except Missing as error:
            self._not_there(error)
            self.breaker.abandoned()
            raise
        except (EngineFailed, DeadlineExceeded) as error:
            if isinstance(error, Busy) or asked != self._asked:
                self.breaker.abandoned()
            else:
                self._failed(str(error))
            raise
        except JarvisError:
            self._well()  # it answered: the question was wrong
            raise
        except BaseException:
            if use.answered:
                self._well()
            else:
                self.breaker.abandoned()
            raise
        else:
            if use.proves:
                self._well()
            else:
                self.breaker.abandoned()
                self._notice()
        finally:
            self._users -= 1
            self._used_ms = self._clock.mono_ms()

    def _not_there(self, error: Missing) -> None:
        self._missing, self._missing_until_ms = error, self._clock.mono_ms() + 1000 * LOOK_AGAIN_S

    def _well(self) -> None:
        self.breaker.succeeded()
        self._notice()

    def _notice(self) -> None:
        """Tell of a child that is another than before."""
        pid, restarts = self.pid, self.restarts
        if pid is None or pid == self._known_pid:
            return
        if self._known_pid is not None and restarts > self._known_restarts:  # nobody was told yet
            self._tell_down("It ended, and was started again.")
        self._known_pid, self._known_restarts = pid, restarts
        self._lost, self._released, self._missing = False, False, None
        self._emit(EngineReady(at_ms=self._clock.mono_ms(), engine=self.name, kind=self.kind, restarts=restarts))

    def _failed(self, reason: str) -> None:
        self.breaker.failed(reason)
        self._known_pid = None
        log.warning("engine is down", engine=self.name, failures=self.breaker.failures, breaker=self.breaker.state)
        self._tell_down(reason)

    def _tell_down(self, reason: str) -> None:
        self._emit(
            EngineDown(
                at_ms=self._clock.mono_ms(),
                engine=self.name,
                kind=self.kind,
                reason=reason,
                breaker=self.breaker.state,
            )
        )
