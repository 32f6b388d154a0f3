"""Hearing and speaking. `hearing` makes an utterance of sound, `arbitration` tells which room answers it, `speaking`
makes sound of a text, `devices` holds microphones and loudspeakers; the files beside them join these."""
