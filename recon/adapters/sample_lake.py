"""A sample lake of about 20,000 small files, with planted faults, so that a first run shows a true result.

Outside names: the lake's folder, and ``<folder>.manifest.json`` beside it, which lists every planted fault.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import product
from pathlib import Path
from typing import Self

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
_SIZE_BYTES = 180
_SMALL_BYTES = 20
#: One file in so many is left out, by kind (the first two folders); kinds not named here are whole.
_ONE_IN = {
    "nba_api/boxscores": 90,
    "nba_api/scoreboards": 120,
    "nba_api/team_stats": 60,
    "hoopr/play_by_play": 10,
    "basketball_reference/rosters": 40,
    "basketball_reference/daily": 40,
}
#: Objects that nothing declares, beside those that are declared.
_STRAYS = ("nba_api/boxscores/upload-{}.part", "basketball_reference/rosters/index-{}.html.swp")
_FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
_FIRST_HOUR = datetime(2026, 1, 1, tzinfo=UTC)
#: The day that the inventory waives.
_CHRISTMAS_EVE = datetime(2024, 12, 24, tzinfo=UTC)
_SUNDAY, _SATURDAY = 6, 5


@dataclass(frozen=True, slots=True)
class _File:
    """One object of the lake: its key, and whether it is due, of the live season, or lost on purpose."""

    key: str
    is_due: bool = True
    is_live: bool = False
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class _Game:
    game_id: str
    season: str
    day: datetime


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
    """Write the lake; return what was planted, by kind: keys, and partitions that are short or empty."""
    last = season_of(np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "s"))
    years = range(last - _SEASONS_KEPT + 1, last + 1)
    games = list(_games(years))
    rows = "".join(f"{game.game_id},{game.season},{game.day:%Y-%m-%d}\n" for game in games)
    planted: dict[str, list[str]] = {"missing": [], "small": [], "stale": [], "unexpected": []}
    with _Folders(aside, now) as folders:
        folders.write("_catalogs/games.csv", ("game_id,season,game_date\n" + rows).encode())
        for file in (*_boxscores(games, now), *_by_season(years), *_daily(now), *_hourly(now)):
            fault = _fault(file)
            if fault is not None:
                planted[fault].append(file.key)
            if fault != "missing":
                size = _SMALL_BYTES if fault == "small" else _SIZE_BYTES
                folders.write(file.key, _content(file.key, size), 45.0 if fault == "stale" else 2.0)
        for pattern, number in product(_STRAYS, range(4)):
            stray = pattern.format(number)
            planted["unexpected"].append(stray)
            folders.write(stray, _content(stray, _SIZE_BYTES))
        held = _PLAYERS_PER_SEASON - _PLAYERS_SHORT
        short = f"nba_api.player_stats season={season_name(last - 1)} {held}/{_PLAYERS_PER_SEASON}"
        return {**planted, "short": [short], "empty": list(_transactions(folders, now))}


def _games(years: range) -> Iterator[_Game]:
    for year in years:
        season = season_name(year)
        opening = datetime(year, 10, 22, tzinfo=UTC)
        for game in range(_GAMES_PER_SEASON):
            day = opening + timedelta(days=game * 174 // _GAMES_PER_SEASON)
            yield _Game(f"002{year % 100:02d}{game + 1:05d}", season, day)


def _boxscores(games: list[_Game], now: datetime) -> Iterator[_File]:
    """Yield the games that are due, six hours into their day, and those of the next hours."""
    for game in games:
        due_at = game.day + timedelta(hours=6)
        # What comes due while a first run goes on is there already: the manifest stays right.
        if due_at <= now + timedelta(hours=6):
            yield _File(f"nba_api/boxscores/{game.season}/{game.game_id}.json", is_due=due_at <= now)


def _by_season(years: range) -> Iterator[_File]:
    seasons = [season_name(year) for year in years]
    for season, team, stat in product(seasons, _TEAMS, _STATS):
        live = season == seasons[-1]
        yield _File(f"nba_api/team_stats/{season}/{team}/{stat}.json", is_live=live)
    for season in seasons:
        short = _PLAYERS_SHORT if season == seasons[-2] else 0
        for player in range(_PLAYERS_PER_SEASON - short):
            yield _File(f"nba_api/player_stats/{season}/{201_000 + player * 7}.json")
    for season, team in product(seasons, _TEAMS):
        yield _File(f"basketball_reference/rosters/{season}/{team}.html")
    for season in seasons:
        yield _File(f"hoopr/play_by_play/nba_data_{season}.parquet")


def _daily(now: datetime) -> Iterator[_File]:
    """Yield a file for each day that has begun; the day that the inventory waives has none."""
    for day in _steps(_FIRST_DAY, now, timedelta(days=1)):
        if day != _CHRISTMAS_EVE:
            due = day + timedelta(days=1, hours=3) <= now
            # Every other day of the last week is lost, so that each first run has something critical to show.
            lost = now - day < timedelta(days=6) and day.toordinal() % 2 == 0
            yield _File(f"basketball_reference/daily/{day:%Y/%m/%Y-%m-%d}.json", is_due=due, is_lost=lost)


def _hourly(now: datetime) -> Iterator[_File]:
    """Yield a file for each hour of a weekend that has begun; of the last one, some are lost."""
    for hour in _steps(_FIRST_HOUR, now, timedelta(hours=1)):
        if hour.weekday() in (_SATURDAY, _SUNDAY):
            due = hour + timedelta(hours=2) <= now
            lost = now - hour < timedelta(days=6) and hour.hour % 10 == 3
            yield _File(f"nba_api/scoreboards/{hour:%Y-%m-%d/%H}.json", is_due=due, is_lost=lost)


def _transactions(folders: _Folders, now: datetime) -> Iterator[str]:
    """Write a file for each day but Sundays; yield the partitions that stay empty though they are due."""
    for day in _steps(_FIRST_DAY, now, timedelta(days=1)):
        if day.weekday() != _SUNDAY:
            key = f"basketball_reference/transactions/{day:%Y-%m-%d}/league.html"
            folders.write(key, _content(key, _SIZE_BYTES))
        elif day + timedelta(days=1) <= now:
            yield f"basketball_reference.transactions day={day:%Y-%m-%d} 0/1"


def _steps(first: datetime, now: datetime, step: timedelta) -> Iterator[datetime]:
    """Yield the steps that have begun by ``now``, the one that runs included."""
    at = first
    while at <= now:
        yield at
        at += step


def _fault(file: _File) -> str | None:
    """Return the fault planted at a key: a fixed lot, the same in every sample lake."""
    rare = _ONE_IN.get("/".join(file.key.split("/", 2)[:2]))
    if rare is None:
        return None
    lot = int.from_bytes(blake2b(file.key.encode(), digest_size=4).digest(), "big")
    if (lot % rare == 0 or file.is_lost) and file.is_due:
        return "missing"
    if lot % (rare * 4) == 1:
        return "small"
    if file.is_live and lot % 25 == 2:
        return "stale"
    return None


def _content(key: str, size_bytes: int) -> bytes:
    text = b'{"key": "%b"}' % key.encode()
    return text[:size_bytes].ljust(size_bytes, b" ")


class _Folders:
    """Writes files below ``root``, each by its bare name into the one folder that is open.

    That saves the walk along the path for every file: keys that follow each other share a folder.
    """

    def __init__(self, root: Path, now: datetime) -> None:
        self._root = root
        self._now_s = now.timestamp()
        self._open: tuple[str, int] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def write(self, key: str, content: bytes, age_days: float = 2.0) -> None:
        """Write one file, last modified ``age_days`` ago."""
        folder, _, name = key.rpartition("/")
        at = self._now_s - age_days * 86400
        file = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644, dir_fd=self._folder(folder))
        try:
            if os.write(file, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), key)
            os.utime(file, (at, at))
        finally:
            os.close(file)

    def _folder(self, name: str) -> int:
        if self._open is None or self._open[0] != name:
            self._close()
            path = self._root / name
            path.mkdir(parents=True, exist_ok=True)
            self._open = name, os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        return self._open[1]

    def _close(self) -> None:
        if self._open is not None:
            with suppress(OSError):
                os.close(self._open[1])
            self._open = None
