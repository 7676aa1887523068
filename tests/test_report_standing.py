"""How it stands with AWS's reports: delivered or not, whole or not, young enough or not, and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from aws_server import Aws, aws, report_files
from reports_place import Place, hours_ago, new_place

from recon.adapters.aws_report import AwsReportFiles
from recon.adapters.s3 import S3Lister
from recon.aws_reports import Choice, ReportPlace, choice
from recon.core.inventory_setup import configuration


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with aws() as made:
        yield made


@pytest.fixture
def place(tmp_path, monkeypatch, server, request) -> Place:
    return new_place(tmp_path, server, monkeypatch, request.node.nodeid)


def test_before_the_set_up_status_says_what_to_do(place):
    found = place.json("status", code=1)
    assert found["newest"] is None
    assert found["configurations"] == []
    assert any("no configuration" in item["problem"] for item in found["problems"])
    assert any("recon s3-inventory enable" in item["next"] for item in found["problems"])


def test_after_the_set_up_the_first_report_is_waited_for(place):
    place.recon("enable", "--yes")
    found = place.json("status", code=1)
    assert [item["id"] for item in found["configurations"]] == ["recon"]
    assert [item["next"] for item in found["problems"]] == [
        "have AWS deliver them, if nobody did (recon s3-inventory enable), and wait"
    ]


def test_a_destination_that_lets_nobody_deliver_is_told(place):
    place.recon("enable", "--yes")
    place.server.s3.delete_bucket_policy(Bucket=place.bucket)
    found = place.json("status", code=1)
    assert any("does not let s3.amazonaws.com write" in item["problem"] for item in found["problems"])


def test_a_report_that_holds_is_shown_with_its_age_and_the_next_one(place):
    place.recon("enable", "--yes")
    at = hours_ago(5)
    place.deliver(at)
    found = place.json("status")
    newest = found["newest"]
    assert (newest["verifies"], newest["files"], newest["format"]) == (True, 1, "Parquet")
    assert newest["age_s"] == pytest.approx(5 * 3600, abs=60)
    assert found["used"] == newest["manifest"]
    assert found["next_due"].startswith(f"{at + timedelta(days=1):%Y-%m-%dT%H:%M}")
    assert found["configurations"][0]["fields"] == ["Size", "LastModifiedDate", "ETag", "StorageClass"]
    assert "it verifies" in place.recon("status").stdout


def test_finding_the_newest_report_takes_two_listings_and_two_reads(place):
    place.deliver(hours_ago(1))
    place.server.called.clear()
    place.json("status", code=1)
    assert sorted(place.server.called) == [
        ("GET", ""),
        ("GET", ""),
        *[("GET", "delimiter")] * 2,
        ("GET", "inventory"),
    ]


def test_deep_looks_at_every_data_file(place):
    place.recon("enable", "--yes")
    files = place.deliver(hours_ago(1))
    data = next(body for key, body in files.items() if "/data/" in key)
    deep = place.json("status", "--deep")["deep"]
    assert (deep["files"], deep["bytes"], deep["objects"]) == (1, len(data), 2)


def test_a_damaged_data_file_is_found_by_deep_and_the_older_report_is_named(place):
    place.recon("enable", "--yes")
    place.deliver(hours_ago(25))
    files = place.deliver(hours_ago(1))
    key = next(key for key in files if "/data/" in key)
    place.server.s3.put_object(Bucket=place.bucket, Key=key, Body=b"y" * len(files[key]))
    assert place.json("status")["ok"] is True
    found = place.json("status", "--deep", code=1)
    assert "does not have the MD5" in found["newest"]["reason"]
    assert found["used"] != found["newest"]["manifest"]


def test_a_manifest_that_does_not_fit_its_checksum_is_a_problem(place):
    place.recon("enable", "--yes")
    place.deliver(hours_ago(1), json=b"{}")
    found = place.json("status", code=1)
    assert found["newest"]["verifies"] is False
    assert "manifest.checksum" in found["newest"]["reason"]
    assert found["used"] is None


def test_a_report_that_is_too_old_is_a_problem(place):
    place.recon("enable", "--yes")
    place.deliver(hours_ago(50))
    found = place.json("status", code=1)
    assert "max_report_age" in found["newest"]["reason"]
    assert found["newest"]["age_s"] > 49 * 3600


@pytest.mark.parametrize(
    ("change", "said"),
    [({"IsEnabled": False}, "switched off"), ({"Filter": {"Prefix": "b/"}}, "only keys below b/")],
)
def test_a_configuration_that_does_not_stand_for_the_lake_is_a_problem(place, change, said):
    place.recon("enable", "--yes")
    place.deliver(hours_ago(1))
    config = {**configuration(place.delivery), **change}
    place.server.s3.put_bucket_inventory_configuration(
        Bucket=place.bucket, Id="recon", InventoryConfiguration=config
    )
    (problem,) = place.json("status", code=1)["problems"]
    assert said in problem["problem"]


def test_a_role_that_may_only_read_reports_still_learns_how_they_stand(place):
    place.recon("enable", "--yes")
    place.deliver(hours_ago(1))
    place.server.denied.add(("GET", "inventory"))
    found = place.json("status")
    assert found["configurations"] is None
    assert "Grant s3:GetInventoryConfiguration" in found["notes"][0]


def test_reports_in_a_folder_are_looked_after_too(place):
    lake = place.folder / "nba-lake"
    files = report_files(
        {"a/1.json": 1},
        source="nba-lake",
        destination="nba-lake",
        prefix="inventory-reports",
        config_id="daily",
        at=hours_ago(2),
    )
    for key, body in files.items():
        (lake / key).parent.mkdir(parents=True, exist_ok=True)
        (lake / key).write_bytes(body)
    place.configure(f"file://{lake}")
    found = place.json("status", "--deep")
    assert found["newest"]["verifies"] is True
    assert found["configurations"] is None
    assert found["deep"]["objects"] == 1
    assert place.server.called == []


def test_reports_that_may_not_be_read_name_the_rights_it_takes_with_a_key_too(place):
    place.deliver(hours_ago(1))
    place.recon("enable", "--yes")
    place.server.denied.add(("GET", ""))
    (problem,) = place.json("status", code=1)["problems"]
    assert "HTTP 403" in problem["problem"]
    assert all(word in problem["next"] for word in ("s3:GetObject", "kms:Decrypt"))


def test_a_server_without_inventory_is_no_reason_to_doubt_a_report(place):
    place.deliver(hours_ago(1))
    refusal = b"<Error><Code>NotImplemented</Code><Message>x</Message></Error>"
    place.server.answers["inventory"] = (501, refusal)
    found = place.json("status")
    place.server.answers.clear()
    assert "delivers no inventory reports" in found["notes"][0]


def test_a_key_of_the_reports_is_told_with_the_right_it_takes(place):
    config = configuration(place.delivery)
    config["Destination"]["S3BucketDestination"]["Encryption"] = {"SSEKMS": {"KeyId": "k"}}
    place.server.s3.put_bucket_inventory_configuration(
        Bucket=place.bucket, Id="recon", InventoryConfiguration=config
    )
    place.deliver(hours_ago(1))
    assert "kms:Decrypt" in place.json("status")["notes"][0]


def test_a_configuration_that_the_settings_name_must_be_there(place):
    place.recon("enable", "--yes")
    place.deliver(hours_ago(1))
    place.configure(inventory_config_id="other")
    problems = [item["problem"] for item in place.json("status", code=1)["problems"]]
    assert any("there are recon" in problem for problem in problems)


# What a cycle learns of the configuration before it believes its reports.


def searched(place, cover: bytes) -> Choice:
    bucket = S3Lister(place.bucket, endpoint_url=place.server.url)
    files = AwsReportFiles(bucket, bucket.report_filter)
    wanted = ReportPlace(place.bucket, "inventory-reports", None, timedelta(hours=48), cover=(cover,))
    return choice(files, wanted, {}, datetime.now(UTC))


def narrowed(place, prefix: str) -> None:
    place.recon("enable", "--yes")
    place.deliver(hours_ago(2))
    place.server.s3.put_bucket_inventory_configuration(
        Bucket=place.bucket,
        Id="recon",
        InventoryConfiguration={**place.configuration, "Filter": {"Prefix": prefix}},
    )


def test_a_report_whose_filter_leaves_out_keys_of_the_lake_is_not_chosen(place):
    narrowed(place, "nba/")
    found = searched(place, b"")
    assert found.report is None
    (refusal,) = found.refusals
    assert "recon reports only keys below nba/, which leaves out keys of the whole bucket" in refusal.reason
    assert "recon s3-inventory enable" in refusal.reason


def test_a_report_whose_filter_holds_all_that_is_looked_at_is_chosen(place):
    narrowed(place, "nba/")
    found = searched(place, b"nba/games/")
    assert found.report is not None
    assert (found.lists, found.gets) == (2, 3)


def test_who_may_not_see_the_configuration_still_finds_the_report(place):
    narrowed(place, "nba/")
    place.server.denied.add(("GET", "id"))
    assert searched(place, b"").report is not None
