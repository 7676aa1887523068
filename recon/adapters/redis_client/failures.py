"""The client's errors in words, with the next step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from recon.errors import BrokerError, BrokerUnreachableError, CycleFencedError, QueuesTakenError

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
    ("MovedError", "give the address of the Cluster's node that serves this prefix; CLUSTER SHARDS names it"),
    ("WRONGTYPE", "another program uses one of these keys: set another queues.prefix"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "name the authority that signed the server's certificate: rediss://…?ssl_ca_certs=/path/ca.pem",
    ),
)
#: What a connection's failure holds when trying again cannot help.
_LASTING = ("Authentication", "CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER")


@contextmanager
def broker_errors(doing: str) -> Iterator[None]:
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
        kind = BrokerUnreachableError if _may_come_back(error) else BrokerError
        raise kind(f"Redis failed at {doing}: {said}. Next: {_next_step(error)}.") from error


def _may_come_back(error: redis.RedisError) -> bool:
    if not isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return False
    said = f"{type(error).__name__}: {error}"
    return not any(words in said for words in _LASTING)


def _next_step(error: redis.RedisError) -> str:
    said = f"{type(error).__name__}: {error}"
    for holds, step in NEXT_STEPS:
        if holds in said:
            return step
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return "check that the server runs and that the broker URL is right; `recon doctor` tries it"
    return "see the server's log"
