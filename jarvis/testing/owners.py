"""Who owns a simulated home: the owner keys as they lie on its machines' disks, handed over and recovered as real nodes
do it, and the phrases that its people have on paper."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.node.membership.ownership import OWNER_KEY, current, keep_next, tidy
from jarvis.testing.machine import Machine

Done = Callable[[Chain], None]


class Owners:
    def __init__(self, seed: str, recovery: SigningKey) -> None:
        self._seed = seed
        self._made = 0
        self._phrases = {recovery.public: recovery}
        """By what chains name; people throw none away."""

    def found(self, machine: Machine, owner: SigningKey) -> None:
        machine.store.transact(lambda tx: tx.put(OWNER_KEY, owner.seed))

    def signer(self, machines: Sequence[Machine], *, replaced: bool) -> tuple[Machine, SigningKey] | None:
        """The machine that is up, takes itself for the owner's and has the key; with `replaced` also on an older disk
        than it had, so that its chain may part from the one that others know."""
        for machine in machines:
            if machine.up and (replaced or not machine.replaced):
                key = machine.store.view(lambda tx, machine=machine: current(tx, machine.replica))  # type: ignore[misc]
                if key is not None and machine.store.view(machine.replica.chain).owner_node == machine.node_id:
                    return machine, key
        return None

    def hand_over(self, owner: Machine, key: SigningKey, to: Machine, then: Done) -> None:
        """While both are linked: the new key lies on the other disk before anything is signed."""
        linked = owner.sync is not None and to.node_id in owner.sync.peers and to.up
        if not linked or to is owner:
            return
        new = self._key("owner")
        to.store.transact(lambda tx: keep_next(tx, to.replica.chain(tx), new))

        def done(chain: Chain) -> None:
            owner.store.transact(lambda tx: tidy(tx, chain))
            then(chain)

        owner.change_chain(lambda _, chain: chain.hand_over(key, new.public, to.node_id, at_ms=owner.wall_ms()), done)

    def recover(self, machine: Machine, then: Done) -> None:
        """Somebody types the phrase there that this machine's chain asks for."""
        chain = machine.store.view(machine.replica.chain)
        phrase, new, paper = self._phrases[chain.recovery], self._key("owner"), self._key("paper")
        self._phrases[paper.public] = paper
        machine.store.transact(lambda tx: keep_next(tx, machine.replica.chain(tx), new))

        def change(_: object, chain: Chain) -> Chain:
            return chain.recover(phrase, new.public, paper.public, machine.node_id, at_ms=machine.wall_ms())

        machine.change_chain(change, then)

    def _key(self, kind: str) -> SigningKey:
        self._made += 1
        return SigningKey(hashlib.sha256(f"{kind} {self._made} of {self._seed}".encode()).digest())
