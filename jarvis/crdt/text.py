"""A text that several people edit at once, kept by pycrdt (Yjs' algorithm, YATA). An operation is one edit as a Yjs
update; it names the other authors' edits that it stands on and waits for them, so that inside the library nothing is
ever pending. What an update may hold is judged block by block (`yjs_blocks`) before the library sees it: a
forged one with a gap, or in another's name, would otherwise displace its victim's words.

Positions are in Unicode scalar values, what `len` counts in Python; never UTF-8 bytes, never UTF-16 units.

Source: Nicolaescu et al., "Near Real-Time Peer-to-Peer Shared Editing on Extensible Data Types", 2016.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jarvis.core.codec import Value
from jarvis.core.errors import InvalidBytes, InvalidInput
from jarvis.crdt.dots import Dot, read_dots
from jarvis.crdt.kind import Kind
from jarvis.crdt.yjs_blocks import MAX_CLIENT, ROOT, Update, read_update

EDIT = "edit"
NOTHING = b"\x00\x00"
"""The update that changes nothing."""


def client_id(author: bytes, document: str) -> int:
    """The writer's number within Yjs: the low 53 bits of SHA-256 over author and document, so that no author can take
    another's, and one author's numbers in two documents have nothing to do with each other."""
    digest = hashlib.sha256(author + document.encode()).digest()
    return int.from_bytes(digest, "big") & MAX_CLIENT


@dataclass(slots=True)
class _Writer:
    """What is held of one author: how far it had written after each of its inserting edits, which is what turns the
    dot of an edit into a place in its writing."""

    client: int
    dots: list[tuple[int, int]] = field(default_factory=list)
    """(seq, op) of its inserting edits, ascending."""
    ends: list[int] = field(default_factory=list)
    """Units written up to and with each."""
    halves: set[int] = field(default_factory=set)
    """See `Update.halves`. Kept for good: where a character began must not depend on who has deleted it already."""

    @property
    def end(self) -> int:
        return self.ends[-1] if self.ends else 0

    def has(self, dot: Dot) -> bool:
        return bool(self.dots) and (dot.seq, dot.op) <= self.dots[-1]

    def end_at(self, dot: Dot) -> int:
        """Units it had written when it made the edit `dot`."""
        before = bisect_right(self.dots, (dot.seq, dot.op))
        return self.ends[before - 1] if before else 0


class TextState:
    """The state of a text. Read `text`; change it only through `SharedText` or `TextKind`."""

    def __init__(self, client: int = 0) -> None:
        self.writers: dict[bytes, _Writer] = {}
        self.waiting: dict[Dot, Value] = {}
        """Edits that came before what they stand on; always empty in a replica, which waits itself."""
        self.changed_hlc = 0
        """The greatest stamp of any edit in here or waiting."""
        self._client = client
        self._yjs: _Yjs | None = None
        self._text: str | None = None

    @property
    def yjs(self) -> _Yjs:
        """Made when it is first needed: a delta is not worth one."""
        if self._yjs is None:
            self._yjs = _Yjs(self._client)
        return self._yjs

    @property
    def text(self) -> str:
        """Read from the canonical bytes, loaded afresh: a member may place its runs so that their order comes to depend
        on when they arrived, and equal bytes must mean equal words."""
        if self._text is None:
            afresh = _Yjs(0)
            afresh.apply(self.canonical())
            self._text = afresh.read()
        return self._text

    def canonical(self) -> bytes:
        """All that was applied, as one update: equal for equal sets of edits."""
        return self.yjs.canonical() if self.writers else NOTHING

    def footing(self, update: Update, author: bytes) -> list[Dot]:
        """The edits of others that an update made here stands on: those that wrote what it stands beside or deletes.
        Naming no more keeps edits small in a home whose nodes have had many lives."""
        last: dict[int, int] = {}
        for one, _ in update.references():
            last[one.client] = max(one.clock, last.get(one.client, 0))
        return sorted(
            Dot(other, *writer.dots[bisect_right(writer.ends, last[writer.client])])
            for other, writer in self.writers.items()
            if other != author and writer.client in last
        )

    def join(self, other: TextState) -> None:
        self._text = None
        self.changed_hlc = max(self.changed_hlc, other.changed_hlc)
        if other.writers:
            self.yjs.apply(other.yjs.canonical())
            for author, writer in other.writers.items():
                held = self.writers.get(author)
                if held is None or held.end < writer.end:
                    self.writers[author] = _Writer(
                        writer.client, list(writer.dots), list(writer.ends), set(writer.halves)
                    )
        self.waiting.update(other.waiting)
        self._let_in()

    def _let_in(self) -> None:
        """Apply what waits for nothing any more."""
        moved = True
        while moved:
            moved = False
            for dot in sorted(self.waiting):
                update = read_update(self.waiting[dot][1])
                if self._stands(dot.author, update):
                    self.yjs.apply(self.waiting.pop(dot)[1])
                    self.note(dot, update)
                    moved = bool(self.waiting)

    def _stands(self, author: bytes, update: Update) -> bool:
        ends = {writer.client: writer.end for writer in self.writers.values()}
        if update.client is not None:
            if update.start > ends.get(update.client, 0):
                return False
            ends[update.client] = max(update.end, ends.get(update.client, 0))
        return all(last.clock < ends.get(last.client, 0) for last, _ in update.references())

    def note(self, dot: Dot, update: Update) -> None:
        """Remember how far an applied edit brought its author."""
        self._text = None
        if update.client is not None:
            writer = self.writers.setdefault(dot.author, _Writer(update.client))
            if update.end > writer.end:
                writer.dots.append((dot.seq, dot.op))
                writer.ends.append(update.end)
                writer.halves.update(update.halves())

    def __deepcopy__(self, memo: dict[int, Any]) -> TextState:
        copy = TextState(self._client)
        copy.join(self)
        return copy


class TextKind(Kind[TextState]):
    """operation: ["edit", update, dots]: the update's bytes, and what it stands on of other authors."""

    name = "text"
    code = 7

    def empty(self) -> TextState:
        return TextState()

    def check(self, operation: Value) -> None:
        if (
            not isinstance(operation, list)
            or len(operation) != 3
            or operation[0] != EDIT
            or not isinstance(operation[1], bytes)
        ):
            raise InvalidBytes("Not an operation on a text.")
        read_update(operation[1])
        dots = read_dots(operation[2])
        if len({dot.author for dot in dots}) != len(dots):
            raise InvalidBytes("An edit names two edits of one author.")

    def names(self, operation: Value) -> Iterable[Dot]:
        return read_dots(operation[2])

    def fits(self, state: TextState, operations: Sequence[Value], author: bytes, document: str) -> None:
        """An edit must go on where its author's last one ended, under the author's own number, and touch of others only
        what the edits it names had written, on borders between characters.

        Every node answers alike: an author's end and what it wrote up to a named dot follow from records that are all
        held by now, since an author's records are held in order; what else is held of others is not looked at.
        """
        client, own = client_id(author, document), state.writers.get(author)
        end, halves = (own.end, own.halves) if own else (0, set())
        for operation in operations:
            update = read_update(operation[1])
            named = {}
            for dot in read_dots(operation[2]):
                writer = state.writers.get(dot.author)
                if dot.author == author or writer is None:
                    continue
                if writer.client == client or writer.client in named:
                    raise InvalidBytes("An edit stands on edits of two writers with the same number.")
                named[writer.client] = (writer.end_at(dot), writer.halves)
            if update.client is not None:
                if update.client != client:
                    raise InvalidBytes("An edit holds blocks in another's name.")
                if update.start != end:
                    raise InvalidBytes("An edit does not go on where its author's last one ended.")
                fresh = set(update.halves())
                end, halves = update.end, halves | fresh if fresh else halves
            named[client] = (end, halves)
            _check_footing(update, named)

    def delta(self, operation: Value, dot: Dot, hlc: int) -> TextState:
        state = TextState()
        state.waiting[dot] = operation
        state.changed_hlc = hlc
        return state

    def absorb(self, state: TextState, delta: TextState) -> None:
        state.join(delta)

    def encode(self, state: TextState) -> Value:
        writers = {
            author: [writer.client, _flat(writer), _steps(sorted(writer.halves))]
            for author, writer in state.writers.items()
        }
        waiting = [[list(dot), state.waiting[dot]] for dot in sorted(state.waiting)]
        return [state.canonical(), writers, waiting, state.changed_hlc]

    def decode(self, value: Value) -> TextState:
        update, writers, waiting, changed_hlc = value
        state = TextState()
        if writers:
            state.yjs.apply(update)
        for author, (client, flat, steps) in writers.items():
            writer = state.writers[author] = _Writer(client, halves=set(_sums(steps)))
            seqs, ends = _sums(flat[0::3]), _sums(flat[2::3])
            writer.dots, writer.ends = list(zip(seqs, flat[1::3], strict=True)), ends
        state.waiting = {Dot(*dot): operation for dot, operation in waiting}
        state.changed_hlc = changed_hlc
        return state


def _check_footing(update: Update, named: dict[int, tuple[int, set[int]]]) -> None:
    for block in update.blocks:
        for one in (block.left, block.right):
            if one is not None and one.client == update.client and one.clock >= block.clock:
                raise InvalidBytes("A run stands on one that comes after it.")
    for last, border in update.references():
        end, halves = named.get(last.client, (0, set()))
        if last.clock >= end:
            raise InvalidBytes("An edit touches what the edits it names had not written.")
        if border is not None and border.clock in halves:
            raise InvalidBytes("An edit cuts a character in two.")


def _flat(writer: _Writer) -> list[int]:
    """[seq, op, end, seq, op, end, ...], seq and end as the distance from the one before."""
    seqs, ends = _steps([seq for seq, _ in writer.dots]), _steps(writer.ends)
    return [value for seq, (_, op), end in zip(seqs, writer.dots, ends, strict=True) for value in (seq, op, end)]


def _steps(values: Sequence[int]) -> list[int]:
    return [b - a for a, b in zip([0, *values], values, strict=False)]


def _sums(steps: Iterable[int]) -> list[int]:
    result, value = [], 0
    for step in steps:
        value += step
        result.append(value)
    return result


class _Yjs:
    """The library's document. Nothing else here touches the library, which is loaded when the first text is."""

    def __init__(self, client: int) -> None:
        from pycrdt import Doc, Text

        self._make, self._client = Doc, client
        self._doc: Any = Doc(client_id=client)
        self._text: Any = self._doc.get(ROOT, type=Text)
        self._read: str | None = None

    def read(self) -> str:
        if self._read is None:
            self._read = str(self._text)
        return self._read

    def apply(self, update: bytes) -> None:
        """Raises InvalidBytes where the library fails on it; its document cannot be trusted then."""
        self._read = None
        self._guarded(self._doc.apply_update, update)

    def canonical(self) -> bytes:
        """The document as one update. The library's own differs with the order in which edits came, until it was loaded
        into a fresh document."""
        fresh: Any = self._make(client_id=0)
        self._guarded(fresh.apply_update, self._doc.get_update())
        return bytes(fresh.get_update())

    def replace(self, position: int, length: int, text: str) -> bytes:
        """Edit as this document's own writer; the update that does the same elsewhere. In scalar values."""
        made: list[bytes] = []
        watch = self._doc.observe(lambda event: made.append(bytes(event.update)))
        before = self.read()
        # The library counts UTF-8 bytes.
        start = position if before.isascii() else len(before[:position].encode())
        end = start + len(before[position : position + length].encode())
        try:
            self._guarded(self._edit, start, end, text)
        finally:
            self._doc.unobserve(watch)
        self._read = before[:position] + text + before[position + length :]
        return made[0] if made else NOTHING

    def _edit(self, start: int, end: int, text: str) -> None:
        with self._doc.transaction():
            if end > start:
                del self._text[start:end]
            if text:
                self._text.insert(start, text)

    @staticmethod
    def _guarded(call: Any, *arguments: Any) -> None:
        try:
            call(*arguments)
        except BaseException as error:
            # Rust's panics derive from BaseException, so that `except Exception` misses them.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                raise InvalidBytes(f"The text could not take an edit ({type(error).__name__}).") from None
            raise


class Edit(NamedTuple):
    """One edit on its way from one copy to another."""

    dot: Dot
    operation: Value


class SharedText:
    """One author's copy of a text, with or without a node around it: edit by position, send the edits, merge others'.

        ann, bob = SharedText(b"a" * 32), SharedText(b"b" * 32)
        bob.merge(ann.insert(0, "milk"))
        ann.merge(bob.insert(4, ", eggs"))
        assert ann.text == bob.text == "milk, eggs"

    Edits may be merged in any order and repeatedly; one that comes before what it stands on waits. Copies that merged
    the same honest edits have the same `text`, and the same canonical bytes whatever the edits. `author` is 32 bytes,
    different for every copy.
    """

    def __init__(self, author: bytes, document: str = "notes/text", state: TextState | None = None) -> None:
        """`state`: what the copy begins with; it is not changed."""
        self._author, self._document = author, document
        self.state = TextState(client_id(author, document))
        if state is not None:
            self.state.join(state)
        own = self.state.writers.get(author)
        self._seq = own.dots[-1][0] if own else 0

    @property
    def text(self) -> str:
        return self.state.yjs.read()

    def insert(self, position: int, text: str) -> Edit:
        """Insert before the scalar value at `position`, 0 to len(text). Raises InvalidInput."""
        return self.replace(position, 0, text)

    def delete(self, position: int, length: int) -> Edit:
        """Delete `length` scalar values from `position` on. Raises InvalidInput when there are not as many."""
        return self.replace(position, length, "")

    def replace(self, position: int, length: int, text: str) -> Edit:
        """Delete, then insert in their place, as one edit."""
        size = len(self.text)
        if not (0 <= position <= size and 0 <= length <= size - position):
            raise InvalidInput(f"The text has {size} characters; {position} + {length} is beyond its end.")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidInput("Half a character cannot be written.") from None
        data = self.state.yjs.replace(position, length, text)
        update = read_update(data)
        self._seq += 1
        dot = Dot(self._author, self._seq, 0)
        self.state.note(dot, update)
        return Edit(dot, [EDIT, data, [list(one) for one in self.state.footing(update, self._author)]])

    def merge(self, edit: Edit) -> None:
        """Take in another copy's edit. Raises InvalidBytes when its author could not have made it."""
        kind = TextKind()
        kind.check(edit.operation)
        update = read_update(edit.operation[1])
        if update.client not in (None, client_id(edit.dot.author, self._document)):
            raise InvalidBytes("An edit holds blocks in another's name.")
        if self._can_judge(edit, update):
            kind.fits(self.state, [edit.operation], edit.dot.author, self._document)
        self.state.join(kind.delta(edit.operation, edit.dot, 0))

    def _can_judge(self, edit: Edit, update: Update) -> bool:
        """Whether it is new, and everything that it stands on is here. A node makes sure of that for every record."""
        writers, author = self.state.writers, edit.dot.author
        own = writers.get(author, _Writer(client_id(author, self._document)))
        end = max(own.end, update.end)
        return (
            not own.has(edit.dot)
            and update.start <= own.end
            and all(last.clock < end for last, _ in update.references() if last.client == own.client)
            and all(dot.author in writers and writers[dot.author].has(dot) for dot in read_dots(edit.operation[2]))
        )

    def encoded(self) -> Value:
        """The canonical value of the state: equal for copies that merged the same edits."""
        return TextKind().encode(self.state)
