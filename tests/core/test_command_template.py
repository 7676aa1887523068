"""A command's text is read into arguments and holes, and what cannot be meant is refused."""

from __future__ import annotations

import pytest

from recon.core.command_template import Hole, holes, parse_argument, parse_command
from recon.core.invalid import InvalidValueError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain text; $HOME `x`", ("plain text; $HOME `x`",)),
        ("", ()),
        ("{season}", (Hole("season"),)),
        ("--s={season:start_year}", ("--s=", Hole("season", "start_year"))),
        ("{a}{b}", (Hole("a"), Hole("b"))),
        ("{day:%Y-%m-%dT%H:%M}", (Hole("day", "%Y-%m-%dT%H:%M"),)),
        ("{fhour:03d}", (Hole("fhour", "03d"),)),
        ("{items.game_id:join(,)}", (Hole("items.game_id", "", ","),)),
        ("{items.day:%Y:%m:join(: )}", (Hole("items.day", "%Y:%m", ": "),)),
        ("{keys:join(\n)}", (Hole("keys", "", "\n"),)),
        ("--e={map.endpoint...}", ("--e=", Hole("map.endpoint", spread=True))),
        ("{items.season:start_year...}", (Hole("items.season", "start_year", spread=True),)),
        ("{{season}}", ("{", "season", "}")),
    ],
)
def test_an_argument_is_text_and_holes(text, parts):
    assert parse_argument(text) == parts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{season", "a lone '{'; write {{ for the character itself"),
        ("season}", "a lone '}'"),
        ("{}", "'{}' is no placeholder"),
        ("{a b}", "'{a b}' is no placeholder"),
        ("{a.b.c}", "is no placeholder"),
        (
            "{item.game_id:join(,)}",
            "unknown placeholder {item.game_id}; did you mean 'items'? before the dot",
        ),
        ("{items.game_id}", "{items.game_id} is a list; write {items.game_id:join(,)} or {items.game_id...}"),
        ("{keys}", "{keys} is a list"),
        ("{items}", "{items} needs a member"),
        (
            "{game_id:join(,)}",
            "{game_id} is one value, which is neither joined nor spread; its list is {items.",
        ),
        ("{season...}", "{season} is one value"),
        ("{keys_file...}", "{keys_file} is one value"),
        ("{items.a:join(,)...}", "{items.a} is either joined or spread"),
        ("{items.a:join()}", "{items.a} is joined by nothing"),
        ("{season:begin}", "'begin' is no format ({season:begin}); expected start_year, end_year"),
        ("{days_back:03d}", "{days_back} takes no format"),
        ("{keys...}{args...}", "two lists cannot be spread over one argument"),
        ("a\0b", "an argument cannot hold a NUL character"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_way_out(text, message):
    with pytest.raises(InvalidValueError) as caught:
        parse_argument(text)
    assert message in caught.value.message


def test_an_error_names_the_number_of_its_argument():
    with pytest.raises(InvalidValueError) as caught:
        parse_command(["python", "x.py", "{season"])
    assert caught.value.path == (2,)


@pytest.mark.parametrize("command", [["{program}", "x"], ["", "x"], []])
def test_a_command_begins_with_a_program_that_is_no_placeholder(command):
    with pytest.raises(InvalidValueError, match="begins with the program"):
        parse_command(command)


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "fetch {game_id}"],
        ["/bin/bash", "-x", "-ec", "fetch {game_id}"],
        ["python", "-c", "print('{game_id}')"],
        ["node", "-e", "{keys...}"],
    ],
)
def test_a_value_never_becomes_code(command):
    with pytest.raises(InvalidValueError, match="would read the value as code"):
        parse_command(command)


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", 'fetch "$1"', "sh", "{game_id}"],
        ["python", "scrape.py", "-c", "{game_id}"],
        ["fetch", "-c", "{game_id}"],
    ],
)
def test_a_value_may_be_handed_to_a_script(command):
    assert [hole.name for hole in holes(parse_command(command))] == ["game_id"]
