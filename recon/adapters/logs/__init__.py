"""The log of one process: lines with cycle and shard ids, no secrets, in files that several may share."""

from __future__ import annotations

from recon.adapters.logs.context import log_context, within
from recon.adapters.logs.start import LogChoice, Stderr, keep_small, start_logging

__all__ = ["LogChoice", "Stderr", "keep_small", "log_context", "start_logging", "within"]
