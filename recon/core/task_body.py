"""What a scrape task says on the wire (body v1), and the identity it is known by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recon.errors import ConfigError
from recon.model import DeadTask, Lease, OutstandingTask, Priority, Reason, ScrapeTask

#: Longest body a consumer has to be ready for; see docs/queue-protocol.md.
MAX_BODY_BYTES = 64 * 1024
#: The version of the body; a change of meaning is a new version on new Redis keys.
BODY_VERSION = 1

Positions = NDArray[np.int64]


class WantedKeys(Protocol):
    """The keys of one wanted group by their rank (0 = most urgent), decoded only when asked for."""

    def keys_at(self, positions: Positions) -> Sequence[str]:
        """Return the keys at ``positions``."""
        ...

    def items_at(self, positions: Positions) -> Sequence[Mapping[str, Any]]:
        """Return the raw values of the placeholders (JSON values) of the keys at ``positions``."""
        ...

    def positions_of(self, keys: Sequence[str]) -> Positions:
        """Return the rank of each key, -1 where the group does not want it."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class WantedGroup:
    """The wanted keys of one gap (data type x partition x reason) and pattern, in rank order.

    ``priorities`` (ascending) and ``due`` (descending within a priority, NaT last) hold one entry a key.
    ``keys`` is None for a counted or any gap: one task that names no key, with one entry in both.
    ``proven`` tells that an object of the data type was observed at least once.
    """

    source: str
    data_type: str
    reason: Reason
    partition: Mapping[str, str]
    scraper: str
    pattern: str
    first_seen_at: datetime
    priorities: NDArray[np.uint8]
    due: NDArray[np.datetime64]
    keys: WantedKeys | None
    expect: Mapping[str, Any]
    args: tuple[str, ...] = ()
    batch_size: int = 50
    proven: bool = True


@dataclass(frozen=True, slots=True)
class TaskBody:
    """A body read back from the queue: what was published, whatever the inventory says today."""

    id: str
    source: str
    data_type: str
    reason: Reason
    partition: Mapping[str, str]
    keys: tuple[str, ...]
    document: Mapping[str, Any]


def task_id(lake: str, group: WantedGroup, keys: Sequence[str]) -> str:
    """Return the identity of a task: 32 hex digits that name the same work in every cycle.

    It is blake2b-128 over length-prefixed (4 bytes, big-endian) UTF-8 of lake, source, data type, reason
    and the sorted keys; with no keys, over the partition's sorted names and values and the pattern instead.
    """
    parts = [lake, group.source, group.data_type, group.reason.value]
    if keys:
        parts += sorted(keys)
    else:
        parts += [text for pair in sorted(group.partition.items()) for text in pair]
        parts.append(group.pattern)
    state = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        state.update(len(raw).to_bytes(4, "big") + raw)
    return state.hexdigest()


def new_tasks(
    lake: str,
    group: WantedGroup,
    keys: Sequence[str],
    items: Sequence[Mapping[str, Any]],
    priorities: Sequence[int],
) -> list[ScrapeTask]:
    """Return the tasks for ``keys``: one, or several where one body would exceed ``MAX_BODY_BYTES``.

    Raises ``ConfigError`` where a body of one key is already too long.
    """
    name = task_id(lake, group, keys)
    priority = Priority(min(priorities))
    body = _body(lake, group, name, priority=priority, keys=keys, items=items, carried={})
    if len(body) <= MAX_BODY_BYTES:
        return [ScrapeTask(name, priority, group.source, body)]
    if len(keys) < 2:
        raise ConfigError(
            f"{group.source}.{group.data_type}: the task for {keys or dict(group.partition)} takes "
            f"{len(body)} bytes, expected at most {MAX_BODY_BYTES}. Next: shorten the scraper's args.",
        )
    half = len(keys) // 2
    return [
        *new_tasks(lake, group, keys[:half], items[:half], priorities[:half]),
        *new_tasks(lake, group, keys[half:], items[half:], priorities[half:]),
    ]


def revised_task(
    lake: str,
    group: WantedGroup,
    stored: TaskBody,
    *,
    keys: Sequence[str],
    items: Sequence[Mapping[str, Any]],
    priority: Priority,
) -> ScrapeTask:
    """Return ``stored`` as ``group`` would word it today for ``keys``, under the same id.

    Instants that only say when the work was first seen are carried over, so that an unchanged gap gives
    the same bytes in every cycle.
    """
    body = _body(lake, group, stored.id, priority=priority, keys=keys, items=items, carried=stored.document)
    return ScrapeTask(stored.id, priority, group.source, body)


def counted_name(source: str, data_type: str, partition: Mapping[str, str]) -> str:
    """Return what a partition without named keys is called in the books."""
    places = ",".join(f"{name}={value}" for name, value in sorted(partition.items())) or "-"
    return f"{source}.{data_type} {places}"


def read_body(task: ScrapeTask | OutstandingTask | Lease | DeadTask) -> TaskBody | None:
    """Return the body of a task, or None where it is not a body v1 of that id."""
    body = body_read(task.body)
    return body if body is not None and body.id == task.id else None


def body_read(text: bytes) -> TaskBody | None:
    """Return a body as it stands in a queue, or None where it is no body v1."""
    try:
        document = json.loads(text)
        partition, keys = document["partition"], document["keys"]
        sound = (
            isinstance(document["id"], str)
            and document["v"] == BODY_VERSION
            and all(isinstance(value, str) for value in (*keys, *partition.values()))
        )
        body = TaskBody(
            id=document["id"],
            source=str(document["source"]),
            data_type=str(document["data_type"]),
            reason=Reason(document["reason"]),
            partition=partition,
            keys=tuple(keys),
            document=document,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return body if sound else None


def _body(
    lake: str,
    group: WantedGroup,
    name: str,
    *,
    priority: Priority,
    keys: Sequence[str],
    items: Sequence[Mapping[str, Any]],
    carried: Mapping[str, Any],
) -> bytes:
    document = {
        "id": name,
        "v": BODY_VERSION,
        "priority": priority.label,
        "lake": lake,
        "source": group.source,
        "data_type": group.data_type,
        "scraper": group.scraper,
        "reason": group.reason.value,
        "partition": dict(group.partition),
        "pattern": group.pattern,
        "keys": list(keys),
        "items": [dict(item) for item in items],
        "expect": _expectation(group.expect, carried.get("expect")),
        "args": list(group.args),
        "first_seen_at": carried.get("first_seen_at") or _instant(group.first_seen_at),
    }
    return written(document)


def written(document: Mapping[str, Any]) -> bytes:
    """Return a body as it goes over the wire: ASCII, no spaces, its fields in their order."""
    return json.dumps(document, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _expectation(expect: Mapping[str, Any], stored: object) -> dict[str, Any]:
    """Return ``expect`` with the stored ``fresh_after``: it moves with the clock, the gap does not."""
    wanted = dict(expect)
    if isinstance(stored, dict) and "fresh_after" in stored and "fresh_after" in wanted:
        wanted["fresh_after"] = stored["fresh_after"]
    return wanted


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
