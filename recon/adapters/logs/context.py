"""Which cycle, shard and task this thread works on, for the lines it logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import MappingProxyType

_NOWHERE: Mapping[str, str] = MappingProxyType({})
_FIELDS: ContextVar[Mapping[str, str]] = ContextVar("recon_log_context", default=_NOWHERE)


def log_context() -> Mapping[str, str]:
    """Return what is known of where this thread is: ``cycle_id``, ``shard_id``, ``task_id``, ``task``."""
    return _FIELDS.get()


def enter(fields: Mapping[str, str]) -> Token[Mapping[str, str]]:
    """Say where this thread is from now on."""
    return _FIELDS.set(fields)


def leave() -> None:
    """Say that this thread is nowhere in particular."""
    _FIELDS.set(_NOWHERE)


@contextmanager
def within(**fields: str) -> Iterator[None]:
    """Say where this thread is while the block runs, beside what is known already."""
    token = _FIELDS.set({**_FIELDS.get(), **fields})
    try:
        yield
    finally:
        _FIELDS.reset(token)
