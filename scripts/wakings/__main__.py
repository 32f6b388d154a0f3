"""scripts/wakes [--json | --markdown] [--minutes M] [--audio FOLDER]"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from benches.table import Row, commit, machine, markdown, row, show

from jarvis.models.pull import pull
from wakings.campaign import (
    EDGES,
    Grid,
    Heard,
    phrases_alike,
    recordings_without_wake,
    room_noise,
    speech_without_wake,
    wakes_made,
    wakes_recorded,
)
from wakings.voices import Voices

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "audio"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/wakes", description="Count false and missed wakes.")
    parser.add_argument("--minutes", type=float, default=60.0, help="of speech without the phrase")
    parser.add_argument("--audio", type=Path, help="recordings; those of the phrase have jarvis in their name")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--markdown", action="store_true", help="as it stands in docs/benchmarks.md")
    arguments = parser.parse_args()
    folder = arguments.audio or Path(os.environ.get("JARVIS_TEST_AUDIO", RECORDINGS))
    pull(["piper-en_US-joe-medium"])
    voices, noise = Voices(), room_noise(folder)
    heard = {
        f"{arguments.minutes:g} minutes of distinct speech": speech_without_wake(voices, arguments.minutes * 60, noise),
        "near-miss phrases": phrases_alike(voices, noise),
        "recordings without the phrase": recordings_without_wake(folder),
    }
    recorded, names = wakes_recorded(folder, noise)
    missed = {"made by Piper": wakes_made(voices, noise), f"recorded ({len(names)} of a person)": recorded}
    rows = [*_false(heard), *_missed(missed)]
    if arguments.json:
        result = {
            "machine": machine(),
            "commit": commit(),
            "rows": [asdict(one) for one in rows],
            "edges": EDGES,
            "histograms": {what: one.histogram for what, one in heard.items()},
            "claimed": {what: sorted(one.near, reverse=True) for what, one in heard.items()},
        }
        json.dump(result, sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    if arguments.markdown:
        print(markdown(rows))
    else:
        show(rows, as_json=False)
    print(f"\n{_histograms(heard)}")
    for what, one in heard.items():
        for peak, text in sorted(one.near, reverse=True)[:12]:
            print(f"\n{'Chimed' if peak >= EDGES[-2] else 'Claimed only'} at {peak:g}, {what}: {text}")


def _false(heard: dict[str, Heard]) -> list[Row]:
    rows = []
    for what, one in heard.items():
        rows.append(row(f"chimes, {what}", one.chimes, f"in {one.clips} clips, {one.seconds / 60:.0f} min", most=0))
        if one.calls:
            rows.append(
                row(f'of these where somebody is called ("Hey Travis, ..."), {what}', one.called, f"in {one.calls}")
            )
        rows.append(row(f"highest peak, {what}", max(one.peaks, default=0.0), "of 1"))
    return rows


def _missed(missed: dict[str, Grid]) -> list[Row]:
    rows = []
    for kind, grid in missed.items():
        for (what, value), one in sorted(grid.items(), key=lambda item: item[0][0]):
            share = 100 * one.missed / one.spoken
            name = f"missed, {kind}, {what} {value}".strip()
            rows.append(row(name, share, f"% of {one.spoken} ({one.unsure} claimed)"))
    return rows


def _histograms(heard: dict[str, Heard]) -> str:
    """Clips by their highest score."""
    ends = [f"{low:g} to {min(high, 1.0):g}" for low, high in itertools.pairwise(EDGES)]
    lines = [f"| highest score of a clip | {' | '.join(ends)} |", "|---|" + "---:|" * len(ends)]
    lines += [f"| {what} | {' | '.join(map(str, one.histogram))} |" for what, one in heard.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
