"""Texts as columns: decoded byte for byte, refused where they are no text of their kind."""

from __future__ import annotations

from urllib.parse import quote_plus, unquote_to_bytes

import polars as pl
import pytest
from aws_reports import url_encoded
from hypothesis import given
from hypothesis import strategies as st

from recon.core.texts import TextError, binaries, decoded, instants, integers, shortened, values

KEYS = st.lists(st.binary(max_size=12) | st.text(max_size=12).map(str.encode), max_size=12)


def numbers(texts: list[str]) -> object:
    return pl.Series(texts, dtype=pl.String).to_arrow().cast("large_string")


@given(KEYS)
def test_texts_come_back_as_they_were_given(keys):
    assert values(binaries(keys)) == keys


@given(KEYS)
def test_what_is_url_encoded_is_decoded_byte_for_byte(keys):
    assert values(decoded(binaries([quote_plus(key).encode() for key in keys]))) == keys


@given(KEYS)
def test_what_the_reports_generator_encodes_is_what_the_standard_library_decodes(keys):
    encoded = url_encoded(pl.Series(keys, dtype=pl.Binary)).to_list()
    assert [unquote_to_bytes(text.replace("+", " ")) for text in encoded] == keys
    assert values(decoded(binaries([text.encode() for text in encoded]))) == keys


@given(KEYS.filter(bool), st.data())
def test_a_slice_of_a_column_is_decoded_as_its_own_rows_are(keys, data):
    low = data.draw(st.integers(0, len(keys)))
    column = binaries([quote_plus(key).encode() for key in keys])
    assert values(decoded(column.slice(low))) == keys[low:]


@pytest.mark.parametrize("text", [b"%", b"a%2", b"%zz", b"%%41", b"%4%41", b"% 1", b"%+1", b"a%2\xff"])
def test_a_broken_escape_is_an_error_wherever_it_stands(text):
    for texts in ([text], [text, b"41"], [b"a", text], [b"41", text, b"b%2F"]):
        with pytest.raises(TextError):
            decoded(binaries(texts))


@given(st.lists(st.binary(min_size=3, max_size=9), max_size=9))
def test_a_shortened_column_lacks_the_first_bytes_of_each_text(texts):
    assert values(shortened(binaries(texts), 3)) == [text[3:] for text in texts]


def test_sizes_are_whole_and_not_negative():
    assert integers(numbers(["0", "7", str(5 << 40)])).to_pylist() == [0, 7, 5 << 40]
    for text in ("", "-1", "1.5", "x"):
        with pytest.raises(TextError):
            integers(numbers(["1", text]))


def test_times_are_cut_to_milliseconds():
    texts = ["2025-11-01T01:00:00.123Z", "1969-12-31T23:59:59.999Z", "2025-11-01T01:00:00Z"]
    assert instants(numbers(texts)).cast("int64").to_pylist() == [1761958800123, -1, 1761958800000]
    assert instants(numbers(["2025-11-01T01:00:00.1234567Z"])).cast("int64").to_pylist() == [1761958800123]
    with pytest.raises(TextError):
        instants(numbers(["yesterday"]))
