"""The two documents that make AWS deliver S3 Inventory reports: the source's configuration, the policy.

Formats: https://docs.aws.amazon.com/AmazonS3/latest/API/API_InventoryConfiguration.html and the example of
https://docs.aws.amazon.com/AmazonS3/latest/userguide/example-bucket-policies.html.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import unified_diff
from fnmatch import fnmatchcase
from typing import Any

#: A document as AWS's API and its policies spell it.
Document = Mapping[str, Any]

#: The configuration's name where the settings tell none.
CONFIG_ID = "recon"
#: Where reports go where the settings do not say.
PREFIX = "inventory-reports"
#: What reports must tell beside the key; Size and LastModifiedDate decide verdicts.
FIELDS = ("Size", "LastModifiedDate", "ETag", "StorageClass")
_DECISIVE = FIELDS[:2]
_SERVICE = "s3.amazonaws.com"
_SUNDAY = 6


@dataclass(frozen=True, slots=True)
class Delivery:
    """Whose reports go where.

    ``lake_prefix`` is the lake's folder in the ``source`` bucket: "" or with a slash at its end. ``prefix``
    is a folder of the destination ``bucket``, without slashes around. ``account`` owns both buckets.
    """

    source: str
    lake_prefix: str
    config_id: str
    bucket: str
    prefix: str
    account: str
    partition: str = "aws"

    @property
    def place(self) -> str:
        """Return the destination, for people."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def arn(self, bucket: str) -> str:
        """Return a bucket's ARN."""
        return f"arn:{self.partition}:s3:::{bucket}"


def configuration(delivery: Delivery, existing: Document | None = None) -> dict[str, Any]:
    """Return the configuration that recon needs.

    Where ``existing`` has more than that (further fields, all versions, a wider filter, an encryption), it
    stays so: others may read the reports too.
    """
    kept: Document = existing or {}
    fields = tuple(kept.get("OptionalFields", ()))
    wanted = {
        "Id": delivery.config_id,
        "IsEnabled": True,
        "Destination": {"S3BucketDestination": _destination(delivery, kept)},
        "IncludedObjectVersions": kept.get("IncludedObjectVersions", "Current"),
        "OptionalFields": [*fields, *(name for name in FIELDS if name not in fields)],
        "Schedule": {"Frequency": "Daily"},
    }
    narrowed = (
        filter_prefix(kept) if existing and covers(kept, delivery.lake_prefix) else delivery.lake_prefix
    )
    return {**wanted, "Filter": {"Prefix": narrowed}} if narrowed else wanted


def statement(delivery: Delivery) -> dict[str, Any]:
    """Return the policy statement that lets S3 write the source's reports below the prefix, and no more."""
    # One destination may serve several sources, and a Sid stands in a policy once.
    source = hashlib.sha256(delivery.source.encode()).hexdigest()[:8]
    below = f"{delivery.prefix}/*" if delivery.prefix else "*"
    return {
        "Sid": f"ReconInventory{source}",
        "Effect": "Allow",
        "Principal": {"Service": _SERVICE},
        "Action": "s3:PutObject",
        "Resource": f"{delivery.arn(delivery.bucket)}/{below}",
        "Condition": {
            "ArnLike": {"aws:SourceArn": delivery.arn(delivery.source)},
            "StringEquals": {
                "aws:SourceAccount": delivery.account,
                "s3:x-amz-acl": "bucket-owner-full-control",
            },
        },
    }


def merged(policy: Document | None, ours: Document) -> Document:
    """Return a policy with our statement, in the place of the one with its Sid; the others stay as they are.

    A policy that says the same already is returned itself.
    """
    if policy is None:
        return {"Version": "2012-10-17", "Statement": [ours]}
    statements = _statements(policy)
    same = [place for place, item in enumerate(statements) if item.get("Sid") == ours["Sid"]]
    if len(same) == 1 and _plain(statements[same[0]]) == _plain(ours):
        return policy
    others = [item for item in statements if item.get("Sid") != ours["Sid"]]
    place = same[0] if same else len(others)
    return {**policy, "Statement": [*others[:place], ours, *others[place:]]}


def lets_deliver(policy: Document | None) -> bool:
    """Tell whether a policy has a statement that lets S3's service write objects at all."""
    return any(
        item.get("Effect") == "Allow" and _SERVICE in str(item.get("Principal", "")) and _is_of_puts(item)
        for item in _statements(policy or {})
    )


def denials(policy: Document | None) -> list[str]:
    """Return the statements that may deny S3 the writing of reports, by Sid or number; TLS it always uses."""
    harmless = {"Bool": {"aws:SecureTransport": "false"}}
    return [
        str(item.get("Sid") or f"number {number}")
        for number, item in enumerate(_statements(policy or {}), start=1)
        if item.get("Effect") == "Deny" and _is_of_puts(item) and _plain(item.get("Condition")) != harmless
    ]


def reports_to(config: Document, bucket: str, prefix: str) -> bool:
    """Tell whether a configuration delivers to a place; slashes around the prefix make no other place."""
    place = _place(config)
    arrives = str(place.get("Bucket", "")).rpartition(":")[2]
    return arrives == bucket and str(place.get("Prefix", "")).strip("/") == prefix.strip("/")


def filter_prefix(config: Document) -> str:
    """Return what the reported keys begin with; "" where all are reported."""
    return str(config.get("Filter", {}).get("Prefix", ""))


def covers(config: Document, lake_prefix: str) -> bool:
    """Tell whether a configuration reports every key below the lake's folder."""
    return lake_prefix.startswith(filter_prefix(config))


def kms_key(config: Document) -> str | None:
    """Return the KMS key that a configuration has its reports encrypted with, if any."""
    encryption = _place(config).get("Encryption") or {}
    key = (encryption.get("SSEKMS") or {}).get("KeyId")
    return None if key is None else str(key)


def kms_grants(key: str, delivery: Delivery) -> str:
    """Return what must be granted where reports are encrypted with a KMS key."""
    return (
        f"reports are encrypted with the KMS key {key}: its key policy must grant kms:GenerateDataKey to "
        f"{_SERVICE} (aws:SourceArn {delivery.arn(delivery.source)}, aws:SourceAccount {delivery.account}), "
        "and recon's role needs kms:Decrypt on it; the AWS managed key aws/s3 cannot be used for reports"
    )


def summary(config: Document) -> dict[str, Any]:
    """Return what ``status`` shows of a configuration."""
    place = _place(config)
    return {
        "id": config.get("Id"),
        "enabled": config.get("IsEnabled") is True,
        "format": place.get("Format"),
        "frequency": _frequency(config),
        "versions": config.get("IncludedObjectVersions"),
        "fields": list(config.get("OptionalFields", ())),
        "filter": filter_prefix(config),
        "kms_key": kms_key(config),
    }


def shortcomings(config: Document, lake_prefix: str, oldest: timedelta) -> list[str]:
    """Return what keeps a configuration's reports from standing for the lake."""
    found = []
    if config.get("IsEnabled") is not True:
        found.append("it is switched off")
    if not covers(config, lake_prefix):
        lake = lake_prefix or "the whole bucket"
        found.append(f"it reports only keys below {filter_prefix(config)}, and the lake is {lake}")
    if _frequency(config) == "Weekly" and oldest < timedelta(days=7):
        hours = oldest.total_seconds() / 3600
        found.append(f"it reports weekly, and s3.max_report_age is {hours:.0f} hours")
    missing = [name for name in _DECISIVE if name not in config.get("OptionalFields", ())]
    if missing:
        found.append(f"its reports lack {', '.join(missing)}: sizes and freshness cannot be judged by them")
    return found


def next_report(as_of: datetime, config: Document) -> datetime:
    """Return about when the report after the one of ``as_of`` begins; weekly ones come on Sundays (UTC)."""
    weekly = _frequency(config) == "Weekly"
    days = (_SUNDAY - as_of.weekday()) % 7 or 7 if weekly else 1
    return as_of + timedelta(days=days)


def difference(now: Document | None, wanted: Document) -> list[str]:
    """Return the lines by which two documents differ, as a unified diff."""
    before = [] if now is None else _lines(now)
    return [line.rstrip("\n") for line in unified_diff(before, _lines(wanted), "now", "wanted", n=2)]


def _destination(delivery: Delivery, kept: Document) -> dict[str, Any]:
    old = _place(kept)
    place = {"Bucket": delivery.arn(delivery.bucket), "Format": "Parquet"}
    if reports_to(kept, delivery.bucket, delivery.prefix):
        same = {name: old[name] for name in ("AccountId", "Prefix", "Encryption") if name in old}
        return {**place, **same}
    place = {"AccountId": delivery.account, **place}
    return {**place, "Prefix": delivery.prefix} if delivery.prefix else place


def _place(config: Document) -> Document:
    place: Document = config.get("Destination", {}).get("S3BucketDestination", {})
    return place


def _frequency(config: Document) -> str:
    return str(config.get("Schedule", {}).get("Frequency", ""))


def _statements(policy: Document) -> list[Document]:
    """Return a policy's statements; a single one may stand without a list."""
    found = policy.get("Statement", [])
    return [found] if isinstance(found, Mapping) else list(found)


def _is_of_puts(item: Document) -> bool:
    """Tell whether a statement speaks of PutObject; one by NotAction may."""
    actions = item.get("Action", "*")
    named = [actions] if isinstance(actions, str) else actions
    return any(fnmatchcase("s3:putobject", str(action).lower()) for action in named)


def _plain(value: Any) -> Any:
    """Return a document as its meaning: a list of one is its element, and order is none."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        found = [_plain(inner) for inner in value]
        return (
            found[0] if len(found) == 1 else sorted(found, key=lambda item: json.dumps(item, sort_keys=True))
        )
    return str(value).lower() if isinstance(value, bool) else value


def _lines(document: Document) -> list[str]:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False).splitlines(keepends=True)
