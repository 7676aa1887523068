"""Keys that older configurations hold, and that change nothing here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recon.strict_yaml import Document

_KEYS_WITHOUT_EFFECT: tuple[tuple[str, ...], ...] = (
    ("version",),
    ("last_updated",),
    ("metadata",),
    ("reconciliation_loop", "daemon_mode"),
    ("integration", "existing_tools"),
)


def without_effect(document: Document) -> tuple[str, ...]:
    """Return the keys of the file that are accepted and change nothing."""
    return tuple(
        ".".join(path) for path in _KEYS_WITHOUT_EFFECT if _written(document.value, path) is not None
    )


def _written(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
