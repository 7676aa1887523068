"""A data file that is not what its manifest tells is refused whole: its name and the check are said."""

from __future__ import annotations

import gzip
import io
import tempfile
from datetime import UTC, datetime

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aws_reports import (
    CURRENT,
    KINDS,
    VERSIONS,
    Report,
    Style,
    data_file,
    into,
    put_manifest,
    rows,
    with_body,
    write_report,
)
from pyarrow import orc
from read_reports import ODD, broken, manifest_of, refusal, told

from recon.adapters.aws_report import AwsReportFiles
from recon.adapters.local_lister import LocalLister
from recon.errors import LakeError, ReportError

AT = datetime(2025, 11, 1, 1, tzinfo=UTC)


@pytest.fixture(params=KINDS)
def kind(request) -> str:
    return request.param


@pytest.fixture
def report(tmp_path, kind) -> Report:
    keys = [b"a/%05d" % number for number in range(3000)]
    return write_report(into(tmp_path), [rows(keys[::2]), rows(keys[1::2])], kind=kind, at=AT)


def test_a_missing_data_file_is_no_empty_one(tmp_path, report):
    (tmp_path / report.files[1]).unlink()
    with pytest.raises(LakeError) as caught:
        told(tmp_path, report)
    assert report.files[1] in str(caught.value)


def test_another_size_is_refused(tmp_path, report):
    path = tmp_path / report.files[0]
    path.write_bytes(path.read_bytes() + b"\0")
    assert f"{report.files[0]} has " in refusal(tmp_path, report)


def test_another_content_of_the_same_size_is_refused(tmp_path, report):
    path = tmp_path / report.files[0]
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    assert refusal(tmp_path, report) == f"{report.files[0]} does not have the MD5 that its manifest tells"


def test_nothing_is_yielded_before_the_whole_file_is_checked(tmp_path, report):
    path = tmp_path / report.files[0]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    manifest = manifest_of(tmp_path, report)
    pages = AwsReportFiles(LocalLister(tmp_path)).pages(manifest, manifest.files[0], b"")
    with pytest.raises(ReportError):
        next(pages)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_cut_file_is_refused_though_its_md5_fits(tmp_path, report, kind, share):
    body = (tmp_path / report.files[0]).read_bytes()
    assert f"it cannot be read as {kind}" in broken(tmp_path, report, body[: int(len(body) * share)])


def test_another_format_is_refused(tmp_path, report, kind):
    other = next(name for name in KINDS if name != kind)
    body = data_file(rows([b"a"]), other, "lake", Style())
    assert f"it cannot be read as {kind}" in broken(tmp_path, report, body)


def test_a_flipped_bit_in_a_gzipped_file_is_always_told(tmp_path):
    report = write_report(into(tmp_path), [rows(ODD)], kind="CSV", at=AT)
    body = (tmp_path / report.files[0]).read_bytes()
    # Beyond the header, which holds a time and a system that mean nothing.
    for place in range(10, len(body), 7):
        broken(tmp_path, report, body[:place] + bytes([body[place] ^ 4]) + body[place + 1 :])


def test_a_flipped_bit_in_a_parquet_page_with_a_checksum_is_told(tmp_path):
    style = Style(checksums=True)
    report = write_report(into(tmp_path), [rows([b"a-key-of-its-own"])], kind="Parquet", at=AT, style=style)
    body = (tmp_path / report.files[0]).read_bytes()
    changed = body.replace(b"a-key-of-its-own", b"a-kez-of-its-own")
    assert "checksum" in broken(tmp_path, report, changed)


@pytest.mark.parametrize("kind", ["Parquet", "ORC"])
def test_a_flipped_bit_anywhere_is_refused_or_read_and_nothing_else(tmp_path, kind):
    keys = [b"a/%03d" % number for number in range(40)]
    report = write_report(into(tmp_path), [rows(keys)], kind=kind, at=AT)
    body = (tmp_path / report.files[0]).read_bytes()
    refused = 0
    for place in range(0, len(body), 5):
        with_body(into(tmp_path), report, body[:place] + bytes([body[place] ^ 16]) + body[place + 1 :])
        try:
            found = len(told(tmp_path, report))
        except ReportError:
            refused += 1
        else:
            assert found == len(keys)
    assert refused > len(body) // 50


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="snappy")
    return sink.getvalue()


def orc_body(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    orc.write_table(table, sink, compression="zlib")
    return sink.getvalue()


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    report = write_report(into(tmp_path), [rows([b"a"])], kind="CSV", at=AT)
    line = b'"lake","%s","1","2025-11-01T01:00:00.000Z","",""\n' % (b"k" * 100_000)
    bomb = gzip.compress(line * 3000, 9)
    assert "unpacks to more than" in broken(tmp_path, report, bomb)


def test_a_bomb_of_empty_lines_or_one_endless_line_is_refused(tmp_path):
    report = write_report(into(tmp_path), [rows([b"a"])], kind="CSV", at=AT)
    body = gzip.decompress((tmp_path / report.files[0]).read_bytes())
    assert "rows without a key" in broken(tmp_path, report, gzip.compress(body + b"\n" * 500_000))
    assert "cannot be read as CSV" in broken(tmp_path, report, gzip.compress(b'"lake","' + b"k" * 50_000_000))


@pytest.mark.parametrize("kind", ["Parquet", "ORC"])
def test_more_rows_than_bytes_can_stand_for_are_refused(tmp_path, kind):
    report = write_report(into(tmp_path), [rows([b"a"])], kind=kind, at=AT, style=Style(("key",)))
    same = pl.repeat("a", 3_000_000, eager=True).to_arrow().cast(pa.string())
    table = pa.table({"key": same})
    body = parquet(table) if kind == "Parquet" else orc_body(table)
    assert "3,000,000 rows in" in broken(tmp_path, report, body)


@pytest.mark.parametrize("kind", ["Parquet", "ORC"])
@pytest.mark.parametrize("columns", [CURRENT[:-1], (*CURRENT, "is_latest"), VERSIONS])
def test_missing_and_extra_columns_are_refused(tmp_path, report, kind, columns):
    reason = broken(tmp_path, report, data_file(rows([b"a"]), kind, "lake", Style(columns)))
    assert "it has the columns bucket, key" in reason
    assert "its manifest tells bucket, key, size, lastmodifieddate" in reason


@pytest.mark.parametrize("kind", ["Parquet", "ORC"])
def test_another_order_of_named_columns_is_the_same_report(tmp_path, report, kind):
    with_body(into(tmp_path), report, data_file(rows([b"x"], [1], [2]), kind, "lake", Style(CURRENT[::-1])))
    assert (b"x", 1, 2) in told(tmp_path, report)


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (CURRENT[:-1], "Expected 6 columns, got 5"),
        ((*CURRENT, "replication_status"), "Expected 6 columns, got 7"),
        (("key", "bucket", *CURRENT[2:]), "first line is of the bucket 'a', not of 'lake'"),
        (("bucket", "key", "last_modified_date", "size", *CURRENT[4:]), "conversion error to int64"),
    ],
)
def test_other_columns_in_a_csv_file_are_refused(tmp_path, columns, reason):
    report = write_report(into(tmp_path), [rows([b"a"])], kind="CSV", at=AT)
    assert reason in broken(tmp_path, report, data_file(rows([b"a"]), "CSV", "lake", Style(columns)))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (b'"Bucket","Key","Size","LastModifiedDate","ETag","StorageClass"\n', "it has a header"),
        (b'"other","a","1","2025-11-01T01:00:00.000Z","",""\n', "of the bucket 'other'"),
        (b'"lake","a%2","1","2025-11-01T01:00:00.000Z","",""\n', "inside a %-escape"),
        (b'"lake","a%zz","1","2025-11-01T01:00:00.000Z","",""\n', "a % that is not an escape"),
        (b'"lake","","1","2025-11-01T01:00:00.000Z","",""\n', "rows without a key"),
        (b'"lake","a","-2","2025-11-01T01:00:00.000Z","",""\n', "negative sizes"),
        (b'"lake","a","many","2025-11-01T01:00:00.000Z","",""\n', "conversion error to int64"),
        (b'"lake","a","1","yesterday","",""\n', "conversion error to timestamp"),
    ],
)
def test_values_that_are_none_in_a_csv_file_are_refused(tmp_path, lines, reason):
    report = write_report(into(tmp_path), [rows([b"a"])], kind="CSV", at=AT)
    assert reason in broken(tmp_path, report, gzip.compress(lines))


@pytest.mark.parametrize("kind", ["Parquet", "ORC"])
def test_rows_without_a_key_or_with_a_negative_size_are_refused(tmp_path, report, kind):
    writer = parquet if kind == "Parquet" else orc_body
    table = pq.read_table(io.BytesIO(data_file(rows([b"a"]), "Parquet", "lake", Style())))
    for key in ([None], [""]):
        changed = table.set_column(1, "key", pa.array(key, pa.string()))
        assert "rows without a key" in broken(tmp_path, report, writer(changed))
    changed = table.set_column(2, "size", pa.array([-2], pa.int64()))
    assert "negative sizes" in broken(tmp_path, report, writer(changed))


def test_flags_that_are_not_told_are_refused(tmp_path, kind):
    frame = rows([b"a", b"b"]).with_columns(is_latest=pl.Series([True, None]))
    report = write_report(into(tmp_path), [frame], kind=kind, at=AT, style=Style(VERSIONS))
    assert "it holds rows whose islatest is empty" in refusal(tmp_path, report)


def test_a_manifest_cannot_name_a_file_outside_the_destination(tmp_path):
    (tmp_path / "secret").write_bytes(b"s")
    report = write_report(into(tmp_path / "reports"), [rows([b"a"])], kind="CSV", at=AT)
    files = [dict(report.document["files"][0], key="../secret")]
    put_manifest(into(tmp_path / "reports"), report.folder, report.document | {"files": files})
    with pytest.raises(LakeError) as caught:
        told(tmp_path / "reports", report)
    assert "outside" in str(caught.value)


def test_no_copy_of_a_file_is_left_behind(tmp_path, report, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    told(tmp_path, report)
    manifest = manifest_of(tmp_path, report)
    pages = AwsReportFiles(LocalLister(tmp_path)).pages(manifest, manifest.files[0], b"")
    next(pages)
    pages.close()
    broken(tmp_path, report, b"")
    assert list((tmp_path / "tmp").iterdir()) == []
