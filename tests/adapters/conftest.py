"""Fixtures that several adapters' tests share."""

from redis_servers import _shared_server, broker, redis_server

__all__ = ["_shared_server", "broker", "redis_server"]
