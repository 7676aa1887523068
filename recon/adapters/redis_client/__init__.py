"""The one place that imports the Redis client: connections, Lua scripts, and errors in words.

Owns no keys: `redis_queue`, `ledger` and the SDK name theirs, and reach Redis through the ``Broker`` port.
"""

from recon.adapters.redis_client.asynchronous import AsyncRedisBroker
from recon.adapters.redis_client.broker import Fitness, RedisBroker
from recon.adapters.redis_client.scripts import script_text

__all__ = ["AsyncRedisBroker", "Fitness", "RedisBroker", "script_text"]
