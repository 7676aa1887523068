"""Inventories as text: the public contract's example, and small ones around one setting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from recon.adapters.inventory_file import load_inventory
from recon.core.inventory import Dataset, Inventory
from recon.errors import ConfigError

#: Every key of the public contract, as its page shows them.
CONTRACT = """
dimensions:
  season: {seasons: "1996-97..current", starts: "10-01"}
  team:   {values: [ATL, BOS, BKN]}
  year:   {integers: "2004..2024"}
  fhour:  {integers: "0..120, 123..384 step 3", width: 3}
  day:    {every: day,  start: 2024-01-01, end: now, only: {weekdays: [mon, tue]}, except: [2024-12-25]}
  hour:   {every: hour, start: 2015-01-01T00:00Z, end: now, timezone: UTC}
catalogs:
  games:    {file: catalogs/games.csv, due: game_date, partition: season}
  stations: {file: stations.csv, from: opened, until: closed}
ignore_patterns: ["**/_temporary/**", "**/*.crc"]
expected_coverage:
  nba_api:
    scraper: nba_api_scraper
    batch_size: 20
    seasons: [2023-24, 2024-25]
    data_types:
      boxscores:
        for_each: games
        path_patterns: ["nba_api/boxscores/{season}/{game_id}.json"]
        required: true
        freshness_days: 7
        due_after: 6h
        min_size_bytes: 100
      tracking:
        seasons: "2013-2025"
        except: {season: [2020]}
        path_patterns: ["nba_api/tracking/{season}/tracking.json"]
      events:
        path_patterns: ["events/{hour:%Y}/{hour:%m}/{hour:%Y-%m-%d-%-H}.json.gz"]
      sensors:
        path_patterns:
          - {pattern: "s/dt={day}/_SUCCESS", min_size_bytes: 0}
          - {pattern: "s/dt={day}/part-{n}.parquet", expected_per_day: 8}
known_absent:
  - {key: "events/2016/10/2016-10-21-18.json.gz", reason: "never archived", until: 2027-01-01, by: data-team}
  - {source: nba_api, data_type: boxscores, where: {season: 2004-05}, reason: "lockout games"}
"""


def load(folder: Path, text: str | bytes, **settings: Any) -> Inventory:
    """Write the inventory into ``folder`` and load it."""
    file = folder / "inventory.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_inventory(file, name="inventory.yaml", **settings)


def one_type(settings: str = "", patterns: str = '["x/{n}.json"]', *, top: str = "") -> str:
    """Return an inventory of the one data type src.kind: its own settings from line 6, ``top`` above all."""
    lines = "".join(f"        {line}\n" for line in settings.splitlines())
    return (
        f"{top}expected_coverage:\n  src:\n    data_types:\n      kind:\n"
        f"        path_patterns: {patterns}\n{lines}"
    )


def dataset(folder: Path, settings: str = "", **text: str) -> Dataset:
    """Return the one data type as loaded."""
    return load(folder, one_type(settings, **text)).datasets[0]


def problems(folder: Path, text: str | bytes) -> list[str]:
    """Return every problem that loading the inventory raises."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    return caught.value.problems
