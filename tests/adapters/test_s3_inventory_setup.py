"""AWS's answers about a bucket's reports: pages of configurations, absences, and answers that are none."""

from __future__ import annotations

import pytest
from aws_server import aws
from s3_server import use_credentials

from recon.adapters.s3_inventory_setup import S3InventorySetup
from recon.core.inventory_setup import Delivery, configuration
from recon.errors import AccessDeniedError, LakeError, LakeUnreachableError
from recon.ports import Owner

CONFIG = configuration(Delivery("lake", "", "recon", "lake", "inventory-reports", "1"))


@pytest.fixture(scope="module")
def server():
    with aws() as made:
        yield made


@pytest.fixture
def bucket(server, monkeypatch, request):
    use_credentials(monkeypatch)
    server.denied.clear()
    server.answers.clear()
    return server.bucket(f"b{abs(hash(request.node.nodeid)) % 10**12}")


def setup(url: str) -> S3InventorySetup:
    return S3InventorySetup(endpoint_url=url, region=None, profile=None)


def test_configurations_of_every_page_are_read(server, bucket):
    names = ["a", "b", "c"]
    for name in names:
        server.s3.put_bucket_inventory_configuration(
            Bucket=bucket, Id=name, InventoryConfiguration={**CONFIG, "Id": name}
        )
    head = "<?xml version='1.0'?><ListInventoryConfigurationsResult>"
    item = "<InventoryConfiguration><Id>{}</Id></InventoryConfiguration>"
    tail = "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>"
    end = "</ListInventoryConfigurationsResult>"
    server.answers["inventory"] = (200, f"{head}{item.format('a')}{tail}{end}".encode())
    server.answers["inventory&continuation-token=t"] = (
        200,
        f"{head}{item.format('b')}{item.format('c')}<IsTruncated>false</IsTruncated>{end}".encode(),
    )
    found = setup(server.url).configurations(bucket)
    assert [item["Id"] for item in found] == names
    assert found[0]["OptionalFields"] == ["Size", "LastModifiedDate", "ETag", "StorageClass"]


def test_what_a_bucket_does_not_have_is_none(server, bucket):
    found = setup(server.url)
    assert found.configurations(bucket) == []
    assert found.policy(bucket) is None
    assert found.kms_key(bucket) is None


def test_a_bucket_of_kms_without_a_named_key_has_the_managed_one(server, bucket):
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    server.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert setup(server.url).kms_key(bucket) == "aws/s3"


def test_the_account_is_the_callers_by_the_sts_of_the_server_that_plays_s3(server, bucket):
    assert setup(server.url).owner(None) == Owner("123456789012", "aws")


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_told_account_is_not_asked_for(server, bucket, region, partition):
    server.called.clear()
    admin = S3InventorySetup(endpoint_url=server.url, region=region, profile=None)
    assert admin.owner("111122223333") == Owner("111122223333", partition)
    assert server.called == []


@pytest.mark.parametrize("body", [b"not json", b"[1]"])
def test_a_policy_that_is_none_is_not_taken_for_no_policy(server, bucket, body):
    server.answers["policy"] = (200, body)
    with pytest.raises(LakeError, match="it is no JSON"):
        setup(server.url).policy(bucket)


def test_a_proxy_that_denies_is_said_with_its_status(server, bucket):
    server.answers["policy"] = (403, b"<html>Sign in</html>")
    with pytest.raises(AccessDeniedError, match=r"access is denied \(\S+\). Grant s3:GetBucketPolicy"):
        setup(server.url).policy(bucket)


@pytest.mark.parametrize(
    ("status", "code", "step"),
    [
        (400, "InvalidS3DestinationBucket", "in the source's region"),
        (501, "NotImplemented", "delivers no inventory reports"),
        (400, "Unforeseen", "Check s3.inventory_bucket"),
    ],
)
def test_a_refusal_is_said_as_it_came_with_the_next_step(server, bucket, status, code, step):
    body = f"<Error><Code>{code}</Code><Message>Not here.</Message></Error>"
    server.answers["policy"] = (status, body.encode())
    with pytest.raises(LakeError, match=rf"HTTP {status} {code} Not here\. .*{step}"):
        setup(server.url).policy(bucket)


def test_a_bucket_that_is_not_there_is_said(server, bucket):
    with pytest.raises(LakeUnreachableError, match="there is no such bucket"):
        setup(server.url).configurations("no-such-bucket-here")


def test_a_server_that_is_not_there_is_said(server, bucket, monkeypatch):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(LakeUnreachableError, match=r"cannot read the policy of s3://b"):
        setup("http://127.0.0.1:1").policy("b")


def test_a_profile_that_is_not_there_is_said(server, bucket):
    admin = S3InventorySetup(endpoint_url=server.url, region=None, profile="nobody")
    with pytest.raises(LakeUnreachableError, match="nobody"):
        admin.policy(bucket)
