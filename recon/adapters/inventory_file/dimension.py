"""Declared dimensions: handed to core as text, with holidays read from their file."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recon.core.dimensions import Dimension, parse_dimension
from recon.core.invalid import InvalidValueError
from recon.shapes import described, problem, problems
from recon.strict_yaml import as_written, plain

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
#: Keys whose numbers are numbers; everywhere else a dimension's values are text as written.
_NUMERIC_KEYS = frozenset({"width", "seasons"})

_TEXT = {"type": ["string", "number"]}
#: The keys of one dimension, for editors; core's parser decides what they mean.
DIMENSION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "oneOf": [{"required": [kind]} for kind in ("seasons", "values", "integers", "every")],
    "properties": {
        "seasons": {
            "anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "array"}, {"type": "object"}]
        },
        "starts": {"type": "string", "description": "The month and day a season starts: 10-01."},
        "values": {"type": "array", "items": _TEXT, "minItems": 1},
        "integers": {**_TEXT, "description": "2004..2024, or 0..120, 123..384 step 3."},
        "width": {"type": "integer", "description": "Zero-pads to so many digits.", "minimum": 1},
        "every": {"type": "string", "description": "hour, day, week, month, year, 6h, 15m."},
        "start": _TEXT,
        "end": {**_TEXT, "description": "Inclusive; now includes the current step."},
        "timezone": {"type": "string"},
        "only": {"type": "object"},
        "except": {
            "anyOf": [
                {"type": "array", "items": _TEXT},
                {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"]},
            ],
        },
    },
}


def dimensions_of(value: Any, folder: Path) -> tuple[Dimension, ...]:
    """Return the declared dimensions; raise one error that holds every dimension's problem.

    ``folder`` is where ``except: {file: …}`` starts from.
    """
    if not isinstance(value, Mapping):
        raise problem(f"expected a mapping of dimensions, got {described(value)}")
    found: list[Dimension] = []
    failed: list[InvalidValueError] = []
    for name, declared in value.items():
        try:
            found.append(_dimension(name, declared, folder))
        except InvalidValueError as error:
            failed.append(error.under(name))
    if failed:
        raise problems(failed)
    return tuple(found)


def _dimension(name: str, declared: Any, folder: Path) -> Dimension:
    if not isinstance(declared, Mapping):
        raise InvalidValueError(f"expected a mapping such as {{values: [a, b]}}, got {described(declared)}")
    texts = {key: plain(inner) if key in _NUMERIC_KEYS else _texts(inner) for key, inner in declared.items()}
    left_out = texts.get("except")
    if isinstance(left_out, dict) and set(left_out) == {"file"}:
        try:
            texts["except"] = _days(left_out["file"], folder)
        except InvalidValueError as error:
            raise error.under("except", "file") from error
    return parse_dimension(name, texts)


def _texts(value: Any) -> Any:
    """Return ``value`` with every number inside as its text."""
    if isinstance(value, Mapping):
        return {key: _texts(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_texts(inner) for inner in value]
    return as_written(value)


def _days(file: Any, folder: Path) -> list[str]:
    """Return the dates in a CSV's column ``date``, or in its first column."""
    if not isinstance(file, str):
        raise InvalidValueError(f"expected the path of a CSV file, got {described(file)}")
    try:
        with (folder / file).open(encoding="utf-8-sig", newline="") as stream:
            rows = [row for row in csv.reader(stream) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidValueError(
            f"{file}: cannot be read: {reason}; the path starts from this file"
        ) from error
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    column = head.index("date") if "date" in head else 0
    dates = [row[column].strip() if column < len(row) else "" for row in rows]
    body = dates[1:] if dates and not _DATE.fullmatch(dates[0]) else dates
    wrong = next((text for text in body if not _DATE.fullmatch(text)), None)
    if wrong is not None or not body:
        shown = "no dates" if wrong is None else repr(wrong)
        raise InvalidValueError(f"{file}: expected a date such as 2024-12-25 in every row, got {shown}")
    return body
