"""Scrapers in Python: take tasks from recon's queues under leases, and say what came of them.

It imports the Redis client and nothing else of recon's dependencies. Other languages: docs/queue-protocol.md.
"""

from recon.sdk.async_consumer import AsyncConsumer, AsyncTask
from recon.sdk.consumer import Consumer, Task

__all__ = ["AsyncConsumer", "AsyncTask", "Consumer", "Task"]
