"""How a node is: a line for each of its parts, and one number over all of them. It only looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jarvis.assistant.language.asking import Models
from jarvis.assistant.language.spending import Spent
from jarvis.core.errors import JarvisError
from jarvis.node.links.copies import CopyWatch
from jarvis.node.membership.members import Members
from jarvis.node.records.journal import Journal

State = dict[str, str]
"""{state: ok, off, degraded or failed, detail: a sentence}."""
WEIGHTS = {"ok": 0, "off": 0, "degraded": 15, "failed": 50}


class Status:
    """`connected` counts the peers that have a link."""

    def __init__(
        self,
        node_id: bytes,
        journal: Journal,
        members: Members,
        copies: CopyWatch,
        models: Models,
        *,
        connected: Callable[[], int],
    ) -> None:
        self._node_id = node_id
        self._journal = journal
        self._members = members
        self._copies = copies
        self._models = models
        self._connected = connected

    async def look(self, others: Mapping[str, State]) -> dict[str, Any]:
        """{health, components}; `others` are parts that say themselves how they are."""
        components = {
            "store": await self._store(),
            "links": self._links(),
            "identity": self._copies.state(),
            **others,
            **await self._thinking(),
        }
        health = max(0, 100 - sum(WEIGHTS[part["state"]] for part in components.values()))
        return {"health": health, "components": components}

    async def _store(self) -> State:
        journal = self._journal
        try:
            count = await journal.read(lambda tx, _: tx.record_count())
        except JarvisError as error:
            return {"state": "failed", "detail": str(error)}
        if journal.problem:
            return {"state": "failed", "detail": journal.problem}
        full = journal.budget.problem
        return {"state": "degraded" if full else "ok", "detail": full or f"{count} records"}

    def _links(self) -> State:
        others = len(self._members.chain.members.keys() - {self._node_id})
        connected = self._connected()
        return {"state": "ok" if connected == others else "degraded", "detail": f"{connected} of {others} peers"}

    async def _thinking(self) -> dict[str, State]:
        found = {}
        for model in await self._models.statuses():
            ok = model.available.ok
            label = "" if model.trusted or not ok else " (small: chats, but is not asked for facts)"
            detail = (model.available.model if ok else model.available.reason) + label
            if spent := self._models.spending.of.get(model.name):
                detail = f"{detail.rstrip('.')}; {_spent(spent)}"
            found[f"llm.{model.name}"] = {"state": "ok" if ok else "off", "detail": detail}
        return found


def _spent(spent: Spent) -> str:
    """Since the node started."""
    told = [f"{spent.answered} answer{'' if spent.answered == 1 else 's'}"]
    told += [f"{spent.failed} failed"] if spent.failed else []
    told += [f"{spent.prompt_tokens:,} tokens read, {spent.completion_tokens:,} written"]
    return ", ".join(told)
