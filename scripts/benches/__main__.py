"""scripts/bench NAME [--json]"""

from __future__ import annotations

import argparse
import importlib
import logging
import pkgutil
import sys
from pathlib import Path

import structlog

from benches.table import show


def main() -> None:
    apart = ("__main__", "table")
    names = [one.name for one in pkgutil.iter_modules([str(Path(__file__).parent)]) if one.name not in apart]
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Jarvis on this machine.")
    parser.add_argument("name", choices=sorted(names))
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    # Standard output is the table's, or the JSON object's, alone.
    quiet = structlog.make_filtering_bound_logger(logging.ERROR)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    show(importlib.import_module(f"benches.{arguments.name}").run(), as_json=arguments.json)


if __name__ == "__main__":
    main()
