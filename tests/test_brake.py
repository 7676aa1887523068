"""The brake over the S3 protocol and a real queue: a sudden loss is held, a wrong look proves nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aws_reports import into, rows, write_report
from cycle_place import BOX, COUNTER, DECLARED, DIMENSIONS, GONE, MANY, ODDS, Place, lake_place
from declared import dataset, inventory

from recon import cycle
from recon.aws_reports import ReportPlace
from recon.brake_record import load, release, waiting
from recon.core.brake import BrakeLimits
from recon.errors import ConfigError
from recon.explanation import explained
from recon.findings import last_findings

HELD_ODDS = {key for key in ODDS if key not in GONE}


@pytest.fixture
def place(valkey, monkeypatch, tmp_path):
    with lake_place(valkey, monkeypatch, reports=tmp_path) as made:
        made.folder = tmp_path
        yield made


def delete(place: Place, keys) -> None:
    for key in keys:
        place.server.objects.delete(key.encode())


def put(place: Place, keys) -> None:
    for key in keys:
        place.server.objects.put(key.encode(), b"x" * 9)


def later(place: Place, **by: float) -> None:
    ahead = timedelta(**by)
    place.ports = replace(place.ports, clock=lambda: datetime.now(UTC) + ahead)


def held(report: dict) -> dict[str, tuple[int, int]]:
    return {one["scope"]: (one["vanished"], one["before"]) for one in report["brake"]["held"]}


def test_an_emptied_prefix_is_held_and_no_number_of_empty_cycles_frees_it(place):
    place.cycle()
    delete(place, ODDS)
    for hours in (0, 30, 60, 90):
        later(place, hours=hours)
        report = place.cycle()
        assert place.queued() == GONE
        assert report["tasks"]["held"] == len(HELD_ODDS)
        assert report["tasks"]["withdrawn"] == report["tasks"]["published"] == 0
        assert held(report) == {"source:odds+type:lines": (24, 24)}
        assert any("recon brake release source:odds+type:lines" in line for line in report["warnings"])
        assert report["verdicts"]["missing"] == len(GONE | set(ODDS))


def test_a_held_key_says_so_where_it_is_explained(place):
    place.cycle()
    delete(place, ODDS)
    place.cycle()
    found = last_findings(place.ports.state)
    assert "recon brake status" in explained(found, min(HELD_ODDS))["held"]
    assert "held" not in explained(found, min(GONE))


def test_a_type_of_three_keys_that_is_gone_is_held(place):
    place.declared = inventory(
        *DECLARED.datasets,
        dataset("few/{k}.json", name="few.keys"),
        dimensions={**DIMENSIONS, "k": {"values": ["a", "b", "c"]}},
    )
    few = ["few/a.json", "few/b.json", "few/c.json"]
    put(place, few)
    place.cycle()
    delete(place, few[:2])
    assert held(place.cycle()) == {}
    assert {*few[:2]} < place.queued()
    put(place, few)
    place.cycle()
    delete(place, few)
    report = place.cycle()
    assert held(report) == {"source:few+type:keys": (3, 3)}
    assert not place.queued() & set(few)


def test_a_lake_that_is_empty_all_at_once_publishes_and_withdraws_nothing(place):
    place.cycle()
    delete(place, [*BOX, *ODDS, *MANY])
    report = place.cycle()
    assert place.queued() == GONE
    assert len(place.queue.outstanding("s3://lake")) == report["tasks"]["outstanding"]
    assert report["tasks"]["published"] == report["tasks"]["withdrawn"] == 0
    assert "lake" in held(report)
    (line,) = [line for line in report["warnings"] if "too suddenly" in line]
    assert line.startswith("the lake lost")


def test_a_few_deletions_are_believed_at_once(place):
    place.cycle()
    few = [key for key in BOX if key not in GONE][:9]
    delete(place, few)
    report = place.cycle()
    assert held(report) == {}
    assert report["tasks"]["held"] == 0
    assert place.queued() == GONE | set(few)


def test_a_counted_type_is_held_by_its_number_of_objects(place):
    place.cycle()
    delete(place, MANY[:12])
    report = place.cycle()
    assert held(report)["source:nba+type:many"] == (12, 14)
    assert report["tasks"]["held"] == 6
    assert report["tasks"]["published"] == 0


def test_nothing_of_a_held_type_is_withdrawn_and_its_other_gaps_are_still_published(place):
    place.cycle()
    filled = min(key for key in GONE if key in ODDS)
    put(place, [filled])
    delete(place, HELD_ODDS - {min(HELD_ODDS)})
    report = place.cycle()
    assert held(report) == {"source:odds+type:lines": (23, 24)}
    assert report["tasks"]["withdrawn"] == 0
    assert filled in place.queued()
    assert place.queued() == GONE


def test_keys_that_return_leave_the_hold(place):
    place.cycle()
    delete(place, ODDS)
    place.cycle()
    some = sorted(HELD_ODDS)[:6]
    put(place, some)
    report = place.cycle()
    assert report["tasks"]["held"] == len(HELD_ODDS) - 6
    put(place, HELD_ODDS)
    report = place.cycle()
    assert held(report) == {}
    assert report["tasks"]["held"] == 0
    assert place.queued() == GONE
    assert load(place.ports.state).holds == ()


@pytest.mark.parametrize(("hidden", "kind"), [(b"odds/", "lines"), (b"many/", "many")])
def test_one_object_that_is_there_after_all_makes_the_look_wrong_and_the_keys_unknown(place, hidden, kind):
    place.cycle()
    before = place.queued()
    place.server.unlisted.append(hidden)
    report = place.cycle()
    unknown = [row["unknown"] for row in report["coverage"] if row["data_type"] == kind]
    assert all(unknown)
    assert not any(row["missing"] for row in report["coverage"] if row["data_type"] == kind)
    assert report["brake"]["doubted"] == [f"{'odds' if kind == 'lines' else 'nba'}.{kind}"]
    assert held(report) == {}
    assert report["tasks"]["withdrawn"] == report["tasks"]["published"] == 0
    assert place.queued() == before
    assert any("unknown, not missing" in line for line in report["warnings"])
    assert [gap.data_type for gap in last_findings(place.ports.state).gaps if gap.data_type == kind] == []
    place.server.heal()
    assert place.cycle()["verdicts"]["missing"] == len(GONE)


def test_a_loss_that_was_held_is_not_published_when_queues_are_filled_up_later(place):
    place.cycle()
    delete(place, ODDS)
    place.cycle()
    fence = place.ledger.acquire("refill")
    counts = cycle.refill(place.ports, last_findings(place.ports.state), fence)
    place.ledger.release("refill")
    assert (counts.published, counts.held) == (0, len(HELD_ODDS))
    assert place.queued() == GONE


def test_no_more_keys_are_asked_for_than_may_be(place):
    place.cycle()
    delete(place, ODDS)
    place.server.requests.clear()
    report = place.cycle(brake=BrakeLimits(head_max=5))
    assert place.server.requests["get"] + place.server.requests["head"] == 5
    assert report["observed"]["requests"] == sum(place.server.requests.values())
    place.server.requests.clear()
    assert held(place.cycle(brake=BrakeLimits(head_max=0)))
    assert place.server.requests["get"] + place.server.requests["head"] == 0


def test_a_release_publishes_the_loss_with_the_next_cycle(place):
    place.cycle()
    delete(place, ODDS)
    place.cycle()
    with pytest.raises(ConfigError, match=r"source:nope is not held.*source:odds\+type:lines"):
        release(place.ports.state, ["source:nope"])
    (one,) = release(place.ports.state, ["source:odds+type:lines"])
    assert (one.vanished, waiting(place.ports.state)) == (24, ())
    report = place.cycle()
    assert place.queued() == GONE | set(ODDS)
    assert (held(report), report["tasks"]["held"]) == ({}, 0)
    assert place.ports.state.names("brake/released/") == []
    assert held(place.cycle()) == {}


def test_a_release_waits_for_a_whole_look_before_a_new_baseline_is_taken(place):
    place.cycle()
    delete(place, ODDS)
    place.cycle()
    release(place.ports.state, [])
    place.server.denied.append(b"box/")
    report = place.cycle()
    assert set(ODDS) < place.queued()
    assert (held(report), len(place.ports.state.names("brake/released/"))) == ({}, 1)
    place.server.denied.clear()
    assert held(place.cycle()) == {}
    assert place.ports.state.names("brake/released/") == []


def test_a_loss_of_less_than_half_is_believed_after_a_day_and_two_further_cycles(place):
    place.cycle()
    lost = sorted(HELD_ODDS)[:11]
    delete(place, lost)
    assert held(place.cycle()) == {"source:odds+type:lines": (11, 24)}
    later(place, hours=25)
    assert held(place.cycle())
    report = place.cycle()
    assert held(report) == {}
    assert any("has stood: it is believed" in line for line in report["warnings"])
    assert place.queued() == GONE | set(lost)


def test_cycles_that_do_not_look_at_everything_neither_end_a_hold_nor_confirm_a_loss(place):
    place.cycle()
    delete(place, sorted(HELD_ODDS)[:11])
    place.cycle()
    later(place, hours=25)
    before = place.ports.state.get("brake/record.json")
    for options in (
        {"dry_run": True},
        {"select": ((("source", "nba"),),)},
        {"use_cache": True, "cache_ttl_s": 1e9},
    ):
        report = place.cycle(**options)
        assert held(report) == {"source:odds+type:lines": (11, 24)}, options
        assert place.queued() == GONE
    assert place.ports.state.get("brake/record.json") == before


def test_a_dry_run_is_no_baseline(place):
    place.cycle()
    delete(place, ODDS)
    assert held(place.cycle(dry_run=True))
    assert held(place.cycle())
    assert place.queued() == GONE


def test_the_baseline_is_carried_over_to_another_inventory_by_key(place):
    place.cycle()
    delete(place, ODDS)
    place.declared = inventory(
        dataset("new/{n}.json", name="nba.first"),
        *DECLARED.datasets[1:],
        dimensions={**DIMENSIONS, "n": {"integers": "5..34", "width": 3}},
    )
    kept = {key for key in HELD_ODDS if key >= "odds/005"}
    report = place.cycle()
    assert held(report) == {
        "source:odds+type:lines": (len(kept), len(kept)),
        "lake": (len(kept), len(kept) + len(MANY)),
    }
    assert report["tasks"]["held"] == len(kept)
    assert not place.queued() & kept
    place.declared = replace(place.declared, datasets=place.declared.datasets[:1])
    assert held(place.cycle()) == {}


def test_a_cycle_that_is_concluded_twice_decides_once(place):
    place.cycle()
    delete(place, ODDS)
    cycle_id = f"cycle-{next(COUNTER):06d}"
    fence = place.ledger.acquire(cycle_id)
    judged = cycle.plan(place.ports, cycle_id, place.declared, {}, place.options)
    for shard in judged.scanned:
        cycle.scan_shard(place.ports, judged, shard)
    once = cycle.conclude(place.ports, judged, fence, {}).report
    remembered = place.ports.state.get("brake/record.json")
    again = cycle.conclude(place.ports, judged, fence, {}).report
    place.ledger.release(cycle_id)
    assert again["brake"] == once["brake"]
    assert again["verdicts"] == once["verdicts"]
    assert place.ports.state.get("brake/record.json") == remembered
    assert place.queued() == GONE
    (hold,) = json.loads(remembered)["holds"]
    assert (hold["cycle_id"], hold["complete_cycles"]) == (cycle_id, 0)


def test_a_brake_that_is_off_holds_nothing(place):
    place.cycle()
    delete(place, ODDS)
    place.cycle()
    report = place.cycle(brake=BrakeLimits(enabled=False))
    assert held(report) == {}
    assert place.queued() == GONE | set(ODDS)


def reported(place: Place) -> None:
    objects = place.server.objects
    place.reports = ReportPlace("lake", "inventory", None, timedelta(hours=48))
    frames = [rows(objects.keys, objects.sizes, objects.mtimes)]
    write_report(into(place.folder), frames, kind="Parquet", at=datetime.now(UTC) - timedelta(hours=1))


def test_a_loss_that_a_report_alone_shows_is_no_loss(place):
    place.cycle()
    delete(place, ODDS)
    reported(place)
    put(place, HELD_ODDS)
    report = place.cycle()
    assert report["observed"]["source"] == "aws_inventory"
    assert (held(report), report["brake"]["doubted"]) == ({}, [])
    assert place.queued() == GONE


def test_a_loss_that_a_report_shows_and_no_look_confirmed_is_asked_for_before_it_is_held(place):
    place.cycle()
    delete(place, ODDS)
    reported(place)
    put(place, HELD_ODDS)
    report = place.cycle(confirm_requests_max=0)
    assert report["brake"]["doubted"] == ["odds.lines"]
    assert place.queued() == GONE


def test_a_loss_that_is_real_is_held_over_a_report_and_the_same_report_does_not_confirm_it(place):
    place.cycle()
    delete(place, sorted(HELD_ODDS)[:11])
    reported(place)
    assert held(place.cycle()) == {"source:odds+type:lines": (11, 24)}
    later(place, hours=25)
    for _ in range(3):
        assert held(place.cycle()) == {"source:odds+type:lines": (11, 24)}
    assert place.queued() == GONE
