"""The books of scrapers' claims in the state: they outlive Redis.

State name: ``claims.json``. Only who has the turn (``TaskQueue.turn``) writes it.
"""

from __future__ import annotations

from functools import cache

from pydantic import TypeAdapter, ValidationError

from recon.core.claims import Claims
from recon.errors import StateError
from recon.ports import StateStore

_NAME = "claims.json"


def load_claims(state: StateStore) -> Claims:
    """Return the books, empty where there are none; raise ``StateError`` where they cannot be read."""
    content = state.get(_NAME)
    if content is None:
        return Claims()
    try:
        return _codec().validate_json(content)
    except ValidationError as error:
        raise StateError(
            f"{_NAME} in the state cannot be read ({error.error_count()} errors). It holds known absences "
            "and quarantined keys: restore it from a backup, or delete it to begin anew."
        ) from error


def save_claims(state: StateStore, claims: Claims) -> None:
    """Write the books."""
    state.put(_NAME, _codec().dump_json(claims))


@cache
def _codec() -> TypeAdapter[Claims]:
    return TypeAdapter(Claims)
