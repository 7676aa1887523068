"""A cycle over an AWS S3 Inventory report: the same answer as a listing, and honest about its age."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from aws_reports import KINDS, VERSIONS, Report, Style, into, rows, write_report
from cycle_place import BOX, DIMENSIONS, GONE, MANY, ODDS, Place, lake_place
from declared import dataset, inventory

from recon.aws_reports import ReportPlace
from recon.errors import ReportError
from recon.memory import Hints

#: Days, of which the last came due after the reports of these tests.
DAILY = inventory(
    dataset("daily/{day}.json", name="nba.daily"),
    dataset("feed/{day}/{part}.json", name="nba.feed", expected_per=("day", 2)),
    dimensions={"day": {"every": "day", "start": "2025-11-01", "end": "now"}},
)


@pytest.fixture
def place(valkey, monkeypatch, tmp_path):
    with lake_place(valkey, monkeypatch, reports=tmp_path) as made:
        made.folder = tmp_path
        made.reports = ReportPlace("lake", "inventory", None, timedelta(hours=48))
        yield made


def reported(
    place: Place, kind: str = "Parquet", *, hours_ago: float = 1, style: Style | None = None, files: int = 3
) -> Report:
    """Write a report of what the lake holds now, as of some hours ago."""
    objects = place.server.objects
    whole = rows(objects.keys, objects.sizes, objects.mtimes)
    if style is not None and "is_latest" in style.columns:
        whole = pl.concat([whole, old_versions(objects.keys)])
    frames = [whole[number::files] for number in range(files)]
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    return write_report(into(place.folder), frames, kind=kind, at=at, style=style)


def old_versions(keys: list[bytes]) -> pl.DataFrame:
    """Return versions that are no object: earlier ones of what is there, delete markers of what is not."""
    gone = [key.encode() for key in sorted(GONE)]
    count, marks = len(keys), len(gone)
    return rows(
        [*keys, *gone, *gone],
        [1] * count + [None] * marks + [7] * marks,
        latest=[False] * count + [True] * marks + [False] * marks,
        deleted=[False] * count + [True] * marks + [False] * marks,
    )


def answer(report: dict) -> dict:
    return {name: report[name] for name in ("verdicts", "coverage", "gaps", "unexpected", "expected")} | {
        name: report["observed"][name] for name in ("objects", "bytes")
    }


def spoil(place: Place) -> None:
    """Give the lake every kind of gap, and keys that only a careful reader tells: odd, stale, small."""
    place.declared = inventory(
        dataset("box/{season}/{n}.json", name="nba.box", min_size_bytes=5),
        dataset("odds/{n}.csv", name="odds.lines", freshness_s=30 * 86400.0),
        dataset("many/{season}/{part}.bin", name="nba.many", expected_per=("season", 2)),
        dataset("odd  key+%2F/{n}.é", name="odds.keys"),
        dimensions=DIMENSIONS,
    )
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    put = place.server.objects.put
    for number in range(0, 30, 2):
        put(f"odd  key+%2F/{number:03d}.é".encode(), b"x" * 10, mtime_ms=now_ms)
    for key in BOX[5:50:7]:
        put(key.encode(), b"x", mtime_ms=now_ms)
    for key in [key for key in ODDS if key not in GONE][::3]:
        put(key.encode(), b"x" * 10, mtime_ms=now_ms)
    place.server.objects.delete(MANY[0].encode())


@pytest.mark.parametrize("versioned", [False, True], ids=["current", "versions"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_report_of_any_format_gives_the_answer_of_a_listing(place, kind, versioned):
    spoil(place)
    listed, place.reports = place.reports, None
    by_listing = place.cycle()
    queued = place.queued()
    place.reports = listed
    reported(place, kind, style=Style(columns=VERSIONS) if versioned else None)
    # Looked at again, live, rows that a reader lost or made up would be put right.
    by_report = place.cycle(confirm_requests_max=0)
    assert answer(by_report) == answer(by_listing)
    assert all(by_report["verdicts"][name] for name in ("ok", "missing", "stale", "small"))
    assert by_report["observed"]["source"] == "aws_inventory"
    assert by_report["observed"]["shards"] == {"planned": 3, "complete": 3, "failed": 0}
    # The same gaps, key by key: no task is new, changed or taken back.
    assert place.queued() == queued > GONE
    tasks = by_report["tasks"]
    assert tasks["duplicate"] == tasks["outstanding"] == by_listing["tasks"]["published"]
    assert tasks["published"] == tasks["withdrawn"] == 0


def test_as_of_is_the_reports_own_and_its_key_is_told(place):
    report = reported(place, hours_ago=5)
    observed = place.cycle()["observed"]
    age = datetime.now(UTC) - datetime.fromisoformat(observed["as_of"])
    assert timedelta(hours=5) <= age < timedelta(hours=5, minutes=1)
    assert observed["report"] == report.manifest


def test_a_report_in_a_folder_takes_no_requests(place):
    reported(place)
    report = place.cycle(confirm_requests_max=0)
    assert report["observed"]["requests_by_kind"] == {"list": 0, "get": 0}


def test_what_was_filled_since_the_report_is_no_gap(place):
    reported(place)
    filled = min(GONE)
    place.server.objects.put(filled.encode(), b"x" * 10)
    report = place.cycle()
    assert place.queued() == GONE - {filled}
    assert report["verdicts"]["missing"] == len(GONE) - 1


def test_gaps_far_apart_are_asked_for_one_by_one_and_dense_ones_are_listed(place):
    for key in ODDS:
        place.server.objects.delete(key.encode())
    reported(place)
    place.server.requests.clear()
    report = place.cycle()
    sparse = len([key for key in GONE if key.startswith("box/")])
    assert place.server.requests["get"] == sparse
    assert place.server.requests["list"] <= 1 + -(-len(ODDS) // 20) + 1
    assert report["observed"]["looked_again"] == sparse + len(ODDS)
    assert report["observed"]["requests_by_kind"]["get"] >= sparse


def test_many_gaps_far_apart_are_settled_by_listing_past_them(place):
    keys = {f"deep/{folder:03d}/{n:03d}.json".encode() for folder in range(300) for n in range(3)}
    place.declared = inventory(
        dataset("deep/{folder}/{n}.json", name="nba.deep"),
        dimensions={"folder": {"integers": "0..299", "width": 3}, "n": {"integers": "0..2", "width": 3}},
    )
    place.server.max_keys = 1000
    gone = {key for number, key in enumerate(sorted(keys)) if number % 2}
    place.server.objects = place.server.objects.of(sorted(keys - gone))
    reported(place)
    filled = min(gone)
    place.server.objects.put(filled, b"x")
    place.server.requests.clear()
    report = place.cycle()
    assert report["verdicts"]["missing"] == len(gone) - 1
    assert report["observed"]["looked_again"] == len(gone)
    assert sum(place.server.requests.values()) <= 33, "450 gaps in 300 folders, by one request a lane"
    assert not any("not confirmed" in line for line in report["warnings"])


def test_an_object_that_two_looks_meet_counts_once(place):
    place.declared = inventory(
        dataset("mixed/{n}.json", name="nba.exact"),
        dataset("mixed/part-{part}.bin", name="nba.counted", expected_count=3),
        dimensions={"n": {"integers": "0..29", "width": 3}},
    )
    for name in ("part-a.bin", "part-b.bin"):
        place.server.objects.put(f"mixed/{name}".encode(), b"x")
    reported(place)
    report = place.cycle()
    (counted,) = [row for row in report["coverage"] if row["data_type"] == "counted"]
    assert (counted["have"], counted["missing"]) == (2, 1)


def test_no_more_is_asked_than_may_be_and_the_rest_says_that_it_is_unconfirmed(place):
    reported(place)
    place.server.requests.clear()
    report = place.cycle(confirm_requests_max=5)
    assert sum(place.server.requests.values()) <= 6
    assert any("were not confirmed live" in line for line in report["warnings"])
    assert place.queued() == GONE


def test_every_limit_that_kept_gaps_from_being_confirmed_is_named(place):
    reported(place)
    report = place.cycle(requests_max=5)
    (line,) = (line for line in report["warnings"] if "were not confirmed live" in line)
    assert "s3.confirm_requests_max is 1,000, s3.max_requests_per_cycle 5;" in line


def test_unconfirmed_gaps_are_held_where_that_is_wanted(place):
    reported(place)
    report = place.cycle(confirm_requests_max=5, hold_unconfirmed=True)
    assert report["tasks"]["held"] == len(GONE) - 5
    assert len(place.queued()) == 5
    confirmed = place.cycle(hold_unconfirmed=True)
    assert confirmed["tasks"]["held"] == 0
    assert place.queued() == GONE


def test_a_held_gap_whose_task_is_out_keeps_its_task(place):
    reported(place)
    place.cycle()
    again = place.cycle(confirm_requests_max=0, hold_unconfirmed=True)
    assert again["tasks"]["withdrawn"] == 0
    assert place.queued() == GONE


def test_a_gap_that_cannot_be_looked_at_stays_unconfirmed(place):
    reported(place)
    place.server.denied.append(b"odds/")
    report = place.cycle()
    assert any("HTTP 403" in line for line in report["warnings"])
    assert any("were not confirmed live" in line for line in report["warnings"])
    assert place.queued() == GONE


def test_what_came_due_since_the_report_is_looked_at_live(place):
    place.declared = DAILY
    today = datetime.now(UTC).date()
    days = [today - timedelta(days=back) for back in range(1, (today - date(2025, 11, 1)).days + 1)]
    keys = [f"daily/{day}.json" for day in days] + [
        f"feed/{day}/{part}.json" for day in days for part in "ab"
    ]
    for key in keys:
        place.server.objects.put(key.encode(), b"x")
    reported(place, hours_ago=47)
    place.server.objects.delete(f"daily/{days[0]}.json".encode())
    report = place.cycle()
    assert report["verdicts"]["unknown"] == 0
    assert place.queued() == {f"daily/{days[0]}.json"}
    assert all(row["missing"] == 0 for row in report["coverage"] if row["data_type"] == "feed")


def test_what_came_due_since_and_cannot_be_looked_at_is_unknown(place):
    place.declared = DAILY
    reported(place, hours_ago=40)
    place.server.denied += [b"daily/", b"feed/"]
    report = place.cycle()
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    assert report["verdicts"]["unknown"] >= 1
    assert f"daily/{yesterday}.json" not in place.queued()
    unknown = {row["data_type"] for row in report["coverage"] if row["unknown"]}
    assert unknown == {"daily", "feed"}


def test_a_stale_object_that_was_written_again_since_is_no_gap(place):
    place.declared = inventory(
        dataset("odds/{n}.csv", name="odds.lines", freshness_s=30 * 86400.0),
        dimensions={"n": {"integers": "0..29", "width": 3}},
    )
    reported(place)
    fresh = next(key for key in ODDS if key not in GONE)
    place.server.objects.put(fresh.encode(), b"x", mtime_ms=int(datetime.now(UTC).timestamp() * 1000))
    report = place.cycle()
    assert report["verdicts"]["ok"] == 1
    assert report["verdicts"]["stale"] == len(ODDS) - len([key for key in GONE if key in ODDS]) - 1


def test_a_counted_partition_that_was_filled_since_is_no_gap(place):
    gone = MANY[0].encode()
    place.server.objects.delete(gone)
    reported(place)
    place.server.objects.put(gone, b"x")
    report = place.cycle()
    assert all(row["missing"] == 0 for row in report["coverage"] if row["data_type"] == "many")


def test_a_broken_report_concludes_nothing_and_the_next_older_one_is_used(place):
    reported(place, hours_ago=20)
    broken = reported(place, hours_ago=2)
    (place.folder / broken.files[1]).write_bytes(b"cut")
    with pytest.raises(ReportError, match=r"refused whole: .*data/"):
        place.cycle()
    assert place.queued() == set()
    healed = place.cycle()
    assert healed["observed"]["source"] == "aws_inventory"
    assert any(broken.folder in line for line in healed["warnings"])
    assert place.queued() == GONE


def test_where_no_report_holds_the_lake_is_listed_and_the_reason_is_told(place):
    broken = reported(place)
    (place.folder / broken.files[0]).unlink()
    with pytest.raises(ReportError):
        place.cycle()
    report = place.cycle()
    assert report["observed"]["source"] == "listing"
    assert any("listed live" in line and broken.files[0] in line for line in report["warnings"])
    assert place.queued() == GONE


def test_a_report_too_old_or_none_at_all_is_told(place):
    assert any("there is none" in line for line in place.cycle()["warnings"])
    reported(place, hours_ago=240)
    report = place.cycle()
    assert report["observed"]["source"] == "listing"
    assert any("max_report_age" in line for line in report["warnings"])


def test_shards_that_are_read_twice_and_out_of_order_change_nothing(place):
    reported(place)
    once = place.cycle(dry_run=True)
    again = place.cycle(dry_run=True, scans=3)
    assert answer(again) == answer(once)


def test_what_listings_taught_is_kept_through_a_cycle_over_a_report(place):
    listed, place.reports = place.reports, None
    place.cycle()
    taught = place.ports.state.get("hints.json")
    place.reports = listed
    reported(place)
    place.cycle()
    assert place.ports.state.get("hints.json") == taught


def test_a_backend_that_lists_out_of_order_is_asked_for_each_key_again(place):
    Hints.distrust(place.ports.state, "s3://lake")
    for key in ODDS:
        place.server.objects.delete(key.encode())
    reported(place)
    place.server.requests.clear()
    report = place.cycle()
    assert place.server.requests["get"] == report["verdicts"]["missing"]
    assert place.server.requests["list"] <= 1  # a 404 is believed once the bucket has answered
    assert Hints.load(place.ports.state, "s3://lake").ordered is False
