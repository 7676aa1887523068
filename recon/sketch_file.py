"""Sketches as bytes: one Arrow IPC stream (zstd), a row per domain, the facts as metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from pyroaring import BitMap

from recon.core.second_look import SecondLook
from recon.core.sketch import NOTHING, DomainSketch, ShardFacts, ShardSketch, Tally
from recon.errors import StateError

_BITMAPS = ("present", "stale", "small")
_TALLIES = tuple(item.name for item in fields(Tally))
_FACTS = b"recon.shard"


def encoded(sketch: ShardSketch) -> bytes:
    """Return a shard's sketch as bytes."""
    facts = asdict(sketch.facts)
    facts["boundaries"] = [key.hex() for key in sketch.facts.boundaries]
    return _stream(_columns(sketch.domains), facts)


def decoded(content: bytes) -> ShardSketch:
    """Return the sketch that ``encoded`` wrote; raise ``StateError`` where the bytes are not one."""
    rows, facts = _read(content)
    facts["boundaries"] = tuple(bytes.fromhex(key) for key in facts["boundaries"])
    facts["unexpected_by_prefix"] = tuple((name, count) for name, count in facts["unexpected_by_prefix"])
    facts["unexpected_sample"] = tuple(facts["unexpected_sample"])
    facts["seen"] = tuple(facts.get("seen", ()))
    return ShardSketch(ShardFacts(**facts), {int(row["domain"]): _domain(row) for row in rows})


def encoded_look(second: SecondLook) -> bytes:
    """Return a second look as bytes: a row per domain, what was looked at and what was found."""
    found = {number: second.found.get(number) or NOTHING for number in second.looked}
    looked = _binary([bits.serialize() for bits in second.looked.values()])
    facts = {"lists": second.lists, "gets": second.gets, "failures": second.failures}
    return _stream({**_columns(found), "looked": looked}, facts)


def decoded_look(content: bytes) -> SecondLook:
    """Return the second look that ``encoded_look`` wrote; raise ``StateError`` where the bytes are none."""
    rows, facts = _read(content)
    found = {int(row["domain"]): _domain(row) for row in rows}
    return SecondLook(
        {int(row["domain"]): BitMap.deserialize(row["looked"]) for row in rows},
        {number: sketch for number, sketch in found.items() if len(sketch.tally.objects)},
        facts["lists"],
        facts["gets"],
        tuple(facts["failures"]),
    )


def _columns(domains: Mapping[int, DomainSketch]) -> dict[str, pa.Array[Any]]:
    # By way of Polars: pyarrow imports pandas (0.2 s) wherever it is given Python values.
    columns: dict[str, pa.Array[Any]] = {"domain": pl.Series(list(domains), dtype=pl.Int32).to_arrow()}
    for name in _BITMAPS:
        columns[name] = _binary([getattr(item, name).serialize() for item in domains.values()])
    for name in _TALLIES:
        columns[f"tally_{name}"] = _binary([getattr(item.tally, name).tobytes() for item in domains.values()])
    return columns


def _stream(columns: Mapping[str, pa.Array[Any]], facts: Mapping[str, Any]) -> bytes:
    table = pa.Table.from_arrays(list(columns.values()), list(columns))
    table = table.replace_schema_metadata({_FACTS: json.dumps(facts).encode()})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def _read(content: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    try:
        with pa.ipc.open_stream(content) as reader:
            table = reader.read_all()
        return table.to_pylist(), json.loads((table.schema.metadata or {})[_FACTS])
    except (pa.ArrowInvalid, KeyError, ValueError, OSError) as error:
        raise StateError(
            f"a sketch in the state cannot be read ({error}). Run the cycle again: it is made anew.",
        ) from error


def _binary(values: list[bytes]) -> pa.Array[Any]:
    column: pa.Array[Any] = pl.Series(values, dtype=pl.Binary).to_arrow()
    return column


def _domain(row: dict[str, Any]) -> DomainSketch:
    present, stale, small = (BitMap.deserialize(row[name]) for name in _BITMAPS)
    tally = Tally(*(np.frombuffer(row[f"tally_{name}"], dtype=np.int64) for name in _TALLIES))
    return DomainSketch(present, stale, small, tally)
