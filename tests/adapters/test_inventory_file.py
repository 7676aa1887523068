from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import jsonschema
import pytest
from inventory_text import CONTRACT, dataset, load, one_type

from recon.adapters.inventory_file import inventory_schema
from recon.core.dimensions import TimeDimension, ValuesDimension
from recon.core.inventory import CatalogSpec
from recon.core.overrides import SourceOverride
from recon.core.seasons import SeasonYears
from recon.strict_yaml import parse_document, plain

SCHEMA_FILE = Path(__file__).parents[2] / "config" / "inventory.schema.json"


def test_the_whole_contract_loads(tmp_path):
    inventory = load(tmp_path, CONTRACT)
    assert [found.name for found in inventory.datasets] == [
        "nba_api.boxscores",
        "nba_api.tracking",
        "nba_api.events",
        "nba_api.sensors",
    ]
    assert [dimension.name for dimension in inventory.dimensions] == [
        "season", "team", "year", "fhour", "day", "hour",
    ]  # fmt: skip
    assert inventory.ignore_patterns == ("**/_temporary/**", "**/*.crc")
    assert inventory.notices == ()
    assert inventory.without_effect == ()


def test_a_data_types_settings_are_resolved(tmp_path):
    found = load(tmp_path, CONTRACT).datasets[0]
    assert (found.scraper, found.batch_size, found.for_each, found.required) == (
        "nba_api_scraper", 20, "games", True,
    )  # fmt: skip
    assert (found.freshness_s, found.due_after_s, found.min_size_bytes) == (7 * 86400.0, 6 * 3600.0, 100)


def test_a_patterns_own_settings_stand_beside_plain_patterns(tmp_path):
    success, parts = load(tmp_path, CONTRACT).datasets[3].patterns
    assert (success.text, success.min_size_bytes, success.expected_per) == ("s/dt={day}/_SUCCESS", 0, None)
    assert (parts.text, parts.min_size_bytes, parts.expected_per) == (
        "s/dt={day}/part-{n}.parquet", None, ("day", 8),
    )  # fmt: skip


def test_a_data_types_seasons_stand_beside_its_sources(tmp_path):
    found = load(tmp_path, CONTRACT).datasets[1]
    assert found.type_seasons is not None
    assert found.type_seasons.leagues[0].items == (SeasonYears(2013, 2025),)
    assert found.seasons is not None
    assert found.except_values == (("season", ("2020",)),)


def test_catalogs_name_their_columns(tmp_path):
    games, stations = load(tmp_path, CONTRACT).catalogs
    assert games == CatalogSpec(
        "games", games.where, file="catalogs/games.csv", due="game_date", partition="season",
    )  # fmt: skip
    assert (stations.starts, stations.ends) == ("opened", "closed")


def test_waivers_are_read(tmp_path):
    by_key, by_type = load(tmp_path, CONTRACT).waivers
    assert (by_key.key, by_key.until, by_key.by) == (
        "events/2016/10/2016-10-21-18.json.gz", date(2027, 1, 1), "data-team",
    )  # fmt: skip
    assert (by_type.source, by_type.data_type, by_type.fields) == (
        "nba_api", "boxscores", (("season", "2004-05"),),
    )  # fmt: skip


def test_everything_knows_its_place(tmp_path):
    inventory = load(tmp_path, one_type(patterns="[a, b]"))
    assert inventory.datasets[0].where == "inventory.yaml:4:7"
    assert [pattern.where for pattern in inventory.datasets[0].patterns] == [
        "inventory.yaml:5:25",
        "inventory.yaml:5:28",
    ]
    assert load(tmp_path, CONTRACT).dimensions[1].where == "inventory.yaml:4:3"


def test_what_is_not_said_takes_the_files_defaults(tmp_path):
    top = "quality_requirements: {min_file_size_bytes: 7, max_file_age_days: 2}\n"
    found = dataset(tmp_path, top=top)
    assert (found.min_size_bytes, found.freshness_s) == (7, 2 * 86400.0)
    own = dataset(tmp_path, "min_size_bytes: 0\nfreshness_days: 0.5", top=top)
    assert (own.min_size_bytes, own.freshness_s) == (0, 43200.0)


def test_without_any_setting_a_data_type_has_the_documented_defaults(tmp_path):
    found = dataset(tmp_path)
    assert (found.scraper, found.batch_size, found.required, found.completeness_threshold) == (
        "src",
        50,
        True,
        1.0,
    )
    assert (found.freshness_s, found.due_after_s, found.due_at, found.min_size_bytes) == (None, 0.0, None, 0)


@pytest.mark.parametrize(
    ("written", "name"),
    [('"{source}_{data_type}"', "src_kind"), ('"{data_type}"', "kind"), ("plain", "plain"), ("007", "007")],
)
def test_a_scrapers_name_may_be_a_template(tmp_path, written, name):
    assert dataset(tmp_path, f"scraper: {written}").scraper == name


def test_expected_file_counts_reach_their_data_type(tmp_path):
    assert dataset(tmp_path, top="expected_file_counts: {src: {kind: 63}}\n").expected_file_count == 63


@pytest.mark.parametrize(
    ("setting", "field", "value"),
    [
        ("expected_per_season: 30", "expected_per", ("season", 30)),
        ("expected_count: 9", "expected_count", 9),
        ("expected_years: 63", "expected_years", 63),
        ("due: start", "due_at", "start"),
        ("freshness_applies_to: all", "freshness_applies_to_all", True),
        ("partition: [team, year]", "partition", ("team", "year")),
        ("partition: []", "partition", ()),
        ("priority: EXECUTE", "declared_priority", "EXECUTE"),
        ("required: false", "required", False),
        ("description: 2004", "description", "2004"),
    ],
)
def test_each_setting_arrives(tmp_path, setting, field, value):
    assert getattr(dataset(tmp_path, setting), field) == value


def test_values_are_text_exactly_as_written(tmp_path):
    inventory = load(
        tmp_path, one_type(top="dimensions: {n: {values: [01, 1e3, NO, 12:30, 7, 0022300001]}}\n")
    )
    assert isinstance(inventory.dimensions[0], ValuesDimension)
    assert inventory.dimensions[0].values == ("01", "1e3", "NO", "12:30", "7", "0022300001")


def test_a_waivers_fields_are_text_exactly_as_written(tmp_path):
    waiver = "known_absent: [{source: src, data_type: kind, where: {n: 1e3, m: 007}, reason: r}]\n"
    assert load(tmp_path, one_type(top=waiver)).waivers[0].fields == (("n", "1e3"), ("m", "007"))


@pytest.mark.parametrize(
    "content",
    [
        "2024-12-25\n2025-01-01\n",
        "date,name\n2024-12-25,Christmas\n2025-01-01,New Year\n",
        "\ufeffname,date\r\nChristmas,2024-12-25\r\n\r\nNew Year,2025-01-01\r\n",
    ],
)
def test_holidays_come_from_a_file_beside_the_inventory(tmp_path, content):
    (tmp_path / "holidays.csv").write_text(content, newline="")
    top = "dimensions: {n: {every: day, start: 2024-01-01, except: {file: holidays.csv}}}\n"
    dimension = load(tmp_path, one_type(top=top)).dimensions[0]
    assert isinstance(dimension, TimeDimension)
    assert dimension.leave_out == (date(2024, 12, 25), date(2025, 1, 1))


def test_keys_without_effect_are_accepted_and_listed(tmp_path):
    top = (
        "version: 1.0\nlast_updated: 2025-10-25\nmetadata: {a: [1]}\npriority_rules: {}\n"
        "expected_game_counts: {a: 1}\nquality_requirements: {required_fields: {a: [b]}}\n"
        "reconciliation_config: {dry_run: true}\n"
    )
    inventory = load(tmp_path, one_type("tier: 1\nestimated_records: 5\ndescription: d", top=top))
    assert inventory.without_effect == (
        "description", "estimated_records", "expected_game_counts", "last_updated", "metadata",
        "priority_rules", "quality_requirements.required_fields", "reconciliation_config", "tier", "version",
    )  # fmt: skip
    (notice,) = inventory.notices
    assert notice.where == "inventory.yaml:7:34"
    assert "its `dry_run: true` included" in notice.message


def test_crlf_and_a_byte_order_mark_change_nothing(tmp_path):
    plain_text = load(tmp_path, CONTRACT)
    assert load(tmp_path, b"\xef\xbb\xbf" + CONTRACT.replace("\n", "\r\n").encode()) == plain_text


def test_settings_of_a_source_override_the_inventory(tmp_path):
    override = SourceOverride(
        "src", "recon.yaml:1:1", scraper="other", scraper_args=("--days", "7"), critical_threshold_s=3.0,
        freshness_s=60.0, completeness=0.5,
    )  # fmt: skip
    filled = load(tmp_path, one_type("scraper: mine"), overrides=[override]).datasets[0]
    assert (filled.scraper, filled.scraper_args, filled.critical_threshold_s) == (
        "other",
        ("--days", "7"),
        3.0,
    )
    assert (filled.freshness_s, filled.completeness_threshold) == (60.0, 0.5)


def test_freshness_and_completeness_fill_only_what_the_inventory_leaves_blank(tmp_path):
    override = SourceOverride("src", "recon.yaml:1:1", freshness_s=60.0, completeness=0.5)
    written = "freshness_days: 1\ncompleteness_threshold: 1.0"
    kept = load(tmp_path, one_type(written), overrides=[override]).datasets[0]
    assert (kept.freshness_s, kept.completeness_threshold) == (86400.0, 1.0)
    top = "quality_requirements: {max_file_age_days: 9}\n"
    assert load(tmp_path, one_type(top=top), overrides=[override]).datasets[0].freshness_s == 60.0


def test_settings_of_an_unknown_source_warn(tmp_path):
    (notice,) = load(tmp_path, one_type(), overrides=[SourceOverride("scr", "recon.yaml:5:3")]).notices
    assert notice.where == "recon.yaml:5:3"
    assert (
        "scr_specific has no effect: the inventory has no source 'scr'; did you mean 'src'?" in notice.message
    )


def test_the_schema_file_is_the_generated_one():
    assert json.loads(SCHEMA_FILE.read_text()) == inventory_schema()


def test_the_schema_accepts_the_contract_and_refuses_a_misspelled_key():
    schema = inventory_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    document = plain(parse_document(CONTRACT.encode(), "f").value)
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**document, "dimension": {}}, schema)
