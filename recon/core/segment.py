"""One ``/``-separated segment of a path template: read its fields from a column of texts at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from recon.core.axis import Axis
from recon.core.pattern import Placeholder
from recon.core.segment_regex import Mask, SegmentRegex
from recon.core.text_table import Codes, TextTable, factorised
from recon.errors import ConfigError

__all__ = ["Mask", "Reading", "Segment", "reading", "rendered"]


@dataclass(frozen=True, eq=False)
class Reading:
    """What some fields of one axis say in a segment: a table of their texts, and each index's code in it."""

    axis: int
    table: TextTable
    code_of_index: Codes

    @property
    def decides(self) -> bool:
        """Tell whether one text belongs to one index alone."""
        return len(self.table) == len(self.code_of_index)


def reading(axis_number: int, texts: pl.Series, where: str) -> Reading:
    """Return the reading of an axis whose indices render as ``texts`` (repeats allowed)."""
    slashed = texts.filter(texts.str.contains("/", literal=True))
    if len(slashed):
        raise ConfigError(
            f"{where}: the value {slashed[0]!r} holds a '/', so it spans two segments of the path. "
            "Give each part its own placeholder.",
        )
    distinct, codes = factorised(texts)
    return Reading(axis_number, TextTable(distinct), codes)


class Segment:
    """A segment's matcher: ``find`` tells which texts fit, and each reading's codes.

    A segment of one axis is looked up whole; one that mixes axes or wildcards is cut by a regex in which
    every enumerated field can only be one of its values, or ends where its values cannot go on. A placeholder
    that occurs twice has one value. Segments tied together (``ties.py``) are one, with '/' in its literals.
    """

    def __init__(self, parts: Sequence[str | Placeholder], axes: Sequence[Axis], where: str) -> None:
        """Prepare ``parts`` (one segment of a template) over the pattern's enumerated axes."""
        self.parts = tuple(parts)
        self.axes = axes
        owners = {name: number for number, axis in enumerate(axes) for name in axis.fields}
        fields = [part for part in parts if isinstance(part, Placeholder)]
        self.literal = "".join(part for part in parts if isinstance(part, str)) if not fields else None
        #: Segments of the path that it spans.
        self.depth = 1 + sum(part.count("/") for part in parts if isinstance(part, str))
        known = {owners.get(field.name) for field in fields}
        self._regex: SegmentRegex | None = None
        self.readings: tuple[Reading, ...] = ()
        if len(known) == 1 and None not in known:
            number = next(iter(known))
            assert number is not None  # noqa: S101 - narrowed by the condition
            self.readings = (reading(number, rendered(parts, axes[number]), where),)
        elif fields:
            items = {
                place: reading(owners[part.name], axes[owners[part.name]].texts(part.name, part.spec), where)
                for place, part in enumerate(parts)
                if isinstance(part, Placeholder) and part.name in owners
            }
            self.readings = tuple(items.values())
            self._regex = SegmentRegex(
                self.parts, {place: item.table for place, item in items.items()}, where
            )

    def find(self, texts: pl.Series) -> tuple[Mask, list[Codes]]:
        """Return which texts fit (bool), and the codes of each of ``readings`` (-1 where unfit)."""
        if self.literal is not None:
            return (texts == self.literal).fill_null(value=False).to_numpy(), []
        if self._regex is None:
            codes = self.readings[0].table.find(texts)
            return codes >= 0, [codes]
        return self._regex.find(texts)


def rendered(parts: Sequence[str | Placeholder], axis: Axis) -> pl.Series:
    """Return the text of ``parts`` for every index of ``axis``, which supplies all their fields."""
    columns = [
        pl.lit(part).alias(f"p{position}")
        if isinstance(part, str)
        else axis.texts(part.name, part.spec).alias(f"p{position}")
        for position, part in enumerate(parts)
    ]
    if len(columns) == 1 and isinstance(columns[0], pl.Series):
        return columns[0]
    return pl.select(pl.concat_str(columns)).to_series()
