"""scripts/claims [--nodes 5] [--trials 20000] [--seed S] [--delay MS] [--jitter MS] [--loss SHARE] [--spread MS]
scripts/claims --real 100 [--nodes 5] [--seed S]                                              [--json] with either

One "hey Jarvis" that several rooms hear, many times: in virtual time with the machine that nodes run, or with real
nodes and a recording. Counts who chimes and who answers. Exit code 0 when the aims are met."""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from jarvis.testing.claim_trials import OTHER_REQUEST, Links, draw_rooms, run_trial, second_person
from jarvis.testing.hearing_home import STAGES, HearingHome
from jarvis.voice.arbitration.state import PHRASE_MS
from sims.arguments import positive, several

CHUNK = 200
AIMS = {"nobody_answers": 0.0, "several_chimes": 0.001, "several_answers": 0.001}
"""Shares of the trials; the first must be none, the others fewer."""
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "audio"
WAKE, REQUEST = "hey_jarvis_1.wav", "what_time_is_it.wav"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/claims", description="Count who answers one wake word.")
    parser.add_argument("--nodes", type=several, default=5)
    parser.add_argument("--trials", type=positive, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first trial")
    parser.add_argument("--spread", type=float, default=250.0, help="milliseconds between the first and last detection")
    parser.add_argument("--delay", type=float, default=80.0, help="milliseconds, a pair's own, up to this")
    parser.add_argument("--jitter", type=float, default=40.0, help="milliseconds more, a message's own, up to this")
    parser.add_argument("--loss", type=float, default=0.01, help="share of messages")
    parser.add_argument("--real", type=positive, metavar="N", help="so many trials with real nodes instead")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    found = _real(arguments) if arguments.real else _simulated(arguments)
    found["ok"] = all(not found[name] or found[name] < aim * found["trials"] for name, aim in AIMS.items())
    print(json.dumps(found) if arguments.json else _told(found))
    sys.exit(0 if found["ok"] else 1)


# --- simulated ----------------------------------------------------------------------------------------------------


def _simulated(arguments: argparse.Namespace) -> dict[str, Any]:
    links = Links(arguments.delay, arguments.jitter, loss=arguments.loss)
    began = time.monotonic()
    work = partial(_trial, arguments.nodes, arguments.spread, links)
    counts: Counter[str] = Counter()
    slowest_ms = 0.0
    with multiprocessing.Pool(os.cpu_count() or 1) as pool:
        for one, chime_ms in pool.imap_unordered(
            work, range(arguments.seed, arguments.seed + arguments.trials), chunksize=CHUNK
        ):
            counts.update(one)
            slowest_ms = max(slowest_ms, chime_ms)
    names = (*AIMS, "winners_that_waited", "second_person_unanswered", "second_person_answered_twice")
    return {
        "kind": "simulated",
        "nodes": arguments.nodes,
        "trials": arguments.trials,
        "seed": arguments.seed,
        "spread_ms": arguments.spread,
        "delay_ms": arguments.delay,
        "jitter_ms": arguments.jitter,
        "loss": arguments.loss,
        **{name: counts[name] for name in names},
        "two_persons_trials": counts["two_persons"],
        "chime_after_claim_ms": round(slowest_ms, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def _trial(nodes: int, spread_ms: float, links: Links, seed: int) -> tuple[dict[str, int], float]:
    """What is to be counted of one trial, and the latest chime; every tenth is repeated with a second person."""
    rooms = draw_rooms(seed, nodes, spread_ms)
    outcome = run_trial(rooms, links, seed)
    counted = {
        "nobody_answers": not outcome.answered,
        "several_chimes": len(outcome.chimed) > 1,
        "several_answers": len(outcome.answered) > 1,
        "winners_that_waited": any(outcome.waited_ms[one] > 0 for one in outcome.answered),
    }
    if seed % 10 == 0:
        rooms = second_person(rooms, seed)
        texts = sorted(rooms[one].text == OTHER_REQUEST for one in run_trial(rooms, links, seed).answered)
        counted |= {
            "two_persons": True,
            "second_person_unanswered": not {False, True} <= set(texts),
            "second_person_answered_twice": len(texts) > 2,
        }
    return {name: int(value) for name, value in counted.items()}, max(outcome.chime_ms.values(), default=0.0)


# --- real ---------------------------------------------------------------------------------------------------------


def _real(arguments: argparse.Namespace) -> dict[str, Any]:
    """The home's trials; and some of them again in homes of one node each on the same machine, hearing the same at the
    same time: there, too, as many recognisers share its cores, and nobody asks anybody. A winner is compared with the
    same room of the same trial there, since who hears the phrase first shares its cores with the others' work."""
    began = time.monotonic()
    counts: Counter[str] = Counter()
    together = _with_home(arguments, joined=True, trials=arguments.real, counts=counts)
    apart = _with_home(arguments, joined=False, trials=max(arguments.real // 5, 5), counts=Counter())
    spreads = [heard.spread_ms for heard in together]
    names = (*AIMS, "nobody_heard_it", "rooms_woken", "late", "late_several_answers")
    return {
        "kind": "real",
        "nodes": arguments.nodes,
        "trials": arguments.real,
        "seed": arguments.seed,
        "spread_ms": {"drawn": arguments.spread, "median": _median(spreads), "most": round(max(spreads), 1)},
        **{name: counts[name] for name in names},
        "chime_after_wake_ms": _median([one for heard in together for one in heard.chime_after_ms.values()]),
        "endpoint_to_first_sound_without_making_it_ms": _compared(together, apart),
        "seconds": round(time.monotonic() - began, 1),
    }


def _compared(together: list[Any], apart: list[Any]) -> dict[str, Any]:
    """Medians over the rooms that answered in the home, and in the same trial alone."""
    pairs = [
        (here, there, room)
        for here, there in zip(together, apart, strict=False)
        for room in here.first_sound_ms.keys() & there.first_sound_ms.keys()
    ]
    here = [one.first_sound_ms[room] for one, _, room in pairs]
    there = [one.first_sound_ms[room] for _, one, room in pairs]
    parts = {
        name: {
            "together": _median([one.stages_ms[room][name] for one, _, room in pairs]),
            "apart": _median([one.stages_ms[room][name] for _, one, room in pairs]),
        }
        for name in STAGES
    }
    more = _median([a - b for a, b in zip(here, there, strict=True)])
    return {"pairs": len(pairs), "together": _median(here), "apart": _median(there), "more": more, "parts": parts}


def _with_home(arguments: argparse.Namespace, *, joined: bool, trials: int, counts: Counter[str]) -> list[Any]:
    audio = Path(os.environ.get("JARVIS_TEST_AUDIO", RECORDINGS))
    with tempfile.TemporaryDirectory(prefix="jarvis-claims-") as folder:
        quiet = {"JARVIS_OLLAMA_URL": ""}
        home = HearingHome(Path(folder), arguments.nodes, audio / WAKE, [audio / REQUEST], quiet)
        try:
            home.found(joined=joined)
            return asyncio.run(_trials(home, arguments, trials, counts))
        finally:
            home.close()


async def _trials(home: Any, arguments: argparse.Namespace, count: int, counts: Counter[str]) -> list[Any]:
    """On a machine that is busy elsewhere a room may hear it so late that it is another phrase to the others: such
    trials are counted apart."""
    found = []
    async with home.listening() as trials:
        await trials.trial(arguments.seed - 1, spread_ms=0.0)  # whatever is loaded at first use
        for number in range(count):
            heard = await trials.trial(arguments.seed + number, spread_ms=arguments.spread)
            found.append(heard)
            counts["rooms_woken"] += len(heard.woken)
            counts["nobody_heard_it"] += not heard.woken
            if heard.spread_ms > PHRASE_MS:
                counts["late"] += 1
                counts["late_several_answers"] += len(heard.answered) > 1
            else:
                counts["nobody_answers"] += bool(heard.woken) and not heard.answered
                counts["several_chimes"] += len(heard.chimed) > 1
                counts["several_answers"] += len(heard.answered) > 1
            _show(f"{number + 1}", heard, arguments)
    return found


def _show(name: str, heard: Any, arguments: argparse.Namespace) -> None:
    if not arguments.json:
        said = f"woken {len(heard.woken)} within {heard.spread_ms:.0f} ms, chimed {heard.chimed}"
        print(f"{name:>10}  {said}, answered {heard.answered}", file=sys.stderr, flush=True)


def _median(values: list[float]) -> float | None:
    return round(median(values), 1) if values else None


# --- told ---------------------------------------------------------------------------------------------------------


def _told(found: dict[str, Any]) -> str:
    lines = [f"{found['trials']} {found['kind']} trials of {found['nodes']} nodes in {found['seconds']} s"]
    for name, aim in AIMS.items():
        wanted = f"under {aim:.1%}" if aim else "none"
        lines.append(f"{found[name]:>8}  {name.replace('_', ' ')} ({found[name] / found['trials']:.3%}, {wanted})")
    rest = {name: value for name, value in found.items() if name not in (*AIMS, "trials", "kind", "nodes", "seconds")}
    return "\n".join([*lines, *(f"          {name.replace('_', ' ')}: {value}" for name, value in rest.items())])


if __name__ == "__main__":
    main()
