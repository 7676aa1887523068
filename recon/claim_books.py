"""The books of scrapers' claims in the state: they outlive Redis.

State name: ``claims.json``. Only who has the turn (``TaskQueue.turn``) writes it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from recon.core.claims import Claims
from recon.errors import BrokerError, StateError

if TYPE_CHECKING:  # ports describe Arrow batches; who only reads the books does without Arrow
    from recon.ports import StateStore, TaskQueue

_NAME = "claims.json"
#: Seconds that a change may take; how often, and how far apart, the turn is asked for.
_TURN_S, _TRIES, _WAIT_S = 30.0, 60, 0.5


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


@contextmanager
def open_claims(queue: TaskQueue, state: StateStore) -> Iterator[Claims]:
    """Give the books to change, and write them at the end; waits for whoever has the turn.

    Raises:
        BrokerError: Nobody gave the turn back in time.
    """
    tries = 0
    while True:
        with queue.turn(_TURN_S) as mine:
            if mine:
                claims = load_claims(state)
                yield claims
                save_claims(state, claims)
                return
        tries += 1
        if tries > _TRIES:
            raise BrokerError("another process has been settling claims for long. Try again in a minute.")
        time.sleep(_WAIT_S)


@cache
def _codec() -> TypeAdapter[Claims]:
    return TypeAdapter(Claims)
