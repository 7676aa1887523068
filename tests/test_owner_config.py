"""What the owner's two files come to. The table is a promise: change it only with the meaning of a rule."""

from __future__ import annotations

import math
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from recon.adapters.inventory_file import inventory_schema, load_inventory
from recon.core.binding import Binding, BoundPattern, bind
from recon.model import Kind
from recon.settings import load_settings, settings_schema
from recon.strict_yaml import plain, read_document

FOLDER = (Path(__file__).resolve().parents[2] / "shared" / "owner-config").resolve()
INVENTORY, SETTINGS = FOLDER / "data_inventory.yaml", FOLDER / "reconciliation_config.yaml"
NOW = np.datetime64("2025-10-25T12:00:00", "s")
EXACT, COUNTED, ANY = Kind.EXACT, Kind.COUNTED, Kind.ANY

pytestmark = pytest.mark.skipif(
    not INVENTORY.exists(),
    reason="the owner's files are not here (expected in ../shared/owner-config beside the repository)",
)

#: source -> (data type, kind, number, partition's name, first key of an exact type, line its notice offers).
#: The number: keys of an exact type, objects wanted per partition of a counted one, partitions of an any one.
TYPES = {
    "basketball_reference": [
        ("player_game_logs_season_career", ANY, 80, "season", "", ""),
        ("play_by_play_data", ANY, 80, "season", "", 'seasons: "2000-2025"'),
        ("shot_chart_data", ANY, 80, "season", "", 'seasons: "2000-2025"'),
        (
            "player_tracking_data",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/tracking/1946/player_tracking.json",
            'seasons: "2013-2025"',
        ),
        ("lineup_data_5_man_combinations", ANY, 80, "season", "", 'seasons: "2007-2025"'),
        ("on_off_court_statistics", ANY, 80, "season", "", 'seasons: "2000-2025"'),
        ("shooting_splits_comprehensive", ANY, 80, "season", "", 'seasons: "1996-2025"'),
        (
            "matchup_data_head_to_head",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/matchups/1946/matchup_data.json",
            'seasons: "2007-2025"',
        ),
        (
            "synergy_play_type_stats",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/synergy/1946/play_types.json",
            'seasons: "2015-2025"',
        ),
        ("awards_and_honors", ANY, 1, "", "", ""),
        (
            "playoff_statistics",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/playoffs/1946/playoff_stats.json",
            'seasons: "1947-2025"',
        ),
        (
            "season_leaders_and_records",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/leaders/1946/leaders.json",
            "",
        ),
        ("streaks_and_game_highs", ANY, 1, "", "", ""),
        ("advanced_box_scores_four_factors", ANY, 80, "season", "", 'seasons: "1996-2025"'),
        ("franchise_history_and_records", ANY, 1, "", "", ""),
        (
            "all_star_game_data",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/all_star/1946/allstar_game.json",
            'seasons: "1951-2025"',
        ),
        (
            "defensive_tracking_data",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/defensive_tracking/1946/defensive_stats.json",
            'seasons: "2013-2025"',
        ),
        (
            "hustle_stats",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/hustle_stats/1946/hustle.json",
            'seasons: "2016-2025"',
        ),
        ("plus_minus_data_detailed", ANY, 80, "season", "", 'seasons: "2000-2025"'),
        ("similar_players_comparables", ANY, 1, "", "", ""),
        ("adjusted_shooting_stats_era_adjusted", ANY, 1, "", "", ""),
        ("advanced_player_comparisons", ANY, 1, "", "", ""),
        ("projection_systems_carmelo_etc", ANY, 1, "", "", ""),
        ("clutch_statistics", ANY, 80, "season", "", 'seasons: "2000-2025"'),
        ("rest_and_fatigue_analysis", ANY, 80, "season", "", ""),
        ("travel_and_timezone_impact", ANY, 80, "season", "", ""),
        (
            "strength_of_schedule",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/strength_of_schedule/1946/sos.json",
            "",
        ),
        ("referee_data", ANY, 80, "season", "", 'seasons: "1988-2025"'),
        (
            "transactions_trades_waivers_signings",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/transactions/1946/transactions.json",
            "",
        ),
        (
            "miscellaneous_records_and_milestones",
            EXACT,
            1,
            "",
            "basketball_reference/nba/records/all_records.json",
            "",
        ),
        (
            "aba_complete_data_1967_1976",
            EXACT,
            10,
            "season",
            "basketball_reference/aba/1967/season_stats.json",
            "",
        ),
        (
            "baa_complete_data_1946_1949",
            EXACT,
            4,
            "season",
            "basketball_reference/baa/1946/season_stats.json",
            "",
        ),
        (
            "early_nba_data_1949_1952_pre_shot_clock",
            EXACT,
            80,
            "season",
            "basketball_reference/nba/early_nba/1946/season_stats.json",
            'seasons: "1949-1952"',
        ),
        (
            "g_league_season_standings_2002_2025",
            EXACT,
            24,
            "season",
            "basketball_reference/gleague/standings/2002/standings.json",
            "",
        ),
        (
            "g_league_player_statistics_2002_2025",
            EXACT,
            24,
            "season",
            "basketball_reference/gleague/season_stats/2002/player_stats.json",
            "",
        ),
        ("g_league_team_rosters_2002_2025", ANY, 24, "season", "", ""),
        ("g_league_game_logs_2002_2025", ANY, 24, "season", "", ""),
        (
            "g_league_daily_scores_2002_2025",
            EXACT,
            24,
            "season",
            "basketball_reference/gleague/daily_scores/2002/games.json",
            "",
        ),
        ("g_league_awards_2002_2025", ANY, 1, "", "", ""),
        (
            "g_league_season_leaders_2002_2025",
            EXACT,
            24,
            "season",
            "basketball_reference/gleague/leaders/2002/season_leaders.json",
            "",
        ),
        (
            "g_league_career_leaders_all_time",
            EXACT,
            1,
            "",
            "basketball_reference/gleague/leaders/career/career_leaders.json",
            "",
        ),
        (
            "g_league_top_performers_current_season",
            EXACT,
            1,
            "",
            "basketball_reference/gleague/leaders/current/top_performers.json",
            "",
        ),
        ("g_league_box_scores_2002_2025", ANY, 24, "season", "", ""),
        ("player_advanced_totals", COUNTED, 63, "", "", "expected_years: 80"),
    ],
    "hoopr": [
        ("play_by_play", EXACT, 21, "year", "hoopr_parquet/play_by_play/nba_data_2004.parquet", ""),
    ],
    "nba_api": [
        ("boxscores_advanced", COUNTED, 33000, "", "", ""),
        ("boxscores_traditional", COUNTED, 33000, "", "", ""),
        ("team_stats", COUNTED, 30, "season", "", ""),
        ("player_stats", COUNTED, 500, "season", "", ""),
    ],
}


def bound() -> Binding:
    settings = load_settings(SETTINGS, {}, cwd=FOLDER)
    return bind(load_inventory(INVENTORY, settings.source_overrides), {}, NOW)


@pytest.fixture(scope="module")
def binding() -> Binding:
    return bound()


def first_key(pattern: BoundPattern) -> str:
    """Return the pattern's first key, rendered from its axes by hand."""
    pieces = []
    for part in pattern.template.parts:
        axis = None if isinstance(part, str) else pattern.axis_of(part.name)
        pieces.append(part if isinstance(part, str) else axis.texts(part.name, part.spec)[0])
    return "".join(pieces)


ROWS = [(source, *row) for source, rows in TYPES.items() for row in rows]


def test_the_table_names_every_data_type_in_file_order(binding):
    assert [found.dataset.name for found in binding.types] == [f"{row[0]}.{row[1]}" for row in ROWS]
    assert len(ROWS) == 49


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}.{row[1]}")
def test_each_data_type_comes_to_what_the_table_says(binding, row):
    source, data_type, kind, number, partition, key, mend = row
    (found,) = [one for one in binding.types if one.dataset.name == f"{source}.{data_type}"]
    (expectation,) = found.expectations
    enumerated = [math.prod(axis.size for axis in pattern.axes) for pattern in expectation.patterns]
    assert (expectation.kind, expectation.partition) == (kind, (partition,) if partition else ())
    assert (expectation.expected if kind is COUNTED else sum(enumerated)) == number
    assert (first_key(expectation.patterns[0]) if kind is EXACT else "") == key
    said = [note.message for note in binding.notices if note.message.startswith(f"{source}.{data_type}: ")]
    assert len(said) == (1 if mend else 0)
    assert all(f"'{mend}'" in message for message in said)


def test_exact_types_come_to_as_many_keys_as_the_table_adds_up_to():
    nba, gleague, aba, baa, without_seasons, hoopr = 11 * 80, 4 * 24, 10, 4, 3, 21
    total = nba + gleague + aba + baa + without_seasons + hoopr
    assert sum(row[3] for row in ROWS if row[2] is EXACT) == total


def test_team_stats_are_pooled_over_both_their_patterns(binding):
    (found,) = [one for one in binding.types if one.dataset.name == "nba_api.team_stats"]
    (expectation,) = found.expectations
    assert [pattern.wildcards for pattern in expectation.patterns] == [("stat_type",), ("team_id",)]
    assert [axis.size for pattern in expectation.patterns for axis in pattern.axes] == [25, 25]


def test_lists_that_end_before_the_current_season_warn_with_the_range_to_use(binding):
    said = [note.message for note in binding.notices if note.message.startswith("the seasons of ")]
    assert [message.rsplit(" ", 1)[1] for message in said] == [
        '"1946..current"',
        '"2002..current"',
        '"2004..current"',
        '"2000-01..current"',
    ]


def test_no_other_notice_is_given(binding):
    assert len(binding.notices) == 4 + sum(1 for row in ROWS if row[6])


def test_the_inventory_says_what_has_no_effect():
    inventory = load_inventory(INVENTORY, name="data_inventory.yaml")
    assert inventory.without_effect == (
        "description",
        "estimated_records",
        "expected_game_counts",
        "last_updated",
        "metadata",
        "priority_rules",
        "quality_requirements.required_fields",
        "reconciliation_config",
        "tier",
        "version",
    )
    (notice,) = inventory.notices
    assert notice.where == "data_inventory.yaml:698:12"
    assert "`dry_run: true`" in notice.message


def test_every_data_type_has_the_files_size_limit_and_its_own_freshness():
    inventory = load_inventory(INVENTORY)
    assert {found.min_size_bytes for found in inventory.datasets} == {100}
    assert all(found.freshness_s for found in inventory.datasets)
    assert {found.declared_priority for found in inventory.datasets} == {
        "IMMEDIATE", "HIGH", "MEDIUM", "LOW", "EXECUTE", None,
    }  # fmt: skip


def test_the_settings_come_to_what_the_owner_wrote():
    settings = load_settings(SETTINGS, {}, cwd=FOLDER)
    assert (settings.lake, settings.broker, settings.interval_s) == (
        "s3://nba-sim-raw-data-lake",
        None,
        3600.0,
    )
    assert (settings.s3.sample_rate, settings.s3.cache_ttl_hours, len(settings.s3.prefixes)) == (
        0.1,
        24.0,
        12,
    )
    assert settings.gap_detection.high_priority_seasons == ("2024-25",)
    assert settings.task_queue.max_tasks_per_priority.medium == 400
    assert settings.output_file == FOLDER / "inventory/gaps.json"
    assert settings.log_dir == FOLDER / "logs/reconciliation"
    assert (settings.dry_run.enabled, settings.loop.max_retries, settings.loop.health_check_port) == (
        False,
        3,
        8050,
    )


def test_the_settings_say_what_has_no_effect():
    settings = load_settings(SETTINGS, {}, cwd=FOLDER)
    assert settings.without_effect == (
        "version",
        "last_updated",
        "metadata",
        "reconciliation_loop.daemon_mode",
        "integration.existing_tools",
    )


def test_the_settings_say_that_nobody_is_told_of_failures():
    said = [notice.message.split(":")[0] for notice in load_settings(SETTINGS, {}, cwd=FOLDER).notices]
    assert said == [
        "a failed cycle is told to nobody",  # notifications are off, and no channel has an address
    ]


def test_a_sources_own_section_reaches_its_data_types():
    settings = load_settings(SETTINGS, {}, cwd=FOLDER)
    inventory = load_inventory(INVENTORY, settings.source_overrides)
    hoopr, api = inventory.datasets[44], inventory.datasets[45]
    assert (hoopr.name, hoopr.scraper, hoopr.scraper_args) == (
        "hoopr.play_by_play",
        "hoopr_incremental_simple",
        ("--days", "7"),
    )
    assert (hoopr.critical_threshold_s, hoopr.freshness_s, hoopr.completeness_threshold) == (
        3 * 86400.0,
        30 * 86400.0,
        0.95,
    )
    assert (api.name, api.scraper, api.critical_threshold_s) == (
        "nba_api.boxscores_advanced",
        "nba_api",
        None,
    )


def test_sections_that_speak_of_what_is_not_declared_warn():
    settings = load_settings(SETTINGS, {}, cwd=FOLDER)
    said = [notice.message for notice in load_inventory(INVENTORY, settings.source_overrides).notices[1:]]
    assert [re.split("[;,]", message)[0] for message in said] == [
        "espn_specific has no effect: the inventory has no source 'espn'",
        "hoopr_specific requires schedules",
        "basketball_reference_specific requires play_by_play",
    ]


@pytest.mark.parametrize(
    ("file", "schema"),
    [(INVENTORY, inventory_schema()), (SETTINGS, settings_schema())],
    ids=["inventory", "settings"],
)
def test_the_schemas_accept_the_owners_files(file, schema):
    jsonschema.validate(plain(read_document(file).value), schema)
