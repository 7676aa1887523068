"""How a failed cycle is told: what ``cycles/<id>/error.json`` says, and the record of runs.

While that file is there, it answers whoever waits, and keeps messages of a cycle that was given up from
beginning it.
"""

from __future__ import annotations

from typing import Any

from recon import access
from recon.errors import ReconError
from recon.masking import masked, masker
from recon.settings import secrets_of
from workers.retrying import may_pass


def failure_document(error: BaseException) -> dict[str, Any]:
    """Return what is told of the error that ended a cycle."""
    return {
        "message": _shown(str(error)) or type(error).__name__,
        "exit_code": getattr(error, "exit_code", ReconError.exit_code),
        "kind": type(error).__name__,
        "may_pass": may_pass(error),
        "at_once": bool(getattr(error, "at_once", False)),
    }


def _shown(text: str) -> str:
    """Return words of an error as they may be kept."""
    try:
        return masker(secrets_of(access.settings()))(text)
    except ReconError:  # a configuration that cannot be read names no secrets
        return masked(text)
