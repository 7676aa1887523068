import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from recon.core.arrow import arrow_flags, flags, integers


def test_whole_numbers_and_instants_come_as_int64():
    assert integers(pa.chunked_array([pa.array([1, 2]), pa.array([3])])).tolist() == [1, 2, 3]
    at = pa.array([datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)], pa.timestamp("ms", tz="UTC"))
    assert integers(at).tolist() == [1000]
    assert integers(pa.array([5, 6, 7], pa.int32()).slice(1)).tolist() == [6, 7]


def test_flags_go_both_ways():
    mask = np.array([True, False, True, True])
    assert flags(arrow_flags(mask)).tolist() == mask.tolist()
    assert flags(arrow_flags(mask).slice(1)).tolist() == mask.tolist()[1:]


def test_sketching_imports_no_pandas():
    code = """
import sys, numpy as np, polars as pl
from recon.core.binding import bind
from recon.core.domain import Domain
from recon.core.dimensions import parse_dimension
from recon.core.inventory import Dataset, Inventory, PatternSpec
from recon.core.sketcher import Sketcher
dataset = Dataset("s", "t", "", (PatternSpec("t/{n}.json", ""),), scraper="s")
declared = Inventory(dimensions=(parse_dimension("n", {"integers": "0..9"}),), datasets=(dataset,))
now = np.datetime64("2025-11-01T00:00:00", "s")
(bound,) = bind(declared, {}, now).types
sketcher = Sketcher([Domain(bound, bound.expectations[0])], now)
rows = pl.DataFrame({"key": ["t/1.json", "x"], "size": [1, 2]})
rows = rows.with_columns(mtime=pl.lit(0).cast(pl.Datetime("ms", "UTC")))
sketcher.add(rows.to_arrow(), ascending=True)
assert sketcher.unexpected == 1 and list(sketcher.domains()[0].present) == [1]
sys.exit("pandas" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
