"""DataFrames of pandas for people: ``recon.coverage()``, ``recon.gaps()``, ``recon.history()``.

Each takes ``config``: the path of recon.yaml (default: RECON_CONFIG, else config/recon.yaml). They read the
state alone, and raise a ``ReconError`` where that cannot be read. Texts have pandas' own dtype for text
(``str``, or ``object`` before pandas 3). Instants are ``datetime64[ms, UTC]``; ``Int64`` and ``Float64`` may
hold NA.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl

from recon import access, findings, last_cycle
from recon.core.past_run import PastRun
from recon.kept_history import coverage_frame, gaps_frame
from recon.model import Priority
from recon.run_book import load_runs

_INSTANT = pl.Datetime("ms", "UTC")
_TOTALS = ("objects", "expected", "missing", "gaps", "gap_keys", *(level.label for level in Priority))
_RUN_SCHEMA: dict[str, pl.DataType] = {
    "cycle_id": pl.String(),
    "started_at": _INSTANT,
    "finished_at": _INSTANT,
    "duration_s": pl.Float64(),
    "outcome": pl.String(),
    "dry_run": pl.Boolean(),
    "exit_code": pl.Int64(),
    "kind": pl.String(),
    "message": pl.String(),
    **dict.fromkeys(_TOTALS, pl.Int64()),
    "coverage": pl.Float64(),
}


def coverage(config: Path | str | None = None) -> pd.DataFrame:
    """Return the coverage of the last finished cycle, a row per source, data type, partition and kind.

    Columns: cycle_id (text), started_at (instant), source, data_type, partition (JSON), kind (texts);
    expected, have, ok, stale, small, missing, not_due, known_absent, unknown (int64; expected is Int64);
    coverage (Float64, NA where nothing can be said), threshold (float64).
    """
    state = _state(config)
    frame = coverage_frame(last_cycle.report(state, last_cycle.latest(state)))
    return _pandas(frame, {"expected": "Int64", "coverage": "Float64"})


def gaps(config: Path | str | None = None) -> pd.DataFrame:
    """Return the gaps of the last finished cycle, a row each.

    Columns: cycle_id (text), started_at (instant), source, data_type, partition (JSON), reason, priority
    (texts); keys (int64, 0 for a gap that is counted); have, expected (Int64, NA unless it is counted);
    first_seen_at (instant).
    """
    state = _state(config)
    report = last_cycle.report(state, last_cycle.latest(state))
    frame = gaps_frame(report, findings.last_findings(state).gaps)
    return _pandas(frame, {"have": "Int64", "expected": "Int64"})


def history(config: Path | str | None = None) -> pd.DataFrame:
    """Return the runs that history remembers, a row each, the oldest first.

    Columns: cycle_id (text), started_at, finished_at (instants), duration_s (float64), outcome (text:
    finished, failed or skipped_overlap), dry_run (bool), exit_code (int64), kind, message (texts, "" unless
    it failed); objects, expected (exact keys), missing, gaps, gap_keys, critical, high, medium, low (Int64,
    NA unless it finished), coverage (Float64, over all).
    """
    runs = load_runs(_state(config))
    columns = {name: [_cell(run, name) for run in runs] for name in _RUN_SCHEMA}
    frame = pl.DataFrame(columns, schema=_RUN_SCHEMA)
    return _pandas(frame, {**dict.fromkeys(_TOTALS, "Int64"), "coverage": "Float64"})


def _cell(run: PastRun, name: str) -> Any:
    return run.totals.get(name) if name in _TOTALS or name == "coverage" else getattr(run, name)


def _state(config: Path | str | None) -> Any:
    return access.state(access.settings(None if config is None else Path(config)))


def _pandas(frame: pl.DataFrame, nullable: dict[str, str]) -> pd.DataFrame:
    """Return the frame with pandas' dtypes; ``nullable`` columns get theirs without a detour over NaN."""
    plain: Sequence[str] = [name for name in frame.columns if name not in nullable]
    made = frame.select(plain).to_pandas()
    for name, dtype in nullable.items():
        made[name] = pd.array(frame[name].to_list(), dtype=dtype)
    return made[frame.columns]
