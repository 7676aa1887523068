"""What every lister keeps (``recon.ports.Lister``): subclass it with fixtures ``lister_of`` and ``lake``.

``lister_of`` makes a lister over the keys it is given; ``lake`` is one over ``PLAIN``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise, product

import pyarrow as pa
import pytest

from recon.errors import LakeError
from recon.model import KeyRange
from recon.ports import LISTING_SCHEMA, Lister

ListerOf = Callable[[dict[bytes, bytes]], Lister]

EVERYTHING = KeyRange(b"")

#: Keys that any file system holds, and whose byte order is not the order of a walk through folders.
PLAIN = {
    key: b"x" * size
    for size, key in enumerate(
        [
            b"a-b/1",
            b"a.b",
            b"a/1",
            b"a/2/deep/er",
            b"a/2x",
            b"a0",
            b"events/2024-01/part-1",
            b"events/2024-02/part-1",
            b"events/2024-02/part-2",
            b"events/2025-01/part-1",
            b"events/_SUCCESS",
            b"z",
        ]
    )
}

#: Keys that a careless reader changes, loses or trips over.
ODD = [
    b"plus+plus",
    b"space space",
    b"percent%2Fpercent",
    b"%",
    b"100%25",
    b"a=b&c=d",
    b"<Key>&amp;</Key>",
    b"quote\"'quote",
    b"new\nline",
    b"return\rreturn",
    b"tab\there",
    b"bell\x07",
    b"\x01",
    b"\x7f",
    "é".encode(),
    "e\u0301".encode(),
    "\U0001f3c0/\U00010348".encode(),
    "\u202egpj.exe".encode(),
    "\uffff".encode(),
    b"/".join([b"k" * 127] * 8),
    b"season=2024-25/team=ATL/x.json",
    b"*?[]{}|^`~\\",
]

#: Keys that S3 takes and a folder cannot.
ODD_ON_S3 = [b"a//b", b"../x", b"a/../b", b"folder/", b"folder//", b"/", b"/rooted", b"./dot", b"k" * 1000]


def keys_of(lister: Lister, span: KeyRange = EVERYTHING, *, ordered: bool = True) -> list[bytes]:
    return [key for page in lister.pages(span, ordered=ordered) for key in page.batch.column(0).to_pylist()]


def table_of(lister: Lister, span: KeyRange = EVERYTHING) -> pa.Table:
    return pa.Table.from_batches([page.batch for page in lister.pages(span)], LISTING_SCHEMA)


class ListerContract:
    """The promises; ``odd`` is what this kind of lake can hold."""

    odd = ODD

    def test_every_key_comes_once_in_byte_order(self, lister_of: ListerOf):
        assert keys_of(lister_of(PLAIN)) == sorted(PLAIN)

    def test_sizes_and_times_stand_beside_their_keys(self, lister_of: ListerOf):
        before = datetime.now(UTC).timestamp() - 5
        table = table_of(lister_of(PLAIN))
        assert dict(zip(table["key"].to_pylist(), table["size"].to_pylist(), strict=True)) == {
            key: len(body) for key, body in PLAIN.items()
        }
        assert all(before <= time.timestamp() <= before + 60 for time in table["mtime"].to_pylist())

    def test_batches_have_the_schema_of_the_port(self, lister_of: ListerOf):
        for page in lister_of(PLAIN).pages(EVERYTHING):
            assert page.batch.schema.equals(LISTING_SCHEMA)
            page.batch.validate(full=True)

    def test_odd_keys_come_out_byte_for_byte(self, lister_of: ListerOf):
        assert keys_of(lister_of(dict.fromkeys(self.odd, b""))) == sorted(self.odd)

    def test_odd_keys_can_be_asked_for(self, lister_of: ListerOf):
        lister = lister_of(dict.fromkeys(self.odd, b""))
        for key in self.odd:
            assert key in keys_of(lister, KeyRange(key)), key

    def test_ranges_at_odd_keys_tile_the_lake(self, lister_of: ListerOf):
        lister = lister_of(dict.fromkeys(self.odd, b""))
        cuts = [b"", *sorted(self.odd)[::2], None]
        ranges = [KeyRange(b"", low, high) for low, high in pairwise(cuts)]
        assert [key for span in ranges for key in keys_of(lister, span)] == sorted(self.odd)

    def test_a_range_holds_its_prefix_above_its_start_up_to_its_end(self, lake: Lister):
        prefixes = [b"", b"a", b"a/", b"a/2", b"a/2/deep/er", b"events/2024-", b"nothing"]
        starts = [b"", b"a/1", b"a/2/", b"events/2024-01/zz", b"zz"]
        ends = [None, b"a/2x", b"a/2/deep", b"events/2024-02/part-1", b"0"]
        for prefix, start, end in product(prefixes, starts, ends):
            inside = [key for key in sorted(PLAIN) if key.startswith(prefix) and key > start]
            span = KeyRange(prefix, start, end)
            assert keys_of(lake, span) == [key for key in inside if end is None or key <= end], span

    def test_an_unordered_listing_holds_the_same_keys(self, lake: Lister):
        span = KeyRange(b"a", b"a.b", b"a/2x")
        assert keys_of(lake, span, ordered=False) == keys_of(lake, span) == [b"a/1", b"a/2/deep/er", b"a/2x"]

    def test_an_empty_lake_lists_nothing(self, lister_of: ListerOf):
        assert keys_of(lister_of({})) == []

    @pytest.mark.parametrize(
        ("prefix", "children", "keys"),
        [
            (b"", (b"a-b/", b"a/", b"events/"), 3),
            (b"a/", (b"a/2/",), 2),
            (b"events/2024-", (b"events/2024-01/", b"events/2024-02/"), 0),
            (b"events/", (b"events/2024-01/", b"events/2024-02/", b"events/2025-01/"), 1),
            (b"nothing/", (), 0),
        ],
    )
    def test_folders_are_the_children_and_the_number_of_keys_beside_them(
        self, lake: Lister, prefix, children, keys
    ):
        found = lake.folders(prefix)
        assert (found.prefixes, found.keys) == (children, keys)

    def test_a_lake_in_order_may_be_cut_anywhere(self, lake: Lister):
        assert lake.order(b"").may_split
        assert lake.order(b"events/").may_split

    def test_an_object_reads_as_it_was_written(self, lister_of: ListerOf):
        body = bytes(range(256)) * 100
        lister = lister_of({b"catalogs/games +%.csv": body})
        assert lister.read(b"catalogs/games +%.csv") == body

    def test_an_object_that_is_not_there_is_an_error_that_names_it(self, lake: Lister):
        with pytest.raises(LakeError) as caught:
            lake.read(b"catalogs/none.csv")
        assert "catalogs/none.csv" in str(caught.value)

    def test_an_object_is_fetched_into_a_file_with_its_size_and_md5(
        self, lister_of: ListerOf, tmp_path_factory
    ):
        file = tmp_path_factory.mktemp("fetched") / "copy"
        file.write_bytes(b"what stood there before" * 1000)
        for body in (b"", b"x", bytes(range(256)) * 12_000):
            found = lister_of({b"reports/a +%.parquet": body}).fetch(b"reports/a +%.parquet", str(file))
            assert file.read_bytes() == body
            assert (found.size, found.md5) == (len(body), hashlib.md5(body).hexdigest())

    def test_an_object_that_cannot_be_fetched_is_an_error_that_names_it(self, lake: Lister, tmp_path_factory):
        folder = tmp_path_factory.mktemp("fetched")
        with pytest.raises(LakeError) as caught:
            lake.fetch(b"reports/none.parquet", str(folder / "copy"))
        assert "reports/none.parquet" in str(caught.value)
        with pytest.raises(LakeError) as caught:
            lake.fetch(b"z", str(folder / "gone" / "copy"))
        assert "gone" in str(caught.value)

    def test_many_threads_list_at_once(self, lake: Lister):
        prefixes = [b"a", b"events/", b"", b"events/2024-", b"z"] * 8
        with ThreadPoolExecutor(16) as threads:
            found = list(threads.map(lambda prefix: keys_of(lake, KeyRange(prefix)), prefixes))
        assert found == [[key for key in sorted(PLAIN) if key.startswith(prefix)] for prefix in prefixes]
