"""``inventory/gaps.json`` keeps the shape the owner's orchestrator reads."""

from __future__ import annotations

from wanted_groups import LAKE, NOW, group

from recon.core.gaps_document import gaps_document
from recon.core.task_body import new_tasks
from recon.model import Priority, Reason


def bodies(wanted, keys, items, level=Priority.HIGH):
    """Return the bodies of the tasks for ``keys``."""
    return [task.body for task in new_tasks(LAKE, wanted, keys, items, [level] * max(1, len(keys)))]


BOX = bodies(
    group(["a", "b"]), ["a", "b"], [{"game_id": "0022400001"}, {"game_id": "0022400002"}], Priority.CRITICAL
)
PARTS = bodies(
    group(counted=(2, 8), data_type="parts", partition={"day": "2025-01-01"}, source="espn"), [], []
)
STALE = bodies(group(["c"], reason=Reason.STALE), ["c"], [{"team": "ATL"}], Priority.LOW)


def test_the_numbers_at_the_top_count_tasks_and_minutes():
    document = gaps_document([*BOX, *PARTS, *STALE], NOW)
    assert {name: value for name, value in document.items() if name != "tasks"} == {
        "generated_at": "2025-01-10T00:00:00Z",
        "total_tasks": 3,
        "by_priority": {"critical": 1, "high": 1, "medium": 0, "low": 1},
        "by_source": {"nba": 2, "espn": 1},
        "by_scraper": {"nba_scraper": 2, "espn_scraper": 1},
        "estimated_total_minutes": 9,
    }


def test_a_task_names_its_games_its_season_and_its_keys():
    (task,) = gaps_document(BOX, NOW)["tasks"]
    assert len(task.pop("id")) == 32
    assert task == {
        "priority": "CRITICAL",
        "gap_type": "missing",
        "source": "nba",
        "data_type": "box",
        "season": "2024-25",
        "scraper": "nba_scraper",
        "game_ids": ["0022400001", "0022400002"],
        "items": [{"game_id": "0022400001"}, {"game_id": "0022400002"}],
        "keys": ["a", "b"],
        "missing_files": 2,
        "estimated_time_minutes": 2,
        "reason": "2 missing in nba box (season 2024-25)",
        "status": "pending",
    }


def test_a_counted_task_tells_how_many_files_are_missing():
    (task,) = gaps_document(PARTS, NOW)["tasks"]
    assert (task["missing_files"], task["keys"], task["season"]) == (6, [], None)
    assert task["reason"] == "espn parts (day 2025-01-01) has 2 of 8"


def test_a_task_without_games_has_items_only():
    (task,) = gaps_document(STALE, NOW)["tasks"]
    assert "game_ids" not in task
    assert task["reason"] == "1 stale in nba box (season 2024-25)"


def test_even_the_shortest_task_takes_a_minute():
    (task,) = gaps_document(STALE, NOW, minutes_per_file=0.1)["tasks"]
    assert task["estimated_time_minutes"] == 1
