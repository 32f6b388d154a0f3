"""scripts/fuzz [--seconds S | --inputs N] [--target T] [--seed S] [--jobs N] [--json]

Exit code 0 when every decoder took all that damage, 1 when one crashed or kept memory (the inputs are put into
tests/fuzz/corpus, where the tests run them), 130 when interrupted. `--write-corpus` writes the examples there."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from jarvis.testing.decoders import read_corpus, save, targets, write_corpus
from jarvis.testing.fuzzing import Result, fuzz

CORPUS = Path(__file__).parents[2] / "tests" / "fuzz" / "corpus"


class Share(TypedDict, total=False):
    """How much of one target: so long, or so many inputs."""

    seconds: float
    executions: int


def main() -> None:
    names = sorted(targets())
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Feed damaged bytes to every decoder.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=_positive, default=60.0, help="in all, shared by the targets")
    length.add_argument("--inputs", type=_whole, help="in all, as many for each target, however long it takes")
    parser.add_argument(
        "--jobs", type=_whole, default=os.cpu_count() or 1, help="processes at once; default: the cores"
    )
    parser.add_argument("--target", choices=names, action="append", help="only this one; may be given again")
    parser.add_argument("--seed", type=int, default=0, help="another seed damages otherwise")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--write-corpus", action="store_true", help="write the examples into tests/fuzz/corpus")
    arguments = parser.parse_args()
    chosen = arguments.target or names
    if arguments.write_corpus:
        for name in chosen:
            print(f"{write_corpus(CORPUS, targets()[name]):>4}  {name}")
        return
    workers = min(arguments.jobs, len(chosen))
    share: Share = {"seconds": arguments.seconds * workers / len(chosen)}
    if arguments.inputs:
        share = {"executions": -(-arguments.inputs // len(chosen))}
    sys.exit(run(chosen, share, arguments.seed, workers, as_json=arguments.json))


def run(names: Sequence[str], share: Share, seed: int, workers: int, *, as_json: bool) -> int:
    results: list[Result] = []
    interrupted = False
    console = Console(stderr=True)
    try:
        with Progress(
            *Progress.get_default_columns()[:2],
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as progress:
            bar = progress.add_task("decoders", total=len(names))
            for result in _results(names, share, seed, workers):
                results.append(result)
                progress.advance(bar)
    except KeyboardInterrupt:
        interrupted = True
    for result in results:
        for crash in result.crashes:
            save(CORPUS, result.target, crash.data)
    bad = [one for one in results if one.crashes or one.grew]
    if as_json:
        rows = [{**asdict(one), "crashes": [crash.reason for crash in one.crashes]} for one in results]
        executions = sum(one.executions for one in results)
        found = {"executions": executions, "crashes": sum(len(one.crashes) for one in results)}
        print(json.dumps({**found, "seconds": round(sum(one.seconds for one in results), 1), "targets": rows}))
    else:
        _print(results)
    return 130 if interrupted else int(bool(bad))


def fuzz_one(name: str, share: Share, seed: int) -> Result:
    target = targets()[name]
    return fuzz(target, read_corpus(CORPUS, target), seed=seed, **share)


def _results(names: Sequence[str], share: Share, seed: int, workers: int) -> Iterator[Result]:
    """Each target in a process of its own, so that its memory is its own."""
    work = partial(fuzz_one, share=share, seed=seed)
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _ignore_interrupts, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(work, names, chunksize=1)


def _print(results: Sequence[Result]) -> None:
    print(f"{'decoder':<12} {'inputs':>10} {'per s':>8} {'understood':>10} {'growth':>9}  crashes")
    for one in sorted(results, key=lambda one: one.target):
        rate = one.executions / max(one.seconds, 1e-9)
        share = one.understood / max(one.executions, 1)
        growth = f"{one.growth_bytes / 2**20:.1f} MiB"
        print(f"{one.target:<12} {one.executions:>10} {rate:>8.0f} {share:>10.1%} {growth:>9}  {len(one.crashes)}")
    executions, seconds = sum(one.executions for one in results), sum(one.seconds for one in results)
    print(f"{executions} inputs, {executions / max(seconds, 1e-9):.0f} a second of one core; 10 million take ", end="")
    print(f"{10_000_000 * seconds / max(executions, 1) / 60:.0f} minutes of one")
    for one in results:
        for crash in one.crashes:
            print(f"\n{one.target}: {crash.data[:64].hex()}\n{crash.reason}")


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


if __name__ == "__main__":
    main()
