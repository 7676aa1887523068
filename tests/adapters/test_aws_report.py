"""The same objects come out of every format; a file that is not what its manifest tells gives none at all."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aws_reports import (
    KINDS,
    VERSIONS,
    Style,
    into,
    rows,
    with_body,
    write_report,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import orc
from read_reports import ODD, manifest_of, told
from s3_server import S3Server, use_credentials

from recon.adapters.aws_report import AwsReportFiles
from recon.adapters.local_lister import LocalLister
from recon.adapters.s3 import S3Lister
from recon.core.sketcher import UNTOLD
from recon.errors import AccessDeniedError

AT = datetime(2025, 11, 1, 1, tzinfo=UTC)
KEY = st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text).map(
    str.encode
) | st.sampled_from(ODD)
#: Milliseconds: from the first time that nanoseconds can tell (ORC's are such) to the last.
TIME = st.integers(-9_223_372_036_854, 9_223_372_036_854) | st.sampled_from([-1, 0, -999, -1000, -1001])
ROW = st.tuples(KEY, st.integers(0, 5 << 40), TIME, st.booleans(), st.booleans())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(ROW, max_size=12),
    st.integers(1, 3),
    st.permutations([name for name in VERSIONS if name not in {"bucket", "key"}]),
    st.sampled_from(["own", "struct"]),
)
def test_all_formats_tell_the_same_objects_versioned_and_not(found, files, order, spelling):
    keys, sizes, times, latest, deleted = map(list, zip(*found, strict=True)) if found else ([],) * 5
    frame = rows(keys, sizes, times, latest=latest, deleted=deleted)
    parts = [frame[part::files] for part in range(files)]
    plain = sorted((key, size, time) for key, size, time, _, _ in found)
    objects = sorted(row[:3] for row in found if row[3] and not row[4])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for kind in KINDS:
            style = Style(columns=("bucket", "key", *order), spelling=spelling)
            report = write_report(into(root), parts, kind=kind, at=AT, style=style)
            assert told(root, report) == objects, kind
            current = [part.with_columns(is_delete_marker=pl.lit(value=False)) for part in parts]
            report = write_report(into(root), current, kind=kind, at=AT, style=Style(spelling=spelling))
            assert told(root, report) == plain, kind


@pytest.mark.parametrize("kind", KINDS)
def test_odd_keys_come_out_byte_for_byte(tmp_path, kind):
    report = write_report(into(tmp_path), [rows(ODD)], kind=kind, at=AT)
    assert [key for key, *_ in told(tmp_path, report)] == sorted(ODD)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [("bucket", "key"), ("key",), ("size", "key", "bucket")])
def test_columns_that_a_report_lacks_are_untold(tmp_path, kind, columns):
    report = write_report(into(tmp_path), [rows([b"a"], [7], [9])], kind=kind, at=AT, style=Style(columns))
    assert told(tmp_path, report) == [(b"a", 7 if "size" in columns else UNTOLD, UNTOLD)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_size_or_time_that_is_empty_is_untold_and_the_object_is_there(tmp_path, kind):
    frame = rows([b"a", b"b"], [None, 2], [5, 6]).with_columns(
        last_modified_date=pl.Series([5, None], dtype=pl.Int64)
    )
    report = write_report(into(tmp_path), [frame], kind=kind, at=AT)
    assert told(tmp_path, report) == [(b"a", UNTOLD, 5), (b"b", 2, UNTOLD)]


@pytest.mark.parametrize("kind", KINDS)
def test_delete_markers_and_old_versions_are_no_objects(tmp_path, kind):
    frame = rows(
        [b"gone", b"kept", b"kept", b"gone"],
        [None, 2, 1, 4],
        latest=[True, True, False, False],
        deleted=[True, False, False, False],
    )
    report = write_report(into(tmp_path), [frame], kind=kind, at=AT, style=Style(VERSIONS))
    assert told(tmp_path, report) == [(b"kept", 2, 0)]


@pytest.mark.parametrize("kind", KINDS)
def test_only_keys_below_the_lakes_root_are_told_relative_to_it(tmp_path, kind):
    keys = [
        b"lake/a",
        b"lake/b//c",
        b"lake/",
        b"lake",
        b"lake-other/a",
        b"other",
        b"Lake/a",
        "lakè/a".encode(),
    ]
    report = write_report(into(tmp_path), [rows(keys)], kind=kind, at=AT)
    assert [key for key, *_ in told(tmp_path, report, b"lake/")] == [b"a", b"b//c"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_rows_tells_of_nothing(tmp_path, kind):
    report = write_report(into(tmp_path), [rows([]), rows([b"a"])], kind=kind, at=AT)
    assert [key for key, *_ in told(tmp_path, report)] == [b"a"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_first_line_that_looks_like_one_is_no_header(tmp_path, kind):
    report = write_report(into(tmp_path), [rows([b"Key"], [1], [2])], kind=kind, at=AT)
    assert told(tmp_path, report) == [(b"Key", 1, 2)]


@pytest.mark.parametrize("kind", ["Parquet", "ORC"])
def test_times_in_finer_units_are_cut_to_milliseconds(tmp_path, kind):
    table = pa.table(
        {"key": ["a"], "last_modified_date": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns"))}
    )
    sink = io.BytesIO()
    pq.write_table(table, sink) if kind == "Parquet" else orc.write_table(table, sink)
    style = Style(columns=("key", "last_modified_date"))
    report = write_report(into(tmp_path), [rows([b"a"])], kind=kind, at=AT, style=style)
    with_body(into(tmp_path), report, sink.getvalue())
    assert told(tmp_path, report) == [(b"a", UNTOLD, 1_700_000_000_123)]


def test_batches_of_a_large_stripe_and_row_group_are_bounded(tmp_path):
    frame = pl.select(
        key=pl.int_range(300_000).cast(pl.String).cast(pl.Binary),
        size=pl.int_range(300_000),
        last_modified_date=pl.int_range(300_000),
    )
    for kind in KINDS:
        report = write_report(into(tmp_path), [frame], kind=kind, at=AT)
        manifest = manifest_of(tmp_path, report)
        pages = list(AwsReportFiles(LocalLister(tmp_path)).pages(manifest, manifest.files[0], b""))
        assert sum(page.batch.num_rows for page in pages) == 300_000
        assert max(page.batch.num_rows for page in pages) <= 1 << 17


# Over S3.


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def server(monkeypatch):
    use_credentials(monkeypatch)
    with S3Server(bucket="reports") as server:
        yield server


def test_reports_are_read_over_s3_and_their_requests_counted(server, tmp_path, kind):
    frames = [rows([b"a", b"b"], [1, 2], [3, 4]), rows([b"c"], [5], [6])]

    def put(key: str, body: bytes) -> None:
        server.objects.put(key.encode(), body)
        into(tmp_path)(key, body)

    report = write_report(put, frames, kind=kind, at=AT, prefix="inventory/")
    assert "//" in report.files[0]
    manifest = manifest_of(tmp_path, report)
    files = AwsReportFiles(S3Lister("reports", endpoint_url=server.url))
    pages = [page for file in manifest.files for page in files.pages(manifest, file, b"")]
    assert sorted(key for page in pages for key in page.batch.column("key").to_pylist()) == [b"a", b"b", b"c"]
    assert sum(page.requests for page in pages) == server.requests["get"] == 2


def test_403_on_a_data_file_names_it_and_the_key_it_may_be_encrypted_with(server, tmp_path):
    report = write_report(into(tmp_path), [rows([b"a"])], kind="CSV", at=AT)
    server.denied.append(b"inventory/")
    files = AwsReportFiles(S3Lister("reports", endpoint_url=server.url))
    manifest = manifest_of(tmp_path, report)
    with pytest.raises(AccessDeniedError) as caught:
        list(files.pages(manifest, manifest.files[0], b""))
    assert report.files[0] in str(caught.value)
    assert "kms:Decrypt" in str(caught.value)
    assert caught.value.requests == 1
    with pytest.raises(AccessDeniedError) as caught:
        files.read(report.manifest.encode())
    assert "kms:Decrypt" in str(caught.value)


# Memory.

_READ = """
import hashlib, re, sys
from pathlib import Path
from recon.adapters.aws_report import AwsReportFiles
from recon.adapters.local_lister import LocalLister
from recon.core.aws_manifest import read_manifest
root, key = Path(sys.argv[1]), sys.argv[2]
content = (root / key).read_bytes()
checksum = (root / key).with_name("manifest.checksum").read_bytes()
manifest = read_manifest(content, checksum, hashlib.md5(content).hexdigest())
files = AwsReportFiles(LocalLister(root))
unpacked = sum(page.batch.nbytes for page in files.pages(manifest, manifest.files[0], b""))
# Not ru_maxrss, which begins at the parent's.
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
print(unpacked, int(peak[1]) << 10)
"""


def test_memory_does_not_grow_with_a_file(tmp_path, kind):
    count = 2_200_000
    numbers = pl.Series(np.random.default_rng(1).permutation(count))
    frame = pl.select(
        key=(pl.lit("events/season=2025-26/source=news/part-") + numbers.cast(pl.String).str.zfill(40)).cast(
            pl.Binary
        ),
        size=numbers,
        last_modified_date=numbers * 1000,
    )
    style = Style(
        columns=("bucket", "key", "size", "last_modified_date"), shuffle=False, level=1, row_group=count
    )
    report = write_report(into(tmp_path), [frame], kind=kind, at=AT, style=style)
    words = [sys.executable, "-c", _READ, str(tmp_path), report.manifest]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    unpacked, most = map(int, done.stdout.split())
    assert unpacked > 200_000_000
    assert most < 280_000_000
