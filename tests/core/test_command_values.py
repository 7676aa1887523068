"""Values fill holes: whatever they hold, each stays one argument, and none is ever empty."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scraper_tasks import NOW, scraper, task

from recon.core.command_values import NoValueError, Work, words

FILES = {"keys_file": "/tmp/keys", "result_file": "/tmp/results"}
HOSTILE = [
    "two words", "it's", 'say "hi"', "a;rm -rf ~", "$(reboot)", "`id`", "line\nbreak", "tab\there", "--help",
    "-", "*", "a|b", "\\", "ünï→😀", "\u202eright", "{season}", "%s", "a'\"b", " ", "\x1b[31m",
]  # fmt: skip


def filled(made, *tasks, works=None):
    chosen = works or [Work(one, one.keys, tuple(one.document["items"])) for one in tasks]
    return words(made, chosen, NOW, FILES)


def told(made, *tasks):
    with pytest.raises(NoValueError) as caught:
        filled(made, *tasks)
    return str(caught.value)


GAME = {"season": "2024-25", "game_id": "0022400001", "n": 7, "day": "2026-01-14T06:30:00Z"}


@pytest.mark.parametrize(
    ("argument", "comes_to"),
    [
        ("{source}.{data_type}", ["nba.box"]),
        ("{reason} {priority} {scraper}", ["missing high nba"]),
        ("{game_id}", ["0022400001"]),
        ("{season:start_year}-{season:end_year}", ["2024-2025"]),
        ("{n}", ["7"]),
        ("{n:03d}", ["007"]),
        ("{day:%Y/%m/%d %H}", ["2026/01/14 06"]),
        ("{day}", ["2026-01-14T06:30:00Z"]),
        ("{keys_file}", ["/tmp/keys"]),
        ("{result_file}", ["/tmp/results"]),
        ("{days_back}", ["2"]),
        ("{items.n:04d:join(+)}", ["0007"]),
        ("{keys...}", ["k/0"]),
        ("{args...}", []),
        ("--x={args...}", []),
    ],
)
def test_a_placeholder_comes_to(argument, comes_to):
    assert filled(scraper("x", argument), task([GAME])) == ["x", *comes_to]


@pytest.mark.parametrize(("season", "start", "end"), [("1999-00", "1999", "2000"), ("2025", "2024", "2025")])
def test_a_season_is_known_by_either_year(season, start, end):
    made = scraper("x", "{season:start_year}", "{season:end_year}")
    assert filled(made, task([{"season": season}])) == ["x", start, end]


def test_a_partition_gives_what_its_items_share_and_counted_tasks_have():
    made = scraper("x", "{season}", "{items.season:join(,)}")
    assert filled(made, task(partition={"season": "2024-25"})) == ["x", "2024-25", "2024-25"]
    assert filled(made, task([GAME], partition={"season": "2024-25"})) == ["x", "2024-25", "2024-25"]


def test_values_of_a_list_come_once_and_in_order():
    items = [{"g": "b"}, {"g": "a"}, {"g": "b"}]
    assert filled(scraper("x", "{items.g:join(,)}", "--g={items.g...}"), task(items)) == [
        "x", "b,a", "--g=b", "--g=a",
    ]  # fmt: skip


def test_a_map_gives_the_words_of_every_data_type_in_the_run_and_the_source_goes_first():
    made = scraper(
        "x", "{map.e...}", per="source", map={"e": {"box": ("a", "b"), "pbp": ("b", "c"), "aba.box": ("d",)}}
    )
    assert filled(made, task([GAME]), task([GAME], data_type="pbp")) == ["x", "a", "b", "c"]
    assert filled(made, task([GAME], source="aba")) == ["x", "d"]


def test_the_scrapers_own_arguments_are_spread():
    assert filled(scraper("x", "{args...}"), task([GAME], args=["--days", "7"])) == ["x", "--days", "7"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_stays_one_argument_of_the_process(value):
    program = (sys.executable, "-c", "import sys; print(ascii(sys.argv[1:]))")
    made = scraper(*program, "{g}", "--g={g}", "{items.g...}")
    argv = filled(made, task([{"g": value}]))
    assert argv[3:] == [value, f"--g={value}", value]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert said.strip() == ascii([value, f"--g={value}", value])


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


@given(st.lists(TEXTS, min_size=1))
@settings(max_examples=200)
def test_the_arguments_are_the_values_whatever_they_are(values):
    made = scraper("x", "--", "{items.g...}", "{{{source}}}")
    argv = filled(made, task([{"g": value} for value in values]))
    assert argv == ["x", "--", *dict.fromkeys(values), "{nba}"]


@given(st.lists(TEXTS, min_size=1, unique=True), st.sampled_from([",", ";", " ", "::"]))
@settings(max_examples=200)
def test_what_is_joined_can_be_told_apart_again_or_is_refused(values, glue):
    made = scraper("x", f"{{items.g:join({glue})}}")
    one = task([{"g": value} for value in values])
    if glue.join(values).split(glue) == values:
        assert filled(made, one) == ["x", glue.join(values)]
    else:
        assert "holds the separator" in told(made, one)


@pytest.mark.parametrize(
    ("argument", "fields", "message"),
    [
        ("{team}", {}, "{team} has no value"),
        ("{game_id}", {"items": [{"game_id": ""}]}, "{game_id} has no value"),
        ("{game_id}", {"items": [{"game_id": None}]}, "{game_id} has no value"),
        ("{game_id}", {"items": [{"game_id": "1"}, {"game_id": "2"}]}, "{game_id} has 2 values in one run"),
        ("{items.team...}", {}, "neither the items nor the partition of nba.box have it"),
        ("{keys...}", {"items": []}, "the task names no keys"),
        ("{keys_file}", {"items": []}, "the task names no keys"),
        ("{map.e...}", {}, "map.e does not name box"),
        ("{season:start_year}", {"items": [{"season": "pre"}]}, "'pre' is no season such as 2024-25"),
        ("{day:%Y}", {"items": [{"day": "soon"}]}, "'soon' is no date"),
        ("{n:03d}", {"items": [{"n": "x"}]}, "'x' is no whole number"),
        ("{items.g:join(,)}", {"items": [{"g": "a,b"}, {"g": "c"}]}, "'a,b' holds the separator ','"),
        ("{g}", {"items": [{"g": "a\0b"}]}, "holds a NUL character"),
        ("{g}", {"items": [{"g": "\ud800"}]}, "is no UTF-8"),
        ("{days_back}", {"items": [{"season": "2024-25"}]}, "the task names no day"),
    ],
)
def test_a_value_that_cannot_be_used_is_never_an_empty_argument(argument, fields, message):
    given = {"items": [GAME], **fields}
    assert message in told(scraper("x", argument), task(given["items"]))
