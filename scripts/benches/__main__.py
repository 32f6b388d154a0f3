"""scripts/bench NAME [--json | --markdown] [--full] [--svg FILE]"""

from __future__ import annotations

import argparse
import importlib
import logging
import pkgutil
import sys
from pathlib import Path

import structlog

from benches.table import markdown, show


def main() -> None:
    apart = ("__main__", "table", "support")
    names = [one.name for one in pkgutil.iter_modules([str(Path(__file__).parent)]) if one.name not in apart]
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Jarvis on this machine.")
    parser.add_argument("name", choices=sorted(names))
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--full", action="store_true", help="the long form, where there is one")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw it too, where that is possible")
    parser.add_argument("--markdown", action="store_true", help="the table as it stands in docs/benchmarks.md")
    parser.add_argument(
        "--python-docs", type=Path, metavar="DIR", help="retrieval --full: Python's documentation as HTML"
    )
    parser.add_argument(
        "--vectors", type=Path, metavar="FILE", help="retrieval: keep texts' vectors there between runs"
    )
    arguments = parser.parse_args()
    # Standard output is the table's, or the JSON object's, alone.
    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    bench = importlib.import_module(f"benches.{arguments.name}")
    given = bench.options(arguments) if hasattr(bench, "options") else {}
    rows = bench.run_full(**given) if arguments.full and hasattr(bench, "run_full") else bench.run(**given)
    if arguments.svg and hasattr(bench, "drawn"):
        arguments.svg.write_text(bench.drawn(rows))
    if arguments.markdown:
        print(markdown(rows))
    else:
        show(rows, as_json=arguments.json)


if __name__ == "__main__":
    main()
