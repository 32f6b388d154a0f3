"""How one node listens and speaks: frozen, each figure with its reason. Read once, where the pipeline is built."""

from __future__ import annotations

from dataclasses import dataclass, field

from jarvis.voice.hearing.endpoint import EndpointSettings


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    endpoint: EndpointSettings = field(default_factory=EndpointSettings)
    before_wake_ms: float = 150.0
    """Speech to text starts so long before the detection: without a pause the command has begun by then, and with
    more the wake phrase is heard as "Nature"."""
    pre_roll_ms: float = 1_500.0
    """Sound kept while nobody has said the wake word."""
    follow_up_ms: float = 8_000.0
    """After a reply that asks, one may answer without the wake word for so long."""
    slow_decode_ms: float = 300.0
    """On a machine that decodes slower than this, text is first asked for after `endpoint.pause_ms` of silence: it
    would come no earlier, and every breath would cost a decode."""
    barge_in_doubt: float = 0.2
    """Taken from each frame's probability of speech in what the microphone hears without us."""
    barge_in_enough: float = 0.4
    """Of what is left, summed over the frames (`Evidence`): then we play quieter, and listen. A loud frame or two, or
    160 ms of faint ones."""
    duck_db: float = 15.0
    """Quiet enough to be talked over and to be understood through, loud enough to be followed."""
    barge_in_cap_ms: float = 6_000.0
    """Somebody who talks for so long while we speak talks to somebody else."""
    barge_in_quiet_ms: float = 800.0
    """A noise that was no words has passed after so long."""
    window_frames: int = 3
    """96 ms of speech begin an answer without the wake word."""
    before_voice_ms: float = 300.0
    """Kept of what was before those frames: a word begins more softly than the detector hears."""
    cut_off_ms: float = 1_000.0
    """Speech so soon after the end of an utterance says that it was not the end."""
    deaf_ms: float = 1_000.0
    """When the ears fail while nobody speaks, sound passes unheard for so long before they are asked again."""
    stt_deadline_s: float = 10.0
    """For one utterance; a file handed over whole gets its own length more."""
    tts_deadline_s: float = 20.0
    """For one sentence."""

    def __post_init__(self) -> None:
        if self.before_wake_ms > self.pre_roll_ms:
            raise ValueError("before_wake_ms cannot reach further back than pre_roll_ms")
