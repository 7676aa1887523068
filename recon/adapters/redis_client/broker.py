"""One server, spoken to from threads: scripts, commands, and whether it is fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import redis
from redis.commands.core import Script
from redis.retry import Retry

from recon.adapters.redis_client.connection import REPLY_TIMEOUT_S, RETRIES, UNUSABLE_URL, backoff, options
from recon.adapters.redis_client.failures import broker_errors
from recon.adapters.redis_client.scripts import script_text
from recon.errors import BrokerError

#: The oldest server that this project's tests run on; LPOS, which the scripts use, came with 6.0.6.
MINIMUM_VERSION = (6, 2)

#: What WAITAOF says where it cannot work.
_CANNOT_TELL = ("unknown command", "appendonly is disabled")


@dataclass(frozen=True, slots=True)
class Fitness:
    """What is wrong with a server, one sentence each: ``refused`` makes it unfit, ``warned`` risks tasks."""

    refused: tuple[str, ...] = ()
    warned: tuple[str, ...] = ()


class RedisBroker:
    """A ``Broker`` over one Redis or Valkey server; close it when done."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._scripts: dict[str, Script] = {}

    @classmethod
    def connect(
        cls, url: str, *, reply_timeout_s: float = REPLY_TIMEOUT_S, retries: int = RETRIES
    ) -> RedisBroker:
        """Return a broker for ``redis://``, ``rediss://`` or ``unix://``; connects at the first command."""
        try:
            client = redis.Redis.from_url(url, retry=Retry(backoff(), retries), **options(reply_timeout_s))
        except ValueError as error:
            raise BrokerError(UNUSABLE_URL.format(error=error)) from error
        return cls(client)

    def run(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Run one Lua script by name, as one atomic step; a script that the server forgot is sent again."""
        with broker_errors(script):
            if script not in self._scripts:
                self._scripts[script] = self._client.register_script(script_text(script))
            return self._scripts[script](keys=list(keys), args=list(args))

    def command(self, *parts: str | bytes | int) -> Any:
        """Run one Redis command."""
        with broker_errors(str(parts[0])):
            return self._client.execute_command(*parts)  # type: ignore[no-untyped-call]  # redis-py leaves it bare

    def saved(self, write: Sequence[str | bytes | int], timeout_s: float) -> bool | None:
        """Run one write, and wait until it and all before it are on the server's own disk.

        Returns:
            False when that took longer than ``timeout_s``; None where the server cannot tell: it has no
            WAITAOF (it came with 7.2), or no append-only file.
        """
        with broker_errors("WAITAOF"):
            pipe = self._client.pipeline(transaction=False)  # one connection: the wait is for its own writes
            for command in (write, ("WAITAOF", 1, 0, round(timeout_s * 1000))):
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py leaves it bare
            written, reply = pipe.execute(raise_on_error=False)
            if isinstance(written, Exception):
                raise written
            if isinstance(reply, Exception):
                if any(words in str(reply) for words in _CANNOT_TELL):
                    return None
                raise reply
        return int(reply[0]) >= 1

    def check(self) -> Fitness:
        """Return what is wrong with this server; raise ``BrokerError`` if it is silent."""
        self.command("PING")
        with broker_errors("INFO"):
            info: dict[str, Any] = self._client.info("everything")
        return Fitness(tuple(_refused(info)), tuple(_warned(info)))

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


def _refused(info: dict[str, Any]) -> Iterator[str]:
    found = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in found.split(".")[:2] if part.isdigit()) < MINIMUM_VERSION:
        yield f"Redis {found} is too old: 6.2 or newer is needed. Upgrade it, or unset the broker."
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield (
            f"maxmemory-policy is {policy}: Redis may drop tasks when it is full. Set it to noeviction "
            "(redis-cli CONFIG SET maxmemory-policy noeviction, and in its configuration)."
        )
    if info.get("role") not in (None, "master"):
        yield "this server is a replica: it takes no writes. Point the broker URL at the primary."


def _warned(info: dict[str, Any]) -> Iterator[str]:
    if not info.get("aof_enabled"):
        yield (
            "appendonly is off: a restart of Redis loses every queue silently. Set it to yes "
            "(redis-cli CONFIG SET appendonly yes, and in its configuration)."
        )
