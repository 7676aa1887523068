"""Narrow an axis to indices that a pattern can tell apart: one expected key each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import polars as pl

from recon.core.axis import Axis, AxisKind
from recon.core.invalid import InvalidValueError
from recon.core.pattern import Placeholder


def distinct(axis: Axis, placeholders: Iterable[Placeholder]) -> Axis:
    """Return ``axis`` with one index per rendering of ``placeholders`` (those that it fills).

    Steps of time that a clock change renders alike become one, due at the later; so do rows of a catalog
    that render alike (the latest due stands).

    Raises:
        InvalidValueError: If other steps or values render alike: the pattern cannot tell them apart.
    """
    own = dict.fromkeys(placeholder for placeholder in placeholders if placeholder.name in axis.fields)
    if axis.kind is not AxisKind.TIME and axis.kind is not AxisKind.ROWS and all(map(_tells_apart, own)):
        return axis
    columns = [axis.texts(placeholder.name, placeholder.spec) for placeholder in own]
    if len(columns) == 1:
        texts = columns[0]
    else:
        frame = pl.DataFrame([column.alias(str(place)) for place, column in enumerate(columns)])
        texts = frame.select(pl.concat_str(pl.all(), separator="/")).to_series()
    if texts.n_unique() == axis.size:
        return axis
    if axis.kind is AxisKind.TIME:
        return _later_steps(axis, texts)
    if axis.kind is AxisKind.ROWS:
        return _last_due_rows(axis, texts)
    alike = texts.filter(texts.is_duplicated())[0]
    raise InvalidValueError(
        f"two values of '{axis.name}' both render '{alike}'; use a format that tells them apart"
    )


def _tells_apart(placeholder: Placeholder) -> bool:
    """Tell whether a format renders different values differently, so that none need be rendered to know."""
    return re.fullmatch(r"|d|0\d+d?", placeholder.spec) is not None


def _later_steps(axis: Axis, texts: pl.Series) -> Axis:
    local = axis.columns[axis.name]
    steps = {
        "text": texts,
        "wall": local.dt.replace_time_zone(None),
        "offset": local.dt.base_utc_offset() + local.dt.dst_offset(),
        "index": np.arange(axis.size),
    }
    groups = (
        pl.DataFrame(steps)
        .group_by("text")
        .agg(
            first=pl.col("index").min(),
            last=pl.col("index").max(),
            walls=pl.col("wall").n_unique(),
            wall=pl.col("wall").min(),
            other=pl.col("wall").max(),
            offsets=pl.col("offset").n_unique(),
        )
        .sort("last")
    )
    # Where a clock changes by half an hour, the two steps that render alike show different minutes.
    changed = (pl.col("offsets") == 2) & (pl.col("last") - pl.col("first") == 1)
    blurred = groups.filter((pl.col("walls") > 1) & ~changed)
    if blurred.height:
        text, wall, other = blurred.sort("first").select("text", "wall", "other").row(0)
        raise InvalidValueError(
            f"the pattern cannot tell the steps of '{axis.name}' apart: {wall} and {other} both render "
            f"'{text}'; add what is missing, such as {{{axis.name}:%H%M}}",
        )
    merged = axis.take(groups["last"].to_numpy())
    if axis.starts_at is None:
        return merged
    return replace(merged, starts_at=axis.starts_at[groups["first"].to_numpy()])


def _last_due_rows(axis: Axis, texts: pl.Series) -> Axis:
    due = np.zeros(axis.size, np.int64) if axis.due_at is None else axis.due_at.astype(np.int64)
    latest = (
        pl.DataFrame({"text": texts, "due": due, "index": np.arange(axis.size)})
        .sort("due", maintain_order=True)
        .group_by("text")
        .agg(pl.col("index").last())
    )
    return axis.take(np.sort(latest["index"].to_numpy()))
