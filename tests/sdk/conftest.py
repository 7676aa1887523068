"""Fixtures that the SDK's tests share."""

from redis_servers import _shared_server, broker, redis_server
from scraper_queue import queue

__all__ = ["_shared_server", "broker", "queue", "redis_server"]
