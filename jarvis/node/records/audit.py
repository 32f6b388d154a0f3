"""What was done in the home, by whom, and how it ended: one grow-only document a month. Never a spoken word, a name or
a config value: what happened, not what was said."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from jarvis.core.errors import InvalidInput, JarvisError
from jarvis.core.hlc import ms_of
from jarvis.core.ids import to_text
from jarvis.core.time import Clock
from jarvis.crdt.gset import Entry, GSet
from jarvis.crdt.registry import AUDIT_PREFIX
from jarvis.identity.record import decode_record, is_authentic
from jarvis.node.records.journal import Journal
from jarvis.node.records.writing import Write
from jarvis.node.texts import iso_time, parse_time
from jarvis.replica.frontier import node_of
from jarvis.replica.holdings import Floor
from jarvis.replica.replica import Replica
from jarvis.store.protocol import ERASED, Head, Transaction

VERIFY_CHUNK = 512
_AGO = re.compile(r"(\d{1,6})([smhd])")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Audit:
    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._explained: dict[str, Callable[[dict[str, Any]], str]] = {}

    def explain(self, action: str, how: Callable[[dict[str, Any]], str]) -> None:
        """Rows of this action get a `sentence` in their detail, made of the row when it is shown: names are of today,
        and none is kept."""
        self._explained[action] = how

    def entry(self, action: str, target: str, *, actor: str = "node", outcome: str = "ok", **detail: Any) -> Write:
        """One entry, to be written in the same transaction as what it tells of."""
        month = datetime.fromtimestamp(self._clock.wall_ms() / 1000, UTC).strftime("%Y-%m")
        value = {"actor": actor, "action": action, "target": target, "outcome": outcome, "detail": detail}
        return AUDIT_PREFIX + month, lambda _state: [GSet.add(value)]

    async def list(self, since: str | None = None, action: str | None = None) -> list[dict[str, Any]]:
        """Oldest first. `since` is a moment (ISO 8601) or how long ago (`2h`, `7d`)."""
        since_ms = 0 if since is None else self._since(since)
        rows = []
        for document in await self._journal.read(lambda tx, _: tx.documents(AUDIT_PREFIX)):
            for entry in await self._journal.state(document, GSet.entries):
                value = entry.value if isinstance(entry.value, dict) else {}
                if ms_of(entry.at.hlc) >= since_ms and action in (None, value.get("action")):
                    rows.append((entry.at, self._told(_row(entry, value))))
        return [row for _, row in sorted(rows, key=lambda pair: pair[0])]

    async def verify(self) -> dict[str, Any]:
        """Walk every author's chain above the horizon: each record signed by its author, bound to its payload unless
        that was erased, following the last. Below it, compare every document with what all members signed."""
        while True:
            heads, floor = await self._journal.read(lambda tx, replica: (dict(replica.heads(tx)), replica.floor(tx)))
            found = await self._verify(heads, floor)
            # A horizon that was taken meanwhile has deleted what was to be walked.
            if await self._journal.read(lambda tx, replica: replica.floor(tx).entry) == floor.entry:
                return found

    async def _verify(self, heads: Mapping[bytes, Head], floor: Floor) -> dict[str, Any]:
        problems: list[str] = []
        count = 0
        for document in await self._journal.read(lambda tx, replica: replica.horizons.below(tx)):
            if not await self._journal.read(_is_sound(document)):
                problems.append(f"{document}: below the horizon it is not what the members signed")
        for author, head in heads.items():
            below, prev = floor.frontier.get(author, (0, b""))
            seq = below + 1
            while seq <= head.seq:
                checked = await self._journal.read(_verify(author, seq, head.seq, prev, problems))
                if checked is None:
                    problems.append(f"{to_text(author)[:12]} {seq}: the record is missing")
                    break
                seq, prev = checked[0], checked[1]
            else:
                if prev != head.hash:
                    problems.append(f"{to_text(author)[:12]}: the chain does not end at its head")
            count += seq - 1 - below
        return {"ok": not problems, "records": count, "problems": problems[:100]}

    def _told(self, row: dict[str, Any]) -> dict[str, Any]:
        how = self._explained.get(row["action"]) if isinstance(row["action"], str) else None
        said = how(row) if how is not None else ""
        return row | {"detail": row["detail"] | {"sentence": said}} if said and isinstance(row["detail"], dict) else row

    def _since(self, text: str) -> int:
        ago = _AGO.fullmatch(text.strip())
        if ago:
            return self._clock.wall_ms() - int(ago[1]) * _UNIT_MS[ago[2]]
        try:
            return parse_time(text)
        except ValueError:
            raise InvalidInput(f"{text!r} is not a time.", fix="Use 2026-11-21T18:00 or 30m, 12h, 7d.") from None


def _is_sound(document: str) -> Callable[[Transaction, Replica], bool]:
    return lambda tx, replica: replica.horizons.is_sound(tx, document)


def _verify(
    author: bytes, first: int, through: int, prev: bytes, problems: list[str]
) -> Callable[[Transaction, Replica], tuple[int, bytes] | None]:
    """A look at up to VERIFY_CHUNK records from `first`: (the next sequence, hash of the last), None when missing. Not
    beyond `through`: what was written since the heads were read ends elsewhere."""

    def work(tx: Transaction, replica: Replica) -> tuple[int, bytes] | None:
        seq, last = first, prev
        chain = replica.chain(tx)
        for stored in tx.records(author, first, min(first + VERIFY_CHUNK - 1, through), 2**62):
            name = f"{to_text(author)[:12]} {seq}"
            try:
                record = decode_record(stored.header, stored.signature, stored.payload)
            except JarvisError as error:
                problems.append(f"{name}: {error}")
                return seq + 1, stored.hash
            member = chain.member(node_of(author))
            if stored.seq != seq or record.header.seq != seq or record.header.author != author:
                problems.append(f"{name}: another record stands in its place")
            elif record.header.prev != last or record.hash != stored.hash:
                problems.append(f"{name}: it does not follow the record before it")
            elif stored.payload is None and stored.status != ERASED:
                problems.append(f"{name}: its payload is missing")
            elif member is None or not is_authentic(record, member.public_key):
                problems.append(f"{name}: its signature or payload hash does not hold")
            seq, last = seq + 1, record.hash
        return (seq, last) if seq > first else None

    return work


def _row(entry: Entry, value: dict[str, Any]) -> dict[str, Any]:
    row = {name: value.get(name) for name in ("actor", "action", "target", "outcome", "detail")}
    return {"at": iso_time(ms_of(entry.at.hlc)), "node_id": to_text(node_of(entry.at.author))} | row
