"""How AWS delivers reports: a bucket's configurations, its policy and encryption, and the account.

Outside names: S3's bucket inventory, policy and encryption calls, and STS GetCallerIdentity; credentials,
region and profile come by boto3's own chain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from recon.core.inventory_setup import Document
from recon.errors import AccessDeniedError, LakeError, LakeUnreachableError
from recon.ports import Owner

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_DENIED = {"AccessDenied", "AllAccessDisabled", "Forbidden", "UnauthorizedOperation"}
_CREDENTIALS = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "InvalidClientTokenId",
}
#: How servers say that there is none of what was asked for.
_ABSENT = {"NoSuchBucketPolicy", "ServerSideEncryptionConfigurationNotFoundError"}
#: The next step by AWS's code, and for any other.
_STEPS = {
    "InvalidS3DestinationBucket": "It must lie in the source's region: check s3.inventory_bucket.",
    "NotImplemented": "This server delivers no inventory reports; AWS does.",
    "TooManyConfigurations": "A bucket has 1,000 at most: delete one, or set s3.inventory_config_id to one.",
}
_STEP = "Check s3.inventory_bucket, s3.inventory_prefix, s3.inventory_config_id and s3.endpoint_url."
_T = TypeVar("_T")


class S3InventorySetup:
    """Reads and changes a bucket's report delivery (a ``recon.ports.InventoryAdmin``)."""

    def __init__(self, *, endpoint_url: str | None, region: str | None, profile: str | None) -> None:
        self._asked = (endpoint_url, region, profile)
        self._session: Any = None

    def owner(self, account: str | None) -> Owner:
        """Return the account of the buckets (the caller's, where none is told) and its partition."""
        with _errors("ask STS for the account", "sts:GetCallerIdentity", "pass --account"):
            if account is not None:
                return Owner(account, str(self._s3().meta.partition))
            answer = self._sts().get_caller_identity()
        return Owner(answer["Account"], answer["Arn"].split(":")[1])

    def configurations(self, bucket: str) -> list[Document]:
        """Return a bucket's inventory configurations."""
        with _errors(f"read the inventory configurations of s3://{bucket}", "s3:GetInventoryConfiguration"):
            client = self._s3()
            # A listing's items are asked for one by one: servers that speak S3 garble their fields in lists.
            return [_configuration(client, bucket, name) for name in _config_ids(client, bucket)]

    def policy(self, bucket: str) -> Document | None:
        """Return a bucket's policy, if it has one."""
        doing = f"read the policy of s3://{bucket}"
        with _errors(doing, "s3:GetBucketPolicy"):
            answer = _unless_absent(lambda: self._s3().get_bucket_policy(Bucket=bucket))
        if answer is None:
            return None
        try:
            document = json.loads(answer["Policy"])
        except ValueError as error:
            raise LakeError(f"cannot {doing}: it is no JSON. Look at it in the S3 console.") from error
        if not isinstance(document, dict):
            raise LakeError(f"cannot {doing}: it is no JSON object. Look at it in the S3 console.")
        return document

    def kms_key(self, bucket: str) -> str | None:
        """Return the KMS key that a bucket encrypts new objects with; None where it uses S3's own."""
        with _errors(f"read the encryption of s3://{bucket}", "s3:GetEncryptionConfiguration"):
            answer = _unless_absent(lambda: self._s3().get_bucket_encryption(Bucket=bucket))
        rules = [] if answer is None else answer["ServerSideEncryptionConfiguration"]["Rules"]
        for rule in rules:
            default = rule.get("ApplyServerSideEncryptionByDefault", {})
            if str(default.get("SSEAlgorithm", "")).startswith("aws:kms"):
                return str(default.get("KMSMasterKeyID") or "aws/s3")
        return None

    def put_policy(self, bucket: str, policy: Document) -> None:
        """Replace a bucket's policy."""
        with _errors(f"change the policy of s3://{bucket}", "s3:PutBucketPolicy"):
            self._s3().put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def put_configuration(self, bucket: str, config: Document) -> None:
        """Put one inventory configuration of a bucket."""
        doing = f"put the inventory configuration {config['Id']} of s3://{bucket}"
        with _errors(doing, "s3:PutInventoryConfiguration"):
            body: Any = dict(config)
            self._s3().put_bucket_inventory_configuration(
                Bucket=bucket, Id=config["Id"], InventoryConfiguration=body
            )

    def _sts(self) -> Any:
        """Return STS: where AWS or the environment has it, else at the server that plays S3."""
        endpoint_url, _, _ = self._asked
        client = self._client("sts")
        if endpoint_url and _is_aws(client.meta.endpoint_url) and not _is_aws(endpoint_url):
            return self._client("sts", endpoint_url)
        return client

    def _s3(self) -> S3Client:
        client: S3Client = self._client("s3", self._asked[0])
        return client

    def _client(self, service: str, endpoint_url: str | None = None) -> Any:
        _, region, profile = self._asked
        if self._session is None:
            self._session = boto3.session.Session(profile_name=profile, region_name=region)
        region = self._session.region_name or "us-east-1"
        return self._session.client(service, region_name=region, endpoint_url=endpoint_url)


def _code(error: ClientError) -> str:
    """Return AWS's code of an error; "" where a proxy answered in its place."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _is_aws(url: str) -> bool:
    return (urlsplit(url).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _configuration(client: S3Client, bucket: str, name: str) -> Document:
    answer = client.get_bucket_inventory_configuration(Bucket=bucket, Id=name)
    found: Document = answer["InventoryConfiguration"]
    return found


def _config_ids(client: S3Client, bucket: str) -> Iterator[str]:
    asked: dict[str, Any] = {"Bucket": bucket}
    while True:
        answer = client.list_bucket_inventory_configurations(**asked)
        yield from (item["Id"] for item in answer.get("InventoryConfigurationList", ()))
        token = answer.get("NextContinuationToken")
        if not answer.get("IsTruncated") or not token:
            return
        asked["ContinuationToken"] = token


def _unless_absent(ask: Callable[[], _T]) -> _T | None:
    try:
        return ask()
    except ClientError as error:
        if _code(error) in _ABSENT:
            return None
        raise


@contextmanager
def _errors(doing: str, action: str, otherwise: str = "") -> Iterator[None]:
    """Turn AWS's errors into sentences: what could not be done, and which IAM action it takes."""
    try:
        yield
    except ClientError as error:
        raise _refusal(error, doing, action, otherwise) from error
    except BotoCoreError as error:
        raise LakeUnreachableError(
            f"cannot {doing}: {error}. Check s3.profile, s3.region, s3.endpoint_url and the credentials"
            f"{f', or {otherwise}' if otherwise else ''}."
        ) from error


def _refusal(error: ClientError, doing: str, action: str, otherwise: str) -> LakeError:
    code = _code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    cannot = f"cannot {doing}"
    if code in _CREDENTIALS:
        return AccessDeniedError(f"{cannot}: {code}. Check s3.profile and AWS_*, or sign in again.")
    if code in _DENIED or status in {401, 403}:
        step = f"Grant {action} to the caller{f', or {otherwise}' if otherwise else ''}."
        return AccessDeniedError(f"{cannot}: access is denied ({code or status}). {step}")
    if code == "NoSuchBucket":
        return LakeUnreachableError(
            f"{cannot}: there is no such bucket. Check lake, s3.inventory_bucket and s3.endpoint_url."
        )
    if code == "MethodNotAllowed":
        return AccessDeniedError(f"{cannot}: another account owns it. Ask its owner to put the policy.")
    said = f"HTTP {status} {code} {error.response.get('Error', {}).get('Message', '')}".rstrip(". ")
    return LakeError(f"{cannot}: {said}. {_STEPS.get(code, _STEP)}")
