"""recon keeps a data lake complete: it compares what the lake should hold with what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recon.frames import coverage, gaps, history

__all__ = ["__version__", "coverage", "gaps", "history"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Find the functions that return DataFrames when they are asked for: pandas takes its time to import."""
    if name not in {"coverage", "gaps", "history"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from recon import frames  # noqa: PLC0415 - importing recon must stay light

    return getattr(frames, name)
