"""This device's settings while its node runs: their files are read again when one was saved, and taken as a whole or
not at all. Nobody asks this for a setting: whoever can change while it runs says which settings those are, and is told.
What nobody can change holds from the next start on, and that is said by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import structlog

from jarvis.core.errors import JarvisError
from jarvis.core.settings import Settings
from jarvis.node.saved_files import SavedFiles

log = structlog.get_logger()

Prepare = Callable[[Settings], Callable[[], None]]
"""Gives what puts settings into force, and must not fail then; raises JarvisError for those that cannot be."""


class LiveSettings:
    """`settings` are those that the node was built of."""

    def __init__(self, settings: Settings) -> None:
        self._built_of = self._now = settings
        self._followers: list[tuple[Sequence[str], Prepare]] = []
        self._refused: JarvisError | None = None
        self._there: list[str] = []
        self._files = SavedFiles(settings.files, self._take_up)
        self.run = self._files.run

    def follow(self, names: Sequence[str], prepare: Prepare) -> None:
        """From now on `prepare` is asked when a setting of `names` changes."""
        self._followers.append((names, prepare))

    async def reload(self) -> dict[str, Any]:
        """Read them now: what `state` says afterwards. Raises what is wrong with them."""
        self._files.look_again()
        await self._files.refresh()
        if self._refused is not None:
            raise self._refused
        return self.state()

    def state(self) -> dict[str, Any]:
        return {
            "environment": self._built_of.env,
            "files": self._there,
            "problem": self._problem(),
            "at_next_start": self._waiting(),
        }

    def component(self) -> dict[str, str]:
        """For `status`."""
        said = [f"environment {self._built_of.env}"] if self._built_of.env else []
        said.append(", ".join(self._there) or "there is no jarvis.toml")
        if waiting := self._waiting():
            said.append(f"{', '.join(waiting)}: from the next start on")
        problem = self._problem()
        return {"state": "degraded" if problem else "ok", "detail": problem or "; ".join(said)}

    def _problem(self) -> str:
        if self._refused is None:
            return ""
        return f"{self._refused} The settings before that stay in force. {self._refused.fix}".strip()

    def _waiting(self) -> list[str]:
        """What is set to something else than what this node was built of, and cannot change while it runs."""
        followed = {name for names, _ in self._followers for name in names}
        return [name for name in _differing(self._built_of, self._now) if name not in followed]

    async def _take_up(self, files: Sequence[Path]) -> None:
        self._there = [file.name for file in files]
        try:
            settings = await asyncio.to_thread(self._now.again)
            changed = _differing(self._now, settings)
            changes = [prepare(settings) for names, prepare in self._followers if not set(names).isdisjoint(changed)]
        except JarvisError as error:
            log.warning("the settings are not taken", reason=str(error))
            self._refused = error
            return
        self._refused, self._now = None, settings
        for change in changes:
            change()
        if changed:
            log.info("settings taken up", changed=changed, at_next_start=self._waiting())


def _differing(before: Settings, after: Settings) -> list[str]:
    return [name for name in type(before).model_fields if getattr(before, name) != getattr(after, name)]
