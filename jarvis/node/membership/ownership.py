"""The owner key, which signs who belongs to the home: where its seed lies in a node's own store, and whether it still
is the one in force. Private keys never move: a node that is to become the owner makes its own key, keeps it, and only
then tells the public half, so that no crash in between leaves the home with a key that nobody has."""

from __future__ import annotations

from jarvis.identity.keys import SigningKey
from jarvis.identity.membership import Chain
from jarvis.replica.replica import Replica
from jarvis.store.protocol import Transaction

OWNER_KEY = "identity/owner"
"""The seed of the key in force, or of one that was."""
NEXT_OWNER_KEY = "identity/owner-next"
"""The seed of a key that was made for a hand-over or a recovery; in force once the chain names it."""


def owner_key(tx: Transaction, chain: Chain) -> SigningKey | None:
    """The key that signs this chain's next entry, when this node keeps it."""
    for name in (OWNER_KEY, NEXT_OWNER_KEY):
        seed = tx.get(name)
        if seed and (key := SigningKey(seed)).public == chain.owner:
            return key
    return None


def current(tx: Transaction, replica: Replica) -> SigningKey | None:
    """The same, of the chain that is held here."""
    return owner_key(tx, replica.chain(tx))


def keep_next(tx: Transaction, chain: Chain, key: SigningKey) -> None:
    """Keep a key before anybody hears of it; an earlier one that never came into force is replaced."""
    tidy(tx, chain)
    tx.put(NEXT_OWNER_KEY, key.seed)


def tidy(tx: Transaction, chain: Chain) -> None:
    """After the chain named its owner: the key in force stands in its place, and one that signs nothing any more is
    gone from the disk. A key that waits to come into force stays."""
    key = owner_key(tx, chain)
    if key is None:
        tx.delete(OWNER_KEY)
    elif tx.get(OWNER_KEY) != key.seed:
        tx.put(OWNER_KEY, key.seed)
        tx.delete(NEXT_OWNER_KEY)
