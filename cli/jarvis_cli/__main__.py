"""`python -m jarvis_cli` is the command `jarvis`; it must hold nothing of its own."""

from __future__ import annotations

import sys

from jarvis_cli.main import main

sys.exit(main())
