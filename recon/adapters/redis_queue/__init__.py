"""The scrapers' queues on Redis: the engine's side (tasks) and a careful consumer's (leases)."""

from recon.adapters.redis_queue.leases import RedisLeases
from recon.adapters.redis_queue.tasks import BATCH, DEFAULT_CAPS, RedisTaskQueue

__all__ = ["BATCH", "DEFAULT_CAPS", "RedisLeases", "RedisTaskQueue"]
