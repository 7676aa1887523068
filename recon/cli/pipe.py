"""A reader that closes its pipe (``recon gaps --keys | head``) has seen enough: that is no error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def closable() -> Iterator[None]:
    """Write to stdout until its reader closes it; what is left of the block is then skipped, silently."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # Python flushes stdout once more when it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
