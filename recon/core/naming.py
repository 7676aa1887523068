"""Which values of an axis the texts in YAML name: as in keys, unpadded, by date or instant, or as seasons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.axis import Axis, AxisKind
from recon.core.moments import Instants, instants
from recon.core.season_years import NO_SEASON, last_year

#: One way to read an axis: each index's text, and what each wanted text is called there.
_Reading = tuple[pl.Series, Mapping[str, str]]


def plain_texts(axis: Axis, field: str) -> pl.Series:
    """Return each index's value as people write it in YAML: integers unpadded, the rest as in keys."""
    return axis.columns[field].cast(pl.String) if axis.kind is AxisKind.INTEGER else axis.texts(field)


def is_named(
    axis: Axis, field: str, texts: Iterable[str], *, across_notations: bool = False
) -> NDArray[np.bool_]:
    """Tell which indices ``texts`` name.

    A value is named by its text in keys; an integer also without its zeros, a step of time also by the
    instant it starts at, or together with others by the date they start on. With ``across_notations``, a
    season is named in either notation too: ``2025`` is ``2024-25``.
    """
    found = np.zeros(axis.size, dtype=np.bool_)
    for column, called in _readings(axis, field, list(texts), across_notations=across_notations):
        wanted = pl.Series(list(called.values()), dtype=pl.String).implode()
        found |= column.is_in(wanted).fill_null(value=False).to_numpy()
    return found


def named(axis: Axis, field: str, texts: Iterable[str], *, across_notations: bool = False) -> set[str]:
    """Return those of ``texts`` that name at least one index."""
    found: set[str] = set()
    for column, called in _readings(axis, field, list(texts), across_notations=across_notations):
        known = set(column.unique())
        found.update(text for text, name in called.items() if name in known)
    return found


def _readings(axis: Axis, field: str, texts: list[str], *, across_notations: bool) -> Iterator[_Reading]:
    own = {text: text for text in texts}
    plain = axis.texts(field)
    yield plain, own
    if axis.kind is AxisKind.INTEGER:
        yield plain_texts(axis, field), own
    if axis.kind is AxisKind.TIME and axis.starts_at is not None:
        yield axis.texts(field, "%Y-%m-%d"), own
        yield _iso(axis.starts_at), _starts(texts, axis.timezone)
    if across_notations and _holds_seasons(axis, field):
        known = {*plain.unique(), *plain_texts(axis, field).unique()}
        years = {text: str(last_year(text)) for text in texts if text not in known}
        seasons = {text: year for text, year in years.items() if year != str(NO_SEASON)}
        if seasons:
            yield _last_years(plain), seasons


def _starts(texts: list[str], zone: str) -> dict[str, str]:
    """Return the UTC instant that each text with a time of day names."""
    timed = [text for text in texts if ":" in text]
    read = instants(pl.Series(timed, dtype=pl.String), zone)
    return {text: name for text, name in zip(timed, _iso(read).to_list(), strict=True) if name is not None}


def _iso(moments: Instants) -> pl.Series:
    return pl.Series(moments.astype("datetime64[ms]")).dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def _last_years(plain: pl.Series) -> pl.Series:
    distinct = plain.unique()
    years = pl.Series([str(last_year(text)) for text in distinct.to_list()], dtype=pl.String)
    return plain.replace_strict(distinct, years)


def _holds_seasons(axis: Axis, field: str) -> bool:
    """Tell whether the values are seasons, not calendar years (which begin in the year they are named by)."""
    if axis.kind is AxisKind.TIME or axis.size == 0:
        return False
    if field == "season" or axis.kind is AxisKind.SEASON:
        return True
    if axis.kind is not AxisKind.INTEGER or axis.starts_at is None:
        return False
    begun = axis.starts_at.astype("datetime64[Y]").astype(np.int64) + 1970
    return bool((begun < axis.columns[field].to_numpy()).all())
