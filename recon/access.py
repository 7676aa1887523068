"""What a process reaches without the engine: settings, broker, state, ledger, clock.

It imports neither Arrow nor Polars: the driver of a cycle, Celery's settings and commands that only read
need no more, and start in a third of the time.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote, urlencode

from recon.adapters import logs
from recon.adapters.attendance import Attendance
from recon.adapters.embedded_redis import EmbeddedRedis
from recon.adapters.logs import LogChoice, Stderr
from recon.adapters.state_store import FileStateStore, S3StateStore
from recon.core.remote_redis import LOCAL_SCHEMES
from recon.errors import ConfigError
from recon.settings import Settings, load_settings, secrets_of

if TYPE_CHECKING:  # ports describe Arrow batches, whose import takes longer than all of this
    from recon.ports import Ledger, ProgressBoard, StateStore


@dataclass(frozen=True, slots=True)
class Broker:
    """One Redis server's address, as redis-py and as Celery spell it."""

    redis: str
    celery: str


@dataclass(frozen=True, slots=True)
class Lookout:
    """What the driver of a cycle watches it through."""

    state: StateStore
    ledger: Ledger
    board: ProgressBoard


def settings(config: Path | None = None) -> Settings:
    """Return the settings of ``--config``, else ``RECON_CONFIG``, else config/recon.yaml."""
    return load_settings(config)


def broker(chosen: Settings) -> Broker:
    """Return the broker's addresses; starts the embedded one where none is configured."""
    if chosen.broker is not None:
        address = _as_redis(chosen.broker)
        return Broker(address, _as_celery(address))
    server = EmbeddedRedis(state_folder(chosen)).ensure()
    return Broker(server.url_redis, server.url_celery)


def revived(chosen: Settings) -> bool:
    """Start the embedded broker where it does not run; return whether that was needed."""
    return EmbeddedRedis(state_folder(chosen)).ensure().started


def broker_address(chosen: Settings) -> str:
    """Return the broker's address, as redis-py spells it; starts nothing."""
    if chosen.broker is not None:
        return _as_redis(chosen.broker)
    return EmbeddedRedis(state_folder(chosen)).address


def queues_address(chosen: Settings) -> str | None:
    """Return the address of the scrapers' queues, as redis-py spells it; None: the broker's."""
    return None if chosen.queues_url is None else _as_redis(chosen.queues_url)


def lookout(chosen: Settings) -> Lookout:
    """Return the state, the ledger and the progress board, over one connection to the broker."""
    from recon.adapters.ledger import RedisLedger  # noqa: PLC0415 - the client takes 0.1 s to import
    from recon.adapters.progress_board import RedisProgressBoard  # noqa: PLC0415 - as above
    from recon.adapters.redis_client import RedisBroker  # noqa: PLC0415 - as above

    connection = RedisBroker.connect(broker(chosen).redis)
    prefix = chosen.queues.prefix
    return Lookout(
        state(chosen), RedisLedger(connection, prefix=prefix), RedisProgressBoard(connection, prefix=prefix)
    )


def state(chosen: Settings) -> StateStore:
    """Return the state store."""
    folder = chosen.state_folder
    if folder is not None:
        return FileStateStore(folder)
    import boto3  # noqa: PLC0415 - takes 0.2 s to import, and most states are folders

    bucket, _, prefix = chosen.state.removeprefix("s3://").partition("/")
    session = boto3.session.Session(profile_name=chosen.s3.profile, region_name=chosen.s3.region)
    return S3StateStore(bucket, prefix, session.client("s3", endpoint_url=chosen.s3.endpoint_url))


def state_folder(chosen: Settings) -> Path:
    """Return the folder that the embedded broker lives under."""
    folder = chosen.state_folder
    if folder is None:
        raise ConfigError("an embedded broker needs a state folder; set broker, or RECON_REDIS_URL")
    return folder


def workers_log(chosen: Settings) -> Path:
    """Return where the workers that a run starts for itself write; a state on S3 has no place for it."""
    return (chosen.state_folder or Path.cwd() / ".recon") / "workers.log"


def new_workers_log(chosen: Settings) -> Path:
    """Return ``workers_log``, after moving one aside that has grown as long as a log file may."""
    log, section = workers_log(chosen), chosen.logging
    logs.keep_small(log, section.max_file_size_mb * 1_000_000, section.backup_count)
    return log


def start_logging(chosen: Settings, role: str, stderr: Stderr = Stderr.SERVICE) -> None:
    """Have this process log as the settings say; ``role`` names its file (docs/logs.md)."""
    section = chosen.logging
    choice = LogChoice(
        section.level,
        section.format,
        chosen.log_dir,
        section.max_file_size_mb * 1_000_000,
        section.backup_count,
        secrets_of(chosen),
    )
    logs.start_logging(role, choice, stderr)


def attendance(chosen: Settings) -> Attendance:
    """Return this process' place among those that work over the embedded broker of the state folder."""
    return Attendance(state_folder(chosen))


def sample_is_wanted(chosen: Settings) -> bool:
    """Tell whether the shipped configuration asks for its sample lake, and it is still to be made."""
    folder = chosen.lake_folder
    if folder is None or folder.exists():
        return False
    from recon.adapters.sample_lake import NAME  # noqa: PLC0415 - needed once in a lake's life

    return folder.name == NAME


def make_sample(chosen: Settings) -> None:
    """Make the sample lake where it is wanted."""
    folder = chosen.lake_folder
    if folder is not None and sample_is_wanted(chosen):
        from recon.adapters.sample_lake import ensure_sample_lake  # noqa: PLC0415 - as above

        ensure_sample_lake(folder, now())


def now() -> datetime:
    """Return the instant, in UTC: the one clock that the ports carry."""
    return datetime.now(UTC)  # noqa: TID251 - the edge where the clock is read


def new_cycle_id(at: datetime) -> str:
    """Return a fresh cycle id that sorts by time."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def interval_s(chosen: Settings) -> float | None:
    """Return the seconds between scheduled cycles; None when the schedule is off."""
    return chosen.interval_s if chosen.loop.enabled else None


def beat_schedule_file(chosen: Settings) -> str:
    """Return where beat keeps its own notes."""
    folder = chosen.state_folder or Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder / "beat-schedule")


def down(chosen: Settings) -> bool:
    """Stop the embedded broker; return whether one was running."""
    return EmbeddedRedis(state_folder(chosen)).down() if chosen.broker is None else False


def _as_redis(url: str) -> str:
    """Return an address as redis-py spells it, also where a socket was written down Celery's way."""
    if not url.startswith("redis+socket://"):
        return url
    place, _, query = url.removeprefix("redis+socket://").partition("?")
    said = dict(parse_qsl(query))
    return f"unix://{place}?{urlencode({'db': said.pop('virtual_host', '0'), **said}, safe='/')}"


def _as_celery(url: str) -> str:
    """Return an address as Celery spells it: a socket's scheme, and TLS with its verification written out.

    Celery knows no parameters but those of TLS, and prints what it does not know: name, password and database
    go where it looks for them, and hides them.
    """
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    said = dict(parse_qsl(query))
    login, _, place = place.rpartition("@")
    if not login and "password" in said:
        login = ":".join(quote(said.get(name, ""), safe="") for name in ("username", "password"))
    login = login and f"{login}@"
    if scheme in LOCAL_SCHEMES:
        return f"redis+socket://{login}{unquote(place)}?virtual_host={said.get('db', '0')}"
    if "db" in said:
        place = f"{place.partition('/')[0]}/{said['db']}"
    tls = {name: text for name, text in said.items() if name.startswith("ssl_")}
    if scheme == "rediss":
        tls.setdefault("ssl_cert_reqs", "required")
    return f"{scheme}://{login}{place}{'?' if tls else ''}{urlencode(tls, safe='/')}"
