"""A cycle that does not look at everything again says so, and calls nothing missing that it did not see."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from cycle_place import GONE, LAKE, OBJECTS, Place, lake_place
from declared import dataset, inventory

from recon.errors import TooManyRequestsError
from recon.findings import last_findings

DAILY = inventory(
    dataset("daily/{day}.json", name="nba.daily"),
    dataset("feed/{day}/{part}.json", name="nba.feed", expected_per=("day", 2)),
    dimensions={"day": {"every": "day", "start": "2025-11-01", "end": "now"}},
)
WEEKLY = {"full_scan_every_s": 7 * 86400.0}


@pytest.fixture
def place(valkey, monkeypatch):
    with lake_place(valkey, monkeypatch) as made:
        yield made


def later(place: Place, **by: float) -> datetime:
    """Let time go on for the cycles of ``place``; return the instant that it is there."""
    ahead = timedelta(**by)
    place.ports = replace(place.ports, clock=lambda: datetime.now(UTC) + ahead)
    return datetime.now(UTC) + ahead


def put(place: Place, *keys: str) -> None:
    for key in keys:
        place.server.objects.put(key.encode(), b"x" * 9)


def hints(place: Place, boundaries: list[bytes], apart: int = 1000) -> None:
    """Write what earlier cycles are to have learned of the lake."""
    keys = [key.hex() for key in boundaries]
    document = {"lake": LAKE, "ordered": True, "apart": apart, "boundaries": keys}
    place.ports.state.put("hints.json", json.dumps(document).encode())


def days_until(end: date) -> list[str]:
    return [
        str(date(2025, 11, 1) + timedelta(days=number)) for number in range((end - date(2025, 11, 1)).days)
    ]


def test_the_cache_gives_the_last_answer_without_a_request(place):
    first = place.cycle()
    place.server.requests.clear()
    again = place.cycle(use_cache=True)
    assert not place.server.requests
    assert (again["verdicts"], again["coverage"]) == (first["verdicts"], first["coverage"])
    assert again["observed"]["source"] == "cache"
    assert again["observed"]["as_of"] == first["observed"]["as_of"]
    assert again["observed"]["requests"] == 0
    assert again["observed"]["objects"] == first["observed"]["objects"]
    assert [line for line in again["warnings"] if line not in first["warnings"]] == [
        line for line in again["warnings"] if "nothing was looked at" in line
    ]
    assert again["tasks"]["published"] == again["tasks"]["withdrawn"] == 0
    assert place.queued() == GONE


def test_a_cache_that_is_too_old_or_not_there_is_not_used_and_that_is_told(place):
    first = place.cycle(use_cache=True)
    assert first["observed"]["source"] == "listing"
    assert any("no complete observation is kept" in line for line in first["warnings"])
    later(place, hours=30)
    again = place.cycle(use_cache=True)
    assert again["observed"]["source"] == "listing"
    assert any("cache_ttl_hours" in line for line in again["warnings"])


def test_what_came_due_since_the_cached_look_is_unknown(place):
    place.declared = DAILY
    for day in days_until(datetime.now(UTC).date()):
        put(place, f"daily/{day}.json", f"feed/{day}/a.json", f"feed/{day}/b.json")
    first = place.cycle()
    assert first["verdicts"]["unknown"] == 0
    later(place, hours=24)
    again = place.cycle(use_cache=True, cache_ttl_s=48 * 3600.0)
    assert again["verdicts"]["unknown"] == 1
    assert again["verdicts"]["ok"] == first["verdicts"]["ok"]
    assert again["verdicts"]["missing"] == 0
    unknown = [row["partition"] for row in again["coverage"] if row["data_type"] == "feed" and row["unknown"]]
    assert len(unknown) == 1


def test_keys_of_a_type_that_was_declared_since_are_unknown_not_missing(place):
    place.cycle()
    place.declared = inventory(
        *place.declared.datasets,
        dataset("new/{n}.json", name="new.type"),
        dimensions={"season": {"seasons": "2019-20..2025-26"}, "n": {"integers": "0..29", "width": 3}},
    )
    again = place.cycle(use_cache=True)
    assert again["verdicts"]["unknown"] == 30
    assert again["verdicts"]["missing"] == len(GONE)


def test_between_full_listings_only_the_live_window_and_the_gaps_are_looked_at(place):
    place.declared = DAILY
    days = days_until(datetime.now(UTC).date())
    for day in days:
        put(place, f"daily/{day}.json", f"feed/{day}/a.json", f"feed/{day}/b.json")
    gone = f"daily/{days[0]}.json"
    place.server.objects.delete(gone.encode())
    place.cycle(**WEEKLY)
    assert place.queued() == {gone}
    put(place, gone)
    recent, old = f"daily/{days[-1]}.json", f"daily/{days[1]}.json"
    for key in (recent, old):
        place.server.objects.delete(key.encode())
    place.server.requests.clear()
    again = place.cycle(**WEEKLY)
    assert place.queued() == {recent}, "what lies outside the live window waits for the full listing"
    assert again["observed"]["source"] == "cache"
    assert sum(place.server.requests.values()) <= 2 * 3 + 4
    assert any("s3.full_scan_every" in line for line in again["warnings"])
    later(place, days=8)
    full = place.cycle(**WEEKLY)
    assert full["observed"]["source"] == "listing"
    assert {recent, old} <= place.queued()


def test_what_is_declared_since_the_full_listing_is_looked_at_live(place):
    place.cycle(**WEEKLY)
    put(place, "new/001.json")
    place.declared = inventory(
        *place.declared.datasets,
        dataset("new/{n}.json", name="new.type"),
        dimensions={"season": {"seasons": "2019-20..2025-26"}, "n": {"integers": "0..29", "width": 3}},
    )
    again = place.cycle(**WEEKLY)
    assert again["verdicts"]["unknown"] == 0
    assert again["verdicts"]["missing"] == len(GONE) + 29


def test_a_listing_that_costs_more_than_it_may_is_not_made_in_part(place):
    place.cycle()
    hints(place, [b"box/"] * 50)
    place.server.requests.clear()
    again = place.cycle(requests_max=40)
    assert again["observed"]["source"] == "cache"
    assert sum(place.server.requests.values()) <= 40
    assert any("over s3.max_requests_per_cycle (40)" in line for line in again["warnings"])
    assert place.queued() == GONE


def test_a_first_listing_that_costs_more_than_it_may_is_an_error(place):
    hints(place, [b"box/"] * 50)
    with pytest.raises(TooManyRequestsError, match="max_requests_per_cycle"):
        place.cycle(requests_max=40)
    assert place.queued() == set()


def test_another_part_of_the_lake_is_not_judged_by_what_is_kept(place):
    place.cycle(scope=("box/",))
    again = place.cycle(use_cache=True)
    assert again["observed"]["source"] == "listing"


def test_a_dry_look_is_not_kept(place):
    place.cycle(dry_run=True)
    assert place.ports.state.get("kept.json") is None


def test_a_sample_is_not_kept(place):
    hints(place, [key.encode() for key in sorted(OBJECTS)[::20]], apart=20)
    assert place.cycle(sample_rate=0.3)["observed"]["source"] == "sample"
    assert place.ports.state.get("kept.json") is None


def test_read_commands_tell_the_same_of_a_cached_cycle(place):
    place.cycle()
    report = place.cycle(use_cache=True)
    found = last_findings(place.ports.state)
    assert sum(gap.keys for gap in found.gaps) == report["gaps"]["keys"] == len(GONE)
