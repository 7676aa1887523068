import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from recon.core.heads import HEAD_BYTES_MAX, HeadTable
from recon.core.key_column import WORD, KeyColumn

DIRECTORIES = st.lists(
    st.one_of(st.text(alphabet="ab/\0é", max_size=30), st.text(max_size=12)),
    unique=True,
    min_size=1,
    max_size=60,
)


@given(DIRECTORIES, DIRECTORIES, st.sampled_from(["", "/1.json", "/part-0000001.json"]))
def test_a_directory_has_the_code_of_its_text_and_strangers_have_none(known, asked, tail):
    table = HeadTable.of(pl.Series(known, dtype=pl.String))
    asked = asked + known
    keys = KeyColumn.of(pl.Series([text + tail for text in asked], dtype=pl.String))
    found = table.find(keys.tails(HEAD_BYTES_MAX + 64), len(tail))
    codes = {text: code for code, text in enumerate(known)}
    assert found.tolist() == [codes.get(text, -1) for text in asked]


def test_directories_of_one_length_are_told_apart_when_read_at_even_distances():
    known = [f"nba/{season}/{team}" for season in range(1000, 1200) for team in ("ATL", "BOS", "BKN")]
    table = HeadTable.of(pl.Series(known))
    keys = KeyColumn.of(pl.Series([f"{text}/7.json" for text in reversed(known)]))
    tails = keys.tails(HEAD_BYTES_MAX + WORD)
    assert tails.width is not None
    assert table.find(tails, len("/7.json")).tolist() == list(reversed(range(len(known))))
