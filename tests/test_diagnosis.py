"""The doctor says what is wrong, what to do about it, and remembers what the next cycle must know."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aws_server import report_files
from s3_server import S3Server, use_credentials

from recon import access, cycle, wiring
from recon.diagnosis import Check, Status, _clock, diagnosis
from recon.memory import Hints
from recon.settings import Settings, load_settings

KEYS = [f"box/t={team}/{n:03d}.json" for team in range(6) for n in range(10)]
INVENTORY = """
dimensions: {n: {integers: "0..9", width: 3}, team: {integers: "0..5"}}
expected_coverage: {nba: {data_types: {box: {path_patterns: ["PATTERN"]}}}}
"""


BY_GAME = """
catalogs: {games: {lake: games.csv}}
expected_coverage: {nba: {data_types: {box: {for_each: games, path_patterns: ["box/{id}.json"]}}}}
"""


class Place:
    """An S3 lake, its two files, and a broker."""

    def __init__(self, folder: Path, server: S3Server, broker: str) -> None:
        self.folder, self.server, self.broker = folder, server, broker
        self.declare("box/t={team}/{n}.json")

    def declare(self, pattern: str) -> None:
        (self.folder / "inventory.yaml").write_text(INVENTORY.replace("PATTERN", pattern))

    def settings(self, more: str = "", alert_urls: str = "") -> Settings:
        text = f"lake: s3://lake\ns3: {{endpoint_url: '{self.server.url}', region: us-east-1}}\n"
        text += f"broker: {self.broker}\ninventory: inventory.yaml\n{more}"
        (self.folder / "recon.yaml").write_text(text)
        return load_settings("recon.yaml", {"RECON_ALERT_URLS": alert_urls}, cwd=self.folder)

    def cycle(self) -> dict[str, object]:
        wired = wiring.engine(self.settings())
        fence = wired.ledger.acquire("one")
        judged = wiring.planned(wired, "one", {})
        for shard in judged.scanned:
            cycle.scan_shard(wired.ports, judged, shard)
        document = cycle.conclude(wired.ports, judged, fence, {}).report
        wired.ledger.release("one")
        return document


@pytest.fixture
def place(tmp_path, monkeypatch, valkey):
    use_credentials(monkeypatch)
    monkeypatch.chdir(tmp_path)
    valkey.client.flushall()
    with S3Server([key.encode() for key in KEYS]) as server:
        server.max_keys = 20
        yield Place(tmp_path, server, valkey.url)


def checks(chosen: Settings) -> dict[str, Check]:
    return {check.name: check for check in diagnosis(chosen)}


def wrong(chosen: Settings) -> dict[str, Check]:
    found = {name: check for name, check in checks(chosen).items() if check.status is not Status.OK}
    assert all(check.fix for check in found.values()), "a problem without a next step"
    return found


def test_a_set_up_that_is_well_has_no_problems(place):
    found = checks(place.settings())
    assert wrong(place.settings()) == {}
    assert set(found) == {
        "inventory", "state", "patterns", "lake", "key order", "clock", "broker", "queues", "alerts",
    }  # fmt: skip
    assert "20 keys" in found["key order"].found


@pytest.mark.parametrize("fault", ["unordered", "ignore_start_after", "folder_order"])
def test_a_backend_that_does_not_keep_key_order_is_listed_by_whole_prefixes_from_then_on(place, fault):
    place.server.inject(fault)
    found = wrong(place.settings())["key order"]
    assert found.status is Status.WARN
    assert "this backend does not keep key order: recon lists it by whole prefixes" in found.fix
    state = access.state(place.settings())
    assert Hints.load(state, "s3://lake").ordered is False
    report = place.cycle()
    assert report["verdicts"]["ok"] == len(KEYS)
    assert report["observed"]["shards"]["failed"] == 0


def test_an_order_that_an_earlier_cycle_distrusted_is_told_with_the_way_back(place):
    Hints.distrust(access.state(place.settings()), "s3://lake")
    found = wrong(place.settings())["key order"]
    assert found.status is Status.WARN
    assert "hints.json" in found.fix


def test_alerts_that_reach_nobody_are_told_with_the_way_to_mend_and_try_them(place):
    found = wrong(place.settings("reconciliation_loop: {alert_on_failure: true}\n"))["alerts"]
    assert "alert_on_failure has no usable channel" in found.found
    assert "RECON_ALERT_URLS" in found.fix
    assert "recon alerts test" in found.fix


def test_an_address_that_apprise_does_not_know_is_told_without_its_secrets(place):
    found = wrong(place.settings(alert_urls="json://well/path,slakc://c4nary/token"))["alerts"]
    assert found.found.startswith("slakc://***: apprise does not understand this address")
    assert "RECON_ALERT_URLS" in found.fix
    assert "c4nary" not in f"{found}"


def test_channels_that_can_be_used_are_named_with_the_command_that_tries_them(place):
    found = checks(place.settings(alert_urls="json://me:c4nary@well/path"))["alerts"]
    assert (found.status, found.found) == (
        Status.OK,
        "go to json://well; recon alerts test sends a message to each",
    )


USED = "s3: {endpoint_url: 'URL', region: us-east-1, use_aws_inventory: true}\n"


def reporting(place: Place) -> Settings:
    """Return settings that use AWS's reports, in the lake's own bucket."""
    text = place.settings().config_path.read_text()
    first, _, rest = text.partition("s3: ")
    _, _, rest = rest.partition("\n")
    (place.folder / "recon.yaml").write_text(first + USED.replace("URL", place.server.url) + rest)
    return load_settings("recon.yaml", {}, cwd=place.folder)


def deliver(place: Place, hours: float) -> None:
    at = datetime.now(UTC) - timedelta(hours=hours)
    where = {"source": "lake", "destination": "lake", "prefix": "inventory-reports", "config_id": "recon"}
    for key, body in report_files({"a": 1}, at=at, **where).items():
        place.server.objects.put(key.encode(), body)


def test_the_newest_report_is_told_with_its_age_where_reports_are_used(place):
    deliver(place, 30)
    deliver(place, 6)
    found = checks(reporting(place))["reports"]
    assert found.status is Status.OK
    assert "6.0 h old" in found.found


@pytest.mark.parametrize(("hours", "said"), [(None, "there is none"), (72, "s3.max_report_age")])
def test_a_report_that_no_cycle_can_use_is_told_with_the_next_step(place, hours, said):
    if hours is not None:
        deliver(place, hours)
    found = wrong(reporting(place))["reports"]
    assert found.status is Status.WARN
    assert said in found.found
    assert "recon s3-inventory status" in found.fix


def test_a_lake_that_may_not_be_listed_fails(place):
    place.server.denied.append(b"")
    found = wrong(place.settings())
    assert found["lake"].status is Status.FAIL
    assert "403" in found["lake"].found or "denied" in found["lake"].found.lower()


def test_a_pattern_that_matched_nothing_is_named_with_what_the_lake_has(place):
    place.declare("boxes/t={team}/{n}.json")
    place.server.objects.put(b"boxes/2024/1.json", b"x")
    place.cycle()
    found = wrong(place.settings())["patterns"]
    assert found.status is Status.WARN
    assert "nba.box: pattern matched 0 of 60" in found.found
    assert "boxes/" in found.found


def test_a_state_that_cannot_be_written_fails(place):
    (place.folder / "file").write_text("")
    found = wrong(place.settings("state: file/state\n"))
    assert found["state"].status is Status.FAIL
    assert "state" in found["state"].fix


def test_the_state_keeps_nothing_of_the_check(place):
    checks(place.settings())
    left = [path for path in (place.folder / ".recon").rglob("*") if path.is_file()]
    assert left == []


def test_a_wrong_inventory_fails_with_its_place(place):
    place.declare("box/{n.json")
    found = wrong(place.settings())["inventory"]
    assert found.status is Status.FAIL
    assert "inventory.yaml:" in found.found


def test_a_broker_that_may_lose_tasks_is_told_and_one_that_may_evict_them_fails(place, valkey):
    valkey.client.config_set("appendonly", "no")
    try:
        assert wrong(place.settings())["broker"].status is Status.WARN
        valkey.client.config_set("maxmemory-policy", "allkeys-lru")
        found = [check for check in diagnosis(place.settings()) if check.name == "broker"]
    finally:
        valkey.client.config_set("appendonly", "yes")
        valkey.client.config_set("maxmemory-policy", "noeviction")
    assert [check.status for check in found] == [Status.FAIL, Status.WARN]
    assert all("redis-cli CONFIG SET" in check.fix for check in found)


def test_a_broker_that_is_not_there_fails_with_the_next_step(place):
    place.broker = "redis://127.0.0.1:1"
    found = wrong(place.settings())
    assert found["broker"].status is Status.FAIL
    assert "check that the server runs" in found["broker"].fix


def test_queues_of_another_lake_fail(place, valkey):
    valkey.client.set("recon:q:lake", "s3://other")
    found = wrong(place.settings())["queues"]
    assert found.status is Status.FAIL
    assert "s3://other" in found.found
    assert valkey.client.get("recon:q:lake") == b"s3://other"


def test_looking_claims_nothing(place, valkey):
    checks(place.settings())
    assert valkey.client.keys() == []


@pytest.mark.parametrize(("skew_s", "status"), [(0.4, "ok"), (-4.0, "ok"), (61.0, "warn"), (-3600.0, "warn")])
def test_a_clock_that_is_wrong_by_seconds_is_told(skew_s, status):
    found = _clock(skew_s)
    assert found.status == status
    assert f"{abs(skew_s):.0f} s {'ahead of' if skew_s > 0 else 'behind'}" in found.found


def test_a_sample_lake_that_is_still_to_be_made_is_no_failure(place):
    (place.folder / "inventory.yaml").write_text(BY_GAME)
    chosen = load_settings(place.settings().config_path, {"RECON_LAKE": "sample-lake"}, cwd=place.folder)
    found = wrong(chosen)
    assert list(found) == ["lake"]
    assert found["lake"].status is Status.WARN
    assert "recon run" in found["lake"].fix
    assert not (place.folder / "sample-lake").exists()
