"""scripts/bench NAME [--json]"""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from pathlib import Path

from benches.table import show


def main() -> None:
    apart = ("__main__", "table")
    names = [one.name for one in pkgutil.iter_modules([str(Path(__file__).parent)]) if one.name not in apart]
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Jarvis on this machine.")
    parser.add_argument("name", choices=sorted(names))
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    arguments = parser.parse_args()
    show(importlib.import_module(f"benches.{arguments.name}").run(), as_json=arguments.json)


if __name__ == "__main__":
    main()
