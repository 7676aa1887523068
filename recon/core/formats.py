"""Render columns of values as the texts in keys: strftime for times, Python's formats for integers."""

from __future__ import annotations

import re

import numpy as np
import polars as pl

from recon.core.invalid import InvalidValueError
from recon.core.moments import instants

#: Python's format language for integers, without the types that render no plain number (c, n, e, f, g, %).
_INTEGER_SPEC = re.compile(r"(?:.?[<>=^])?[+\- ]?#?0?\d*[,_]?[dxXob]?")
_ZERO_PADDED = re.compile(r"0(\d+)d?")
#: ``%f`` is six digits in Python, nine in chrono, which renders here.
_MICROSECONDS = re.compile(r"((?:^|[^%])(?:%%)*)%f")


def rendered(column: pl.Series, spec: str, what: str) -> pl.Series:
    """Return ``column`` as String under ``spec``; ``what`` names it in errors.

    A Datetime takes strftime (with ``%-H``, ``%-d``, ``%-m``), an Int64 Python's integer formats. Text
    (a catalog's column) takes either, if every cell reads as a date or an integer.

    Raises:
        InvalidValueError: If the format is unknown, or does not fit what the column holds.
    """
    if column.dtype.is_temporal():
        return _times(column, spec, what)
    if column.dtype.is_integer():
        return _integers(column, spec, what)
    if not spec:
        return column
    return (
        _times(_as_times(column, spec, what), spec, what) if "%" in spec else _as_integers(column, spec, what)
    )


def _times(column: pl.Series, spec: str, what: str) -> pl.Series:
    if "%" not in spec:
        raise InvalidValueError(
            f"'{spec}' is no format for the times of {what}; expected strftime such as %Y-%m-%d"
        )
    try:
        return column.dt.strftime(_MICROSECONDS.sub(r"\1%6f", spec))
    except pl.exceptions.ComputeError as error:
        raise InvalidValueError(
            f"'{spec}' is no strftime format ({what}); expected such as %Y-%m-%d"
        ) from error


def _integers(column: pl.Series, spec: str, what: str) -> pl.Series:
    if not spec or spec == "d":
        return column.cast(pl.String)
    if "%" in spec or not _INTEGER_SPEC.fullmatch(spec):
        raise InvalidValueError(f"'{spec}' is no format for the integers of {what}; expected such as 03d")
    padded = _ZERO_PADDED.fullmatch(spec)
    if padded:
        return column.cast(pl.String).str.zfill(int(padded[1]))
    values, back = np.unique(column.to_numpy(), return_inverse=True)
    texts = pl.Series([format(int(value), spec) for value in values], dtype=pl.String)
    return texts.gather(pl.Series(back))


def _as_integers(column: pl.Series, spec: str, what: str) -> pl.Series:
    numbers = column.cast(pl.Int64, strict=False)
    _refuse_null(column, numbers.is_null(), f"an integer, as the format '{spec}' of {what} needs")
    return _integers(numbers, spec, what)


def _as_times(column: pl.Series, spec: str, what: str) -> pl.Series:
    moments = instants(column, "UTC")
    _refuse_null(column, pl.Series(np.isnat(moments)), f"a date, as the format '{spec}' of {what} needs")
    return pl.Series(moments.astype("datetime64[ms]"))


def _refuse_null(column: pl.Series, bad: pl.Series, wanted: str) -> None:
    first = bad.arg_max() if bad.any() else None
    if first is not None:
        raise InvalidValueError(f"row {first + 1} holds '{column[first]}', not {wanted}")
