import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.core.key_column import WORD, KeyColumn

TEXTS = st.lists(st.text(max_size=40), min_size=1, max_size=30)


@given(TEXTS, st.binary(min_size=1, max_size=20), st.integers(0, 12))
def test_ends_with_says_what_the_bytes_say(texts, literal, distance):
    tails = KeyColumn.of(pl.Series(texts)).tails(64)
    wanted = []
    for text in texts:
        # Bytes before a key's start read as whatever lies there; only keys long enough are ever asked.
        raw = text.encode()
        wanted.append(raw[: len(raw) - distance].endswith(literal) if len(raw) >= distance else None)
    found = tails.ends_with(literal, distance).tolist()
    long_enough = [len(text.encode()) >= distance + len(literal) for text in texts]
    assert [f for f, is_long in zip(found, long_enough, strict=True) if is_long] == [
        w for w, is_long in zip(wanted, long_enough, strict=True) if is_long
    ]


@given(
    st.lists(st.text(max_size=60), min_size=1, max_size=30),
    st.lists(st.integers(0, 140), min_size=1, max_size=6),
)
def test_words_are_the_bytes_before_each_end_however_far_in_whatever_order(texts, distances):
    tails = KeyColumn.of(pl.Series(texts)).tails(150)
    for distance in distances:
        for text, word in zip(texts, tails.word(distance).tolist(), strict=True):
            raw = text.encode()[: max(len(text.encode()) - distance, 0)][-WORD:]
            assert word.to_bytes(WORD, "little").endswith(raw)


@given(TEXTS, st.integers(0, 60))
def test_runs_cover_every_key_once_whatever_the_reach(texts, reach):
    keys = KeyColumn.of(pl.Series(texts))
    covered = [row for rows, _ in keys.runs(reach) for row in range(rows.start, rows.stop)]
    assert covered == list(range(len(texts)))


@given(TEXTS, st.integers(0, 20))
def test_a_slice_reads_as_its_own_keys(texts, start):
    keys = KeyColumn.of(pl.Series(texts))
    low = min(start, len(texts) - 1)
    part = keys.part(slice(low, len(texts)))
    assert part.series.to_list() == texts[low:]
    assert part.tails(WORD).lengths.tolist() == [len(text.encode()) for text in texts[low:]]


@given(TEXTS, st.text(max_size=3))
def test_starts_with_agrees_with_python(texts, prefix):
    found = KeyColumn.of(pl.Series(texts)).starts_with(prefix).tolist()
    assert found == [text.startswith(prefix) for text in texts]


def test_keys_that_are_no_utf8_become_replacement_characters():
    keys = KeyColumn.read(pa.array([b"a/\xff", b"b"], pa.large_binary()))
    assert keys.series.to_list() == ["a/�", "b"]


@pytest.mark.parametrize("chunks", [[["a"], ["b", "c"]], [["a", "b", "c"]], [[], ["a", "b", "c"]]])
def test_a_column_in_pieces_reads_as_one(chunks):
    column = pa.chunked_array([pa.array(chunk, pa.large_string()) for chunk in chunks])
    assert KeyColumn.read(column).series.to_list() == ["a", "b", "c"]


def test_no_keys_are_no_rows():
    keys = KeyColumn.of(pl.Series([], dtype=pl.String))
    assert len(keys) == 0
    assert list(keys.runs(10)) == []
