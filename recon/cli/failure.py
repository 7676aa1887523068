"""An error in words: what happened and what to do next, on one line where it was not foreseen."""

from __future__ import annotations

from recon.errors import ReconError
from recon.masking import masked

#: Where a command's context keeps whether tracebacks are wanted.
DEBUG = "recon.debug"


def sentence(error: Exception) -> str:
    """Return what a person should read of an error that ended a command."""
    if isinstance(error, ReconError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return (
            f"{where}{error.strerror}. Next: check that path, its owner and free space; --debug shows more."
        )
    said = masked(" ".join(str(error).split()))[:300]
    return (
        f"unexpected {type(error).__name__}{f': {said}' if said else ''}. Next: run it again with --debug, "
        "and report what that shows; `recon doctor` checks the set-up."
    )
