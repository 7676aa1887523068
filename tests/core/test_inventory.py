from datetime import date

from declared import dataset
from pydantic import TypeAdapter

from recon.core.dimensions import parse_dimension, parse_seasons
from recon.core.inventory import CatalogSpec, Inventory, PatternSpec, Waiver
from recon.model import Notice

FULL = Inventory(
    dimensions=(
        parse_dimension("season", {"seasons": ["1996-97..current", 2004, "all-time"], "starts": "09-15"}),
        parse_dimension("team", {"values": ["ATL", "2004"]}),
        parse_dimension("fhour", {"integers": "0..120, 123..384 step 3", "width": 3, "except": [5]}),
        parse_dimension(
            "day",
            {
                "every": "day",
                "start": "2024",
                "end": "now",
                "only": {"weekdays": ["mon"]},
                "except": ["2024-12-25"],
            },
        ),
        parse_dimension(
            "hour",
            {
                "every": "6h",
                "start": "2015-01-01T00:00Z",
                "end": "2016-01-01T00:00+02:00",
                "timezone": "Asia/Tokyo",
            },
        ),
    ),
    catalogs=(CatalogSpec("games", "i:1:1", file="games.csv", due="game_date", starts="a", ends="b"),),
    ignore_patterns=("**/x",),
    datasets=(
        dataset(
            PatternSpec("a/{season}", "i:2:2", min_size_bytes=0, expected_per=("day", 8), partition=("day",)),
            "b",
            seasons=parse_seasons({"nba": "1946-2025", "aba": ["spring"]}),
            type_seasons=parse_seasons("2013-14..current"),
            except_values=(("season", ("2020", "2021")),),
            partition=(),
            critical_threshold_s=1.5,
        ),
    ),
    waivers=(Waiver("i:3:3", "why", source="a", fields=(("season", "2004-05"),), until=date(2027, 1, 1)),),
    notices=(Notice("hm", "i:4:4"),),
    without_effect=("version",),
)


def test_an_inventory_survives_its_journey_through_json():
    adapter = TypeAdapter(Inventory)
    assert adapter.validate_json(adapter.dump_json(FULL)) == FULL


def test_the_name_of_a_data_type_is_its_source_and_its_own():
    assert dataset("a", name="nba_api.boxscores").name == "nba_api.boxscores"
