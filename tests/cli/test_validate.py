"""What ``recon validate`` prints and how it ends."""

import json

import pytest
from engine_place import EnginePlace, new_place

INVENTORY = """
dimensions: {season: {seasons: "2023-24..current"}}
catalogs: {games: {file: games.csv}}
expected_coverage:
  nba:
    data_types:
      box: {for_each: games, path_patterns: ["box/{id}.json"]}
      stats: {path_patterns: ["stats/{season}/{n}.json"], expected_per_season: 3}
known_absent:
  - {key: "stats/nowhere.json", reason: "typo"}
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "lake").mkdir()
    (tmp_path / "config/inventory.yaml").write_text(INVENTORY)
    (tmp_path / "config/recon.yaml").write_text(
        f"lake: file://{tmp_path}/lake\ngap_detection: {{high_priority_seasons: [2020-21]}}\n"
    )
    return EnginePlace(tmp_path)


def test_every_type_is_printed_even_one_whose_catalog_cannot_be_read_and_that_is_exit_4(place):
    done = place.recon("validate")
    assert done.returncode == 4
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("nba.")}
    assert list(lines) == ["nba.stats", "nba.box"]
    assert "stats/2023-24/{n}.json" in lines["nba.stats"]
    assert "skipped  catalog 'games' could not be read" in lines["nba.box"]
    assert done.stderr.count("games.csv") == 1
    assert done.stderr.count("inventory.yaml:3:12") == 1


def test_warnings_name_idle_waivers_and_stale_pins(place):
    (place.folder / "config/games.csv").write_text("id\na\n")
    done = place.recon("validate", "--json")
    assert done.returncode == 0
    checked = json.loads(done.stdout)
    assert [item["name"] for item in checked["types"]] == ["nba.box", "nba.stats"]
    said = "\n".join(checked["warnings"])
    assert "this waiver matches nothing: no data type expects the key 'stats/nowhere.json'" in said
    assert "high_priority_seasons ends at 2020-21, before the current season" in said


def test_it_makes_nothing_on_disk_and_says_that_the_sample_lake_is_still_to_come(tmp_path):
    place = new_place(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    done = place.recon("validate")
    assert done.returncode == 0
    assert sorted(tmp_path.rglob("*")) == before
    assert "recon run makes it" in done.stderr
    assert "nba_api.team_stats" in done.stdout


SCRAPER = """
scrapers:
  nba:
    command: [python, x.py, --season, "{seasn}", --types, "{map.endpoint...}", "{keys_file}"]
    map: {endpoint: {boxes: [a]}}
  nba_old: {command: [x]}
"""


def test_a_command_that_does_not_fit_a_data_type_is_an_error_at_its_place(place):
    config = place.folder / "config/recon.yaml"
    (place.folder / "config/games.csv").write_text("id\n1\n")
    config.write_text(config.read_text() + SCRAPER)
    done = place.recon("validate")
    assert done.returncode == 2
    lines = [line.partition("recon.yaml:")[2] for line in done.stderr.splitlines() if "recon.yaml:" in line]
    assert lines == [
        "6:39: nba.box: unknown placeholder {seasn}: its tasks have only id",
        "6:39: nba.stats: unknown placeholder {seasn}; did you mean 'season'?",
        "6:59: nba.box: map.endpoint does not name the data type 'box'",
        "6:59: nba.stats: map.endpoint does not name the data type 'stats'",
        "6:80: nba.stats: {keys_file} has no value: its tasks name no keys, since it is counted",
    ]


def test_a_scraper_that_serves_nothing_is_a_warning(place):
    config = place.folder / "config/recon.yaml"
    (place.folder / "config/games.csv").write_text("id\n1\n")
    config.write_text(config.read_text() + "scrapers: {nbaa: {command: [x]}}\n")
    done = place.recon("validate")
    assert done.returncode == 0
    assert "scraper 'nbaa' serves no data type; did you mean 'nba'?" in done.stderr
