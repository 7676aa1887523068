"""Keys of the contract that nothing acts on yet: each one that is switched on says so.

A row leaves this table with the change that makes its key work. A key that is written with its default says
so too: whoever writes it expects something of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from recon.model import Notice
from recon.strict_yaml import Document

_NO_EFFECT_YET = "{key} has no effect yet: {instead}"
_LATER: tuple[tuple[tuple[str, ...], str], ...] = (
    (("task_queue", "task_ttl_days"), "a task stays until a complete look finds its keys"),
)
_KEYS_WITHOUT_EFFECT: tuple[tuple[str, ...], ...] = (
    ("version",),
    ("last_updated",),
    ("metadata",),
    ("reconciliation_loop", "daemon_mode"),
    ("integration", "existing_tools"),
)


def later(document: Document) -> Iterator[Notice]:
    """Yield a notice for each key that is switched on before anything acts on it."""
    for path, instead in _LATER:
        if _is_on(_written(document.value, path)):
            key = ".".join(path)
            yield Notice(_NO_EFFECT_YET.format(key=key, instead=instead), document.where(path, key=True))


def without_effect(document: Document) -> tuple[str, ...]:
    """Return the keys of the file that are accepted and change nothing."""
    return tuple(
        ".".join(path) for path in _KEYS_WITHOUT_EFFECT if _written(document.value, path) is not None
    )


def _written(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _is_on(value: Any) -> bool:
    if isinstance(value, Mapping) and value.get("enabled") is False:
        return False
    return value not in (None, False, [], {})
