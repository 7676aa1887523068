"""What AWS is told, so that it delivers reports: what is put, what is left alone, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from aws_server import Aws, aws
from reports_place import FOREIGN, Place, new_place

from recon import access, wiring
from recon.core.inventory_setup import configuration, statement
from recon.errors import LakeError
from recon.report_delivery import carry_out, change


@pytest.fixture(scope="module")
def server() -> Iterator[Aws]:
    with aws() as made:
        yield made


@pytest.fixture
def place(tmp_path, monkeypatch, server, request) -> Place:
    return new_place(tmp_path, server, monkeypatch, request.node.nodeid)


def test_an_empty_bucket_gets_both_documents(place):
    done = place.json("enable", "--yes")
    assert done["changes"] == {"configuration": "create", "policy": "create"}
    assert done["changed"] is True
    assert place.policy == {"Version": "2012-10-17", "Statement": [statement(place.delivery)]}
    # moto tells IncludedObjectVersions "All" of every configuration.
    assert place.configuration == {**configuration(place.delivery), "IncludedObjectVersions": "All"}


def test_a_policy_of_others_is_extended(place):
    others = {"Version": "2012-10-17", "Statement": [FOREIGN]}
    place.server.s3.put_bucket_policy(Bucket=place.bucket, Policy=json.dumps(others))
    assert place.json("enable", "--yes")["changes"]["policy"] == "update"
    assert place.policy == {"Version": "2012-10-17", "Statement": [FOREIGN, statement(place.delivery)]}


def test_a_configuration_that_differs_is_shown_as_a_difference_and_replaced(place):
    weekly = {**configuration(place.delivery), "Schedule": {"Frequency": "Weekly"}}
    place.server.s3.put_bucket_inventory_configuration(
        Bucket=place.bucket, Id="recon", InventoryConfiguration=weekly
    )
    shown = place.recon("enable", "--dry-run").stdout
    assert '-    "Frequency": "Weekly"' in shown
    assert '+    "Frequency": "Daily"' in shown
    assert place.json("enable", "--yes")["changes"]["configuration"] == "replace"
    assert place.configuration["Schedule"] == {"Frequency": "Daily"}


def test_a_second_configuration_is_not_put_beside_one_that_reports_there(place):
    other = {**configuration(place.delivery), "Id": "daily"}
    place.server.s3.put_bucket_inventory_configuration(
        Bucket=place.bucket, Id="daily", InventoryConfiguration=other
    )
    place.server.called.clear()
    done = place.recon("enable", "--yes")
    assert done.exit_code == 2
    assert "daily" in done.stderr
    assert "s3.inventory_config_id" in done.stderr
    assert place.server.changes == []
    place.configure(inventory_config_id="daily")
    assert place.json("enable", "--yes")["config_id"] == "daily"


def test_another_destination_and_the_lakes_folder_are_heeded(place):
    other = place.server.bucket(f"{place.bucket}-reports")
    place.configure(f"s3://{place.bucket}/raw", inventory_bucket=other, inventory_prefix="aws/")
    done = place.json("enable", "--yes", "--account", "111122223333")
    assert done["destination"] == f"s3://{other}/aws"
    assert place.configuration["Filter"] == {"Prefix": "raw/"}
    policy = json.loads(place.server.s3.get_bucket_policy(Bucket=other)["Policy"])
    assert policy["Statement"][0]["Condition"]["StringEquals"]["aws:SourceAccount"] == "111122223333"
    assert place.policy is None


def test_a_key_of_the_destination_is_told_with_its_grants(place):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "a-key"}}
    place.server.s3.put_bucket_encryption(
        Bucket=place.bucket, ServerSideEncryptionConfiguration={"Rules": [rule]}
    )
    (note,) = place.json("enable", "--dry-run")["notes"]
    assert all(word in note for word in ("a-key", "kms:Decrypt", "kms:GenerateDataKey"))


@pytest.mark.parametrize(
    ("call", "action"),
    [
        (("GET", "inventory"), "s3:GetInventoryConfiguration"),
        (("POST", ""), "sts:GetCallerIdentity to the caller, or pass --account"),
        (("GET", "policy"), "s3:GetBucketPolicy"),
        (("PUT", "policy"), "s3:PutBucketPolicy"),
        (("PUT", "inventory"), "s3:PutInventoryConfiguration"),
    ],
)
def test_a_call_that_is_denied_names_the_action_it_takes(place, call, action):
    place.server.denied.add(call)
    done = place.recon("enable", "--yes")
    assert done.exit_code == 1
    assert f"Grant {action}" in done.stderr
    assert "access is denied" in done.stderr


def test_a_key_that_cannot_be_looked_for_is_no_obstacle(place):
    place.server.denied.add(("GET", "encryption"))
    (note,) = place.json("enable", "--yes")["notes"]
    assert "Grant s3:GetEncryptionConfiguration" in note


def test_a_set_up_that_broke_off_says_so_and_goes_on(place):
    place.server.denied.add(("PUT", "inventory"))
    assert "The policy was put already" in place.recon("enable", "--yes").stderr
    place.server.denied.clear()
    assert place.json("enable", "--yes")["changes"] == {"configuration": "create", "policy": "none"}


def test_a_policy_that_changed_while_it_was_shown_is_not_overwritten(place):
    chosen = access.settings(place.folder / "recon.yaml")
    admin, wish = wiring.inventory_admin(chosen), wiring.report_wish(chosen)
    planned = change(admin, wish)
    others = {"Version": "2012-10-17", "Statement": [FOREIGN]}
    place.server.s3.put_bucket_policy(Bucket=place.bucket, Policy=json.dumps(others))
    with pytest.raises(LakeError, match="changed by someone else"):
        carry_out(admin, planned, wish)
    assert place.policy == others
