"""Addresses of the lake, the state and the broker: read, resolved, and refused where they cannot work."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from recon.core.invalid import InvalidValueError
from recon.core.remote_redis import LOCAL_SCHEMES, is_exposed, is_remote, shown_host
from recon.masking import masked_address
from recon.settings.places import below

_S3 = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9._-]*(?:/.*)?")
_BROKER_SCHEMES = ("redis", "rediss", "unix", "redis+socket")
_EMBEDDED_WITH_S3 = (
    "the embedded broker lives under the state folder, but the state is on S3; "
    "set `broker` (or RECON_REDIS_URL) to a Redis, or `state` to a folder"
)
_REMOTE_WITH_FOLDER = (
    "a remote broker lets other hosts work on this state, but they cannot reach its folder; set `state` to "
    "s3://…, or `state_shared: true` if the folder is on a shared file system, or use a local broker"
)
_STATE_IS_LAKE = (
    "the state is the lake itself, {lake}: recon's own files would stand among its data, and be compared "
    "with it; expected a place of its own, such as {lake}/.recon (no listing looks at it) or another folder"
)
_LAKE_IN_STATE = (
    "the lake, {lake}, is the folder {name}/ of the state, where recon keeps and deletes its own files; "
    "expected a place of its own: move the state, or the lake"
)
_SHARED_WITH_PICKLES = (
    "it is the database of the engine's queues or broker, where scrapy-redis would keep pickled requests: "
    "whoever may write there could run code in the spiders; expected another database, such as redis://host/1"
)
#: Folders of the state that hold nothing but recon's own files.
_STATE_FOLDERS = ("broker", "catalogs", "cycles", ".tmp")
_INSECURE = (
    "the Redis at {host} is on another host, with neither a password nor TLS: whoever reaches it can read "
    "and forge tasks; use redis://:password@{host} or rediss://{host}, or, in a network that you trust, set "
    "`queues: {{allow_insecure: true}}`"
)


def storage_address(text: str, cwd: Path) -> str:
    """Return where the lake or the state is; a plain path is a folder under the working directory ``cwd``."""
    if "://" not in text:
        return f"file://{(cwd / text).resolve()}"
    if _S3.fullmatch(text) or (text.startswith("file:///") and text.strip("/") != "file:"):
        return text.rstrip("/")
    raise InvalidValueError(
        f"expected s3://bucket/prefix, file:///path or a folder, got {masked_address(text)!r}"
    )


def broker_address(text: str) -> str:
    """Return the broker's address; the message never repeats it, since it may hold a password."""
    scheme = text.partition("://")[0] if "://" in text else ""
    if scheme not in _BROKER_SCHEMES:
        expected = "redis://host:6379/0, rediss://… or unix:///path.sock"
        raise InvalidValueError(
            f"expected {expected}, got {f'a {scheme}:// address' if scheme else 'no address'}"
        )
    try:
        parts = urlsplit(text)
        empty = scheme not in LOCAL_SCHEMES and not parts.hostname
        _ = parts.port
    except ValueError as error:
        raise InvalidValueError(f"the {scheme}:// address has no readable host and port") from error
    if empty:
        raise InvalidValueError(f"the {scheme}:// address has no host; expected redis://host:6379/0")
    return text


def endpoint_address(text: str) -> str:
    """Return an S3 endpoint without the user and password before its host: S3 signs, and never sends them."""
    scheme, mark, rest = text.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def spider_refusals(address: str, engines: Iterable[str | None], *, insecure: bool) -> Iterator[str]:
    """Yield why spiders cannot take their requests from the Redis at ``address``.

    It must not be one of the ``engines`` databases: scrapy-redis unpickles whatever stands under its keys.
    """
    try:
        broker_address(address)
    except InvalidValueError as error:
        yield error.message
        return
    if any(one is not None and _database(one) == _database(address) for one in engines):
        yield _SHARED_WITH_PICKLES
    yield from () if insecure else insecurity(address)


def _database(address: str) -> tuple[str, int, str]:
    """Return the server and the database that an address means."""
    parts = urlsplit(address)
    if parts.scheme in LOCAL_SCHEMES:
        named = parse_qs(parts.query).get("db", parse_qs(parts.query).get("virtual_host", []))
        return (parts.path, 0, "".join(named).strip("/") or "0")
    host = "localhost" if not is_remote(address) else (parts.hostname or "")
    named = parse_qs(parts.query).get("db", [parts.path.strip("/")])
    return (host, parts.port or 6379, "".join(named) or "0")


def refusals(broker: str | None, state: str, *, state_shared: bool) -> list[str]:
    """Return why this broker and this state cannot serve one engine together."""
    if broker is None and state.startswith("s3://"):
        return [_EMBEDDED_WITH_S3]
    if broker is not None and is_remote(broker) and state.startswith("file://") and not state_shared:
        return [_REMOTE_WITH_FOLDER]
    return []


def overlaps(lake: str, state: str) -> list[str]:
    """Return why this lake and this state are one place; a state inside the lake is none of these."""
    inside = below(lake, state)
    if inside is None:
        return []
    name = inside.partition("/")[0]
    if not name:
        return [_STATE_IS_LAKE.format(lake=lake)]
    return [_LAKE_IN_STATE.format(lake=lake, name=name)] if name in _STATE_FOLDERS else []


def insecurity(address: str | None) -> list[str]:
    """Return why this Redis must not be used unless ``queues.allow_insecure`` says so; no secret is shown."""
    if address is None or not is_exposed(address):
        return []
    return [_INSECURE.format(host=shown_host(address))]
