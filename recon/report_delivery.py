"""Make AWS deliver reports of the lake's bucket: what is there, what it should be, and the change to it."""

from __future__ import annotations

from dataclasses import dataclass

from recon.core.inventory_setup import (
    CONFIG_ID,
    Delivery,
    Document,
    configuration,
    denials,
    kms_grants,
    kms_key,
    merged,
    reports_to,
    statement,
)
from recon.errors import AccessDeniedError, ConfigError, LakeError
from recon.ports import InventoryAdmin


@dataclass(frozen=True, slots=True)
class Wish:
    """What the settings ask for; ``config_id`` None means that the only one there, or a new one, is meant."""

    source: str
    lake_prefix: str
    config_id: str | None
    bucket: str
    prefix: str
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Both documents as they are (None: there is none) and as they should be, and what to know of them."""

    delivery: Delivery
    configuration_now: Document | None
    configuration: Document
    policy_now: Document | None
    policy: Document
    notes: tuple[str, ...]

    @property
    def of_configuration(self) -> str:
        """Return what happens to the configuration: ``none``, ``create`` or ``replace``."""
        return _kind(self.configuration_now, self.configuration, "replace")

    @property
    def of_policy(self) -> str:
        """Return what happens to the policy: ``none``, ``create`` or ``update``."""
        return _kind(self.policy_now, self.policy, "update")

    @property
    def is_any(self) -> bool:
        """Tell whether anything is to be changed."""
        return {self.of_configuration, self.of_policy} != {"none"}


def change(admin: InventoryAdmin, wish: Wish) -> Change:
    """Return what is to be changed; nothing is written.

    Raises:
        ConfigError: Others report to that place, and the settings do not say which configuration counts.
        LakeError: A document cannot be read.
    """
    found = admin.configurations(wish.source)
    config_id = wish.config_id or CONFIG_ID
    if wish.config_id is None:
        _refuse_a_second(wish, found)
    owner = admin.owner(wish.account)
    delivery = Delivery(
        wish.source, wish.lake_prefix, config_id, wish.bucket, wish.prefix, owner.account, owner.partition
    )
    existing = next((item for item in found if item.get("Id") == config_id), None)
    config = configuration(delivery, existing)
    policy = admin.policy(wish.bucket)
    notes = [
        f"the policy of s3://{wish.bucket} also denies writing (statement {name}): where no report arrives "
        f"within 48 hours, let s3.amazonaws.com pass there"
        for name in denials(policy)
    ]
    return Change(
        delivery,
        existing,
        config,
        policy,
        merged(policy, statement(delivery)),
        (*_encryption(admin, delivery, config), *notes),
    )


def carry_out(admin: InventoryAdmin, planned: Change, wish: Wish) -> None:
    """Put what differs: the policy first, since S3 may deliver at once.

    Raises:
        LakeError: What was shown is no longer so, and nothing was put; or a document was refused.
    """
    if change(admin, wish) != planned:
        raise LakeError(
            "the policy or the configuration was changed by someone else meanwhile; nothing was put. "
            "Run it again, to see both as they are now."
        )
    if planned.of_policy != "none":
        admin.put_policy(planned.delivery.bucket, planned.policy)
    if planned.of_configuration != "none":
        try:
            admin.put_configuration(planned.delivery.source, planned.configuration)
        except LakeError as error:
            if planned.of_policy == "none":
                raise
            raise type(error)(f"{error} The policy was put already; running it again goes on.") from error


def _refuse_a_second(wish: Wish, found: list[Document]) -> None:
    """Refuse to put one configuration beside others: their reader could not tell whose reports count."""
    others = sorted(str(item.get("Id")) for item in found if reports_to(item, wish.bucket, wish.prefix))
    if set(others) <= {CONFIG_ID}:
        return
    raise ConfigError(
        f"s3://{wish.source} has other configurations that report to s3://{wish.bucket}/{wish.prefix}: "
        f"{', '.join(others)}; nothing was changed. Set s3.inventory_config_id to one of them to use it, or "
        f"to {CONFIG_ID} to have another beside them"
    )


def _encryption(admin: InventoryAdmin, delivery: Delivery, config: Document) -> list[str]:
    key = kms_key(config)
    try:
        key = key or admin.kms_key(delivery.bucket)
    except AccessDeniedError as error:
        return [f"whether reports will be encrypted with a KMS key cannot be told: {error}"]
    return [] if key is None else [kms_grants(key, delivery)]


def _kind(now: Document | None, wanted: Document, changed: str) -> str:
    if now is None:
        return "create"
    return "none" if now == wanted else changed
