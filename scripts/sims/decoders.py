"""scripts/fuzz --seconds S [--target T] [--seed S] [--json]

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

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from jarvis.testing.decoders import read_corpus, save, targets, write_corpus
from jarvis.testing.fuzzing import Result, fuzz

CORPUS = Path(__file__).parents[2] / "tests" / "fuzz" / "corpus"


def main() -> None:
    names = sorted(targets())
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description="Feed damaged bytes to every decoder.")
    parser.add_argument("--seconds", type=_positive, default=60.0, help="in all, shared by the targets")
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
    sys.exit(run(chosen, arguments.seconds, arguments.seed, as_json=arguments.json))


def run(names: Sequence[str], seconds: float, seed: int, *, as_json: bool) -> int:
    results: list[Result] = []
    interrupted = False
    console = Console(stderr=True)
    workers = min(os.cpu_count() or 1, len(names))
    try:
        with Progress(
            *Progress.get_default_columns()[:2],
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        ) as progress:
            bar = progress.add_task("decoders", total=len(names))
            for result in _results(names, seconds * workers / len(names), seed, workers):
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
        print(
            json.dumps({"executions": executions, "crashes": sum(len(one.crashes) for one in results), "targets": rows})
        )
    else:
        _print(results)
    return 130 if interrupted else int(bool(bad))


def fuzz_one(name: str, seconds: float, seed: int) -> Result:
    target = targets()[name]
    return fuzz(target, read_corpus(CORPUS, target), seed=seed, seconds=seconds)


def _results(names: Sequence[str], seconds: float, seed: int, workers: int) -> Iterator[Result]:
    """Each target in a process of its own, so that its memory is its own."""
    work = partial(fuzz_one, seconds=seconds, seed=seed)
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
    print(f"{sum(one.executions for one in results)} inputs")
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


if __name__ == "__main__":
    main()
