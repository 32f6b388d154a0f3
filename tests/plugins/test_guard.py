"""Whatever a plugin does, its guard gives a sentence that names it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from jarvis.core.errors import DeadlineExceeded, InvalidInput, PluginFailed
from jarvis.plugins import guard as module
from jarvis.plugins import watch
from jarvis.plugins.guard import Guard, apart
from jarvis.plugins.watch import Watch


def guarded() -> tuple[Guard, list[str]]:
    told: list[str] = []
    return Guard("dice", told.append), told


def raises(error: BaseException) -> Any:
    def function(*arguments: Any) -> Any:
        raise error

    return function


@pytest.mark.parametrize("error", [ValueError("the user said swordfish"), SystemExit(1), RecursionError()])
def test_what_breaks_is_named_and_its_words_are_not_told(error: BaseException) -> None:
    guard, told = guarded()
    with pytest.raises(PluginFailed, match="plugin 'dice' broke in its hook: ") as failed:
        guard.call("its hook", raises(error))
    assert told == [str(failed.value)]
    assert type(error).__name__ in told[0] and "test_guard.py line" in told[0] and "swordfish" not in told[0]


def test_an_error_on_purpose_goes_through() -> None:
    guard, told = guarded()
    with pytest.raises(InvalidInput, match="no such side"):
        guard.call("its hook", raises(InvalidInput("There is no such side.")))
    assert told == []


def test_waiting_has_a_deadline() -> None:
    guard, told = guarded()

    async def fails() -> None:
        raise TimeoutError

    async def main() -> None:
        with pytest.raises(PluginFailed, match=r"took more than 0\.01 s"):
            await guard.wait("its skill", asyncio.Event().wait, deadline_s=0.01)
        with pytest.raises(PluginFailed, match="TimeoutError"):
            await guard.wait("its skill", fails, deadline_s=5)

    asyncio.run(main())
    assert len(told) == 2


def test_a_cancellation_is_the_plugins_fault_only_when_nobody_asked() -> None:
    guard, told = guarded()

    async def cancels() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        with pytest.raises(PluginFailed, match="CancelledError"):
            await guard.wait("its skill", cancels, deadline_s=5)
        task = asyncio.create_task(guard.wait("its skill", asyncio.Event().wait, deadline_s=5))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert len(told) == 1


def test_one_that_keeps_the_loop_to_itself_is_named_though_it_answers() -> None:
    now, told = [0.0], list[str]()
    guard = Guard("dice", told.append, lambda: now[0])

    async def holds(at_once_s: float) -> str:
        for _ in range(3):
            now[0] += at_once_s
            ready = asyncio.get_running_loop().create_future()
            ready.get_loop().call_soon(ready.set_result, None)
            await ready
        return "done"

    async def main() -> None:
        assert await guard.wait("its skill", holds, 1.9, deadline_s=5) == "done" and told == []
        assert await guard.wait("its skill", holds, 2.1, deadline_s=5) == "done"
        with pytest.raises(PluginFailed):
            await guard.wait("its skill", raises(ValueError()), deadline_s=5)

    asyncio.run(main())
    assert "held the whole node up for 2.1 s in its skill" in told[0] and len(told) == 2


def test_one_that_never_gives_the_loop_back_is_named_while_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    guard, told = guarded()
    named = threading.Event()
    monkeypatch.setattr(module, "WATCH", Watch(0.05))
    monkeypatch.setattr(watch.log, "error", lambda text, **fields: (told.append(fields["plugin"]), named.set()))

    async def keeps() -> bool:
        return named.wait(10)

    async def gives_back() -> None:
        await asyncio.to_thread(time.sleep, 0.2)

    async def main() -> None:
        await guard.wait("its skill", gives_back, deadline_s=20)
        assert told == []
        assert await guard.wait("its skill", keeps, deadline_s=20)

    asyncio.run(main())
    assert told[0] == "dice"


def test_apart_means_that_nobody_waits_for_a_hang() -> None:
    async def main() -> None:
        hang = threading.Event()
        try:
            with pytest.raises(DeadlineExceeded):
                await apart(hang.wait, 0.01)
        finally:
            hang.set()
        assert await apart(lambda: 6, 5) == 6
        for error in (ValueError(), TimeoutError()):
            with pytest.raises(type(error)):
                await apart(raises(error), 5)
        for error in (SystemExit(), StopIteration(), KeyboardInterrupt()):
            with pytest.raises(RuntimeError, match=type(error).__name__):
                await apart(raises(error), 5)

    asyncio.run(main())
