"""Catalogs: CSV, Parquet and JSON Lines -> columns of text, exactly as written.

Reads the files that ``catalogs:`` of inventory.yaml names, relative to it, or keys of the lake.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import polars as pl
import pyarrow as pa

from recon.core.catalog import Catalog
from recon.core.invalid import did_you_mean
from recon.core.inventory import CatalogSpec
from recon.errors import CatalogError, LakeError

_FORMATS = ".csv, .parquet, .jsonl or .ndjson"


def load_catalog(spec: CatalogSpec, base_dir: Path, read_lake: Callable[[bytes], bytes]) -> Catalog:
    """Read the catalog that ``spec`` declares.

    Args:
        spec: The declaration; its ``file`` is relative to ``base_dir``, its ``lake`` is a key.
        base_dir: The inventory's folder.
        read_lake: Returns the content of a key, or raises ``LakeError``.

    Returns:
        The catalog with every column as String, rows in file order, empty text where there was nothing.
        Numbers keep the digits they are written with; Parquet's dates and instants become ISO 8601 text.
        Nested Parquet columns are left out.

    Raises:
        CatalogError: Where it cannot be read, has no rows, or lacks a column that ``spec`` names.
    """
    title = _title(spec)
    content = _content(spec, base_dir, read_lake)
    suffix = PurePosixPath(spec.file or spec.lake or "").suffix.lower()
    read = _READERS.get(suffix)
    if read is None:
        raise CatalogError(f"{title}: expected a name that ends in {_FORMATS}, got {suffix or 'no suffix'!r}")
    try:
        frame = read(content)
    except (pl.exceptions.PolarsError, pa.ArrowException, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CatalogError(
            f"{title}: not readable as {suffix}: {reason}; mend or write the file again"
        ) from error
    if not frame.height:
        raise CatalogError(
            f"{title}: has no rows; expected a header and at least one row, so fill or remove it"
        )
    _check_columns(spec, frame)
    return Catalog(spec, frame)


def _title(spec: CatalogSpec) -> str:
    place = spec.file if spec.file is not None else f"lake key {spec.lake}"
    return f"{spec.where}: catalog {spec.name!r} ({place})".removeprefix(": ")


def _content(spec: CatalogSpec, base_dir: Path, read_lake: Callable[[bytes], bytes]) -> bytes:
    try:
        if spec.file is not None:
            return (base_dir / spec.file).read_bytes()
        return read_lake((spec.lake or "").encode())
    except OSError as error:
        reason = error.strerror or str(error)
        raise CatalogError(
            f"{_title(spec)}: cannot be read: {reason}; `file` is relative to the inventory's folder",
        ) from error
    except LakeError as error:
        raise CatalogError(f"{_title(spec)}: cannot be read from the lake: {error}") from error


def _check_columns(spec: CatalogSpec, frame: pl.DataFrame) -> None:
    named = (("due", spec.due), ("partition", spec.partition), ("from", spec.starts), ("until", spec.ends))
    absent = [
        f"`{key}` names the column {column!r}, which is not there{did_you_mean(column, frame.columns)}"
        for key, column in named
        if column is not None and column not in frame.columns
    ]
    if absent:
        columns = ", ".join(frame.columns)
        raise CatalogError(f"{_title(spec)}: {'; '.join(absent)}; its columns are: {columns}")


def _csv(content: bytes) -> pl.DataFrame:
    if not content.strip():
        _fail("the file is empty")
    header = pl.read_csv(io.BytesIO(content), has_header=False, n_rows=1, infer_schema=False)
    names = [str(name or "") for name in header.row(0)]
    names[0] = names[0].removeprefix("\ufeff")
    _check_names(names)
    frame = pl.read_csv(io.BytesIO(content), has_header=False, infer_schema=False, new_columns=names)
    filled = frame.slice(1).fill_null("")
    # A blank line declares nothing.
    return filled.filter(~pl.all_horizontal(pl.all() == ""))


def _check_names(names: list[str]) -> None:
    if "" in names:
        _fail(f"column {names.index('') + 1} has no name in the header")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        _fail(f"two columns are named {twice!r}")


def _parquet(content: bytes) -> pl.DataFrame:
    # pyarrow reports what a damaged file breaks; polars may panic on it.
    from pyarrow import parquet  # noqa: PLC0415 - brings five file systems' libraries, and few catalogs need it

    frame = pl.DataFrame(parquet.read_table(pa.BufferReader(content)))
    flat = {name: kind for name, kind in frame.schema.items() if not kind.is_nested()}
    return frame.select(_as_text(name, kind).fill_null("").alias(name) for name, kind in flat.items())


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        # Whole seconds read best in file names; a fraction is kept where there is one.
        zoned = column.dt.convert_time_zone("UTC") if kind.time_zone else column
        text = zoned.dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
        return text + "Z" if kind.time_zone else text
    return column.cast(pl.String)


def _json_lines(content: bytes) -> pl.DataFrame:
    rows: list[dict[str, str]] = []
    for number, line in enumerate(content.decode("utf-8-sig").split("\n"), start=1):
        if line.strip():
            rows.append(_json_row(line, number))
    names = dict.fromkeys(name for row in rows for name in row)
    return pl.DataFrame(
        {name: [row.get(name, "") for row in rows] for name in names},
        schema=dict.fromkeys(names, pl.String),
    )


def _json_row(line: str, number: int) -> dict[str, str]:
    try:
        row = json.loads(line, parse_int=str, parse_float=str, parse_constant=_no_constant)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from error
    if not isinstance(row, dict):
        _fail(f'line {number}: expected an object such as {{"game_id": "0022300001"}}')
    return {name: _json_text(value, name, number) for name, value in row.items()}


def _json_text(value: Any, name: str, number: int) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        _fail(f"line {number}: {name!r} holds a list or an object; expected text or a number")
    return value


def _no_constant(name: str) -> NoReturn:
    _fail(f"{name} is no value for a catalog")


def _fail(reason: str) -> NoReturn:
    raise ValueError(reason)


#: How each kind of file is read, by suffix.
_READERS: dict[str, Callable[[bytes], pl.DataFrame]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
}
