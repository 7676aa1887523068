"""What holds for every test."""

from __future__ import annotations

import signal

# In a shell's background Ctrl-C is ignored, and by every process that a test starts too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
