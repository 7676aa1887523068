"""Reads the configuration and its inventory, and says what is wrong: ``python -m workers.check``."""

from __future__ import annotations

import sys

from recon import access, wiring
from recon.errors import ReconError


def main() -> int:
    """Return 0, or the error's exit code after telling it on stderr."""
    try:
        wiring.validated(access.settings())
    except ReconError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
