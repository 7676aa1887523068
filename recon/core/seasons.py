"""Declared seasons: parsed from lists, ranges, names or leagues, and enumerated as an axis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from recon.core.axis import Axis, AxisKind
from recon.core.invalid import InvalidValueError, shown
from recon.core.season_years import DEFAULT_STARTS, season_name, season_of, season_starts

_SEASON = re.compile(r"(\d{4})-(\d{2})")
_YEARS = re.compile(r"(\d{4})-(\d{4})")
_EXPECTED = "expected such as 1996-97..current, 2004..2024, 2023-24 or 2024"
#: The instant that a plain word among seasons stands for: due for ever, never current, ranked last.
_DAWN = np.datetime64("0001-01-01", "s")


@dataclass(frozen=True, slots=True)
class SeasonNames:
    """Seasons ``YYYY-YY`` by the year they begin in, both ends included; ``last`` None: the current one."""

    first: int
    last: int | None
    kind: Literal["names"] = "names"


@dataclass(frozen=True, slots=True)
class SeasonYears:
    """Years as integers, both ends included; each stands for the season that ENDS in it.

    ``last`` None: the year in which the current season ends.
    """

    first: int
    last: int | None
    kind: Literal["years"] = "years"


@dataclass(frozen=True, slots=True)
class SeasonWord:
    """Any other name: a plain text without an interval of its own."""

    text: str
    kind: Literal["word"] = "word"


SeasonItem = SeasonNames | SeasonYears | SeasonWord


@dataclass(frozen=True, slots=True)
class League:
    """The seasons of one league; an empty ``name`` stands for all."""

    name: str
    items: tuple[SeasonItem, ...]


@dataclass(frozen=True, slots=True)
class Seasons:
    """Declared seasons of a source or data type: one list, or one per league."""

    leagues: tuple[League, ...]

    def of(self, segments: Iterable[str]) -> tuple[League, ...]:
        """Return the leagues whose name is one of a pattern's ``segments``, else all of them."""
        named = set(segments)
        return tuple(league for league in self.leagues if league.name in named) or self.leagues


def parse_seasons(value: object) -> Seasons:
    """Return the seasons that a list, a range, a text, an integer, or a mapping of leagues declares.

    ``YYYY-YY`` is the name of a season; ``YYYY-YYYY``, ``YYYY..YYYY`` and bare years are integers; other
    names stand as they are. ``current`` may end a range.

    Raises:
        InvalidValueError: With the path to an item that is none of these.
    """
    if not isinstance(value, Mapping):
        return Seasons((League("", _items(value)),))
    leagues = []
    for name, declared in value.items():
        try:
            leagues.append(League(str(name), _items(declared)))
        except InvalidValueError as error:
            raise error.under(str(name)) from error
    if not leagues:
        raise InvalidValueError(f"no seasons; {_EXPECTED}")
    return Seasons(tuple(leagues))


def _items(value: object) -> tuple[SeasonItem, ...]:
    if not isinstance(value, list | tuple):
        return tuple(_item(piece) for piece in _pieces(value))
    items: list[SeasonItem] = []
    for index, declared in enumerate(value):
        try:
            items.extend(_item(piece) for piece in _pieces(declared))
        except InvalidValueError as error:
            raise error.under(index) from error
    if not items:
        raise InvalidValueError(f"no seasons; {_EXPECTED}")
    return tuple(items)


def _pieces(value: object) -> list[str]:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InvalidValueError(f"{shown(value)} is no season; {_EXPECTED}")
    return [piece.strip() for piece in str(value).split(",")]


def _item(text: str) -> SeasonItem:
    if not text or "/" in text:
        raise InvalidValueError(f"'{text}' is no season; {_EXPECTED}")
    if text == "current":
        raise InvalidValueError(f"'current' only ends a range; {_EXPECTED}")
    if ".." in text:
        return _range(text)
    years = _YEARS.fullmatch(text)
    if years:
        return _years(int(years[1]), int(years[2]), text)
    first = _first_year(text)
    if first is not None:
        return SeasonNames(first, first)
    return _years(int(text), int(text), text) if _is_year(text) else SeasonWord(text)


def _range(text: str) -> SeasonItem:
    begin, end = (piece.strip() for piece in text.split("..", 1))
    current = end == "current"
    if _is_year(begin) and (current or _is_year(end)):
        return _years(int(begin), None if current else int(end), text)
    first = _first_year(begin)
    last = None if current else _first_year(end)
    if first is None or (last is None and not current):
        raise InvalidValueError(f"'{text}' is no range of seasons; {_EXPECTED}")
    if last is not None and last < first:
        raise InvalidValueError(f"'{text}' runs backwards; write {end}..{begin}")
    return SeasonNames(first, last)


def _years(first: int, last: int | None, text: str) -> SeasonYears:
    if last is not None and last < first:
        raise InvalidValueError(f"'{text}' runs backwards; write {last}..{first}")
    return SeasonYears(first, last)


def _is_year(text: str) -> bool:
    return len(text) == 4 and text.isascii() and text.isdigit() and text > "0000"


def _first_year(text: str) -> int | None:
    """Return the year in which the season named ``text`` begins; None if it is no ``YYYY-YY``."""
    found = _SEASON.fullmatch(text)
    if found is None:
        return None
    first = int(found[1])
    if int(found[2]) != (first + 1) % 100:
        raise InvalidValueError(
            f"'{text}' is neither a season ({season_name(first)}) nor a range of years; "
            f"write {season_name(first)}, or {first}..{found[1][:2]}{found[2]}",
        )
    return first


def seasons_axis(
    seasons: Seasons,
    fields: Sequence[str],
    segments: Iterable[str],
    now: np.datetime64,
    *,
    starts: tuple[int, int] = DEFAULT_STARTS,
    leave_out: Iterable[str] = (),
) -> Axis:
    """Return the axis of ``seasons`` that fills ``fields`` in a pattern with these literal ``segments``.

    A season ``1996-97`` runs from ``starts`` of 1996 to ``starts`` of 1997; an integer stands for the
    season ending that year. Values ascend in time, each once; words come first.
    """
    current = season_of(now, starts)
    begins: dict[str | int, int | None] = {}
    for league in seasons.of(segments):
        for item in league.items:
            begins.update(_enumerated(item, current))
    for text in leave_out:
        begins.pop(text, None)
        begins.pop(int(text) if _is_year(text) else text, None)
    ordered = dict(
        sorted(begins.items(), key=lambda pair: (-1 if pair[1] is None else pair[1], str(pair[0])))
    )
    return _axis(ordered, tuple(fields), starts)


def _enumerated(item: SeasonItem, current: int) -> dict[str | int, int | None]:
    """Return value -> first year of its season (None for a word)."""
    match item:
        case SeasonNames():
            last = current if item.last is None else item.last
            return {season_name(year): year for year in range(item.first, last + 1)}
        case SeasonYears():
            last = current + 1 if item.last is None else item.last
            return {year: year - 1 for year in range(item.first, last + 1)}
        case SeasonWord():
            return {item.text: None}


def _axis(begins: Mapping[str | int, int | None], fields: tuple[str, ...], starts: tuple[int, int]) -> Axis:
    integers = all(isinstance(value, int) for value in begins)
    values = (
        pl.Series(list(begins), dtype=pl.Int64)
        if integers
        else pl.Series([str(value) for value in begins], dtype=pl.String)
    )
    words = np.array([begin is None for begin in begins.values()], dtype=bool)
    columns = dict.fromkeys(fields, values)
    if words.all():
        return Axis(fields[0], AxisKind.VALUE, len(begins), fields, columns=columns)
    years = np.array([0 if begin is None else begin for begin in begins.values()], dtype=np.int64)
    return Axis(
        fields[0],
        AxisKind.INTEGER if integers else AxisKind.SEASON,
        len(begins),
        fields,
        starts_at=np.where(words, _DAWN, season_starts(years, starts)),
        ends_at=np.where(words, _DAWN, season_starts(years + 1, starts)),
        columns=columns,
    )
