from __future__ import annotations

import sys

from jarvis_cli.main import main

sys.exit(main())
