"""The alert book in the state. State name: ``alerts.json``; only who has the turn writes it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from recon.core.alerting import AlertBook
from recon.errors import StateError

if TYPE_CHECKING:  # ports describe Arrow batches; who only watches does without Arrow
    from recon.ports import StateStore

_NAME = "alerts.json"


def load_alerts(state: StateStore) -> AlertBook:
    """Return the book, empty where there is none; raise ``StateError`` where it cannot be read."""
    content = state.get(_NAME)
    if content is None:
        return AlertBook()
    try:
        return _codec().validate_json(content)
    except ValidationError as error:
        raise StateError(
            f"{_NAME} in the state cannot be read ({error.error_count()} errors). It holds which alerts were "
            "told: delete it, and what stands is told again."
        ) from error


def save_alerts(state: StateStore, book: AlertBook) -> None:
    """Write the book."""
    state.put(_NAME, _codec().dump_json(book))


@cache
def _codec() -> TypeAdapter[AlertBook]:
    return TypeAdapter(AlertBook)
