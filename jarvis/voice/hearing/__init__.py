"""From sound to one utterance: the ears and what is made of what they hear."""
