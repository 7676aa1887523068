from __future__ import annotations

import datetime as dt
import decimal
import io

import polars as pl
import pytest

from recon.adapters.catalogs import load_catalog
from recon.core.inventory import CatalogSpec
from recon.errors import AccessDeniedError, CatalogError


def no_lake(key: bytes) -> bytes:
    raise AssertionError(key)


def frame(folder, name: str, content: bytes, **spec: str) -> pl.DataFrame:
    (folder / name).write_bytes(content)
    declared = CatalogSpec("games", "inventory.yaml:3:3", file=name, **spec)
    return load_catalog(declared, folder, no_lake).frame


def failure(folder, name: str, content: bytes, **spec: str) -> str:
    with pytest.raises(CatalogError) as caught:
        frame(folder, name, content, **spec)
    return str(caught.value)


def parquet(columns: dict) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer)
    return buffer.getvalue()


def test_a_csv_keeps_every_cell_as_written(tmp_path):
    content = b'game_id,day,note\n0022300001,2024-01-05," a,b"\n1e3,,"q""q"\n007,null,#x\n'
    assert frame(tmp_path, "games.csv", content).rows() == [
        ("0022300001", "2024-01-05", " a,b"),
        ("1e3", "", 'q"q'),
        ("007", "null", "#x"),
    ]


def test_every_column_is_text_and_no_cell_is_null(tmp_path):
    contents = {
        "a.csv": b"x,y\n1,\n,2\n",
        "a.jsonl": b'{"x": 1}\n{"y": null}\n',
        "a.parquet": parquet({"x": [1, None], "y": [None, 2.5]}),
    }
    for name, content in contents.items():
        loaded = frame(tmp_path, name, content)
        assert set(loaded.dtypes) == {pl.String}, name
        assert sum(loaded.null_count().row(0)) == 0, name


def test_a_byte_order_mark_crlf_and_blank_lines_change_nothing(tmp_path):
    loaded = frame(tmp_path, "a.csv", b"\xef\xbb\xbfx,y\r\n1,2\r\n\r\n3,4\r\n\r\n")
    assert loaded.columns == ["x", "y"]
    assert loaded.rows() == [("1", "2"), ("3", "4")]


def test_rows_stay_in_file_order(tmp_path):
    ids = [str(number * 7919 % 10_007) for number in range(10_000)]
    assert frame(tmp_path, "a.csv", ("id\n" + "\n".join(ids)).encode())["id"].to_list() == ids


def test_parquet_becomes_plain_text(tmp_path):
    instant = dt.datetime(2024, 1, 5, 6, tzinfo=dt.UTC)
    columns = {
        "integer": [22300001],
        "date": [dt.date(2024, 1, 5)],
        "zoned": [instant],
        "elsewhere": pl.Series([instant]).dt.convert_time_zone("America/New_York"),
        "naive": [dt.datetime(2024, 1, 5, 6, 0, 0, 500_000)],
        "decimal": [decimal.Decimal("1.10")],
        "flag": [True],
        "category": pl.Series(["x"], dtype=pl.Categorical),
        "text": ["0022300001"],
    }
    assert frame(tmp_path, "a.parquet", parquet(columns)).row(0, named=True) == {
        "integer": "22300001",
        "date": "2024-01-05",
        "zoned": "2024-01-05T06:00:00Z",
        "elsewhere": "2024-01-05T06:00:00Z",
        "naive": "2024-01-05T06:00:00.500",
        "decimal": "1.10",
        "flag": "true",
        "category": "x",
        "text": "0022300001",
    }


def test_nested_parquet_columns_are_left_out(tmp_path):
    assert frame(tmp_path, "a.parquet", parquet({"id": [1], "list": [[1]]})).columns == ["id"]


def test_json_lines_keep_numbers_as_written(tmp_path):
    content = b'{"id": 0.10, "s": "00"}\r\n\n{"id": 12345678901234567890, "z": true}\n'
    assert frame(tmp_path, "a.ndjson", content).rows(named=True) == [
        {"id": "0.10", "s": "00", "z": ""},
        {"id": "12345678901234567890", "s": "", "z": "true"},
    ]


def test_a_catalog_may_be_a_key_of_the_lake(tmp_path):
    spec = CatalogSpec("games", "", lake="meta/games.csv")
    loaded = load_catalog(spec, tmp_path, {b"meta/games.csv": b"id\n007\n"}.__getitem__)
    assert loaded.frame["id"].to_list() == ["007"]


def test_a_lake_that_refuses_the_key_is_a_catalog_error(tmp_path):
    def refuse(key: bytes) -> bytes:
        raise AccessDeniedError(f"403 for {key.decode()}")

    with pytest.raises(CatalogError, match=r"lake key meta/games\.csv.*cannot be read from the lake: 403"):
        load_catalog(CatalogSpec("games", "", lake="meta/games.csv"), tmp_path, refuse)


def test_a_missing_file_says_where_paths_start(tmp_path):
    with pytest.raises(CatalogError) as caught:
        load_catalog(CatalogSpec("games", "inventory.yaml:3:3", file="nope.csv"), tmp_path, no_lake)
    assert str(caught.value) == (
        "inventory.yaml:3:3: catalog 'games' (nope.csv): cannot be read: No such file or directory; "
        "`file` is relative to the inventory's folder"
    )


@pytest.mark.parametrize("key", ["due", "partition", "starts", "ends"])
def test_a_column_that_the_declaration_names_must_be_there(tmp_path, key):
    said = failure(tmp_path, "a.csv", b"game_date,x\n1,2\n", **{key: "game_dat"})
    assert "names the column 'game_dat', which is not there; did you mean 'game_date'?" in said
    assert said.endswith("its columns are: game_date, x")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "the file is empty"),
        ("a.csv", b"x,y\n", "has no rows"),
        ("a.csv", b"x,x\n1,2\n", "two columns are named 'x'"),
        ("a.csv", b"x,\n1,2\n", "column 2 has no name in the header"),
        ("a.csv", b"x,y\n1,2,3\n", "not readable as .csv: found more fields"),
        ("a.csv", b"x\n\xff\xfe\n", "not readable as .csv: invalid utf-8"),
        ("a.parquet", b"PAR1 but not really PAR1", "not readable as .parquet"),
        ("a.parquet", b"", "not readable as .parquet"),
        ("a.parquet", parquet({"x": pl.Series([], dtype=pl.Int64)}), "has no rows"),
        ("a.jsonl", b"", "has no rows"),
        ("a.jsonl", b'{"x": 1}\n{"x": NaN}', "line 2: NaN is no value for a catalog"),
        ("a.jsonl", b"[1]", "line 1: expected an object"),
        ("a.jsonl", b'{"x": [1]}', "line 1: 'x' holds a list or an object"),
        ("a.jsonl", b'{"x": 01}', "line 1: "),
        ("a.jsonl", b"\xff", "not readable as .jsonl"),
        ("a.txt", b"x\n1\n", "expected a name that ends in .csv, .parquet, .jsonl or .ndjson, got '.txt'"),
        ("games", b"x\n1\n", "got 'no suffix'"),
    ],
)
def test_what_cannot_be_read_is_a_catalog_error_that_names_the_file(tmp_path, name, content, message):
    said = failure(tmp_path, name, content)
    assert said.startswith(f"inventory.yaml:3:3: catalog 'games' ({name}): ")
    assert message in said


def test_a_parquet_file_cut_anywhere_is_a_catalog_error(tmp_path):
    whole = parquet({"id": list(range(1000)), "name": [f"n{n}" for n in range(1000)]})
    for cut in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        assert "not readable as .parquet" in failure(tmp_path, "a.parquet", whole[:cut])
