"""The one place that imports the Redis client: connections, Lua scripts, and errors in words.

Owns no keys: `redis_queue` and `ledger` name theirs, and reach Redis through the ``Broker`` port.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.commands.core import Script
from redis.retry import Retry

from recon.errors import BrokerError, CycleFencedError, QueuesTakenError

#: Seconds to reach the server. redis-py's defaults changed between releases, so every time is spelt out.
CONNECT_TIMEOUT_S = 5.0
#: Seconds to wait for one reply; our longest script takes milliseconds.
REPLY_TIMEOUT_S = 15.0
#: Tries after the first, with jitter. Every script is idempotent, so that repeating one is safe.
RETRIES = 3
#: The oldest server that this project's tests run on; LPOS, which the scripts use, came with 6.0.6.
MINIMUM_VERSION = (6, 2)

#: What WAITAOF says where it cannot work.
_CANNOT_TELL = ("unknown command", "appendonly is disabled")

#: What the refusal holds (the client cuts the server's code off where it has a class for it) -> what to do.
NEXT_STEPS = (
    ("maxmemory", "give Redis more memory (maxmemory) or drain the queues; nothing of this call was written"),
    ("read only replica", "point the broker URL at the primary: this server is a read-only replica"),
    ("MISCONF", "Redis cannot write to its disk: free space there, then see its log"),
    ("max number of clients", "raise Redis' maxclients or run fewer workers"),
    ("Authentication", "put the right user and password into the broker URL (redis://user:password@host)"),
    ("NoPermission", "grant this user the commands and keys of docs/queue-protocol.md"),
    ("permissions", "grant this user the commands and keys of docs/queue-protocol.md"),
    ("BusyLoading", "Redis is still reading its data; try again shortly"),
    ("same slot", "on a Cluster the prefix needs a hash tag: queues.prefix: '{recon}'"),
    ("WRONGTYPE", "another program uses one of these keys: set another queues.prefix"),
)


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
    def connect(cls, url: str, *, reply_timeout_s: float = REPLY_TIMEOUT_S) -> RedisBroker:
        """Return a broker for ``redis://``, ``rediss://`` or ``unix://``; connects at the first command."""
        try:
            client = redis.Redis.from_url(
                url,
                socket_connect_timeout=CONNECT_TIMEOUT_S,
                socket_timeout=reply_timeout_s,
                health_check_interval=25,
                retry=Retry(ExponentialWithJitterBackoff(cap=1, base=0.05), RETRIES),
            )
        except ValueError as error:
            raise BrokerError(
                f"the broker URL cannot be used: {error}. Expected redis://, rediss:// or unix://.",
            ) from error
        return cls(client)

    def run(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """Run one Lua script by name, as one atomic step; a script that the server forgot is sent again."""
        with _broker_errors(script):
            if script not in self._scripts:
                self._scripts[script] = self._client.register_script(_source(script))
            return self._scripts[script](keys=list(keys), args=list(args))

    def command(self, *parts: str | bytes | int) -> Any:
        """Run one Redis command."""
        with _broker_errors(str(parts[0])):
            return self._client.execute_command(*parts)  # type: ignore[no-untyped-call]  # redis-py leaves it bare

    def saved(self, write: Sequence[str | bytes | int], timeout_s: float) -> bool | None:
        """Run one write, and wait until it and all before it are on the server's own disk.

        Returns:
            False when that took longer than ``timeout_s``; None where the server cannot tell: it has no
            WAITAOF (it came with 7.2), or no append-only file.
        """
        with _broker_errors("WAITAOF"):
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
        with _broker_errors("INFO"):
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


@cache
def _source(script: str) -> str:
    """Return a script with what its family shares in front: ``queue.lua`` before ``queue_publish.lua``."""
    folder = files("recon.adapters") / "lua"
    family = script.partition("_")[0]
    return "\n".join((folder / f"{name}.lua").read_text("utf-8") for name in (family, script))


@contextmanager
def _broker_errors(doing: str) -> Iterator[None]:
    """Turn the client's errors into ours, with the next step."""
    try:
        yield
    except redis.RedisError as error:
        said = str(error).removesuffix(".")
        if said.startswith("FENCED"):
            raise CycleFencedError(
                f"{doing} was refused: this cycle is {said.lower()}. A newer cycle owns the queues, or "
                "this one has ended; nothing was written. Start a new cycle.",
            ) from error
        if said.startswith("OTHERLAKE"):
            raise QueuesTakenError(
                f"{doing} was refused: these queues belong to another lake, "
                f"{said.removeprefix('OTHERLAKE ')}. Give this lake its own queues.prefix. If that lake is "
                "given up, delete its keys, <prefix>:q:* and <prefix>:queue:*.",
            ) from error
        raise BrokerError(f"Redis failed at {doing}: {said}. Next: {_next_step(error)}.") from error


def _next_step(error: redis.RedisError) -> str:
    said = f"{type(error).__name__}: {error}"
    for holds, step in NEXT_STEPS:
        if holds in said:
            return step
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return "check that the server runs and that the broker URL is right; `recon doctor` tries it"
    return "see the server's log"
