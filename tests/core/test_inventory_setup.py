"""The documents that make AWS deliver reports say what recon needs, and take nothing away from others."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest

from recon.core.inventory_setup import (
    Delivery,
    configuration,
    covers,
    denials,
    difference,
    kms_grants,
    lets_deliver,
    merged,
    next_report,
    reports_to,
    shortcomings,
    statement,
    summary,
)

DELIVERY = Delivery("lake", "", "recon", "reports", "inventory-reports", "111122223333")
TWO_DAYS = timedelta(hours=48)
FOREIGN = {
    "Sid": "Web",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": ["a", "b"],
}


def test_a_new_configuration_asks_for_all_that_recon_reads_daily_as_parquet():
    assert configuration(DELIVERY) == {
        "Id": "recon",
        "IsEnabled": True,
        "Destination": {
            "S3BucketDestination": {
                "AccountId": "111122223333",
                "Bucket": "arn:aws:s3:::reports",
                "Format": "Parquet",
                "Prefix": "inventory-reports",
            }
        },
        "IncludedObjectVersions": "Current",
        "OptionalFields": ["Size", "LastModifiedDate", "ETag", "StorageClass"],
        "Schedule": {"Frequency": "Daily"},
    }


def test_a_lake_that_is_a_folder_of_its_bucket_is_reported_alone():
    delivery = Delivery("lake", "a/b/", "recon", "lake", "", "1")
    made = configuration(delivery)
    assert made["Filter"] == {"Prefix": "a/b/"}
    assert "Prefix" not in made["Destination"]["S3BucketDestination"]


def test_what_recon_made_is_as_recon_wants_it():
    made = configuration(DELIVERY)
    assert configuration(DELIVERY, made) == made
    assert shortcomings(made, "", TWO_DAYS) == []


def test_an_existing_configuration_keeps_what_others_may_need():
    existing = configuration(DELIVERY)
    existing |= {"OptionalFields": ["EncryptionStatus", "Size"], "IncludedObjectVersions": "All"}
    place = existing["Destination"]["S3BucketDestination"]
    place |= {"Prefix": "inventory-reports/", "Format": "CSV", "Encryption": {"SSEKMS": {"KeyId": "k"}}}
    del place["AccountId"]
    made = configuration(DELIVERY, existing)
    assert made["OptionalFields"] == ["EncryptionStatus", "Size", "LastModifiedDate", "ETag", "StorageClass"]
    assert made["IncludedObjectVersions"] == "All"
    assert made["Destination"]["S3BucketDestination"] == {**place, "Format": "Parquet"}


@pytest.mark.parametrize(
    ("now", "lake", "wanted"),
    [("a/", "a/b/", "a/"), ("", "a/b/", ""), ("a/c/", "a/b/", "a/b/"), ("a/", "", "")],
)
def test_a_filter_stays_where_it_covers_the_lake(now, lake, wanted):
    existing = {**configuration(DELIVERY), **({"Filter": {"Prefix": now}} if now else {})}
    delivery = Delivery("lake", lake, "recon", "reports", "inventory-reports", "1")
    assert configuration(delivery, existing).get("Filter", {}).get("Prefix", "") == wanted


def test_the_statement_lets_s3_write_this_buckets_reports_and_no_more():
    made = statement(DELIVERY)
    assert made["Principal"] == {"Service": "s3.amazonaws.com"}
    assert (made["Effect"], made["Action"]) == ("Allow", "s3:PutObject")
    assert made["Resource"] == "arn:aws:s3:::reports/inventory-reports/*"
    assert made["Condition"] == {
        "ArnLike": {"aws:SourceArn": "arn:aws:s3:::lake"},
        "StringEquals": {
            "aws:SourceAccount": "111122223333",
            "s3:x-amz-acl": "bucket-owner-full-control",
        },
    }
    assert made["Sid"].isalnum()


def test_arns_are_of_the_accounts_partition():
    delivery = Delivery("lake", "", "recon", "reports", "", "1", "aws-cn")
    assert statement(delivery)["Resource"] == "arn:aws-cn:s3:::reports/*"


def test_two_sources_of_one_destination_have_a_statement_each():
    other = statement(Delivery("la-ke", "", "recon", "reports", "inventory-reports", "1"))
    assert len(merged(merged(None, statement(DELIVERY)), other)["Statement"]) == 2


def test_a_bucket_without_a_policy_gets_one():
    assert merged(None, statement(DELIVERY)) == {"Version": "2012-10-17", "Statement": [statement(DELIVERY)]}


@pytest.mark.parametrize("foreign", [[FOREIGN], FOREIGN])
def test_others_statements_stay_as_they_are(foreign):
    policy = {"Version": "2008-10-17", "Id": "P", "Statement": foreign}
    before = deepcopy(policy)
    made = merged(policy, statement(DELIVERY))
    assert made == {"Version": "2008-10-17", "Id": "P", "Statement": [FOREIGN, statement(DELIVERY)]}
    assert policy == before


def test_our_statement_is_replaced_where_it_stands():
    old = {**statement(DELIVERY), "Resource": "arn:aws:s3:::elsewhere/*"}
    policy = {"Version": "2012-10-17", "Statement": [old, FOREIGN, old]}
    assert merged(policy, statement(DELIVERY))["Statement"] == [statement(DELIVERY), FOREIGN]


def test_a_policy_that_says_the_same_in_other_words_is_left_alone():
    ours = statement(DELIVERY)
    same = {**ours, "Action": ["s3:PutObject"], "Resource": [ours["Resource"]]}
    policy = {"Version": "2012-10-17", "Statement": [FOREIGN, same]}
    assert merged(policy, ours) is policy


def test_a_policy_lets_s3_deliver_only_by_a_statement_for_its_service():
    assert lets_deliver(merged(None, statement(DELIVERY)))
    assert not lets_deliver({"Statement": [FOREIGN]})
    assert not lets_deliver(None)


def test_what_may_deny_the_delivery_is_named():
    tls = {"Bool": {"aws:SecureTransport": "false"}}
    deny = {"Effect": "Deny", "Principal": "*", "Resource": "*"}
    policy = {
        "Statement": [
            {**deny, "Sid": "Tls", "Action": "s3:*", "Condition": tls},
            {**deny, "Sid": "Encrypted", "Action": ["s3:Put*"], "Condition": {"Null": {"x": "true"}}},
            {**deny, "Sid": "NoDelete", "Action": "s3:DeleteObject"},
            {**deny, "Action": "*"},
        ]
    }
    assert denials(policy) == ["Encrypted", "number 4"]


@pytest.mark.parametrize(
    ("bucket", "prefix", "there"),
    [
        ("reports", "inventory-reports", True),
        ("reports", "inventory-reports/", True),
        ("reports", "inventory", False),
        ("other", "inventory-reports", False),
    ],
)
def test_a_configuration_reports_to_a_place_whatever_its_slashes(bucket, prefix, there):
    assert reports_to(configuration(DELIVERY), bucket, prefix) is there


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"IsEnabled": False}, "it is switched off"),
        ({"Filter": {"Prefix": "raw/"}}, "it reports only keys below raw/, and the lake is the whole bucket"),
        ({"Schedule": {"Frequency": "Weekly"}}, "it reports weekly, and s3.max_report_age is 48 hours"),
        (
            {"OptionalFields": ["Size"]},
            "its reports lack LastModifiedDate: sizes and freshness cannot be judged by them",
        ),
    ],
)
def test_what_keeps_a_configuration_from_standing_for_the_lake_is_said(change, said):
    assert shortcomings({**configuration(DELIVERY), **change}, "", TWO_DAYS) == [said]


def test_weekly_reports_will_do_where_they_may_be_old_enough():
    weekly = {**configuration(DELIVERY), "Schedule": {"Frequency": "Weekly"}}
    assert shortcomings(weekly, "", timedelta(days=9)) == []


def test_a_filter_covers_the_lake_where_every_key_of_it_begins_so():
    config = {**configuration(DELIVERY), "Filter": {"Prefix": "a/"}}
    assert covers(config, "a/b/")
    assert not covers(config, "ab/")


@pytest.mark.parametrize(
    ("frequency", "at", "due"),
    [
        ("Daily", datetime(2026, 1, 14, 1, tzinfo=UTC), datetime(2026, 1, 15, 1, tzinfo=UTC)),
        ("Weekly", datetime(2026, 1, 14, 1, tzinfo=UTC), datetime(2026, 1, 18, 1, tzinfo=UTC)),
        ("Weekly", datetime(2026, 1, 18, 1, tzinfo=UTC), datetime(2026, 1, 25, 1, tzinfo=UTC)),
    ],
)
def test_the_next_report_begins_a_day_later_or_on_the_next_sunday(frequency, at, due):
    assert next_report(at, {"Schedule": {"Frequency": frequency}}) == due


def test_a_key_is_told_with_both_grants_it_takes():
    said = kms_grants("arn:aws:kms:us-east-1:1:key/k", DELIVERY)
    assert "kms:GenerateDataKey to s3.amazonaws.com" in said
    assert "kms:Decrypt" in said


def test_a_summary_names_what_decides():
    made = summary(configuration(DELIVERY))
    assert made == {
        "id": "recon",
        "enabled": True,
        "format": "Parquet",
        "frequency": "Daily",
        "versions": "Current",
        "fields": ["Size", "LastModifiedDate", "ETag", "StorageClass"],
        "filter": "",
        "kms_key": None,
    }


def test_a_difference_shows_what_goes_and_what_comes():
    now = configuration(DELIVERY)
    lines = difference(now, {**now, "IsEnabled": False})
    assert '-  "IsEnabled": true,' in lines
    assert '+  "IsEnabled": false,' in lines
    assert difference(now, now) == []
