"""Settings -> the scrapers' queues and the Redis servers, without the engine.

It imports neither Arrow nor Polars: who looks at queues, or sets a task right, needs no more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from recon.access import broker, queues_address, state
from recon.adapters.redis_client import RedisBroker
from recon.adapters.redis_queue import RedisTaskQueue
from recon.adapters.state_queue import StateTaskQueue
from recon.model import Priority
from recon.settings import Settings

if TYPE_CHECKING:  # ports describe Arrow batches
    from recon.ports import TaskQueue


def queues(chosen: Settings) -> TaskQueue:
    """Return the scrapers' queues alone, for a look or a hand."""
    return queues_on(chosen, servers(chosen))


def queues_on(chosen: Settings, redis: Mapping[str, RedisBroker]) -> TaskQueue:
    """Return the scrapers' queues where the settings have them: on one of these servers, or in the state."""
    return StateTaskQueue(state(chosen), lake=chosen.lake) if _by_file(chosen) else task_queue(chosen, redis)


def servers(chosen: Settings) -> dict[str, RedisBroker]:
    """Return the Redis servers by the key that names them; the queues' where it is another, and used."""
    address = broker(chosen).redis
    found = {"broker": RedisBroker.connect(address)}
    apart = None if _by_file(chosen) else queues_address(chosen)
    if apart is not None and apart != address:
        found["queues.url"] = RedisBroker.connect(apart)
    return found


def task_queue(chosen: Settings, redis: Mapping[str, RedisBroker]) -> RedisTaskQueue:
    """Return the scrapers' queues on the server that holds them."""
    return RedisTaskQueue(
        redis["queues.url"] if "queues.url" in redis else redis["broker"],
        prefix=chosen.queues.prefix,
        lake=chosen.lake,
        caps=caps(chosen),
        max_per_run=chosen.task_queue.max_tasks_per_run,
        visibility_s=chosen.queues.visibility_s,
        dead_kept_s=chosen.task_queue.task_ttl_days * 86400,
    )


def caps(chosen: Settings) -> dict[Priority, int]:
    """Return how many tasks of each level may be outstanding."""
    told = chosen.task_queue.max_tasks_per_priority
    return {level: getattr(told, level.label) for level in Priority}


def _by_file(chosen: Settings) -> bool:
    return chosen.task_queue.mode == "file"
