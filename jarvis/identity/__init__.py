"""Who may write and who wrote: keys, certificates, membership, records. Pure: randomness and time are arguments."""
