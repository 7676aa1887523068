"""A sample lake of about 20,000 small files, with planted faults, so that a first run shows a true result.

Outside names: the lake's folder, and ``<folder>.manifest.json`` beside it, which lists every planted fault.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import product
from pathlib import Path

import numpy as np

from recon.core.season_years import season_name, season_of

#: The folder's name that asks for the sample; any other missing folder is an error of the configuration.
NAME = "sample-lake"

_TEAMS = (
    *("ATL", "BOS", "BKN", "CHA", "CHI", "CLE", "DAL", "DEN", "DET", "GSW"),
    *("HOU", "IND", "LAC", "LAL", "MEM", "MIA", "MIL", "MIN", "NOP", "NYK"),
    *("OKC", "ORL", "PHI", "PHX", "POR", "SAC", "SAS", "TOR", "UTA", "WAS"),
)
_STATS = ("base", "advanced", "misc", "scoring", "usage")
_SEASONS_KEPT = 10
_GAMES_PER_SEASON = 1230
_PLAYERS_PER_SEASON = 300
#: Players that last season's counted partition is short of.
_PLAYERS_SHORT = 12
#: One file in so many is left out, by kind.
_ONE_IN = {"boxscores": 90, "team_stats": 60, "hoopr": 10, "odds": 40}
_FIRST_DAY = datetime(2024, 1, 1)  # noqa: DTZ001 - a calendar day


@dataclass(frozen=True, slots=True)
class _File:
    """One file to write: its key, its size, and how many days old it is."""

    key: str
    size_bytes: int = 180
    age_days: float = 2.0
    is_live: bool = False
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class _Game:
    game_id: str
    season: str
    day: str


def ensure_sample_lake(root: Path, now: datetime) -> bool:
    """Make the sample lake where ``root`` is named ``sample-lake`` and missing; return whether it was made.

    It is made aside and renamed, so a lake that is there is whole.
    """
    if root.name != NAME or root.exists():
        return False
    root.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{NAME}-", dir=root.parent))
    try:
        manifest = _written(aside, now)
        beside = root.with_name(f"{root.name}.manifest.json")
        beside.write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        aside.rename(root)
    except BaseException as error:
        shutil.rmtree(aside, ignore_errors=True)
        if isinstance(error, OSError) and root.exists():  # another run was faster
            return False
        raise
    return True


def _written(aside: Path, now: datetime) -> dict[str, list[str]]:
    last = season_of(np.datetime64(now.replace(tzinfo=None), "s"))
    years = range(last - _SEASONS_KEPT + 1, last + 1)
    games = list(_games(years))
    rows = "".join(f"{game.game_id},{game.season},{game.day}\n" for game in games)
    _write(aside, _File("_catalogs/games.csv"), ("game_id,season,game_date\n" + rows).encode(), now)
    faults: dict[str, list[str]] = {"missing": [], "small": [], "stale": [], "unexpected": []}
    for file in (*_boxscores(games, now), *_others(years), *_days(now)):
        planted = _fault(file)
        if planted is not None:
            faults[planted].append(file.key)
        if planted == "missing":
            continue
        size = 20 if planted == "small" else file.size_bytes
        _write(aside, file, _content(file.key, size), now)
    held = _PLAYERS_PER_SEASON - _PLAYERS_SHORT
    faults["short"] = [f"nba_api.player_stats season={season_name(last - 1)} {held}/{_PLAYERS_PER_SEASON}"]
    for number in range(7):
        stray = _File(f"tmp/upload-{number}.part")
        faults["unexpected"].append(stray.key)
        _write(aside, stray, _content(stray.key, stray.size_bytes), now)
    return faults


def _games(years: range) -> Iterator[_Game]:
    for year in years:
        season = season_name(year)
        opening = datetime(year, 10, 22)  # noqa: DTZ001 - a calendar day
        for game in range(_GAMES_PER_SEASON):
            day = opening + timedelta(days=game * 174 // _GAMES_PER_SEASON)
            yield _Game(f"002{year % 100:02d}{game + 1:05d}", season, f"{day:%Y-%m-%d}")


def _boxscores(games: list[_Game], now: datetime) -> Iterator[_File]:
    """Yield the games that are due: six hours into their day."""
    played = f"{now - timedelta(hours=6):%Y-%m-%d}"
    return (
        _File(f"nba_api/boxscores/{game.season}/{game.game_id}.json") for game in games if game.day <= played
    )


def _others(years: range) -> Iterator[_File]:
    seasons = [season_name(year) for year in years]
    for season, team, stat in product(seasons, _TEAMS, _STATS):
        live = season == seasons[-1]
        yield _File(f"nba_api/team_stats/{season}/{team}/{stat}.json", is_live=live)
    for season in seasons:
        short = _PLAYERS_SHORT if season == seasons[-2] else 0
        for player in range(_PLAYERS_PER_SEASON - short):
            yield _File(f"nba_api/player_stats/{season}/{201_000 + player * 7}.json")
        yield _File(f"hoopr/play_by_play/nba_data_{season}.parquet")


def _days(now: datetime) -> Iterator[_File]:
    day = _FIRST_DAY
    while day < now.replace(tzinfo=None) - timedelta(days=1, hours=3):
        if f"{day:%Y-%m-%d}" != "2024-12-25":
            # Every other day of the last week is lost, so that each first run has something critical to show.
            lost = now.replace(tzinfo=None) - day < timedelta(days=6) and day.toordinal() % 2 == 0
            yield _File(f"odds/{day:%Y/%m/%Y-%m-%d}.json", is_lost=lost)
        if day.weekday() != 6:
            yield _File(f"odds_articles/{day:%Y-%m-%d}/preview.html")
        day += timedelta(days=1)


def _fault(file: _File) -> str | None:
    """Return the fault planted at a key: a fixed lot, the same in every sample lake."""
    lot = int.from_bytes(blake2b(file.key.encode(), digest_size=4).digest(), "big")
    kind = file.key.split("/")[1] if file.key.startswith("nba_api/") else file.key.split("/")[0]
    rare = _ONE_IN.get(kind)
    if rare is None:
        return None
    if lot % rare == 0 or file.is_lost:
        return "missing"
    if lot % (rare * 4) == 1:
        return "small"
    if kind == "team_stats" and file.is_live and lot % 25 == 2:
        return "stale"
    return None


def _content(key: str, size_bytes: int) -> bytes:
    text = json.dumps({"key": key}).encode()
    return text[:size_bytes].ljust(size_bytes, b" ")


def _write(aside: Path, file: _File, content: bytes, now: datetime) -> None:
    path = aside / file.key
    try:
        path.write_bytes(content)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    age_days = 45.0 if _fault(file) == "stale" else file.age_days
    at = now.timestamp() - age_days * 86400
    os.utime(path, (at, at))
