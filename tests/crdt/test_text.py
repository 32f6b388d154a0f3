"""A text that three people edit at once: against the library itself, against a forger, and against noise."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jarvis.core.codec import pack
from jarvis.core.errors import InvalidBytes, InvalidInput
from jarvis.crdt.dots import Dot
from jarvis.crdt.text import Edit, SharedText, TextKind, client_id
from jarvis.crdt.yjs_blocks import MAX_CLOCK, ROOT, read_update

DOCUMENT = "notes/shopping"
AUTHORS = [bytes([n + 1]) * 32 for n in range(4)]
PIECES = ["a", "milk", " ", "\n", "é", "e\u0301", "\U0001f389", "\U0001d518x", "\U0001f469\u200d\U0001f467", "中"]
KIND = TextKind()


def number(value: int) -> bytes:
    out = b""
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def run(client, clock, *blocks, deleted=b"\0", count=None) -> bytes:
    head = number(len(blocks) if count is None else count) + number(client) + number(clock)
    return b"\x01" + head + b"".join(blocks) + deleted


def chars(text="x", left=None, right=None, kind=4) -> bytes:
    info = kind | (0x80 if left else 0) | (0x40 if right else 0)
    ids = b"".join(number(part) for one in (left, right) if one for part in one)
    root = b"" if left or right else b"\x01" + number(len(ROOT)) + ROOT.encode()
    data = text.encode() if isinstance(text, str) else text
    return bytes([info]) + ids + root + number(len(data)) + data


def edit(data, seq=1, author=AUTHORS[3], named=()) -> Edit:
    return Edit(Dot(author, seq, 0), ["edit", data, [list(dot) for dot in named]])


def newest(copy: SharedText) -> list[Dot]:
    """Every other author's newest edit that a copy holds."""
    return sorted(
        Dot(author, *writer.dots[-1]) for author, writer in copy.state.writers.items() if author != AUTHORS[3]
    )


class Trace:
    """Three copies that edit at random and hear of each other now and then; raw documents of the library beside."""

    def __init__(self, seed: int, steps: int, *, raw: bool = False) -> None:
        from pycrdt import Doc, Text

        self.rng = random.Random(seed)
        self.copies = [SharedText(author, DOCUMENT) for author in AUTHORS[:3]]
        self.edits: list[list[Edit]] = [[], [], []]
        self.heard = [[0] * 3 for _ in range(3)]
        self.raw = [Doc(client_id=client_id(author, DOCUMENT)) for author in AUTHORS[:3]] if raw else []
        self.raw_texts = [doc.get(ROOT, type=Text) for doc in self.raw]
        for _ in range(steps):
            self.step()
        for _ in range(2):
            for one in range(3):
                for other in range(3):
                    self.hear(one, other)

    def step(self) -> None:
        who = self.rng.randrange(3)
        copy = self.copies[who]
        before = copy.text
        at = self.rng.randint(0, len(before))
        if before and self.rng.random() < 0.35:
            at = min(at, len(before) - 1)
            length, text = min(self.rng.randint(1, 4), len(before) - at), ""
            self.edits[who].append(copy.delete(at, length))
        else:
            length, text = 0, "".join(self.rng.choices(PIECES, k=self.rng.randint(1, 3)))
            self.edits[who].append(copy.insert(at, text))
        assert copy.text == before[:at] + text + before[at + length :]
        if self.raw:
            start, end = len(before[:at].encode()), len(before[: at + length].encode())
            if text:
                self.raw_texts[who].insert(start, text)
            else:
                del self.raw_texts[who][start:end]
        if self.rng.random() < 0.3:
            self.hear(self.rng.randrange(3), self.rng.randrange(3))

    def hear(self, one: int, other: int) -> None:
        if one != other:
            for sent in self.edits[other][self.heard[one][other] :]:
                self.copies[one].merge(sent)
            self.heard[one][other] = len(self.edits[other])
            if self.raw:
                # The library hands on what it heard from others too; ours sends what its author wrote.
                for author in range(3):
                    if author != one and self.heard[other][author] > self.heard[one][author]:
                        self._hear_all(one, author, other)
                self.raw[one].apply_update(self.raw[other].get_update(self.raw[one].get_state()))

    def _hear_all(self, one: int, author: int, other: int) -> None:
        for sent in self.edits[author][self.heard[one][author] : self.heard[other][author]]:
            self.copies[one].merge(sent)
        self.heard[one][author] = self.heard[other][author]


@pytest.mark.parametrize("seed", range(12))
def test_a_concurrent_trace_gives_what_the_library_gives(seed):
    trace = Trace(seed, 150, raw=True)
    assert len({copy.text for copy in trace.copies}) == 1
    assert {copy.text for copy in trace.copies} == {str(text) for text in trace.raw_texts}
    assert trace.copies[0].state.text == trace.copies[0].text
    assert not any(copy.state.waiting for copy in trace.copies)
    assert len({pack(copy.encoded()) for copy in trace.copies}) == 1


@pytest.mark.parametrize("seed", range(12))
def test_any_order_and_repetition_gives_the_same_bytes(seed):
    trace = Trace(seed, 60)
    everything = [one for edits in trace.edits for one in edits]
    expected = pack(trace.copies[0].encoded())
    for _ in range(3):
        late = SharedText(AUTHORS[3], DOCUMENT)
        for sent in trace.rng.sample(everything * 2, 2 * len(everything)):
            late.merge(sent)
        assert not late.state.waiting
        assert pack(late.encoded()) == expected
        assert late.text == trace.copies[0].text


def test_a_copy_goes_on_from_a_stored_state():
    trace = Trace(1, 60)
    stored = KIND.decode(KIND.encode(trace.copies[0].state))
    again = SharedText(AUTHORS[0], DOCUMENT, stored)
    made = again.insert(len(again.text), "\U0001f389 the end")
    trace.copies[1].merge(made)
    assert trace.copies[1].text == again.text
    assert stored.text == trace.copies[0].text, "the state it began with is not changed"


def test_positions_count_scalar_values():
    copy = SharedText(AUTHORS[0], DOCUMENT)
    copy.insert(0, "a\U0001f389e\u0301z")
    copy.insert(2, "|")
    assert copy.text == "a\U0001f389|e\u0301z"
    copy.delete(1, 1)
    assert copy.text == "a|e\u0301z"
    copy.replace(2, 2, "e")
    assert copy.text == "a|ez"
    assert read_update(copy.insert(1, "").operation[1]).blocks == ()
    assert read_update(copy.delete(1, 0).operation[1]).deleted == ()
    for call in (lambda: copy.insert(5, "x"), lambda: copy.insert(-1, "x"), lambda: copy.delete(3, 2)):
        with pytest.raises(InvalidInput):
            call()
    for call in (lambda: copy.delete(0, -1), lambda: copy.insert(0, "\ud83c")):
        with pytest.raises(InvalidInput):
            call()
    assert copy.text == "a|ez"


def test_concurrent_edits_of_one_place_both_remain():
    ann, bob = SharedText(AUTHORS[0], DOCUMENT), SharedText(AUTHORS[1], DOCUMENT)
    bob.merge(ann.insert(0, "milk"))
    ours, theirs = ann.insert(4, ", eggs"), bob.insert(4, ", bread")
    ann.merge(theirs)
    bob.merge(ours)
    assert ann.text == bob.text
    assert sorted(ann.text.split(", ")) == ["bread", "eggs", "milk"]


def test_an_edit_names_only_what_it_stands_on():
    """However many have written: a home's nodes begin a new author's name again and again."""
    copy, writers = SharedText(AUTHORS[0], DOCUMENT), []
    for number in range(300):
        writers.append(SharedText(number.to_bytes(32, "big"), DOCUMENT, copy.state))
        copy.merge(writers[-1].insert(len(copy.text), "line\n"))
    made = copy.insert(2 * 5 + 1, "x")
    assert [dot[0] for dot in made.operation[2]] == [(2).to_bytes(32, "big")]
    gone = copy.delete(3 * 5 + 4, 3)
    assert [dot[0] for dot in gone.operation[2]] == [n.to_bytes(32, "big") for n in (3, 4)]
    own = copy.delete(2 * 5 + 1, 1)
    assert own.operation[2] == []


# --- a forger --------------------------------------------------------------------------------------------------------

ME = client_id(AUTHORS[3], DOCUMENT)
VICTIM = client_id(AUTHORS[0], DOCUMENT)
BAD_SHAPES = {
    "a gap within (skip)": run(ME, 0, chars(), b"\x0a\x05", chars("y", (ME, 6))),
    "two writers": b"\x02\x01" + number(9) + b"\0" + chars() + b"\x01" + number(ME) + b"\0" + chars() + b"\0",
    "a format": run(ME, 0, b"\x06\x01\x04text\x04bold\x04true"),
    "an embed": run(ME, 0, b"\x05\x01\x04text\x04true"),
    "JSON": run(ME, 0, b"\x02\x01\x04text\x01\x01x"),
    "any": run(ME, 0, b"\x08\x01\x04text\x01\x7f"),
    "binary": run(ME, 0, chars(b"x", kind=3)),
    "a type": run(ME, 0, b"\x07\x01\x04text\x01"),
    "a document": run(ME, 0, b"\x09\x01\x04text\x04guid\x7f"),
    "a move": run(ME, 0, b"\x0b\x01\x04text\x01\0\0"),
    "a map's entry": run(ME, 0, b"\x24\x01\x04text\x03key\x01x"),
    "another root": run(ME, 0, b"\x04\x01\x04list\x01x"),
    "within an item": run(ME, 0, b"\x04\x00" + number(VICTIM) + b"\0\x01x"),
    "an empty run": run(ME, 0, chars("")),
    "a deleted run of nothing": run(ME, 0, b"\x01\x01\x04text\0"),
    "a collected run of nothing": run(ME, 0, b"\0\0"),
    "no blocks": run(ME, 0, count=0),
    "more blocks than there are": run(ME, 0, chars(), count=2),
    "blocks without end": run(ME, 0, chars(), count=2**31 - 1),
    "a deleted run beyond all clocks": run(ME, 1, b"\x01\x01\x04text" + number(MAX_CLOCK)),
    "a clock beyond all": run(ME, MAX_CLOCK, chars()),
    "a client of 54 bits": run(2**53, 0, chars()),
    "a huge length": run(ME, 0, b"\x04\x01\x04text" + number(2**31 - 1) + b"x"),
    "a number without end": b"\x01\x01" + b"\xff" * 40,
    "a number too long for its value": b"\x01\x01" + number(ME) + b"\x80\x00" + chars() + b"\0",
    "not UTF-8": run(ME, 0, chars(b"\xff")),
    "a lone surrogate": run(ME, 0, chars(b"\xed\xa0\xbd")),
    "something behind it": run(ME, 0, chars()) + b"\0",
    "nothing": b"",
    "half of it": run(ME, 0, chars("hello"))[:-4],
    "a deletion of nothing": b"\0\x01" + number(VICTIM) + b"\x01\0\0",
    "deletions that overlap": b"\0\x01" + number(VICTIM) + b"\x02\0\x02\x01\x01",
    "one writer's deletions twice": b"\0\x02" + (number(VICTIM) + b"\x01\0\x01") * 2,
    "a deletion beyond all clocks": b"\0\x01" + number(VICTIM) + b"\x01\x01" + number(MAX_CLOCK),
    "deletions without end": b"\0" + number(2**31 - 1),
}


def home():
    """The victim's three letters and a face, and its later words that the forger's edits do not name."""
    victim, node = SharedText(AUTHORS[0], DOCUMENT), SharedText(AUTHORS[1], DOCUMENT)
    node.merge(victim.insert(0, "abc\U0001f389"))
    node.merge(victim.insert(4, "later"))
    return node


@pytest.mark.parametrize("name", BAD_SHAPES)
def test_what_no_editor_makes_is_refused_by_its_shape(name):
    with pytest.raises(InvalidBytes):
        KIND.check(["edit", BAD_SHAPES[name], []])


FIRST = (Dot(AUTHORS[0], 1, 0),)
BAD_PLACES = {
    "a gap before it": (run(ME, 5, chars()), ()),
    "in the victim's name": (run(VICTIM, 9, chars()), FIRST),
    "in the victim's name, from its beginning": (run(VICTIM, 0, chars()), ()),
    "in nobody's name": (run(77, 0, chars()), ()),
    "behind what was not written": (run(ME, 0, chars("x", (VICTIM, 40))), FIRST),
    "behind what it does not name": (run(ME, 0, chars("x", (VICTIM, 1))), ()),
    "behind what its named edit had not written": (run(ME, 0, chars("x", (VICTIM, 6))), FIRST),
    "before what was not written": (run(ME, 0, chars("x", None, (VICTIM, 40))), FIRST),
    "behind itself": (run(ME, 0, chars("xy", (ME, 1))), ()),
    "before itself": (run(ME, 0, chars("xy", None, (ME, 0))), ()),
    "behind half a face": (run(ME, 0, chars("x", (VICTIM, 3))), FIRST),
    "before half a face": (run(ME, 0, chars("x", None, (VICTIM, 4))), FIRST),
    "behind half a face of its own": (run(ME, 0, chars("\U0001f389"), chars("x", (ME, 0))), ()),
    "deleting half a face": (b"\0\x01" + number(VICTIM) + b"\x01\x03\x01", FIRST),
    "deleting the other half": (b"\0\x01" + number(VICTIM) + b"\x01\x04\x01", FIRST),
    "deleting what it does not name": (b"\0\x01" + number(VICTIM) + b"\x01\0\x01", ()),
    "deleting what its named edit had not written": (b"\0\x01" + number(VICTIM) + b"\x01\0\x06", FIRST),
    "deleting of nobody": (b"\0\x01" + number(77) + b"\x01\0\x01", FIRST),
    "deleting its own future": (b"\0\x01" + number(ME) + b"\x01\0\x01", ()),
}


@pytest.mark.parametrize("name", BAD_PLACES)
def test_an_edit_stays_within_what_it_had_seen(name):
    data, named = BAD_PLACES[name]
    node = home()
    before = pack(node.encoded())
    forged = edit(data, named=named)
    KIND.check(forged.operation)
    with pytest.raises(InvalidBytes):
        KIND.fits(node.state, [forged.operation], AUTHORS[3], DOCUMENT)
    try:
        node.merge(forged)  # a copy without a node lets it wait for what might still come
    except InvalidBytes:
        assert pack(node.encoded()) == before
    assert (node.text, node.state.text) == ("abc\U0001f389later",) * 2


GOOD_PLACES = {
    "at the beginning": (run(ME, 0, chars()), ()),
    "behind a face": (run(ME, 0, chars("x", (VICTIM, 4))), FIRST),
    "before a face": (run(ME, 0, chars("x", (VICTIM, 2), (VICTIM, 3))), FIRST),
    "deleted already": (run(ME, 0, b"\x01\x01\x04text\x05"), ()),
    "collected already": (run(ME, 0, b"\0\x05"), ()),
    "deleting a face": (b"\0\x01" + number(VICTIM) + b"\x01\x03\x02", FIRST),
    "nothing": (b"\0\0", ()),
}


@pytest.mark.parametrize("name", GOOD_PLACES)
def test_what_an_editor_may_do_is_taken_in(name):
    data, named = GOOD_PLACES[name]
    node = home()
    node.merge(edit(data, named=named))
    again = KIND.decode(KIND.encode(node.state))
    assert KIND.encode(again) == node.encoded()
    assert not again.waiting


def test_two_writers_of_one_number_cannot_be_told_apart():
    node = home()
    double = bytes(31) + b"\1"
    node.state.writers[double] = node.state.writers[AUTHORS[0]]
    both = [Dot(double, 1, 0), *FIRST]
    for author, named in ((AUTHORS[3], both), (AUTHORS[0], both[:1])):
        with pytest.raises(InvalidBytes, match="same number"):
            KIND.fits(node.state, [edit(b"\0\0", named=named).operation], author, DOCUMENT)
    own = edit(b"\0\0", named=[Dot(AUTHORS[2], 1, 0), Dot(AUTHORS[3], 1, 0)])
    KIND.fits(node.state, [own.operation], AUTHORS[3], DOCUMENT)


def test_a_records_later_edits_go_on_from_its_earlier_ones():
    node = home()
    one, two = (["edit", run(ME, clock, chars("x", left)), []] for clock, left in ((0, None), (1, (ME, 0))))
    KIND.fits(node.state, [one, two], AUTHORS[3], DOCUMENT)
    for wrong in ([two, one], [one, one], [two]):
        with pytest.raises(InvalidBytes):
            KIND.fits(node.state, wrong, AUTHORS[3], DOCUMENT)


@given(st.integers(0, 2**32))
def test_a_verdict_depends_on_nothing_that_is_not_named(seed):
    """The same edit, judged where only what it names is held and where everything is."""
    rng = random.Random(seed)
    trace = Trace(seed, 12)
    everything = [one for edits in trace.edits for one in edits]
    everything.sort(key=lambda one: (one.dot.seq, one.dot.author))
    named = [one for one in everything if one.dot.author == AUTHORS[0]][: rng.randint(1, 4)]
    if not named:
        return
    frontier = (named[-1].dot,)
    few, all_of_it = SharedText(AUTHORS[1], DOCUMENT), trace.copies[0]
    needed = {one.dot for one in named}
    for one in everything * 12:
        if one.dot in needed:
            needed |= {Dot(*dot) for dot in one.operation[2]}
            needed |= {other.dot for other in everything if other.dot.author == one.dot.author and other.dot < one.dot}
    for one in everything:
        if one.dot in needed:
            few.merge(one)
    data = run(ME, 0, chars("x", (client_id(AUTHORS[rng.randrange(3)], DOCUMENT), rng.randint(0, 12))))

    def verdict(copy):
        try:
            KIND.fits(copy.state, [edit(data, named=frontier).operation], AUTHORS[3], DOCUMENT)
        except InvalidBytes as error:
            return str(error)
        return ""

    assert verdict(few) == verdict(all_of_it)


@pytest.mark.parametrize("seed", range(60))
def test_runs_placed_against_all_sense_change_no_order_between_nodes(seed):
    """A liar may name any two runs it has seen as its neighbours, in any order, which no editor does. The library then
    orders by arrival; equal bytes must still mean equal words."""
    rng = random.Random(seed)
    trace = Trace(seed, 10)
    liar, forged = trace.copies[0], []
    for clock in range(4):
        ids = [(writer.client, unit) for writer in liar.state.writers.values() for unit in range(writer.end)]
        placed = edit(
            run(ME, clock, chars(rng.choice("WXYZ"), rng.choice(ids), rng.choice(ids))),
            clock + 1,
            named=newest(liar),
        )
        try:
            liar.merge(placed)
        except InvalidBytes:
            break  # it cut a character in two
        forged.append(placed)
        honest = SharedText(AUTHORS[1], DOCUMENT, liar.state)
        honest._seq += 100 + clock
        forged.append(honest.insert(rng.randint(0, len(honest.text)), "ok"))
        liar.merge(forged[-1])
    everything = [one for edits in trace.edits for one in edits] + forged
    results = set()
    for _ in range(4):
        node = SharedText(AUTHORS[2], DOCUMENT)
        for one in rng.sample(everything, len(everything)):
            node.merge(one)
        assert not node.state.waiting
        results.add((pack(node.encoded()), node.state.text, SharedText(AUTHORS[3], DOCUMENT, node.state).text))
    assert len(results) == 1
    assert len({words for _, *texts in results for words in texts}) == 1


def test_a_hundred_thousand_mutated_edits_break_nothing():
    rng = random.Random(7)
    trace = Trace(3, 60)
    corpus = [one.operation[1] for edits in trace.edits for one in edits] + list(BAD_SHAPES.values())
    node = home()
    taken = 0
    for _ in range(100_000):
        data = bytearray(rng.choice(corpus))
        for _ in range(rng.randint(1, 3)):
            at = rng.randint(0, len(data))
            change = rng.randrange(4)
            if change == 0:
                data[at:at] = rng.randbytes(1)
            elif change == 1:
                del data[at : at + rng.randint(1, 3)]
            elif data:
                data[at % len(data)] = rng.choice((0, 1, 4, 127, 128, 255, rng.randrange(256)))
        operation = ["edit", bytes(data), [list(dot) for dot in newest(node)]]
        try:
            KIND.check(operation)
            KIND.fits(node.state, [operation], AUTHORS[3], DOCUMENT)
        except InvalidBytes:
            continue
        taken += 1
        node.merge(Edit(Dot(AUTHORS[3], taken, 0), operation))
    assert KIND.encode(KIND.decode(node.encoded())) == node.encoded()


def test_edits_that_would_be_taken_but_for_their_place_break_nothing():
    """Well-formed edits, blindly placed: some fit, and those are kept in the same bytes everywhere."""
    rng = random.Random(11)
    node, kept, clock = home(), [], 0
    for _ in range(5_000):
        ids = [None, (VICTIM, rng.randrange(12)), (ME, rng.randrange(clock + 2))]
        text = rng.choice(PIECES)
        gone = rng.choice([b"\0", b"\x01" + number(VICTIM) + b"\x01" + bytes([rng.randrange(9), rng.randint(1, 3)])])
        block = chars(text, rng.choice(ids), rng.choice(ids)) if rng.random() < 0.9 else b"\0\x02"
        one = edit(
            run(ME, clock + (rng.random() < 0.1), block, deleted=gone),
            len(kept) + 1,
            named=rng.choice([(), FIRST, tuple(newest(node))]),
        )
        try:
            node.merge(one)
        except InvalidBytes:
            continue
        kept.append(one)
        clock = node.state.writers[AUTHORS[3]].end
    assert len(kept) > 200
    other = home()
    for one in kept:
        other.merge(one)
    assert pack(other.encoded()) == pack(node.encoded())
    assert other.state.text == node.state.text


TWO_OF_ONE = ["edit", b"\0\0", [[AUTHORS[0], 1, 0], [AUTHORS[0], 2, 0]]]


@pytest.mark.parametrize(
    "operation",
    [None, [], ["edit", b"\0\0"], ["edit", "\0\0", []], ["put", b"\0\0", []], ["edit", b"\0\0", None], TWO_OF_ONE],
)
def test_operations_are_measured(operation):
    with pytest.raises(InvalidBytes):
        KIND.check(operation)


def test_a_failing_library_is_no_crash(monkeypatch):
    class PanicException(BaseException):
        pass

    class Doc:
        def __init__(self, error):
            self.error = error

        def apply_update(self, update):
            raise self.error

    for error in (PanicException(), ValueError()):
        node = home()
        node.state.yjs._doc = Doc(error)
        with pytest.raises(InvalidBytes):
            node.state.yjs.apply(b"\0\0")
    node.state.yjs._doc = Doc(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        node.state.yjs.apply(b"\0\0")
