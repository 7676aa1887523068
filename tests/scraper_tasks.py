"""Tasks and scrapers in a line each, for tests of what runs scrapers."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count

from recon.core.command_template import parse_command
from recon.core.scraper import Per, Scraper
from recon.core.task_body import TaskBody, body_read

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
_NUMBERS = count(1)


def body_text(**fields) -> bytes:
    """Return a body v1; ``fields`` over what every body has."""
    number = next(_NUMBERS)
    document = {
        "id": f"{number:032x}",
        "v": 1,
        "priority": "high",
        "lake": "file:///lake",
        "source": "nba",
        "data_type": "box",
        "scraper": "nba",
        "reason": "missing",
        "partition": {},
        "pattern": "box/{n}.json",
        "keys": [],
        "items": [],
        "expect": {},
        "args": [],
        "first_seen_at": "2026-01-01T00:00:00Z",
        **fields,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def task(items=(), *, keys=None, **fields) -> TaskBody:
    """Return a task of ``items``, with a key for each unless told otherwise."""
    names = [f"k/{number}" for number in range(len(items))] if keys is None else keys
    found = body_read(body_text(items=list(items), keys=list(names), **fields))
    assert found is not None
    return found


def scraper(*command: str, per: str = "task", **settings) -> Scraper:
    """Return a scraper with that command."""
    return Scraper(
        name=settings.pop("name", "nba"),
        where="recon.yaml:1:1",
        command=parse_command(command),
        places=tuple(f"recon.yaml:1:{number + 1}" for number in range(len(command))),
        per=Per(per),
        **settings,
    )
