"""What history keeps of each finished cycle: its report, its coverage and its gaps, by the day it began.

State names: ``history/reports/day=<date>/<cycle>.json.gz``, ``history/coverage/day=<date>/<cycle>.parquet``,
``history/gaps/day=<date>/<cycle>.parquet`` (docs/history.md gives their columns), and
``history/pruned.json``: all days before the one it names are gone.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from recon.core.gaps import Gap
from recon.core.past_run import PastRun
from recon.core.retention import ended_days, oldest_day
from recon.errors import StateError
from recon.ports import StateStore

_ROOT = "history"
_KINDS = {"reports": "json.gz", "coverage": "parquet", "gaps": "parquet"}
_PRUNED = f"{_ROOT}/pruned.json"
#: gzip: the 541 kB of 49 data types become 13 kB; more effort gains 4 %.
_LEVEL = 6
_INSTANT = pl.Datetime("ms", "UTC")
_CYCLE = {"cycle_id": pl.String(), "started_at": _INSTANT}
_GROUP = {"source": pl.String(), "data_type": pl.String(), "partition": pl.String()}
COVERAGE_SCHEMA: dict[str, pl.DataType] = {
    **_CYCLE,
    **_GROUP,
    "kind": pl.String(),
    **dict.fromkeys(
        ("expected", "have", "ok", "stale", "small", "missing", "not_due", "known_absent", "unknown"),
        pl.Int64(),
    ),
    "coverage": pl.Float64(),
    "threshold": pl.Float64(),
}
GAPS_SCHEMA: dict[str, pl.DataType] = {
    **_CYCLE,
    **_GROUP,
    "reason": pl.String(),
    "priority": pl.String(),
    "keys": pl.Int64(),
    "have": pl.Int64(),
    "expected": pl.Int64(),
    "first_seen_at": _INSTANT,
}


def coverage_frame(report: Mapping[str, Any]) -> pl.DataFrame:
    """Return a report's coverage, a row per partition, as ``COVERAGE_SCHEMA`` says."""
    return _frame(report, COVERAGE_SCHEMA, report["coverage"])


def gaps_frame(report: Mapping[str, Any], gaps: Iterable[Gap]) -> pl.DataFrame:
    """Return a cycle's gaps, a row each, as ``GAPS_SCHEMA`` says."""
    return _frame(report, GAPS_SCHEMA, (_gap_row(gap) for gap in gaps))


def keep_findings(state: StateStore, report: Mapping[str, Any], gaps: Iterable[Gap]) -> None:
    """Write what history keeps of a finished cycle, the report last: where that is, all of it is."""
    cycle_id, began_at = report["cycle_id"], datetime.fromisoformat(report["started_at"])
    if state.get(_name("reports", cycle_id, began_at)) is not None:
        return
    contents = {
        "coverage": _parquet(coverage_frame(report)),
        "gaps": _parquet(gaps_frame(report, gaps)),
        "reports": gzip.compress(json.dumps(report).encode(), _LEVEL, mtime=0),
    }
    for kind, content in contents.items():
        state.put(_name(kind, cycle_id, began_at), content)


def kept_report(state: StateStore, run: PastRun) -> dict[str, Any]:
    """Return the report of a finished run."""
    return dict(json.loads(gzip.decompress(_read(state, "reports", run))))


def kept_coverage(state: StateStore, run: PastRun) -> list[dict[str, Any]]:
    """Return the coverage rows of a finished run."""
    return _rows(_read(state, "coverage", run))


def kept_gaps(state: StateStore, run: PastRun) -> list[dict[str, Any]]:
    """Return the gaps of a finished run, a row each."""
    return _rows(_read(state, "gaps", run))


def prune_days(state: StateStore, now: datetime, history_days: int) -> None:
    """Delete the days that history keeps no longer: one look at a note, unless a day has ended."""
    first = _pruned_before(state) or _first_day(state) or oldest_day(now, history_days)
    ended = ended_days(first, now, history_days)
    for day in ended:
        for kind in _KINDS:
            state.delete(f"{_folder(kind, day)}/")
    if ended or state.get(_PRUNED) is None:
        before = date.fromordinal(first.toordinal() + len(ended))
        state.put(_PRUNED, json.dumps({"before": before.isoformat()}).encode())


def _pruned_before(state: StateStore) -> date | None:
    try:
        return date.fromisoformat(json.loads(state.get(_PRUNED) or b"{}")["before"])
    except (ValueError, KeyError, TypeError):
        return None


def _first_day(state: StateStore) -> date | None:
    """Return the oldest day that is kept: a listing of them all, needed where the note is lost."""
    days = (name.split("/")[2].removeprefix("day=") for name in state.names(f"{_ROOT}/reports/"))
    return min(map(date.fromisoformat, days), default=None)


def _frame(
    report: Mapping[str, Any], schema: dict[str, pl.DataType], rows: Iterable[Mapping[str, Any]]
) -> pl.DataFrame:
    cycle = {
        "cycle_id": report["cycle_id"],
        "started_at": datetime.fromisoformat(report["started_at"]).astimezone(UTC),
    }
    told: Sequence[dict[str, Any]] = [
        {**cycle, **row, "partition": json.dumps(row["partition"], ensure_ascii=False)} for row in rows
    ]
    columns = {name: [row[name] for row in told] for name in schema}
    return pl.DataFrame(columns, schema=schema)


def _gap_row(gap: Gap) -> dict[str, Any]:
    first_seen_at = min(group.first_seen_at for group in gap.groups).astimezone(UTC)
    return {**gap.document(), "first_seen_at": first_seen_at}


def _parquet(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.write_parquet(sink, compression="zstd")
    return sink.getvalue()


def _rows(content: bytes) -> list[dict[str, Any]]:
    rows = pl.read_parquet(io.BytesIO(content)).to_dicts()
    return [{**row, "partition": json.loads(row["partition"])} for row in rows]


def _read(state: StateStore, kind: str, run: PastRun) -> bytes:
    name = _name(kind, run.cycle_id, run.started_at)
    content = state.get(name)
    if content is None:
        raise StateError(
            f"history holds no {kind} of cycle {run.cycle_id} ({name}): they could not be kept, or were "
            "deleted since. recon status says which steps after cycles failed"
        )
    return content


def _name(kind: str, cycle_id: str, began_at: datetime) -> str:
    return f"{_folder(kind, began_at.astimezone(UTC).date())}/{cycle_id}.{_KINDS[kind]}"


def _folder(kind: str, day: date) -> str:
    return f"{_ROOT}/{kind}/day={day.isoformat()}"
