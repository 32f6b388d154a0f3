"""What holds for every test."""

from __future__ import annotations

import signal

# A shell that starts this in the background makes it ignore Ctrl-C, and so would every program that tests start and
# interrupt. A handler of our own is back to the default after exec.
signal.signal(signal.SIGINT, signal.default_int_handler)
