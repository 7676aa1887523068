"""One server, spoken to from an event loop: scripts and commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.commands.core import AsyncScript

from recon.adapters.redis_client.connection import REPLY_TIMEOUT_S, RETRIES, UNUSABLE_URL, backoff, options
from recon.adapters.redis_client.failures import broker_errors
from recon.adapters.redis_client.scripts import script_text
from recon.errors import BrokerError


class AsyncRedisBroker:
    """What ``RedisBroker`` is to threads, for one event loop; close it when done."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._scripts: dict[str, AsyncScript] = {}

    @classmethod
    def connect(cls, url: str, *, reply_timeout_s: float = REPLY_TIMEOUT_S) -> AsyncRedisBroker:
        """Return a broker for ``redis://``, ``rediss://`` or ``unix://``; connects at the first command."""
        try:
            client = Redis.from_url(url, retry=Retry(backoff(), RETRIES), **options(reply_timeout_s))
        except ValueError as error:
            raise BrokerError(UNUSABLE_URL.format(error=error)) from error
        return cls(client)

    async def run(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Run one Lua script by name, as one atomic step; a script that the server forgot is sent again."""
        with broker_errors(script):
            if script not in self._scripts:
                self._scripts[script] = self._client.register_script(script_text(script))
            return await self._scripts[script](keys=list(keys), args=list(args))

    async def command(self, *parts: str | bytes | int) -> Any:
        """Run one Redis command."""
        with broker_errors(str(parts[0])):
            return await self._client.execute_command(*parts)  # type: ignore[no-untyped-call]  # redis-py leaves it bare

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()
