"""One ``/``-separated segment of a path template: read its fields from a column of texts at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.axis import Axis
from recon.core.pattern import Placeholder
from recon.core.text_table import Codes, TextTable, factorised
from recon.errors import ConfigError

Mask = NDArray[np.bool_]

#: A regex alternation over at most this many characters of values is exact and cheap.
_MAX_ALTERNATION = 100_000


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
    every enumerated field can only be one of its values, or ends where its values cannot go on.
    """

    def __init__(self, parts: Sequence[str | Placeholder], axes: Sequence[Axis], where: str) -> None:
        """Prepare ``parts`` (one segment of a template) over the pattern's enumerated axes."""
        self.parts = tuple(parts)
        self.axes = axes
        owners = {name: number for number, axis in enumerate(axes) for name in axis.fields}
        fields = [part for part in parts if isinstance(part, Placeholder)]
        self.literal = "".join(part for part in parts if isinstance(part, str)) if not fields else None
        known = {owners.get(field.name) for field in fields}
        self._whole = len(known) == 1 and None not in known
        self._regex: str | None = None
        self._repeats: list[tuple[str, str]] = []
        self.readings: tuple[Reading, ...] = ()
        if self._whole:
            number = next(iter(known))
            assert number is not None  # noqa: S101 - narrowed by _whole
            self.readings = (reading(number, rendered(parts, axes[number]), where),)
        elif fields:
            self._cut_by_regex(owners, where)

    def find(self, texts: pl.Series) -> tuple[Mask, list[Codes]]:
        """Return which texts fit (bool), and the codes of each of ``readings`` (-1 where unfit)."""
        if self.literal is not None:
            return (texts == self.literal).fill_null(value=False).to_numpy(), []
        if self._whole:
            codes = self.readings[0].table.find(texts)
            return codes >= 0, [codes]
        groups = texts.str.extract_groups(self._regex or "").struct.unnest()
        fits = groups[:, 0].is_not_null().to_numpy().copy()
        for first, second in self._repeats:
            fits &= (groups[first] == groups[second]).fill_null(value=False).to_numpy()
        found = [item.table.find(groups[name]) for name, item in zip(self._names, self.readings, strict=True)]
        for codes in found:
            fits &= codes >= 0
        return fits, found

    def _cut_by_regex(self, owners: dict[str, int], where: str) -> None:
        pieces, readings, names = ["(?s)^"], [], []
        seen: dict[str, str] = {}
        for position, part in enumerate(self.parts):
            if isinstance(part, str):
                pieces.append(re.escape(part))
                continue
            group = f"g{position}"
            number = owners.get(part.name)
            if number is None:
                pieces.append(f"(?P<{group}>[^/]+)")
                if part.name in seen:
                    self._repeats.append((seen[part.name], group))
                seen.setdefault(part.name, group)
                continue
            item = reading(number, self.axes[number].texts(part.name, part.spec), where)
            follows = self.parts[position + 1] if position + 1 < len(self.parts) else None
            pieces.append(f"(?P<{group}>{_language(item.table.texts, follows, part, where)})")
            readings.append(item)
            names.append(group)
        self._regex = "".join([*pieces, "$"])
        self.readings, self._names = tuple(readings), names


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


def _language(values: pl.Series, follows: str | Placeholder | None, part: Placeholder, where: str) -> str:
    """Return a regex for ``values`` that cannot end in the wrong place, whatever follows."""
    widths = values.str.len_chars()
    if widths.n_unique() == 1:
        return f".{{{int(widths[0])}}}"
    if int(widths.sum()) <= _MAX_ALTERNATION:
        longest_first = sorted(values.to_list(), key=len, reverse=True)
        return "|".join(re.escape(value) for value in longest_first)
    if follows is None or (
        isinstance(follows, str) and not values.str.contains(follows[0], literal=True).any()
    ):
        stop = "" if follows is None else re.escape(follows[0])
        return f"[^{stop}]+" if stop else ".+"
    raise ConfigError(
        f"{where}: cannot tell where {{{part.name}}} ends: its values differ in length and hold "
        "the text that follows it. Put a character between them that no value holds, such as '/'.",
    )
